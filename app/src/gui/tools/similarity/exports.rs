//! What can be written to files.

use super::Similarity;
use crate::gui::shared::Shared;
use crate::gui::tools::Exportable;

impl Similarity {
    pub(super) fn offered(&self, _shared: &Shared) -> Vec<Exportable> {
        Vec::new()
    }
}
