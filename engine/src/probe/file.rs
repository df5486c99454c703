//! A trained probe as a file: safetensors with everything that is needed to use it again.

use std::path::Path;

use ndarray::{Array1, Array2, Array3};
use safetensors::{Dtype, SafeTensors};

use super::ProbeError;
use super::logistic::Classifier;
use crate::features::FeatureGrid;
use crate::image::SizeRule;
use crate::output::{Numbers, write_safetensors};
use crate::{Error, Result};

/// A classifier of patches, and what its features were made with.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Of features after the final norm.
    pub classifier: Classifier,
    /// Names, in the order of the classes.
    pub classes: Vec<String>,
    /// Name of the model.
    pub model: String,
    /// SHA-256 of its weights, or as [`crate::encoder::Provenance::weights`] has it.
    pub weights: String,
    /// Size of its input.
    pub size: SizeRule,
    /// The layer whose features are classified; `None`: the output.
    pub layer: Option<usize>,
}

impl Probe {
    /// Probability of each class for each patch, `[rows, cols, classes]`.
    ///
    /// # Errors
    /// [`ProbeError::Dimension`]
    pub fn probabilities(&self, grid: &FeatureGrid) -> Result<Array3<f32>, ProbeError> {
        let flat = self.classifier.probabilities(grid.data.view())?;
        let shape = (grid.rows, grid.cols, self.classifier.classes());
        Ok(flat.into_shape_with_order(shape).expect("a grid has rows * cols features"))
    }

    /// Writes it.
    ///
    /// # Errors
    /// As [`crate::output::write_atomically`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let Classifier { weights, intercept } = &self.classifier;
        let (weights, intercept) = (weights.as_standard_layout(), intercept.as_standard_layout());
        let values = |values: Option<&[f32]>| values.unwrap_or_default().to_vec();
        let (rows, last) = (values(weights.as_slice()), values(intercept.as_slice()));
        let mut metadata = vec![
            ("kind", KIND.to_owned()),
            ("classes", serde_json::json!(self.classes).to_string()),
            ("model", self.model.clone()),
            ("weights", self.weights.clone()),
            ("size", self.size.to_string()),
        ];
        metadata.extend(self.layer.map(|layer| ("layer", layer.to_string())));
        let (outputs, dim) = weights.dim();
        let tensors =
            [("weights", &[outputs, dim][..], Numbers::F32(&rows)), ("intercept", &[outputs][..], Numbers::F32(&last))];
        write_safetensors(path, &tensors, &metadata)
    }

    /// Reads what [`Self::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`], [`ProbeError::File`] where the file is something else.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        Self::parse(&bytes).map_err(|reason| ProbeError::File { path: path.to_path_buf(), reason }.into())
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| format!("it is no safetensors file: {error}"))?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
        let strings = header.metadata().clone().unwrap_or_default();
        let text = |key: &str| strings.get(key).cloned().ok_or_else(|| format!("\"{key}\" is missing"));
        if text("kind").ok().as_deref() != Some(KIND) {
            return Err("its kind is another one".to_owned());
        }
        let classes: Vec<String> = serde_json::from_str(&text("classes")?).map_err(|error| error.to_string())?;
        let (shape, rows) = numbers(&tensors, "weights")?;
        let (_, last) = numbers(&tensors, "intercept")?;
        let &[outputs, dim] = shape.as_slice() else { return Err(format!("weights have shape {shape:?}")) };
        let weights = Array2::from_shape_vec((outputs, dim), rows).map_err(|error| error.to_string())?;
        let classifier = Classifier { weights, intercept: Array1::from_vec(last) };
        if classifier.intercept.len() != outputs || classifier.classes() != classes.len() {
            let (intercepts, names) = (classifier.intercept.len(), classes.len());
            return Err(format!("{outputs} rows of weights, {intercepts} intercepts and {names} classes do not fit"));
        }
        Ok(Self {
            classifier,
            classes,
            model: text("model")?,
            weights: text("weights")?,
            size: text("size")?.parse().map_err(|error: crate::image::size::ParseSizeError| error.to_string())?,
            layer: strings.get("layer").map(|layer| layer.parse()).transpose().map_err(|_| "its layer is no number")?,
        })
    }
}

/// What the file says of itself.
pub const KIND: &str = "dinoscope probe 1";

fn numbers(tensors: &SafeTensors<'_>, name: &str) -> Result<(Vec<usize>, Vec<f32>), String> {
    let tensor = tensors.tensor(name).map_err(|error| error.to_string())?;
    if tensor.dtype() != Dtype::F32 {
        return Err(format!("{name} is not f32"));
    }
    let values = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Ok((tensor.shape().to_vec(), values))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_probe_comes_back_and_anything_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("probe.safetensors");
        let probe = Probe {
            classifier: Classifier { weights: array![[1.0, -2.0, 0.5]], intercept: array![0.25] },
            classes: vec!["sky".to_owned(), "\"rest\"".to_owned()],
            model: "demo".to_owned(),
            weights: "ab12".to_owned(),
            size: SizeRule::ShortSide(768),
            layer: Some(8),
        };
        probe.save(&path).unwrap();
        assert_eq!(Probe::load(&path).unwrap(), probe);

        let grid = FeatureGrid { rows: 1, cols: 2, data: array![[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]] };
        let probabilities = probe.probabilities(&grid).unwrap();
        assert_eq!(probabilities.dim(), (1, 2, 2));
        assert!((probabilities[[0, 0, 1]] - 0.562_176_5).abs() < 1e-6 && probabilities[[0, 1, 1]] > 0.98);

        std::fs::write(&path, b"no such thing").unwrap();
        let message = Probe::load(&path).unwrap_err().to_string();
        assert!(message.contains("probe.safetensors is no probe") && message.contains("train one"), "{message}");
        let odd = Probe { classes: vec!["one".to_owned()], ..probe };
        odd.save(&path).unwrap();
        assert!(Probe::load(&path).unwrap_err().to_string().contains("1 classes do not fit"));
    }
}
