//! Byte-pair encoding of words.

use std::collections::HashMap;
use std::io::Read;

use flate2::read::GzDecoder;

/// How many of the file's merges are used: what is left of 49,152 symbols without bytes (alone, and at the end of a
/// word) and the two marks.
const MERGES: usize = 49_152 - 256 - 2;
/// Bytes alone, then bytes at the end of a word.
const BYTES: u32 = 256;
/// No file is as large once it is unpacked.
const MAX_BYTES: u64 = 64 << 20;

const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";
const WORD_END: &str = "</w>";

/// Merges of symbols.
#[derive(Debug)]
pub struct Vocabulary {
    /// Two neighbours, how early they merge, and into what.
    merges: HashMap<(u32, u32), Merge>,
    /// Symbol of each byte.
    bytes: [u32; 256],
    size: u32,
}

#[derive(Clone, Copy, Debug)]
struct Merge {
    rank: u32,
    symbol: u32,
}

/// Of neighbours that do not merge.
const NEVER: u32 = u32::MAX;

impl Vocabulary {
    /// Reads a file: one line that is no merge, then a merge a line.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = unpack(bytes)?;
        let lines: Vec<&str> = text.split('\n').skip(1).take(MERGES).collect();
        if lines.is_empty() {
            return Err("it has no merges".to_owned());
        }
        let characters = byte_characters();
        let alone = characters.iter().map(|(_, character)| character.to_string());
        let at_end = characters.iter().map(|(_, character)| format!("{character}{WORD_END}"));
        // As in the reference, the later of two equal symbols counts.
        let mut symbols: HashMap<String, u32> = alone.chain(at_end).zip(0..).collect();
        let mut pairs = Vec::with_capacity(lines.len());
        for (index, line) in lines.iter().enumerate() {
            let parts: Vec<&str> = line.split_whitespace().collect();
            let number = 2 * BYTES + index as u32;
            match parts.as_slice() {
                [first, second] => {
                    symbols.insert(format!("{first}{second}"), number);
                    pairs.push((*first, *second));
                }
                // The reference counts what lies behind the last line break, too.
                [] if index > 0 && index + 1 == lines.len() => pairs.push(("", "")),
                _ => {
                    let line: String = line.chars().take(40).collect();
                    return Err(format!("line {} is \"{}\", not two symbols", index + 2, line.escape_debug()));
                }
            }
        }
        let size = 2 * BYTES + pairs.len() as u32 + 2;
        let mut merges = HashMap::with_capacity(pairs.len());
        for (rank, (first, second)) in pairs.into_iter().enumerate() {
            // A symbol that is not in the vocabulary never comes up.
            if let (Some(&a), Some(&b)) = (symbols.get(first), symbols.get(second)) {
                let symbol = symbols[&format!("{first}{second}")];
                merges.insert((a, b), Merge { rank: rank as u32, symbol });
            }
        }
        let mut bytes = [0; 256];
        for (byte, character) in characters {
            bytes[usize::from(byte)] = symbols[&character.to_string()];
        }
        Ok(Self { merges, bytes, size })
    }

    /// Symbols in all.
    pub fn size(&self) -> usize {
        self.size as usize
    }

    /// The mark before a text.
    pub fn start(&self) -> u32 {
        self.size - 2
    }

    /// The mark behind a text.
    pub fn end(&self) -> u32 {
        self.size - 1
    }

    /// Appends the symbols of a word.
    pub fn encode(&self, word: &str, ids: &mut Vec<u32>) {
        match word {
            START => return ids.push(self.start()),
            END => return ids.push(self.end()),
            _ => {}
        }
        let mut symbols: Vec<u32> = word.bytes().map(|byte| self.bytes[usize::from(byte)]).collect();
        if let Some(last) = symbols.last_mut() {
            *last += BYTES;
        }
        let rank = |a: u32, b: u32| self.merges.get(&(a, b)).map_or(NEVER, |merge| merge.rank);
        // Of each symbol with the next one.
        let mut ranks: Vec<u32> = symbols.windows(2).map(|pair| rank(pair[0], pair[1])).collect();
        while let Some(least) = ranks.iter().copied().min().filter(|rank| *rank != NEVER) {
            let at = ranks.iter().position(|rank| *rank == least).unwrap_or(0);
            let (first, second) = (symbols[at], symbols[at + 1]);
            let merged = self.merges[&(first, second)].symbol;
            let mut kept = at;
            let mut next = at;
            while next < symbols.len() {
                let is_pair = symbols[next] == first && symbols.get(next + 1) == Some(&second);
                symbols[kept] = if is_pair { merged } else { symbols[next] };
                next += if is_pair { 2 } else { 1 };
                kept += 1;
            }
            symbols.truncate(kept);
            let from = at.saturating_sub(1);
            ranks.truncate(from);
            ranks.extend(symbols[from..].windows(2).map(|pair| rank(pair[0], pair[1])));
        }
        ids.extend(symbols);
    }
}

fn unpack(bytes: &[u8]) -> Result<String, String> {
    let mut unpacked = Vec::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut decoder = GzDecoder::new(bytes).take(MAX_BYTES);
        decoder.read_to_end(&mut unpacked).map_err(|error| format!("it cannot be unpacked ({error})"))?;
    } else {
        unpacked.extend_from_slice(bytes);
    }
    String::from_utf8(unpacked).map_err(|_| "it is no text".to_owned())
}

/// Bytes in the order of their symbols, each with the character that stands for it in the file: itself where it can be
/// seen, else one from U+0100 on.
fn byte_characters() -> Vec<(u8, char)> {
    let is_seen = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let (seen, hidden): (Vec<u8>, Vec<u8>) = (0..=255).partition(is_seen);
    let stand_ins = ('\u{100}'..).zip(hidden).map(|(character, byte)| (byte, character));
    seen.into_iter().map(|byte| (byte, char::from(byte))).chain(stand_ins).collect()
}
