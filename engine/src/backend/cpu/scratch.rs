//! Aligned memory for panels, and working memory that each thread keeps, so that hot loops allocate nothing.

use std::cell::RefCell;
use std::marker::PhantomData;

use bytemuck::{Pod, Zeroable};

/// A cache line: a panel that starts on one is never read across two.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

impl Line {
    /// Lines that hold `len` elements.
    fn count<T>(len: usize) -> usize {
        (len * size_of::<T>()).div_ceil(size_of::<Self>())
    }
}

/// Zeroed elements that start on a cache line.
pub struct Panels<T> {
    lines: Vec<Line>,
    len: usize,
    element: PhantomData<T>,
}

impl<T: Pod> Panels<T> {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        Self { lines: vec![Line::zeroed(); Line::count::<T>(len)], len, element: PhantomData }
    }

    /// All elements.
    pub fn as_slice(&self) -> &[T] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }

    /// All elements.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}

/// Memory that a caller keeps between calls.
#[derive(Default)]
pub struct Scratch {
    lines: Vec<Line>,
    /// Lines of each run that the last call asked for.
    runs: (usize, usize),
}

impl Scratch {
    /// Two runs of elements, each from a cache line on. They are zero where their lengths are new, and else what the last
    /// call left: who writes the same places every time finds its padding still zero.
    pub(super) fn pair<T: Pod>(&mut self, first: usize, second: usize) -> (&mut [T], &mut [T]) {
        let runs = (Line::count::<T>(first), Line::count::<T>(second));
        if self.runs != runs {
            self.lines = vec![Line::zeroed(); runs.0 + runs.1];
            self.runs = runs;
        }
        let (a, b) = self.lines.split_at_mut(runs.0);
        (&mut bytemuck::cast_slice_mut(a)[..first], &mut bytemuck::cast_slice_mut(b)[..second])
    }
}

thread_local! {
    static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Hands `work` this thread's buffers of `panels` elements and of `floats` numbers, each from a cache line on.
/// What they hold is left over from earlier calls.
///
/// # Panics
/// When `work` calls it again on the same thread.
pub fn with_scratch<A: Pod, R>(panels: usize, floats: usize, work: impl FnOnce(&mut [A], &mut [f32]) -> R) -> R {
    let panel_lines = Line::count::<A>(panels);
    let float_lines = Line::count::<f32>(floats);
    LINES.with_borrow_mut(|lines| {
        if lines.len() < panel_lines + float_lines {
            lines.resize(panel_lines + float_lines, Line::zeroed());
        }
        let (first, second) = lines.split_at_mut(panel_lines);
        let panels = &mut bytemuck::cast_slice_mut(first)[..panels];
        let floats = &mut bytemuck::cast_slice_mut(second)[..floats];
        work(panels, floats)
    })
}
