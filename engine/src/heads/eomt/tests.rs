//! Logits of a square against transformers, run by `tests/golden/make_eomt.py`.

use candle_core::{Device, Tensor};

use super::*;
use crate::backend::DeviceChoice;

fn golden(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/eomt").join(case)
}

fn load(case: &str) -> Eomt {
    let device = OpenDevice::open(&DeviceChoice::Cpu, None, None).expect("the processor");
    Eomt::load(&golden(case).join("model"), &device, None, &Cancel::default()).expect("an EoMT")
}

fn check(case: &str) {
    let expected =
        candle_core::safetensors::load(golden(case).join("stages.safetensors"), &Device::Cpu).expect("a file");
    let eomt = load(case);
    let side = eomt.config().side;
    let first = expected["windows"].get(0).and_then(|window| window.flatten_all()?.to_vec1()).expect("a window");
    let square = Pixels { width: side, height: side, data: first };
    let Prediction { classes, masks } = eomt.network.forward(&square, &Run::from(&Cancel::default())).expect("it runs");
    for (name, got) in [("classes", classes), ("masks", masks)] {
        let norm = |x: &Tensor| x.sqr()?.sum_all()?.to_scalar::<f32>();
        let difference = (&got - &expected[name]).and_then(|difference| norm(&difference)).expect("the same shape");
        let error = (difference / norm(&expected[name]).expect("numbers")).sqrt();
        assert!(error <= 1e-4, "{case} {name}: {error:.2e}");
    }
}

#[test]
fn queries_say_what_they_say_in_transformers() {
    check("semantic");
}

#[test]
fn masks_steer_attention_where_a_checkpoint_asks_for_it() {
    check("panoptic");
}

#[test]
fn settings_are_read_from_the_files() {
    let (semantic, panoptic) = (load("semantic"), load("panoptic"));
    assert_eq!((semantic.config().fit, panoptic.config().fit), (Fit::Split, Fit::Pad));
    let EomtConfig { side, queries, joint_blocks, upscaling, names, .. } = semantic.config();
    assert_eq!((*side, *queries, *joint_blocks, *upscaling), (64, 7, 2, 2));
    assert_eq!((names.len(), names[3].as_str()), (12, "thing 3"));
}

#[test]
fn sizes_are_transformers() {
    assert_eq!(resized((75, 42), 64, None), (114, 64));
    assert_eq!(resized((640, 480), 512, None), (682, 512));
    // 64 · 47 / 70 · 70 / 47 is a little less than 64 in f64.
    assert_eq!(resized((47, 70), 64, Some(64)), (43, 63));
    assert_eq!(resized((640, 480), 640, Some(640)), (640, 480));
    assert_eq!(resized((300, 300), 640, Some(640)), (640, 640));
    assert_eq!((starts(64, 64), starts(114, 64), starts(200, 64)), (vec![0], vec![0, 50], vec![0, 45, 90, 136]));
}
