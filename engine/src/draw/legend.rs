//! The colour bar: which number is which colour.

use super::canvas::Canvas;
use super::{Colormap, font};
use crate::image::Picture;

const INK: [f32; 3] = [240.0; 3];
const PLATE: [f32; 3] = [18.0, 19.0, 23.0];

/// Draws the bar with the numbers of its ends and middle, in `unit`, on a dark plate in a lower corner: the right one,
/// or the left one where that keeps points in `avoid` visible. A picture too small to hold it stays as it is.
pub fn color_bar(picture: &mut Picture, colormap: Colormap, (low, high): (f32, f32), unit: &str, avoid: &[(f64, f64)]) {
    let scale = (picture.width.min(picture.height) / 320).max(1);
    let labels = [low, f32::midpoint(low, high), high].map(|value| number(value, high - low) + unit);
    let text_width: usize = labels.iter().map(|label| font::width(label)).sum::<usize>() + 16;
    let pad = 6 * scale;
    let bar = (text_width.max(96) * scale, 8 * scale);
    let size = (bar.0 + 2 * pad, bar.1 + (font::HEIGHT + 5) * scale + 2 * pad);
    let margin = 6 * scale;
    if picture.width < size.0 + 2 * margin || picture.height < 3 * size.1 {
        return;
    }

    let top = picture.height - margin - size.1;
    let plate = |left: usize| [left, left + size.0, top, top + size.1].map(|v| v as f64);
    let hides = |[x0, x1, y0, y1]: [f64; 4]| {
        let near = margin as f64;
        avoid.iter().any(|&(x, y)| x > x0 - near && x < x1 + near && y > y0 - near && y < y1 + near)
    };
    let right = picture.width - margin - size.0;
    let left = if hides(plate(right)) && !hides(plate(margin)) { margin } else { right };

    let mut canvas = Canvas { picture };
    canvas.plate(plate(left), 5.0 * scale as f64, PLATE, 0.82);
    let (x, y) = (left + pad, top + pad);
    canvas.gradient([x, x + bar.0, y, y + bar.1].map(|v| v as f64), |t| colormap.color(t));
    let below = y + bar.1 + 5 * scale;
    for (label, share) in labels.iter().zip([0, 1, 2]) {
        let tick = x + share * (bar.0 - scale) / 2;
        canvas.gradient([tick, tick + scale, y + bar.1, y + bar.1 + 3 * scale].map(|v| v as f64), |_| INK);
        let width = font::width(label) * scale;
        font::draw(&mut canvas, label, (x + share * (bar.0 - width) / 2, below), scale, INK);
    }
}

/// With as many digits as it takes to tell the ends of a range apart.
fn number(value: f32, range: f32) -> String {
    let digits = (2.0 - range.abs().max(1e-6).log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.*}", digits.clamp(1, 4));
    if text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.')) {
        return text.trim_start_matches('-').to_owned();
    }
    text
}
