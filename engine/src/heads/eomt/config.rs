//! What an EoMT checkpoint's files say beside its tensors.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::heads::masks::check_classes;
use crate::heads::{HeadError, HeadWeights, Task};
use crate::image::Filter;

/// How a picture becomes squares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// The short side becomes the square's, and squares that overlap cover the long one.
    Split,
    /// The long side becomes the square's, and black fills the rest.
    Pad,
}

/// Sizes and settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EomtConfig {
    /// Of the square that the model reads, in pixels.
    pub side: usize,
    /// How a picture becomes squares.
    pub fit: Fit,
    /// How it is resized.
    pub filter: Filter,
    /// Blocks at the end that read the queries, too.
    pub joint_blocks: usize,
    /// How many queries there are.
    pub queries: usize,
    /// Names of the classes, without "no object".
    pub names: Vec<String>,
    /// How often masks are enlarged by 2.
    pub upscaling: usize,
}

/// `config.json`
#[derive(Deserialize)]
struct ModelFile {
    model_type: String,
    image_size: usize,
    num_blocks: usize,
    #[serde(default)]
    id2label: BTreeMap<usize, String>,
}

/// `preprocessor_config.json`
#[derive(Deserialize)]
struct ProcessorFile {
    size: ProcessorSize,
    #[serde(default)]
    do_split_image: bool,
    /// Pillow's number of a filter.
    resample: u8,
}

#[derive(Deserialize)]
struct ProcessorSize {
    shortest_edge: usize,
    longest_edge: Option<usize>,
}

impl EomtConfig {
    /// Reads the files beside `weights`.
    ///
    /// # Errors
    /// [`HeadError::NotThisHead`] where one is missing or says what this program does not do.
    pub fn read(weights: &HeadWeights) -> Result<Self, HeadError> {
        let path = weights.path();
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")) };
        let refuse = |reason| HeadError::NotThisHead { path: path.to_path_buf(), task: Task::Segmentation, reason };
        Self::of_folder(folder, weights).map_err(refuse)
    }

    fn of_folder(folder: &Path, weights: &HeadWeights) -> Result<Self, String> {
        let model: ModelFile = read(folder, "config.json")?;
        let processor: ProcessorFile = read(folder, "preprocessor_config.json")?;
        if model.model_type != "eomt_dinov3" {
            return Err(format!(
                "its config.json says \"{}\", expected \"eomt_dinov3\"",
                model.model_type.escape_debug()
            ));
        }
        let side = model.image_size;
        let ProcessorSize { shortest_edge, longest_edge } = processor.size;
        let fit = if processor.do_split_image { Fit::Split } else { Fit::Pad };
        // The model reads squares of one size.
        let square = longest_edge.filter(|_| fit == Fit::Pad).unwrap_or(shortest_edge);
        if side == 0 || (shortest_edge, square) != (side, side) || side > MAX_SIDE {
            return Err(format!(
                "its preprocessor_config.json makes pictures of {shortest_edge}x{square} pixels, but its config.json has \
                 squares of {side}"
            ));
        }
        let filter = match processor.resample {
            2 => Filter::Bilinear,
            3 => Filter::Bicubic,
            other => {
                return Err(format!("its preprocessor_config.json resizes by filter {other}, only 2 and 3 are known"));
            }
        };
        let rows = |name: &str| {
            let rows = weights.shape(name).and_then(|shape| shape.first().copied());
            rows.filter(|&rows| rows > 0).ok_or_else(|| format!("it has no tensor `{name}`"))
        };
        let classes = rows("class_predictor.weight")? - 1;
        check_classes(classes)?;
        let name = |class| model.id2label.get(&class).cloned().unwrap_or_else(|| format!("class {class}"));
        Ok(Self {
            side,
            fit,
            filter,
            joint_blocks: model.num_blocks,
            queries: rows("query.weight")?,
            names: (0..classes).map(name).collect(),
            upscaling: weights.count("upscale_block.block", "conv1.weight"),
        })
    }
}

/// No published model reads larger squares than 1,280.
const MAX_SIDE: usize = 8192;

fn read<T: for<'a> Deserialize<'a>>(folder: &Path, name: &str) -> Result<T, String> {
    let path = folder.join(name);
    let text = std::fs::read(&path)
        .map_err(|error| format!("its {name} cannot be read ({error}); download the whole folder"))?;
    serde_json::from_slice(&text).map_err(|error| format!("its {name} is not as transformers writes it ({error})"))
}
