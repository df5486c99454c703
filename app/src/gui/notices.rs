//! Sentences for the person: what went wrong, and what would mend it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use dinoscope_engine::dispatch::Remedy;

/// How long a notice stays that asks for nothing.
const INFO_SHOWN: Duration = Duration::from_secs(6);

/// Errors stay until they are read; so many at most.
const MOST_SHOWN: usize = 4;

/// What a button beside a sentence does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Mends what failed.
    Mend(Remedy),
    /// Shows a file in its folder.
    ShowFile(PathBuf),
}

/// One sentence.
#[derive(Clone, Debug)]
pub struct Notice {
    /// For people.
    pub message: String,
    /// What a button beside it does.
    pub offer: Option<Offer>,
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
        self.push(message.into(), None, false);
    }

    /// A file was written.
    pub fn written(&mut self, path: PathBuf) {
        self.push(format!("Saved {}", path.display()), Some(Offer::ShowFile(path)), false);
    }

    /// Something failed: shown until it is dismissed, and logged.
    pub fn error(&mut self, message: &str, remedy: Option<Remedy>) {
        log::error!("{message}");
        self.push(message.to_owned(), remedy.map(Offer::Mend), true);
    }

    /// What is to be shown now; older information goes.
    pub fn current(&mut self) -> &[Notice] {
        self.shown.retain(|notice| notice.is_error || notice.born.elapsed() < INFO_SHOWN);
        &self.shown
    }

    /// When the next one goes by itself.
    pub fn next_end(&self) -> Option<Duration> {
        let passing = self.shown.iter().filter(|notice| !notice.is_error);
        passing.map(|notice| INFO_SHOWN.saturating_sub(notice.born.elapsed())).min()
    }

    /// Takes one away.
    pub fn dismiss(&mut self, index: usize) {
        if index < self.shown.len() {
            self.shown.remove(index);
        }
    }

    fn push(&mut self, message: String, offer: Option<Offer>, is_error: bool) {
        self.shown.retain(|known| known.message != message);
        self.shown.push(Notice { message, offer, is_error, born: Instant::now() });
        if self.shown.len() > MOST_SHOWN {
            // What passes by itself makes room first, so that failures are not pushed out unread.
            let passing = self.shown.iter().position(|notice| !notice.is_error).unwrap_or(0);
            self.shown.remove(passing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_stay_and_the_same_one_stands_once() {
        let mut notices = Notices::default();
        for number in 0..3 {
            notices.error(&format!("failure {number}"), None);
        }
        notices.error("failure 0", None);
        (0..3).for_each(|number| notices.info(format!("information {number}")));
        let messages: Vec<&str> = notices.current().iter().map(|notice| notice.message.as_str()).collect();
        assert_eq!(messages, ["failure 1", "failure 2", "failure 0", "information 2"]);
        notices.dismiss(0);
        notices.dismiss(99);
        assert_eq!(notices.current().len(), 3);
    }
}
