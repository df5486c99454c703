//! `dinoscope doctor`: what this machine offers.

use anyhow::Result;
use dinoscope_engine::backend::Residency;
use dinoscope_engine::doctor::{ModelFit, Report, examine};
use dinoscope_engine::hub::{Hub, size_text};

use super::context::Context;
use super::models::hub_config;

/// What this machine offers
#[derive(clap::Args, Clone, Debug)]
pub struct DoctorArgs {}

/// Runs the subcommand.
pub fn run(_args: &DoctorArgs, context: &Context) -> Result<()> {
    #[cfg(target_os = "linux")]
    keep_graphics_quiet();
    let report = examine(&Hub::new(hub_config(context)));
    if context.options.json {
        return context.say_json(&serde_json::to_value(&report)?);
    }
    for line in lines(&report) {
        context.say(line);
    }
    Ok(())
}

/// Where there is no desktop session, Linux's graphics libraries complain about that on stderr. With any folder for its
/// sockets they look for one in silence, so the program starts anew with that.
#[cfg(target_os = "linux")]
pub fn keep_graphics_quiet() {
    use std::os::unix::process::CommandExt;
    use std::{env, path, process};
    const SESSION: &str = "XDG_RUNTIME_DIR";
    if env::var_os(SESSION).is_some_and(|folder| path::Path::new(&folder).is_absolute()) {
        return;
    }
    if let Ok(program) = env::current_exe() {
        let error = process::Command::new(program).args(env::args_os().skip(1)).env(SESSION, "/tmp").exec();
        log::debug!("cannot start anew: {error}");
    }
}

fn lines(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |label: &str, text: String| lines.push(format!("{label:<10}{text}"));
    say("dinoscope", format!("{} on {}", report.version, report.platform));
    let cpu = &report.cpu;
    let model = cpu.model.as_deref().unwrap_or("unknown model");
    say("CPU", format!("{model}, {} threads, {}", cpu.threads, list(&cpu.features, "no vector extensions")));
    say("memory", {
        let total = size_or_unknown(report.memory.total_bytes);
        format!("{total}, {} available", size_or_unknown(report.memory.available_bytes))
    });
    if let Some(budget) = report.memory.for_weights() {
        say("models", fits(&report.models, budget));
    }
    for gpu in &report.gpus.adapters {
        let features = [("f16", gpu.shader_f16), ("subgroups", gpu.subgroup), ("timers", gpu.timestamp_query)];
        let features: Vec<_> = features.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect();
        let (buffer, binding) = (size_text(gpu.max_buffer_bytes), size_text(gpu.max_binding_bytes));
        let kind = format!("{} ({}, {})", gpu.name, gpu.kind, gpu.backend);
        say("GPU", format!("{kind}, {}, buffers to {buffer}, bindings to {binding}", list(&features, "no extras")));
    }
    if report.gpus.adapters.is_empty() {
        say("GPU", report.gpus.problem.clone().unwrap_or_else(|| "none found".to_owned()));
    }
    let built = |yes: bool| if yes { "built in" } else { "not built in" };
    say("backends", format!("CUDA {}, Metal {}", built(report.cuda_built_in), built(report.metal_built_in)));
    let others = match &report.ffmpeg {
        Some(path) => format!("other codecs by {}", path.display()),
        None => "other codecs need ffmpeg, which is not on PATH".to_owned(),
    };
    say("video", format!("H.264 built in; {others}"));
    let hub = &report.hub;
    let token = hub.token_from.as_ref().map_or("no token".to_owned(), |source| format!("token from {source}"));
    say(
        "hub",
        match (hub.reachable, &hub.problem) {
            (None, _) => format!("{}, not tried (offline), {token}", hub.endpoint),
            (_, Some(problem)) => problem.clone(),
            _ => format!("{} reachable, {token}", hub.endpoint),
        },
    );
    say("cache", format!("{}, {} free", report.cache.path.display(), size_or_unknown(report.cache.free_bytes)));
    if let Some(install) = &report.libraries.install {
        let missing: Vec<_> = report.libraries.missing.iter().map(|library| library.name).collect();
        say("missing", format!("{} (the window needs them): {install}", missing.join(", ")));
    } else if report.platform.starts_with("linux") {
        say("libraries", "all that the window needs are there".to_owned());
    }
    lines
}

/// Which models fit, form by form; the forms that all fit in come together.
fn fits(models: &[ModelFit], budget: u64) -> String {
    let (mut all, mut some) = (Vec::new(), Vec::new());
    for form in 0..models.first().map_or(0, |model| model.fit.forms().len()) {
        let form_of = |model: &ModelFit| model.fit.forms()[form];
        let streams = |model: &&ModelFit| form_of(model).1.residency == Some(Residency::Streaming);
        let streaming: Vec<_> = models.iter().filter(streams).map(|model| model.name).collect();
        let name = form_of(&models[0]).0;
        match streaming.as_slice() {
            [] => all.push(name),
            names => some.push(format!("in {name} all but {}", names.join(", "))),
        }
    }
    if !all.is_empty() {
        some.push(format!("in {} all", all.join(", ")));
    }
    format!("weights of {} fit now: {}; others stream from disk", size_text(budget), some.join("; "))
}

fn list(names: &[&str], none: &str) -> String {
    if names.is_empty() { none.to_owned() } else { names.join(" ") }
}

fn size_or_unknown(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "unknown".to_owned(), size_text)
}
