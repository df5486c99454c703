//! Which classes a place is most alike to.

use dinoscope_engine::text::Scores;
use egui::{RichText, Ui};

use crate::gui::placed::PixelPoint;

/// Classes that are listed.
pub const LISTED: usize = 5;

/// The classes of the greatest scores at a point of the picture, best first.
pub fn best_at(scores: &Scores, point: PixelPoint) -> Vec<(usize, f32)> {
    best(&all_at(scores, point))
}

/// The score of one class at a point of the picture.
pub fn score_at(scores: &Scores, point: PixelPoint, class: usize) -> Option<f32> {
    all_at(scores, point).get(class).copied()
}

fn all_at(scores: &Scores, point: PixelPoint) -> Vec<f32> {
    let (width, height) = scores.picture();
    let within = |place: f32, length: usize| (place.max(0.0) as usize).min(length.saturating_sub(1));
    scores.at_pixel(within(point.x, width), within(point.y, height))
}

fn best(scores: &[f32]) -> Vec<(usize, f32)> {
    let mut ranked: Vec<(usize, f32)> = scores.iter().copied().enumerate().collect();
    let falling = |a: &(usize, f32), b: &(usize, f32)| b.1.total_cmp(&a.1);
    if ranked.len() > LISTED {
        ranked.select_nth_unstable_by(LISTED, falling);
        ranked.truncate(LISTED);
    }
    ranked.sort_by(falling);
    ranked
}

/// As high with the pointer on the picture as without, so that nothing jumps.
pub fn show(ui: &mut Ui, ranked: &[(&str, f32)]) {
    ui.strong("Under the pointer");
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.spacing_mut().interact_size.y = 18.0;
        for place in 0..LISTED {
            ui.horizontal(|ui| {
                let (name, score) =
                    ranked.get(place).map_or(("", String::new()), |(name, score)| (*name, score_text(*score)));
                let (text, score) = (RichText::new(name), RichText::new(score).monospace());
                ui.add_sized([48.0, 18.0], egui::Label::new(score));
                ui.add(egui::Label::new(if place == 0 { text.strong() } else { text }).truncate());
            });
        }
    });
}

/// "0.412", "−0.031": with a minus as wide as a digit.
pub fn score_text(score: f32) -> String {
    format!("{score:.3}").replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_stand_first_and_are_few() {
        let scores: Vec<f32> = (0..50).map(|class| ((class * 7) % 50) as f32).collect();
        let best = best(&scores);
        assert_eq!(best.iter().map(|(_, score)| *score).collect::<Vec<_>>(), [49.0, 48.0, 47.0, 46.0, 45.0]);
        assert!(best.iter().all(|&(class, score)| scores[class] == score));
        assert_eq!(super::best(&[0.1, 0.3]), [(1, 0.3), (0, 0.1)]);
        assert_eq!(score_text(-0.0314), "−0.031");
    }
}
