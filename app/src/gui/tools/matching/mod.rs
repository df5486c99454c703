//! Matching: which patch of one picture is which of the other, as colours, as lines, and under the pointer.

mod exports;
mod focus;
mod found;
mod inspector;
mod kept;
mod lines;
mod matcher;
mod pair;
mod second;
mod settings;

use dinoscope_engine::dispatch::{Event, PictureId, Selected};
use dinoscope_engine::draw::Colormap;
use dinoscope_engine::draw::matching::line_distance;
use egui::{Color32, Painter, Ui};

use super::live_map::LiveMap;
use super::similarity::colour_bar::ColourBar;
use super::{Exportable, Tool, foreground};
use crate::gui::canvas::View;
use crate::gui::overlay::{Layer, LayerContent, MapStyle};
use crate::gui::shared::Shared;
use crate::gui::theme;
use focus::Focus;
use found::{Found, Inputs, Side, fade_since};
use kept::Kept;
use lines::ScreenLine;
use matcher::Matcher;
use settings::Settings;

/// Opacity of the map under which the picture must still be recognised.
const MAP_OPACITY: f32 = 0.75;

/// The tool's state.
#[derive(Default)]
pub struct Matching {
    settings: Settings,
    matcher: Matcher,
    kept: Kept,
    map: LiveMap,
    hovered: Option<Focus>,
    pinned: Option<Focus>,
    screen_lines: Vec<ScreenLine>,
}

impl Tool for Matching {
    fn shown(&self, shared: &Shared) -> Vec<PictureId> {
        [shared.documents.active_id(), shared.documents.partner_id()].into_iter().flatten().collect()
    }

    fn columns(&self) -> Option<usize> {
        Some(2)
    }

    fn receive(&mut self, shared: &mut Shared, event: &Event) {
        self.matcher.receive(shared, event);
        self.kept.receive(event);
    }

    fn update(&mut self, ui: &Ui, shared: &mut Shared, views: &[View]) {
        let both = shared.documents.active_id().zip(shared.documents.partner_id());
        if let [view] = views {
            second::show(ui.ctx(), shared, view);
        }
        let is_painting = foreground::interact(ui, shared, views);
        (self.hovered, self.pinned) = (None, None);
        self.screen_lines.clear();
        let Some((left, right)) = both else { return };
        if let Some(inputs) = self.inputs(shared, left, right) {
            self.matcher.want(shared, inputs);
        }
        let Some(found) = self.matcher.found(left, right) else { return };
        let distance = self.settings.line_distance.or_else(|| usual_distance(shared, left, right)).unwrap_or_default();
        self.kept.update(shared, found, self.settings.least_score, f64::from(distance));
        if self.settings.display.has_lines() {
            self.screen_lines = lines::lay_out(found, &self.kept.lines, views);
        }
        if !is_painting {
            self.hovered = focus::hovered(found, views, &self.screen_lines);
            focus::interact(ui, shared, found, views, self.hovered);
        }
        self.pinned = focus::pinned(found, shared.placed.now().pin.as_ref());
        match self.mapped() {
            Some(focus) => {
                let gpu = shared.gpu().clone();
                let features = |side| &found.inputs.side(side).features;
                let (from, onto) = (features(focus.from), features(focus.from.other()));
                if let Err(message) = self.map.compare(&gpu, from, focus.asked(), onto) {
                    shared.notices.error(&message, None);
                }
            }
            None => self.map.clear(),
        }
        let is_map_on_its_way = self.settings.is_map_stretched && !self.map.arrive(shared.gpu());
        let is_map_fading = self.map.since().is_some_and(|since| fade_since(since) < 1.0);
        if found.fade() < 1.0 || is_map_fading || is_map_on_its_way {
            ui.ctx().request_repaint();
        }
    }

    fn rest(&mut self, shared: &mut Shared) {
        self.matcher.rest(shared);
    }

    fn layer(&self, shared: &Shared, view: &View) -> Option<Layer> {
        let found = self.found(shared)?;
        let side = found.side_of(view.picture)?;
        if self.has_map(side)
            && let Some((geometry, content)) = self.map.layer(self.map_style())
        {
            let opacity = MAP_OPACITY * self.map.since().map_or(0.0, fade_since);
            return Some(Layer { geometry, content, opacity, is_smooth: true });
        }
        if !self.settings.display.has_colours() {
            return None;
        }
        let colours = found.colours.as_ref()?[side as usize].clone();
        Some(Layer {
            geometry: *found.geometry(side),
            content: LayerContent::Colours(colours),
            opacity: self.settings.opacity * found.fade(),
            is_smooth: self.settings.is_smooth,
        })
    }

    fn paint(&self, painter: &Painter, shared: &Shared, view: &View) {
        foreground::paint(painter, shared, view);
        let Some((found, side)) = self.found(shared).and_then(|found| Some((found, found.side_of(view.picture)?)))
        else {
            return;
        };
        if self.has_map(side) && self.map.since().is_some() {
            let MapStyle { colormap, range, threshold, .. } = self.map_style();
            let value = self.score_under_pointer(found, side, view);
            let bar = ColourBar { colormap, range: range.or(self.map.range()), unit: "", value, threshold };
            bar.paint(painter, view.transform.rect, view.response.hover_pos());
        }
    }

    fn paint_across(&self, painter: &Painter, shared: &Shared, views: &[View]) {
        let Some(found) = self.found(shared) else { return };
        let has_focus = self.hovered.or(self.pinned).is_some();
        lines::paint(painter, &self.screen_lines, views, has_focus, found.fade());
        let accent = theme::accent(egui::Theme::Dark);
        let foci = [(self.pinned, accent), (self.hovered, Color32::WHITE)];
        for (focus, colour) in foci {
            if let Some(focus) = focus {
                pair::paint(painter, found, views, &focus, colour);
            }
        }
    }

    fn readout(&self, shared: &Shared, view: &View) -> Option<String> {
        let found = self.found(shared)?;
        let side = found.side_of(view.picture)?;
        let features = |side: Side| &*found.inputs.side(side).features;
        if let Some(pinned) = self.pinned.filter(|pinned| pinned.from != side) {
            let score =
                focus::cosine((features(pinned.from), pinned.asked()), (features(side), view.hovered_patch()?))?;
            return Some(format!("cos {score:.3} to the pin"));
        }
        let pair = self.hovered?.pair;
        let other = side.other().patch_of(&pair);
        Some(format!("match at row {} col {}, cos {:.3}", other.row, other.col, pair.score))
    }

    fn inspector(&mut self, ui: &mut Ui, shared: &mut Shared) {
        inspector::show(self, ui, shared);
    }

    fn exports(&self, shared: &Shared) -> Vec<Exportable> {
        self.found(shared).map_or_else(Vec::new, |found| exports::list(shared, found, &self.kept))
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::to_value(&self.settings).unwrap_or_default()
    }

    fn restore(&mut self, settings: &serde_json::Value) {
        self.settings = Settings::from_json(settings);
    }
}

impl Matching {
    /// Correspondences of the two pictures on the canvas.
    fn found(&self, shared: &Shared) -> Option<&Found> {
        self.matcher.found(shared.documents.active_id()?, shared.documents.partner_id()?)
    }

    /// The pair whose map is shown.
    fn mapped(&self) -> Option<Focus> {
        self.pinned.or(self.hovered).filter(|_| self.settings.has_map)
    }

    /// Whether the map lies on that side.
    fn has_map(&self, side: Side) -> bool {
        self.mapped().is_some_and(|focus| focus.from != side)
    }

    fn map_style(&self) -> MapStyle {
        MapStyle {
            colormap: Colormap::default(),
            range: (!self.settings.is_map_stretched).then_some((0.0, 1.0)),
            threshold: None,
            contour: None,
            is_grey_below: true,
        }
    }

    /// Cosine of the patch under the pointer to the pinned one of the other side.
    fn score_under_pointer(&self, found: &Found, side: Side, view: &View) -> Option<f32> {
        let pinned = self.pinned.filter(|pinned| pinned.from != side)?;
        let features = |side: Side| &*found.inputs.side(side).features;
        focus::cosine((features(pinned.from), pinned.asked()), (features(side), view.hovered_patch()?))
    }

    /// What is to be matched, once features and foregrounds of both are there.
    fn inputs(&self, shared: &mut Shared, left: PictureId, right: PictureId) -> Option<Inputs> {
        let [left, right] = [left, right].map(|picture| {
            let features = shared.features(picture)?;
            let foreground = foreground::patches(shared, picture, &features).ready()?;
            Some(Selected { picture, features, foreground })
        });
        Some(Inputs { sides: [left?, right?], is_mutual: self.settings.is_mutual })
    }
}

/// Distance between lines that suits two pictures, in pixels of the left one.
fn usual_distance(shared: &Shared, left: PictureId, right: PictureId) -> Option<f32> {
    let pixels = |id| Some(&shared.documents.get(id)?.loaded()?.pixels);
    Some(line_distance(pixels(left)?, pixels(right)?).round() as f32)
}
