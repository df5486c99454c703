//! Looking at results: a click opens one in the place of the one that was looked at before; only what is meant to stay
//! stays open.

use std::path::{Path, PathBuf};

use dinoscope_engine::dispatch::{PictureId, PictureSource};

use crate::gui::documents::Origin;
use crate::gui::shared::Shared;

/// What was opened by a click on a result.
#[derive(Default)]
pub struct Visits {
    /// The result that is looked at.
    visited: Option<PictureId>,
    /// The picture that the person came from.
    origin: Option<PictureId>,
    /// Results that close once they are not looked at any more.
    leaving: Vec<PictureId>,
    /// The result that was clicked last: a second click means it, wherever the results are by then.
    clicked: Option<PathBuf>,
}

impl Visits {
    /// Shows a result and searches from it.
    pub fn look(&mut self, shared: &mut Shared, path: &Path) {
        self.clicked = Some(path.to_path_buf());
        let active = shared.documents.active_id();
        let id = match shared.documents.of_file(path) {
            Some(id) => id,
            None => {
                self.leave();
                let id = open(shared, path);
                self.visited = Some(id);
                id
            }
        };
        if !self.is_passing(active) {
            self.origin = active;
        }
        shared.documents.activate_once_read(id);
    }

    /// Opens a result for good.
    pub fn keep(&mut self, shared: &mut Shared, path: &Path) -> PictureId {
        let id = shared.documents.of_file(path).unwrap_or_else(|| open(shared, path));
        self.visited.take_if(|visited| *visited == id);
        self.leaving.retain(|leaving| *leaving != id);
        shared.settings.remember(path);
        shared.documents.activate_once_read(id);
        id
    }

    /// As [`Self::keep`], of the result that was clicked last; without one, of `path`.
    pub fn keep_clicked(&mut self, shared: &mut Shared, path: PathBuf) {
        let path = self.clicked.take().unwrap_or(path);
        self.keep(shared, &path);
    }

    /// The result that is looked at, where it is the active picture, and where the person came from.
    pub fn now(&self, shared: &Shared) -> Option<(PictureId, Option<PictureId>)> {
        let visited = self.visited.filter(|id| shared.documents.active_id() == Some(*id))?;
        Some((visited, self.origin.filter(|id| shared.documents.get(*id).is_some())))
    }

    /// Goes back to where the person came from.
    pub fn back(&mut self, shared: &mut Shared) {
        if let Some((_, Some(origin))) = self.now(shared) {
            self.leave();
            shared.documents.activate(origin);
        }
    }

    /// Closes what is not looked at any more, unless something was placed on it.
    pub fn update(&mut self, shared: &mut Shared) {
        self.visited.take_if(|id| shared.documents.get(*id).is_none());
        let active = shared.documents.active_id();
        let (left, staying) = std::mem::take(&mut self.leaving).into_iter().partition(|id| Some(*id) != active);
        self.leaving = staying;
        for id in Vec::<PictureId>::from_iter(left) {
            let placed = shared.placed.now();
            let mut without = placed.clone();
            without.forget(id);
            if without == *placed && shared.documents.chosen_partner() != Some(id) {
                shared.close(id);
            }
        }
    }

    fn leave(&mut self) {
        self.leaving.extend(self.visited.take());
    }

    fn is_passing(&self, id: Option<PictureId>) -> bool {
        id.is_some_and(|id| self.visited == Some(id) || self.leaving.contains(&id))
    }
}

fn open(shared: &mut Shared, path: &Path) -> PictureId {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    shared.open(name, Origin::File(path.to_path_buf()), PictureSource::File(path.to_path_buf()))
}
