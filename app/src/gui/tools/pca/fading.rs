//! Colours of the patches of one picture, which change gradually.

use dinoscope_engine::gpu::Gpu;

use crate::gui::overlay;

/// Seconds from one set of colours to the next.
const DURATION_SECS: f64 = 0.15;

/// A texture that goes from what it shows to what it is told to show.
#[derive(Default)]
pub struct Fading {
    /// `[rows, cols]`
    size: (usize, usize),
    from: Vec<[u8; 4]>,
    to: Vec<[u8; 4]>,
    /// Whether `to` is on the way; then since when.
    since: Option<f64>,
    view: Option<wgpu::TextureView>,
}

impl Fading {
    /// Shows these colours from now on: RGBA by row, where alpha 0 lets the picture through.
    pub fn show(&mut self, now_secs: f64, size: (usize, usize), texels: Vec<[u8; 4]>) {
        // What comes into an empty place appears from its own colours, so that it does not pass through black.
        self.from = if size == self.size && !self.to.is_empty() {
            self.at(now_secs)
        } else {
            texels.iter().map(|&[r, g, b, _]| [r, g, b, 0]).collect()
        };
        self.size = size;
        self.to = texels;
        self.since = Some(now_secs);
    }

    /// Brings the texture up to date; whether it still changes.
    pub fn advance(&mut self, gpu: &Gpu, now_secs: f64) -> bool {
        let Some(since) = self.since else { return false };
        self.view = Some(overlay::upload_texels(gpu, self.size.1, &self.at(now_secs)));
        if now_secs - since >= DURATION_SECS {
            self.since = None;
        }
        self.since.is_some()
    }

    /// What is to be drawn, and the size it has.
    pub fn view(&self) -> Option<(&wgpu::TextureView, (usize, usize))> {
        Some((self.view.as_ref()?, self.size))
    }

    fn at(&self, now_secs: f64) -> Vec<[u8; 4]> {
        let share = self.since.map_or(1.0, |since| ((now_secs - since) / DURATION_SECS).clamp(0.0, 1.0)) as f32;
        let mix = |from: u8, to: u8| (f32::from(from) + (f32::from(to) - f32::from(from)) * share).round() as u8;
        let texels = self.from.iter().zip(&self.to);
        texels.map(|(from, to)| std::array::from_fn(|channel| mix(from[channel], to[channel]))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_colours_appear_and_later_ones_mix() {
        let mut fading = Fading::default();
        fading.show(10.0, (1, 1), vec![[200, 100, 0, 255]]);
        assert_eq!(fading.at(10.0), [[200, 100, 0, 0]]);
        assert_eq!(fading.at(10.0 + DURATION_SECS), [[200, 100, 0, 255]]);
        fading.show(20.0, (1, 1), vec![[0, 100, 50, 255]]);
        assert_eq!(fading.at(20.0 + DURATION_SECS / 2.0)[0][1..], [100, 25, 255]);
        fading.show(30.0, (1, 2), vec![[1, 2, 3, 255]; 2]);
        assert_eq!(fading.at(30.0), [[1, 2, 3, 0]; 2], "another grid starts anew");
    }
}
