//! A camera among the open pictures: its frames replace each other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dinoscope_engine::camera::{CameraInfo, Cameras, Live, LiveFrame};
use dinoscope_engine::dispatch::{PictureId, Wake};
use dinoscope_engine::gpu::{Gpu, PictureTexture};
use dinoscope_engine::image::Picture;
use egui::TextureHandle;

/// Longest that a frame waits for what the tool draws over it.
const PATIENCE: Duration = Duration::from_secs(2);

/// How cameras are reached.
pub struct CameraPort {
    /// Those of the machine.
    pub cameras: Arc<dyn Cameras>,
    /// Called when a frame has come.
    pub wake: Wake,
}

/// A camera that is open; it may be off.
pub struct LiveView {
    /// Which one.
    pub camera: CameraInfo,
    /// `None`: it is off.
    running: Option<Live>,
    /// Follows the frame on the canvas as soon as everything about it is known.
    coming: Option<Coming>,
    /// For the filmstrip.
    pub thumbnail: Option<TextureHandle>,
    /// Frames so far.
    frames: usize,
}

/// A frame that is being encoded.
pub struct Coming {
    /// Its name.
    pub picture: PictureId,
    /// Its pixels.
    pub pixels: Arc<Picture>,
    /// The same on the graphics device.
    pub texture: Arc<PictureTexture>,
    since: Instant,
}

impl LiveView {
    /// It is off.
    pub fn new(camera: CameraInfo) -> Self {
        Self { camera, running: None, coming: None, thumbnail: None, frames: 0 }
    }

    /// Whether it captures.
    pub fn is_on(&self) -> bool {
        self.running.is_some()
    }

    /// Switches it on. Returns at once.
    pub fn switch_on(&mut self, port: &CameraPort, gpu: Gpu) {
        let (cameras, wake) = (Arc::clone(&port.cameras), Arc::clone(&port.wake));
        self.running = Some(Live::start(cameras, self.camera.clone(), Some(gpu), wake));
    }

    /// Switches it off; the frame on the canvas stays.
    pub fn switch_off(&mut self) {
        (self.running, self.coming) = (None, None);
    }

    /// The frame that was captured for the window, once it is there.
    pub fn take(&self) -> Option<dinoscope_engine::Result<LiveFrame>> {
        self.running.as_ref()?.take()
    }

    /// The frame that is being encoded.
    pub fn coming(&self) -> Option<&Coming> {
        self.coming.as_ref()
    }

    /// Names a frame of `document` that has come.
    pub fn next(&mut self, document: PictureId, pixels: Arc<Picture>, texture: Arc<PictureTexture>) -> Coming {
        self.frames += 1;
        Coming { picture: document.at_frame(self.frames), pixels, texture, since: Instant::now() }
    }

    /// Keeps a frame back until it is encoded.
    pub fn hold(&mut self, coming: Coming) {
        self.coming = Some(coming);
    }

    /// The frame that was kept back.
    pub fn release(&mut self) -> Option<Coming> {
        self.coming.take()
    }
}

impl Coming {
    /// How long it may still wait.
    pub fn patience(&self) -> Duration {
        PATIENCE.saturating_sub(self.since.elapsed())
    }
}
