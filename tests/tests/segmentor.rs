//! The published segmentor from a picture to scores, against the reference, run by `tests/golden/make_segmentor.py`.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[expect(dead_code, reason = "other tests use more of it")]
mod support;

use std::path::PathBuf;

use dinoscope_engine::backend::{DeviceChoice, Dtype, OpenDevice};
use dinoscope_engine::classes::Scores;
use dinoscope_engine::encoder::{Encoder, ModelSource};
use dinoscope_engine::heads::segmentor::{Mode, Preset, Segmentor, SegmentorOptions, predict};
use dinoscope_engine::heads::{HeadWeights, head_device};
use dinoscope_engine::image::{Normalisation, Picture, SizeRule};
use dinoscope_engine::{Cancel, Error, Progress, Result};
use support::{Bounds, Tensor, Tensors, golden_folder, read_tensors, relative_error};

/// Software Vulkan where there is no GPU; a machine with neither fails.
const WGPU: DeviceChoice = DeviceChoice::Wgpu(None);

/// As `make_segmentor.py` has them.
const SLIDE: Mode = Mode::Slide { side: 64, stride: 40 };
const WHOLE: Mode = Mode::Whole { side: 96 };
const KEPT: usize = 37;

fn golden(name: &str) -> PathBuf {
    golden_folder().join("segmentor").join(name)
}

fn encoder(device: &DeviceChoice) -> Encoder {
    let source = ModelSource::Path(golden("backbone.pth"));
    Encoder::load(&source, device, Some(Dtype::F32)).unwrap_or_else(|e| panic!("{e}"))
}

fn segmentor(device: &DeviceChoice) -> Segmentor {
    let device = head_device(&OpenDevice::open(device, None, None).unwrap());
    let weights = HeadWeights::open(&golden("head.pth")).unwrap();
    Segmentor::load(weights, Preset::default(), &device).unwrap_or_else(|e| panic!("{e}"))
}

fn expected() -> (Picture, Tensors) {
    let tensors = read_tensors(&golden("stages.safetensors"));
    let rgb = &tensors["rgb"];
    let picture = Picture::from_rgb(rgb.shape[1], rgb.shape[0], rgb.data.iter().map(|v| *v as u8).collect());
    (picture.unwrap(), tensors)
}

fn options(mode: Mode) -> SegmentorOptions {
    SegmentorOptions { size: SizeRule::ShortSide(64), mode, ..SegmentorOptions::new(Normalisation::WEB) }
}

fn run(device: &DeviceChoice, picture: &Picture, options: &SegmentorOptions) -> Result<Scores> {
    let cancel = Cancel::default();
    predict(&mut encoder(device), &segmentor(device), picture, options, &cancel, &|_: Progress| ())
}

/// Of the classes that the golden file keeps.
fn kept(scores: &Scores) -> Vec<f32> {
    (0..scores.classes()).step_by(KEPT).flat_map(|class| scores.class_map(class)).collect()
}

fn check_same(what: &str, got: &[f32], expected: &Tensor) {
    assert_eq!(got.len(), expected.data.len(), "{what}");
    let error = relative_error(got, &expected.data);
    assert!(error <= Bounds::F32.relative, "{what}: relative error {error:.2e}");
}

/// Pixels whose two best classes are as good as equal have no label in the golden file.
fn check_labels(scores: &Scores, expected: &Tensor) {
    let labels = scores.labels(None);
    let wrong = labels
        .data
        .iter()
        .zip(&expected.data)
        .filter(|(got, expected)| **expected < scores.classes() as f32 && f32::from(**got) != **expected);
    assert_eq!(wrong.count(), 0);
}

fn check(device: &DeviceChoice) {
    let (picture, expected) = expected();
    let slide = run(device, &picture, &options(SLIDE)).unwrap();
    assert_eq!(slide.grid(), (64, 114));
    check_same("windows", &kept(&slide), &expected["slide.resized"]);
    let at_pixels: Vec<Vec<f32>> =
        (0..picture.width * picture.height).map(|i| slide.at_pixel(i % picture.width, i / picture.width)).collect();
    let of_class = |class: usize| at_pixels.iter().map(move |scores| scores[class]);
    let original: Vec<f32> = (0..slide.classes()).step_by(KEPT).flat_map(of_class).collect();
    check_same("windows, at the picture's size", &original, &expected["slide.scores"]);
    check_labels(&slide, &expected["slide.labels"]);

    let whole = run(device, &picture, &options(WHOLE)).unwrap();
    assert_eq!(whole.grid(), (picture.height, picture.width));
    check_same("the whole picture", &kept(&whole), &expected["whole.scores"]);
    check_labels(&whole, &expected["whole.labels"]);
}

#[test]
fn scores_are_the_references() {
    check(&DeviceChoice::Cpu);
}

#[test]
fn scores_are_the_references_behind_wgpu() {
    check(&WGPU);
}

#[test]
fn pictures_of_any_size_have_labels() {
    let picture =
        |width, height| Picture { width, height, rgb: (0..3 * width * height).map(|i| (i * 37) as u8).collect() };
    let sizes = [SizeRule::ShortSide(40), SizeRule::Exact { width: 50, height: 20 }, SizeRule::Native];
    for (width, height) in [(1, 1), (33, 130), (90, 47), (55, 12)] {
        for size in sizes {
            for mode in [SLIDE, WHOLE] {
                let picture = picture(width, height);
                let scores = run(&DeviceChoice::Cpu, &picture, &SegmentorOptions { size, ..options(mode) });
                let scores = scores.unwrap_or_else(|e| panic!("{width}x{height} {size} {mode:?}: {e}"));
                let labels = scores.labels(None);
                assert_eq!((labels.width, labels.height), (width, height));
                let is_covered = scores.to_array().iter().all(|score| score.is_finite());
                assert!(is_covered, "{width}x{height} {size} {mode:?}");
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let (picture, _) = expected();
    let failure = |options: &SegmentorOptions| run(&DeviceChoice::Cpu, &picture, options).unwrap_err().to_string();
    let layers = |layers: &[usize]| SegmentorOptions { layers: Some(layers.to_vec()), ..options(SLIDE) };
    assert!(failure(&layers(&[0, 1, 2, 4])).contains("reads layer 4, but the model has layers 0 to 3"));
    assert!(failure(&layers(&[0, 1])).contains("reads 4 layers, and 2 were named"));
    let gaps = failure(&options(Mode::Slide { side: 64, stride: 65 }));
    assert!(gaps.contains("windows of 64 pixels every 65 pixels"), "{gaps}");
    let square = failure(&options(Mode::Whole { side: 200_000 }));
    assert!(square.contains("200000x200000"), "{square}");
    let huge = failure(&SegmentorOptions { size: SizeRule::ShortSide(100_000), ..options(SLIDE) });
    assert!(huge.contains("choose another size"), "{huge}");

    let other = |backbone: &str| {
        let source = ModelSource::Path(golden_folder().join(backbone));
        let mut encoder = Encoder::load(&source, &DeviceChoice::Cpu, Some(Dtype::F32)).unwrap();
        let segmentor = segmentor(&DeviceChoice::Cpu);
        let cancel = Cancel::default();
        predict(&mut encoder, &segmentor, &picture, &options(SLIDE), &cancel, &|_| ()).unwrap_err().to_string()
    };
    assert!(other("meta-vit-mlp/backbone.pth").contains("reads 32 numbers per patch, but the model has 128"));
}

#[test]
fn it_stops_on_request_and_tells_how_far_it_is() {
    let (picture, _) = expected();
    let (cancel, told) = (Cancel::default(), std::cell::RefCell::new(Vec::new()));
    let run = |cancel: &Cancel, progress: &dyn Fn(Progress)| {
        let (mut encoder, segmentor) = (encoder(&DeviceChoice::Cpu), segmentor(&DeviceChoice::Cpu));
        predict(&mut encoder, &segmentor, &picture, &options(SLIDE), cancel, progress).map(drop)
    };
    run(&cancel, &|progress| told.borrow_mut().push((progress.done, progress.total))).unwrap();
    // Three windows, four blocks and the head each.
    assert_eq!(told.take(), (0..15).map(|done| (done, Some(15))).collect::<Vec<_>>());
    let stop = |progress: Progress| {
        told.borrow_mut().push((progress.done, progress.total));
        if progress.done == 4 {
            cancel.cancel();
        }
    };
    assert!(matches!(run(&cancel, &stop), Err(Error::Cancelled)));
    assert_eq!(told.borrow().len(), 5, "it stops in the head");
}
