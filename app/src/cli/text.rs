//! What the subcommands that read text share: their options, and what they make of them.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use dinoscope_engine::Progress;
use dinoscope_engine::encoder::Encoder;
use dinoscope_engine::text::segment::SegmentOptions;
use dinoscope_engine::text::{ClassVectors, DinoTxt, Templates, TextCache, find_weights, phrases};
use indicatif::ProgressBar;

use super::context::{Context, show_progress};
use super::exit;

/// Where dino.txt comes from.
#[derive(Args, Debug)]
pub struct DinotxtOptions {
    /// dino.txt's vision head and text tower, Meta's .pth [default: where torch.hub stores it]
    #[arg(long, value_name = "PATH")]
    dinotxt_weights: Option<PathBuf>,

    /// A byte-pair vocabulary other than CLIP's published one
    #[arg(long, value_name = "FILE")]
    vocab: Option<PathBuf>,
}

impl DinotxtOptions {
    /// Whether a file was named.
    pub fn is_given(&self) -> bool {
        self.dinotxt_weights.is_some()
    }

    /// Opens the weights and the vocabulary.
    pub fn open(&self, context: &Context) -> Result<DinoTxt> {
        let weights = self.dinotxt_weights.clone().map_or_else(find_weights, Ok)?;
        let options = &context.options;
        let device = context.open_device(None)?;
        Ok(DinoTxt::open(&weights, self.vocab.as_deref(), device, options.dtype, TextCache::of_user())?)
    }
}

/// What is looked for.
#[derive(Args, Debug)]
pub struct ClassOptions {
    /// A phrase; repeat it for each class
    #[arg(long, value_name = "PHRASE", conflicts_with = "classes")]
    text: Vec<String>,

    /// A file with a phrase a line, or ade20k, cityscapes, coco-stuff, imagenet or voc
    #[arg(long, value_name = "LIST")]
    classes: Option<String>,

    /// Sentences around each phrase: imagenet (CLIP's 80), none, or a file with one a line, {} being the phrase
    #[arg(long, value_name = "LIST", default_value = "imagenet")]
    templates: String,
}

impl ClassOptions {
    /// Whether any class was named.
    pub fn is_any(&self) -> bool {
        !self.text.is_empty() || self.classes.is_some()
    }

    /// Whether classes were named by phrases.
    pub fn is_text(&self) -> bool {
        !self.text.is_empty()
    }

    /// What `--classes` names.
    pub fn list(&self) -> Result<Option<Vec<String>>> {
        let read = |list: &String| phrases::preset(list).map_or_else(|| phrases::open(list.as_ref()), Ok);
        Ok(self.classes.as_ref().map(read).transpose()?)
    }

    /// The phrases, in their order.
    pub fn phrases(&self) -> Result<Vec<String>> {
        let all = self.list()?.unwrap_or_else(|| self.text.clone());
        phrases::check(&all).map_err(|error| exit::usage(error.to_string()))?;
        Ok(all)
    }

    /// The phrases' vectors.
    pub fn vectors(&self, phrases: &[String], dinotxt: &mut DinoTxt, context: &Context) -> Result<ClassVectors> {
        let templates = match self.templates.as_str() {
            "imagenet" => Templates::imagenet(),
            "none" => Templates::none(),
            file => Templates::open(file.as_ref())?,
        };
        watched(context, |progress| Ok(dinotxt.class_vectors(phrases, &templates, &context.cancel, progress)?))
    }
}

/// How a picture is brought to a model, as the common options ask.
pub fn segment_options(encoder: &Encoder, context: &Context) -> SegmentOptions {
    let options = &context.options;
    let defaults = SegmentOptions::new(options.normalisation(encoder.normalisation()));
    SegmentOptions {
        size: options.size.unwrap_or(defaults.size),
        filter: options.filter().unwrap_or(defaults.filter),
        ..defaults
    }
}

/// Shows how far `work` is.
pub fn watched<T>(context: &Context, work: impl FnOnce(&dyn Fn(Progress)) -> Result<T>) -> Result<T> {
    let bar: ProgressBar = context.progress_bar("", None);
    let result = work(&|progress| show_progress(&bar, &progress));
    bar.finish_and_clear();
    result
}
