//! The tensors and the metadata of a GGUF file.

use std::collections::HashMap;

use super::{ALIGNMENT, ELEMENTS, MAGIC, Value, kind};
use crate::checkpoint::open::Tensor;

/// A header larger than this is no backbone's.
const MAX_HEADER_BYTES: usize = 16 << 20;

/// Axes that the format knows.
const MAX_AXES: usize = 4;

/// Longer arrays are passed over: no fact about a backbone has as many numbers.
const MAX_ARRAY: usize = 16;

/// What a header says.
pub(in crate::checkpoint) struct Gguf {
    pub(in crate::checkpoint) tensors: Vec<Tensor>,
    /// Values of the kinds that [`Value`] has.
    pub(in crate::checkpoint) metadata: HashMap<String, Value>,
}

pub(in crate::checkpoint) fn is_gguf(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Lists the tensors of a whole file in memory; the reason where it is broken.
pub(in crate::checkpoint) fn read(bytes: &[u8]) -> Result<Gguf, String> {
    let mut reader = Reader { bytes: &bytes[..bytes.len().min(MAX_HEADER_BYTES)], at: MAGIC.len() };
    let version = reader.u32()?;
    if !matches!(version, 2 | 3) {
        return Err(format!("it is GGUF of version {version}, versions 2 and 3 are read"));
    }
    let (tensors, values) = (reader.u64()?, reader.u64()?);
    let mut metadata = HashMap::new();
    for _ in 0..values {
        let (key, kind) = (reader.text()?, reader.u32()?);
        if let Some(value) = reader.value(kind)? {
            metadata.insert(key, value);
        }
    }
    let mut listed = Vec::new();
    for _ in 0..tensors {
        listed.push(reader.tensor()?);
    }
    let alignment = match metadata.get("general.alignment") {
        None => ALIGNMENT,
        Some(Value::U32(alignment)) if *alignment > 0 && alignment.is_multiple_of(8) => *alignment as usize,
        Some(other) => return Err(format!("its alignment is {other:?}, expected a multiple of 8")),
    };
    let data_start = reader.at.next_multiple_of(alignment);
    for tensor in &mut listed {
        let range = (tensor.bytes.start.checked_add(data_start), tensor.bytes.end.checked_add(data_start));
        tensor.bytes = match range {
            (Some(start), Some(end)) if end <= bytes.len() => start..end,
            _ => return Err(format!("its tensor `{}` lies past the end of the file", tensor.name.escape_debug())),
        };
    }
    listed.sort_by_key(|tensor| tensor.bytes.start);
    Ok(Gguf { tensors: listed, metadata })
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let taken = self.at.checked_add(len).and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| format!("its GGUF header is broken or cut short at byte {}", self.at))?;
        self.at += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(*self.take(N)?.first_chunk().expect("as many bytes as were asked for"))
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A length or a size.
    fn size(&mut self) -> Result<usize, String> {
        let size = self.u64()?;
        usize::try_from(size).map_err(|_| format!("its GGUF header states a size of {size}"))
    }

    fn text(&mut self) -> Result<String, String> {
        let len = self.size()?;
        let bytes = self.take(len)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| "its GGUF header holds text that is not UTF-8".to_owned())
    }

    /// `None` for kinds that are of no use here.
    fn value(&mut self, kind: u32) -> Result<Option<Value>, String> {
        Ok(Some(match kind {
            kind::U32 => Value::U32(self.u32()?),
            kind::F32 => Value::F32(f32::from_le_bytes(self.array()?)),
            kind::F64 => Value::F64(f64::from_le_bytes(self.array()?)),
            kind::BOOL => Value::Bool(self.array::<1>()? != [0]),
            kind::TEXT => Value::Text(self.text()?),
            kind::ARRAY => return self.values(),
            other => {
                self.take(width(other)?)?;
                return Ok(None);
            }
        }))
    }

    fn values(&mut self) -> Result<Option<Value>, String> {
        let (kind, len) = (self.u32()?, self.size()?);
        match kind {
            kind::F32 if len <= MAX_ARRAY => {
                let numbers = (0..len).map(|_| Ok(f32::from_le_bytes(self.array()?)));
                return Ok(Some(Value::F32s(numbers.collect::<Result<_, String>>()?)));
            }
            kind::TEXT => (0..len).try_for_each(|_| self.text().map(drop))?,
            other => {
                let bytes = width(other)?.checked_mul(len).ok_or("its GGUF header states an endless array")?;
                self.take(bytes)?;
            }
        }
        Ok(None)
    }

    /// Its bytes count from where the tensors begin.
    fn tensor(&mut self) -> Result<Tensor, String> {
        let name = self.text()?;
        let fail = |reason: String| Err(format!("its tensor `{}` {reason}", name.escape_debug()));
        let axes = self.u32()? as usize;
        if axes > MAX_AXES {
            return fail(format!("has {axes} axes, GGUF knows {MAX_AXES}"));
        }
        let mut shape = (0..axes).map(|_| self.size()).collect::<Result<Vec<_>, _>>()?;
        // ggml names the innermost axis first.
        shape.reverse();
        let (number, start) = (self.u32()?, self.size()?);
        let Some((_, element)) = ELEMENTS.into_iter().find(|(known, _)| *known == number) else {
            return fail(format!("has ggml's type {number}; f32, f16, bf16, q8_0, q4_0 and q4_K are read"));
        };
        let (together, unit) = element.block().expect("all of these have a known size");
        if !shape.last().copied().unwrap_or(1).is_multiple_of(together) {
            return fail(format!("is {element}, but its rows are no multiple of {together}: {shape:?}"));
        }
        let elements = shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
        let bytes = elements.and_then(|elements| (elements / together).checked_mul(unit));
        let Some(end) = bytes.and_then(|bytes| bytes.checked_add(start)) else {
            return fail(format!("claims a shape of {shape:?}"));
        };
        Ok(Tensor { name, element, shape, file: 0, bytes: start..end, strides: None })
    }
}

/// Bytes of a value of a fixed size.
fn width(kind: u32) -> Result<usize, String> {
    match kind {
        0 | 1 | kind::BOOL => Ok(1),
        2 | 3 => Ok(2),
        kind::U32 | 5 | kind::F32 => Ok(4),
        10 | 11 | kind::F64 => Ok(8),
        other => Err(format!("its GGUF header holds a value of kind {other}, which is not read")),
    }
}
