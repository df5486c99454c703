//! Places as vectors of sines (reference: `dinov3/eval/segmentation/models/utils/position_encoding.py`).

use std::f32::consts::TAU;

use candle_core::{Device, Result, Tensor};

/// `[rows * cols, dim]`: the first half tells the row, the second the column.
pub fn sines((rows, cols): (usize, usize), dim: usize, device: &Device) -> Result<Tensor> {
    let half = dim / 2;
    // A pair of numbers has one wavelength.
    let wavelengths: Vec<f32> = (0..half).map(|i| 10_000f32.powf(2.0 * (i / 2) as f32 / half as f32)).collect();
    let axis = |index: usize, len: usize| {
        let place = (index + 1) as f32 / (len as f32 + 1e-6) * TAU;
        let value = move |(i, wavelength): (usize, &f32)| {
            let angle = place / wavelength;
            if i % 2 == 0 { angle.sin() } else { angle.cos() }
        };
        wavelengths.iter().enumerate().map(value)
    };
    let places = (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col)));
    let numbers: Vec<f32> = places.flat_map(|(row, col)| axis(row, rows).chain(axis(col, cols))).collect();
    Tensor::from_vec(numbers, (rows * cols, dim), device)
}
