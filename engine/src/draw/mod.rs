//! Pictures of what an analysis found.

pub mod colormap;
pub mod lines;
pub mod overlay;

pub use colormap::Colormap;
