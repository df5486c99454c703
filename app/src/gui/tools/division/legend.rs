//! Which classes there are, how much of the picture each has, and how it is drawn.

use dinoscope_engine::draw::classes::class_colour;
use egui::{
    Align, Atom, Button, CollapsingHeader, Color32, Layout, Popup, PopupCloseBehavior, Rect, ScrollArea, Slider,
    Stroke, Ui, pos2, vec2,
};
use egui_material_icons::icons;

use super::ranking;
use super::{Division, Look, Shown};
use crate::gui::panels::controls;
use crate::gui::tools::similarity::inspector::show_colormaps;

/// Height of a row, in points.
const ROW: f32 = 24.0;

/// Points that a list takes at least and at most where it is long.
const LIST_HEIGHTS: (f32, f32) = (150.0, 480.0);

/// Points of the window that everything beside the list needs.
const AROUND_LIST: f32 = 650.0;

/// What was asked of a class.
enum Asked {
    /// Its map, or all classes again.
    Select,
    /// To be drawn or not.
    Toggle,
    Opacity(f32),
}

/// A class as its row shows it.
struct Row<'a> {
    name: &'a str,
    colour: [u8; 3],
    share: f32,
    opacity: f32,
    is_hidden: bool,
    is_selected: bool,
}

impl Shown {
    /// Classes that are somewhere, those that are best under the pointer, those that are nowhere, and how the map of the
    /// selected one looks.
    pub fn legend(&mut self, ui: &mut Ui, division: &Division, look: &mut Look) {
        self.pointed = None;
        ui.strong("Classes");
        let background = division.labelled.shares.last().copied().unwrap_or(0.0);
        if background > 0.0 {
            ui.weak(format!("Background {}", percent(background)));
        }
        self.list(ui, division, look, "found", &division.found);
        let named = |&(class, score): &(usize, f32)| Some((division.classes.get(class)?.as_str(), score));
        ranking::show(ui, &self.ranking.iter().filter_map(named).collect::<Vec<_>>());
        if !division.absent.is_empty() {
            let title = format!("Nowhere the best ({})", division.absent.len());
            let header = CollapsingHeader::new(title).id_salt("absent");
            header.show_unindented(ui, |ui| self.list(ui, division, look, "absent", &division.absent));
        }
        if self.selected.is_some() {
            ui.separator();
            self.map(ui, look);
        }
    }

    /// Below what is clicked to see the map, so that nothing jumps away from the pointer.
    fn map(&mut self, ui: &mut Ui, look: &mut Look) {
        let button = ui.button("Show all classes");
        if button.on_hover_text("Instead of the map of one; a click on the picture does it too").clicked() {
            self.selected = None;
        }
        show_colormaps(ui, &mut look.colormap);
        let hint = "Colours from 0 to 1, or from the map's least to its greatest score";
        let scales = [(false, "Raw"), (true, "Stretched")];
        controls::choice(ui, "Scale", hint, &mut look.is_stretched, &scales);
    }

    fn list(&mut self, ui: &mut Ui, division: &Division, look: &mut Look, id: &str, classes: &[usize]) {
        let names = &division.classes;
        let row = |class: usize| Row {
            name: &names[class],
            colour: class_colour(class, names.len()),
            share: division.labelled.shares[class],
            opacity: look.opacities.get(&names[class]).copied().unwrap_or(1.0),
            is_hidden: look.hidden.contains(&names[class]),
            is_selected: self.selected.as_ref() == Some(&names[class]),
        };
        let (least, most) = LIST_HEIGHTS;
        let height = (ui.ctx().content_rect().height() - AROUND_LIST).clamp(least, most);
        let mut asked = None;
        let mut pointed = None;
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing = vec2(4.0, 2.0);
            let area = ScrollArea::vertical().id_salt(id).max_height(height);
            area.show_rows(ui, ROW, classes.len(), |ui, range| {
                for &class in &classes[range] {
                    let (rect, found) = show(ui, &row(class));
                    if ui.rect_contains_pointer(rect) {
                        pointed = Some(class);
                    }
                    asked = found.map(|found| (names[class].clone(), found)).or(asked.take());
                }
            });
        });
        self.pointed = pointed.filter(|_| self.selected.is_none()).or(self.pointed);
        if let Some((name, asked)) = asked {
            self.answer(name, &asked, look);
        }
    }

    fn answer(&mut self, name: String, asked: &Asked, look: &mut Look) {
        match *asked {
            Asked::Select => self.selected = Some(name).filter(|name| self.selected.as_ref() != Some(name)),
            Asked::Toggle => {
                if !look.hidden.remove(&name) {
                    look.hidden.insert(name);
                }
            }
            Asked::Opacity(opacity) if opacity < 1.0 => drop(look.opacities.insert(name, opacity)),
            Asked::Opacity(_) => drop(look.opacities.remove(&name)),
        }
    }
}

/// One class: where its row is, and what was asked of it.
fn show(ui: &mut Ui, row: &Row<'_>) -> (Rect, Option<Asked>) {
    let mut asked = None;
    let &Row { name: class, colour: [r, g, b], share, is_hidden, is_selected, .. } = row;
    let line = ui.horizontal(|ui| {
        ui.set_height(ROW);
        let (icon, what) =
            if is_hidden { (icons::ICON_VISIBILITY_OFF, "Show") } else { (icons::ICON_VISIBILITY, "Hide") };
        if controls::icon_button(ui, icon, &format!("{what} {class}")).clicked() {
            asked = Some(Asked::Toggle);
        }
        let mut opacity = row.opacity;
        let name = format!("Opacity of {class}");
        let swatch = ui.add(Button::new("").frame(false).min_size(vec2(20.0, 20.0)));
        Popup::menu(&swatch).close_behavior(PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
            ui.weak(&name);
            let slider = ui.add(Slider::new(&mut opacity, 0.0..=1.0).max_decimals(2));
            ui.ctx().accesskit_node_builder(slider.id, |node| node.set_label(name.clone()));
            if slider.on_hover_text("How much it covers the picture, of the opacity of all").changed() {
                asked = Some(Asked::Opacity(opacity));
            }
        });
        swatch.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
        let swatch = swatch.on_hover_text("Its opacity");
        let square = Rect::from_center_size(swatch.rect.center(), vec2(14.0, 14.0));
        let colour = Color32::from_rgb(r, g, b);
        if is_hidden {
            ui.painter().rect_stroke(square, 3.0, Stroke::new(1.5, colour), egui::StrokeKind::Inside);
        } else {
            ui.painter().rect_filled(square, 3.0, colour);
            let left = Rect::from_min_max(square.min, pos2(square.max.x, square.max.y - 14.0 * row.opacity));
            ui.painter().rect_filled(left, 3.0, ui.visuals().panel_fill.gamma_multiply(0.7));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.weak(percent(share));
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let name = Button::selectable(is_selected, (class, Atom::grow())).truncate();
                let name = name.min_size(vec2(ui.available_width(), 0.0));
                let hint = if is_selected { "Show all classes again" } else { "Show the map of its scores" };
                if ui.add(name).on_hover_text(hint).clicked() {
                    asked = Some(Asked::Select);
                }
            });
        });
    });
    (line.response.rect, asked)
}

/// "12 %", "0.4 %".
fn percent(share: f32) -> String {
    let percent = 100.0 * share;
    if percent > 0.0 && percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}
