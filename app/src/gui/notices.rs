//! Sentences for the person: what went wrong, and what would mend it.

use std::time::{Duration, Instant};

use dinoscope_engine::dispatch::Remedy;

/// How long a notice stays that asks for nothing.
const INFO_SHOWN: Duration = Duration::from_secs(6);

/// Errors stay until they are read; so many at most.
const MOST_SHOWN: usize = 4;

/// One sentence.
#[derive(Clone, Debug)]
pub struct Notice {
    /// For people.
    pub message: String,
    /// What a button beside it does.
    pub remedy: Option<Remedy>,
    /// Whether something failed.
    pub is_error: bool,
    born: Instant,
}

/// What is shown now, newest last.
#[derive(Clone, Debug, Default)]
pub struct Notices {
    shown: Vec<Notice>,
}

impl Notices {
    /// Something went well: shown for a while.
    pub fn info(&mut self, message: impl Into<String>) {
        self.push(Notice { message: message.into(), remedy: None, is_error: false, born: Instant::now() });
    }

    /// Something failed: shown until it is dismissed, and logged.
    pub fn error(&mut self, message: &str, remedy: Option<Remedy>) {
        log::error!("{message}");
        self.push(Notice { message: message.to_owned(), remedy, is_error: true, born: Instant::now() });
    }

    /// What is to be shown now; older information goes.
    pub fn current(&mut self) -> &[Notice] {
        self.shown.retain(|notice| notice.is_error || notice.born.elapsed() < INFO_SHOWN);
        &self.shown
    }

    /// Takes one away.
    pub fn dismiss(&mut self, index: usize) {
        if index < self.shown.len() {
            self.shown.remove(index);
        }
    }

    fn push(&mut self, notice: Notice) {
        self.shown.retain(|known| known.message != notice.message);
        self.shown.push(notice);
        if self.shown.len() > MOST_SHOWN {
            self.shown.remove(0);
        }
    }
}
