//! Pictures and a clip that are part of the program.

use std::path::Path;

use dinoscope_engine::dispatch::PictureSource;
use dinoscope_engine::image::Picture;
use dinoscope_engine::image::decode::from_bytes;
use egui::{Color32, ColorImage};

/// A picture or clip that is part of the program.
pub struct Sample {
    /// Its file's name.
    pub name: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// The encoded file.
    pub bytes: &'static [u8],
    /// Of a clip: one of its frames, as a picture.
    still: Option<&'static [u8]>,
}

impl Sample {
    const fn picture(name: &'static str, title: &'static str, bytes: &'static [u8]) -> Self {
        Self { name, title, bytes, still: None }
    }

    /// Whether it is a clip.
    pub fn is_clip(&self) -> bool {
        self.still.is_some()
    }

    /// What opens it.
    pub fn source(&self) -> PictureSource {
        let (name, bytes) = (self.name, self.bytes);
        if self.is_clip() {
            PictureSource::EmbeddedClip { name, bytes }
        } else {
            PictureSource::Embedded { name, bytes }
        }
    }
}

/// All of them; the first is open at the first start.
pub static SAMPLES: [Sample; 6] = [
    Sample::picture("chelsea.png", "Cat", include_bytes!("../../../assets/chelsea.png")),
    Sample::picture("coffee.png", "Coffee", include_bytes!("../../../assets/coffee.png")),
    Sample::picture("astronaut.png", "Astronaut", include_bytes!("../../../assets/astronaut.png")),
    Sample::picture("china.jpg", "Temple", include_bytes!("../../../assets/china.jpg")),
    Sample::picture("flower.jpg", "Flower", include_bytes!("../../../assets/flower.jpg")),
    Sample {
        name: "bunny.mp4",
        title: "Bunny (video)",
        bytes: include_bytes!("../../../assets/bunny.mp4"),
        still: Some(include_bytes!("../../../assets/bunny.jpg")),
    },
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
        let picture = from_bytes(Path::new(sample.name), sample.still.unwrap_or(sample.bytes))
            .inspect_err(|error| log::error!("{error}"))
            .ok()?;
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
