//! DINOv3 inference and feature analysis: everything in dinoscope that is true without a window.
//!
//! ```text
//! file ─ image ─► Pixels ─ backend::Backbone ─► Encoded ─ analysis ─► maps, pictures, files
//! ```

pub mod analysis;
pub mod backend;
pub mod cache;
pub mod camera;
pub mod cancel;
pub mod checkpoint;
pub mod classes;
pub mod dispatch;
pub mod doctor;
pub mod draw;
pub mod encoder;
pub mod error;
pub mod features;
pub mod gpu;
pub mod heads;
pub mod hub;
pub mod image;
pub mod model;
pub mod output;
pub mod probe;
pub mod progress;
pub mod quantise;
mod recovery;
pub mod retrieval;
pub mod text;
pub mod tracking;
pub mod video;

pub use cancel::Cancel;
pub use error::{Error, Result};
pub use progress::{Progress, Watch};
