//! What every subcommand gets: the common options, the stop flag, and a way to talk to the person.

use std::io::{IsTerminal, Write, stderr, stdout};

use anyhow::{Context as _, Result};
use dinoscope_engine::backend::{OpenDevice, Residency};
use dinoscope_engine::encoder::{Encoder, Provenance};
use dinoscope_engine::{Cancel, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::options::CommonOptions;

/// What every subcommand gets.
pub struct Context {
    /// Options that every subcommand understands.
    pub options: CommonOptions,
    /// Set by Ctrl-C.
    pub cancel: Cancel,
}

impl Context {
    /// Loads the model that the options name.
    pub fn load_encoder(&self) -> Result<Encoder> {
        let options = &self.options;
        let encoder = Encoder::load(&options.source(), &options.device, options.placement())?;
        let Provenance { model, weights, device, dtype } = encoder.provenance();
        let threads = rayon::current_num_threads();
        log::info!(
            "{model} (weights {weights}) on {device}, {dtype}, {threads} threads{}",
            residency_text(encoder.residency())
        );
        options.check_size(encoder.config().stride())?;
        Ok(encoder)
    }

    /// The device that the options name, for a network beside a model that is loaded: where that runs through wgpu, the very
    /// same.
    pub fn open_device(&self, beside: Option<&Encoder>) -> Result<OpenDevice> {
        let gpu = beside.and_then(Encoder::gpu);
        Ok(OpenDevice::open(&self.options.device, self.options.dtype, gpu)?)
    }

    /// One line for people on stdout; silent with `--json`, which owns stdout, and with `-q`.
    pub fn say(&self, line: impl std::fmt::Display) {
        if !self.options.json && !self.options.quiet {
            print_line(&line.to_string());
        }
    }

    /// The result of `--json`, one object; silent without it.
    pub fn say_json(&self, value: &Value) -> Result<()> {
        if self.options.json {
            let mut out = stdout().lock();
            serde_json::to_writer_pretty(&mut out, value)
                .and_then(|()| writeln!(out).map_err(serde_json::Error::io))
                .or_else(|error| {
                    // A reader that closes the pipe early (`| head`) has what it wanted.
                    if error.io_error_kind() == Some(std::io::ErrorKind::BrokenPipe) { Ok(()) } else { Err(error) }
                })
                .context("cannot write to stdout")?;
        }
        Ok(())
    }

    /// A bar on stderr; hidden with `-q` and where stderr is no terminal.
    pub fn progress_bar(&self, stage: &str, total: Option<u64>) -> ProgressBar {
        let target = if self.options.quiet || !stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(total, target);
        let template = "{msg} {wide_bar} {pos}/{len} {per_sec} {eta}";
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(stage.to_owned());
        bar
    }
}

/// What there is to say about where the weights are, after a comma.
pub fn residency_text(residency: Residency) -> &'static str {
    match residency {
        Residency::Resident => "",
        Residency::Quantised => ", weights quantised in memory",
        Residency::Streaming => ", weights streaming from their file",
    }
}

/// Shows a report of the engine on a bar.
pub fn show_progress(bar: &ProgressBar, progress: &Progress) {
    bar.set_message(progress.stage.clone());
    if let Some(total) = progress.total {
        bar.set_length(total);
    }
    bar.set_position(progress.done);
}

/// Prints without a panic where the reader has closed the pipe.
pub fn print_line(line: &str) {
    let _ = writeln!(stdout().lock(), "{line}");
}
