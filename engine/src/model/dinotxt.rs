//! The two networks of dino.txt.

use super::BlocksConfig;

/// Blocks behind a vision transformer that bring its tokens into the space of texts (reference:
/// `dinov3/eval/text/vision_tower.py`). They read CLS, registers and patches, and know no positions.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadConfig {
    /// The blocks; a token has the width of the backbone's.
    pub blocks: BlocksConfig,
    /// Width after the projection at the end, where there is one.
    pub projection: Option<usize>,
}

impl HeadConfig {
    /// Numbers of a patch's vector; a whole picture has twice as many.
    pub fn outputs(&self) -> usize {
        self.projection.unwrap_or(self.blocks.dim)
    }
}

/// The text tower (reference: `dinov3/eval/text/text_transformer.py`). A token sees itself and those before it.
#[derive(Clone, Debug, PartialEq)]
pub struct TowerConfig {
    /// The blocks.
    pub blocks: BlocksConfig,
    /// Different tokens that it knows.
    pub vocabulary: usize,
    /// Tokens of a text.
    pub context: usize,
    /// Width after the projection at the end, where there is one.
    pub projection: Option<usize>,
}

impl TowerConfig {
    /// Numbers of a text's vector.
    pub fn outputs(&self) -> usize {
        self.projection.unwrap_or(self.blocks.dim)
    }
}
