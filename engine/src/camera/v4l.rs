//! Cameras of Linux (Video4Linux).

use std::io;

use linuxvideo::format::{PixFormat, PixelFormat};
use linuxvideo::stream::ReadStream;
use linuxvideo::{BufType, CapabilityFlags, Device};

use super::frame::{Encoding, decode};
use super::{CameraError, CameraInfo, Cameras, Capture};
use crate::Result;
use crate::image::Picture;

/// Width and height that are asked for; the camera takes what is nearest to them.
const WANTED: (u32, u32) = (1280, 720);

/// The cameras that the kernel knows.
pub struct Video4Linux;

struct Stream {
    camera: String,
    stream: ReadStream,
    encoding: Encoding,
    /// The last frame, encoded.
    bytes: Vec<u8>,
}

impl Cameras for Video4Linux {
    fn list(&self) -> Result<Vec<CameraInfo>> {
        let devices = linuxvideo::list().map_err(system("devices", "list them"))?;
        // What cannot be opened may not be looked through either.
        let mut cameras: Vec<CameraInfo> =
            devices.flatten().filter_map(|device| camera(&device).ok().flatten()).collect();
        cameras.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(cameras)
    }

    fn open(&self, camera: &CameraInfo) -> Result<Box<dyn Capture>> {
        let refuse = |action| system(&camera.name, action);
        let device = Device::open(&camera.id).map_err(refuse("open it"))?;
        let formats = device.formats(BufType::VIDEO_CAPTURE).map(|format| format.map(|known| known.pixel_format()));
        let formats = formats.collect::<io::Result<Vec<_>>>().map_err(refuse("list its formats"))?;
        // Packed samples take so much of a cable that cameras send fewer frames.
        let understood = [PixelFormat::MJPG, PixelFormat::JPEG, PixelFormat::YUYV];
        let no_format = |formats: &[PixelFormat]| CameraError::Format {
            camera: camera.name.clone(),
            formats: formats.iter().map(|format| format!("{format:?}")).collect::<Vec<_>>().join(", "),
        };
        let format = understood.into_iter().find(|known| formats.contains(known)).ok_or_else(|| no_format(&formats))?;
        let capture = device.video_capture(PixFormat::new(WANTED.0, WANTED.1, format));
        let capture = capture.map_err(refuse("choose a format"))?;
        let chosen = capture.format();
        let encoding = match chosen.pixel_format() {
            PixelFormat::MJPG | PixelFormat::JPEG => Encoding::Jpeg,
            PixelFormat::YUYV => Encoding::Yuyv {
                width: chosen.width() as usize,
                height: chosen.height() as usize,
                stride: chosen.bytes_per_line() as usize,
            },
            other => return Err(no_format(&[other]).into()),
        };
        let stream = capture.into_stream().map_err(refuse("begin to capture"))?;
        Ok(Box::new(Stream { camera: camera.name.clone(), stream, encoding, bytes: Vec::new() }))
    }
}

impl Capture for Stream {
    fn grab(&mut self) -> Result<()> {
        let bytes = &mut self.bytes;
        let copy = |buffer: linuxvideo::stream::ReadBufferView<'_>| {
            bytes.clear();
            // An empty frame is a broken one.
            if !buffer.is_error() {
                bytes.extend_from_slice(&buffer);
            }
            Ok(())
        };
        self.stream.dequeue(copy).map_err(system(&self.camera, "read a frame")).map_err(Into::into)
    }

    fn retrieve(&mut self) -> Result<Picture> {
        let broken = |reason| CameraError::Frame { camera: self.camera.clone(), reason };
        Ok(decode(self.encoding, &self.bytes).map_err(broken)?)
    }
}

/// What a device is called, where it captures pictures.
fn camera(device: &Device) -> io::Result<Option<CameraInfo>> {
    let capabilities = device.capabilities()?;
    let wanted = CapabilityFlags::VIDEO_CAPTURE | CapabilityFlags::STREAMING;
    if !capabilities.device_capabilities().contains(wanted) {
        return Ok(None);
    }
    let id = device.path()?.to_string_lossy().into_owned();
    Ok(Some(CameraInfo { id, name: capabilities.card().to_owned() }))
}

fn system(camera: &str, action: &'static str) -> impl Fn(io::Error) -> CameraError + use<> {
    let camera = camera.to_owned();
    move |source| CameraError::System { camera: camera.clone(), action, source }
}
