//! Exit statuses, and the one line that goes with a failure.

use std::fmt;
use std::process::ExitCode;

use anyhow::{Error, Result};

/// Failed.
const FAILED: u8 = 1;
/// Wrong arguments; clap exits with the same.
const USAGE: u8 = 2;
/// Stopped by Ctrl-C: 128 + SIGINT.
pub const INTERRUPTED: u8 = 130;

/// Arguments that turned out wrong after they were parsed.
#[derive(Debug)]
struct Usage(String);

/// Some inputs failed, and each was reported when it did.
#[derive(Debug)]
struct AlreadyReported;

/// An error that exits with status 2.
pub fn usage(message: impl Into<String>) -> Error {
    Error::new(Usage(message.into()))
}

/// An error that exits with status 1 and prints nothing more.
pub fn already_reported() -> Error {
    Error::new(AlreadyReported)
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for AlreadyReported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("some inputs failed")
    }
}

impl std::error::Error for Usage {}
impl std::error::Error for AlreadyReported {}

/// The status of a finished command; prints why it failed.
pub fn code_of(result: Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if error.is::<AlreadyReported>() {
        return FAILED.into();
    }
    if is_cancelled(&error) {
        eprintln!("dinoscope: interrupted");
        return INTERRUPTED.into();
    }
    eprintln!("dinoscope: {}", one_line(&error));
    if error.is::<Usage>() { USAGE.into() } else { FAILED.into() }
}

/// Whether the person asked to stop.
pub fn is_cancelled(error: &Error) -> bool {
    matches!(error.downcast_ref(), Some(dinoscope_engine::Error::Cancelled))
}

/// The error and its causes in one line. A cause that the text before it already spells out is left out.
pub fn one_line(error: &Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once() {
        let error = Error::msg("no space").context("cannot write a.png: no space").context("similarity");
        assert_eq!(one_line(&error), "similarity: cannot write a.png: no space");
    }
}
