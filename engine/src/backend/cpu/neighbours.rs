//! The most similar patches around every patch, without the matrix of all similarities.
//!
//! Patches are taken in rectangles, since those that are close in the picture share their neighbours: a tile of the product is a
//! small rectangle of the target's patches times one of the context's. Tiles that no neighbourhood reaches are left out,
//! which leaves about twice as many products as there are pairs of neighbours.

use rayon::prelude::*;

use super::scratch::{Panels, with_scratch};
use super::tile::{COLS, TileKernel, Work, store_row};
use crate::{Cancel, Result};

/// Rows and columns of the context's patches in one right panel.
const BLOCK: (usize, usize) = (4, 8);
const _: () = assert!(BLOCK.0 * BLOCK.1 == COLS);
/// Rows of the target's patches in one left panel, beside each other as many as the tile has room for.
const TILE_ROWS: usize = 2;
/// Tiles across one task's part of the target.
const TILES_ACROSS: usize = 2;
/// Tiles down one task's part of the target, at most: together they share every block of the context while it is in cache.
const TILES_DOWN: usize = 4;

/// One feature per patch of a frame.
#[derive(Clone, Copy, Debug)]
pub struct PatchFeatures<'a> {
    /// Patch rows.
    pub rows: usize,
    /// Patch columns.
    pub cols: usize,
    /// Numbers per patch.
    pub dim: usize,
    /// `[rows, cols, dim]`
    pub features: &'a [f32],
}

/// Patches around a place: those whose centres are within a radius.
#[derive(Clone, Debug)]
pub struct Disc {
    /// By distance in rows, the largest distance in columns.
    half_widths: Vec<usize>,
}

impl Disc {
    /// `radius` in patches, at least 0; as far as it matters in a grid of that size.
    pub fn new(radius: f32, rows: usize, cols: usize) -> Self {
        let is_inside = |dy: usize, dx: usize| ((dy * dy + dx * dx) as f32).sqrt() <= radius;
        let half_width = |dy| (0..cols).take_while(|dx| is_inside(dy, *dx)).last();
        Self { half_widths: (0..rows).map_while(half_width).collect() }
    }

    /// By distance in rows, the largest distance in columns; rows that are further away have no neighbours.
    pub fn half_widths(&self) -> &[usize] {
        &self.half_widths
    }

    /// Patches in it, where it lies in the grid as a whole.
    pub fn patches(&self) -> usize {
        let in_row = |half: &usize| 2 * half + 1;
        let above = self.half_widths.iter().skip(1).map(in_row).sum::<usize>();
        2 * above + self.half_widths.first().map_or(0, in_row)
    }

    /// The largest distance in rows, and in columns.
    fn reach(&self) -> (usize, usize) {
        (self.half_widths.len().saturating_sub(1), self.half_widths.first().copied().unwrap_or(0))
    }

    /// Whether a patch of one rectangle has a neighbour in the other.
    fn joins(&self, a: Rect, b: Rect) -> bool {
        let gap =
            |a: (usize, usize), b: (usize, usize)| (b.0 + 1).saturating_sub(a.1).max((a.0 + 1).saturating_sub(b.1));
        self.half_widths.get(gap(a.rows, b.rows)).is_some_and(|half| gap(a.cols, b.cols) <= *half)
    }

    /// The neighbours of a patch in a block of the context: bit `8 y + x` for its row y and column x.
    fn bits(&self, row: usize, col: usize, block: Rect) -> u32 {
        let mut bits = 0;
        for (y, other) in (block.rows.0..block.rows.1).enumerate() {
            let Some(&half) = self.half_widths.get(other.abs_diff(row)) else { continue };
            let first = col.saturating_sub(half).max(block.cols.0);
            let end = (col + half + 1).min(block.cols.1);
            if first < end {
                let of_row = (1u32 << (end - block.cols.0)) - (1 << (first - block.cols.0));
                bits |= of_row << (y * BLOCK.1);
            }
        }
        bits
    }
}

/// Some rows and columns of a grid: the first of each, and that behind the last.
#[derive(Clone, Copy, Debug)]
struct Rect {
    rows: (usize, usize),
    cols: (usize, usize),
}

/// A patch of the context.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Dot product of the two features.
    pub similarity: f32,
    /// Index of the frame.
    pub frame: u32,
    /// Index of the patch.
    pub patch: u32,
}

/// For every patch of the target the `count` most similar patches within `disc` of its place in all frames of the context
/// together, and those equal to the last of them; by frame and patch. NaN is similar to nothing.
///
/// # Errors
/// [`crate::Error::Cancelled`]
///
/// # Panics
/// Where the frames differ in shape or have no patches or features, or `count` is 0.
pub fn neighbours<K: TileKernel>(
    kernel: K,
    target: PatchFeatures<'_>,
    context: &[PatchFeatures<'_>],
    disc: &Disc,
    count: usize,
    cancel: &Cancel,
) -> Result<Vec<Vec<Neighbour>>> {
    let tiling = Tiling::new::<K>(target.rows, target.cols);
    let targets = pack_targets(kernel, &tiling, target);
    let mut lists: Vec<List> = (0..tiling.len()).map(|place| List::new(tiling.patch(place).is_some(), count)).collect();
    let mut blocks = Blocks::<K>::new(target.rows, target.cols, target.dim);
    for (frame, features) in context.iter().enumerate() {
        blocks.pack(kernel, *features);
        let search = Search { kernel, tiling: &tiling, targets: &targets, blocks: &blocks, disc, frame: frame as u32 };
        let tasks = lists.par_chunks_mut(tiling.places_per_task()).with_max_len(1).enumerate();
        tasks.try_for_each(|(task, lists)| {
            cancel.check()?;
            with_scratch::<f32, _>(0, K::ROWS * COLS, |_, products| {
                kernel.vectorize(Visit { search: &search, task, products, lists });
            });
            Ok::<_, crate::Error>(())
        })?;
    }
    let mut found = vec![Vec::new(); target.rows * target.cols];
    for (place, list) in lists.into_iter().enumerate() {
        if let Some((row, col)) = tiling.patch(place) {
            found[row * target.cols + col] = list.finish();
        }
    }
    Ok(found)
}

/// How the target's patches are shared out: places count tasks, tiles and the tile's rows, in this order.
struct Tiling {
    rows: usize,
    cols: usize,
    tile_cols: usize,
    tiles_down: usize,
    tasks_across: usize,
    tasks: usize,
}

impl Tiling {
    fn new<K: TileKernel>(rows: usize, cols: usize) -> Self {
        let tile_cols = K::ROWS / TILE_ROWS;
        let tasks_across = cols.div_ceil(TILES_ACROSS * tile_cols);
        let tasks = |tiles_down: usize| tasks_across * rows.div_ceil(tiles_down * TILE_ROWS);
        // Many threads rather get less each than nothing.
        let enough = 4 * rayon::current_num_threads();
        let tiles_down = (1..=TILES_DOWN).rev().find(|down| tasks(*down) >= enough).unwrap_or(1);
        Self { rows, cols, tile_cols, tiles_down, tasks_across, tasks: tasks(tiles_down) }
    }

    fn tiles_per_task(&self) -> usize {
        self.tiles_down * TILES_ACROSS
    }

    fn places_per_tile(&self) -> usize {
        TILE_ROWS * self.tile_cols
    }

    fn places_per_task(&self) -> usize {
        self.tiles_per_task() * self.places_per_tile()
    }

    fn len(&self) -> usize {
        self.tasks * self.places_per_task()
    }

    /// Patches of some tiles, `down` and `across` of them, from that one of the task on; empty beyond the grid.
    fn rect(&self, task: usize, tile: usize, (down, across): (usize, usize)) -> Rect {
        let row = (task / self.tasks_across * self.tiles_down + tile / TILES_ACROSS) * TILE_ROWS;
        let col = (task % self.tasks_across * TILES_ACROSS + tile % TILES_ACROSS) * self.tile_cols;
        Rect {
            rows: (row, (row + down * TILE_ROWS).min(self.rows)),
            cols: (col, (col + across * self.tile_cols).min(self.cols)),
        }
    }

    fn tile(&self, task: usize, tile: usize) -> Rect {
        self.rect(task, tile, (1, 1))
    }

    /// Row and column of the patch at a place; `None` beyond the grid.
    fn patch(&self, place: usize) -> Option<(usize, usize)> {
        let (tile, i) = (place / self.places_per_tile(), place % self.places_per_tile());
        let Rect { rows, cols } = self.tile(tile / self.tiles_per_task(), tile % self.tiles_per_task());
        let (row, col) = (rows.0 + i / self.tile_cols, cols.0 + i % self.tile_cols);
        (row < rows.1 && col < cols.1).then_some((row, col))
    }
}

/// Left panels of all tiles, in order.
fn pack_targets<K: TileKernel>(kernel: K, tiling: &Tiling, target: PatchFeatures<'_>) -> Panels<K::A> {
    let len = K::a_len(target.dim);
    let mut panels = Panels::zeroed(tiling.tasks * tiling.tiles_per_task() * len);
    panels.as_mut_slice().par_chunks_mut(len).enumerate().for_each(|(tile, panel)| {
        for i in 0..tiling.places_per_tile() {
            if let Some((row, col)) = tiling.patch(tile * tiling.places_per_tile() + i) {
                let start = (row * target.cols + col) * target.dim;
                store_row(kernel, panel, i, &target.features[start..start + target.dim]);
            }
        }
    });
    panels
}

/// One context frame as right panels of [`BLOCK`] patches, row by row.
struct Blocks<K: TileKernel> {
    rows: usize,
    cols: usize,
    dim: usize,
    across: usize,
    panels: Panels<K::B>,
}

impl<K: TileKernel> Blocks<K> {
    fn new(rows: usize, cols: usize, dim: usize) -> Self {
        let across = cols.div_ceil(BLOCK.1);
        let panels = Panels::zeroed(rows.div_ceil(BLOCK.0) * across * K::b_len(dim));
        Self { rows, cols, dim, across, panels }
    }

    fn pack(&mut self, kernel: K, frame: PatchFeatures<'_>) {
        let Self { rows, cols, dim, across, .. } = *self;
        assert_eq!((frame.rows, frame.cols, frame.dim), (rows, cols, dim), "frames of different shapes");
        self.panels.as_mut_slice().par_chunks_mut(K::b_len(dim)).enumerate().for_each(|(index, panel)| {
            let (row, col) = (index / across * BLOCK.0, index % across * BLOCK.1);
            kernel.vectorize(PackBlock::<K> { frame, row, col, panel });
        });
    }

    fn rect(&self, down: usize, across: usize) -> Rect {
        let (row, col) = (down * BLOCK.0, across * BLOCK.1);
        Rect { rows: (row, (row + BLOCK.0).min(self.rows)), cols: (col, (col + BLOCK.1).min(self.cols)) }
    }

    fn panel(&self, down: usize, across: usize) -> &[K::B] {
        let len = K::b_len(self.dim);
        &self.panels.as_slice()[(down * self.across + across) * len..][..len]
    }
}

/// One block on its way into a right panel, zeros beyond the grid.
struct PackBlock<'a, K: TileKernel> {
    frame: PatchFeatures<'a>,
    row: usize,
    col: usize,
    panel: &'a mut [K::B],
}

impl<K: TileKernel> Work for PackBlock<'_, K> {
    #[inline(always)]
    fn run(self) {
        /// Numbers of a feature that are turned at a time: a cache line.
        const DEPTH: usize = 16;
        let PatchFeatures { rows, cols, dim, features } = self.frame;
        let patch = |i: usize| {
            let (row, col) = (self.row + i / BLOCK.1, self.col + i % BLOCK.1);
            if row < rows && col < cols { &features[(row * cols + col) * dim..][..dim] } else { &[] }
        };
        let patches: [&[f32]; COLS] = std::array::from_fn(patch);
        for start in (0..dim).step_by(DEPTH) {
            let mut turned = [[0f32; COLS]; DEPTH];
            for (i, patch) in patches.iter().enumerate() {
                for (turned, value) in turned.iter_mut().zip(patch.get(start..).unwrap_or_default()) {
                    turned[i] = *value;
                }
            }
            for (pair, k) in turned.chunks_exact(2).zip((start..dim).step_by(2)) {
                K::store_b(self.panel, dim, k, [&pair[0], &pair[1]]);
            }
        }
    }
}

/// The most similar patches that were met so far.
struct List {
    entries: Vec<Neighbour>,
    /// What a patch must reach to be among them.
    least: f32,
    count: usize,
    /// Entries at which those that fell behind are dropped.
    limit: usize,
}

impl List {
    fn new(is_used: bool, count: usize) -> Self {
        assert!(count > 0, "no neighbours are asked for");
        let least = if is_used { f32::NEG_INFINITY } else { f32::INFINITY };
        Self { entries: Vec::new(), least, count, limit: Self::limit(count) }
    }

    /// Twice as many, so that a patch costs the same however many there are.
    fn limit(len: usize) -> usize {
        len.saturating_mul(2).saturating_add(16)
    }

    fn add(&mut self, neighbour: Neighbour) {
        self.entries.push(neighbour);
        if self.entries.len() >= self.limit {
            self.prune();
            self.limit = Self::limit(self.entries.len().max(self.count));
        }
    }

    fn prune(&mut self) {
        if self.entries.len() > self.count {
            let descending = |a: &Neighbour, b: &Neighbour| b.similarity.total_cmp(&a.similarity);
            let (_, last, _) = self.entries.select_nth_unstable_by(self.count - 1, descending);
            let least = last.similarity;
            self.entries.retain(|entry| entry.similarity >= least);
            self.least = least;
        }
    }

    fn finish(mut self) -> Vec<Neighbour> {
        self.prune();
        self.entries.sort_unstable_by_key(|entry| (entry.frame, entry.patch));
        self.entries
    }
}

/// What all tasks of one context frame share.
struct Search<'a, K: TileKernel> {
    kernel: K,
    tiling: &'a Tiling,
    targets: &'a Panels<K::A>,
    blocks: &'a Blocks<K>,
    disc: &'a Disc,
    frame: u32,
}

/// Some of the target's patches against one context frame.
struct Visit<'a, K: TileKernel> {
    search: &'a Search<'a, K>,
    task: usize,
    /// `[ROWS, COLS]`
    products: &'a mut [f32],
    /// Of the task's places.
    lists: &'a mut [List],
}

impl<K: TileKernel> Work for Visit<'_, K> {
    #[inline(always)]
    fn run(mut self) {
        let Search { tiling, blocks, disc, .. } = *self.search;
        let all = tiling.rect(self.task, 0, (tiling.tiles_down, TILES_ACROSS));
        let (reach_down, reach_across) = disc.reach();
        let range = |(first, end): (usize, usize), reach: usize, block: usize, len: usize| {
            first.saturating_sub(reach) / block..(end + reach).min(len).div_ceil(block)
        };
        for down in range(all.rows, reach_down, BLOCK.0, blocks.rows) {
            for across in range(all.cols, reach_across, BLOCK.1, blocks.cols) {
                for tile in 0..tiling.tiles_per_task() {
                    self.meet(tile, down, across);
                }
            }
        }
    }
}

impl<K: TileKernel> Visit<'_, K> {
    /// One tile with one block.
    #[inline(always)]
    fn meet(&mut self, tile: usize, down: usize, across: usize) {
        let Search { kernel, tiling, targets, blocks, disc, frame } = *self.search;
        let (patches, block) = (tiling.tile(self.task, tile), blocks.rect(down, across));
        let is_empty = patches.rows.0 >= patches.rows.1 || patches.cols.0 >= patches.cols.1;
        if is_empty || !disc.joins(patches, block) {
            return;
        }
        let a_len = K::a_len(blocks.dim);
        let a = &targets.as_slice()[(self.task * tiling.tiles_per_task() + tile) * a_len..][..a_len];
        kernel.tile(a, blocks.panel(down, across), blocks.dim, self.products, COLS, &[]);
        let places = tiling.places_per_tile();
        let lists = &mut self.lists[tile * places..][..places];
        for (i, (list, products)) in lists.iter_mut().zip(self.products.chunks_exact(COLS)).enumerate() {
            let least = list.least;
            if !products.iter().fold(false, |any, product| any | (*product >= least)) {
                continue;
            }
            let (row, col) = (patches.rows.0 + i / tiling.tile_cols, patches.cols.0 + i % tiling.tile_cols);
            let mut bits = disc.bits(row, col, block);
            while bits != 0 {
                let at = bits.trailing_zeros() as usize;
                bits &= bits - 1;
                if products[at] >= list.least {
                    let patch = (block.rows.0 + at / BLOCK.1) * blocks.cols + block.cols.0 + at % BLOCK.1;
                    list.add(Neighbour { similarity: products[at], frame, patch: patch as u32 });
                }
            }
        }
    }
}
