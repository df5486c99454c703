//! Clips made by ffmpeg, and recordings checked by it.

mod animations;
mod damage;
mod ffmpeg;
mod mp4;
mod recordings;
mod support;
