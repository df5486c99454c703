//! Words: dino.txt, which describes texts and patches by vectors of one space (paper: arXiv 2412.16334; reference:
//! `dinov3/eval/text`).
//!
//! ```text
//! phrase ─ templates ─ tokenizer ─ TextTower ─► class vectors ─┐
//! picture ─ windows ─ Backbone ─ VisionHead ─► patch vectors ──┴─► scores ─► labels
//! ```

mod cache;
mod error;
mod model;
pub mod phrases;
mod scores;
pub mod segment;
pub mod tokenizer;

use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use cache::TextCache;
pub use error::{TextError, WEIGHTS_FILE, WEIGHTS_LICENCE, WEIGHTS_MODEL, WEIGHTS_PAGE, WEIGHTS_SIZE};
pub use model::{ClassVectors, DinoTxt, find_weights};
pub use phrases::Templates;
pub use segment::{Described, Mode, PatchSource, SegmentOptions};
pub use tokenizer::{Tokenizer, Tokens};

pub use crate::classes::{Labels, Scores};
use crate::{Error, Result};

/// Reads a small file: a vocabulary, a list.
fn read_file(path: &Path) -> Result<Vec<u8>> {
    const MAX_BYTES: u64 = 64 << 20;
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::io("read", path))?;
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    Ok(bytes)
}

/// As [`read_file`]; `wrong` makes an error of why it is no text.
fn read_text(path: &Path, wrong: impl FnOnce(String) -> TextError) -> Result<String> {
    let text = String::from_utf8(read_file(path)?);
    Ok(text.map_err(|_| wrong("it is no UTF-8 text".to_owned()))?)
}
