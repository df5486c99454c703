//! What all heads share.

use std::collections::HashMap;
use std::path::PathBuf;

use candle_core::{Device, Tensor};
use candle_nn::Module;

use super::*;
use crate::Error;
use crate::checkpoint::CheckpointError;

fn file(folder: &tempfile::TempDir, name: &str) -> PathBuf {
    let tensor = |numbers: &[f32], shape: &[usize]| Tensor::from_slice(numbers, shape, &Device::Cpu).expect("it fits");
    let tensors = HashMap::from([
        ("model.head.layers.0.weight", tensor(&[1., 2., 3., 4.], &[2, 2])),
        ("model.head.layers.0.bias", tensor(&[10., 20.], &[2])),
        ("model.head.layers.1.weight", tensor(&[1., 0., f32::NAN, 1.], &[2, 2])),
        ("optimizer.step", tensor(&[0.], &[1])),
    ]);
    let path = folder.path().join(name);
    candle_core::safetensors::save(&tensors, &path).expect("it is written");
    path
}

#[test]
fn layers_are_made_of_a_heads_tensors_wherever_they_are_nested() {
    let folder = tempfile::tempdir().expect("a folder");
    let weights = HeadWeights::open(&file(&folder, "head.safetensors")).expect("it is a checkpoint");
    let weights = weights.below("layers.0.weight");
    assert_eq!(weights.names().count(), 3);
    assert_eq!((weights.shape("layers.0.bias"), weights.shape("optimizer.step")), (Some([2].as_slice()), None));
    assert_eq!((weights.count("layers", "weight"), weights.count("layers", "bias")), (2, 1));
    let linear = weights.build(&Device::Cpu, |vb| candle_nn::linear(2, 2, vb.pp("layers.0"))).expect("it is there");
    let x = Tensor::new(&[[1f32, 1.]], &Device::Cpu).expect("it fits");
    let y = linear.forward(&x).and_then(|y| y.to_vec2::<f32>()).expect("it runs");
    assert_eq!(y, [[13., 27.]]);
}

#[test]
fn what_a_layer_misses_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let weights = HeadWeights::open(&file(&folder, "head.safetensors")).expect("it is a checkpoint");
    let failure = |name: &str, size: usize| -> String {
        let made = weights.build(&Device::Cpu, |vb| candle_nn::linear(2, size, vb.pp("model.head.layers").pp(name)));
        match made.map(drop).expect_err("it is not what the layer needs") {
            Error::Checkpoint(error @ (CheckpointError::Missing { .. } | CheckpointError::Shape { .. })) => {
                error.to_string()
            }
            Error::Checkpoint(error @ CheckpointError::NotFinite { .. }) => error.to_string(),
            other => panic!("{other}"),
        }
    };
    assert!(failure("2", 2).contains("`model.head.layers.2.weight`"));
    assert!(failure("0", 3).contains("has shape [2, 2], expected [3, 2]"));
    assert!(failure("1", 2).contains("NaN"));
}

#[test]
fn a_missing_head_says_where_it_comes_from() {
    let head = Task::Depth.published();
    let message = HeadError::NoWeights { head, folder: PathBuf::from("cache") }.to_string();
    for part in ["depth needs", head.file, "DINOv3 License", "vit7b16", HEADS_PAGE, "--head-weights", "cache"] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}
