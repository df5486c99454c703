//! The parts of the window around the canvas.

pub mod about;
pub mod cameras;
pub mod chips;
pub mod controls;
pub mod drop_zone;
pub mod export;
pub mod filmstrip;
pub mod help;
pub mod menu;
pub mod models;
pub mod not_encoded;
pub mod notices;
pub mod rail;
pub mod status;
pub mod timeline;
