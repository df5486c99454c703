//! The models: what there is, what is on the disk, which one runs.

use egui::{Context, Window};

use crate::gui::shared::Shared;

/// The panel's state.
#[derive(Default)]
pub struct Models {
    /// Whether it is shown.
    pub is_open: bool,
}

impl Models {
    /// Shows the panel while it is open.
    pub fn show(&mut self, context: &Context, _shared: &mut Shared) {
        Window::new("Models").open(&mut self.is_open).show(context, |_ui| {});
    }
}
