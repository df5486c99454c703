//! Over a picture whose encoding was stopped or has failed: why, and a way on.

use egui::{Align2, Area, Context, Frame, Id, Margin, Order};

use crate::gui::canvas::View;
use crate::gui::shared::Shared;

/// Widest sentence, in points.
const WIDTH: f32 = 360.0;

/// Shows the sentences of all views.
pub fn show(context: &Context, shared: &mut Shared, views: &[View]) {
    let mut is_asked = false;
    for view in views {
        let Some(why) = shared.encode_failure(view.picture) else { continue };
        let rect = view.transform.rect;
        Area::new(Id::unique(("not encoded", view.picture.0)))
            .order(Order::Middle)
            .pivot(Align2::CENTER_CENTER)
            .fixed_pos(rect.center())
            .constrain_to(rect)
            .show(context, |ui| {
                Frame::popup(ui.style()).inner_margin(Margin::symmetric(16, 12)).show(ui, |ui| {
                    ui.set_max_width(WIDTH.min(rect.width() - 48.0));
                    ui.label(why);
                    is_asked |= ui.button("Encode").on_hover_text("Run the model on this picture").clicked();
                });
            });
    }
    if is_asked {
        shared.encode_again();
    }
}
