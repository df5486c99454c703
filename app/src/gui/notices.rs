//! Sentences for the person: what went wrong, and what would mend it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use dinoscope_engine::dispatch::Remedy;

/// How long a notice stays that asks for nothing.
const INFO_SHOWN: Duration = Duration::from_secs(6);

/// How long a failure stays that offers nothing: it is in the log.
const ERROR_SHOWN: Duration = Duration::from_secs(30);

/// At once; more would hide the picture.
const MOST_SHOWN: usize = 3;

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

    /// Something failed: logged, and shown for long, or until it is answered where something would mend it.
    pub fn error(&mut self, message: &str, remedy: Option<Remedy>) {
        log::error!("{message}");
        self.push(sentence(message), remedy.map(Offer::Mend), true);
    }

    /// What is to be shown now; older information goes.
    pub fn current(&mut self) -> &[Notice] {
        self.shown.retain(|notice| notice.left() != Some(Duration::ZERO));
        &self.shown
    }

    /// When the next one goes by itself.
    pub fn next_end(&self) -> Option<Duration> {
        self.shown.iter().filter_map(Notice::left).min()
    }

    /// Takes the newest one away; whether there was one.
    pub fn dismiss_newest(&mut self) -> bool {
        self.shown.pop().is_some()
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
            // What passes by itself makes room first, so that failures are not pushed out unread; the newest stays.
            let older = &self.shown[..MOST_SHOWN];
            let passing = older.iter().position(|notice| !notice.is_error).unwrap_or(0);
            self.shown.remove(passing);
        }
    }
}

/// The engine's messages begin in lower case, as parts of longer ones; names of files and models stay as they are.
fn sentence(message: &str) -> String {
    let word = message.split(' ').next().unwrap_or_default();
    if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return message.to_owned();
    }
    format!("{}{}", message[..1].to_ascii_uppercase(), &message[1..])
}

impl Notice {
    /// Until it goes by itself; `None` where it waits for an answer.
    fn left(&self) -> Option<Duration> {
        let shown = match (self.is_error, &self.offer) {
            (false, _) => INFO_SHOWN,
            (true, None) => ERROR_SHOWN,
            (true, Some(_)) => return None,
        };
        Some(shown.saturating_sub(self.born.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(notices: &mut Notices) -> Vec<String> {
        notices.current().iter().map(|notice| notice.message.clone()).collect()
    }

    #[test]
    fn failures_stay_and_the_same_one_stands_once() {
        let mut notices = Notices::default();
        for number in 0..2 {
            notices.error(&format!("Failure {number}"), None);
        }
        notices.error("Failure 0", None);
        (0..3).for_each(|number| notices.info(format!("information {number}")));
        assert_eq!(messages(&mut notices), ["Failure 1", "Failure 0", "information 2"]);
        notices.dismiss(0);
        notices.dismiss(99);
        assert_eq!(messages(&mut notices), ["Failure 0", "information 2"]);
        assert!(notices.dismiss_newest() && notices.dismiss_newest() && !notices.dismiss_newest());
    }

    #[test]
    fn sentences_begin_with_a_capital() {
        assert_eq!(sentence("cannot read x"), "Cannot read x");
        for name in ["cat.png is gone", "/tmp/x is gone", "vits16 is gone", "\"x\" is gone", "", "Öl"] {
            assert_eq!(sentence(name), name);
        }
    }

    #[test]
    fn news_are_shown_however_many_failures_there_are() {
        let mut notices = Notices::default();
        (0..9).for_each(|number| notices.error(&format!("Failure {number}"), None));
        assert_eq!(messages(&mut notices), ["Failure 6", "Failure 7", "Failure 8"]);
        notices.info("saved");
        assert_eq!(messages(&mut notices), ["Failure 7", "Failure 8", "saved"]);
    }
}
