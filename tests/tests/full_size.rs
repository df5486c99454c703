//! The published architectures at full size.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::time::Instant;

use dinoscope_engine::Cancel;
use dinoscope_engine::backend::DeviceChoice;
use dinoscope_engine::encoder::{Encoder, ModelSource};
use dinoscope_engine::image::{Filter, Picture, Preprocessing, SizeRule};
use dinoscope_engine::model::zoo::{self, ZooModel};

/// Parameters of the models that the reference's `dinov3/hub/backbones.py` builds, counted by PyTorch, less those that
/// only training reads: `mask_token` and the 7B's `local_cls_norm`.
const PARAMETERS: [(&str, usize); 12] = [
    ("vits16", 21_600_768),
    ("vits16plus", 28_697_088),
    ("vitb16", 85_668_864),
    ("vitl16", 303_153_152),
    ("vith16plus", 840_632_320),
    ("vit7b16", 6_716_030_976),
    ("convnext_tiny", 27_820_128),
    ("convnext_small", 49_454_688),
    ("convnext_base", 87_566_464),
    ("convnext_large", 196_230_336),
    ("vitl16_sat", 303_153_152),
    ("vit7b16_sat", 6_716_030_976),
];

fn published() -> impl Iterator<Item = &'static ZooModel> {
    zoo::zoo().iter().filter(|model| model.name != "demo")
}

#[test]
fn parameters_are_those_of_the_reference() {
    let counted: Vec<_> = published().map(|model| (model.name, model.config().parameters())).collect();
    assert_eq!(counted, PARAMETERS);
}

/// All but the 7B, whose weights alone are 27 GB, with random weights.
#[test]
#[ignore = "takes minutes and 8 GB of memory: cargo test --release --test full_size -- --ignored --nocapture"]
fn every_architecture_runs() {
    const SIDE: usize = 224;
    let rgb = (0..SIDE * SIDE * 3).map(|i| (i * i % 251) as u8).collect();
    let picture = Picture::from_rgb(SIDE, SIDE, rgb).unwrap();
    for model in published().filter(|model| !model.name.starts_with("vit7b16")) {
        let start = Instant::now();
        let source = ModelSource::Random { name: model.name.to_owned(), seed: 0 };
        let mut encoder = Encoder::load(&source, &DeviceChoice::Cpu, None).unwrap();
        let built = start.elapsed();
        let size = SizeRule::Exact { width: SIDE, height: SIDE };
        let preprocessing = Preprocessing { size, filter: Filter::Bilinear, normalisation: encoder.normalisation() };
        let (encoded, geometry) = encoder.encode(&picture, &preprocessing, &[], &Cancel::default()).unwrap();
        println!("{}: built in {built:.1?}, run in {:.1?}", model.name, start.elapsed() - built);

        let (dim, patches) = (model.config().dim(), SIDE / model.config().stride());
        let features = encoded.output;
        assert_eq!((features.patch.rows, features.patch.cols, features.patch.dim()), (patches, patches, dim));
        assert_eq!((features.cls.len(), geometry.grid), (dim, (patches, patches)));
        let mut numbers = features.patch.data.iter().chain(&features.cls);
        assert!(numbers.all(|number| number.is_finite() && number.abs() < 100.0), "{}", model.name);
        // Different patches have different features.
        assert_ne!(features.patch.data.row(0), features.patch.data.row(patches + 1), "{}", model.name);
    }
}
