//! Weights of published heads beside the model: which file each task takes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dinoscope_engine::heads::Task;

use super::dialogs::{Purpose, Question, QuestionKind};
use super::files;
use super::shared::Shared;

/// Files that a person has chosen, or that were used last.
pub type HeadFiles = BTreeMap<Task, PathBuf>;

impl Shared {
    /// The file for a task; `None`: where torch.hub stores Meta's.
    pub fn head_file(&self, task: Task) -> Option<&PathBuf> {
        self.settings.heads.get(&task)
    }

    /// Uses another file from now on.
    pub fn use_head(&mut self, task: Task, path: &Path) {
        self.settings.heads.insert(task, path.to_path_buf());
    }

    /// Opens a dialog for the file.
    pub fn ask_for_head(&mut self, task: Task) {
        let question = Question {
            kind: QuestionKind::OpenOne,
            title: "Choose the head's weights",
            filter: Some(("Checkpoints", files::CHECKPOINT_ENDINGS.map(str::to_owned).to_vec())),
            folder: None,
            file_name: String::new(),
        };
        self.questions.push((Purpose::Head(task), question));
    }
}
