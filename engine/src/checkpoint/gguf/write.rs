//! The header of a GGUF file. Tensors follow it in the order they are listed, each padded by [`padding`].

use super::{ALIGNMENT, ELEMENTS, MAGIC, Value, kind};
use crate::checkpoint::ElementType;

/// A tensor that will be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    /// One of [`ELEMENTS`].
    pub(crate) element: ElementType,
}

impl Entry {
    /// Its size in the file, without what pads it.
    pub(crate) fn bytes(&self) -> usize {
        let (together, unit) = self.element.block().expect("all types that are written have a known size");
        self.shape.iter().product::<usize>() / together * unit
    }
}

/// Zeros between the end of a tensor of that many bytes and the next one.
pub(crate) fn padding(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT) - bytes
}

/// Everything before the first tensor. Its length does not depend on the numbers among the values.
pub(crate) fn header(metadata: &[(&str, Value)], tensors: &[Entry]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(3u32.to_le_bytes());
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        text(&mut bytes, key);
        append(&mut bytes, value);
    }
    let mut offset = 0;
    for tensor in tensors {
        text(&mut bytes, &tensor.name);
        bytes.extend((tensor.shape.len() as u32).to_le_bytes());
        for &size in tensor.shape.iter().rev() {
            bytes.extend((size as u64).to_le_bytes());
        }
        let number = ELEMENTS.into_iter().find(|(_, known)| *known == tensor.element).map(|(number, _)| number);
        bytes.extend(number.expect("one of the types that are written").to_le_bytes());
        bytes.extend((offset as u64).to_le_bytes());
        offset += tensor.bytes() + padding(tensor.bytes());
    }
    bytes.resize(bytes.len() + padding(bytes.len()), 0);
    bytes
}

fn append(bytes: &mut Vec<u8>, value: &Value) {
    let mut plain = |kind: u32, value: &[u8]| {
        bytes.extend(kind.to_le_bytes());
        bytes.extend(value);
    };
    match value {
        Value::U32(value) => plain(kind::U32, &value.to_le_bytes()),
        Value::F32(value) => plain(kind::F32, &value.to_le_bytes()),
        Value::F64(value) => plain(kind::F64, &value.to_le_bytes()),
        Value::Bool(value) => plain(kind::BOOL, &[u8::from(*value)]),
        Value::Text(value) => {
            plain(kind::TEXT, &[]);
            text(bytes, value);
        }
        Value::F32s(values) => {
            plain(kind::ARRAY, &kind::F32.to_le_bytes());
            bytes.extend((values.len() as u64).to_le_bytes());
            bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
    }
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}
