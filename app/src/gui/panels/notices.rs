//! Sentences over the canvas: what went wrong, with a button that mends it.

use dinoscope_engine::dispatch::Remedy;
use egui::{Align, Area, Button, Context, Frame, Id, Label, Layout, Margin, Order, Rect, RichText, Ui, vec2};
use egui_material_icons::icons;

use crate::gui::notices::{Notice, Notices, Offer};
use crate::gui::theme;

/// Widest notice, in points.
const WIDTH: f32 = 520.0;

/// Shows what there is to say at the lower edge of the canvas; what a person has accepted.
pub fn show(context: &Context, notices: &mut Notices, canvas: Rect) -> Option<Offer> {
    let mut accepted = None;
    let mut dismissed = None;
    let current = notices.current().to_vec();
    if current.is_empty() {
        return None;
    }
    if let Some(next) = notices.next_end() {
        context.request_repaint_after(next);
    }
    let width = (canvas.width() - 24.0).min(WIDTH);
    Area::new(Id::unique("notices"))
        .order(Order::Middle)
        .pivot(egui::Align2::LEFT_BOTTOM)
        .fixed_pos(canvas.left_bottom() + vec2(12.0, -12.0))
        .default_width(width)
        .show(context, |ui| {
            ui.set_max_width(width);
            for (index, notice) in current.iter().enumerate() {
                Frame::popup(ui.style()).inner_margin(Margin::symmetric(12, 8)).show(ui, |ui| {
                    let answer = one(ui, notice);
                    if answer.is_some() {
                        dismissed = Some(index);
                    }
                    if let Some(Answer::Accept) = answer {
                        accepted.clone_from(&notice.offer);
                    }
                });
            }
        });
    if let Some(index) = dismissed {
        notices.dismiss(index);
    }
    accepted
}

enum Answer {
    Accept,
    Dismiss,
}

fn one(ui: &mut Ui, notice: &Notice) -> Option<Answer> {
    let mut answer = None;
    let (icon, colour) = if notice.is_error {
        (icons::ICON_ERROR, theme::danger(ui.ctx().theme()))
    } else {
        (icons::ICON_INFO, theme::accent(ui.ctx().theme()))
    };
    ui.horizontal_top(|ui| {
        ui.label(icon.rich_text().size(18.0).color(colour));
        ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
            let close = ui.add(Button::new(icons::ICON_CLOSE.rich_text()).frame(false)).on_hover_text("Dismiss");
            close.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, "Dismiss"));
            if close.clicked() {
                answer = Some(Answer::Dismiss);
            }
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                let text = RichText::new(&notice.message);
                ui.add(Label::new(if notice.is_error { text.color(colour) } else { text }).wrap());
                if let Some(offer) = &notice.offer
                    && ui.button(offer_text(offer)).on_hover_text(offer_hint(offer)).clicked()
                {
                    answer = Some(Answer::Accept);
                }
            });
        });
    });
    answer
}

fn offer_hint(offer: &Offer) -> &'static str {
    match offer {
        Offer::Mend(Remedy::Download(_)) => "Shows the licence first",
        Offer::Mend(Remedy::UseCpu) => "Loads the model on this machine's processor",
        Offer::Mend(Remedy::GiveToken(_)) => "Says how to get one",
        Offer::ShowFile(_) => "In the file manager",
    }
}

fn offer_text(offer: &Offer) -> String {
    match offer {
        Offer::Mend(Remedy::Download(name)) => format!("Download {name}…"),
        Offer::Mend(Remedy::UseCpu) => "Use CPU".to_owned(),
        Offer::Mend(Remedy::GiveToken(_)) => "Enter a token…".to_owned(),
        Offer::ShowFile(_) => "Show file".to_owned(),
    }
}
