//! Pictures of what an analysis found.

mod canvas;
pub mod classes;
pub mod colormap;
mod font;
pub mod labels;
mod legend;
pub mod lines;
pub mod matching;
pub mod overlay;
mod palette;
mod sample;
mod text;

pub use colormap::Colormap;
pub use palette::Palette;
