//! The foreground: which patches of a picture count. Chosen by picture, so that a mask painted for one tool serves all.

mod brush;
mod panel;
mod selection;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use dinoscope_engine::analysis::foreground::PatchMask;
use dinoscope_engine::dispatch::{Event, Outcome, PictureId};
use serde::{Deserialize, Serialize};

pub use brush::{interact, paint};
pub use panel::inspector;
pub use selection::patches;

use crate::gui::shared::Shared;
use brush::Stroke;
use selection::{Answer, PaintedPatches};

/// Which patches count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ForegroundKind {
    /// Every patch.
    #[default]
    All,
    /// What the features themselves set apart.
    Automatic,
    /// What a person has painted.
    Painted,
    /// What a mask file covers.
    File,
    /// What the probe does not take for its first class.
    Probe,
}

impl ForegroundKind {
    /// Whether it needs something that belongs to one picture.
    fn is_of_one_picture(self) -> bool {
        matches!(self, Self::Painted | Self::File)
    }
}

/// What was chosen, as a workspace remembers it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choices {
    /// All or automatic: for pictures that have no mask of their own.
    usual: ForegroundKind,
    /// Pictures that have one: painted or from a file.
    own: BTreeMap<PictureId, ForegroundKind>,
    /// Mask files.
    files: BTreeMap<PictureId, PathBuf>,
}

impl Choices {
    /// Which patches of a picture count.
    pub fn kind(&self, picture: PictureId) -> ForegroundKind {
        self.own.get(&picture).copied().unwrap_or(self.usual)
    }

    /// Chooses for a picture. All and automatic hold for every picture without a mask of its own.
    pub fn choose(&mut self, picture: PictureId, kind: ForegroundKind) {
        if kind.is_of_one_picture() {
            self.own.insert(picture, kind);
        } else {
            self.own.remove(&picture);
            self.usual = kind;
        }
    }

    /// Takes the foreground of a picture from a file from now on.
    pub fn take_file(&mut self, picture: PictureId, path: PathBuf) {
        self.files.insert(picture, path);
        self.choose(picture, ForegroundKind::File);
    }

    /// The mask file of a picture.
    pub fn file(&self, picture: PictureId) -> Option<&PathBuf> {
        self.files.get(&picture)
    }

    /// Forgets a picture that is closed.
    pub fn forget(&mut self, picture: PictureId) {
        let stays = |id: &PictureId| id.document() != picture.document();
        self.own.retain(|id, _| stays(id));
        self.files.retain(|id, _| stays(id));
    }

    /// The same for pictures of other names; what has no new name is left out.
    pub fn renamed(&self, name: impl Fn(PictureId) -> Option<PictureId>) -> Self {
        Self {
            usual: self.usual,
            own: self.own.iter().filter_map(|(&id, &kind)| Some((name(id)?, kind))).collect(),
            files: self.files.iter().filter_map(|(&id, path)| Some((name(id)?, path.clone()))).collect(),
        }
    }
}

/// What the brush does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BrushMode {
    Paint,
    Erase,
}

/// The foregrounds of all pictures.
pub struct Foregrounds {
    /// `None`: the left button is the tool's.
    brush: Option<BrushMode>,
    /// Diameter in patches.
    brush_size: f32,
    stroke: Option<Stroke>,
    painted: HashMap<PictureId, PaintedPatches>,
    answers: HashMap<PictureId, Answer>,
}

impl Default for Foregrounds {
    fn default() -> Self {
        Self {
            brush: None,
            brush_size: brush::USUAL_SIZE,
            stroke: None,
            painted: HashMap::new(),
            answers: HashMap::new(),
        }
    }
}

impl Foregrounds {
    /// Forgets a picture that is closed, or what is known of its mask.
    pub fn forget(&mut self, picture: PictureId) {
        let stays = |id: &PictureId| id.document() != picture.document();
        self.painted.retain(|id, _| stays(id));
        self.answers.retain(|id, _| stays(id));
    }

    /// Forgets one frame.
    pub fn forget_frame(&mut self, frame: PictureId) {
        self.painted.remove(&frame);
        self.answers.remove(&frame);
    }
}

/// Takes the foreground of a picture from a file from now on; the file is read beside the window.
pub fn take_file(shared: &mut Shared, picture: PictureId, path: PathBuf) {
    // The same file may have other pixels by now.
    shared.foregrounds.forget(picture);
    shared.placed.edit("use mask", |placed| placed.choices.take_file(picture, path));
}

/// Whether the left button paints on this picture.
pub fn is_painting(shared: &Shared, picture: PictureId) -> bool {
    shared.foregrounds.brush.is_some() && shared.placed.now().choices.kind(picture) == ForegroundKind::Painted
}

/// The patches that count as they are drawn now, with the stroke that is being painted.
fn drawn(shared: &Shared, picture: PictureId) -> Option<&PatchMask> {
    let foregrounds = &shared.foregrounds;
    if let Some(stroke) = foregrounds.stroke.as_ref().filter(|stroke| stroke.picture == picture) {
        return Some(&stroke.mask);
    }
    match shared.placed.now().choices.kind(picture) {
        ForegroundKind::All => None,
        ForegroundKind::Painted => foregrounds.painted.get(&picture).map(|painted| &*painted.mask),
        ForegroundKind::Automatic | ForegroundKind::File | ForegroundKind::Probe => {
            foregrounds.answers.get(&picture)?.mask().map(Arc::as_ref)
        }
    }
}

/// Takes the worker's answers.
pub fn receive(shared: &mut Shared, event: &Event) {
    let answers = &mut shared.foregrounds.answers;
    let Some(answer) = answers.values_mut().find(|answer| answer.request == event.id) else { return };
    match &event.outcome {
        Outcome::Foreground { mask, .. } => answer.arrived(Arc::clone(mask)),
        Outcome::Failed(failure) => answer.failed(failure.message.clone()),
        Outcome::Cancelled => answer.failed("the search was stopped".to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_and_automatic_leave_masks_of_other_pictures() {
        let (a, b, c) = (PictureId(0), PictureId(1), PictureId(2));
        let mut choices = Choices::default();
        choices.choose(a, ForegroundKind::Painted);
        choices.choose(b, ForegroundKind::Automatic);
        assert_eq!([a, b, c].map(|id| choices.kind(id)), {
            use ForegroundKind::{Automatic, Painted};
            [Painted, Automatic, Automatic]
        });
        choices.choose(a, ForegroundKind::All);
        assert_eq!([a, b, c].map(|id| choices.kind(id)), [ForegroundKind::All; 3]);
    }

    #[test]
    fn choices_survive_a_workspace() {
        let mut chosen = Choices::default();
        chosen.take_file(PictureId(7), "mask.png".into());
        let text = serde_json::to_string(&chosen).unwrap();
        let choices: Choices = serde_json::from_str(&text).unwrap();
        assert_eq!(choices, chosen);
        assert_eq!(choices.kind(PictureId(7)), ForegroundKind::File);
    }
}
