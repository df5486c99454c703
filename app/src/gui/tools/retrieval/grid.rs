//! The results: small pictures in rows, the best first.

use std::path::PathBuf;
use std::sync::Arc;

use dinoscope_engine::dispatch::{PictureId, Searched};
use dinoscope_engine::features::Patch;
use dinoscope_engine::retrieval::{Hit, Region};
use egui::{
    Align, Align2, Color32, FontId, Key, Layout, Rect, Response, RichText, ScrollArea, Sense, Stroke, StrokeKind,
    TextureHandle, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};
use egui_material_icons::icons;

use super::region::outline;
use super::{Retrieval, layout};
use crate::gui::reveal;
use crate::gui::shared::Shared;
use crate::gui::theme;
use crate::gui::tools::{Handover, ToolKind};

/// Height of the line below a result, in points.
const CAPTION: f32 = 20.0;

/// Around all results, for the lines around them, in points.
const MARGIN: f32 = 2.0;

/// Side of an outlined patch at least, in points.
const LEAST_OUTLINE: f32 = 12.0;

/// What is asked of a result.
enum Asked {
    /// Search from it.
    Look(PathBuf),
    /// Open it.
    Keep(PathBuf),
    /// Open the one that was clicked last, or else this one.
    KeepClicked(PathBuf),
    /// Match it with the picture that is searched for.
    Match(PathBuf),
    ShowFile(PathBuf),
}

impl Retrieval {
    pub(super) fn show_results(&mut self, ui: &mut Ui, shared: &mut Shared, area: Rect) {
        ui.painter().rect_filled(area, 0.0, ui.visuals().panel_fill);
        let content = area.shrink2(vec2(12.0, 8.0));
        ui.scope_builder(UiBuilder::new().max_rect(content).id_salt("results"), |ui| {
            if self.settings.collection.is_none() {
                self.invite(ui, shared);
            } else if self.asking.problem().is_some() {
                self.show_problem(ui, shared);
            } else if let Some((question, searched)) = self.asking.answer() {
                let (queries, searched) = (question.queries.clone(), Arc::clone(searched));
                header(ui, shared, &queries, &searched);
                if searched.found.hits.is_empty() {
                    ui.weak("No picture is there as it was indexed: update the index.");
                }
                self.grid(ui, shared, &queries, &searched);
            } else {
                self.wait(ui, shared);
            }
        });
    }

    fn wait(&self, ui: &mut Ui, shared: &Shared) {
        ui.vertical_centered(|ui| {
            ui.add_space(ui.available_height() * 0.3);
            if shared.documents.is_empty() {
                ui.weak("Open a picture to search for pictures like it.");
            } else {
                ui.spinner();
                let words = if self.asking.indexing().is_some() { "Indexing" } else { "Searching" };
                ui.weak(words);
            }
        });
    }

    fn grid(&mut self, ui: &mut Ui, shared: &mut Shared, queries: &[(PictureId, Option<Region>)], searched: &Searched) {
        let hits = &searched.found.hits;
        let aspect = |hit: &Hit| hit.geometry.picture.0 as f32 / hit.geometry.picture.1.max(1) as f32;
        let width = ui.available_width() - theme::SCROLL_BAR_WIDTH - 2.0 * MARGIN;
        let (rects, height) = layout::rows(hits.iter().map(aspect), width, self.settings.height, CAPTION);
        let active = shared.documents.active().and_then(|document| document.origin.path());
        let (mut asked, mut in_sight) = (None, Vec::new());
        let mut scroll = ScrollArea::vertical().id_salt("grid").auto_shrink(false);
        if self.scrolled_for != queries {
            self.scrolled_for = queries.to_vec();
            scroll = scroll.vertical_scroll_offset(0.0);
        }
        scroll.show_viewport(ui, |ui, viewport| {
            let (area, _) = ui.allocate_exact_size(vec2(width, height) + Vec2::splat(2.0 * MARGIN), Sense::hover());
            let start = area.min.to_vec2() + Vec2::splat(MARGIN);
            // The next screen too, so that the keyboard gets there.
            let near = viewport.expand2(vec2(0.0, viewport.height()));
            for ((hit, rect), rank) in hits.iter().zip(rects).zip(1..) {
                if rect.bottom() + CAPTION < near.top() || rect.top() > near.bottom() {
                    continue;
                }
                in_sight.push(hit.path.clone());
                let tile =
                    Tile { hit, rank, small: self.thumbnails.of(&hit.path), is_active: active == Some(&hit.path) };
                let one = tile.show(ui, rect.translate(start));
                asked = one.or(asked.take());
            }
        });
        self.thumbnails.want(ui.ctx(), shared, &in_sight);
        match asked {
            Some(Asked::Look(path)) => self.visits.look(shared, &path),
            Some(Asked::Keep(path)) => drop(self.visits.keep(shared, &path)),
            Some(Asked::KeepClicked(path)) => self.visits.keep_clicked(shared, path),
            Some(Asked::Match(path)) => self.match_with(shared, path),
            Some(Asked::ShowFile(path)) => reveal::show(&path),
            None => {}
        }
    }

    /// Takes the active picture and a result to Matching.
    fn match_with(&mut self, shared: &mut Shared, path: PathBuf) {
        let Some(active) = shared.documents.active_id() else { return };
        let id = self.visits.keep(shared, &path);
        shared.documents.activate(active);
        shared.documents.set_partner(id);
        shared.handover = Some(Handover::Use(ToolKind::Matching));
    }
}

fn header(ui: &mut Ui, shared: &Shared, queries: &[(PictureId, Option<Region>)], searched: &Searched) {
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let about = if searched.found.is_approximate { " about" } else { "" };
            let count = format!("{} of{about} {}", searched.found.hits.len(), searched.pictures);
            let how = if searched.found.is_approximate { "by a graph, which may miss some" } else { "exactly" };
            let hint = format!("Compared {how}, in {:.1} ms", searched.time.as_secs_f64() * 1e3);
            ui.weak(count).on_hover_text(hint);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add(egui::Label::new(RichText::new(title(shared, queries)).strong()).truncate());
            });
        });
    });
}

/// "Like chelsea.png", "Like a part of chelsea.png and of 2 more".
fn title(shared: &Shared, queries: &[(PictureId, Option<Region>)]) -> String {
    let Some((first, region)) = queries.first() else { return String::new() };
    let name = shared.documents.get(*first).map_or("a picture that is closed", |document| &document.name);
    let part = if region.is_some() { "a part of " } else { "" };
    match queries.len() {
        1 => format!("Like {part}{name}"),
        several => format!("Like {part}{name} and {} more", several - 1),
    }
}

/// One result.
struct Tile<'a> {
    hit: &'a Hit,
    rank: usize,
    small: Option<Result<&'a TextureHandle, &'a str>>,
    /// Whether it is the picture that is worked on.
    is_active: bool,
}

impl Tile<'_> {
    fn show(&self, ui: &mut Ui, rect: Rect) -> Option<Asked> {
        let Self { hit, rank, .. } = self;
        let name = hit.path.file_name().unwrap_or(hit.path.as_os_str()).to_string_lossy();
        let whole = Rect::from_min_max(rect.min, pos2(rect.right(), rect.bottom() + CAPTION));
        let response = ui.interact(whole, ui.scope_id().with(("result", &hit.path)), Sense::click());
        let label = format!("Result {rank}, {name}, {}", hit.note());
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Button, true, &label));
        if response.gained_focus() {
            ui.scroll_to_rect(whole, None);
        }
        if ui.is_rect_visible(whole) {
            self.paint(ui, rect, &response, &name);
        }
        let by_enter = response.has_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let mut asked = match (by_enter, response.double_clicked(), response.clicked()) {
            (true, ..) => Some(Asked::Keep(hit.path.clone())),
            (_, true, _) => Some(Asked::KeepClicked(hit.path.clone())),
            (.., true) => Some(Asked::Look(hit.path.clone())),
            _ => None,
        };
        response.context_menu(|ui| {
            let mut entry = |ui: &mut Ui, text: &str, what: Asked| {
                if ui.button(text).clicked() {
                    asked = Some(what);
                }
            };
            entry(ui, "Open", Asked::Keep(hit.path.clone()));
            if !self.is_active {
                entry(ui, "Match with the picture", Asked::Match(hit.path.clone()));
            }
            entry(ui, "Show file", Asked::ShowFile(hit.path.clone()));
        });
        response.on_hover_ui(|ui| {
            ui.set_max_width(360.0);
            ui.strong(&*name);
            ui.label(format!("{} × {} pixels, cosine {}", hit.geometry.picture.0, hit.geometry.picture.1, hit.note()));
            ui.weak(hit.path.display().to_string());
            match self.small {
                Some(Err(sentence)) => ui.colored_label(theme::danger(ui.ctx().theme()), sentence),
                _ => ui.weak("Click: search from it. Double click or Enter: open it"),
            };
        });
        asked
    }

    fn paint(&self, ui: &Ui, rect: Rect, response: &Response, name: &str) {
        let painter = ui.painter();
        painter.rect_filled(rect, 4.0, ui.style().interact(response).weak_bg_fill);
        let (width, height) = (self.hit.geometry.picture.0 as f32, self.hit.geometry.picture.1 as f32);
        let scale = (rect.width() / width).min(rect.height() / height);
        let place = Rect::from_center_size(rect.center(), (vec2(width, height) * scale).max(vec2(2.0, 2.0)));
        match self.small {
            Some(Ok(texture)) => egui::Image::new(texture).corner_radius(3.0).paint_at(ui, place),
            Some(Err(_)) => {
                let font = FontId::new(26.0, icons::ICON_BROKEN_IMAGE.font_family());
                let colour = theme::danger(ui.ctx().theme());
                painter.text(rect.center(), Align2::CENTER_CENTER, icons::ICON_BROKEN_IMAGE.codepoint, font, colour);
            }
            None => {}
        }
        if let Some((patch, _)) = self.hit.place {
            outline(&painter.with_clip_rect(rect.intersect(painter.clip_rect())), self.patch(place, patch));
        }
        let accent = theme::accent(ui.ctx().theme());
        if self.is_active || response.has_focus() {
            painter.rect_stroke(rect, 4.0, Stroke::new(2.0, accent), StrokeKind::Outside);
        } else if response.hovered() {
            let colour = ui.visuals().widgets.hovered.fg_stroke.color;
            painter.rect_stroke(rect, 4.0, Stroke::new(1.0, colour), StrokeKind::Outside);
        }
        self.caption(ui, rect, name);
    }

    /// Rank and name at the left, the score at the right.
    fn caption(&self, ui: &Ui, rect: Rect, name: &str) {
        let painter = ui.painter();
        let font = FontId::proportional(11.5);
        let weak = ui.visuals().weak_text_color();
        let middle = rect.bottom() + CAPTION / 2.0;
        let score = format!("{:.3}", self.hit.score);
        let right = painter.text(pos2(rect.right(), middle), Align2::RIGHT_CENTER, score, font.clone(), weak);
        let left =
            Rect::from_min_max(pos2(rect.left(), rect.bottom()), pos2(right.left() - 6.0, rect.bottom() + CAPTION));
        let rank = format!("{}  ", self.rank);
        let mut job = egui::text::LayoutJob::simple_singleline(rank, font.clone(), ui.visuals().text_color());
        job.append(name, 0.0, egui::TextFormat::simple(font, weak));
        job.wrap = egui::text::TextWrapping::truncate_at_width(left.width());
        let galley = painter.layout_job(job);
        painter.galley(pos2(left.left(), middle - galley.size().y / 2.0), galley, Color32::WHITE);
    }

    /// A patch in the small picture that lies at `place`.
    fn patch(&self, place: Rect, patch: Patch) -> Rect {
        let geometry = &self.hit.geometry;
        let scale = place.size() / vec2(geometry.picture.0 as f32, geometry.picture.1 as f32);
        let ((rows, cols), covered) = (geometry.grid, geometry.covered);
        let size = vec2(covered.0 as f32 / cols as f32, covered.1 as f32 / rows as f32) * scale;
        let middle = place.min + size * vec2(patch.col as f32 + 0.5, patch.row as f32 + 0.5);
        Rect::from_center_size(middle, size.max(vec2(LEAST_OUTLINE, LEAST_OUTLINE)))
    }
}

#[cfg(test)]
mod tests {
    use dinoscope_engine::features::Geometry;

    use super::*;

    #[test]
    fn the_patch_is_outlined_where_it_is() {
        let geometry = Geometry { picture: (400, 200), covered: (320, 160), grid: (2, 4) };
        let hit = Hit { path: PathBuf::new(), score: 0.5, geometry, place: None };
        let tile = Tile { hit: &hit, rank: 1, small: None, is_active: false };
        let place = Rect::from_min_size(pos2(10.0, 20.0), vec2(200.0, 100.0));
        let patch = tile.patch(place, Patch { row: 1, col: 2 });
        assert_eq!(patch, Rect::from_min_size(pos2(10.0 + 80.0, 20.0 + 40.0), vec2(40.0, 40.0)));
        let small = tile.patch(Rect::from_min_size(pos2(0.0, 0.0), vec2(20.0, 10.0)), Patch { row: 0, col: 0 });
        assert_eq!((small.center(), small.width()), (pos2(2.0, 2.0), LEAST_OUTLINE));
    }
}
