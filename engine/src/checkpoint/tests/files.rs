//! Small checkpoint files, made in memory.

use std::io::Write;

use ::safetensors::Dtype;
use ::safetensors::tensor::TensorView;

use crate::checkpoint::Weights;
use crate::model::{ConvNextConfig, Ffn, ModelConfig, VitConfig};

/// A tensor of f32 to be written.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) numbers: Vec<f32>,
}

impl Plain {
    pub(super) fn new(name: &str, shape: &[usize]) -> Self {
        let numbers = (0..shape.iter().product::<usize>()).map(|i| i as f32).collect();
        Self { name: name.to_owned(), shape: shape.to_vec(), numbers }
    }

    fn bytes(&self) -> Vec<u8> {
        self.numbers.iter().flat_map(|v| v.to_le_bytes()).collect()
    }
}

pub(super) fn tiny_vit() -> ModelConfig {
    ModelConfig::Vit(VitConfig {
        dim: 8,
        depth: 2,
        heads: 2,
        ffn: Ffn::Mlp { hidden: 12 },
        registers: 3,
        patch: 2,
        qkv_bias: true,
        untied_cls_norm: false,
        layer_scale: true,
        norm_eps: 1e-5,
    })
}

pub(super) fn tiny_swiglu() -> ModelConfig {
    match tiny_vit() {
        ModelConfig::Vit(vit) => ModelConfig::Vit(VitConfig { ffn: Ffn::SwiGlu { hidden: 16 }, ..vit }),
        other => other,
    }
}

pub(super) fn tiny_convnext() -> ModelConfig {
    ModelConfig::ConvNext(ConvNextConfig { depths: [1, 2, 1, 1], dims: [4, 6, 8, 10], norm_eps: 1e-6 })
}

/// All of a model's tensors under Meta's names, RoPE periods too.
pub(super) fn tensors(weights: &Weights) -> Vec<Plain> {
    let mut all = weights.config().tensors();
    if let ModelConfig::Vit(vit) = weights.config() {
        all.push(("rope_embed.periods".to_owned(), vec![vit.head_dim() / 4]));
    }
    let plain = |(name, shape): (String, Vec<usize>)| {
        let numbers = weights.load(&name, &shape).unwrap();
        Plain { name, shape, numbers }
    };
    all.into_iter().map(plain).collect()
}

pub(super) fn safetensors(tensors: &[Plain]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(Plain::bytes).collect();
    let views = tensors.iter().zip(&bytes).map(|(tensor, bytes)| {
        (tensor.name.clone(), TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).unwrap())
    });
    ::safetensors::serialize(views, None).unwrap()
}

/// As `torch.save({name: tensor})` writes it.
pub(super) fn torch(tensors: &[Plain]) -> Vec<u8> {
    let mut pickle = b"\x80\x02}q\x00(".to_vec();
    for (key, tensor) in tensors.iter().enumerate() {
        text(&mut pickle, &tensor.name);
        let strides: Vec<usize> =
            (0..tensor.shape.len()).map(|axis| tensor.shape[axis + 1..].iter().product()).collect();
        rebuild_tensor(&mut pickle, key, tensor.numbers.len(), &tensor.shape, &strides);
    }
    pickle.extend(b"u.");
    let storages: Vec<Vec<u8>> = tensors.iter().map(Plain::bytes).collect();
    torch_archive(&pickle, &storages)
}

/// A zip archive of a pickle and its storages, laid out as by `torch.save`.
pub(super) fn torch_archive(pickle: &[u8], storages: &[Vec<u8>]) -> Vec<u8> {
    let options = ::zip::write::SimpleFileOptions::default()
        .compression_method(::zip::CompressionMethod::Stored)
        .with_alignment(64);
    let mut archive = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let mut file = |name: &str, content: &[u8]| {
        archive.start_file(format!("archive/{name}"), options).unwrap();
        archive.write_all(content).unwrap();
    };
    file("data.pkl", pickle);
    file("byteorder", b"little");
    for (key, storage) in storages.iter().enumerate() {
        file(&format!("data/{key}"), storage);
    }
    file("version", b"3\n");
    archive.finish().unwrap().into_inner()
}

/// `_rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`
pub(super) fn rebuild_tensor(pickle: &mut Vec<u8>, key: usize, len: usize, shape: &[usize], strides: &[usize]) {
    pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    text(pickle, "storage");
    pickle.extend(b"ctorch\nFloatStorage\n");
    text(pickle, &key.to_string());
    text(pickle, "cpu");
    integer(pickle, len);
    pickle.extend(b"tQ");
    integer(pickle, 0);
    for sizes in [shape, strides] {
        pickle.push(b'(');
        sizes.iter().for_each(|&size| integer(pickle, size));
        pickle.push(b't');
    }
    pickle.extend(b"\x89ccollections\nOrderedDict\n)RtR");
}

pub(super) fn text(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(b'X');
    pickle.extend((text.len() as u32).to_le_bytes());
    pickle.extend(text.as_bytes());
}

/// LONG1 of eight bytes.
pub(super) fn integer(pickle: &mut Vec<u8>, value: usize) {
    pickle.extend([0x8a, 8]);
    pickle.extend((value as u64).to_le_bytes());
}
