//! What is written into every output about where it comes from.

use dinoscope_engine::encoder::Provenance;
use dinoscope_engine::features::Geometry;

/// Width and height of the model's input, "1024x768", for a model of that `stride`.
pub fn input_size(stride: usize, geometry: &Geometry) -> String {
    let (rows, cols) = geometry.grid;
    format!("{}x{}", cols * stride, rows * stride)
}

/// The pairs that go into a file made from one picture.
pub fn of(provenance: &Provenance, stride: usize, geometry: &Geometry) -> Vec<(&'static str, String)> {
    let mut pairs = of_model(provenance);
    pairs.insert(3, ("size", input_size(stride, geometry)));
    pairs
}

/// The pairs that tell of the model alone.
pub fn of_model(provenance: &Provenance) -> Vec<(&'static str, String)> {
    vec![
        ("software", concat!("dinoscope ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("model", provenance.model.clone()),
        ("weights", provenance.weights.clone()),
        ("device", provenance.device.clone()),
        ("dtype", provenance.dtype.clone()),
    ]
}
