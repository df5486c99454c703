//! Boxes around objects, and what each is called.

use super::canvas::Canvas;
use super::text;
use crate::image::Picture;

const DARK: [f32; 3] = [18.0, 19.0, 23.0];
const LIGHT: [f32; 3] = [250.0; 3];

/// A box as it is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledBox {
    /// Left, upper, right and lower edge in pixels.
    pub corners: [f32; 4],
    /// On a plate of the box's colour.
    pub label: String,
    /// Of lines and plate.
    pub colour: [u8; 3],
}

/// Boxes over a picture, the most important first: what comes first lies above the others, and has the first choice of a
/// place for its label. A picture too small for letters has lines alone.
pub fn boxes_over_picture(picture: &Picture, boxes: &[LabelledBox]) -> Picture {
    let mut drawn = picture.clone();
    let mut canvas = Canvas { picture: &mut drawn };
    let side = picture.width.min(picture.height) as f32;
    let size = (side / 32.0).clamp(11.0, 30.0);
    let width = (f64::from(size) / 7.0).max(2.0);
    for labelled in boxes.iter().rev() {
        outline(&mut canvas, labelled.corners, width + 2.0, DARK, 0.55);
        outline(&mut canvas, labelled.corners, width, labelled.colour.map(f32::from), 1.0);
    }
    if side < 3.0 * size {
        return drawn;
    }
    let mut plates = Vec::new();
    for labelled in boxes {
        let plate = Plate::place(labelled, size, (picture.width as f32, picture.height as f32), &plates);
        plates.push(plate);
    }
    for (plate, labelled) in plates.iter().zip(boxes).rev() {
        plate.draw(&mut canvas, labelled.colour.map(f32::from), size);
    }
    drawn
}

fn outline(canvas: &mut Canvas<'_>, corners: [f32; 4], width: f64, colour: [f32; 3], opacity: f64) {
    let [x0, y0, x1, y1] = corners.map(f64::from);
    for (from, to) in [((x0, y0), (x1, y0)), ((x1, y0), (x1, y1)), ((x1, y1), (x0, y1)), ((x0, y1), (x0, y0))] {
        canvas.segment(from, to, width, colour, opacity);
    }
}

/// A label where it is drawn.
struct Plate {
    /// Left, upper, right and lower edge.
    corners: [f32; 4],
    text: String,
}

impl Plate {
    /// At an edge of the box, inside of the picture, and where no other lies if there is such a place.
    fn place(labelled: &LabelledBox, size: f32, (width, height): (f32, f32), others: &[Self]) -> Self {
        let pad = 0.35 * size;
        let text = text::shortened(&labelled.label, size, width - 2.0 * pad);
        let (plate_width, plate_height) = (text::width(&text, size) + 2.0 * pad, 1.3 * size);
        let [x0, y0, x1, y1] = labelled.corners;
        let places = [
            (x0, y0 - plate_height),
            (x1 - plate_width, y0 - plate_height),
            (x0, y0),
            (x1 - plate_width, y0),
            (x0, y1 - plate_height),
            (x0, y1),
            (x1 - plate_width, y1),
        ];
        let inside = |(x, y): (f32, f32)| {
            let x = x.clamp(0.0, (width - plate_width).max(0.0));
            let y = y.clamp(0.0, (height - plate_height).max(0.0));
            [x, y, x + plate_width, y + plate_height]
        };
        let is_free = |corners: &[f32; 4]| others.iter().all(|other| !overlap(&other.corners, corners));
        let corners = places.into_iter().map(inside).find(is_free).unwrap_or_else(|| inside(places[0]));
        Self { corners, text }
    }

    fn draw(&self, canvas: &mut Canvas<'_>, colour: [f32; 3], size: f32) {
        let [x0, y0, x1, y1] = self.corners;
        canvas.plate([x0, x1, y0, y1].map(f64::from), f64::from(0.2 * size), colour, 1.0);
        let [red, green, blue] = colour;
        let brightness = 0.299 * red + 0.587 * green + 0.114 * blue;
        let ink = if brightness > 140.0 { DARK } else { LIGHT };
        text::draw(canvas, &self.text, (x0 + 0.35 * size, y0 + 0.1 * size), size, ink);
    }
}

fn overlap([ax0, ay0, ax1, ay1]: &[f32; 4], [bx0, by0, bx1, by1]: &[f32; 4]) -> bool {
    ax0 < bx1 && bx0 < ax1 && ay0 < by1 && by0 < ay1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(corners: [f32; 4], label: &str) -> LabelledBox {
        LabelledBox { corners, label: label.to_owned(), colour: [255, 127, 14] }
    }

    #[test]
    fn lines_lie_on_the_edges_and_labels_beside_each_other() {
        let picture = Picture { width: 300, height: 200, rgb: vec![90; 300 * 200 * 3] };
        let drawn = boxes_over_picture(&picture, &[labelled([50.0, 60.0, 250.0, 180.0], "cat 0.93")]);
        let pixel = |x: usize, y: usize| &drawn.rgb[3 * (y * 300 + x)..][..3];
        assert_eq!(pixel(150, 180), [255, 127, 14]);
        assert_eq!(pixel(150, 120), [90; 3]);
        assert_eq!(pixel(51, 50), [255, 127, 14], "the plate lies above the box");

        let corners = [50.0, 60.0, 250.0, 180.0];
        let mut plates: Vec<Plate> = Vec::new();
        for _ in 0..5 {
            plates.push(Plate::place(&labelled(corners, "cat 0.93"), 11.0, (300.0, 200.0), &plates));
        }
        for (index, plate) in plates.iter().enumerate() {
            assert!(plates[..index].iter().all(|other| !overlap(&other.corners, &plate.corners)), "{index}");
        }
    }

    #[test]
    fn any_box_is_drawn_on_any_picture() {
        for (width, height) in [(1, 1), (20, 400), (400, 20), (64, 48)] {
            let picture = Picture { width, height, rgb: vec![90; width * height * 3] };
            let (right, lower) = (width as f32, height as f32);
            let boxes = [
                labelled([0.0, 0.0, right, lower], "a name that is much longer than the picture is wide"),
                labelled([right, lower, right, lower], ""),
                labelled([-9.0, -9.0, 2.0 * right, 2.0 * lower], "Ω"),
            ];
            let drawn = boxes_over_picture(&picture, &boxes);
            assert_eq!(drawn.rgb.len(), picture.rgb.len());
        }
    }
}
