//! Pictures of what an analysis found.

pub mod boxes;
mod canvas;
pub mod classes;
pub mod colormap;
pub mod confusion;
mod font;
pub mod labels;
mod legend;
pub mod lines;
pub mod matching;
pub mod overlay;
mod palette;
pub mod plot;
pub mod results;
pub(crate) mod sample;
mod text;

pub use colormap::Colormap;
pub use palette::Palette;
