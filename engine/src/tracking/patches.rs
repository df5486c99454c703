//! Labels on the patch grid, and back on the screen.

use ndarray::{Array2, Axis};

use super::LabelMap;
use crate::features::Geometry;

/// How likely every patch of a frame belongs to each class.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchProbabilities {
    /// Object ids, rising; the first is 0, the background.
    pub classes: Vec<u8>,
    /// `[patches, classes]`; rows sum to 1.
    pub values: Array2<f32>,
}

impl PatchProbabilities {
    /// One for the class of the pixel in the middle of a patch (`nearest-exact`), zero for the others.
    pub fn one_hot(labels: &LabelMap, geometry: &Geometry) -> Self {
        let mut classes = vec![0];
        classes.extend(labels.objects());
        let (rows, cols) = geometry.grid;
        let (width, height) = geometry.covered;
        let mut values = Array2::zeros((rows * cols, classes.len()));
        for row in 0..rows {
            let y = nearest_exact(row, rows, height);
            for col in 0..cols {
                let id = labels.ids[y * labels.width + nearest_exact(col, cols, width)];
                if let Ok(class) = classes.binary_search(&id) {
                    values[[row * cols + col, class]] = 1.0;
                }
            }
        }
        Self { classes, values }
    }

    /// `[patches, classes]` for another choice of classes, rising; zero for those that it has not.
    pub fn for_classes(&self, classes: &[u8]) -> Array2<f32> {
        let mut values = Array2::zeros((self.values.nrows(), classes.len()));
        for (class, column) in self.classes.iter().zip(self.values.axis_iter(Axis(1))) {
            if let Ok(at) = classes.binary_search(class) {
                values.column_mut(at).assign(&column);
            }
        }
        values
    }

    /// Without an object: its probability becomes 0 and the others make up for it, or the background where nothing else
    /// is left.
    pub fn remove(&mut self, object: u8) {
        let Some(at) = self.classes.iter().position(|&class| class == object && class > 0) else { return };
        for mut row in self.values.rows_mut() {
            row[at] = 0.0;
            let sum = row.sum();
            if sum > 0.0 {
                row /= sum;
            } else {
                row[0] = 1.0;
            }
        }
    }

    /// Every class, background included, stretched to 0..=1 over the frame, `[patches, classes]`; 0 where a class is the
    /// same everywhere.
    pub fn stretched(&self, geometry: &Geometry) -> Array2<f32> {
        let screen = Screen::new(geometry);
        let mut values = self.values.clone();
        for mut class in values.axis_iter_mut(Axis(1)) {
            let shown = screen.shown.iter().map(|&patch| class[patch]);
            let (low, high) = shown.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
            class.mapv_inplace(|v| if high > low { (v - low) / (high - low) } else { 0.0 });
        }
        values
    }

    /// The id of every patch, `[patches]`: the class that is largest when [`stretched`](Self::stretched), the first of
    /// equals.
    pub fn patch_labels(&self, geometry: &Geometry) -> Vec<u8> {
        let largest = |row: ndarray::ArrayView1<f32>| {
            let better = |best: usize, class: usize| if row[class] > row[best] { class } else { best };
            self.classes[(1..row.len()).fold(0, better)]
        };
        self.stretched(geometry).rows().into_iter().map(largest).collect()
    }

    /// The id of every pixel.
    pub fn labels(&self, geometry: &Geometry) -> LabelMap {
        LabelMap::of_patches(&self.patch_labels(geometry), geometry)
    }

    /// How much every pixel belongs to an object, `[height, width]` of the picture, 0..=255; `None` for an object that
    /// is not among the classes.
    pub fn soft_mask(&self, geometry: &Geometry, object: u8) -> Option<Vec<u8>> {
        let class = self.classes.iter().position(|&class| class == object)?;
        let stretched = self.stretched(geometry);
        let patches: Vec<u8> = stretched.column(class).iter().map(|v| (v * 255.0).round() as u8).collect();
        Some(Screen::new(geometry).enlarge(&patches, 0))
    }
}

impl LabelMap {
    /// At the size of the picture, from the id of every patch, `[patches]`; background where no patch lies.
    pub fn of_patches(patches: &[u8], geometry: &Geometry) -> Self {
        let (width, height) = geometry.picture;
        Self { width, height, ids: Screen::new(geometry).enlarge(patches, 0) }
    }
}

/// Which patch every pixel shows (torch's `nearest`).
struct Screen {
    picture_width: usize,
    picture_height: usize,
    /// Of the grid.
    cols: usize,
    /// Patch row of every pixel row that the grid covers.
    rows_of: Vec<usize>,
    /// Patch column of every pixel column that the grid covers.
    cols_of: Vec<usize>,
    /// Patches that have a pixel: all, unless the picture is smaller than the grid.
    shown: Vec<usize>,
}

impl Screen {
    fn new(geometry: &Geometry) -> Self {
        let (rows, cols) = geometry.grid;
        let (width, height) = geometry.covered;
        let rows_of: Vec<usize> = (0..height).map(|y| nearest(y, height, rows)).collect();
        let cols_of: Vec<usize> = (0..width).map(|x| nearest(x, width, cols)).collect();
        let distinct = |places: &[usize]| {
            let mut places = places.to_vec();
            places.dedup();
            places
        };
        let shown_cols = distinct(&cols_of);
        let in_row = |row: usize| shown_cols.iter().map(move |col| row * cols + col);
        let shown = distinct(&rows_of).into_iter().flat_map(in_row).collect();
        Self { picture_width: geometry.picture.0, picture_height: geometry.picture.1, cols, rows_of, cols_of, shown }
    }

    /// One value per pixel from one per patch; `outside` where no patch lies.
    fn enlarge(&self, patches: &[u8], outside: u8) -> Vec<u8> {
        let mut pixels = vec![outside; self.picture_width * self.picture_height];
        for (line, row) in pixels.chunks_exact_mut(self.picture_width).zip(&self.rows_of) {
            let patches = &patches[row * self.cols..][..self.cols];
            for (pixel, col) in line.iter_mut().zip(&self.cols_of) {
                *pixel = patches[*col];
            }
        }
        pixels
    }
}

/// The source of place `index` of `count` among `sources`: torch's `nearest`, in its arithmetic.
pub fn nearest(index: usize, count: usize, sources: usize) -> usize {
    let scale = sources as f32 / count as f32;
    ((index as f32 * scale).floor() as usize).min(sources - 1)
}

/// As [`nearest`], from the middle of the place: torch's `nearest-exact`.
pub fn nearest_exact(index: usize, count: usize, sources: usize) -> usize {
    let scale = sources as f32 / count as f32;
    let place = (index as f64 + 0.5) * f64::from(scale);
    ((place as f32).floor() as usize).min(sources - 1)
}
