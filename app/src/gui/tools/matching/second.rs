//! What the canvas says in place of the second picture.

use egui::{Align2, Area, Context, Id, Order, Rect, RichText, Ui, vec2};

use crate::gui::canvas::View;
use crate::gui::documents::{Content, Document};
use crate::gui::samples::SAMPLES;
use crate::gui::shared::Shared;

/// Width of the text, in points.
const WIDTH: f32 = 260.0;

/// Says what is missing, right of the only view.
pub fn show(context: &Context, shared: &mut Shared, view: &View) {
    let left = view.transform.rect;
    let free = Rect::from_min_size(left.right_top(), left.size());
    Area::new(Id::unique("second picture"))
        .order(Order::Middle)
        .pivot(Align2::CENTER_CENTER)
        .fixed_pos(free.center())
        .constrain(false)
        .show(context, |ui| {
            ui.set_width(WIDTH.min(free.width() - 16.0));
            ui.vertical_centered(|ui| text(ui, shared));
        });
}

fn text(ui: &mut Ui, shared: &mut Shared) {
    let partner = shared.documents.partner_id().and_then(|id| shared.documents.get(id));
    match partner.map(|Document { name, content, .. }| (name, content)) {
        Some((name, Content::Loading | Content::Resting(_))) => {
            ui.add(egui::Spinner::new());
            ui.weak(format!("Opening {name}"));
        }
        Some((_, Content::Failed(message))) => {
            ui.label(message);
        }
        Some((_, Content::Ready(_))) => {}
        None => {
            ui.label(RichText::new("Open a second picture to match with").heading());
            ui.weak("Drop one on the window, press O, or take a sample:");
            ui.add_space(4.0);
            let mut asked = None;
            let open: Vec<String> = shared.documents.iter().map(|document| document.name.clone()).collect();
            let others = SAMPLES
                .iter()
                .enumerate()
                .filter(|(_, sample)| !sample.is_clip() && open.iter().all(|name| name != sample.name));
            for (index, sample) in others {
                let button = egui::Button::new(sample.title).min_size(vec2(140.0, 0.0));
                if ui.add(button).on_hover_text(format!("Open {} as the right picture", sample.name)).clicked() {
                    asked = Some(index);
                }
            }
            if let Some(index) = asked {
                let picture = shared.open_sample(index);
                if let Some(picture) = picture {
                    shared.documents.set_partner(picture);
                }
            }
        }
    }
}
