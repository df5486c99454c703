//! Clips made by ffmpeg, and recordings checked by it.

mod animations;
mod ffmpeg;
mod mp4;
mod recording;
mod support;
