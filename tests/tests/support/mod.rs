//! Golden files and the comparison with them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use dinoscope_engine::features::{Encoded, Features};
use dinoscope_engine::image::Pixels;
use safetensors::{Dtype as FileDtype, SafeTensors};

/// What a result may differ by.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of every tensor: ‖got − expected‖ / ‖expected‖.
    pub relative: f64,
    /// Between the two features of every patch.
    pub cosine: f64,
}

impl Bounds {
    /// Two programs in f32 that sum in another order. The golden cases are made so that a wrong epsilon, activation or
    /// weight shows as more than this.
    pub const F32: Self = Self { relative: 1e-4, cosine: 0.9999 };
    /// Weights and matrix inputs rounded to 8 (bf16) or 11 bits (f16), residual stream, norms and softmax in f32.
    pub const HALF: Self = Self { relative: 2e-2, cosine: 0.999 };
}

/// Numbers with their shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
}

/// Tensors by name: `cls` [D], `registers` [R, D], `patch` [rows, cols, D], `layer_0.cls`, …
pub type Tensors = BTreeMap<String, Tensor>;

/// `tests/golden`
pub fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// Reads a safetensors file of f32.
pub fn read_tensors(path: &Path) -> Tensors {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
    let file = SafeTensors::deserialize(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let tensor = |view: &safetensors::tensor::TensorView| {
        assert_eq!(view.dtype(), FileDtype::F32, "{}", path.display());
        let numbers = view.data().chunks_exact(4);
        let data = numbers.map(|b| f32::from_le_bytes(b.try_into().expect("four bytes"))).collect();
        Tensor { shape: view.shape().to_vec(), data }
    };
    file.iter().map(|(name, view)| (name.to_owned(), tensor(&view))).collect()
}

/// A picture and what the model says about it.
pub struct Golden {
    pub pixels: Pixels,
    pub outputs: Tensors,
}

impl Golden {
    /// Reads `expected.safetensors` of a case.
    pub fn read(case: &str) -> Self {
        let mut outputs = read_tensors(&golden_folder().join(case).join("expected.safetensors"));
        let pixels = outputs.remove("pixels").expect("every case has its picture");
        let [3, height, width] = pixels.shape[..] else { panic!("{case}: pixels {:?}", pixels.shape) };
        Self { pixels: Pixels { width, height, data: pixels.data }, outputs }
    }

    /// Index of every layer in it.
    pub fn layers(&self) -> Vec<usize> {
        let index = |name: &String| name.strip_prefix("layer_")?.strip_suffix(".cls")?.parse().ok();
        let mut layers: Vec<usize> = self.outputs.keys().filter_map(index).collect();
        layers.sort_unstable();
        assert!(!layers.is_empty());
        layers
    }
}

/// Everything in `encoded`, named as in a golden file.
pub fn tensors_of(encoded: &Encoded) -> Tensors {
    let mut all = Tensors::new();
    add(&mut all, "", &encoded.output);
    for (layer, features) in &encoded.layers {
        add(&mut all, &format!("layer_{layer}."), features);
    }
    all
}

fn add(all: &mut Tensors, prefix: &str, features: &Features) {
    let Features { cls, registers, patch } = features;
    let mut insert = |name: &str, shape: Vec<usize>, data: Vec<f32>| {
        assert_eq!(shape.iter().product::<usize>(), data.len());
        all.insert(format!("{prefix}{name}"), Tensor { shape, data });
    };
    insert("cls", vec![cls.len()], cls.clone());
    if registers.nrows() > 0 {
        insert("registers", registers.shape().to_vec(), registers.iter().copied().collect());
    }
    insert("patch", vec![patch.rows, patch.cols, patch.dim()], patch.data.iter().copied().collect());
}

/// One line for everything in which `got` is not `expected`; empty where it is.
pub fn differences(got: &Tensors, expected: &Tensors, bounds: Bounds) -> String {
    let mut text = String::new();
    let mut line = |name: &str, what: String| writeln!(text, "{name}: {what}").expect("a string takes it");
    for name in got.keys().filter(|name| !expected.contains_key(*name)) {
        line(name, "not expected".to_owned());
    }
    for (name, expected) in expected {
        let Some(got) = got.get(name) else {
            line(name, "missing".to_owned());
            continue;
        };
        if got.shape != expected.shape {
            line(name, format!("shape {:?}, expected {:?}", got.shape, expected.shape));
            continue;
        }
        let error = relative_error(&got.data, &expected.data);
        if error.is_nan() || error > bounds.relative {
            line(name, format!("relative error {error:.2e}, at most {:.0e} is allowed", bounds.relative));
        }
        if let [_, cols, dim] = got.shape[..] {
            let patches = got.data.chunks_exact(dim).zip(expected.data.chunks_exact(dim));
            let cosines = patches.map(|(a, b)| cosine(a, b)).enumerate();
            let wrong: Vec<_> = cosines.filter(|(_, cosine)| cosine.is_nan() || *cosine < bounds.cosine).collect();
            if let Some((first, cosine)) = wrong.first() {
                let (row, col) = (first / cols, first % cols);
                let n = wrong.len();
                line(name, format!("{n} patches point elsewhere, the first ({row}, {col}) with cosine {cosine:.6}"));
            }
        }
    }
    text
}

/// ‖a − b‖ / ‖b‖
pub fn relative_error(a: &[f32], b: &[f32]) -> f64 {
    let square = |v: f64| v * v;
    let distance: f64 = a.iter().zip(b).map(|(&a, &b)| square(f64::from(a) - f64::from(b))).sum();
    (distance / b.iter().map(|&b| square(f64::from(b))).sum::<f64>()).sqrt()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
