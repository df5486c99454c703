use half::f16;

use super::super::buffers::Region;
use super::super::kernels::depthwise::Depthwise;
use super::super::kernels::norm::{Out, PLAIN, SUBGROUP, record_with};
use super::super::kernels::{depthwise, mean, pack, peak, unfold};
use super::super::weights::Norm;
use super::bench::{Bench, all_inputs, check, gpu, numbers, tolerance};
use crate::features::FeatureGrid;
use crate::gpu::ResidentGrid;

const EPSILON: f32 = 1e-5;

/// Rows of `[rows, width]`, normalised.
fn norm_twin(x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f64> {
    let width = weight.len();
    x.chunks_exact(width)
        .flat_map(|row| {
            let mean = row.iter().map(|v| f64::from(*v)).sum::<f64>() / width as f64;
            let variance = row.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / width as f64;
            let scale = 1.0 / (variance + f64::from(EPSILON)).sqrt();
            let parts = row.iter().zip(weight).zip(bias);
            parts.map(move |((v, w), b)| (f64::from(*v) - mean) * scale * f64::from(*w) + f64::from(*b))
        })
        .collect()
}

/// Far from zero, as residual streams are.
fn shifted(numbers: Vec<f32>) -> Vec<f32> {
    numbers.into_iter().map(|value| 3.0 * value + 20.0).collect()
}

#[test]
fn norms_agree() {
    let gpu = gpu();
    for input in all_inputs(&gpu) {
        let mut bench = Bench::new(&gpu, input);
        let mut kernels = vec![&PLAIN];
        kernels.extend(gpu.device.features().contains(wgpu::Features::SUBGROUP).then_some(&SUBGROUP));
        for kernel in kernels {
            for (rows, width) in [(1, 4), (3, 260), (70, 1_024), (66_000, 4)] {
                let what = format!("{rows}x{width} in {input:?}, {}", kernel.name);
                let (x, weight, bias) = (shifted(numbers(1, rows * width)), numbers(2, width), numbers(3, width));
                let expected = norm_twin(&x, &weight, &bias);
                let norm = Norm { weight: bench.floats(&weight), bias: bench.floats(&bias), epsilon: EPSILON, width };
                let x = bench.floats(&x);
                let first = rows / 3;
                let out = bench.floats(&vec![7.0; rows * width]);
                bench.run(|recording| record_with(recording, kernel, &x, first..rows, &norm, Out::Floats, &out));
                let got = bench.read_floats(&out);
                assert!(got[..first * width].iter().all(|value| *value == 7.0), "{what}");
                // The mean is far larger than what is left of a number without it.
                check(&got[first * width..], &expected[first * width..], 1e-5, &what);

                let out = bench.inputs(&vec![7.0; rows * width]);
                bench.run(|recording| record_with(recording, kernel, &x, 0..rows, &norm, Out::Inputs, &out));
                check(&bench.read_inputs(&out), &expected, tolerance(input).max(1e-5), &what);
            }
        }
    }
}

#[test]
fn neighbours_are_joined() {
    let gpu = gpu();
    let (rows, cols, width) = (4, 6, 8);
    for input in all_inputs(&gpu) {
        let mut bench = Bench::new(&gpu, input);
        let (x, weight, bias) = (shifted(numbers(1, rows * cols * width)), numbers(2, width), numbers(3, width));
        let normalised = norm_twin(&x, &weight, &bias);
        let norm = Norm { weight: bench.floats(&weight), bias: bench.floats(&bias), epsilon: EPSILON, width };
        let (x, out) = (bench.floats(&x), bench.inputs(&vec![7.0; rows * cols * width]));
        let joined = Out::Joined { grid_cols: cols };
        bench.run(|recording| record_with(recording, &PLAIN, &x, 0..rows * cols, &norm, joined, &out));
        let mut expected = Vec::new();
        for (row, col) in (0..rows / 2).flat_map(|row| (0..cols / 2).map(move |col| (row, col))) {
            for (y, x) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let position = (2 * row + y) * cols + 2 * col + x;
                expected.extend_from_slice(&normalised[position * width..][..width]);
            }
        }
        check(&bench.read_inputs(&out), &expected, tolerance(input).max(1e-5), "joined");
    }
}

#[test]
fn depthwise_agrees() {
    let gpu = gpu();
    let mut bench = Bench::new(&gpu, all_inputs(&gpu)[0]);
    for (rows, cols, channels) in [(1, 1, 4), (9, 14, 12), (3, 5, 68), (70, 61, 4)] {
        let (x, weight, bias) = (numbers(1, rows * cols * channels), numbers(2, 49 * channels), numbers(3, channels));
        let layer = Depthwise { weight: bench.floats(&weight), bias: bench.floats(&bias), channels };
        let (region, out) = (bench.floats(&x), bench.floats(&vec![7.0; x.len()]));
        bench.run(|recording| depthwise::record(recording, &region, (rows, cols), &layer, &out));
        let at = |row: usize, col: usize, channel: usize, tap: usize| -> f64 {
            let (y, x_col) = ((row + tap / 7).checked_sub(3), (col + tap % 7).checked_sub(3));
            match (y, x_col) {
                (Some(y), Some(x_col)) if y < rows && x_col < cols => {
                    f64::from(x[(y * cols + x_col) * channels + channel]) * f64::from(weight[tap * channels + channel])
                }
                _ => 0.0,
            }
        };
        let expected: Vec<f64> = (0..rows * cols * channels)
            .map(|i| {
                let (position, channel) = (i / channels, i % channels);
                let taps = (0..49).map(|tap| at(position / cols, position % cols, channel, tap));
                f64::from(bias[channel]) + taps.sum::<f64>()
            })
            .collect();
        check(&bench.read_floats(&out), &expected, 2e-6, &format!("{rows}x{cols}x{channels}"));
    }
}

#[test]
fn means_agree() {
    let gpu = gpu();
    let mut bench = Bench::new(&gpu, all_inputs(&gpu)[0]);
    for (rows, width) in [(1, 4), (17, 68), (5_000, 132)] {
        let x = numbers(1, rows * width);
        let (region, out) = (bench.floats(&x), bench.floats(&vec![7.0; width]));
        bench.run(|recording| mean::record(recording, &region, (rows, width), &out));
        let column = |col: usize| x.iter().skip(col).step_by(width).map(|v| f64::from(*v)).sum::<f64>();
        let expected: Vec<f64> = (0..width).map(|col| column(col) / rows as f64).collect();
        check(&bench.read_floats(&out), &expected, 1e-5, &format!("{rows}x{width}"));
    }
}

#[test]
fn patches_are_cut() {
    let gpu = gpu();
    for input in all_inputs(&gpu) {
        let mut bench = Bench::new(&gpu, input);
        for (width, height, side) in [(16, 16, 16), (12, 20, 4), (14, 6, 2), (130, 128, 2)] {
            let pixels = numbers(1, 3 * width * height);
            let (region, out) = (bench.floats(&pixels), bench.inputs(&vec![7.0; pixels.len()]));
            bench.run(|recording| unfold::record(recording, &region, (width, height), side, &out));
            let mut expected = Vec::new();
            for (row, col) in (0..height / side).flat_map(|row| (0..width / side).map(move |col| (row, col))) {
                for i in 0..3 * side * side {
                    let (channel, y, x) = (i / (side * side), i / side % side, i % side);
                    let at = (channel * height + row * side + y) * width + col * side + x;
                    expected.push(f64::from(pixels[at]));
                }
            }
            check(&bench.read_inputs(&out), &expected, 0.0, &format!("{width}x{height} by {side}"));
        }
    }
}

/// The twin is what the host does with features that it uploads.
#[test]
fn packed_features_are_those_of_the_host() {
    let gpu = gpu();
    let mut bench = Bench::new(&gpu, all_inputs(&gpu)[0]);
    for (rows, cols, dim) in [(1, 1, 4), (9, 11, 12), (3, 22, 260), (41, 101, 8)] {
        let prefix = 5;
        let mut x = shifted(numbers(1, (prefix + rows * cols) * dim));
        x[(prefix * dim)..][..4].copy_from_slice(&[f32::NAN, 1e30, -1e-30, f32::INFINITY]);
        x[(prefix + rows * cols - 1) * dim..].iter_mut().for_each(|value| *value *= 1e-12);
        let data = ndarray::Array2::from_shape_vec((rows * cols, dim), x[prefix * dim..].to_vec()).expect("a matrix");
        let uploaded = ResidentGrid::upload(&gpu, &FeatureGrid { rows, cols, data }).expect("room");
        let region = bench.floats(&x);
        let mut packed = None;
        bench.run(|recording| {
            packed = Some(pack::record(recording, &gpu, &region, prefix, (rows, cols, dim)).expect("room"));
        });
        let packed = packed.expect("recorded");
        for (got, expected) in packed.parts().zip(uploaded.parts()) {
            let halves = |buffer: &wgpu::Buffer| -> Vec<f32> {
                let bytes = bench.read(&Region { buffer: buffer.clone(), start: 0, size: buffer.size() });
                bytemuck::cast_slice::<u8, f16>(&bytes).iter().map(|half| half.to_f32()).collect()
            };
            for (got, expected) in halves(got.features).iter().zip(halves(expected.features)) {
                // Sums differ in their last bits, which decides how the eleventh bit is rounded.
                let least = f32::from(f16::MIN_POSITIVE);
                assert!((got - expected).abs() <= (expected.abs() / 1024.0).max(least), "{got} {expected}");
            }
        }
    }
}

#[test]
fn the_devices_speed_is_measured_on_work_that_is_done() {
    let gpu = gpu();
    let mut bench = Bench::new(&gpu, all_inputs(&gpu)[0]);
    let out = bench.floats(&vec![7.0; 4 * peak::THREADS]);
    bench.run(|recording| peak::record(recording, &out));
    for (i, number) in bench.read_floats(&out).into_iter().enumerate() {
        assert_eq!(number, 4.0 * (i / 4) as f32 + 6.0);
    }
}
