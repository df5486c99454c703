//! Tracked objects for other programs.

mod coco;
mod regions;
mod rle;

pub use coco::CocoWriter;
pub use regions::{Region, RegionTable, regions};
