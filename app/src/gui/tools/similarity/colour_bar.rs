//! Which number is which colour.

use dinoscope_engine::draw::Colormap;
use egui::{Align2, Color32, FontId, Mesh, Painter, Pos2, Rect, Shape, Stroke, pos2, vec2};

/// Height of the plate, in points.
const HEIGHT: f32 = 42.0;

/// Least and greatest width of the plate, in points.
const WIDTHS: (f32, f32) = (112.0, 184.0);

/// Points from the view's edge.
const MARGIN: f32 = 8.0;

/// Steps of a gradient: as many as colour maps have colours.
const STEPS: usize = 52;

/// What a bar shows.
pub struct ColourBar {
    /// The colours.
    pub colormap: Colormap,
    /// Values of the first and the last colour; unknown for a moment while a stretched map is computed.
    pub range: Option<(f32, f32)>,
    /// Behind the numbers: " m".
    pub unit: &'static str,
    /// The value under the pointer.
    pub value: Option<f32>,
    /// Values below are not drawn.
    pub threshold: Option<f32>,
}

impl ColourBar {
    /// Draws it in the lower right corner of a view, faint where the pointer is; not in views too small for it.
    pub fn paint(&self, painter: &Painter, view: Rect, pointer: Option<Pos2>) {
        let size = vec2((0.4 * view.width()).clamp(WIDTHS.0, WIDTHS.1), HEIGHT);
        if view.width() < size.x + 4.0 * MARGIN || view.height() < 4.0 * size.y {
            return;
        }
        let plate = Rect::from_min_size(view.max - size - vec2(MARGIN, MARGIN), size);
        let is_over = pointer.is_some_and(|pointer| plate.expand(MARGIN).contains(pointer));
        let alpha = if is_over { 0.15 } else { 1.0 };
        let ink = Color32::from_gray(0xF0).gamma_multiply(alpha);
        painter.rect_filled(plate, 6.0, Color32::from_rgba_unmultiplied(18, 19, 23, 214).gamma_multiply(alpha));
        let bar = Rect::from_min_max(plate.min + vec2(12.0, 10.0), pos2(plate.max.x - 12.0, plate.min.y + 18.0));
        painter.add(gradient(bar, self.colormap, alpha));
        let Some((low, high)) = self.range else { return };
        let at = |value: f32| bar.left() + ((value - low) / (high - low).max(1e-6)).clamp(0.0, 1.0) * bar.width();

        for (share, anchor) in [(0.0, Align2::LEFT_TOP), (0.5, Align2::CENTER_TOP), (1.0, Align2::RIGHT_TOP)] {
            if share == 0.5 && size.x < WIDTHS.1 {
                continue;
            }
            let x = bar.left() + share * bar.width();
            painter.vline(x, bar.bottom()..=bar.bottom() + 3.0, Stroke::new(1.0, ink));
            let text = number(low + (high - low) * share, high - low) + self.unit;
            painter.text(pos2(x, bar.bottom() + 4.0), anchor, text, FontId::proportional(11.5), ink);
        }
        if let Some(threshold) = self.threshold.filter(|threshold| *threshold > low) {
            let hidden = Rect::from_min_max(bar.min, pos2(at(threshold), bar.max.y));
            painter.rect_filled(hidden, 0.0, Color32::from_rgba_unmultiplied(18, 19, 23, 200).gamma_multiply(alpha));
        }
        if let Some(value) = self.value {
            let x = at(value);
            let tip = pos2(x, bar.top() + 1.0);
            let corners = vec![tip, pos2(x - 4.0, bar.top() - 6.0), pos2(x + 4.0, bar.top() - 6.0)];
            painter.add(Shape::convex_polygon(corners, ink, Stroke::NONE));
            painter.vline(x, bar.y_range(), Stroke::new(1.5, ink));
        }
    }
}

/// The colours of a map from left to right.
pub fn gradient(rect: Rect, colormap: Colormap, alpha: f32) -> Shape {
    let mut mesh = Mesh::default();
    for step in 0..=STEPS {
        let share = step as f32 / STEPS as f32;
        let [r, g, b] = colormap.color(share).map(|channel| channel.round() as u8);
        let colour = Color32::from_rgb(r, g, b).gamma_multiply(alpha);
        let x = rect.left() + share * rect.width();
        mesh.colored_vertex(pos2(x, rect.top()), colour);
        mesh.colored_vertex(pos2(x, rect.bottom()), colour);
    }
    for step in 0..STEPS as u32 {
        let first = 2 * step;
        mesh.add_triangle(first, first + 1, first + 2);
        mesh.add_triangle(first + 1, first + 2, first + 3);
    }
    Shape::mesh(mesh)
}

/// With as many decimals as tell the ends of a range apart.
fn number(value: f32, span: f32) -> String {
    let decimals = (1.0 - span.abs().max(1e-6).log10().floor()).clamp(2.0, 5.0) as usize;
    let text = format!("{value:.decimals$}");
    let is_zero = text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.'));
    if is_zero { text.trim_start_matches('-').to_owned() } else { text.replace('-', "−") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_tell_the_ends_apart() {
        assert_eq!(number(0.5, 1.0), "0.50");
        assert_eq!(number(-1.0, 2.0), "−1.00");
        assert_eq!(number(-0.001, 2.0), "0.00");
        assert_eq!(number(0.98766, 0.002), "0.9877");
    }
}
