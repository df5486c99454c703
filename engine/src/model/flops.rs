//! How much arithmetic a forward pass takes.

use super::{ConvNextConfig, Ffn, ModelConfig, VitConfig};

/// Floating-point operations of one forward pass over a grid of `rows` by `cols` patches: two for each
/// multiplication and addition of linear layers, convolutions and attention. Norms, activations, RoPE and residuals,
/// together less than a hundredth, are left out, as is usual.
pub fn flops(config: &ModelConfig, rows: usize, cols: usize) -> u64 {
    let (rows, cols) = (rows as u64, cols as u64);
    match config {
        ModelConfig::Vit(vit) => 2 * vit_macs(vit, rows * cols),
        ModelConfig::ConvNext(convnext) => 2 * convnext_macs(convnext, rows * cols),
    }
}

fn vit_macs(vit: &VitConfig, patches: u64) -> u64 {
    let (dim, tokens) = (vit.dim as u64, patches + vit.prefix() as u64);
    let embed = patches * dim * 3 * (vit.patch * vit.patch) as u64;
    let ffn = match vit.ffn {
        Ffn::Mlp { hidden } => 2 * dim * hidden as u64,
        Ffn::SwiGlu { hidden } => 3 * dim * hidden as u64,
    };
    let projections = tokens * 4 * dim * dim;
    let attention = 2 * tokens * tokens * dim;
    embed + vit.depth as u64 * (projections + attention + tokens * ffn)
}

fn convnext_macs(convnext: &ConvNextConfig, positions: u64) -> u64 {
    (0..4)
        .map(|stage| {
            let dim = convnext.dims[stage] as u64;
            // Stage 3 has one value per patch, each stage before it four times as many.
            let positions = positions << (2 * (3 - stage));
            let down = if stage == 0 { 3 * 4 * 4 } else { convnext.dims[stage - 1] as u64 * 2 * 2 };
            let block = 7 * 7 + 2 * 4 * dim;
            positions * dim * (down + convnext.depths[stage] as u64 * block)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::super::zoo;
    use super::*;

    fn gigaflops(name: &str, side: usize) -> f64 {
        let config = zoo::find(name).expect("in the zoo").config();
        let patches = side / config.stride();
        flops(&config, patches, patches) as f64 / 1e9
    }

    fn assert_near(name: &str, side: usize, published: f64) {
        let counted = gigaflops(name, side);
        assert!((counted / published - 1.0).abs() < 0.05, "{name} at {side}: {counted} GFLOPs, {published} published");
    }

    /// Billions of multiplications with addition at 256², from the cards of timm's `vit_small_plus_patch16_dinov3_qkvb`
    /// and `vit_base_patch16_dinov3_qkvb`.
    #[test]
    fn vit_as_published() {
        for (name, macs) in [("vits16plus", 8.1), ("vitb16", 23.6)] {
            assert_near(name, 256, 2.0 * macs);
        }
    }

    /// Billions of multiplications with addition at 224² in the ConvNeXt paper (arXiv 2201.03545, table 1).
    #[test]
    fn convnext_as_published() {
        for (name, macs) in
            [("convnext_tiny", 4.5), ("convnext_small", 8.7), ("convnext_base", 15.4), ("convnext_large", 34.4)]
        {
            assert_near(name, 224, 2.0 * macs);
        }
    }
}
