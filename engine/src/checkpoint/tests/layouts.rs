//! One random model under the names of every layout is the same model.

use super::files::{self, Plain};
use crate::checkpoint::{CheckpointError, Layout, Weights};
use crate::model::ModelConfig;

/// Opens a folder with these tensors and config.json.
fn open(tensors: &[Plain], config: &str) -> Result<Weights, CheckpointError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.safetensors"), files::safetensors(tensors)).unwrap();
    if !config.is_empty() {
        std::fs::write(folder.path().join("config.json"), config).unwrap();
    }
    // The mapping outlives the folder.
    Weights::open(folder.path())
}

#[track_caller]
fn assert_same(weights: &Weights, original: &Weights, layout: Layout) {
    assert_eq!(weights.layout(), layout);
    assert_eq!(weights.config(), original.config());
    for Plain { name, shape, numbers } in files::tensors(original) {
        assert_eq!(weights.load(&name, &shape).unwrap(), numbers, "{name}");
    }
}

/// The tensors of a model, renamed; periods are left out, as transformers and timm do.
fn renamed(original: &Weights, rename: impl Fn(&Plain) -> Vec<Plain>) -> Vec<Plain> {
    let tensors = files::tensors(original).into_iter().filter(|tensor| !tensor.name.contains("periods"));
    tensors.flat_map(|tensor| rename(&tensor)).collect()
}

fn with_name(tensor: &Plain, name: String) -> Plain {
    Plain { name, ..tensor.clone() }
}

/// The three thirds of a tensor along its first axis.
fn thirds(tensor: &Plain, names: [&str; 3]) -> Vec<Plain> {
    let mut shape = tensor.shape.clone();
    shape[0] /= 3;
    let numbers = tensor.numbers.chunks(tensor.numbers.len() / 3);
    let plain = |(name, numbers): (&str, &[f32])| Plain {
        name: tensor.name.replace("attn.qkv", name),
        shape: shape.clone(),
        numbers: numbers.to_vec(),
    };
    names.into_iter().zip(numbers).map(plain).collect()
}

fn replace_all(name: &str, pairs: &[(&str, &str)]) -> String {
    pairs.iter().fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
}

fn transformers_vit(original: &Weights, blocks: &str) -> Vec<Plain> {
    let gated = original.has("blocks.0.mlp.w1.weight");
    let names = [
        ("cls_token", "embeddings.cls_token"),
        ("storage_tokens", "embeddings.register_tokens"),
        ("patch_embed.proj", "embeddings.patch_embeddings"),
        ("attn.proj", "attention.o_proj"),
        ("ls1.gamma", "layer_scale1.lambda1"),
        ("ls2.gamma", "layer_scale2.lambda1"),
        ("mlp.w1", "mlp.gate_proj"),
        ("mlp.w2", "mlp.up_proj"),
        ("mlp.w3", "mlp.down_proj"),
        ("mlp.fc1", "mlp.up_proj"),
        ("mlp.fc2", "mlp.down_proj"),
    ];
    assert_eq!(gated, original.has("blocks.1.mlp.w3.bias"));
    renamed(original, |tensor| {
        let tensor = with_name(tensor, replace_all(&tensor.name, &names).replace("blocks.", blocks));
        if !tensor.name.contains("attn.qkv") {
            return vec![tensor];
        }
        let mut thirds = thirds(&tensor, ["attention.q_proj", "attention.k_proj", "attention.v_proj"]);
        if tensor.name.ends_with("bias") {
            thirds.remove(1);
        }
        thirds
    })
}

fn timm_vit(original: &Weights) -> Vec<Plain> {
    let names = [
        ("storage_tokens", "reg_token"),
        ("ls1.gamma", "gamma_1"),
        ("ls2.gamma", "gamma_2"),
        ("mlp.w1", "mlp.fc1_g"),
        ("mlp.w2", "mlp.fc1_x"),
        ("mlp.w3", "mlp.fc2"),
    ];
    renamed(original, |tensor| {
        let tensor = with_name(tensor, replace_all(&tensor.name, &names));
        if !tensor.name.ends_with("qkv.bias") {
            return vec![tensor];
        }
        let mut thirds = thirds(&tensor, ["attn.q", "attn.k", "attn.v"]);
        thirds.remove(1);
        thirds.iter().map(|third| with_name(third, third.name.replace(".bias", "_bias"))).collect()
    })
}

const TWO_HEADS: &str = r#"{"num_attention_heads": 2}"#;

#[test]
fn meta_vit_and_convnext() {
    for config in [files::tiny_vit(), files::tiny_swiglu(), files::tiny_convnext()] {
        let original = Weights::random(&config, 3);
        // Without config.json: heads come from the stored periods.
        assert_same(&open(&files::tensors(&original), "").unwrap(), &original, Layout::Meta);
    }
}

#[test]
fn transformers_vit_of_every_version_and_wrapper() {
    for config in [files::tiny_vit(), files::tiny_swiglu()] {
        let original = Weights::random(&config, 3);
        for blocks in ["layer.", "model.layer."] {
            for prefix in ["", "model.", "backbone.dinov3_vit."] {
                let tensors = transformers_vit(&original, blocks);
                let tensors: Vec<Plain> =
                    tensors.iter().map(|tensor| with_name(tensor, format!("{prefix}{}", tensor.name))).collect();
                assert_same(&open(&tensors, TWO_HEADS).unwrap(), &original, Layout::Transformers);
            }
        }
    }
}

#[test]
fn timm_vit_with_and_without_qkv_bias() {
    for config in [files::tiny_vit(), files::tiny_swiglu()] {
        let original = Weights::random(&config, 3);
        let mut tensors = timm_vit(&original);
        assert_same(&open(&tensors, r#"{"model_args": {"num_heads": 2}}"#).unwrap(), &original, Layout::Timm);
        tensors.retain(|tensor| !tensor.name.ends_with("q_bias") && !tensor.name.ends_with("v_bias"));
        let without = open(&tensors, TWO_HEADS).unwrap();
        assert!(matches!(without.config(), ModelConfig::Vit(vit) if !vit.qkv_bias));
        assert!(!without.has("blocks.0.attn.qkv.bias"));
    }
}

#[test]
fn transformers_convnext_with_and_without_wrapper() {
    let original = Weights::random(&files::tiny_convnext(), 3);
    for prefix in ["", "model.", "dinov3.model."] {
        let tensors = renamed(&original, |tensor| {
            let parts: Vec<&str> = tensor.name.split('.').collect();
            let outer = prefix.strip_suffix("model.").unwrap_or(prefix);
            let name = match parts.as_slice() {
                ["norm", last] => format!("{outer}layer_norm.{last}"),
                ["downsample_layers", stage, rest @ ..] => {
                    format!("{prefix}stages.{stage}.downsample_layers.{}", rest.join("."))
                }
                ["stages", stage, rest @ ..] => format!("{prefix}stages.{stage}.layers.{}", rest.join(".")),
                other => panic!("{other:?}"),
            };
            let inner = [
                ("dwconv", "depthwise_conv"),
                (".norm.", ".layer_norm."),
                ("pwconv1", "pointwise_conv1"),
                ("pwconv2", "pointwise_conv2"),
            ];
            vec![with_name(tensor, replace_all(&name, &inner))]
        });
        assert_same(&open(&tensors, r#"{"hidden_act": "gelu"}"#).unwrap(), &original, Layout::Transformers);
    }
}

#[test]
fn timm_convnext_with_both_places_of_the_norm() {
    let original = Weights::random(&files::tiny_convnext(), 3);
    for norm in ["head.norm", "norm_pre"] {
        let tensors = renamed(&original, |tensor| {
            let parts: Vec<&str> = tensor.name.split('.').collect();
            let name = match parts.as_slice() {
                ["norm", last] => format!("{norm}.{last}"),
                ["downsample_layers", "0", rest @ ..] => format!("stem.{}", rest.join(".")),
                ["downsample_layers", stage, rest @ ..] => format!("stages.{stage}.downsample.{}", rest.join(".")),
                ["stages", stage, rest @ ..] => format!("stages.{stage}.blocks.{}", rest.join(".")),
                other => panic!("{other:?}"),
            };
            let inner = [("dwconv", "conv_dw"), ("pwconv1", "mlp.fc1"), ("pwconv2", "mlp.fc2")];
            vec![with_name(tensor, replace_all(&name, &inner))]
        });
        assert_same(&open(&tensors, "").unwrap(), &original, Layout::Timm);
    }
}

#[test]
fn torch_files_are_read_in_place_and_nested_dicts_unwrapped() {
    let (teacher, student) = (Weights::random(&files::tiny_vit(), 1), Weights::random(&files::tiny_vit(), 2));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.pth");
    for (of_teacher, of_student) in
        [("teacher.backbone.", "student.backbone."), ("model_ema.", "model."), ("state_dict.module.", "student.")]
    {
        let named = |weights: &Weights, prefix: &str| -> Vec<Plain> {
            let tensors = files::tensors(weights);
            tensors.iter().map(|tensor| with_name(tensor, format!("{prefix}{}", tensor.name))).collect()
        };
        let both = [named(&student, of_student), named(&teacher, of_teacher)].concat();
        std::fs::write(&path, files::torch(&both)).unwrap();
        assert_same(&Weights::open(&path).unwrap(), &teacher, Layout::Meta);
    }
}

#[test]
fn transformers_uses_a_k_bias_only_where_its_config_says_so() {
    let original = Weights::random(&files::tiny_vit(), 3);
    let mut tensors = transformers_vit(&original, "layer.");
    for block in 0..2 {
        tensors.push(Plain::new(&format!("layer.{block}.attention.k_proj.bias"), &[8]));
    }
    let k_bias = |config: &str| {
        let bias = open(&tensors, config).unwrap().load("blocks.1.attn.qkv.bias", &[24]).unwrap();
        bias[8..16].to_vec()
    };
    assert_eq!(k_bias(TWO_HEADS), [0.0; 8]);
    let numbers: Vec<f32> = (0..8).map(|i| i as f32).collect();
    assert_eq!(k_bias(r#"{"num_attention_heads": 2, "key_bias": true}"#), numbers);
}

#[test]
fn config_json_overrides_heads_and_epsilon() {
    let original = Weights::random(&files::tiny_vit(), 3);
    let tensors = transformers_vit(&original, "layer.");
    let weights = open(&tensors, r#"{"num_attention_heads": 1, "layer_norm_eps": 1e-3, "rope_theta": 10}"#).unwrap();
    assert!(matches!(weights.config(), ModelConfig::Vit(vit) if vit.heads == 1 && vit.norm_eps == 1e-3));
    assert_eq!(weights.load("rope_embed.periods", &[2]).unwrap(), [1.0, 10f32.sqrt()]);
    // Eight channels are less than one head of the usual width.
    let error = open(&tensors, "").err().unwrap().to_string();
    assert!(error.contains("num_attention_heads"), "{error}");
}

#[test]
fn biases_that_no_block_has_are_zero_and_one_that_is_lost_is_missing() {
    let original = Weights::random(&files::tiny_vit(), 3);
    let mut tensors = files::tensors(&original);
    tensors.retain(|tensor| !tensor.name.ends_with("mlp.fc1.bias"));
    let weights = open(&tensors, "").unwrap();
    assert_eq!(weights.load("blocks.1.mlp.fc1.bias", &[12]).unwrap(), [0.0; 12]);
    tensors.retain(|tensor| tensor.name != "blocks.1.mlp.fc2.bias");
    let error = open(&tensors, "").err().unwrap().to_string();
    assert!(error.ends_with("it has no tensor `blocks.1.mlp.fc2.bias`"), "{error}");
}

#[test]
fn what_is_no_dinov3_backbone_is_named_as_such() {
    let original = Weights::random(&files::tiny_vit(), 3);
    let reason = |change: &dyn Fn(&mut Vec<Plain>)| {
        let mut tensors = files::tensors(&original);
        change(&mut tensors);
        open(&tensors, "").err().unwrap().to_string()
    };
    let lose = |lost: &'static str| reason(&move |tensors| tensors.retain(|tensor| !tensor.name.starts_with(lost)));
    assert!(lose("patch_embed").contains("neither a patch embedding"));
    assert!(lose("blocks.0").contains("no tensor `blocks.0.norm1.weight`"));
    assert!(lose("norm.").contains("no tensor `norm.weight` (and 1 more)"));
    assert!(lose("blocks.1.attn.qkv.weight").contains("no tensor `blocks.1.attn.qkv.weight`"));
    let dinov2 = reason(&|tensors| tensors.push(Plain::new("pos_embed", &[1, 5, 8])));
    assert!(dinov2.contains("learned positions"), "{dinov2}");
    let wide = reason(&|tensors| {
        tensors.retain(|tensor| tensor.name != "blocks.1.norm2.weight");
        tensors.push(Plain::new("blocks.1.norm2.weight", &[9]));
    });
    assert!(wide.contains("`blocks.1.norm2.weight`") && wide.contains("[9], expected [8]"), "{wide}");
}

#[test]
fn numbers_that_are_not_finite_are_refused_when_they_are_read() {
    let mut tensors = files::tensors(&Weights::random(&files::tiny_vit(), 3));
    for tensor in &mut tensors {
        if tensor.name == "norm.weight" {
            tensor.numbers[7] = f32::NAN;
        }
    }
    let weights = open(&tensors, "").unwrap();
    assert!(weights.load("norm.bias", &[8]).is_ok());
    let error = weights.load("norm.weight", &[8]).unwrap_err().to_string();
    assert!(error.contains("`norm.weight`") && error.contains("NaN or infinity"), "{error}");
}

#[test]
fn a_bias_mask_of_nan_does_not_matter() {
    let original = Weights::random(&files::tiny_vit(), 3);
    let mut tensors = files::tensors(&original);
    for block in 0..2 {
        let name = format!("blocks.{block}.attn.qkv.bias_mask");
        tensors.push(Plain { name, shape: vec![24], numbers: vec![f32::NAN; 24] });
    }
    assert_same(&open(&tensors, "").unwrap(), &original, Layout::Meta);
}

#[test]
fn another_activation_is_another_network() {
    let original = Weights::random(&files::tiny_swiglu(), 3);
    let tensors = transformers_vit(&original, "layer.");
    assert!(open(&tensors, r#"{"num_attention_heads": 2, "hidden_act": "silu"}"#).is_ok());
    let error = open(&tensors, r#"{"num_attention_heads": 2, "hidden_act": "gelu"}"#).err().unwrap().to_string();
    assert!(error.contains("activation \"gelu\""), "{error}");
}
