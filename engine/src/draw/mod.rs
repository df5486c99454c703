//! Pictures of what an analysis found.

mod canvas;
pub mod colormap;
mod font;
pub mod labels;
mod legend;
pub mod lines;
pub mod matching;
pub mod overlay;
mod palette;
mod sample;

pub use colormap::Colormap;
pub use palette::Palette;
