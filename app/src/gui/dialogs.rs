//! The system's dialogs for files, each on a thread of its own; one at a time.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::{Duration, Instant};

use dinoscope_engine::dispatch::{Export, PictureId};
use dinoscope_engine::heads::Task;

/// Nobody cancels a dialog faster: one that ends within this time was never shown.
const LEAST_SHOWN: Duration = Duration::from_millis(250);

/// How many files are asked for, and whether they exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuestionKind {
    /// One file that exists.
    OpenOne,
    /// Several that exist.
    OpenMany,
    /// A folder that exists.
    OpenFolder,
    /// One that is written.
    Save,
}

/// What a person is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// How many files.
    pub kind: QuestionKind,
    /// Title of the dialog.
    pub title: &'static str,
    /// Name of the filter, and endings without a dot.
    pub filter: Option<(&'static str, Vec<String>)>,
    /// Where the dialog starts.
    pub folder: Option<PathBuf>,
    /// Suggested for a file that is written.
    pub file_name: String,
}

/// Files that were chosen, none where the person cancelled; or one sentence where no dialog could be shown.
pub type Answer = Result<Vec<PathBuf>, String>;

/// Shows a dialog and waits for the answer: the system's, or that of a test.
#[derive(Clone)]
pub struct AskPerson(Arc<dyn Fn(&Question) -> Answer + Send + Sync>);

impl AskPerson {
    /// Answers with `answer`, on a thread of its own.
    pub fn new(answer: impl Fn(&Question) -> Answer + Send + Sync + 'static) -> Self {
        Self(Arc::new(answer))
    }
}

impl Default for AskPerson {
    fn default() -> Self {
        Self::new(system)
    }
}

impl fmt::Debug for AskPerson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AskPerson")
    }
}

/// What the answer is for.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// Files to look at.
    Open,
    /// A checkpoint to encode with.
    UseCheckpoint,
    /// A workspace to open.
    OpenWorkspace,
    /// Where the workspace is written.
    SaveWorkspace,
    /// The mask of this picture's foreground.
    Mask(PictureId),
    /// The objects of this frame of a clip.
    Labels(PictureId),
    /// dino.txt's weights.
    Dinotxt,
    /// A published head's weights.
    Head(Task),
    /// A PCA basis to use.
    Basis,
    /// A probe to use.
    Probe,
    /// A folder of pictures to search, or an index.
    Collection,
    /// A folder in which the index of what is searched is kept.
    IndexFolder,
    /// Where this is written, with its metadata.
    Export(Box<Export>, Vec<(String, String)>),
}

/// The dialog that is open, if any.
#[derive(Debug, Default)]
pub struct Dialogs {
    ask: AskPerson,
    open: Option<(Purpose, Receiver<Answer>)>,
}

impl Dialogs {
    /// Dialogs that `ask` answers.
    pub fn new(ask: AskPerson) -> Self {
        Self { ask, open: None }
    }

    /// Whether one is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Opens a dialog, unless one is open already; `wake` is called when it is answered.
    pub fn ask(&mut self, purpose: Purpose, question: Question, wake: impl FnOnce() + Send + 'static) {
        if self.is_open() {
            return;
        }
        let (sender, receiver) = mpsc::channel();
        let ask = self.ask.clone();
        let show = move || {
            // The window may be closed by now; then nobody wants to know.
            let _ = sender.send((ask.0)(&question).map(|paths| complete(&question, paths)));
            wake();
        };
        match std::thread::Builder::new().name("dialog".to_owned()).spawn(show) {
            Ok(_) => self.open = Some((purpose, receiver)),
            Err(error) => log::error!("no thread for a dialog: {error}"),
        }
    }

    /// The answer, once there is one.
    pub fn answer(&mut self) -> Option<(Purpose, Answer)> {
        let (_, receiver) = self.open.as_ref()?;
        let answer = match receiver.try_recv() {
            Ok(answer) => answer,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err("The dialog ended unexpectedly".to_owned()),
        };
        self.open.take().map(|(purpose, _)| (purpose, answer))
    }
}

/// Names without an ending get the suggested one, as long as that overwrites nothing.
fn complete(question: &Question, mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.retain(|path| !path.as_os_str().is_empty());
    if question.kind == QuestionKind::Save {
        for path in &mut paths {
            let Some((_, ending)) = question.file_name.split_once('.') else { continue };
            let ending = if ending.ends_with("dinoscope.json") { "dinoscope.json" } else { last_ending(ending) };
            let named = path.with_extension(ending);
            if path.extension().is_none() && !named.exists() {
                *path = named;
            }
        }
    }
    paths
}

fn last_ending(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn system(question: &Question) -> Answer {
    let start = Instant::now();
    let mut dialog = rfd::FileDialog::new().set_title(question.title);
    if let Some((name, endings)) = &question.filter {
        // Some systems tell .JPG from .jpg; what is written gets the first ending, in lower case.
        let upper = endings.iter().map(|ending| ending.to_uppercase());
        let endings: Vec<String> = endings.iter().cloned().chain(upper).collect();
        dialog = dialog.add_filter(*name, &endings);
    }
    if let Some(folder) = question.folder.as_deref().filter(|folder| folder.is_dir()) {
        dialog = dialog.set_directory(folder);
    }
    if !question.file_name.is_empty() {
        dialog = dialog.set_file_name(&question.file_name);
    }
    let paths = match question.kind {
        QuestionKind::OpenOne => dialog.pick_file().into_iter().collect(),
        QuestionKind::OpenFolder => dialog.pick_folder().into_iter().collect(),
        QuestionKind::OpenMany => dialog.pick_files().unwrap_or_default(),
        QuestionKind::Save => dialog.save_file().into_iter().collect::<Vec<_>>(),
    };
    if paths.is_empty() && start.elapsed() < LEAST_SHOWN {
        return Err(no_dialog(question.kind));
    }
    Ok(paths)
}

fn no_dialog(kind: QuestionKind) -> String {
    let instead = match kind {
        QuestionKind::Save => "",
        QuestionKind::OpenOne | QuestionKind::OpenMany | QuestionKind::OpenFolder => ", or drop files onto the window",
    };
    let what = if cfg!(target_os = "linux") { ": install xdg-desktop-portal or zenity" } else { "" };
    format!("The system shows no dialog for files{what}{instead}")
}

/// The folder that a dialog starts in to stay near a file.
pub fn folder_of(path: &Path) -> Option<PathBuf> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(kind: QuestionKind, file_name: &str) -> Question {
        Question { kind, title: "Choose", filter: None, folder: None, file_name: file_name.to_owned() }
    }

    fn wait(dialogs: &mut Dialogs) -> Answer {
        for _ in 0..1000 {
            if let Some((_, answer)) = dialogs.answer() {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("no answer");
    }

    #[test]
    fn one_at_a_time() {
        let (release, blocked) = mpsc::channel::<()>();
        let blocked = std::sync::Mutex::new(blocked);
        let mut dialogs = Dialogs::new(AskPerson::new(move |question| {
            blocked.lock().expect("not poisoned").recv().expect("released");
            Ok(vec![question.file_name.clone().into()])
        }));
        dialogs.ask(Purpose::Open, question(QuestionKind::OpenOne, "first"), || {});
        dialogs.ask(Purpose::Open, question(QuestionKind::OpenOne, "second"), || {});
        assert!(dialogs.is_open() && dialogs.answer().is_none());
        release.send(()).expect("listened to");
        assert_eq!(wait(&mut dialogs), Ok(vec!["first".into()]));
        assert!(!dialogs.is_open());
    }

    #[test]
    fn a_name_without_an_ending_gets_the_suggested_one() {
        let save = |suggested: &str, typed: &str| {
            complete(&question(QuestionKind::Save, suggested), vec![typed.into()]).remove(0)
        };
        assert_eq!(save("cat.similarity.png", "/nowhere/map"), Path::new("/nowhere/map.png"));
        assert_eq!(save("cat.dinoscope.json", "/nowhere/map"), Path::new("/nowhere/map.dinoscope.json"));
        assert_eq!(save("cat.png", "/nowhere/map.jpg"), Path::new("/nowhere/map.jpg"));
        assert_eq!(complete(&question(QuestionKind::OpenOne, "cat.png"), vec!["".into()]), Vec::<PathBuf>::new());
    }
}
