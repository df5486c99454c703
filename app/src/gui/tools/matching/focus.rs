//! The pair that a person points at, or has pinned.

use dinoscope_engine::analysis::matching::Pair;
use dinoscope_engine::cache::CachedFeatures;
use dinoscope_engine::features::Patch;
use egui::Ui;

use super::found::{Found, Side};
use super::lines::{self, ScreenLine};
use crate::gui::actions::{self, ToolAction};
use crate::gui::canvas::View;
use crate::gui::placed::{Pin, PixelPoint};
use crate::gui::shared::Shared;

/// A pair and the side it was asked from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Focus {
    /// Both patches.
    pub pair: Pair,
    /// Where the pointer is.
    pub from: Side,
}

impl Focus {
    /// The patch that was asked about.
    pub fn asked(&self) -> Patch {
        self.from.patch_of(&self.pair)
    }
}

/// What the pointer is over: a line, or else a patch with the one most similar to it.
pub fn hovered(found: &Found, views: &[View], screen_lines: &[ScreenLine]) -> Option<Focus> {
    let view = views.iter().find(|view| view.response.hover_pos().is_some())?;
    let (from, pointer) = (found.side_of(view.picture)?, view.response.hover_pos()?);
    if let Some(line) = lines::nearest(screen_lines, pointer) {
        return Some(Focus { pair: line.pair, from });
    }
    let pixel = view.hovered?;
    let patch = found.geometry(from).patch_from_pixel(f64::from(pixel.x), f64::from(pixel.y))?;
    Some(Focus { pair: found.best(from, patch)?, from })
}

/// The pair of the patch that is pinned, where it lies in one of the two pictures.
pub fn pinned(found: &Found, pin: Option<&Pin>) -> Option<Focus> {
    let pin = pin?;
    let from = found.side_of(pin.picture)?;
    let patch = found.geometry(from).patch_from_pixel(f64::from(pin.point.x), f64::from(pin.point.y))?;
    Some(Focus { pair: found.best(from, patch)?, from })
}

/// A click pins what is hovered, or unpins it; Escape unpins; the arrow keys move the pin by a patch.
pub fn interact(ui: &Ui, shared: &mut Shared, found: &Found, views: &[View], hovered: Option<Focus>) {
    let is_clicked = |view: &View| view.response.clicked() && !view.is_panning;
    let now = pinned(found, shared.placed.now().pin.as_ref());
    if views.iter().any(is_clicked)
        && let Some(hovered) = hovered
    {
        let is_same = now.is_some_and(|now| now.from == hovered.from && now.asked() == hovered.asked());
        let pin = (!is_same).then(|| pin_at(found, hovered.from, hovered.asked()));
        shared.placed.edit(if is_same { "unpin pair" } else { "pin pair" }, |placed| placed.pin = pin);
    }
    let Some(now) = now.filter(|_| !shared.is_typing && !ui.ctx().egui_wants_keyboard_input()) else { return };
    if actions::taken(ui, ToolAction::LetGo) {
        shared.placed.edit("unpin pair", |placed| placed.pin = None);
        return;
    }
    let (down, right) = actions::steps(ui);
    if (down, right) != (0, 0) {
        let (rows, cols) = found.geometry(now.from).grid;
        let moved =
            |index: usize, step: i32, len: usize| index.saturating_add_signed(step as isize).min(len.saturating_sub(1));
        let patch = Patch { row: moved(now.asked().row, down, rows), col: moved(now.asked().col, right, cols) };
        let pin = pin_at(found, now.from, patch);
        shared.placed.edit("move pin", |placed| placed.pin = Some(pin));
    }
}

fn pin_at(found: &Found, side: Side, patch: Patch) -> Pin {
    let (x, y) = found.geometry(side).pixel_from_patch(patch);
    let point = PixelPoint { x: x as f32, y: y as f32 };
    Pin { picture: found.inputs.side(side).picture, point }
}

/// Cosine between a patch of one picture and a patch of another.
pub fn cosine(a: (&CachedFeatures, Patch), b: (&CachedFeatures, Patch)) -> Option<f32> {
    let feature = |(features, patch): (&CachedFeatures, Patch)| {
        let grid = &features.features.patch;
        (patch.row < grid.rows && patch.col < grid.cols).then(|| grid.at(patch).to_vec())
    };
    let (a, b) = (feature(a)?, feature(b)?);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let lengths = (dot(&a, &a) * dot(&b, &b)).sqrt();
    (a.len() == b.len() && lengths > 0.0).then(|| (dot(&a, &b) / lengths).clamp(-1.0, 1.0))
}
