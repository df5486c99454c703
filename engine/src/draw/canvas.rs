//! Anti-aliased shapes on a picture. Colours are RGB in 0..=255, coordinates are pixels (centres at halves), and what
//! lies outside is cut off.

use crate::image::Picture;

/// Draws on a picture.
pub struct Canvas<'a> {
    /// Drawn on.
    pub picture: &'a mut Picture,
}

impl Canvas<'_> {
    /// Mixes a colour into a pixel; `alpha` 1 replaces it.
    pub fn blend(&mut self, x: usize, y: usize, colour: [f32; 3], alpha: f32) {
        let start = (y * self.picture.width + x) * 3;
        for (old, new) in self.picture.rgb[start..start + 3].iter_mut().zip(colour) {
            *old = (f32::from(*old) + (new - f32::from(*old)) * alpha).round() as u8;
        }
    }

    /// Mixes a colour into every pixel of the box `x0..x1`, `y0..y1` by `coverage` at its centre.
    fn shade(&mut self, [x0, x1, y0, y1]: [f64; 4], colour: [f32; 3], coverage: impl Fn(f64, f64) -> f64) {
        let range =
            |low: f64, high: f64, len: usize| (low.floor().max(0.0) as usize)..(high.ceil().max(0.0) as usize).min(len);
        for y in range(y0, y1, self.picture.height) {
            for x in range(x0, x1, self.picture.width) {
                let alpha = coverage(x as f64 + 0.5, y as f64 + 0.5).clamp(0.0, 1.0);
                if alpha > 0.0 {
                    self.blend(x, y, colour, alpha as f32);
                }
            }
        }
    }

    /// A filled disc.
    pub fn disc(&mut self, (cx, cy): (f64, f64), radius: f64, colour: [f32; 3], opacity: f64) {
        let reach = radius + 1.0;
        self.shade([cx - reach, cx + reach, cy - reach, cy + reach], colour, |x, y| {
            (radius + 0.5 - (x - cx).hypot(y - cy)).clamp(0.0, 1.0) * opacity
        });
    }

    /// A circle of that `radius` and line `width`.
    pub fn ring(&mut self, (cx, cy): (f64, f64), radius: f64, width: f64, colour: [f32; 3], opacity: f64) {
        let reach = radius + width + 1.0;
        self.shade([cx - reach, cx + reach, cy - reach, cy + reach], colour, |x, y| {
            (width / 2.0 + 0.5 - ((x - cx).hypot(y - cy) - radius).abs()).clamp(0.0, 1.0) * opacity
        });
    }

    /// A straight line with round ends.
    pub fn segment(&mut self, from: (f64, f64), to: (f64, f64), width: f64, colour: [f32; 3], opacity: f64) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let squared_length = dx * dx + dy * dy;
        let reach = width / 2.0 + 1.0;
        let (left, right) = (from.0.min(to.0) - reach, from.0.max(to.0) + reach);
        let (top, bottom) = (from.1.min(to.1) - reach, from.1.max(to.1) + reach);
        let coverage = |x: f64, y: f64| {
            let along = ((x - from.0) * dx + (y - from.1) * dy) / squared_length.max(1e-12);
            let along = along.clamp(0.0, 1.0);
            let distance = (x - from.0 - along * dx).hypot(y - from.1 - along * dy);
            (width / 2.0 + 0.5 - distance).clamp(0.0, 1.0) * opacity
        };
        // Row by row, only where the line can be: its box may be the whole picture.
        for y in (top.floor() as i64)..(bottom.ceil() as i64) {
            let y = y as f64;
            let (mut x0, mut x1) = (left, right);
            if dy.abs() > 1e-9 {
                let slack = reach * squared_length.sqrt() / dy.abs() + (dx / dy).abs();
                let centre = from.0 + (y + 0.5 - from.1) * dx / dy;
                x0 = x0.max(centre - slack);
                x1 = x1.min(centre + slack);
            }
            self.shade([x0, x1, y, y + 1.0], colour, coverage);
        }
    }

    /// A filled rectangle with rounded corners.
    pub fn plate(&mut self, [x0, x1, y0, y1]: [f64; 4], radius: f64, colour: [f32; 3], opacity: f64) {
        self.shade([x0, x1, y0, y1], colour, |x, y| {
            let outside = |v: f64, low: f64, high: f64| (low + radius - v).max(v - high + radius).max(0.0);
            let distance = outside(x, x0, x1).hypot(outside(y, y0, y1));
            (radius + 0.5 - distance).clamp(0.0, 1.0) * opacity
        });
    }

    /// Fills a rectangle with a colour that depends on how far right (0..=1) a pixel lies.
    pub fn gradient(&mut self, [x0, x1, y0, y1]: [f64; 4], colour: impl Fn(f32) -> [f32; 3]) {
        let columns = x0.round() as usize..x1.round() as usize;
        let len = columns.len();
        for (index, x) in columns.enumerate() {
            let shade = colour(index as f32 / (len.max(2) - 1) as f32);
            self.shade([x as f64, x as f64 + 1.0, y0.round(), y1.round()], shade, |_, _| 1.0);
        }
    }
}
