//! What a search found, as a sheet of small pictures.

use super::canvas::Canvas;
use super::lines::{paste, scaled};
use super::text;
use crate::image::Picture;

/// Side of a picture at most, in pixels.
const SIDE: usize = 240;
const GAP: usize = 16;
/// Room for the lines below a picture.
const WORDS: usize = 44;
const TEXT: f32 = 15.0;
const MOST_COLUMNS: usize = 5;

const PAPER: u8 = 20;
const INK: [f32; 3] = [235.0; 3];
const DIM_INK: [f32; 3] = [160.0; 3];
const MARK: [f32; 3] = [255.0, 200.0, 40.0];

/// What is marked in a picture, in its pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mark {
    /// A place: x, y.
    Place(f64, f64),
    /// A rectangle: left, top, width, height.
    Region(f64, f64, f64, f64),
}

/// A small picture with two lines below.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    small: Picture,
    name: String,
    note: String,
}

impl Tile {
    /// Of a picture of any size.
    pub fn new(picture: &Picture, mark: Option<Mark>, name: &str, note: &str) -> Self {
        let scale = SIDE as f64 / picture.width.max(picture.height) as f64;
        let side = |side: usize| ((side as f64 * scale).round() as usize).max(1);
        let mut small = scaled(picture, side(picture.width), side(picture.height));
        let mut canvas = Canvas { picture: &mut small };
        match mark {
            Some(Mark::Place(x, y)) => {
                canvas.ring((x * scale, y * scale), 10.0, 5.0, [0.0; 3], 0.6);
                canvas.ring((x * scale, y * scale), 10.0, 2.5, MARK, 1.0);
            }
            Some(Mark::Region(x, y, width, height)) => {
                let [left, top, right, bottom] = [x, y, x + width, y + height].map(|edge| edge * scale);
                let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
                for (line, colour) in [(5.0, [0.0; 3]), (2.5, MARK)] {
                    for side in 0..4 {
                        canvas.segment(corners[side], corners[(side + 1) % 4], line, colour, 1.0);
                    }
                }
            }
            None => {}
        }
        Self { small, name: name.to_owned(), note: note.to_owned() }
    }
}

/// The queries in a row of their own, and below them the results from the left, best first.
pub fn sheet(queries: &[Tile], results: &[Tile]) -> Picture {
    let columns = queries.len().max(results.len()).clamp(1, MOST_COLUMNS);
    let rows: Vec<&[Tile]> = queries.chunks(columns).chain(results.chunks(columns)).collect();
    let (across, down) = (SIDE + GAP, SIDE + WORDS + GAP);
    // The line between queries and results has a gap of its own.
    let (width, height) = (GAP + columns * across, 2 * GAP + rows.len() * down);
    let mut picture = Picture { width, height, rgb: vec![PAPER; 3 * width * height] };
    let query_rows = queries.len().div_ceil(columns);
    let line = (GAP + query_rows * down) as f64;
    let ends = ((GAP as f64, line), ((width - GAP) as f64, line));
    Canvas { picture: &mut picture }.segment(ends.0, ends.1, 1.0, DIM_INK, 1.0);
    for (row, tiles) in rows.into_iter().enumerate() {
        let top = GAP + row * down + if row < query_rows { 0 } else { GAP };
        for (column, tile) in tiles.iter().enumerate() {
            let left = GAP + column * across;
            paste(&mut picture, &tile.small, (left, top + SIDE - tile.small.height));
            let mut canvas = Canvas { picture: &mut picture };
            for (line, (words, ink)) in [(&tile.note, INK), (&tile.name, DIM_INK)].into_iter().enumerate() {
                let at = (left as f32, (top + SIDE) as f32 + 6.0 + line as f32 * (TEXT + 3.0));
                text::draw(&mut canvas, &text::shortened(words, TEXT, SIDE as f32), at, TEXT, ink);
            }
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(width: usize, height: usize, value: u8) -> Picture {
        Picture { width, height, rgb: vec![value; width * height * 3] }
    }

    fn pixel(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
        *picture.rgb[3 * (y * picture.width + x)..].first_chunk().unwrap()
    }

    #[test]
    fn results_follow_their_queries_in_rows() {
        let query = Tile::new(&plain(480, 240, 90), Some(Mark::Region(0.0, 0.0, 100.0, 100.0)), "q.png", "query");
        let results: Vec<Tile> = (0..7)
            .map(|index| Tile::new(&plain(10, 3000, 100 + index), Some(Mark::Place(5.0, 1500.0)), "näme", "0.9"))
            .collect();
        let picture = sheet(&[query], &results);
        assert_eq!((picture.width, picture.height), (16 + 5 * 256, 32 + 3 * 300));
        // The query is half as high as wide, and stands on its words.
        assert_eq!((pixel(&picture, 200, 16 + 130), pixel(&picture, 200, 16 + 100)), ([90; 3], [20; 3]));
        assert_eq!(pixel(&picture, 16 + 256, 32 + 300 + 2), [101; 3]);
        assert_eq!(pixel(&picture, 16 + 256, 32 + 600 + 2), [106; 3]);
        assert!(picture.rgb.as_chunks::<3>().0.contains(&[255, 200, 40]), "the region's edge");
        // Nothing was found, or nothing asked.
        sheet(&[], &[]);
    }
}
