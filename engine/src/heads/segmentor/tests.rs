//! Every stage against the reference, run by `tests/golden/make_segmentor.py`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::Cancel;
use crate::backend::{DeviceChoice, Dtype};
use crate::encoder::{Encoder, ModelSource};

type Tensors = HashMap<String, Tensor>;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/segmentor").join(name)
}

fn expected() -> Tensors {
    candle_core::safetensors::load(golden("stages.safetensors"), &Device::Cpu).expect("the golden file")
}

fn segmentor() -> Segmentor {
    let weights = HeadWeights::open(&golden("head.pth")).expect("a checkpoint");
    Segmentor::load(weights, Preset::default(), &Device::Cpu).expect("a segmentor")
}

/// ‖got − expected‖ / ‖expected‖
fn relative_error(got: &Tensor, expected: &Tensor) -> f64 {
    let norm = |x: &Tensor| x.sqr()?.sum_all()?.to_scalar::<f32>().map(f64::from);
    let difference = (got - expected).and_then(|difference| norm(&difference)).expect("the same shape");
    (difference / norm(expected).expect("numbers")).sqrt()
}

/// All stages under the names of the golden file.
fn stages(segmentor: &Segmentor, tensors: &Tensors) -> crate::Result<Tensors> {
    let source = ModelSource::Path(golden("backbone.pth"));
    let mut backbone = Encoder::load(&source, &DeviceChoice::Cpu, Some(Dtype::F32))?;
    let (_, height, width) = tensors["pixels"].dims3()?;
    let pixels = Pixels { width, height, data: tensors["pixels"].flatten_all()?.to_vec1()? };
    let layers = published_layers(backbone.config());
    let cancel = Cancel::default();
    let run = Run::from(&cancel);
    let encoded = backbone.forward(&pixels, &layers, run)?;
    let (picture, layers) = segmentor.inputs(&pixels, &encoded)?;

    let mut got = Tensors::new();
    for (index, map) in segmentor.adapter.prior(&picture)?.into_iter().enumerate() {
        let tensor = if index == 0 { map.squeeze(0)? } else { crate::heads::layers::tokens_from_map(&map)? };
        got.insert(format!("prior.{index}"), tensor);
    }
    let maps = segmentor.adapter.forward(&picture, &layers, &run)?;
    for (map, name) in maps.iter().zip(1..) {
        got.insert(format!("adapter.{name}"), map.squeeze(0)?);
    }
    let features = segmentor.pixel_decoder.forward(&maps, &run)?;
    got.insert("pixel.masks".to_owned(), features.masks.squeeze(0)?);
    for (index, level) in features.levels.iter().enumerate() {
        got.insert(format!("pixel.{index}"), level.squeeze(0)?);
    }
    let mut layer = 0;
    segmentor.decoder.forward(&features, &run, &mut |prediction| {
        got.insert(format!("decoder.{layer}.classes"), prediction.classes.clone());
        got.insert(format!("decoder.{layer}.masks"), prediction.masks.clone());
        layer += 1;
    })?;
    Ok(got)
}

#[test]
fn every_stage_is_the_references() {
    let expected = expected();
    let got = stages(&segmentor(), &expected).expect("it runs");
    let is_stage =
        |name: &&String| ["prior.", "adapter.", "pixel.", "decoder."].iter().any(|stage| name.starts_with(stage));
    let names: Vec<&String> = expected.keys().filter(is_stage).collect();
    assert_eq!((got.len(), names.len()), (22, 22));
    let mut wrong = Vec::new();
    for name in names {
        assert_eq!(got[name].dims(), expected[name].dims(), "{name}");
        let error = relative_error(&got[name], &expected[name]);
        if error.is_nan() || error > 1e-4 {
            wrong.push(format!("{name}: {error:.2e}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn sizes_are_read_from_the_tensors() {
    let config = segmentor().config().clone();
    assert_eq!(config.adapter.extra_extractors, [0, 0, 0, 2]);
    assert_eq!((config.adapter.dim, config.adapter.prior_channels, config.adapter.ffn), (32, 8, 8));
    assert_eq!((config.adapter.deformable.heads, config.adapter.deformable.inner), (4, 16));
    assert_eq!((config.pixel_decoder.hidden, config.pixel_decoder.layers, config.pixel_decoder.ffn), (64, 2, 96));
    assert_eq!((config.pixel_decoder.deformable.heads, config.pixel_decoder.deformable.levels), (4, 3));
    assert_eq!((config.decoder.queries, config.decoder.classes, config.decoder.layers), (9, 150, 4));
}

#[test]
fn layers_are_those_of_a_backbone_as_deep() {
    let layers = |name: &str| published_layers(&crate::model::zoo::find(name).expect("a model").config());
    assert_eq!(layers("vit7b16"), [9, 19, 29, 39]);
    assert_eq!(layers("vitl16"), [4, 11, 17, 23]);
    assert_eq!(layers("vitb16"), [2, 5, 8, 11]);
}

#[test]
fn heads_that_tensors_contradict_are_refused() {
    let load = |preset| {
        let weights = HeadWeights::open(&golden("head.pth")).expect("a checkpoint");
        Segmentor::load(weights, preset, &Device::Cpu).map(drop).expect_err("it does not fit").to_string()
    };
    assert!(load(Preset { points: 5, ..Preset::default() }).contains("do not divide into heads of 5"));
    assert!(load(Preset { heads: 3, ..Preset::default() }).contains("3 heads"));
}

/// What loading says where tensors with that in their name are missing.
fn without(part: &str) -> String {
    let whole = HeadWeights::open(&golden("head.pth")).expect("a checkpoint");
    let names: Vec<&str> = whole.names().filter(|name| !name.contains(part) && !name.ends_with("tracked")).collect();
    let tensors = whole.build(&Device::Cpu, |vb| {
        names
            .iter()
            .map(|name| Ok(((*name).to_owned(), vb.get_unchecked(name)?)))
            .collect::<candle_core::Result<Tensors>>()
    });
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("half.safetensors");
    candle_core::safetensors::save(&tensors.expect("they are there"), &path).expect("it is written");
    let half = HeadWeights::open(&path).expect("a checkpoint");
    Segmentor::load(half, Preset::default(), &Device::Cpu).map(drop).expect_err("it is not whole").to_string()
}

#[test]
fn differences_from_other_weights_are_no_head() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pytorch_model.safetensors");
    let one = Tensor::zeros((1, 1), candle_core::DType::F32, &Device::Cpu).expect("a tensor");
    let tensors = Tensors::from([("network.encoder.backbone.norm.weight".to_owned(), one)]);
    candle_core::safetensors::save(&tensors, &path).expect("it is written");
    let weights = HeadWeights::open(&path).expect("a checkpoint");
    let message = Segmentor::load(weights, Preset::default(), &Device::Cpu).map(drop).expect_err("no head").to_string();
    assert!(message.contains("differences from DINOv3's weights"), "{message}");
}

#[test]
fn a_missing_half_is_named() {
    for (part, named) in [
        ("segmentation_model.0", "segmentation_model.0.level_embed"),
        ("pixel_decoder", "segmentation_model.1.pixel_decoder.mask_feature.weight"),
        ("predictor", "segmentation_model.1.predictor.query_feat.weight"),
        ("norm2.running_mean", "segmentation_model.0.norm2.running_mean"),
        ("interactions.2", "reads 2 layers of a backbone, expected 4"),
    ] {
        let message = without(part);
        assert!(message.contains(named) && message.contains("half.safetensors"), "{part}: {message}");
    }
}
