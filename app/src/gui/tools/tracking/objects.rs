//! The list of objects: colour, name, whether they are shown, and when they are out of sight.

use dinoscope_engine::dispatch::PictureId;
use egui::{Button, DragValue, TextEdit, Ui, WidgetInfo};
use egui_material_icons::icons;

use super::Tracking;
use crate::gui::masks::{ClipMasks, Object};
use crate::gui::panels::controls::icon_button;
use crate::gui::shared::Shared;

/// What was asked of one object.
enum Asked {
    Select,
    Remove,
    Change(Object),
}

impl Tracking {
    pub(super) fn object_list(&mut self, ui: &mut Ui, shared: &mut Shared, picture: PictureId) {
        let masks = shared.placed.now().clips.get(&picture.document()).cloned().unwrap_or_default();
        for object in &masks.objects {
            match row(ui, object, object.id == self.selected) {
                Some(Asked::Select) => self.selected = object.id,
                Some(Asked::Remove) => {
                    change(shared, picture, "remove object", |masks| masks.remove_object(object.id));
                }
                Some(Asked::Change(changed)) => {
                    change(shared, picture, "change object", |masks| {
                        masks.object_mut(changed.id).into_iter().for_each(|known| *known = changed.clone());
                    });
                }
                None => {}
            }
        }
        let add = ui.add_sized([ui.available_width(), 24.0], Button::new("Add object"));
        if add.on_hover_text("Another thing to follow (N)").clicked() {
            self.add_object(shared, picture);
        }
    }

    /// Frames in which the selected object is out of sight.
    pub(super) fn absences(&mut self, ui: &mut Ui, shared: &mut Shared, picture: PictureId) {
        let masks = shared.placed.now().clips.get(&picture.document());
        let Some(object) = masks.and_then(|masks| masks.object(self.selected)).cloned() else {
            ui.weak("Select an object first.");
            return;
        };
        ui.weak(format!("{} cannot be seen in frames", object.name));
        let mut absent = object.absent.clone();
        let mut removed = None;
        for (place, &(start, end)) in absent.iter().enumerate() {
            ui.horizontal(|ui| {
                ui.label(format!("{start} to {end}"));
                if icon_button(ui, icons::ICON_CLOSE, &format!("Seen again in {start} to {end}")).clicked() {
                    removed = Some(place);
                }
            });
        }
        if let Some(place) = removed {
            absent.remove(place);
        }
        let last = shared.player_mut(picture).map_or(0, |player| player.len().saturating_sub(1));
        let shown = picture.frame();
        let (mut start, mut end) = self.absence.unwrap_or((shown, shown));
        ui.horizontal(|ui| {
            let number = |value| DragValue::new(value).range(0..=last).speed(0.2);
            ui.add(number(&mut start)).on_hover_text("First frame without it");
            ui.label("to");
            ui.add(number(&mut end)).on_hover_text("Last frame without it");
            if ui.button("Add").on_hover_text("The object is nowhere in these frames").clicked() {
                absent.push((start.min(end), start.max(end)));
                absent.sort_unstable();
            }
        });
        self.absence = ((start, end) != (shown, shown)).then_some((start, end));
        if absent != object.absent {
            self.absence = None;
            change(shared, picture, "out of sight", |masks| {
                masks.object_mut(object.id).into_iter().for_each(|known| known.absent.clone_from(&absent));
            });
        }
    }
}

fn change(shared: &mut Shared, picture: PictureId, label: &'static str, change: impl Fn(&mut ClipMasks)) {
    shared.placed.edit(label, |placed| {
        placed.clips.get_mut(&picture.document()).into_iter().for_each(&change);
    });
}

fn row(ui: &mut Ui, object: &Object, is_selected: bool) -> Option<Asked> {
    let mut asked = None;
    ui.horizontal(|ui| {
        let mut changed = object.clone();
        ui.spacing_mut().item_spacing.x = 4.0;
        let radio = ui.radio(is_selected, "").on_hover_text("Paint this one");
        let label = format!("Select {}", object.name);
        radio.widget_info(|| WidgetInfo::selected(egui::Role::RadioButton, true, is_selected, &label));
        if radio.clicked() {
            asked = Some(Asked::Select);
        }
        ui.color_edit_button_srgb(&mut changed.colour).on_hover_text("Its colour");
        let id = ui.scope_id().with(("object name", object.id));
        // The name counts once the field is left, so that a word is one step to undo.
        let mut name = ui.data(|data| data.get_temp::<String>(id)).unwrap_or_else(|| object.name.clone());
        // Two icons at the right, and the field's own margins.
        let width = ui.available_width() - 88.0;
        let edit = ui.add(TextEdit::singleline(&mut name).desired_width(width));
        edit.widget_info(|| WidgetInfo::text_edit(true, &object.name, &name, "Object name"));
        if edit.gained_focus() {
            asked = Some(Asked::Select);
        }
        if edit.has_focus() {
            ui.data_mut(|data| data.insert_temp(id, name.clone()));
        } else if edit.lost_focus() {
            ui.data_mut(|data| data.remove::<String>(id));
            if !name.trim().is_empty() {
                changed.name = name.trim().to_owned();
            }
        }
        let (icon, hint) =
            if object.is_visible { (icons::ICON_VISIBILITY, "Hide") } else { (icons::ICON_VISIBILITY_OFF, "Show") };
        if icon_button(ui, icon, &format!("{hint} {}", object.name)).clicked() {
            changed.is_visible = !changed.is_visible;
        }
        if icon_button(ui, icons::ICON_DELETE, &format!("Remove {}", object.name)).clicked() {
            asked = Some(Asked::Remove);
        }
        if asked.is_none() && changed != *object {
            asked = Some(Asked::Change(changed));
        }
    });
    asked
}
