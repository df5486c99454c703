//! Version and licences.

use egui::{Context, Window};

use super::controls;

const DINOV3_LICENCE: &str = "https://ai.meta.com/resources/models-and-libraries/dinov3-license/";

/// Shows the window while it is open.
pub fn show(context: &Context, is_open: &mut bool) {
    Window::new("About dinoscope").open(is_open).collapsible(false).resizable(false).show(context, |ui| {
        ui.set_width(360.0);
        ui.heading(concat!("dinoscope ", env!("CARGO_PKG_VERSION")));
        ui.label("A microscope for DINOv3 features. The program is free under MIT or Apache-2.0, as you like.");
        ui.separator();
        ui.label(
            "The model “demo” is part of the program: a small stand-in trained for it, not Meta's weights, under MIT.",
        );
        ui.label("Published DINOv3 weights are Meta's. Whoever downloads or uses them accepts the DINOv3 License:");
        controls::link(ui, "DINOv3 License", DINOV3_LICENCE);
        ui.separator();
        ui.weak(
            "Sample pictures: cat and coffee (CC0) and astronaut (NASA, public domain) from scikit-image; temple by \
             danielbuechele and flower by vultilion (CC BY 2.0) from scikit-learn.",
        );
    });
}
