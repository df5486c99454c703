//! Probabilities as colours.

use dinoscope_engine::draw::Colormap;
use dinoscope_engine::draw::classes::class_colour;
use ndarray::{Array3, ArrayView1, Axis};

use super::settings::{Display, Settings};

/// Colour of a class; the first one, on which others lie, is grey.
pub fn of_class(class: usize, classes: usize) -> [u8; 3] {
    if class == 0 { [150; 3] } else { class_colour(class - 1, classes.saturating_sub(1).max(1)) }
}

/// RGBA by row of probabilities `[rows, cols, classes]`.
pub fn of(probabilities: &Array3<f32>, settings: &Settings) -> Vec<[u8; 4]> {
    let classes = probabilities.dim().2;
    probabilities.lanes(Axis(2)).into_iter().map(|lane| texel(lane, classes, settings)).collect()
}

fn texel(probabilities: ArrayView1<'_, f32>, classes: usize, settings: &Settings) -> [u8; 4] {
    let (best, most) = likeliest(probabilities);
    // Of two classes the second one's probability is drawn, of more that of the likeliest.
    let drawn = if settings.display == Display::Probability && classes == 2 { probabilities[1] } else { most };
    if settings.shown_from().is_some_and(|least| drawn < least) {
        return [0; 4];
    }
    let coloured = |alpha: f32| {
        let [r, g, b] = of_class(best, classes);
        [r, g, b, if best == 0 { 0 } else { (255.0 * alpha).round() as u8 }]
    };
    match settings.display {
        Display::Probability if classes == 2 => mapped(settings.colormap, probabilities[1]),
        // Nothing where all are equally likely.
        Display::Probability => coloured(((most * classes as f32 - 1.0) / (classes as f32 - 1.0)).clamp(0.0, 1.0)),
        Display::Classes => coloured(1.0),
        Display::Uncertainty => mapped(settings.colormap, uncertainty(probabilities)),
    }
}

fn mapped(colormap: Colormap, value: f32) -> [u8; 4] {
    let [r, g, b] = colormap.color(value).map(|channel| channel.round() as u8);
    [r, g, b, 255]
}

/// The likeliest class and its probability.
pub fn likeliest(probabilities: ArrayView1<'_, f32>) -> (usize, f32) {
    let pairs = probabilities.iter().copied().enumerate();
    pairs.fold((0, f32::NEG_INFINITY), |best, (class, value)| if value > best.1 { (class, value) } else { best })
}

/// Entropy as a share of what it is where all are equally likely: 0 where it is certain, 1 where nothing is.
pub fn uncertainty(probabilities: ArrayView1<'_, f32>) -> f32 {
    let entropy: f32 = probabilities.iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum();
    (entropy / (probabilities.len().max(2) as f32).ln()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use ndarray::arr3;

    use super::*;

    #[test]
    fn certain_and_uncertain_patches_look_different() {
        let two = arr3(&[[[0.9, 0.1], [0.5, 0.5], [0.0, 1.0]]]);
        let show = |display| of(&two, &Settings { display, ..Settings::default() });
        let brightness = |texel: [u8; 4]| texel[..3].iter().map(|&v| u32::from(v)).sum::<u32>();
        let shown = show(Display::Probability);
        assert!(brightness(shown[0]) < brightness(shown[1]) && brightness(shown[1]) < brightness(shown[2]));
        let shown = show(Display::Uncertainty);
        assert!(brightness(shown[2]) < brightness(shown[0]) && brightness(shown[0]) < brightness(shown[1]));
        assert_eq!(show(Display::Classes).iter().map(|texel| texel[3]).collect::<Vec<_>>(), [0, 0, 255]);
        let from = |threshold, display| {
            let texels = of(&two, &Settings { display, threshold, ..Settings::default() });
            texels.iter().map(|texel| texel[3]).collect::<Vec<_>>()
        };
        assert_eq!(from(0.3, Display::Probability), [0, 255, 255]);
        assert_eq!(from(0.6, Display::Probability), [0, 0, 255]);
        assert_eq!(from(0.6, Display::Uncertainty), [255; 3], "uncertain is what is probable nowhere");
        let three = arr3(&[[[0.2, 0.7, 0.1], [0.34, 0.33, 0.33]]]);
        let [sure, unsure] = of(&three, &Settings::default())[..] else { panic!("two patches") };
        assert_eq!((sure[3], unsure[3], &sure[..3]), (140, 0, &of_class(1, 3)[..]));
        let classes =
            |threshold| of(&three, &Settings { display: Display::Classes, threshold, ..Settings::default() })[0][3];
        assert_eq!((classes(0.6), classes(0.8)), (255, 0));
    }
}
