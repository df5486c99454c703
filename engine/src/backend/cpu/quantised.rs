//! Weights that stay quantised in memory. A panel is unpacked when a task comes to it, and serves all of the task's
//! rows: a quarter or a sixth of the memory for a few percent of the time.

use rayon::prelude::*;

use super::linear::{Order, Store};
use super::tile::{COLS, TileKernel};
use crate::checkpoint::{GROUP, Group, QuantisedMatrix, for_each_group};

/// `[outputs, inputs]` in panels of [`COLS`] outputs.
pub struct QuantisedPanels(Vec<Panel>);

/// [`COLS`] rows of the weight, in groups of [`GROUP`] inputs.
struct Panel {
    /// Per group.
    scales: Vec<[f32; COLS]>,
    /// Per group; empty where all are zero.
    minima: Vec<[f32; COLS]>,
    codes: Codes,
}

enum Codes {
    /// Per input.
    Bytes(Vec<[i8; COLS]>),
    /// Per two inputs, the second one in the upper four bits; less `zero` they are the codes.
    Nibbles { pairs: Vec<[u8; COLS]>, zero: i8 },
}

impl QuantisedPanels {
    /// Brings the rows of `weight` into the order of a layer.
    pub fn new(weight: &QuantisedMatrix, inputs: usize, outputs: usize, order: Order) -> Self {
        let row_bytes = weight.bytes.len() / outputs;
        let panel = |index: usize| {
            let mut panel = Unsorted::new(inputs);
            for col in 0..COLS {
                if let Some(row) = order.row(outputs, index, col) {
                    let mut group = 0;
                    for_each_group(weight.element, &weight.bytes[row * row_bytes..][..row_bytes], |values| {
                        panel.put(group, col, values);
                        group += 1;
                    });
                }
            }
            panel.packed()
        };
        Self((0..order.panels(outputs)).into_par_iter().map(panel).collect())
    }
}

/// A panel whose codes have a byte each.
struct Unsorted {
    scales: Vec<[f32; COLS]>,
    minima: Vec<[f32; COLS]>,
    codes: Vec<[i8; COLS]>,
}

impl Unsorted {
    fn new(inputs: usize) -> Self {
        let groups = inputs.div_ceil(GROUP);
        let zeros = vec![[0.0; COLS]; groups];
        Self { scales: zeros.clone(), minima: zeros, codes: vec![[0; COLS]; groups * GROUP] }
    }

    fn put(&mut self, group: usize, col: usize, values: &Group) {
        self.scales[group][col] = values.scale;
        self.minima[group][col] = values.minimum;
        for (codes, code) in self.codes[group * GROUP..].iter_mut().zip(values.codes) {
            codes[col] = code;
        }
    }

    fn packed(self) -> Panel {
        let Self { scales, mut minima, codes } = self;
        if minima.iter().flatten().all(|minimum| *minimum == 0.0) {
            minima = Vec::new();
        }
        let all = || codes.iter().flatten();
        let least = all().copied().min().unwrap_or(0);
        // Codes of 4 bits begin at -8 or at 0.
        let zero = if least < 0 { 8 } else { 0 };
        let fit = all().all(|&code| (-zero..16 - zero).contains(&code));
        let codes = if fit {
            let nibble = |code: i8| (code + zero).cast_unsigned();
            let pair =
                |[low, high]: &[[i8; COLS]; 2]| std::array::from_fn(|col| nibble(low[col]) | nibble(high[col]) << 4);
            Codes::Nibbles { pairs: codes.as_chunks::<2>().0.iter().map(pair).collect(), zero }
        } else {
            Codes::Bytes(codes)
        };
        Panel { scales, minima, codes }
    }
}

impl<K: TileKernel> Store<K> for QuantisedPanels {
    fn room(&self, inputs: usize) -> usize {
        K::b_len(inputs)
    }

    #[inline(always)]
    fn panel<'a>(&'a self, index: usize, inputs: usize, room: &'a mut [K::B]) -> &'a [K::B] {
        let Panel { scales, minima, codes } = &self.0[index];
        for k in (0..inputs).step_by(2) {
            let [even, odd] = codes.pair(k / 2);
            let scale = &scales[k / GROUP];
            let minimum = minima.get(k / GROUP).unwrap_or(&[0.0; COLS]);
            let numbers = |codes: [i8; COLS]| -> [f32; COLS] {
                std::array::from_fn(|col| scale[col] * f32::from(codes[col]) - minimum[col])
            };
            K::store_b(room, inputs, k, [&numbers(even), &numbers(odd)]);
        }
        room
    }

    fn ahead(&self, _index: usize, _inputs: usize) -> &[K::B] {
        &[]
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(Panel::bytes).sum()
    }
}

impl Panel {
    fn bytes(&self) -> usize {
        let codes = match &self.codes {
            Codes::Bytes(codes) => size_of_val(codes.as_slice()),
            Codes::Nibbles { pairs, .. } => size_of_val(pairs.as_slice()),
        };
        codes + size_of_val(self.scales.as_slice()) + size_of_val(self.minima.as_slice())
    }
}

impl Codes {
    /// Of inputs `2 * index` and the next one.
    #[inline(always)]
    fn pair(&self, index: usize) -> [[i8; COLS]; 2] {
        match self {
            Self::Bytes(codes) => [codes[2 * index], codes[2 * index + 1]],
            Self::Nibbles { pairs, zero } => {
                let pair = &pairs[index];
                [
                    std::array::from_fn(|col| (pair[col] & 15).cast_signed() - zero),
                    std::array::from_fn(|col| (pair[col] >> 4).cast_signed() - zero),
                ]
            }
        }
    }
}
