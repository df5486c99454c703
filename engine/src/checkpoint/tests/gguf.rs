//! GGUF files: what the writer writes, the reader and candle read; what is broken is refused.

use std::io::Cursor;

use candle_core::quantized::gguf_file::{self, Content};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use super::files;
use crate::checkpoint::gguf::{Entry, Facts, Value, header, padding};
use crate::checkpoint::open::list;
use crate::checkpoint::{Accuracy, ElementType, Layout, Quantisation, Weights};
use crate::image::Normalisation;
use crate::model::{ModelConfig, VitConfig};

/// A file of these tensors, all zeros.
fn zeros(metadata: &[(&str, Value)], tensors: &[(&str, &[usize], ElementType)]) -> Vec<u8> {
    let entry = |&(name, shape, element): &(&str, &[usize], ElementType)| Entry {
        name: name.to_owned(),
        shape: shape.to_vec(),
        element,
    };
    let entries: Vec<Entry> = tensors.iter().map(entry).collect();
    let data: usize = entries.iter().map(|entry| entry.bytes() + padding(entry.bytes())).sum();
    let mut file = header(metadata, &entries);
    file.resize(file.len() + data, 0);
    file
}

pub(super) fn small() -> Vec<u8> {
    zeros(
        &[("general.name", Value::Text("small".to_owned())), ("a", Value::F32s(vec![1.0; 3])), ("b", Value::U32(7))],
        &[("a.weight", &[2, 32], ElementType::Q8_0), ("b", &[3], ElementType::F32)],
    )
}

/// A backbone whose vectors are f32 and whose matrices are f16.
pub(super) fn backbone(weights: &Weights, facts: &Facts) -> Vec<u8> {
    let tensors = files::tensors(weights);
    let element = |shape: &[usize]| if shape.len() == 2 { ElementType::F16 } else { ElementType::F32 };
    let entry = |tensor: &files::Plain| Entry {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        element: element(&tensor.shape),
    };
    let mut file = header(&facts.metadata(), &tensors.iter().map(entry).collect::<Vec<_>>());
    for tensor in &tensors {
        for number in &tensor.numbers {
            match element(&tensor.shape) {
                ElementType::F16 => file.extend(half::f16::from_f32(*number).to_le_bytes()),
                _ => file.extend(number.to_le_bytes()),
            }
        }
        file.resize(file.len() + padding(entry(tensor).bytes()), 0);
    }
    file
}

pub(super) fn facts() -> Facts {
    let accuracy = Accuracy { relative_error: 0.25, patch_cosine: 0.75, least_patch_cosine: 0.5 };
    let (source, source_sha256) = ("tiny".to_owned(), "random:1".to_owned());
    Facts {
        quantisation: Quantisation { bits: 8, source, source_sha256, accuracy: Some(accuracy) },
        norm_eps: 1e-6,
        key_bias: false,
        normalisation: Normalisation::SATELLITE,
    }
}

fn open(bytes: &[u8]) -> Result<Weights, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    std::fs::write(&path, bytes).unwrap();
    Weights::open(&path).map_err(|error| error.to_string())
}

#[test]
fn a_backbone_says_what_its_tensors_do_not() {
    let ModelConfig::Vit(vit) = files::tiny_swiglu() else { panic!("it is a ViT") };
    let config = ModelConfig::Vit(VitConfig { norm_eps: 1e-6, ..vit });
    let original = Weights::random(&config, 1);
    let read = open(&backbone(&original, &facts())).unwrap();
    assert_eq!((read.config(), read.layout()), (&config, Layout::Meta));
    assert_eq!(read.normalisation(), Normalisation::SATELLITE);
    assert_eq!(read.quantisation(), Some(&facts().quantisation));
    assert_eq!(read.inspect().quantisation, Some(facts().quantisation));
    for (name, shape) in config.tensors() {
        let (got, expected) = (read.load(&name, &shape).unwrap(), original.load(&name, &shape).unwrap());
        let tolerance = if shape.len() == 2 { 1e-4 } else { 0.0 };
        assert!(got.iter().zip(&expected).all(|(got, expected)| (got - expected).abs() <= tolerance), "{name}");
    }

    let unmeasured = Quantisation { accuracy: None, ..facts().quantisation };
    let unmeasured = Facts { quantisation: unmeasured, ..facts() };
    assert_eq!(header(&unmeasured.metadata(), &[]).len(), header(&facts().metadata(), &[]).len());
    assert_eq!(open(&backbone(&original, &unmeasured)).unwrap().quantisation(), Some(&unmeasured.quantisation));
}

#[test]
fn the_bias_of_k_counts_where_the_file_says_so() {
    let weights = Weights::random(&files::tiny_vit(), 1);
    let mut file = backbone(&weights, &Facts { key_bias: true, ..facts() });
    let bias = |file: &[u8]| open(file).unwrap().load("blocks.0.attn.qkv.bias", &[24]).unwrap()[8..16].to_vec();
    let tensors = list(&file).unwrap();
    let place = tensors.iter().find(|tensor| tensor.name == "blocks.0.attn.qkv.bias").unwrap().bytes.clone();
    file[place.start + 4 * 8..][..4].copy_from_slice(&2.5f32.to_le_bytes());
    assert_eq!(bias(&file)[..2], [2.5, 0.0]);
    let header = header(&Facts { key_bias: false, ..facts() }.metadata(), &[]).len();
    assert!(header < file.len());
    let mut masked = backbone(&weights, &facts());
    masked[place.start + 4 * 8..][..4].copy_from_slice(&2.5f32.to_le_bytes());
    assert_eq!(bias(&masked), [0.0; 8]);
}

#[test]
fn candle_reads_what_is_written() {
    let content = Content::read(&mut Cursor::new(small())).unwrap();
    assert_eq!(content.metadata["general.name"].to_string().unwrap(), "small");
    assert_eq!(content.metadata["a"].to_vec().unwrap().len(), 3);
    let tensor = content.tensor(&mut Cursor::new(small()), "a.weight", &Device::Cpu).unwrap();
    assert_eq!((tensor.shape().dims(), tensor.dtype()), (&[2, 32][..], GgmlDType::Q8_0));
    assert_eq!(content.tensor_infos["b"].ggml_dtype, GgmlDType::F32);
}

#[test]
fn what_candle_writes_is_read() {
    let numbers = Tensor::rand(-1f32, 1f32, (3, 256), &Device::Cpu).unwrap();
    for (kind, element) in [
        (GgmlDType::Q8_0, ElementType::Q8_0),
        (GgmlDType::Q4_0, ElementType::Q4_0),
        (GgmlDType::Q4K, ElementType::Q4K),
        (GgmlDType::F16, ElementType::F16),
        (GgmlDType::BF16, ElementType::Bf16),
    ] {
        let tensor = QTensor::quantize(&numbers, kind).unwrap();
        let mut file = Cursor::new(Vec::new());
        gguf_file::write(&mut file, &[("x", &gguf_file::Value::I64(-1))], &[("first", &tensor), ("w", &tensor)])
            .unwrap();
        let file = file.into_inner();
        let read = list(&file).unwrap();
        assert_eq!((read[1].name.as_str(), read[1].element, read[1].shape.as_slice()), ("w", element, &[3, 256][..]));
        assert_eq!(&file[read[1].bytes.clone()], &*tensor.data().unwrap());
    }
}

#[test]
fn headers_that_claim_too_much_are_refused() {
    let reason = |file: &[u8]| list(file).unwrap_err();
    let valid = small();
    assert_eq!(list(&valid).unwrap().len(), 2);
    let find = |what: &[u8]| valid.windows(what.len()).position(|bytes| bytes == what).unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut file = valid.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        reason(&file)
    };
    assert!(with(4, &1u32.to_le_bytes()).contains("version 1"));
    for counts in [8, 16] {
        assert!(with(counts, &u64::MAX.to_le_bytes()).contains("broken or cut short"));
    }
    let name = find(b"a.weight");
    assert!(with(name - 8, &u64::MAX.to_le_bytes()).contains("broken or cut short"));
    assert!(with(name, b"\xff").contains("UTF-8"));
    assert!(with(name + 8, &5u32.to_le_bytes()).contains("5 axes"));
    assert!(with(name + 12, &33u64.to_le_bytes()).contains("no multiple of 32"));
    assert!(with(name + 12, &(1u64 << 62).to_le_bytes()).contains("past the end"));
    assert!(with(name + 20, &(1u64 << 62).to_le_bytes()).contains("claims a shape"));
    assert!(with(name + 28, &99u32.to_le_bytes()).contains("type 99"));
    assert!(with(name + 32, &u64::MAX.to_le_bytes()).contains("a shape"));
    assert!(with(name + 32, &4096u64.to_le_bytes()).contains("past the end"));
    let array = find(&[9, 0, 0, 0, 6, 0, 0, 0]);
    assert!(with(array + 8, &u64::MAX.to_le_bytes()).contains("array"));
    assert!(with(array + 4, &9u32.to_le_bytes()).contains("kind 9"), "arrays of arrays");
    for alignment in [0, 12] {
        let metadata = [("general.alignment", Value::U32(alignment))];
        assert!(reason(&zeros(&metadata, &[("b", &[3], ElementType::F32)])).contains("alignment"));
    }
    let coarse = zeros(&[("general.alignment", Value::U32(64))], &[]);
    assert!(list(&coarse).unwrap().is_empty());
    for len in 0..valid.len() {
        // Zeros after the last tensor may be missing.
        assert!(list(&valid[..len]).is_err() || len >= valid.len() - padding(12), "{len} bytes");
    }
}
