//! Log lines of the engine on stderr.

use log::{LevelFilter, Log, Metadata, Record};

use super::options::CommonOptions;

struct StderrLogger;

static LOGGER: StderrLogger = StderrLogger;

/// Warnings by default, errors with `-q`, information with `-v`, everything of this program with `-vv`.
pub fn install(options: &CommonOptions) {
    let level = match (options.quiet, options.verbose) {
        (true, _) => LevelFilter::Error,
        (false, 0) => LevelFilter::Warn,
        (false, 1) => LevelFilter::Info,
        (false, _) => LevelFilter::Debug,
    };
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(level);
    }
}

impl Log for StderrLogger {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.target().starts_with("dinoscope")
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            eprintln!("dinoscope: {}", record.args());
        }
    }

    fn flush(&self) {}
}
