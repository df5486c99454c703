//! Boxes around objects.

use std::collections::BTreeSet;
use std::sync::Arc;

use dinoscope_engine::dispatch::{
    DetectorChoice, Export, HeadAnswer, HeadExport, HeadExportKind, HeadOptions, HeadReading,
};
use dinoscope_engine::draw::classes::class_colour;
use dinoscope_engine::heads::Task;
use dinoscope_engine::heads::detector::Detection;
use dinoscope_engine::image::SizeRule;
use egui::{Color32, FontId, Painter, Rect, ScrollArea, Stroke, StrokeKind, Ui, pos2, vec2};
use serde::{Deserialize, Serialize};

use super::{Exportable, Head, SIZES, input_size, layers_field, metadata_of, typed_layers};
use crate::gui::canvas::View;
use crate::gui::canvas::caption::SHADE;
use crate::gui::overlay::Layer;
use crate::gui::panels::controls;
use crate::gui::shared::Shared;

/// Points that the list takes at most.
const LIST_HEIGHT: f32 = 320.0;

/// Where boxes of these are drawn, names would only hide the picture.
const LEAST_NAMED: f32 = 24.0;

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Boxes with a lower score are not drawn.
    threshold: f32,
    has_names: bool,
    /// Short side of the model's input, in pixels.
    size: usize,
    /// Windows along each side of the picture; `None`: as published.
    windows: Option<usize>,
    /// Blocks that the head reads, as they were typed.
    layers: String,
    /// Classes that are not drawn.
    hidden: BTreeSet<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let (windows, layers, hidden) = (None, String::new(), BTreeSet::new());
        Self { threshold: 0.5, has_names: true, size: 768, windows, layers, hidden }
    }
}

/// The tool's own state.
#[derive(Default)]
pub struct Detect {
    settings: Settings,
    /// The box under the pointer, among those of the reading; the smallest where they overlap.
    hovered: Option<usize>,
    /// The one whose row in the list is under the pointer.
    listed: Option<usize>,
}

impl Detect {
    /// Boxes that are drawn, with their places among all.
    fn drawn<'a>(
        &'a self,
        found: &'a [Detection],
        names: &'a [String],
    ) -> impl DoubleEndedIterator<Item = (usize, &'a Detection)> {
        let is_drawn = |detection: &Detection| {
            detection.score >= self.settings.threshold && !self.settings.hidden.contains(&names[detection.class])
        };
        found.iter().enumerate().filter(move |(_, detection)| is_drawn(detection))
    }
}

impl Head for Detect {
    const TASK: Task = Task::Detection;

    fn options(&self) -> HeadOptions {
        let Settings { size, windows, layers, .. } = &self.settings;
        let choice = DetectorChoice { layers: typed_layers(layers), windows: *windows };
        HeadOptions::Detect { size: SizeRule::ShortSide(*size), choice }
    }

    fn invitation(&self) -> &'static str {
        "Objects in the picture, each in a box."
    }

    fn update(&mut self, _ui: &Ui, _shared: &mut Shared, view: &View, reading: &Arc<HeadReading>) {
        let HeadAnswer::Detections { found, names } = &reading.answer else { return };
        let area = |[x0, y0, x1, y1]: [f32; 4]| (x1 - x0) * (y1 - y0);
        self.hovered = view.hovered.and_then(|point| {
            let holds = |[x0, y0, x1, y1]: [f32; 4]| (x0..x1).contains(&point.x) && (y0..y1).contains(&point.y);
            let under = self.drawn(&found.found, names).filter(|(_, detection)| holds(detection.corners));
            under.min_by(|(_, a), (_, b)| area(a.corners).total_cmp(&area(b.corners))).map(|(place, _)| place)
        });
    }

    fn layer(&self, _reading: &HeadReading) -> Option<Layer> {
        None
    }

    fn paint(&self, painter: &Painter, view: &View, reading: &HeadReading) {
        let HeadAnswer::Detections { found, names } = &reading.answer else { return };
        let raised = self.listed.or(self.hovered);
        // The surest ones lie on top, and the one that is pointed at above all.
        for (place, detection) in self.drawn(&found.found, names).rev().filter(|(place, _)| Some(*place) != raised) {
            self.paint_box(painter, view, detection, names, raised.is_none_or(|raised| raised == place));
        }
        if let Some(detection) = raised.and_then(|place| found.found.get(place)) {
            self.paint_box(painter, view, detection, names, true);
        }
    }

    fn readout(&self, _view: &View, reading: &HeadReading) -> Option<String> {
        let HeadAnswer::Detections { found, names } = &reading.answer else { return None };
        let detection = found.found.get(self.hovered?)?;
        Some(format!("{} {:.2}", names[detection.class], detection.score))
    }

    fn panel(&mut self, ui: &mut Ui, reading: Option<&HeadReading>) {
        let usual = Settings::default();
        let hint = "Boxes that are less sure are not drawn";
        controls::slider(ui, "Least score", hint, &mut self.settings.threshold, 0.05..=1.0, usual.threshold);
        let hint = "The class and the score at each box";
        controls::toggle(ui, "Names", hint, &mut self.settings.has_names);
        self.listed = None;
        let Some(HeadAnswer::Detections { found, names }) = reading.map(|reading| &reading.answer) else { return };
        ui.separator();
        let above = found.above(self.settings.threshold);
        let count = above.len();
        ui.strong(match count {
            0 => "Nothing is that sure".to_owned(),
            1 => "1 object".to_owned(),
            count => format!("{count} objects"),
        });
        let mut toggled = None;
        ScrollArea::vertical().max_height(LIST_HEIGHT).auto_shrink([false, true]).show_rows(
            ui,
            20.0,
            count,
            |ui, rows| {
                for place in rows {
                    let Detection { class, score, .. } = above[place];
                    let name = &names[class];
                    let line = ui.horizontal(|ui| {
                        let mut is_shown = !self.settings.hidden.contains(name);
                        let [r, g, b] = class_colour(class, names.len());
                        let (rect, _) = ui.allocate_exact_size(vec2(14.0, 18.0), egui::Sense::hover());
                        let swatch = Rect::from_center_size(rect.center(), vec2(12.0, 12.0));
                        ui.painter().rect_filled(swatch, 3.0, Color32::from_rgb(r, g, b));
                        let hint = "Draws the boxes of this class";
                        if ui.checkbox(&mut is_shown, name.as_str()).on_hover_text(hint).changed() {
                            toggled = Some((name.clone(), is_shown));
                        }
                        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                            ui.monospace(format!("{score:.2}"));
                        });
                    });
                    if ui.rect_contains_pointer(line.response.rect) {
                        self.listed = Some(place);
                    }
                }
            },
        );
        match toggled {
            Some((name, true)) => drop(self.settings.hidden.remove(&name)),
            Some((name, false)) => drop(self.settings.hidden.insert(name)),
            None => {}
        }
    }

    fn more(&mut self, ui: &mut Ui) {
        input_size(ui, &mut self.settings.size);
        let windows = [(None, "As published"), (Some(1), "1 × 1"), (Some(2), "2 × 2"), (Some(3), "3 × 3")];
        let hint = "Parts of the picture that the model sees one by one, beside the whole";
        controls::choice(ui, "Windows", hint, &mut self.settings.windows, &windows);
        layers_field(ui, &mut self.settings.layers);
    }

    fn exports(&self, shared: &Shared, stem: &str, reading: &Arc<HeadReading>) -> Vec<Exportable> {
        let HeadAnswer::Detections { found, names } = &reading.answer else { return Vec::new() };
        let Some(document) = shared.documents.active() else { return Vec::new() };
        let Some(loaded) = document.loaded() else { return Vec::new() };
        let boxes: Vec<Detection> = self.drawn(&found.found, names).map(|(_, detection)| *detection).collect();
        let exportable = |name, ending: &str, kind, is_picture| {
            let (picture, reading) = (Arc::clone(&loaded.pixels), Arc::clone(reading));
            let picture_name = document.name.clone();
            let what = HeadExport { kind, picture, name: picture_name, metadata: metadata_of(&reading), reading };
            Exportable { name, file_name: format!("{stem}.{ending}"), what: Export::Head(Box::new(what)), is_picture }
        };
        let kind = |kind: fn(Vec<Detection>) -> HeadExportKind| kind(boxes.clone());
        vec![
            exportable("Picture with boxes (PNG)", "objects.png", kind(HeadExportKind::Boxes), true),
            exportable("Boxes (COCO JSON)", "objects.json", kind(HeadExportKind::Coco), false),
        ]
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::to_value(&self.settings).unwrap_or_default()
    }

    fn restore(&mut self, settings: &serde_json::Value) {
        let mut settings: Settings = serde_json::from_value(settings.clone()).unwrap_or_default();
        settings.threshold = settings.threshold.clamp(0.05, 1.0);
        settings.size = settings.size.clamp(*SIZES.start() as usize, *SIZES.end() as usize);
        self.settings = settings;
    }
}

impl Detect {
    fn paint_box(&self, painter: &Painter, view: &View, detection: &Detection, names: &[String], is_bright: bool) {
        let [x0, y0, x1, y1] = detection.corners;
        let rect = Rect::from_min_max(
            view.transform.screen_from_image(pos2(x0, y0)),
            view.transform.screen_from_image(pos2(x1, y1)),
        );
        let [r, g, b] = class_colour(detection.class, names.len());
        let colour = Color32::from_rgb(r, g, b).gamma_multiply(if is_bright { 1.0 } else { 0.35 });
        painter.rect_stroke(rect, 2.0, Stroke::new(3.5, SHADE), StrokeKind::Middle);
        painter.rect_stroke(rect, 2.0, Stroke::new(1.8, colour), StrokeKind::Middle);
        if !self.settings.has_names || !is_bright || rect.width() < LEAST_NAMED {
            return;
        }
        let text = format!("{} {:.2}", names[detection.class], detection.score);
        let galley = painter.layout_no_wrap(text, FontId::proportional(12.0), Color32::WHITE);
        let size = galley.size() + vec2(10.0, 4.0);
        // Above the box, or within it where there is no room.
        let clip = painter.clip_rect();
        let top = if rect.top() - size.y >= clip.top() { rect.top() - size.y } else { rect.top() };
        let left = rect.left().clamp(clip.left(), (clip.right() - size.x).max(clip.left()));
        let plate = Rect::from_min_size(pos2(left, top), size);
        painter.rect_filled(plate, 2.0, SHADE);
        painter.rect_filled(Rect::from_min_size(plate.min, vec2(3.0, size.y)), 1.0, colour);
        painter.galley(plate.min + vec2(6.0, 2.0), galley, Color32::WHITE);
    }
}
