//! Positions as sines and cosines (reference: `dinov3/eval/detection/models/position_encoding.py`).

use std::f32::consts::TAU;

use super::boxes::CentredBox;

const TEMPERATURE: f32 = 10_000.0;

/// Of each place of a grid, `[rows * cols, width]`: half of the numbers for its row, half for its column.
pub fn of_grid(rows: usize, cols: usize, width: usize) -> Vec<f32> {
    let waves = Waves::new(width / 2);
    let place = |index: usize, len: usize| (index as f32 + 0.5) / (len as f32 + 1e-6);
    let mut encoded = Vec::with_capacity(rows * cols * width);
    for row in 0..rows {
        for col in 0..cols {
            waves.push(place(row, rows), &mut encoded);
            waves.push(place(col, cols), &mut encoded);
        }
    }
    encoded
}

/// Of boxes, `[boxes, 2 * width]`: a quarter of the numbers for each of the four that a box has.
pub fn of_boxes(boxes: &[CentredBox], width: usize) -> Vec<f32> {
    let waves = Waves::new(width / 2);
    let mut encoded = Vec::with_capacity(boxes.len() * 2 * width);
    boxes.as_flattened().iter().for_each(|&number| waves.push(number, &mut encoded));
    encoded
}

/// Lengths of waves, each twice.
struct Waves(Vec<f32>);

impl Waves {
    fn new(count: usize) -> Self {
        let exponent = |index: usize| (2 * (index / 2)) as f32 / count as f32;
        Self((0..count).map(|index| TEMPERATURE.powf(exponent(index))).collect())
    }

    /// Adds the sine and cosine of a number for each wave.
    fn push(&self, number: f32, encoded: &mut Vec<f32>) {
        let turns = number * TAU;
        let phases = self.0.iter().map(|length| turns / length).enumerate();
        encoded.extend(phases.map(|(index, phase)| if index % 2 == 0 { phase.sin() } else { phase.cos() }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_before_columns_and_sines_before_cosines() {
        let encoded = of_grid(2, 3, 8);
        assert_eq!(encoded.len(), 2 * 3 * 8);
        // Row 1 of 2, column 0 of 3.
        let place = &encoded[3 * 8..4 * 8];
        let expected = [0.75, 1.0 / 6.0].map(|at: f32| [(at * TAU).sin(), (at * TAU).cos()]);
        for (got, expected) in [(&place[..2], expected[0]), (&place[4..6], expected[1])] {
            assert!(got.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-5), "{place:?}");
        }
        assert!((place[2] - (0.75 * TAU / 100.0).sin()).abs() < 1e-5, "the second wave is longer");
        assert_eq!(of_boxes(&[[1.0, 2.0, 3.0, 4.0]; 5], 8).len(), 5 * 16);
    }
}
