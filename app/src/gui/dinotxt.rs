//! dino.txt's weights beside the model: which file, and how far it is. All tools that take phrases share them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dinoscope_engine::dispatch::{Command, Outcome, RequestId, WordsRequest};
use egui::Ui;

use super::dialogs::{Purpose, Question, QuestionKind};
use super::files;
use super::shared::{ModelState, Shared};

/// Which file, and how far it is.
#[derive(Default)]
pub struct Dinotxt {
    /// The file that a person has chosen, or that was used last; `None`: where torch.hub stores it.
    weights: Option<PathBuf>,
    /// What the state is about.
    asked: Option<WordsRequest>,
    loading: Option<RequestId>,
    state: DinotxtState,
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DinotxtState {
    /// Nobody has asked yet, or it waits for the model.
    #[default]
    Unknown,
    /// It is being opened.
    Loading,
    /// Phrases can be compared with pictures.
    Ready,
    /// No file was chosen, and none lies in this folder, where torch.hub would store it.
    Missing(PathBuf),
    /// One sentence.
    Failed(String),
}

impl Dinotxt {
    /// With the file that was used last.
    pub fn new(weights: Option<PathBuf>) -> Self {
        Self { weights, ..Self::default() }
    }

    /// How far it is.
    pub fn state(&self) -> &DinotxtState {
        &self.state
    }
}

impl Shared {
    /// Opens dino.txt beside the model that is ready, unless that was done already. Tools that take phrases call it in
    /// every frame.
    pub fn want_dinotxt(&mut self) {
        let is_ready = matches!(&self.model.state, ModelState::Ready(info) if info.choice == *self.model.choice);
        let request = WordsRequest { weights: self.dinotxt.weights.clone(), model: Arc::clone(&self.model.choice) };
        if !is_ready || self.dinotxt.asked.as_ref() == Some(&request) {
            return;
        }
        let id = self.send(Command::LoadWords(request.clone()), "opening dino.txt");
        self.dinotxt.asked = Some(request);
        self.dinotxt.loading = Some(id);
        self.dinotxt.state = DinotxtState::Loading;
    }

    /// Uses another file from now on.
    pub fn use_dinotxt(&mut self, path: &Path) {
        self.dinotxt = Dinotxt { weights: Some(path.to_path_buf()), ..Dinotxt::default() };
        self.want_dinotxt();
    }

    /// Whether a phrase can be taken, as far as that is known without opening anything.
    pub fn can_take_phrases(&self) -> bool {
        match self.dinotxt.state {
            DinotxtState::Ready | DinotxtState::Loading => true,
            DinotxtState::Unknown => self.dinotxt.weights.is_some(),
            DinotxtState::Missing(_) | DinotxtState::Failed(_) => false,
        }
    }

    /// What phrases are compared with pictures by, once it is ready.
    pub fn words(&self) -> Option<WordsRequest> {
        let request = self.dinotxt.asked.clone().filter(|_| self.dinotxt.state == DinotxtState::Ready)?;
        (request.model == self.model.choice).then_some(request)
    }

    /// Opens a dialog for the file.
    pub fn ask_for_dinotxt(&mut self) {
        let question = Question {
            kind: QuestionKind::OpenOne,
            title: "Choose dino.txt's weights",
            filter: Some(("Checkpoints", files::CHECKPOINT_ENDINGS.map(str::to_owned).to_vec())),
            folder: None,
            file_name: String::new(),
        };
        self.questions.push((Purpose::Dinotxt, question));
    }

    /// Takes what became of the file; whether the event was about that.
    pub(super) fn take_dinotxt(&mut self, id: RequestId, outcome: &Outcome) -> bool {
        if self.dinotxt.loading.take_if(|loading| *loading == id).is_none() {
            return false;
        }
        self.dinotxt.state = match outcome {
            Outcome::WordsReady { path, .. } => {
                self.settings.dinotxt = Some(path.clone());
                DinotxtState::Ready
            }
            Outcome::NoWords { folder } => DinotxtState::Missing(folder.clone()),
            Outcome::Failed(failure) => DinotxtState::Failed(failure.message.clone()),
            _ => {
                // Another model or file has taken its place.
                self.dinotxt.asked = None;
                DinotxtState::Unknown
            }
        };
        true
    }
}

/// What a tool that would take a phrase says instead; whether it can take one.
pub fn is_ready(ui: &mut Ui, shared: &mut Shared) -> bool {
    shared.want_dinotxt();
    let sentence = match shared.dinotxt.state() {
        DinotxtState::Ready => return true,
        DinotxtState::Unknown | DinotxtState::Loading => "dino.txt is being opened…",
        DinotxtState::Missing(_) => "Needs dino.txt's weights: see the Words tool.",
        DinotxtState::Failed(_) => "dino.txt does not go with this model: see the Words tool.",
    };
    ui.weak(sentence);
    false
}
