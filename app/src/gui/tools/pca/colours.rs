//! Scores and clusters as colours.

use dinoscope_engine::analysis::clustering::Labels;
use dinoscope_engine::analysis::foreground::PatchMask;
use dinoscope_engine::analysis::pca::Scores;

use super::settings::{Background, Colouring, Settings};
use crate::gui::theme;

/// Scores in deviations at which the map of one component ends.
pub const SINGLE_RANGE: f32 = 3.0;

/// Alpha of clusters other than the one that is pointed at.
const DIMMED: u8 = 40;

/// RGBA by row; outside of the foreground black, or clear.
pub fn of_scores(scores: &Scores, foreground: Option<&PatchMask>, settings: &Settings) -> Vec<[u8; 4]> {
    let (rows, cols, fitted) = scores.dim();
    if fitted == 0 {
        return vec![[0; 4]; rows * cols];
    }
    let shown = settings.shown_of(fitted);
    let texel = |row: usize, col: usize| {
        let [r, g, b] = match settings.colouring {
            Colouring::Rainbow => std::array::from_fn(|channel| channel_of(scores[[row, col, shown[channel]]])),
            Colouring::Single => diverging(scores[[row, col, shown[0]]] / SINGLE_RANGE),
        };
        match (foreground.is_none_or(|mask| mask[[row, col]]), settings.background) {
            (true, _) => [r, g, b, 255],
            (false, Background::Black) => [0, 0, 0, 255],
            // Its own colour though clear: smooth edges keep their hue.
            (false, Background::Picture) => [r, g, b, 0],
        }
    };
    (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col))).map(|(row, col)| texel(row, col)).collect()
}

/// `sigmoid(2 * score)`, as `dinoscope_engine::analysis::pca::colours` does.
fn channel_of(score: f32) -> u8 {
    (255.0 / (1.0 + (-2.0 * score).exp())).round() as u8
}

/// Blue at -1, white at 0, red at 1: the same steps of lightness on both sides (Moreland's cool-warm, steeper).
pub fn diverging(value: f32) -> [u8; 3] {
    const COLD: [f32; 3] = [33.0, 102.0, 172.0];
    const MIDDLE: [f32; 3] = [247.0, 247.0, 247.0];
    const WARM: [f32; 3] = [178.0, 24.0, 43.0];
    let end = if value < 0.0 { COLD } else { WARM };
    let share = value.abs().min(1.0);
    std::array::from_fn(|channel| (MIDDLE[channel] + (end[channel] - MIDDLE[channel]) * share).round() as u8)
}

/// Colour of a cluster: tab10, then the same lighter.
pub fn of_cluster(label: usize) -> [u8; 3] {
    let colour = theme::TAB10[label % theme::TAB10.len()];
    if label < theme::TAB10.len() { colour } else { colour.map(|channel| channel / 2 + 127) }
}

/// RGBA by row; clusters other than `highlighted` are nearly clear.
pub fn of_labels(labels: &Labels, highlighted: Option<usize>) -> Vec<[u8; 4]> {
    let texel = |&label: &usize| {
        let [r, g, b] = of_cluster(label);
        [r, g, b, if highlighted.is_none_or(|highlighted| highlighted == label) { 255 } else { DIMMED }]
    };
    labels.iter().map(texel).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores() -> Scores {
        Scores::from_shape_fn((1, 3, 4), |(_, col, component)| (col as f32 - 1.0) * (component as f32 + 1.0))
    }

    #[test]
    fn rainbow_is_what_the_engine_draws() {
        let settings = Settings { rainbow: [3, 0, 1], ..Settings::default() };
        let chosen =
            Scores::from_shape_fn((1, 3, 3), |(row, col, channel)| scores()[[row, col, settings.rainbow[channel]]]);
        let mask = PatchMask::from_shape_fn((1, 3), |(_, col)| col != 1);
        let expected = dinoscope_engine::analysis::pca::colours(&chosen, Some(&mask));
        for (col, texel) in of_scores(&scores(), Some(&mask), &settings).iter().enumerate() {
            let expected = [0, 1, 2].map(|channel| (expected[[0, col, channel]] * 255.0).round() as u8);
            assert_eq!((texel[..3].to_vec(), texel[3]), (expected.to_vec(), 255));
        }
    }

    #[test]
    fn the_picture_shows_outside_of_the_foreground() {
        let settings = Settings { background: Background::Picture, ..Settings::default() };
        let mask = PatchMask::from_shape_fn((1, 3), |(_, col)| col == 2);
        let alpha: Vec<u8> = of_scores(&scores(), Some(&mask), &settings).iter().map(|texel| texel[3]).collect();
        assert_eq!(alpha, [0, 0, 255]);
    }

    #[test]
    fn one_component_goes_from_blue_to_red() {
        let settings = Settings { colouring: Colouring::Single, single: 2, ..Settings::default() };
        let texels = of_scores(&scores(), None, &settings);
        assert!(texels[0][2] > texels[0][0] && texels[2][0] > texels[2][2]);
        assert_eq!(texels[1], [247, 247, 247, 255]);
    }

    #[test]
    fn twenty_clusters_have_twenty_colours() {
        let colours: std::collections::HashSet<[u8; 3]> = (0..20).map(of_cluster).collect();
        assert_eq!(colours.len(), 20);
        let labels = Labels::from_shape_fn((1, 2), |(_, col)| col);
        let alpha: Vec<u8> = of_labels(&labels, Some(1)).iter().map(|texel| texel[3]).collect();
        assert_eq!(alpha, [DIMMED, 255]);
    }
}
