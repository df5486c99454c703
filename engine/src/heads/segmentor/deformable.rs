//! Multi-scale deformable attention: a query reads a few places of each map, where it says, weighted as it says (paper:
//! arXiv 2010.04159; reference: `dinov3/eval/segmentation/models/utils/ms_deform_attn.py`).

use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder, linear};
use rayon::prelude::*;

/// Sizes that its tensors have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeformableConfig {
    /// Width of queries and of features.
    pub dim: usize,
    /// Width of what is read, all heads together.
    pub inner: usize,
    /// Attention heads.
    pub heads: usize,
    /// Maps that are read.
    pub levels: usize,
    /// Places of each map that a head reads.
    pub points: usize,
}

/// The attention's layers.
pub struct DeformableAttention {
    config: DeformableConfig,
    sampling_offsets: Linear,
    attention_weights: Linear,
    value_proj: Linear,
    output_proj: Linear,
}

impl DeformableAttention {
    /// Reads its four linear layers.
    pub fn load(config: DeformableConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let DeformableConfig { dim, inner, heads, levels, points } = config;
        let places = heads * levels * points;
        Ok(Self {
            config,
            sampling_offsets: linear(dim, 2 * places, vb.pp("sampling_offsets"))?,
            attention_weights: linear(dim, places, vb.pp("attention_weights"))?,
            value_proj: linear(dim, inner, vb.pp("value_proj"))?,
            output_proj: linear(inner, dim, vb.pp("output_proj"))?,
        })
    }

    /// `query` is `[queries, dim]`, each at a place `(x, y)` in 0..1 of every map; `features` are the maps' positions one
    /// map after the other, `[positions, dim]`, and `maps` their (rows, cols). Gives `[queries, dim]`.
    pub fn forward(
        &self,
        query: &Tensor,
        places: &[(f32, f32)],
        features: &Tensor,
        maps: &[(usize, usize)],
    ) -> Result<Tensor> {
        let DeformableConfig { inner, heads, levels, points, .. } = self.config;
        let queries = query.dim(0)?;
        let weights = self.attention_weights.forward(query)?.reshape((queries, heads, levels * points))?;
        let weights = candle_nn::ops::softmax_last_dim(&weights)?;
        let host = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let reading = Reading {
            config: self.config,
            values: &host(&self.value_proj.forward(features)?)?,
            maps,
            offsets: &host(&self.sampling_offsets.forward(query)?)?,
            weights: &host(&weights)?,
        };
        let read = Tensor::from_vec(reading.run(places), (queries, inner), query.device())?;
        self.output_proj.forward(&read)
    }
}

/// What is read where; on the host.
struct Reading<'a> {
    config: DeformableConfig,
    /// `[positions, heads, width of a head]`
    values: &'a [f32],
    /// Rows and columns.
    maps: &'a [(usize, usize)],
    /// `[queries, heads, levels, points, 2]`, x and y in positions of the map.
    offsets: &'a [f32],
    /// `[queries, heads, levels, points]`
    weights: &'a [f32],
}

impl Reading<'_> {
    /// `[queries, heads, width of a head]`
    fn run(&self, places: &[(f32, f32)]) -> Vec<f32> {
        let DeformableConfig { inner, heads, levels, points, .. } = self.config;
        let (per_head, width) = (levels * points, inner / heads);
        let mut read = vec![0.0; places.len() * inner];
        read.par_chunks_exact_mut(inner).zip(places).enumerate().for_each(|(query, (read, place))| {
            for (head, sum) in read.chunks_exact_mut(width).enumerate() {
                let first = (query * heads + head) * per_head;
                let mut map_start = 0;
                for (level, &(rows, cols)) in self.maps.iter().enumerate() {
                    for point in first + level * points..first + (level + 1) * points {
                        let x = place.0 * cols as f32 + self.offsets[2 * point] - 0.5;
                        let y = place.1 * rows as f32 + self.offsets[2 * point + 1] - 0.5;
                        for (row, col, share) in neighbours((y, x), (rows, cols)) {
                            let value = &self.values[(map_start + row * cols + col) * inner + head * width..][..width];
                            let weight = share * self.weights[point];
                            sum.iter_mut().zip(value).for_each(|(sum, value)| *sum += weight * value);
                        }
                    }
                    map_start += rows * cols;
                }
            }
        });
        read
    }
}

/// The positions around a place and their shares: of four, those that lie in the map.
fn neighbours((y, x): (f32, f32), (rows, cols): (usize, usize)) -> impl Iterator<Item = (usize, usize, f32)> {
    let (top, left) = (y.floor(), x.floor());
    let (down, right) = (y - top, x - left);
    let inside = |place: f32, len: usize| (place >= 0.0 && place < len as f32).then_some(place as usize);
    [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)].into_iter().filter_map(move |(below, beside)| {
        let share = (1.0 - below + (2.0 * below - 1.0) * down) * (1.0 - beside + (2.0 * beside - 1.0) * right);
        Some((inside(top + below, rows)?, inside(left + beside, cols)?, share))
    })
}

/// Centres of the positions of maps one after the other, `(x, y)` in 0..1.
pub fn centres(maps: &[(usize, usize)]) -> Vec<(f32, f32)> {
    let centre = |index: usize, len: usize| (index as f32 + 0.5) / len as f32;
    let of_map = |&(rows, cols): &(usize, usize)| {
        (0..rows * cols).map(move |position| (centre(position % cols, cols), centre(position / cols, rows)))
    };
    maps.iter().flat_map(of_map).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(place: (f32, f32)) -> Vec<(usize, usize, f32)> {
        neighbours(place, (2, 3)).collect()
    }

    #[test]
    fn a_place_between_four_positions_is_read_by_its_distances() {
        assert_eq!(shares((0.25, 1.5)), [(0, 1, 0.375), (0, 2, 0.375), (1, 1, 0.125), (1, 2, 0.125)]);
        assert_eq!(shares((1.0, 2.0)), [(1, 2, 1.0)], "what lies beyond the map counts as nothing");
        assert_eq!(shares((-0.5, 0.0)), [(0, 0, 0.5), (0, 1, 0.0)]);
        assert_eq!(shares((f32::NAN, f32::INFINITY)), []);
    }

    #[test]
    fn places_are_centres() {
        assert_eq!(centres(&[(1, 2), (2, 1)]), [(0.25, 0.5), (0.75, 0.5), (0.5, 0.25), (0.5, 0.75)]);
    }
}
