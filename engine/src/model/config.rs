//! Architectures of DINOv3 backbones.

use serde::Serialize;

/// Architecture of a backbone, as read from its tensors.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "architecture", rename_all = "lowercase")]
pub enum ModelConfig {
    /// Vision transformer.
    Vit(VitConfig),
    /// Convolutional network.
    ConvNext(ConvNextConfig),
}

/// DINOv3 vision transformer (reference: `dinov3/models/vision_transformer.py`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VitConfig {
    /// Width of a token.
    pub dim: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads; each is `dim / heads` wide.
    pub heads: usize,
    /// Feed-forward network of a block.
    pub ffn: Ffn,
    /// Register (storage) tokens.
    pub registers: usize,
    /// Side of a square patch in pixels.
    pub patch: usize,
    /// Whether q and v have a bias. That of k is zero in every published model; `attn.qkv.bias` has a place for it.
    pub qkv_bias: bool,
    /// Whether CLS and registers have a final norm of their own (`cls_norm`).
    pub untied_cls_norm: bool,
    /// Whether each branch is scaled per channel before it is added (`ls1`, `ls2`).
    pub layer_scale: bool,
    /// Epsilon of every layer norm.
    pub norm_eps: f64,
}

/// Feed-forward network of a transformer block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Ffn {
    /// `fc2(gelu(fc1(x)))` with exact GELU.
    Mlp {
        /// Rows of `fc1`.
        hidden: usize,
    },
    /// `w3(silu(w1(x)) * w2(x))`.
    SwiGlu {
        /// Rows of `w1` and of `w2`.
        hidden: usize,
    },
}

/// A stack of transformer blocks that normalise before each branch.
#[derive(Clone, Debug, PartialEq)]
pub struct BlocksConfig {
    /// Width of a token.
    pub dim: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads; each is `dim / heads` wide.
    pub heads: usize,
    /// Feed-forward network of a block.
    pub ffn: Ffn,
    /// Whether `attn.qkv` has a bias.
    pub qkv_bias: bool,
    /// Whether each branch is scaled per channel before it is added (`ls1`, `ls2`).
    pub layer_scale: bool,
    /// Epsilon of every layer norm.
    pub norm_eps: f64,
}

impl BlocksConfig {
    /// Width of an attention head.
    pub fn head_dim(&self) -> usize {
        self.dim / self.heads
    }
}

impl Ffn {
    /// Numbers between its layers.
    pub fn hidden(self) -> usize {
        match self {
            Self::Mlp { hidden } | Self::SwiGlu { hidden } => hidden,
        }
    }
}

/// DINOv3 ConvNeXt (reference: `dinov3/models/convnext.py`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConvNextConfig {
    /// Blocks per stage.
    pub depths: [usize; 4],
    /// Channels per stage.
    pub dims: [usize; 4],
    /// Epsilon of every layer norm.
    pub norm_eps: f64,
}

impl ModelConfig {
    /// Numbers per patch feature.
    pub fn dim(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.dim,
            Self::ConvNext(convnext) => convnext.dims[3],
        }
    }

    /// Pixels per patch, along each side.
    pub fn stride(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.patch,
            Self::ConvNext(_) => ConvNextConfig::STRIDE,
        }
    }

    /// How many layers [`crate::backend::Backbone::forward`] can be asked for: blocks (ViT) or stages (ConvNeXt).
    pub fn layers(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.depth,
            Self::ConvNext(_) => 4,
        }
    }

    /// Blocks, those of all stages together (ConvNeXt).
    pub fn depth(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.depth,
            Self::ConvNext(convnext) => convnext.depths.iter().sum(),
        }
    }

    /// Learned numbers that the forward pass reads.
    pub fn parameters(&self) -> usize {
        self.tensors().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// Name (Meta's) and shape of every tensor that the forward pass reads, in the order of the network.
    /// RoPE periods, which are constants, are not among them.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        match self {
            Self::Vit(vit) => vit.tensors(),
            Self::ConvNext(convnext) => convnext.tensors(),
        }
    }
}

impl VitConfig {
    /// Width of an attention head.
    pub fn head_dim(&self) -> usize {
        self.dim / self.heads
    }

    /// Its blocks.
    pub fn blocks(&self) -> BlocksConfig {
        let &Self { dim, depth, heads, ffn, qkv_bias, layer_scale, norm_eps, .. } = self;
        BlocksConfig { dim, depth, heads, ffn, qkv_bias, layer_scale, norm_eps }
    }

    /// Tokens before the patches: CLS and registers.
    pub fn prefix(&self) -> usize {
        1 + self.registers
    }

    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let dim = self.dim;
        let mut all = vec![("cls_token".to_owned(), vec![1, 1, dim])];
        if self.registers > 0 {
            all.push(("storage_tokens".to_owned(), vec![1, self.registers, dim]));
        }
        let mut linear = |name: String, rows: usize, cols: usize, bias: bool| {
            all.push((format!("{name}.weight"), vec![rows, cols]));
            if bias {
                all.push((format!("{name}.bias"), vec![rows]));
            }
        };
        for i in 0..self.depth {
            let block = format!("blocks.{i}");
            linear(format!("{block}.attn.qkv"), 3 * dim, dim, self.qkv_bias);
            linear(format!("{block}.attn.proj"), dim, dim, true);
            match self.ffn {
                Ffn::Mlp { hidden } => {
                    linear(format!("{block}.mlp.fc1"), hidden, dim, true);
                    linear(format!("{block}.mlp.fc2"), dim, hidden, true);
                }
                Ffn::SwiGlu { hidden } => {
                    linear(format!("{block}.mlp.w1"), hidden, dim, true);
                    linear(format!("{block}.mlp.w2"), hidden, dim, true);
                    linear(format!("{block}.mlp.w3"), dim, hidden, true);
                }
            }
        }
        let vector = |name: String| (name, vec![dim]);
        for i in 0..self.depth {
            for norm in ["norm1", "norm2"] {
                all.push(vector(format!("blocks.{i}.{norm}.weight")));
                all.push(vector(format!("blocks.{i}.{norm}.bias")));
            }
            if self.layer_scale {
                all.push(vector(format!("blocks.{i}.ls1.gamma")));
                all.push(vector(format!("blocks.{i}.ls2.gamma")));
            }
        }
        all.push(("patch_embed.proj.weight".to_owned(), vec![dim, 3, self.patch, self.patch]));
        all.push(vector("patch_embed.proj.bias".to_owned()));
        for norm in if self.untied_cls_norm { &["norm", "cls_norm"][..] } else { &["norm"] } {
            all.push(vector(format!("{norm}.weight")));
            all.push(vector(format!("{norm}.bias")));
        }
        all
    }
}

impl ConvNextConfig {
    /// Pixels per position of the last stage.
    pub const STRIDE: usize = 32;

    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut all = Vec::new();
        let mut pair = |name: String, weight: Vec<usize>| {
            let rows = weight[0];
            all.push((format!("{name}.weight"), weight));
            all.push((format!("{name}.bias"), vec![rows]));
        };
        for (stage, (&dim, &depth)) in self.dims.iter().zip(&self.depths).enumerate() {
            let down = format!("downsample_layers.{stage}");
            if stage == 0 {
                pair(format!("{down}.0"), vec![dim, 3, 4, 4]);
                pair(format!("{down}.1"), vec![dim]);
            } else {
                let before = self.dims[stage - 1];
                pair(format!("{down}.0"), vec![before]);
                pair(format!("{down}.1"), vec![dim, before, 2, 2]);
            }
            for i in 0..depth {
                let block = format!("stages.{stage}.{i}");
                pair(format!("{block}.dwconv"), vec![dim, 1, 7, 7]);
                pair(format!("{block}.norm"), vec![dim]);
                pair(format!("{block}.pwconv1"), vec![4 * dim, dim]);
                pair(format!("{block}.pwconv2"), vec![dim, 4 * dim]);
            }
        }
        pair("norm".to_owned(), vec![self.dims[3]]);
        for (stage, (&dim, &depth)) in self.dims.iter().zip(&self.depths).enumerate() {
            all.extend((0..depth).map(|i| (format!("stages.{stage}.{i}.gamma"), vec![dim])));
        }
        all
    }
}
