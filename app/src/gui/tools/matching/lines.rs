//! Lines from one view to the other.

use dinoscope_engine::analysis::matching::Pair;
use egui::{Color32, Painter, Pos2, Rect, Stroke, Vec2};

use super::found::{Found, Side};
use crate::gui::canvas::View;

/// How near the pointer has to be to a line, in points.
const REACH: f32 = 5.0;

/// Opacity of dots whose line leads out of a view, and of lines beside one that is pointed at.
const FAINT: f32 = 0.25;

/// Colour of lines where there are too few pairs for colours of their own.
const PLAIN: Color32 = Color32::from_gray(0xE0);

/// A pair on the screen.
#[derive(Clone, Copy, Debug)]
pub struct ScreenLine {
    /// The pair.
    pub pair: Pair,
    /// Left and right end.
    pub ends: [Pos2; 2],
    /// Which of them lie in their views.
    pub are_visible: [bool; 2],
    /// The left patch's.
    pub colour: Color32,
}

impl ScreenLine {
    fn is_whole(&self) -> bool {
        self.are_visible == [true; 2]
    }

    /// Points between the line and a place.
    fn distance(&self, place: Pos2) -> f32 {
        let [from, to] = self.ends;
        let along: Vec2 = to - from;
        let share = ((place - from).dot(along) / along.length_sq().max(1e-6)).clamp(0.0, 1.0);
        place.distance(from + along * share)
    }
}

/// Puts pairs on the screen.
pub fn lay_out(found: &Found, pairs: &[Pair], views: &[View]) -> Vec<ScreenLine> {
    let view_of = |side| views.iter().find(|view| found.side_of(view.picture) == Some(side));
    let (Some(left), Some(right)) = (view_of(Side::Left), view_of(Side::Right)) else { return Vec::new() };
    let place = |view: &View, (x, y): (f64, f64)| view.transform.screen_from_image(egui::pos2(x as f32, y as f32));
    let on_screen = |pair: &Pair| {
        let ends = [place(left, pair.left_pixel), place(right, pair.right_pixel)];
        let are_visible = [left.transform.rect.contains(ends[0]), right.transform.rect.contains(ends[1])];
        let colour = found.colour(pair.left).map_or(PLAIN, |rgb| {
            let [r, g, b] = rgb.map(|channel| (channel * 255.0).round() as u8);
            Color32::from_rgb(r, g, b)
        });
        ScreenLine { pair: *pair, ends, are_visible, colour }
    };
    pairs.iter().map(on_screen).filter(|line| line.are_visible != [false; 2]).collect()
}

/// The line under the pointer.
pub fn nearest(lines: &[ScreenLine], pointer: Pos2) -> Option<&ScreenLine> {
    let near = lines.iter().filter(|line| line.is_whole()).map(|line| (line, line.distance(pointer)));
    near.filter(|(_, distance)| *distance <= REACH).min_by(|a, b| a.1.total_cmp(&b.1)).map(|(line, _)| line)
}

/// Draws all lines, then all dots. While one pair is pointed at, the lines of others step back.
pub fn paint(painter: &Painter, lines: &[ScreenLine], views: &[View], has_focus: bool, opacity: f32) {
    let opacity = if has_focus { FAINT * opacity } else { opacity };
    for line in lines.iter().filter(|line| line.is_whole()) {
        segment(painter, line.ends, 1.5, line.colour, opacity);
    }
    // A dot belongs to its picture and does not reach over the view's edge.
    let clips: Vec<Rect> = views.iter().map(|view| view.transform.rect).collect();
    for line in lines {
        let shown = if line.is_whole() { opacity } else { FAINT * opacity };
        for (end, is_visible) in line.ends.into_iter().zip(line.are_visible) {
            if let Some(clip) = clips.iter().find(|clip| is_visible && clip.contains(end)) {
                dot(&painter.with_clip_rect(*clip), end, line.colour, shown);
            }
        }
    }
}

/// One line with a dark edge, so that it is seen over anything.
pub fn segment(painter: &Painter, ends: [Pos2; 2], width: f32, colour: Color32, opacity: f32) {
    painter.line_segment(ends, Stroke::new(width + 2.0, Color32::from_black_alpha((110.0 * opacity) as u8)));
    painter.line_segment(ends, Stroke::new(width, colour.gamma_multiply(opacity)));
}

fn dot(painter: &Painter, centre: Pos2, colour: Color32, opacity: f32) {
    painter.circle_filled(centre, 5.0, Color32::from_black_alpha((190.0 * opacity) as u8));
    painter.circle_filled(centre, 4.2, Color32::WHITE.gamma_multiply(opacity));
    painter.circle_filled(centre, 3.2, colour.gamma_multiply(opacity));
}

#[cfg(test)]
mod tests {
    use super::*;
    use dinoscope_engine::features::Patch;
    use egui::pos2;

    fn line(from: Pos2, to: Pos2, are_visible: [bool; 2]) -> ScreenLine {
        let patch = Patch { row: 0, col: 0 };
        let pair = Pair {
            left: patch,
            right: patch,
            left_pixel: (f64::from(from.x), 0.0),
            right_pixel: (0.0, 0.0),
            score: 1.0,
        };
        ScreenLine { pair, ends: [from, to], are_visible, colour: Color32::RED }
    }

    #[test]
    fn the_nearest_whole_line_within_reach_is_hit() {
        let lines = [
            line(pos2(0.0, 0.0), pos2(100.0, 0.0), [true; 2]),
            line(pos2(1.0, 8.0), pos2(100.0, 8.0), [true; 2]),
            line(pos2(2.0, 5.0), pos2(100.0, 5.0), [true, false]),
        ];
        let hit = |x, y| nearest(&lines, pos2(x, y)).map(|line| line.ends[0].x);
        assert_eq!(hit(50.0, 3.0), Some(0.0));
        assert_eq!(hit(50.0, 5.0), Some(1.0), "a line that leads out of a view is not drawn, so it is not hit");
        assert_eq!(hit(50.0, 20.0), None);
        assert_eq!(hit(-20.0, 0.0), None, "beyond its end");
    }
}
