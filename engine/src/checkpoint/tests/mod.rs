//! Tests of the readers on files written here, of every layout, whole and broken.

mod files;
mod fuzz;
mod gguf;
mod hostile;
mod layouts;

use super::*;
use crate::Cancel;
use crate::model::ModelConfig;

#[test]
fn the_demo_model_is_whole() {
    let demo = Weights::demo().unwrap();
    assert_eq!(demo.layout(), Layout::Meta);
    assert_eq!(demo.config(), &crate::model::zoo::find("demo").unwrap().config());
    for (name, shape) in demo.config().tensors() {
        assert!(demo.has(&name));
        assert_eq!(demo.load(&name, &shape).unwrap().len(), shape.iter().product::<usize>());
    }
    assert_eq!(demo.sha256(&Cancel::default()).unwrap().len(), 64);
    assert_eq!(demo.normalisation(), crate::image::Normalisation::WEB);
}

#[test]
fn the_k_bias_of_metas_files_is_zero_and_its_neighbours_are_not() {
    let demo = Weights::demo().unwrap();
    let bias = demo.load("blocks.3.attn.qkv.bias", &[576]).unwrap();
    assert!(bias[192..384].iter().all(|b| *b == 0.0));
    assert!(bias[..192].iter().any(|b| *b != 0.0) && bias[384..].iter().any(|b| *b != 0.0));
}

#[test]
fn random_weights_are_the_same_for_a_seed_and_differ_between_seeds_and_tensors() {
    let config = files::tiny_vit();
    let weights = Weights::random(&config, 7);
    let load = |weights: &Weights, name| weights.load(name, &[8, 8]).unwrap();
    let proj = load(&weights, "blocks.0.attn.proj.weight");
    assert_eq!(proj, load(&Weights::random(&config, 7), "blocks.0.attn.proj.weight"));
    assert_ne!(proj, load(&Weights::random(&config, 8), "blocks.0.attn.proj.weight"));
    assert_ne!(proj, load(&weights, "blocks.1.attn.proj.weight"));
    assert_eq!(weights.sha256(&Cancel::default()).unwrap(), "random:7");
}

#[test]
fn random_weights_have_the_scale_of_trained_ones() {
    let config = crate::model::zoo::find("vits16").unwrap().config();
    let weights = Weights::random(&config, 0);
    let moments = |name, shape: &[usize]| {
        let numbers = weights.load(name, shape).unwrap();
        let n = numbers.len() as f32;
        let mean = numbers.iter().sum::<f32>() / n;
        (mean, (numbers.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n).sqrt())
    };
    let (mean, deviation) = moments("blocks.0.mlp.fc1.weight", &[1536, 384]);
    assert!(mean.abs() < 1e-3 && (deviation - 0.02).abs() < 1e-3, "{mean} {deviation}");
    assert!((moments("blocks.0.norm1.weight", &[384]).0 - 1.0).abs() < 0.05);
    assert!((moments("blocks.0.ls1.gamma", &[384]).0 - 0.5).abs() < 0.05);
}

#[test]
fn every_zoo_model_can_be_random() {
    for model in crate::model::zoo::zoo() {
        let weights = Weights::random(&model.config(), 0);
        let (name, shape) = weights.config().tensors().swap_remove(0);
        assert!(weights.load(&name, &shape).is_ok(), "{}", model.name);
        assert_eq!(weights.has("rope_embed.periods"), matches!(weights.config(), ModelConfig::Vit(_)));
    }
}

#[test]
fn rope_periods_follow_the_reference() {
    let weights = Weights::random(&crate::model::zoo::find("vitb16").unwrap().config(), 0);
    let periods = weights.load("rope_embed.periods", &[16]).unwrap();
    let expected = |i: usize| 100f64.powf(i as f64 / 16.0) as f32;
    assert!(periods.iter().enumerate().all(|(i, period)| (period / expected(i) - 1.0).abs() < 1e-6), "{periods:?}");
    assert!(matches!(weights.load("rope_embed.periods", &[8]), Err(CheckpointError::Shape { .. })));
}

#[test]
fn missing_and_misshaped_tensors_are_named() {
    let demo = Weights::demo().unwrap();
    let missing = demo.load("blocks.12.norm1.weight", &[192]).unwrap_err();
    assert_eq!(missing.to_string(), "dinoscope-demo-vitt16.safetensors has no tensor `blocks.12.norm1.weight`");
    let shape = demo.load("norm.weight", &[384]).unwrap_err();
    assert_eq!(
        shape.to_string(),
        "tensor `norm.weight` of dinoscope-demo-vitt16.safetensors has shape [192], expected [384]"
    );
}

#[test]
fn sha256_is_that_of_the_file_and_of_the_digests_of_shards() {
    let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hash::hex(&hash::of_bytes(b"abc")), of_abc);
    let tensors = files::tensors(&Weights::random(&files::tiny_vit(), 1));
    let (first, second) = tensors.split_at(5);
    let shards = [("model-1.safetensors", first), ("model-2.safetensors", second)];
    let folder = tempfile::tempdir().unwrap();
    for (name, tensors) in shards {
        std::fs::write(folder.path().join(name), files::safetensors(tensors)).unwrap();
    }
    let map: serde_json::Map<String, serde_json::Value> = shards
        .iter()
        .flat_map(|(file, tensors)| tensors.iter().map(|tensor| (tensor.name.clone(), (*file).into())))
        .collect();
    let index = serde_json::json!({ "weight_map": map });
    std::fs::write(folder.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    std::fs::write(folder.path().join("config.json"), r#"{"num_attention_heads": 2}"#).unwrap();
    let digests = shards.map(|(_, tensors)| hash::of_bytes(&files::safetensors(tensors)));
    let weights = Weights::open(folder.path()).unwrap();
    assert_eq!(weights.sha256(&Cancel::default()).unwrap(), hash::hex(&hash::of_bytes(&digests.concat())));
    assert!(weights.load("norm.bias", &[8]).is_ok());
}

#[test]
fn normalisation_comes_from_beside_the_file_then_from_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = files::safetensors(&files::tensors(&Weights::random(&files::tiny_vit(), 1)));
    let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
    write("model.safetensors", &bytes);
    let timm = r#"{"model_args": {"num_heads": 2}, "pretrained_cfg": {"mean": [0.43, 0.411, 0.296], "std": [0.213, 0.156, 0.143]}}"#;
    write("config.json", timm.as_bytes());
    let normalisation = |path: &std::path::Path| Weights::open(path).unwrap().normalisation();
    assert_eq!(normalisation(folder.path()), crate::image::Normalisation::SATELLITE);
    assert_eq!(normalisation(&folder.path().join("model.safetensors")), crate::image::Normalisation::SATELLITE);
    write("preprocessor_config.json", br#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}"#);
    assert_eq!(normalisation(folder.path()).mean, [0.5; 3]);
    let demo = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/dinoscope-demo-vitt16.safetensors"));
    write("dinov3_vitl16_pretrain_sat493m.safetensors", &demo.unwrap());
    let named = folder.path().join("dinov3_vitl16_pretrain_sat493m.safetensors");
    assert_eq!(normalisation(&named), crate::image::Normalisation::SATELLITE);
}

#[test]
fn inspection_serialises() {
    let inspection = Weights::demo().unwrap().inspect();
    assert_eq!(inspection.dtypes["f16"] + inspection.dtypes["f32"], inspection.tensors.len());
    let json = serde_json::to_value(&inspection).unwrap();
    assert_eq!(json["layout"], "meta");
    assert_eq!(json["config"]["heads"], 3);
    assert_eq!(json["parameters"], inspection.config.parameters());
    assert!(json["tensors"][0]["shape"].is_array());
}
