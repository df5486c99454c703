//! Picture files given on the command line.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Error, Result, bail, ensure};
use dinoscope_engine::analysis::foreground::{self, PatchMask};
use dinoscope_engine::encoder::Encoder;
use dinoscope_engine::features::Geometry;
use dinoscope_engine::image::folder::is_picture;
use dinoscope_engine::image::{self, Mask, Picture, Pixels, Preprocessing};
use indicatif::ProgressBar;

use super::context::Context;
use super::exit;
use super::output;
use super::pipeline::Pipeline;

const VIDEO_EXTENSIONS: [&str; 7] = ["mp4", "mov", "m4v", "mkv", "webm", "avi", "mpg"];

/// A picture to work on, and the name of its outputs.
pub struct Input {
    /// The file, or the name of an embedded one.
    pub path: PathBuf,
    /// Unique among the inputs.
    pub stem: String,
    /// The content of a picture that is part of the program.
    pub embedded: Option<&'static [u8]>,
}

impl Input {
    /// A file whose outputs need no name of their own.
    pub fn of_file(path: PathBuf) -> Self {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self { path, stem, embedded: None }
    }

    /// Reads it.
    pub fn read(&self) -> Result<Picture> {
        match self.embedded {
            Some(bytes) => Ok(image::decode::from_bytes(&self.path, bytes)?),
            None => read(&self.path),
        }
    }
}

/// Pairs files with names for their outputs.
pub fn inputs(paths: &[PathBuf]) -> Vec<Input> {
    let stems = output::stems(paths);
    paths.iter().cloned().zip(stems).map(|(path, stem)| Input { path, stem, embedded: None }).collect()
}

/// The picture files of a folder, by name.
pub fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths.filter(|path| is_picture(path)).collect();
    ensure!(!paths.is_empty(), "{} holds no pictures", folder.display());
    paths.sort();
    Ok(paths)
}

/// Reads one picture file; folders and videos get a message of their own.
pub fn read(path: &Path) -> Result<Picture> {
    ensure!(!path.is_dir(), "{} is a folder: name the pictures in it, as in {0}/*.jpg", path.display());
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if path.exists() && VIDEO_EXTENSIONS.contains(&extension.as_str()) {
        bail!("{} is a video: 'pca' takes one with -o OUT.mp4, 'track' follows objects in one", path.display());
    }
    Ok(image::read(path)?)
}

/// The patches that a mask covers by more than half.
pub fn mask_on_grid(mask: &Mask, path: &Path, geometry: &Geometry) -> Result<PatchMask> {
    let patches = foreground::from_mask(&mask.to_array(), geometry).with_context(|| path.display().to_string())?;
    ensure!(
        patches.iter().any(|&inside| inside),
        "{} covers no patch by more than half: use a larger mask or a larger --size",
        path.display()
    );
    Ok(patches)
}

/// How pictures become the input of one model.
pub struct Prepare {
    preprocessing: Preprocessing,
    stride: usize,
}

/// A picture as it is and as the model reads it.
pub struct Prepared {
    /// Original size.
    pub picture: Picture,
    /// The model's input.
    pub pixels: Pixels,
    /// How they lie over each other.
    pub geometry: Geometry,
}

impl Prepare {
    /// For `encoder`, as the common options ask.
    pub fn new(encoder: &Encoder, context: &Context) -> Self {
        Self {
            preprocessing: context.options.preprocessing(encoder.normalisation()),
            stride: encoder.config().stride(),
        }
    }

    /// For `encoder`, in another way than the common options ask.
    pub fn with(preprocessing: Preprocessing, encoder: &Encoder) -> Self {
        Self { preprocessing, stride: encoder.config().stride() }
    }

    /// Reads and resizes one picture file.
    pub fn file(&self, path: &Path) -> Result<Prepared> {
        self.picture(read(path)?)
    }

    /// Resizes a picture that is already read.
    pub fn picture(&self, picture: Picture) -> Result<Prepared> {
        let (pixels, geometry) = self.preprocessing.apply(&picture, self.stride)?;
        Ok(Prepared { picture, pixels, geometry })
    }
}

/// What became of the inputs of [`for_each`]: one entry per input, `None` where it failed.
pub struct Outcome<T>(pub Vec<Option<T>>);

impl<T> Outcome<T> {
    /// # Errors
    /// Where any input failed; each was reported when it did.
    pub fn check(&self) -> Result<()> {
        if self.0.iter().any(Option::is_none) { Err(exit::already_reported()) } else { Ok(()) }
    }
}

/// Takes every input through a [`Pipeline`] that starts with reading and resizing, shows how far it is, and reports
/// each failure in one line.
pub fn for_each<Encoded: Send, Written: Send>(
    inputs: &[Input],
    context: &Context,
    prepare: &Prepare,
    stage: &str,
    infer: impl FnMut(&Input, Prepared) -> Result<Encoded>,
    write: impl FnMut(&Input, Encoded) -> Result<Written> + Send,
) -> Result<Outcome<Written>> {
    for_each_read(inputs, context, stage, |input| prepare.picture(input.read()?), infer, write)
}

/// As [`for_each`], with another first stage.
pub fn for_each_read<Decoded: Send, Encoded: Send, Written: Send>(
    inputs: &[Input],
    context: &Context,
    stage: &str,
    read: impl Fn(&Input) -> Result<Decoded> + Send,
    infer: impl FnMut(&Input, Decoded) -> Result<Encoded>,
    write: impl FnMut(&Input, Encoded) -> Result<Written> + Send,
) -> Result<Outcome<Written>> {
    let bar = context.progress_bar(stage, Some(inputs.len() as u64));
    let results = Pipeline { cancel: &context.cancel, strict: context.options.strict }.run(
        inputs,
        read,
        infer,
        write,
        |input, result| finished(&bar, input, result),
    );
    bar.finish_and_clear();
    Ok(Outcome(results?))
}

fn finished<T>(bar: &ProgressBar, input: &Input, result: &Result<T>) {
    if let Err(error) = result {
        bar.suspend(|| eprintln!("dinoscope: {}", failure(input, error)));
    }
    bar.inc(1);
}

/// Why an input failed, in one line that names it.
pub fn failure(input: &Input, error: &Error) -> String {
    // A name may hold line breaks.
    let file = exit::one_line(&Error::msg(input.path.display().to_string()));
    let reason = exit::one_line(error);
    if reason.contains(&file) { reason } else { format!("{file}: {reason}") }
}
