use super::super::buffers::Limits;
use super::super::kernels::gemm::{Epilogue, Rope, record};
use super::super::kernels::method::{Method, Tile};
use super::super::pipelines::Input;
use super::super::weights::{HostLinear, Linear};
use super::bench::{Bench, all_inputs, check, gpu, numbers, tolerance};
use super::cooperative::{OBLONG, emulating};
use crate::gpu::{Gpu, GpuError, Pace};

/// Rows, inputs, outputs: one of everything, no multiples of a tile, and more rows than pictures of 1024 pixels have.
const SHAPES: [(usize, usize, usize); 4] = [(1, 4, 24), (67, 36, 132), (130, 100, 72), (4_101, 8, 24)];
/// What GPUs and software get, with subgroups and without, and a tile that no device gets.
fn methods(gpu: &Gpu) -> Vec<Method> {
    let bare = Gpu::with_features(wgpu::Features::empty()).expect("the adapter, without extras");
    let odd = Tile { depth: 3, row_threads: 8, col_threads: 16, row_quads: 1, col_quads: 2 };
    let all = [Method::PLAIN, Method::for_software(&bare), Method::for_software(gpu), Method::Plain(odd)];
    assert!(matches!(all[2], Method::Broadcast(_)), "software has subgroups of one size");
    all.to_vec()
}

struct Case {
    rows: usize,
    inputs: usize,
    outputs: usize,
    a: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    scale: Vec<f32>,
}

impl Case {
    fn new((rows, inputs, outputs): (usize, usize, usize)) -> Self {
        Self {
            rows,
            inputs,
            outputs,
            a: numbers(1, rows * inputs),
            weight: numbers(2, outputs * inputs),
            bias: numbers(3, outputs),
            scale: numbers(4, outputs),
        }
    }

    fn linear(&self, bench: &Bench, limits: Limits) -> Result<Linear, GpuError> {
        let host = HostLinear::new(bench.input, &self.weight, self.bias.clone(), Some(self.scale.clone()));
        Linear::upload(&bench.gpu, limits, &host)
    }

    /// `a · Wᵀ + bias`, `[rows, outputs]`.
    fn product(&self) -> Vec<f64> {
        let dot = |row: &[f32], weight: &[f32]| -> f64 {
            row.iter().zip(weight).map(|(a, w)| f64::from(*a) * f64::from(*w)).sum()
        };
        let weights = || self.weight.chunks_exact(self.inputs).zip(&self.bias);
        let rows = self.a.chunks_exact(self.inputs);
        rows.flat_map(|row| weights().map(move |(weight, bias)| dot(row, weight) + f64::from(*bias))).collect()
    }
}

fn for_every_case(check_one: impl Fn(&mut Bench, Method, &Case, &str)) {
    let gpu = gpu();
    for input in all_inputs(&gpu) {
        let mut bench = Bench::new(&gpu, input);
        for method in methods(&gpu) {
            for shape in SHAPES {
                check_one(&mut bench, method, &Case::new(shape), &format!("{shape:?} in {input:?}, {method}"));
            }
        }
    }
    if all_inputs(&gpu).contains(&Input::F16) {
        let mut bench = emulating(&gpu);
        for method in [Method::COOPERATIVE, OBLONG] {
            for shape in SHAPES {
                check_one(&mut bench, method, &Case::new(shape), &format!("{shape:?}, {method}"));
            }
        }
    }
}

/// Φ(x) by the series of erf.
fn phi(x: f64) -> f64 {
    let z = x.abs() / std::f64::consts::SQRT_2;
    let mut term = z;
    let mut series = z;
    for n in 1..200 {
        term *= -z * z / f64::from(n);
        series += term / f64::from(2 * n + 1);
    }
    let erf = if z < 4.0 { series * 2.0 / std::f64::consts::PI.sqrt() } else { 1.0 };
    0.5 * (1.0 + erf.copysign(x))
}

#[test]
fn products_have_a_bias() {
    for_every_case(|bench, method, case, what| {
        let (a, linear) = (bench.inputs(&case.a), case.linear(bench, bench.limits).expect("room"));
        // Two rows stay as they are.
        let out = bench.floats(&vec![7.0; (case.rows + 2) * case.outputs]);
        let epilogue = Epilogue::Bias { first_row: 2 };
        bench.run(|recording| record(recording, method, (&a, case.rows), &linear, epilogue, &out));
        let got = bench.read_floats(&out);
        assert!(got[..2 * case.outputs].iter().all(|value| *value == 7.0), "{what}");
        check(&got[2 * case.outputs..], &case.product(), 2e-6, what);
    });
}

#[test]
fn gelu_is_the_exact_one() {
    for_every_case(|bench, method, case, what| {
        let (a, linear) = (bench.inputs(&case.a), case.linear(bench, bench.limits).expect("room"));
        let out = bench.inputs(&vec![7.0; case.rows * case.outputs]);
        bench.run(|recording| record(recording, method, (&a, case.rows), &linear, Epilogue::Gelu, &out));
        let expected: Vec<f64> = case.product().into_iter().map(|x| x * phi(x)).collect();
        check(&bench.read_inputs(&out), &expected, tolerance(bench.input), what);
    });
}

/// Where the polynomial is at its worst.
#[test]
fn gelu_is_accurate_everywhere() {
    let gpu = gpu();
    let mut bench = Bench::new(&gpu, Input::F32);
    let x: Vec<f32> = (0..4_000).map(|i| (i as f32 - 2_000.0) / 250.0).collect();
    let host = HostLinear::new(bench.input, &vec![0.0; 4 * x.len()], x.clone(), None);
    let linear = Linear::upload(&gpu, bench.limits, &host).expect("room");
    let (a, out) = (bench.inputs(&[0.0; 4]), bench.floats(&vec![7.0; x.len()]));
    bench.run(|recording| record(recording, Method::PLAIN, (&a, 1), &linear, Epilogue::Gelu, &out));
    for (got, x) in bench.read_floats(&out).into_iter().zip(x) {
        let exact = f64::from(x) * phi(f64::from(x));
        assert!((f64::from(got) - exact).abs() < 1e-6, "{x}: {got} {exact}");
    }
}

#[test]
fn swiglu_joins_neighbours() {
    for_every_case(|bench, method, case, what| {
        let (a, linear) = (bench.inputs(&case.a), case.linear(bench, bench.limits).expect("room"));
        let out = bench.inputs(&vec![7.0; case.rows * case.outputs / 2]);
        bench.run(|recording| record(recording, method, (&a, case.rows), &linear, Epilogue::SwiGlu, &out));
        let product = case.product();
        let expected: Vec<f64> =
            product.chunks_exact(2).map(|pair| pair[0] / (1.0 + (-pair[0]).exp()) * pair[1]).collect();
        check(&bench.read_inputs(&out), &expected, tolerance(bench.input), what);
    });
}

#[test]
fn scaled_products_are_added() {
    for_every_case(|bench, method, case, what| {
        let (a, linear) = (bench.inputs(&case.a), case.linear(bench, bench.limits).expect("room"));
        let before = numbers(5, case.rows * case.outputs);
        let out = bench.floats(&before);
        bench.run(|recording| record(recording, method, (&a, case.rows), &linear, Epilogue::AddScaled, &out));
        let product = case.product().into_iter().zip(before).enumerate();
        let expected: Vec<f64> = product
            .map(|(i, (value, before))| f64::from(before) + f64::from(case.scale[i % case.outputs]) * value)
            .collect();
        check(&bench.read_floats(&out), &expected, 2e-6, what);
    });
}

/// Queries and keys of patches turn by the angles of their row and column; queries are scaled.
#[test]
fn queries_and_keys_are_turned() {
    for_every_case(|bench, method, case, what| {
        // Heads of 4 and, where the width allows, of an odd number of fours.
        let dim = case.outputs / 3;
        let head = if dim.is_multiple_of(12) { 12 } else { 4 };
        let (prefix, cols) = (1, 5);
        let grid_rows = (case.rows - prefix).div_ceil(cols).max(1);
        let angles = numbers(6, (grid_rows + cols) * head / 4);
        let table: Vec<f32> = angles.iter().flat_map(|angle| [angle.cos(), angle.sin()]).collect();
        let rope = Rope { table: bench.floats(&table), prefix, grid: (grid_rows, cols), head };
        let (a, linear) = (bench.inputs(&case.a), case.linear(bench, bench.limits).expect("room"));
        let out = bench.inputs(&vec![7.0; case.rows * case.outputs]);
        bench.run(|recording| record(recording, method, (&a, case.rows), &linear, Epilogue::Qkv(&rope), &out));

        let mut expected = case.product();
        for (token, row) in expected.chunks_exact_mut(case.outputs).enumerate() {
            for (i, pair) in row[..2 * dim].chunks_exact_mut(2).enumerate() {
                if token >= prefix {
                    let (y, x) = ((token - prefix) / cols, (token - prefix) % cols);
                    let place = i % (head / 2);
                    let angle = match place.checked_sub(head / 4) {
                        None => angles[y * (head / 4) + place],
                        Some(place) => angles[(grid_rows + x) * (head / 4) + place],
                    };
                    let (sin, cos) = f64::from(angle).sin_cos();
                    (pair[0], pair[1]) = (pair[0] * cos - pair[1] * sin, pair[1] * cos + pair[0] * sin);
                }
                if 2 * i < dim {
                    let scale = std::f64::consts::LOG2_E / (head as f64).sqrt();
                    pair.iter_mut().for_each(|value| *value *= scale);
                }
            }
        }
        check(&bench.read_inputs(&out), &expected, tolerance(bench.input), what);
    });
}

/// A limit below the weight's size splits it, and the numbers are the same.
#[test]
fn large_weights_are_split() {
    let gpu = gpu();
    for input in all_inputs(&gpu) {
        let mut bench = Bench::new(&gpu, input);
        let case = Case::new((67, 36, 132));
        let row_bytes = input.bytes() * 36;
        let mut run = |limits| {
            let linear = case.linear(&bench, limits).expect("room");
            let (a, out) = (bench.inputs(&case.a), bench.floats(&vec![7.0; 67 * 132]));
            let epilogue = Epilogue::Bias { first_row: 0 };
            bench.run(|recording| record(recording, Method::PLAIN, (&a, 67), &linear, epilogue, &out));
            (linear.slices.len(), bench.read_floats(&out))
        };
        let (slices, whole) = run(Limits { binding: 132 * row_bytes });
        assert_eq!(slices, 1);
        let (slices, split) = run(Limits { binding: 42 * row_bytes });
        assert_eq!((slices, split), (4, whole));
        let error = case.linear(&bench, Limits { binding: 4 * row_bytes - 1 }).expect_err("not even four rows fit");
        assert!(matches!(error, GpuError::DoesNotFit { .. }), "{error}");
    }
}

/// A product that takes long comes in bands of rows, each a submission of its own.
#[test]
fn long_products_come_in_pieces() {
    let gpu = gpu();
    let (rows, inputs, outputs) = (300, 36, 72);
    let case = Case::new((rows, inputs, outputs));
    for method in methods(&gpu) {
        let mut bench = Bench::new(&gpu, Input::F32);
        let (a, linear) = (bench.inputs(&case.a), case.linear(&bench, bench.limits).expect("room"));
        let mut run = |work| {
            let out = bench.floats(&vec![7.0; (rows + 1) * outputs]);
            bench.tools.pace = Pace::fixed(work);
            let epilogue = Epilogue::Bias { first_row: 1 };
            let pieces = bench.run(|recording| record(recording, method, (&a, rows), &linear, epilogue, &out));
            (pieces, bench.read_floats(&out))
        };
        let (pieces, whole) = run(u64::MAX);
        assert_eq!(pieces, 1);
        let (pieces, banded) = run((inputs * outputs * (method.rows() + 1)) as u64);
        assert_eq!(pieces, rows.div_ceil(method.rows()), "{method}");
        assert_eq!(banded, whole, "{method}");
    }
}
