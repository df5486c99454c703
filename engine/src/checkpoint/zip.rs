//! Where the entries of a zip archive lie, for archives written by PyTorch: every entry is stored, so that tensors are
//! read in place. Nothing is ever decompressed, hence no archive can be larger than its file (APPNOTE.TXT 6.3.10).

use std::ops::Range;

const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const CENTRAL_HEADER: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
const END64: [u8; 4] = *b"PK\x06\x06";
const END64_LOCATOR: [u8; 4] = *b"PK\x06\x07";
const CENTRAL_HEADER_BYTES: usize = 46;
const END_BYTES: usize = 22;
const END64_LOCATOR_BYTES: usize = 20;
/// More entries than any backbone has tensors.
const MAX_ENTRIES: u64 = 100_000;

/// One file in the archive.
pub(super) struct Entry<'a> {
    /// With the folders before it.
    pub(super) name: &'a str,
    /// Its content within the archive's bytes.
    pub(super) bytes: Range<usize>,
}

/// Whether the bytes begin as a zip archive does.
pub(super) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(&LOCAL_HEADER)
}

/// Lists the archive's entries; the reason where it is broken or something in it is compressed.
pub(super) fn entries(archive: &[u8]) -> Result<Vec<Entry<'_>>, String> {
    let (count, directory) = central_directory(archive).ok_or("its zip directory is missing: the file is cut short")?;
    if count > MAX_ENTRIES {
        return Err(format!("its zip directory claims {count} entries, at most {MAX_ENTRIES} are read"));
    }
    let mut at = directory;
    let mut found = Vec::new();
    for _ in 0..count {
        let (entry, next) = entry(archive, at)?;
        found.extend(entry);
        at = next;
    }
    Ok(found)
}

/// Number of entries and where the directory starts.
fn central_directory(archive: &[u8]) -> Option<(u64, usize)> {
    // The end record stands last, before a comment of at most 65535 bytes.
    let first = archive.len().saturating_sub(END_BYTES + usize::from(u16::MAX));
    let last = archive.len().checked_sub(END_BYTES)?;
    let end = (first..=last).rev().find(|&at| archive[at..].starts_with(&END))?;
    let (count, start) = (u16_at(archive, end + 10)?, u32_at(archive, end + 16)?);
    if count != u16::MAX && start != u32::MAX {
        return Some((count.into(), start as usize));
    }
    let locator = end.checked_sub(END64_LOCATOR_BYTES)?;
    if !archive[locator..].starts_with(&END64_LOCATOR) {
        return Some((count.into(), start as usize));
    }
    let end64 = usize::try_from(u64_at(archive, locator + 8)?).ok()?;
    if !archive.get(end64..)?.starts_with(&END64) {
        return None;
    }
    Some((u64_at(archive, end64.checked_add(32)?)?, usize::try_from(u64_at(archive, end64.checked_add(48)?)?).ok()?))
}

/// The entry whose central header is at `at` (none for a folder), and where the next header starts.
fn entry(archive: &[u8], at: usize) -> Result<(Option<Entry<'_>>, usize), String> {
    const BROKEN: &str = "its zip directory is broken";
    let header = archive.get(at..).and_then(|rest| rest.get(..CENTRAL_HEADER_BYTES)).ok_or(BROKEN)?;
    if !header.starts_with(&CENTRAL_HEADER) {
        return Err(BROKEN.into());
    }
    let field16 = |offset| u16_at(header, offset).map(usize::from).ok_or(BROKEN);
    let field32 = |offset| u32_at(header, offset).ok_or(BROKEN);
    let (flags, method) = (field16(8)?, field16(10)?);
    let (name_len, extra_len, comment_len) = (field16(28)?, field16(30)?, field16(32)?);
    let variable = &archive[at + CENTRAL_HEADER_BYTES..];
    let name = variable.get(..name_len).and_then(|name| std::str::from_utf8(name).ok()).ok_or(BROKEN)?;
    let extra = variable.get(name_len..name_len + extra_len).ok_or(BROKEN)?;
    let next = at + CENTRAL_HEADER_BYTES + name_len + extra_len + comment_len;
    if name.ends_with('/') {
        return Ok((None, next));
    }
    if method != 0 || flags & 1 != 0 {
        let name = name.escape_debug();
        return Err(format!("its entry {name} is compressed or encrypted, which torch.save never does; save it again"));
    }
    let mut wide = Zip64Fields(zip64(extra));
    let size = wide.resolve(field32(24)?).ok_or(BROKEN)?;
    let stored = wide.resolve(field32(20)?).ok_or(BROKEN)?;
    let local = wide.resolve(field32(42)?).ok_or(BROKEN)?;
    let bytes = content(archive, local, size).filter(|_| size == stored);
    let bytes = bytes.ok_or_else(|| format!("its entry {} lies outside of the file", name.escape_debug()))?;
    Ok((Some(Entry { name, bytes }), next))
}

/// Where an entry's content lies, after its local header, whose lengths may differ from the central one's.
fn content(archive: &[u8], local: u64, size: u64) -> Option<Range<usize>> {
    let local = usize::try_from(local).ok()?;
    if !archive.get(local..)?.starts_with(&LOCAL_HEADER) {
        return None;
    }
    let name_len = usize::from(u16_at(archive, local.checked_add(26)?)?);
    let extra_len = usize::from(u16_at(archive, local.checked_add(28)?)?);
    let start = local.checked_add(30 + name_len + extra_len)?;
    let end = start.checked_add(usize::try_from(size).ok()?)?;
    (end <= archive.len()).then_some(start..end)
}

/// The 64-bit values of an entry: only those whose 32-bit field is saturated, in a fixed order.
struct Zip64Fields<'a>(&'a [u8]);

impl Zip64Fields<'_> {
    fn resolve(&mut self, field: u32) -> Option<u64> {
        if field != u32::MAX {
            return Some(field.into());
        }
        let value = u64_at(self.0, 0)?;
        self.0 = &self.0[8..];
        Some(value)
    }
}

/// The content of the zip64 extra field, empty where there is none.
fn zip64(mut extra: &[u8]) -> &[u8] {
    while let (Some(id), Some(len)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let Some(field) = extra.get(4..4 + usize::from(len)) else { break };
        if id == 1 {
            return field;
        }
        extra = &extra[4 + field.len()..];
    }
    &[]
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|b| u16::from_le_bytes(*b))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_le_bytes(*b))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|b| u64::from_le_bytes(*b))
}
