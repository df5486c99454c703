//! EoMT from a picture to scores, against transformers, run by `tests/golden/make_eomt.py`.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[expect(dead_code, reason = "other tests use more of it")]
mod support;

use std::path::PathBuf;

use dinoscope_engine::Cancel;
use dinoscope_engine::backend::{DeviceChoice, OpenDevice};
use dinoscope_engine::encoder::{Encoder, ModelSource};
use dinoscope_engine::heads::eomt::Eomt;
use dinoscope_engine::image::Picture;
use support::{Bounds, golden_folder, read_tensors, relative_error};

fn model(case: &str) -> PathBuf {
    golden_folder().join("eomt").join(case).join("model")
}

fn load(case: &str, device: &DeviceChoice) -> Eomt {
    let device = OpenDevice::open(device, None, None).unwrap();
    Eomt::load(&model(case), &device, None, &Cancel::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// At every pixel of the original picture, and the classes of those whose two best are not as good as equal.
fn check(case: &str, device: &DeviceChoice) {
    let expected = read_tensors(&golden_folder().join("eomt").join(case).join("stages.safetensors"));
    let rgb = &expected["rgb"];
    let rgb = Picture::from_rgb(rgb.shape[1], rgb.shape[0], rgb.data.iter().map(|v| *v as u8).collect()).unwrap();
    let scores = load(case, device).predict(&rgb, &Cancel::default(), &|_| ()).unwrap();
    let pixels = (0..rgb.width * rgb.height).map(|i| scores.at_pixel(i % rgb.width, i / rgb.width));
    let by_pixel: Vec<Vec<f32>> = pixels.collect();
    let got: Vec<f32> =
        (0..scores.classes()).flat_map(|class| by_pixel.iter().map(move |scores| scores[class])).collect();
    let error = relative_error(&got, &expected["scores"].data);
    assert!(error <= Bounds::F32.relative, "{case}: relative error {error:.2e}");
    let labels = scores.labels(None);
    let told = labels.data.iter().zip(&expected["labels"].data).filter(|(_, label)| **label < scores.classes() as f32);
    assert_eq!(told.filter(|(got, expected)| f32::from(**got) != **expected).count(), 0, "{case}");
}

#[test]
fn squares_that_overlap_are_transformers() {
    check("semantic", &DeviceChoice::Cpu);
}

#[test]
fn squares_with_black_around_are_transformers() {
    check("panoptic", &DeviceChoice::Cpu);
}

/// It goes on the processor.
#[test]
fn graphics_devices_of_wgpu_are_left_alone() {
    check("semantic", &DeviceChoice::Wgpu(None));
    assert_eq!(load("semantic", &DeviceChoice::Wgpu(None)).provenance().device, "cpu");
}

#[test]
fn pictures_of_any_size_have_labels() {
    for case in ["semantic", "panoptic"] {
        let eomt = load(case, &DeviceChoice::Cpu);
        for (width, height) in [(1, 1), (64, 64), (33, 130), (90, 47), (500, 9)] {
            let rgb = (0..3 * width * height).map(|i| (i * 37) as u8).collect();
            let scores = eomt.predict(&Picture { width, height, rgb }, &Cancel::default(), &|_| ()).unwrap();
            let labels = scores.labels(None);
            assert_eq!((labels.width, labels.height), (width, height), "{case}");
        }
    }
}

/// A checkpoint of EoMT is a backbone, too.
#[test]
fn its_backbone_is_read_alone() {
    let source = ModelSource::Path(model("semantic"));
    let encoder = Encoder::load(&source, &DeviceChoice::Cpu, None).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((encoder.config().dim(), encoder.config().depth()), (32, 4));
}
