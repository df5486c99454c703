//! Every stage against `tests/golden/make_depth.py`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;

use super::*;
use crate::backend::DeviceChoice;
use crate::encoder::ModelSource;
use crate::image::Pixels;

/// Two programs in f32 that sum in another order.
const BOUND: f64 = 1e-4;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/depth")
}

fn golden() -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let bytes = fs::read(folder().join("expected.safetensors")).expect("a golden file");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let numbers = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    file.iter().map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), numbers(view.data())))).collect()
}

#[track_caller]
fn assert_close(name: &str, got: &[f32], expected: &[f32]) {
    let square = |v: f32| f64::from(v) * f64::from(v);
    let distance: f64 = got.iter().zip(expected).map(|(a, b)| square(a - b)).sum();
    let error = (distance / expected.iter().copied().map(square).sum::<f64>()).sqrt();
    assert!(got.len() == expected.len() && error <= BOUND, "{name}: {error:.1e} off");
}

#[test]
fn every_stage_is_the_references() {
    let golden = golden();
    let source = ModelSource::Path(folder().join("backbone.pth"));
    let mut encoder = Encoder::load(&source, &DeviceChoice::Cpu, None).expect("a backbone");
    let device = OpenDevice::Candle { device: Device::Cpu, name: "cpu".to_owned() };
    let cancel = Cancel::default();
    let run = Run::from(&cancel);
    for (case, preset, range) in
        [("synthmix", DepthPreset::Synthmix, (0.001, 100.0)), ("chmv2", DepthPreset::Chmv2, (0.001, 96.0))]
    {
        let expected = |stage: &str| &golden[&format!("{case}.{stage}")];
        let check = |stage: &str, got: &Tensor| {
            let (shape, numbers) = expected(stage);
            assert_eq!(got.dims()[1..], *shape, "{case}.{stage}");
            let got: Vec<f32> = got.flatten_all().and_then(|got| got.to_vec1()).expect("numbers");
            assert_close(&format!("{case}.{stage}"), &got, numbers);
        };
        let weights = HeadWeights::open(&folder().join(case).with_extension("pth")).expect("a head");
        let head = DepthHead::load(weights, encoder.config(), &DepthChoice::default(), &device, &cancel);
        let head = head.unwrap_or_else(|error| panic!("{case}: {error}"));
        let DepthSettings { preset: found, layers, least, greatest } = head.settings().clone();
        assert_eq!((found, layers.as_slice(), (least, greatest)), (preset, [0, 1, 2, 3].as_slice(), range));

        let (shape, rgb) = expected("rgb");
        let rgb = rgb.iter().map(|value| *value as u8).collect();
        let picture = Picture::from_rgb(shape[1], shape[0], rgb).expect("a picture");
        let published = DepthOptions::new(preset, encoder.normalisation());
        let size = if preset == DepthPreset::Synthmix { SizeRule::ShortSide(48) } else { SizeRule::Native };
        let options = DepthOptions { size, ..published };
        let (pixels, placement) = input::prepare(&picture, &options, 16).expect("it fits");
        let (shape, unpadded) = expected("pixels");
        let resized = Pixels { width: shape[2], height: shape[1], data: unpadded.clone() };
        assert_close(&format!("{case}.pixels"), &pixels.data, &placement.pad(resized).data);

        let encoded = encoder.forward(&pixels, &head.settings.layers, &cancel).expect("it runs");
        let layers: Vec<&Features> = encoded.layers.iter().map(|(_, features)| features).collect();
        let maps = head.network.reassemble(&layers, &run).expect("it runs");
        for (index, map) in maps.iter().enumerate() {
            check(&format!("reassembled.{index}"), map);
        }
        let fused = head.network.fuse(&maps, &run).expect("it runs");
        check("fused", &fused);
        let hidden = head.network.hidden(&fused, &run).expect("it runs");
        check("logits", &head.network.logits(&hidden).expect("it runs"));
        let metres = head.forward(&layers, &run).expect("it runs");
        assert_close(&format!("{case}.depth"), metres.as_slice().expect("row by row"), &expected("depth").1);
        let on_picture = placement.on_picture(&metres);
        assert_close(&format!("{case}.picture"), on_picture.as_slice().expect("row by row"), &expected("picture").1);
    }
}

#[test]
fn layers_follow_the_depth_of_the_backbone() {
    let published = |preset: DepthPreset, depth: usize| {
        let vit = crate::model::zoo::find("vitl16").expect("it is published").config();
        let ModelConfig::Vit(vit) = vit else { panic!("it is a transformer") };
        let backbone = ModelConfig::Vit(crate::model::VitConfig { depth, ..vit });
        DepthSettings::new(Path::new("head.pth"), preset, &DepthChoice::default(), &backbone)
            .map(|settings| settings.layers)
    };
    let layers = |preset, depth| published(preset, depth).expect("it is deep enough");
    assert_eq!(layers(DepthPreset::Synthmix, 40), [9, 19, 29, 39]);
    assert_eq!(layers(DepthPreset::Synthmix, 24), [4, 11, 17, 23]);
    assert_eq!(layers(DepthPreset::Chmv2, 24), [5, 11, 17, 23]);
    assert_eq!(layers(DepthPreset::Synthmix, 12), [2, 5, 8, 11]);
    let message = published(DepthPreset::Synthmix, 3).expect_err("too few").to_string();
    assert!(message.contains("3 blocks") && message.contains("--layers"), "{message}");
}
