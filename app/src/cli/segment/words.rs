//! A picture divided among phrases, by dino.txt.

use anyhow::Result;
use clap::ValueEnum;
use dinoscope_engine::text::segment::{Mode, PatchSource, WINDOW, WINDOW_STRIDE, segment};
use dinoscope_engine::text::{TextError, phrases};

use super::{Division, ModeChoice, SegmentArgs};
use crate::cli::context::Context;
use crate::cli::exit;
use crate::cli::pictures;
use crate::cli::text::{segment_options, watched};

/// `--patches`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PatchChoice {
    /// Those behind dino.txt's vision head, as it was trained
    Head,
    /// The backbone's own, as the reference's segmentation notebook takes them
    Backbone,
}

/// Compares the picture with the phrases.
pub fn divide(args: &SegmentArgs, context: &Context) -> Result<Division> {
    let mode = mode(args)?;
    let phrases = args.classes.phrases()?;
    check_room(&phrases, args.background)?;
    let mut dinotxt = args.dinotxt.open(context)?;
    let mut encoder = context.load_encoder()?;
    let mut head = dinotxt.head(encoder.config())?;
    let picture = pictures::read(&args.image)?;
    let vectors = args.classes.vectors(&phrases, &mut dinotxt, context)?;
    let mut options = segment_options(&encoder, context);
    options.mode = mode;
    options.patches = match args.patches {
        PatchChoice::Head => PatchSource::Head,
        PatchChoice::Backbone => PatchSource::Backbone,
    };
    let scores = watched(context, |progress| {
        Ok(segment(&mut encoder, head.as_mut(), &picture, &vectors, &options, &context.cancel, progress)?)
    })?;
    let mode = if mode == Mode::Whole { ModeChoice::Whole } else { ModeChoice::Slide };
    let (provenance, by) = (encoder.provenance().clone(), ("dinotxt", dinotxt.weights_sha256()?));
    Ok(Division { picture, scores, names: phrases, provenance, by, mode })
}

fn mode(args: &SegmentArgs) -> Result<Mode> {
    if args.mode == Some(ModeChoice::Whole) {
        return Ok(Mode::Whole);
    }
    let (side, stride) = (args.window.unwrap_or(WINDOW), args.stride.unwrap_or(WINDOW_STRIDE));
    if (1..=side).contains(&stride) {
        return Ok(Mode::Slide { side, stride });
    }
    Err(exit::usage(TextError::Windows { side, stride }.to_string()))
}

/// The background takes a label, too.
fn check_room(phrases: &[String], background: Option<f32>) -> Result<()> {
    let got = phrases.len() + usize::from(background.is_some());
    if got <= phrases::MAX_PHRASES {
        return Ok(());
    }
    Err(exit::usage(TextError::TooManyPhrases { got, most: phrases::MAX_PHRASES }.to_string()))
}
