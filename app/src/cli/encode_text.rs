//! `dinoscope encode-text`: vectors of texts as a file.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use dinoscope_engine::output::{Numbers, write_safetensors};
use dinoscope_engine::text::Tokens;
use dinoscope_engine::text::phrases;
use dinoscope_engine::text::tokenizer::CONTEXT;
use serde_json::json;

use super::context::Context;
use super::exit;
use super::output::check_file;
use super::text::{DinotxtOptions, watched};

/// Write the vectors of texts to a file
///
/// Needs dino.txt's weights, but no backbone. The file holds `tokens` [n, 77] i64 and `text` [n, D] f32 as the text
/// tower gives them, not normalised; the first half of a vector goes with the CLS token of a picture, the second half
/// with its patches.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope encode-text 'a photo of a cat' 'a photo of a dog' --dinotxt-weights dinotxt.pth -o texts.safetensors
  dinoscope encode-text --file texts.txt -o texts.safetensors")]
pub struct EncodeTextArgs {
    /// Texts
    #[arg(value_name = "TEXT", required_unless_present = "file", conflicts_with = "file")]
    texts: Vec<String>,

    /// A file with a text a line, instead
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    #[command(flatten)]
    dinotxt: DinotxtOptions,

    /// Where to write
    #[arg(short, long, value_name = "OUT.safetensors")]
    output: PathBuf,
}

/// Runs the subcommand.
pub fn run(args: &EncodeTextArgs, context: &Context) -> Result<()> {
    check_file(&args.output, &args.file.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
    let texts = match &args.file {
        Some(file) => phrases::open(file)?,
        None => args.texts.clone(),
    };
    if texts.is_empty() {
        return Err(exit::usage("the file holds no text".to_owned()));
    }
    let mut dinotxt = args.dinotxt.open(context)?;
    let tokens: Vec<Tokens> = texts.iter().map(|text| dinotxt.tokenizer().tokenize(text)).collect();
    let vectors = watched(context, |progress| Ok(dinotxt.encode(&tokens, &context.cancel, progress)?))?;
    let ids: Vec<i64> = tokens.iter().flat_map(|tokens| tokens.0).map(i64::from).collect();
    let (count, dim) = vectors.dim();
    let numbers: Vec<f32> = vectors.into_iter().collect();
    let sha256 = dinotxt.weights_sha256()?;
    let metadata = [
        ("software", concat!("dinoscope ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("dinotxt", sha256.clone()),
        ("dtype", dinotxt.dtype().name().to_owned()),
    ];
    let tensors =
        [("tokens", &[count, CONTEXT][..], Numbers::I64(&ids)), ("text", &[count, dim][..], Numbers::F32(&numbers))];
    write_safetensors(&args.output, &tensors, &metadata)?;
    context.say(format!("{count} texts of {dim} numbers → {}", args.output.display()));
    context.say_json(&json!({
        "dinotxt": sha256,
        "texts": count,
        "dim": dim,
        "output": args.output.to_string_lossy(),
    }))
}
