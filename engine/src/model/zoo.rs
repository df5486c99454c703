//! The published checkpoints, and the bundled demo model.

use super::{ConvNextConfig, Ffn, ModelConfig, VitConfig};
use crate::image::Normalisation;

/// One row of `dinoscope models`.
#[derive(Clone, Debug)]
pub struct ZooModel {
    /// As given to `--model`.
    pub name: &'static str,
    /// Parameters in millions as published; the exact number is [`ModelConfig::parameters`].
    /// Those of ConvNeXt count a classifier of 1000 classes, which these checkpoints do not have.
    pub parameters_millions: u32,
    /// Name of the weights' licence.
    pub licence: &'static str,
    /// Where the weights come from.
    pub source: ZooSource,
    /// Whether it was trained on satellite pictures.
    pub satellite: bool,
    architecture: Architecture,
}

/// Where weights come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZooSource {
    /// In the program itself.
    Embedded,
    /// Published by Meta.
    Published(Published),
}

/// The places of one published checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Repository of the ungated copy on the Hugging Face hub. Of timm's two copies the one that kept the biases of
    /// q and v (`_qkvb`), so that the numbers are Meta's.
    pub timm: &'static str,
    /// Meta's repository on the hub, which asks for access.
    pub gated: &'static str,
}

impl Published {
    /// Repository of timm's copy without those biases, which older programs fetched; `None` where there is but one.
    pub fn timm_without_bias(&self) -> Option<String> {
        self.timm.contains("_qkvb.").then(|| self.timm.replace("_qkvb.", "."))
    }
}

#[derive(Clone, Copy, Debug)]
enum Architecture {
    Vit { dim: usize, depth: usize, heads: usize, ffn: Ffn },
    ConvNext { depths: [usize; 4], dims: [usize; 4] },
}

const LICENCE: &str = "DINOv3 License";

const fn vit(dim: usize, depth: usize, heads: usize, ffn: Ffn) -> Architecture {
    Architecture::Vit { dim, depth, heads, ffn }
}

const fn convnext(third: usize, dims: [usize; 4]) -> Architecture {
    Architecture::ConvNext { depths: [3, 3, third, 3], dims }
}

/// Sizes: reference `dinov3/hub/backbones.py`; SwiGLU's hidden size is two thirds of `ffn_ratio * dim`, aligned to 8.
const VITS16: Architecture = vit(384, 12, 6, Ffn::Mlp { hidden: 1536 });
const VITS16PLUS: Architecture = vit(384, 12, 6, Ffn::SwiGlu { hidden: 1536 });
const VITB16: Architecture = vit(768, 12, 12, Ffn::Mlp { hidden: 3072 });
const VITL16: Architecture = vit(1024, 24, 16, Ffn::Mlp { hidden: 4096 });
const VITH16PLUS: Architecture = vit(1280, 32, 20, Ffn::SwiGlu { hidden: 5120 });
const VIT7B16: Architecture = vit(4096, 40, 32, Ffn::SwiGlu { hidden: 8192 });
const TINY: Architecture = convnext(9, [96, 192, 384, 768]);
const SMALL: Architecture = convnext(27, [96, 192, 384, 768]);
const BASE: Architecture = convnext(27, [128, 256, 512, 1024]);
const LARGE: Architecture = convnext(27, [192, 384, 768, 1536]);

macro_rules! published {
    ($name:literal, $millions:literal, $architecture:expr, $timm:literal, $gated:literal, $data:literal) => {
        ZooModel {
            name: $name,
            parameters_millions: $millions,
            licence: LICENCE,
            source: ZooSource::Published(Published {
                timm: concat!("timm/", $timm, $data),
                gated: concat!("facebook/dinov3-", $gated, "-pretrain-", $data),
            }),
            satellite: matches!($data.as_bytes(), b"sat493m"),
            architecture: $architecture,
        }
    };
}

static ZOO: [ZooModel; 13] = [
    ZooModel {
        name: "demo",
        parameters_millions: 6,
        licence: "MIT",
        source: ZooSource::Embedded,
        satellite: false,
        architecture: vit(192, 12, 3, Ffn::Mlp { hidden: 768 }),
    },
    published!("vits16", 21, VITS16, "vit_small_patch16_dinov3_qkvb.", "vits16", "lvd1689m"),
    published!("vits16plus", 29, VITS16PLUS, "vit_small_plus_patch16_dinov3_qkvb.", "vits16plus", "lvd1689m"),
    published!("vitb16", 86, VITB16, "vit_base_patch16_dinov3_qkvb.", "vitb16", "lvd1689m"),
    published!("vitl16", 300, VITL16, "vit_large_patch16_dinov3_qkvb.", "vitl16", "lvd1689m"),
    published!("vith16plus", 840, VITH16PLUS, "vit_huge_plus_patch16_dinov3_qkvb.", "vith16plus", "lvd1689m"),
    published!("vit7b16", 6716, VIT7B16, "vit_7b_patch16_dinov3.", "vit7b16", "lvd1689m"),
    published!("convnext_tiny", 29, TINY, "convnext_tiny.dinov3_", "convnext-tiny", "lvd1689m"),
    published!("convnext_small", 50, SMALL, "convnext_small.dinov3_", "convnext-small", "lvd1689m"),
    published!("convnext_base", 89, BASE, "convnext_base.dinov3_", "convnext-base", "lvd1689m"),
    published!("convnext_large", 198, LARGE, "convnext_large.dinov3_", "convnext-large", "lvd1689m"),
    published!("vitl16_sat", 300, VITL16, "vit_large_patch16_dinov3_qkvb.", "vitl16", "sat493m"),
    published!("vit7b16_sat", 6716, VIT7B16, "vit_7b_patch16_dinov3.", "vit7b16", "sat493m"),
];

/// Every model with a name, the demo first.
pub fn zoo() -> &'static [ZooModel] {
    &ZOO
}

/// The model of that name.
pub fn find(name: &str) -> Option<&'static ZooModel> {
    ZOO.iter().find(|model| model.name == name)
}

impl ZooModel {
    /// Its architecture.
    pub fn config(&self) -> ModelConfig {
        match self.architecture {
            Architecture::Vit { dim, depth, heads, ffn } => ModelConfig::Vit(VitConfig {
                dim,
                depth,
                heads,
                ffn,
                registers: 4,
                patch: 16,
                // The 7B alone was trained without.
                qkv_bias: dim != 4096,
                untied_cls_norm: false,
                layer_scale: true,
                norm_eps: 1e-5,
            }),
            Architecture::ConvNext { depths, dims } => {
                ModelConfig::ConvNext(ConvNextConfig { depths, dims, norm_eps: 1e-6 })
            }
        }
    }

    /// Mean and deviation of its training pictures.
    pub fn normalisation(&self) -> Normalisation {
        if self.satellite { Normalisation::SATELLITE } else { Normalisation::WEB }
    }

    /// What to know about it before it is trusted.
    pub fn note(&self) -> Option<&'static str> {
        (self.source == ZooSource::Embedded).then_some("small stand-in trained for dinoscope, not Meta's weights")
    }

    /// Bytes of its file, roughly: f32 weights, the demo f16.
    pub fn size_bytes(&self) -> u64 {
        let bytes_each = if self.source == ZooSource::Embedded { 2 } else { 4 };
        self.config().parameters() as u64 * bytes_each
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_counts_match_the_published_ones() {
        const CLASSES: usize = 1000;
        for model in zoo() {
            let config = model.config();
            let classifier = match config {
                ModelConfig::Vit(_) => 0,
                ModelConfig::ConvNext(_) => CLASSES * (config.dim() + 1),
            };
            let millions = (config.parameters() + classifier) as f64 / 1e6;
            // 21.6 was published as 21, and ViT-L's 303 as 300.
            let tolerance = f64::max(1.0, 0.012 * millions);
            let published = f64::from(model.parameters_millions);
            assert!((millions - published).abs() < tolerance, "{}: {millions} M, published {published} M", model.name);
        }
    }

    #[test]
    fn names_are_unique_and_found() {
        for model in zoo() {
            assert!(std::ptr::eq(find(model.name).unwrap(), model));
        }
        assert!(find("vitg16").is_none());
    }

    #[test]
    fn vits_up_to_huge_have_a_second_copy() {
        for model in zoo() {
            let ZooSource::Published(published) = model.source else { continue };
            let second = published.timm_without_bias();
            let expected = matches!(model.config(), ModelConfig::Vit(config) if config.qkv_bias);
            assert_eq!(second.is_some(), expected, "{}", model.name);
            assert!(second.is_none_or(|id| !id.contains("qkvb")), "{}", model.name);
        }
        let ZooSource::Published(small) = find("vits16").unwrap().source else { panic!("it is published") };
        assert_eq!(small.timm_without_bias().unwrap(), "timm/vit_small_patch16_dinov3.lvd1689m");
    }

    #[test]
    fn satellite_models_say_so_everywhere() {
        let satellite: Vec<&ZooModel> = zoo().iter().filter(|model| model.satellite).collect();
        assert_eq!(satellite.iter().map(|model| model.name).collect::<Vec<_>>(), ["vitl16_sat", "vit7b16_sat"]);
        for model in satellite {
            let ZooSource::Published(published) = model.source else { panic!("{} is published", model.name) };
            assert!([published.timm, published.gated].iter().all(|place| place.ends_with("sat493m")));
            assert_eq!(model.normalisation(), Normalisation::SATELLITE);
        }
    }
}
