//! Picture files given on the command line.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use dinoscope_engine::image::{self, Picture};
use indicatif::ProgressBar;

use super::context::Context;
use super::exit;
use super::pipeline::Pipeline;

const VIDEO_EXTENSIONS: [&str; 7] = ["mp4", "mov", "m4v", "mkv", "webm", "avi", "mpg"];

/// Reads one picture; folders and videos get a message of their own.
pub fn read(path: &Path) -> Result<Picture> {
    ensure!(!path.is_dir(), "{} is a folder: name the pictures in it, as in {0}/*.jpg", path.display());
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if VIDEO_EXTENSIONS.contains(&extension.as_str()) && path.exists() {
        bail!("{} is a video: this version reads pictures only", path.display());
    }
    Ok(image::read(path)?)
}

/// A picture file and the name of its outputs.
pub struct Input {
    /// The file.
    pub path: PathBuf,
    /// Unique among the inputs.
    pub stem: String,
}

/// Pairs files with names for their outputs.
pub fn inputs(paths: &[PathBuf]) -> Vec<Input> {
    let stems = super::output::stems(paths);
    paths.iter().cloned().zip(stems).map(|(path, stem)| Input { path, stem }).collect()
}

/// What became of the inputs of a [`for_each`].
pub struct Outcome<T> {
    /// One per input, `None` where it failed.
    pub results: Vec<Option<T>>,
}

impl<T> Outcome<T> {
    /// # Errors
    /// Where any input failed; each was reported when it did.
    pub fn check(&self) -> Result<()> {
        if self.results.iter().any(Option::is_none) { Err(exit::already_reported()) } else { Ok(()) }
    }
}

/// Takes every input through a [`Pipeline`] that starts with reading the picture, with a progress bar, and reports
/// each failure in one line.
pub fn for_each<Encoded: Send, Written: Send>(
    inputs: &[Input],
    context: &Context,
    stage: &str,
    infer: impl FnMut(&Input, Picture) -> Result<Encoded>,
    write: impl FnMut(&Input, Encoded) -> Result<Written> + Send,
) -> Result<Outcome<Written>> {
    let bar = context.progress_bar(stage, Some(inputs.len() as u64));
    let results = Pipeline { cancel: &context.cancel, strict: context.options.strict }.run(
        inputs,
        |input| read(&input.path),
        infer,
        write,
        |input, result| finished(&bar, input, result),
    );
    bar.finish_and_clear();
    Ok(Outcome { results: results? })
}

fn finished<T>(bar: &ProgressBar, input: &Input, result: &Result<T>) {
    if let Err(error) = result {
        let (file, reason) = (input.path.display().to_string(), exit::one_line(error));
        let line = if reason.contains(&file) { reason } else { format!("{file}: {reason}") };
        bar.suspend(|| eprintln!("dinoscope: {line}"));
    }
    bar.inc(1);
}
