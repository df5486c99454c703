//! `dinoscope models`: which models there are, which of them are here, and how to get them.

mod quantize;
mod table;

use std::cell::RefCell;
use std::io::{BufRead, IsTerminal, stdin};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use clap::{Args, Subcommand};
use dinoscope_engine::checkpoint::{Inspection, Quantisation, Weights};
use dinoscope_engine::hub::{Hub, HubConfig, HubModel, Licence, Source};
use dinoscope_engine::model::zoo::{self, ZooModel};
use dinoscope_engine::{Cancel, Progress};
use indicatif::ProgressStyle;
use serde_json::{Value, json};

use super::context::{Context, print_line, show_progress};
use super::options::model_names;

/// The models: which there are, which are on this machine
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:\n  dinoscope models\n  dinoscope models download vits16\n  \
                        dinoscope models inspect model.safetensors --json")]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: Option<ModelsCommand>,
}

#[derive(Subcommand, Clone, Debug)]
enum ModelsCommand {
    /// Download a model into the Hugging Face cache; an interrupted download goes on where it stopped
    Download {
        /// A name from `dinoscope models`
        #[arg(value_parser = model_names(), hide_possible_values = true)]
        name: String,
        /// Meta's own repository, which asks for access and a token (HF_TOKEN), instead of timm's open copy
        #[arg(long)]
        gated: bool,
        /// Accept the licence that is shown, without a question
        #[arg(long)]
        yes: bool,
    },
    /// Show the layout, architecture and tensors of a checkpoint
    Inspect {
        /// A checkpoint (.pth, .safetensors, .gguf) or a hub-style folder
        path: PathBuf,
    },
    Quantize(quantize::QuantizeArgs),
    /// Delete a downloaded model from the Hugging Face cache
    Remove {
        /// A name from `dinoscope models`
        #[arg(value_parser = model_names(), hide_possible_values = true)]
        name: String,
    },
    /// Print the folder of the Hugging Face cache
    Path,
}

/// Runs the subcommand.
pub fn run(args: &ModelsArgs, context: &Context) -> Result<()> {
    let hub = Hub::new(hub_config(context));
    match &args.command {
        None => table::run(&hub, context),
        Some(ModelsCommand::Download { name, gated, yes }) => {
            let source = if *gated { Source::Gated } else { Source::Public };
            download(&hub, find(name)?, source, *yes, context)
        }
        Some(ModelsCommand::Inspect { path }) => inspect(&Weights::open(path)?.inspect(), context),
        Some(ModelsCommand::Quantize(args)) => quantize::run(args, &hub, context),
        Some(ModelsCommand::Remove { name }) => remove(&hub, find(name)?, context),
        Some(ModelsCommand::Path) => {
            show(context, &json!({"path": hub.path()}), || vec![hub.path().display().to_string()])
        }
    }
}

/// The hub as the environment and `--offline` say.
pub fn hub_config(context: &Context) -> HubConfig {
    let mut config = HubConfig::from_env();
    config.offline |= context.options.offline;
    config
}

/// The result itself: one object with `--json`, lines for people without.
fn show(context: &Context, value: &Value, lines: impl FnOnce() -> Vec<String>) -> Result<()> {
    if context.options.json {
        return context.say_json(value);
    }
    for line in lines() {
        print_line(&line);
    }
    Ok(())
}

fn find(name: &str) -> Result<&'static ZooModel> {
    zoo::find(name).ok_or_else(|| anyhow!("there is no model named {name}: `dinoscope models` lists them"))
}

/// Pads every column but the last to its widest cell.
fn align<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let widths: Vec<_> = (0..N).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0)).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn download(hub: &Hub, model: &ZooModel, source: Source, yes: bool, context: &Context) -> Result<()> {
    let Some(on_hub) = HubModel::from_zoo(model) else {
        return show(context, &json!({"name": model.name, "repo": null, "path": null}), || {
            vec![format!("{} is part of the program: there is nothing to download", model.name)]
        });
    };
    let repo = on_hub.repo(source)?;
    let is_needed = hub.locate_repo(repo).is_none();
    // Without the network there is nothing to consent to: the engine says so.
    if let Some(licence) = on_hub.licence.as_ref().filter(|_| is_needed && !hub.config().offline) {
        accept(licence, model.name, yes, context)?;
    }
    let bar = context.progress_bar("", None);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    bar.set_style(style?);
    let stage = RefCell::new(String::new());
    let report = |progress: Progress| {
        if *stage.borrow() != progress.stage {
            // A new file: speed and remaining time start anew, at the place where it is resumed.
            bar.reset();
            bar.set_position(progress.done);
            bar.reset_eta();
            log::info!("{}", progress.stage);
            stage.replace(progress.stage.clone());
        }
        show_progress(&bar, &progress);
    };
    let path = hub.download(&on_hub, source, true, &report, &context.cancel);
    bar.finish_and_clear();
    let path = path?;
    show(context, &json!({"name": model.name, "repo": repo.id, "path": path}), || {
        let name = model.name;
        vec![if is_needed {
            format!("{name} is in {}", path.display())
        } else {
            format!("{name} was there already: {}", path.display())
        }]
    })
}

/// Shows the terms, and asks unless `--yes` answers.
fn accept(licence: &Licence, model: &str, yes: bool, context: &Context) -> Result<()> {
    eprintln!("{model} is under the {} ({})\n{}", licence.name, licence.url, licence.summary);
    if yes {
        return Ok(());
    }
    if !stdin().is_terminal() {
        bail!("{model} was not downloaded: read the {} ({}) and accept it with --yes", licence.name, licence.url);
    }
    eprint!("Do you accept it? [y/N] ");
    if !matches!(read_answer(&context.cancel)?.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        bail!("{model} was not downloaded: the {} was not accepted", licence.name);
    }
    Ok(())
}

/// A line from the terminal. The read itself does not end on Ctrl-C, hence the thread, which ends with the program.
fn read_answer(cancel: &Cancel) -> Result<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut answer = String::new();
        let _ = sender.send(stdin().lock().read_line(&mut answer).map(|_| answer));
    });
    loop {
        cancel.check()?;
        if let Ok(answer) = receiver.recv_timeout(Duration::from_millis(50)) {
            return Ok(answer?);
        }
    }
}

fn inspect(found: &Inspection, context: &Context) -> Result<()> {
    let value = serde_json::to_value(found)?;
    show(context, &value, || {
        let word = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let pairs = |key: &str| -> String {
            let fields = value[key].as_object().into_iter().flatten();
            fields.map(|(name, value)| format!("{name} {}", plain(value))).collect::<Vec<_>>().join(", ")
        };
        let mut lines = vec![
            word("path"),
            format!("layout      {}", word("layout")),
            format!("model       {}", pairs("config")),
            format!("parameters  {}", found.parameters),
            format!("tensors     {} ({})", found.tensors.len(), pairs("dtypes")),
        ];
        if let Some(Quantisation { bits, source, accuracy, .. }) = &found.quantisation {
            lines.push(format!("quantised   {source} in {bits} bits"));
            lines.extend(accuracy.map(|accuracy| format!("accuracy    {}", quantize::accuracy_text(accuracy))));
        }
        let tensors = found.tensors.iter().map(|t| [t.name.clone(), t.dtype.to_string(), format!("{:?}", t.shape)]);
        lines.extend(align(&tensors.collect::<Vec<_>>()));
        lines
    })
}

/// A JSON value without quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

fn remove(hub: &Hub, model: &ZooModel, context: &Context) -> Result<()> {
    let Some(on_hub) = HubModel::from_zoo(model) else {
        bail!("{} is part of the program and cannot be removed", model.name);
    };
    let removed = hub.remove(&on_hub)?;
    show(context, &json!({"name": model.name, "removed": removed}), || {
        vec![if removed {
            format!("{} was deleted", model.name)
        } else {
            format!("{} was not on this machine", model.name)
        }]
    })
}
