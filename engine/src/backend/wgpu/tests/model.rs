//! Whole models.

use std::cell::Cell;
use std::sync::Arc;

use super::super::buffers::Limits;
use super::super::kernels::method::Method;
use super::super::pipelines::Input;
use super::super::recording::Tools;
use super::super::{WgpuBackbone, check, tune};
use super::bench::gpu;
use crate::analysis::similarity::unit_direction;
use crate::backend::{Backbone, Dtype, Placement, Residency, Run};
use crate::checkpoint::Weights;
use crate::features::{Encoded, Patch};
use crate::gpu::{Combine, Gpu, MapQuery, MapTexture, Pace, ResidentGrid, SimilarityPipeline};
use crate::image::Pixels;
use crate::model::{ConvNextConfig, Ffn, ModelConfig, VitConfig};
use crate::{Cancel, Error};

const F32: Placement = Placement { dtype: Dtype::F32, budget: u64::MAX };

fn pixels(width: usize, height: usize) -> Pixels {
    let number = |i: usize| ((i * 7919) % 1009) as f32 / 500.0 - 1.0;
    Pixels { width, height, data: (0..3 * width * height).map(number).collect() }
}

fn vit(ffn: Ffn) -> VitConfig {
    VitConfig {
        dim: 96,
        depth: 5,
        heads: 2,
        ffn,
        registers: 4,
        patch: 16,
        qkv_bias: true,
        untied_cls_norm: true,
        layer_scale: true,
        norm_eps: 1e-5,
    }
}

fn mlp() -> Arc<Weights> {
    Arc::new(Weights::random(&ModelConfig::Vit(vit(Ffn::Mlp { hidden: 200 })), 7))
}

fn forward(backbone: &mut WgpuBackbone, pixels: &Pixels) -> Encoded {
    backbone.forward(pixels, &[3, 0, 3], &Run::from(&Cancel::default())).unwrap_or_else(|error| panic!("{error}"))
}

fn load(gpu: &Gpu, weights: &Arc<Weights>, placement: Placement) -> WgpuBackbone {
    try_load(gpu, weights, placement).unwrap_or_else(|error| panic!("{error}"))
}

fn try_load(gpu: &Gpu, weights: &Arc<Weights>, placement: Placement) -> crate::Result<WgpuBackbone> {
    WgpuBackbone::load(gpu, weights, placement, &Run::from(&Cancel::default()))
}

#[test]
fn layers_come_in_the_order_asked_for() {
    let encoded = forward(&mut load(&gpu(), &mlp(), F32), &pixels(48, 32));
    let order: Vec<usize> = encoded.layers.iter().map(|(layer, _)| *layer).collect();
    assert_eq!(order, [3, 0, 3]);
    assert_eq!(encoded.layers[0].1, encoded.layers[2].1);
    assert_ne!(encoded.layers[0].1, encoded.layers[1].1);
}

/// Memory is kept from picture to picture: what a large one left there does not show in a small one.
#[test]
fn pictures_do_not_leave_traces() {
    let (gpu, weights) = (gpu(), mlp());
    let mut used = load(&gpu, &weights, F32);
    forward(&mut used, &pixels(112, 80));
    assert_eq!(forward(&mut used, &pixels(32, 48)), forward(&mut load(&gpu, &weights, F32), &pixels(32, 48)));
}

#[test]
fn weights_that_stay_in_the_file_give_the_same() {
    let gpu = gpu();
    for ffn in [Ffn::Mlp { hidden: 200 }, Ffn::SwiGlu { hidden: 136 }] {
        let weights = Arc::new(Weights::random(&ModelConfig::Vit(vit(ffn)), 3));
        let mut resident = load(&gpu, &weights, F32);
        // Room for two blocks and a half, and for none: two take turns all the same.
        let block = 4 * (4 * 96 * 96 + 3 * 96 * 200) as u64;
        for budget in [5 * block / 2, 0] {
            let mut streaming = load(&gpu, &weights, Placement { budget, ..F32 });
            assert_eq!((resident.residency(), streaming.residency()), (Residency::Resident, Residency::Streaming));
            for size in [(48, 32), (80, 64)] {
                let pixels = pixels(size.0, size.1);
                assert_eq!(forward(&mut streaming, &pixels), forward(&mut resident, &pixels), "{ffn:?}");
            }
        }
    }
}

#[test]
fn weights_larger_than_a_binding_give_the_same() {
    let (gpu, weights) = (gpu(), mlp());
    let pixels = pixels(32, 32);
    let limits = Limits { binding: 40_000 };
    let split = WgpuBackbone::load_within(&gpu, &weights, F32, limits, &Run::from(&Cancel::default()));
    let mut split = split.expect("they can be split");
    assert_eq!(forward(&mut split, &pixels), forward(&mut load(&gpu, &weights, F32), &pixels));
    let error = split.forward(&super::model::pixels(320, 320), &[], &Run::from(&Cancel::default()));
    let error = error.expect_err("a picture cannot be split").to_string();
    assert!(error.contains("smaller --size"), "{error}");
}

#[test]
fn bf16_is_refused() {
    let placement = Placement { dtype: Dtype::Bf16, ..F32 };
    let error = try_load(&gpu(), &mlp(), placement).map(drop).expect_err("wgpu has no bf16").to_string();
    assert!(error.starts_with("device wgpu:") && error.contains("--dtype f16"), "{error}");
}

#[test]
fn widths_that_are_no_multiples_of_four_are_refused() {
    let weights = Arc::new(Weights::random(&ModelConfig::Vit(vit(Ffn::Mlp { hidden: 202 })), 1));
    let error = try_load(&gpu(), &weights, F32).map(drop).expect_err("202 is none").to_string();
    assert!(error.contains("got 202"), "{error}");
}

#[test]
fn a_request_to_stop_takes_effect_within_a_block() {
    let mut backbone = load(&gpu(), &mlp(), F32);
    let cancel = Cancel::default();
    let entered = Cell::new(0);
    let stop_at = |block: usize| {
        entered.set(block);
        if block == 2 {
            cancel.cancel();
        }
    };
    let result = backbone.forward(&pixels(64, 64), &[], &Run::watched(&cancel, &stop_at));
    assert!(matches!(result, Err(Error::Cancelled)));
    assert_eq!(entered.get(), 2, "no other block was begun");
    let fresh = forward(&mut load(&gpu(), &mlp(), F32), &pixels(32, 32));
    assert_eq!(forward(&mut backbone, &pixels(32, 32)), fresh, "the next picture is not affected");
}

/// Work in pieces of a submission each gives the same, and a request to stop takes effect between any two.
#[test]
fn blocks_come_in_pieces() {
    let (gpu, weights) = (gpu(), mlp());
    let mut backbone = load(&gpu, &weights, F32);
    let whole = forward(&mut backbone, &pixels(160, 128));
    backbone.tools.pace = Pace::fixed(200_000);
    assert_eq!(forward(&mut backbone, &pixels(160, 128)), whole);
    // One workgroup at a time, so that the first block alone takes dozens of submissions.
    backbone.tools.pace = Pace::fixed(1);
    let cancel = Cancel::default();
    let stop = |_: usize| cancel.cancel();
    let stopped = backbone.forward(&pixels(160, 128), &[], &Run::watched(&cancel, &stop));
    assert!(matches!(stopped, Err(Error::Cancelled)));
}

#[test]
fn kernels_are_compiled_once() {
    let mut backbone = load(&gpu(), &mlp(), F32);
    assert_eq!(backbone.tools.pipelines.len(), 0, "nothing is compiled before it is needed");
    forward(&mut backbone, &pixels(48, 32));
    let compiled = backbone.tools.pipelines.len();
    // Unfolding, two norms of activations and results, attention, and products with a bias, QKV, GELU and residual.
    assert_eq!(compiled, 8);
    forward(&mut backbone, &pixels(80, 64));
    assert_eq!(backbone.tools.pipelines.len(), compiled);
}

/// Neither f16 nor subgroups, as OpenGL and old devices have it.
#[test]
fn a_device_without_extras_runs_models_in_f32() {
    let bare = Gpu::with_features(wgpu::Features::empty()).expect("the adapter, without extras");
    assert_eq!(WgpuBackbone::default_dtype(&bare), Dtype::F32);
    let (cancel, f16) = (Cancel::default(), Placement { dtype: Dtype::F16, ..F32 });
    let refused = WgpuBackbone::load(&bare, &mlp(), f16, &Run::from(&cancel)).map(drop);
    let refused = refused.expect_err("it has no f16").to_string();
    assert!(refused.contains("does not compute in f16") && refused.contains("--dtype f32"), "{refused}");

    let pixels = pixels(80, 64);
    let [got, expected] = [bare, gpu()].map(|gpu| forward(&mut load(&gpu, &mlp(), F32), &pixels));
    let difference = (&got.output.patch.data - &expected.output.patch.data).mapv(f32::abs);
    assert!(difference.iter().all(|difference| *difference < 1e-4), "sums over threads are ordered otherwise");
}

fn map(gpu: &Gpu, grid: &ResidentGrid, query: &MapQuery) -> Vec<f32> {
    let mut map = MapTexture::new(gpu, grid.rows, grid.cols);
    SimilarityPipeline::new(gpu).run(gpu, grid, query, &mut map).expect("the same model");
    gpu.device.poll(wgpu::PollType::wait_indefinitely()).expect("the device works");
    map.arrived(gpu).expect("arrived").iter().copied().collect()
}

/// Features that never left the device give the maps of those that were read and uploaded.
#[test]
fn features_stay_on_the_device() {
    let gpu = gpu();
    let convnext = ConvNextConfig { depths: [1, 1, 1, 1], dims: [24, 40, 64, 68], norm_eps: 1e-6 };
    for config in [ModelConfig::Vit(vit(Ffn::Mlp { hidden: 64 })), ModelConfig::ConvNext(convnext)] {
        let mut backbone = load(&gpu, &Arc::new(Weights::random(&config, 5)), F32);
        assert!(backbone.resident(&gpu).is_none(), "no picture yet");
        let side = config.stride();
        let encoded = forward_last(&mut backbone, &pixels(11 * side, 9 * side));
        let resident = backbone.resident(&gpu).expect("the same device");
        let uploaded = ResidentGrid::upload(&gpu, &encoded.output.patch).expect("room");
        assert_eq!((resident.rows, resident.cols, resident.dim), (9, 11, config.dim()));
        for patch in [0, 37, 98] {
            let place = Patch { row: patch / 11, col: patch % 11 };
            let direction = unit_direction(&encoded.output.patch, &[place]).expect("no zero vector");
            let query = MapQuery {
                positive: vec![direction],
                negative: Vec::new(),
                combine: Combine::default(),
                excluded: Vec::new(),
            };
            let [got, expected] = [&resident, &uploaded].map(|grid| map(&gpu, grid, &query));
            assert!((got[patch] - 1.0).abs() < 1e-3, "{}", got[patch]);
            for (got, expected) in got.iter().zip(expected) {
                assert!((got - expected).abs() < 1e-3, "{got} {expected}");
            }
        }
        let other = super::bench::gpu();
        assert!(backbone.resident(&other).is_none(), "another device cannot read them");
    }
}

fn forward_last(backbone: &mut WgpuBackbone, pixels: &Pixels) -> Encoded {
    backbone.forward(pixels, &[], &Run::from(&Cancel::default())).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_fastest_method_is_kept_and_remembered() {
    let (gpu, folder) = (gpu(), tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("below").join("tiles.json");
    let (input, pixels) = (Input::F32, pixels(48, 32));
    assert_eq!(tune::remembered(&gpu, input, &file), None);
    let mut backbone = load(&gpu, &mlp(), F32);
    let before = forward(&mut backbone, &pixels);
    let run = Cancel::default();
    let trials = backbone.tune_into(&pixels, &Run::from(&run), Some(&file)).expect("it runs");
    assert!(trials.len() > 1 && trials.is_sorted_by_key(|trial| trial.time), "{trials:?}");
    assert_eq!(trials[0].name, backbone.place.method.to_string());
    assert_eq!(tune::remembered(&gpu, input, &file), Some(backbone.place.method));
    assert_eq!(tune::remembered(&gpu, Input::F16, &file), None, "another type is another choice");
    let after = forward(&mut backbone, &pixels);
    let difference = (&before.output.patch.data - &after.output.patch.data).mapv(f32::abs);
    assert!(difference.iter().all(|difference| *difference < 1e-4), "every one computes the same");

    let chosen = backbone.place.method;
    let cancel = Cancel::default();
    cancel.cancel();
    let stopped = backbone.tune_into(&pixels, &Run::from(&cancel), Some(&file));
    assert!(matches!(stopped, Err(Error::Cancelled)));
    assert_eq!(backbone.place.method, chosen, "as before the search");

    let mut tools = Tools::new(&gpu, input);
    let other = Method::candidates(&gpu).find(|method| *method != chosen).expect("several");
    let text = std::fs::read_to_string(&file).expect("text");
    let entry = serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
    let key = entry.as_object().expect("an object").keys().next().expect("one device").clone();
    let remember = |method: Method| {
        let text = serde_json::to_string(&serde_json::json!({ key.clone(): method })).expect("JSON");
        std::fs::write(&file, text).expect("written");
    };
    remember(other);
    assert_eq!(check::method(&gpu, &mut tools, Some(&file)), other, "what was searched is used");
    remember(Method::COOPERATIVE);
    let usual = Method::for_software(&gpu);
    assert_eq!(check::method(&gpu, &mut tools, Some(&file)), usual, "but not what this device does not have");

    std::fs::write(&file, "{").expect("written");
    assert_eq!(tune::remembered(&gpu, input, &file), None, "a damaged file counts for nothing");
}
