//! The engine computes what facebookresearch/dinov3, transformers and timm compute: `golden/README.md` says how their
//! answers were made.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::path::Path;

use dinoscope_engine::Cancel;
use dinoscope_engine::backend::{DeviceChoice, Dtype};
use dinoscope_engine::encoder::{Encoder, ModelSource};
use dinoscope_engine::image::{self, Filter, Preprocessing, SizeRule};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use support::{Bounds, Golden, Tensors, differences, golden_folder, read_tensors, tensors_of};

/// Software Vulkan where there is no GPU; a machine with neither fails.
const WGPU: DeviceChoice = DeviceChoice::Wgpu(None);

fn encode(checkpoint: &Path, device: &DeviceChoice, dtype: Dtype, golden: &Golden) -> Tensors {
    let source = ModelSource::Path(checkpoint.to_path_buf());
    let mut encoder = Encoder::load(&source, device, Some(dtype)).unwrap_or_else(|e| panic!("{e}"));
    let encoded = encoder.forward(&golden.pixels, &golden.layers(), &Cancel::default());
    check_device(&mut encoder, device, dtype);
    tensors_of(&encoded.unwrap_or_else(|e| panic!("{}: {e}", checkpoint.display())))
}

/// That the model ran where it should: one whose graphics device fails goes on elsewhere.
fn check_device(encoder: &mut Encoder, device: &DeviceChoice, dtype: Dtype) {
    assert_eq!(encoder.take_moved(), None);
    let provenance = encoder.provenance();
    let kind = if *device == DeviceChoice::Cpu { "cpu" } else { "wgpu:" };
    assert!(provenance.device.starts_with(kind), "it ran on {}", provenance.device);
    assert_eq!(provenance.dtype, dtype.name());
}

/// `checkpoint`: a path below `golden`, whose first part is the case.
fn check(checkpoint: &str, device: &DeviceChoice, dtype: Dtype) {
    let (case, _) = checkpoint.split_once('/').expect("a case is a folder");
    let golden = Golden::read(case);
    let got = encode(&golden_folder().join(checkpoint), device, dtype, &golden);
    let bounds = if dtype == Dtype::F32 { Bounds::F32 } else { Bounds::HALF };
    let differences = differences(&got, &golden.outputs, bounds);
    assert!(differences.is_empty(), "{case} in {dtype:?} on {device:?}:\n{differences}");
}

macro_rules! golden_cases {
    ($($case:ident: $checkpoint:literal,)*) => {
        mod f32 {
            $(#[test] fn $case() { super::check($checkpoint, &super::DeviceChoice::Cpu, super::Dtype::F32); })*
        }
        mod f16 {
            $(#[test] fn $case() { super::check($checkpoint, &super::DeviceChoice::Cpu, super::Dtype::F16); })*
        }
        mod bf16 {
            $(#[test] fn $case() { super::check($checkpoint, &super::DeviceChoice::Cpu, super::Dtype::Bf16); })*
        }
        mod wgpu_f32 {
            $(#[test] fn $case() { super::check($checkpoint, &super::WGPU, super::Dtype::F32); })*
        }
        mod wgpu_f16 {
            $(#[test] fn $case() { super::check($checkpoint, &super::WGPU, super::Dtype::F16); })*
        }
        const CHECKPOINTS: &[&str] = &[$($checkpoint),*];
    };
}

golden_cases! {
    meta_vit_mlp: "meta-vit-mlp/backbone.pth",
    meta_vit_swiglu: "meta-vit-swiglu/backbone.pth",
    meta_vit_7b: "meta-vit-7b/backbone.pth",
    meta_vit_untied_norms: "meta-vit-untied-norms/backbone.pth",
    meta_vit_f16: "meta-vit-f16/backbone.pth",
    meta_vit_bf16: "meta-vit-bf16/backbone.pth",
    meta_vit_teacher: "meta-vit-teacher/teacher_checkpoint.pth",
    meta_convnext: "meta-convnext/backbone.pth",
    transformers_vit_mlp: "transformers-vit-mlp/model",
    transformers_vit_swiglu: "transformers-vit-swiglu/model",
    transformers_vit_7b_sharded: "transformers-vit-7b-sharded/model",
    transformers_convnext: "transformers-convnext/model",
    timm_vit_mlp: "timm-vit-mlp/model",
    timm_vit_mlp_qkvb: "timm-vit-mlp-qkvb/model",
    timm_vit_swiglu: "timm-vit-swiglu/model",
    timm_vit_swiglu_qkvb: "timm-vit-swiglu-qkvb/model",
    timm_convnext: "timm-convnext/model",
}

#[test]
fn every_golden_case_is_tested() {
    let entries = std::fs::read_dir(golden_folder()).unwrap().map(|entry| entry.unwrap().path());
    for case in entries.filter(|path| path.join("expected.safetensors").exists()) {
        let name = case.file_name().unwrap().to_str().unwrap();
        // Others are tested by files of their own.
        let is_backbone = ["meta-", "transformers-", "timm-"].iter().any(|layout| name.starts_with(layout));
        assert!(
            !is_backbone || CHECKPOINTS.iter().any(|c| c.starts_with(&format!("{name}/"))),
            "{name} is not in the list"
        );
    }
}

/// The same tensors where `changed` is shifted by one element.
fn save_with_one_tensor_shifted(bytes: &[u8], changed: &str, path: &Path) {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let element = file.tensor(changed).unwrap().dtype().bitsize() / 8;
    let mut shifted = file.tensor(changed).unwrap().data().to_vec();
    shifted.rotate_right(element);
    let tensors = file.iter().map(|(name, view)| {
        let data = if name == changed { &shifted[..] } else { view.data() };
        (name.to_owned(), TensorView::new(view.dtype(), view.shape().to_vec(), data).unwrap())
    });
    safetensors::serialize_to_file(tensors.collect::<Vec<_>>(), None, path).unwrap();
}

/// Proves that the comparison can fail, and that the engine reads every tensor in its place.
fn check_that_every_tensor_matters(case: &str) {
    let golden = Golden::read(case);
    let model = golden_folder().join(case).join("model");
    let bytes = std::fs::read(model.join("model.safetensors")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(model.join("config.json"), folder.path().join("config.json")).unwrap();
    for name in SafeTensors::deserialize(&bytes).unwrap().names() {
        save_with_one_tensor_shifted(&bytes, name, &folder.path().join("model.safetensors"));
        let got = encode(folder.path(), &DeviceChoice::Cpu, Dtype::F32, &golden);
        let same = differences(&got, &golden.outputs, Bounds::F32).is_empty();
        let unused = name.ends_with("mask_token");
        assert_eq!(same, unused, "{case}: {name} shifted");
    }
}

#[test]
fn every_tensor_of_a_transformers_vit_matters() {
    check_that_every_tensor_matters("transformers-vit-swiglu");
}

#[test]
fn every_tensor_of_a_timm_vit_matters() {
    check_that_every_tensor_matters("timm-vit-mlp-qkvb");
}

#[test]
fn every_tensor_of_a_transformers_convnext_matters() {
    check_that_every_tensor_matters("transformers-convnext");
}

/// From the picture's file to the features, with the embedded model.
fn check_demo(size: SizeRule, expected: &str) {
    let mut demo = Encoder::load(&ModelSource::Named("demo".into()), &DeviceChoice::Cpu, Some(Dtype::F32)).unwrap();
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/astronaut.png");
    let picture = image::read(&picture).unwrap_or_else(|e| panic!("{e}"));
    let preprocessing = Preprocessing { size, filter: Filter::Bilinear, normalisation: demo.normalisation() };
    let (encoded, _) = demo.encode(&picture, &preprocessing, &[], &Cancel::default()).unwrap();
    let differences = differences(&tensors_of(&encoded), &read_tensors(&golden_folder().join(expected)), Bounds::F32);
    assert!(differences.is_empty(), "{expected}:\n{differences}");
}

#[test]
fn demo_on_a_picture_as_it_is() {
    check_demo(SizeRule::Native, "demo-astronaut-512.safetensors");
}

#[test]
fn demo_on_a_picture_that_is_resized() {
    check_demo(SizeRule::Exact { width: 320, height: 224 }, "demo-astronaut-320x224.safetensors");
}

#[test]
fn candle_on_the_processor_and_wgpu_agree() {
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/astronaut.png");
    let picture = image::read(&picture).unwrap_or_else(|e| panic!("{e}"));
    let encode = |device: &DeviceChoice, dtype| {
        let mut demo = Encoder::load(&ModelSource::Named("demo".into()), device, Some(dtype)).unwrap();
        let size = SizeRule::Exact { width: 240, height: 176 };
        let preprocessing = Preprocessing { size, filter: Filter::Bilinear, normalisation: demo.normalisation() };
        let encoded = demo.encode(&picture, &preprocessing, &[0, 3], &Cancel::default()).unwrap().0;
        check_device(&mut demo, device, dtype);
        tensors_of(&encoded)
    };
    let expected = encode(&DeviceChoice::Cpu, Dtype::F32);
    for (dtype, bounds) in [(Dtype::F32, Bounds::F32), (Dtype::F16, Bounds::HALF)] {
        let differences = differences(&encode(&WGPU, dtype), &expected, bounds);
        assert!(differences.is_empty(), "{dtype:?}:\n{differences}");
    }
}

#[test]
fn a_wrong_result_is_reported() {
    let golden = Golden::read("meta-vit-mlp");
    let report = |change: &dyn Fn(&mut Tensors)| {
        let mut got = golden.outputs.clone();
        change(&mut got);
        differences(&got, &golden.outputs, Bounds::F32)
    };
    assert_eq!(report(&|_| ()), "");
    assert_eq!(report(&|got| got.get_mut("cls").unwrap().data.iter_mut().for_each(|v| *v *= 1.00005)), "");
    let off = report(&|got| got.get_mut("cls").unwrap().data.iter_mut().for_each(|v| *v *= 1.0002));
    assert_eq!(off, "cls: relative error 2.00e-4, at most 1e-4 is allowed\n");
    let nan = report(&|got| got.get_mut("registers").unwrap().data[0] = f32::NAN);
    assert!(nan.starts_with("registers: relative error NaN"), "{nan}");
    let dim = golden.outputs["patch"].shape[2];
    let swapped = report(&|got| got.get_mut("patch").unwrap().data[dim..2 * dim].rotate_left(1));
    assert!(swapped.contains("patch: 1 patches point elsewhere, the first (0, 1)"), "{swapped}");
    assert_eq!(report(&|got| drop(got.remove("layer_1.patch"))), "layer_1.patch: missing\n");
    let turned = report(&|got| got.get_mut("patch").unwrap().shape.swap(0, 1));
    assert_eq!(turned, "patch: shape [2, 5, 128], expected [5, 2, 128]\n");
}
