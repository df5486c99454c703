//! Pictures that are part of the program.

use std::path::Path;

use dinoscope_engine::image::Picture;
use dinoscope_engine::image::decode::from_bytes;
use egui::{Color32, ColorImage};

/// A picture that is part of the program.
pub struct Sample {
    /// Its file's name.
    pub name: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// The encoded file.
    pub bytes: &'static [u8],
}

/// All of them; the first is open at the first start.
pub static SAMPLES: [Sample; 5] = [
    Sample { name: "chelsea.png", title: "Cat", bytes: include_bytes!("../../../assets/chelsea.png") },
    Sample { name: "coffee.png", title: "Coffee", bytes: include_bytes!("../../../assets/coffee.png") },
    Sample { name: "astronaut.png", title: "Astronaut", bytes: include_bytes!("../../../assets/astronaut.png") },
    Sample { name: "china.jpg", title: "Temple", bytes: include_bytes!("../../../assets/china.jpg") },
    Sample { name: "flower.jpg", title: "Flower", bytes: include_bytes!("../../../assets/flower.jpg") },
];

/// Height of their thumbnails, in pixels.
const THUMBNAIL_HEIGHT: usize = 144;

/// The sample whose file has that name.
pub fn find(name: &str) -> Option<&'static Sample> {
    SAMPLES.iter().find(|sample| sample.name == name)
}

/// Place and thumbnail of each, one after the other: decoding takes some time.
pub fn thumbnails() -> impl Iterator<Item = (usize, ColorImage)> {
    SAMPLES.iter().enumerate().filter_map(|(place, sample)| {
        let picture =
            from_bytes(Path::new(sample.name), sample.bytes).inspect_err(|error| log::error!("{error}")).ok()?;
        Some((place, thumbnail(&picture)))
    })
}

/// Mean colours of equal blocks of pixels.
fn thumbnail(picture: &Picture) -> ColorImage {
    let step = (picture.height / THUMBNAIL_HEIGHT).max(1);
    let (width, height) = (picture.width / step, picture.height / step);
    let block = |x: usize, y: usize| {
        let mut sum = [0usize; 3];
        for row in y * step..(y + 1) * step {
            let at = (row * picture.width + x * step) * 3;
            for pixel in picture.rgb[at..at + step * 3].as_chunks::<3>().0 {
                (0..3).for_each(|channel| sum[channel] += usize::from(pixel[channel]));
            }
        }
        let [r, g, b] = sum.map(|sum| (sum / (step * step)) as u8);
        Color32::from_rgb(r, g, b)
    };
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| block(x, y));
    ColorImage::new([width, height], pixels.collect())
}
