//! Clips made by ffmpeg, and recordings checked by it.

mod animations;
mod support;
