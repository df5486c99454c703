//! The tensors of a `.safetensors` file (format: <https://github.com/huggingface/safetensors>).

use ::safetensors::{Dtype, SafeTensors};

use super::element::ElementType;
use super::open::Tensor;

/// A header larger than this is no backbone's.
const MAX_HEADER_BYTES: u64 = 16 << 20;

/// Lists the tensors of a whole file in memory; the reason where it is broken. Offsets that overlap, leave gaps or
/// pass the end are refused by the format's own crate.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Tensor>, String> {
    let header_bytes = bytes.first_chunk().map(|b| u64::from_le_bytes(*b)).ok_or("it is shorter than a header")?;
    if header_bytes > MAX_HEADER_BYTES {
        return Err(format!("its header claims {header_bytes} bytes, at most {MAX_HEADER_BYTES} are read"));
    }
    let (header_bytes, metadata) = SafeTensors::read_metadata(bytes)
        .map_err(|error| format!("its safetensors header is broken or the file is cut short ({error})"))?;
    let data_start = 8 + header_bytes;
    let mut tensors: Vec<Tensor> = metadata
        .tensors()
        .into_iter()
        .map(|(name, info)| {
            let (start, end) = info.data_offsets;
            Tensor {
                name,
                element: element(info.dtype),
                shape: info.shape.clone(),
                file: 0,
                bytes: data_start + start..data_start + end,
                strides: None,
            }
        })
        .collect();
    tensors.sort_by_key(|tensor| tensor.bytes.start);
    Ok(tensors)
}

fn element(dtype: Dtype) -> ElementType {
    match dtype {
        Dtype::F64 => ElementType::F64,
        Dtype::F32 => ElementType::F32,
        Dtype::F16 => ElementType::F16,
        Dtype::BF16 => ElementType::Bf16,
        Dtype::I64 => ElementType::I64,
        Dtype::I32 => ElementType::I32,
        Dtype::I16 => ElementType::I16,
        Dtype::I8 => ElementType::I8,
        Dtype::U8 => ElementType::U8,
        Dtype::BOOL => ElementType::Bool,
        _ => ElementType::Other,
    }
}
