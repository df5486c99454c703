//! Linear layers with what stands before and after them: layer norm while the input is packed; bias, activation or
//! LayerScale and residual while the output is still in cache.

use rayon::prelude::*;

use super::math;
use super::quantised::QuantisedPanels;
use super::scratch::{Panels, with_scratch};
use super::tile::{COLS, TileKernel, Work, prefetch, rows_per_task, share, store_row};
use crate::checkpoint::QuantisedMatrix;

/// Bytes of packed input that one task keeps in the second-level cache, beside a panel of the weight.
const BYTES_PER_TASK: usize = 1 << 20;

/// Weight and bias of a layer norm over the last axis, as `torch.nn.LayerNorm`.
#[derive(Clone, Debug)]
pub struct Norm {
    /// `[dim]`
    pub weight: Vec<f32>,
    /// `[dim]`
    pub bias: Vec<f32>,
    /// Added to the variance.
    pub eps: f32,
}

/// What is done to a linear layer's output `y = x Wᵀ + b`, `[rows, outputs]`.
#[derive(Clone, Debug)]
pub enum Epilogue {
    /// `y`
    Bias,
    /// `gelu(y)`, exact.
    Gelu,
    /// `silu(y₁) · y₂`, where the first half of the weight's rows gives y₁ and the second y₂: `[rows, outputs / 2]`.
    SwiGlu,
    /// `residual + scale · y`, written over the residual; the scale is `[outputs]`.
    AddScaled(Vec<f32>),
}

/// A weight in a kernel's own order.
pub trait PackedWeight: Send + Sync {
    /// `out = epilogue(norm(x) Wᵀ + bias)`; x is `[rows, inputs]`, out as [`Epilogue`] says.
    ///
    /// # Panics
    /// Where the lengths of the slices are not those of one number of rows, or the epilogue is not what it was packed for.
    fn apply(&self, x: &[f32], norm: Option<&Norm>, bias: &[f32], epilogue: &Epilogue, out: &mut [f32]);

    /// Memory that it takes.
    fn bytes(&self) -> usize;
}

/// `[outputs, inputs]` in panels of [`COLS`] outputs.
struct Packed<K, S> {
    kernel: K,
    panels: S,
    inputs: usize,
    outputs: usize,
    order: Order,
}

/// Where the panels of a weight come from, each [`TileKernel::b_len`] elements.
pub trait Store<K: TileKernel>: Send + Sync + 'static {
    /// Elements that [`panel`](Self::panel) needs to work in. They start zeroed, and nobody else writes to them.
    fn room(&self, inputs: usize) -> usize;

    /// A panel; call it within [`TileKernel::vectorize`].
    fn panel<'a>(&'a self, index: usize, inputs: usize, room: &'a mut [K::B]) -> &'a [K::B];

    /// What may be brought into cache before that panel is asked for.
    fn ahead(&self, index: usize, inputs: usize) -> &[K::B];

    /// Memory that they take.
    fn bytes(&self) -> usize;
}

impl<K: TileKernel> Store<K> for Panels<K::B> {
    fn room(&self, _inputs: usize) -> usize {
        0
    }

    #[inline(always)]
    fn panel<'a>(&'a self, index: usize, inputs: usize, _room: &'a mut [K::B]) -> &'a [K::B] {
        <Self as Store<K>>::ahead(self, index, inputs)
    }

    #[inline(always)]
    fn ahead(&self, index: usize, inputs: usize) -> &[K::B] {
        let len = K::b_len(inputs);
        self.as_slice().get(index * len..(index + 1) * len).unwrap_or_default()
    }

    fn bytes(&self) -> usize {
        size_of_val(self.as_slice())
    }
}

/// Which rows of the weight a panel's columns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they are.
    Plain,
    /// Sixteen rows of the first half beside the sixteen of the second half that they are multiplied with.
    Halves,
}

impl Order {
    fn of(epilogue: &Epilogue) -> Self {
        if matches!(epilogue, Epilogue::SwiGlu) { Self::Halves } else { Self::Plain }
    }

    /// Panels for that many outputs.
    pub fn panels(self, outputs: usize) -> usize {
        match self {
            Self::Plain => outputs.div_ceil(COLS),
            Self::Halves => (outputs / 2).div_ceil(COLS / 2),
        }
    }

    /// Row of the weight at a panel's column; `None` in the padding.
    pub fn row(self, outputs: usize, panel: usize, col: usize) -> Option<usize> {
        match self {
            Self::Plain => Some(panel * COLS + col).filter(|row| *row < outputs),
            Self::Halves => {
                let (half, col) = (col / (COLS / 2), col % (COLS / 2));
                let row = panel * COLS / 2 + col;
                (row < outputs / 2).then_some(half * outputs / 2 + row)
            }
        }
    }
}

/// Packs `weight`, `[outputs, inputs]` row-major, for a layer that ends in `epilogue`.
pub fn pack<K: TileKernel>(kernel: K, weight: &[f32], inputs: usize, epilogue: &Epilogue) -> Box<dyn PackedWeight> {
    let outputs = weight.len() / inputs;
    let order = Order::of(epilogue);
    let panel_len = K::b_len(inputs);
    let mut panels = Panels::zeroed(order.panels(outputs) * panel_len);
    panels.as_mut_slice().par_chunks_mut(panel_len).enumerate().for_each(|(index, panel)| {
        let rows: [Option<usize>; COLS] = std::array::from_fn(|col| order.row(outputs, index, col));
        let column = |k: usize| rows.map(|row| row.filter(|_| k < inputs).map_or(0.0, |row| weight[row * inputs + k]));
        for k in (0..inputs).step_by(2) {
            K::store_b(panel, inputs, k, [&column(k), &column(k + 1)]);
        }
    });
    Box::new(Packed { kernel, panels, inputs, outputs, order })
}

/// As [`pack`] for a weight that stays quantised.
pub fn pack_quantised<K: TileKernel>(
    kernel: K,
    weight: &QuantisedMatrix,
    inputs: usize,
    epilogue: &Epilogue,
) -> Box<dyn PackedWeight> {
    let (outputs, order) = (weight.numbers() / inputs, Order::of(epilogue));
    let panels = QuantisedPanels::new(weight, inputs, outputs, order);
    Box::new(Packed { kernel, panels, inputs, outputs, order })
}

impl<K: TileKernel, S: Store<K>> PackedWeight for Packed<K, S> {
    fn bytes(&self) -> usize {
        self.panels.bytes()
    }

    fn apply(&self, x: &[f32], norm: Option<&Norm>, bias: &[f32], epilogue: &Epilogue, out: &mut [f32]) {
        let rows = x.len() / self.inputs;
        let width = match self.order {
            Order::Plain => self.outputs,
            Order::Halves => self.outputs / 2,
        };
        assert_eq!(x.len(), rows * self.inputs, "x is [rows, {}]", self.inputs);
        assert_eq!(out.len(), rows * width, "out is [{rows}, {width}]");
        assert_eq!(Order::of(epilogue), self.order, "packed for another epilogue");
        let panel_bytes = K::a_len(self.inputs) * size_of::<K::A>();
        let most = K::ROWS_PER_TASK.min(BYTES_PER_TASK / panel_bytes * K::ROWS);
        let per_task = rows_per_task::<K>(rows, most);
        let tasks = x.par_chunks(per_task * self.inputs).zip(out.par_chunks_mut(per_task * width));
        tasks.with_max_len(1).for_each(|(x, out)| {
            let a_len = K::a_len(self.inputs);
            let panels = (x.len() / self.inputs).div_ceil(K::ROWS);
            let mut room = Panels::zeroed(self.panels.room(self.inputs));
            let room = room.as_mut_slice();
            with_scratch(panels * a_len, self.inputs + K::ROWS * COLS, |a, floats| {
                let (row, tile) = floats.split_at_mut(self.inputs);
                self.kernel.vectorize(Rows { weight: self, x, norm, bias, epilogue, a, row, tile, room, out, width });
            });
        });
    }
}

/// Some input rows of one layer, and room to work.
struct Rows<'a, K: TileKernel, S> {
    weight: &'a Packed<K, S>,
    /// `[rows, inputs]`
    x: &'a [f32],
    norm: Option<&'a Norm>,
    bias: &'a [f32],
    epilogue: &'a Epilogue,
    /// Left panels of all rows.
    a: &'a mut [K::A],
    /// `[inputs]`
    row: &'a mut [f32],
    /// `[ROWS, COLS]`
    tile: &'a mut [f32],
    /// As [`Store::room`] says.
    room: &'a mut [K::B],
    /// `[rows, width]`
    out: &'a mut [f32],
    width: usize,
}

impl<K: TileKernel, S: Store<K>> Work for Rows<'_, K, S> {
    #[inline(always)]
    fn run(mut self) {
        self.pack();
        self.multiply();
    }
}

impl<K: TileKernel, S: Store<K>> Rows<'_, K, S> {
    #[inline(always)]
    fn pack(&mut self) {
        let Packed { kernel, inputs, .. } = *self.weight;
        let a_len = K::a_len(inputs);
        for (i, values) in self.x.chunks_exact(inputs).enumerate() {
            let panel = &mut self.a[i / K::ROWS * a_len..][..a_len];
            match self.norm {
                Some(norm) => {
                    math::layer_norm(values, &norm.weight, &norm.bias, norm.eps, self.row);
                    store_row(kernel, panel, i % K::ROWS, self.row);
                }
                None => store_row(kernel, panel, i % K::ROWS, values),
            }
        }
    }

    #[inline(always)]
    fn multiply(&mut self) {
        let Packed { kernel, inputs, outputs, order, ref panels } = *self.weight;
        let tiles = self.a.len() / K::a_len(inputs);
        for index in 0..order.panels(outputs) {
            let b = panels.panel(index, inputs, self.room);
            let next = panels.ahead(index + 1, inputs);
            let mut bias = [0f32; COLS];
            for (col, bias) in bias.iter_mut().enumerate() {
                *bias = order.row(outputs, index, col).map_or(0.0, |row| self.bias[row]);
            }
            let start = index * if matches!(order, Order::Plain) { COLS } else { COLS / 2 };
            let blocks = self.out.chunks_mut(K::ROWS * self.width);
            for ((i, a), out) in self.a.chunks_exact(K::a_len(inputs)).enumerate().zip(blocks) {
                for row in out.chunks_exact(self.width) {
                    prefetch(&row[start..self.width.min(start + COLS)]);
                }
                kernel.tile(a, b, inputs, self.tile, COLS, share(next, i, tiles));
                let (tile, _) = self.tile.as_chunks::<COLS>();
                for (tile, out) in tile.iter().zip(out.chunks_exact_mut(self.width)) {
                    finish_row(tile, &bias, self.epilogue, start, &mut out[start..]);
                }
            }
        }
    }
}

/// One row of a tile to the output, whose first number is the layer's output `start`.
#[inline(always)]
fn finish_row(tile: &[f32; COLS], bias: &[f32; COLS], epilogue: &Epilogue, start: usize, out: &mut [f32]) {
    let mut y = [0f32; COLS];
    for i in 0..COLS {
        y[i] = tile[i] + bias[i];
    }
    match epilogue {
        Epilogue::Bias => store(&y, out),
        Epilogue::Gelu => {
            for y in &mut y {
                *y = math::gelu(*y);
            }
            store(&y, out);
        }
        Epilogue::SwiGlu => {
            let mut product = [0f32; COLS / 2];
            for i in 0..COLS / 2 {
                product[i] = math::silu(y[i]) * y[i + COLS / 2];
            }
            store(&product, out);
        }
        Epilogue::AddScaled(scale) => match (out.first_chunk_mut::<COLS>(), scale[start..].first_chunk::<COLS>()) {
            (Some(out), Some(scale)) => {
                for i in 0..COLS {
                    out[i] = scale[i].mul_add(y[i], out[i]);
                }
            }
            _ => {
                for ((out, scale), y) in out.iter_mut().zip(&scale[start..]).zip(&y) {
                    *out = scale.mul_add(*y, *out);
                }
            }
        },
    }
}

/// As many of `values` as `out` has room for; whole panels at a fixed length, which the compiler vectorises.
#[inline(always)]
fn store<const N: usize>(values: &[f32; N], out: &mut [f32]) {
    match out.first_chunk_mut::<N>() {
        Some(out) => *out = *values,
        None => out.copy_from_slice(&values[..out.len()]),
    }
}
