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

    /// Table 2 of the DINOv3 paper (arXiv 2508.10104) lists GFLOPs at 256² and 512²; it counts a multiplication and
    /// an addition as two, and ViT-L has 163 and 721.
    #[test]
    fn as_published() {
        for (name, side, published) in [
            ("vits16", 256, 12.0),
            ("vits16", 512, 63.0),
            ("vitb16", 256, 47.0),
            ("vitb16", 512, 216.0),
            ("vitl16", 256, 163.0),
            ("vitl16", 512, 721.0),
            ("convnext_tiny", 256, 12.0),
            ("convnext_large", 512, 355.0),
        ] {
            let counted = gigaflops(name, side);
            println!("{name} {side} {counted} {published}");
            assert!(
                (counted / published - 1.0).abs() < 0.05,
                "{name} at {side}: {counted} GFLOPs, {published} published"
            );
        }
    }
}
