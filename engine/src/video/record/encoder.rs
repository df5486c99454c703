//! Pictures to H.264, by openh264.

use mp4_atom::{Avcc, Colr, Encode, Visual};
use openh264::encoder::{
    Complexity, Encoder as OpenH264, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile, QpRange,
    RateControlMode, VuiConfig,
};
use openh264::formats::YUVSource;
use openh264::{OpenH264API, Timestamp};
use yuv::{YuvChromaSubsampling, YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

use super::Quality;
use super::muxer::write_box;
use crate::image::Picture;

/// Largest long and short side that openh264 encodes.
pub const MAX_SIDES: (usize, usize) = (3840, 2160);

/// Smallest side that it encodes.
const MIN_SIDE: usize = 16;

/// Code points of ITU-T H.273 for BT.709.
const BT709: u16 = 1;

/// Encodes pictures of one size.
pub struct Encoder {
    inner: OpenH264,
    /// As shown.
    size: (usize, usize),
    planes: Planes,
    /// A picture with its edges repeated up to the size that is encoded.
    padded: Vec<u8>,
    /// Without start codes.
    sps: Vec<u8>,
    pps: Vec<u8>,
}

/// A picture as the encoder reads it.
struct Planes(YuvPlanarImageMut<'static, u8>);

/// An encoded picture.
pub struct Encoded {
    /// NAL units, each behind its length in 4 bytes.
    pub data: Vec<u8>,
    /// Whether decoding can start here.
    pub is_sync: bool,
}

impl Encoder {
    /// For pictures of that size, a key frame every second or so.
    ///
    /// # Errors
    /// What openh264 says.
    pub fn new(width: usize, height: usize, fps: f64, quality: Quality) -> Result<Self, String> {
        let key_frames = fps.round().clamp(1.0, 120.0) as u32;
        let qp = match quality {
            Quality::Small => 28,
            Quality::Good => 20,
            Quality::Best => 13,
        };
        let config = EncoderConfig::new()
            // Nothing is left to rate control, neither the quality nor whether a frame is kept. Of its modes that heed
            // these bounds, this is the one that does not complain about them.
            .rate_control_mode(RateControlMode::Bufferbased)
            .qp(QpRange::new(qp, qp))
            .skip_frames(false)
            .adaptive_quantization(false)
            .background_detection(false)
            .max_frame_rate(FrameRate::from_hz(fps.clamp(1.0, 60.0) as f32))
            .intra_frame_period(IntraFramePeriod::from_num_frames(key_frames))
            .complexity(Complexity::Medium)
            .profile(Profile::High)
            .vui(VuiConfig::bt709());
        let inner = OpenH264::with_api_config(OpenH264API::from_source(), config).map_err(|error| error.to_string())?;
        // Chroma has half as many rows and columns, so that both must be even.
        let coded = |side: usize| side.next_multiple_of(2).max(MIN_SIDE) as u32;
        let planes = YuvPlanarImageMut::alloc(coded(width), coded(height), YuvChromaSubsampling::Yuv420);
        let padded = Vec::new();
        Ok(Self { inner, size: (width, height), planes: Planes(planes), padded, sps: Vec::new(), pps: Vec::new() })
    }

    /// Encodes the next picture, which is of the size given to [`Self::new`].
    ///
    /// # Errors
    /// What openh264 says.
    pub fn encode(&mut self, picture: &Picture, time_ms: u64) -> Result<Encoded, String> {
        let (width, height) = (self.planes.0.width as usize, self.planes.0.height as usize);
        let rgb = if self.size == (width, height) {
            &picture.rgb
        } else {
            pad(picture, width, height, &mut self.padded);
            &self.padded
        };
        let (range, matrix) = (YuvRange::Limited, YuvStandardMatrix::Bt709);
        yuv::rgb_to_yuv420(&mut self.planes.0, rgb, width as u32 * 3, range, matrix, YuvConversionMode::Balanced)
            .map_err(|error| error.to_string())?;
        let stream =
            self.inner.encode_at(&self.planes, Timestamp::from_millis(time_ms)).map_err(|error| error.to_string())?;
        let is_sync = stream.frame_type() == FrameType::IDR;
        let mut data = Vec::new();
        for layer in (0..stream.num_layers()).filter_map(|index| stream.layer(index)) {
            for unit in (0..layer.nal_count()).filter_map(|index| layer.nal_unit(index)) {
                let unit = without_start_code(unit);
                match unit.first().map(|header| header & 0x1F) {
                    Some(7) => self.sps = unit.to_vec(),
                    Some(8) => self.pps = unit.to_vec(),
                    _ => {
                        data.extend_from_slice(&(unit.len() as u32).to_be_bytes());
                        data.extend_from_slice(unit);
                    }
                }
            }
        }
        if data.is_empty() {
            return Err("the encoder left a frame out".into());
        }
        Ok(Encoded { data, is_sync })
    }

    /// Body of the `stsd` box, once a picture was encoded.
    ///
    /// # Errors
    /// Where the encoder has not said how its stream is read.
    pub fn descriptions(&self) -> Result<Vec<u8>, String> {
        let (width, height) = (self.planes.0.width as u16, self.planes.0.height as u16);
        let config = Avcc::new(&self.sps, &self.pps).map_err(|error| error.to_string())?;
        // Version and flags, and the number of descriptions.
        let mut bytes = [0u32, 1].map(u32::to_be_bytes).as_flattened().to_vec();
        write_box(&mut bytes, b"avc1", |entry| {
            let error = std::io::Error::other;
            let visual = Visual { data_reference_index: 1, width, height, ..Visual::default() };
            visual.encode(entry).map_err(error)?;
            config.encode(entry).map_err(error)?;
            let colour = Colr::new(BT709, BT709, BT709, false).map_err(error)?;
            colour.encode(entry).map_err(error)?;
            if self.size != (width.into(), height.into()) {
                write_box(entry, b"clap", |body| {
                    body.extend_from_slice(
                        clean_aperture(self.size, (width, height)).map(i32::to_be_bytes).as_flattened(),
                    );
                    Ok(())
                })?;
            }
            Ok(())
        })
        .map_err(|error| error.to_string())?;
        Ok(bytes)
    }
}

/// Which part of the coded picture is shown: width, height and how far its centre is off, each as a fraction
/// (ISO/IEC 14496-12, 12.1.4). The part lies at the top left.
fn clean_aperture(shown: (usize, usize), coded: (u16, u16)) -> [i32; 8] {
    let (width, height) = (shown.0 as i32, shown.1 as i32);
    [width, 1, height, 1, width - i32::from(coded.0), 2, height - i32::from(coded.1), 2]
}

/// Repeats the last column and row.
fn pad(picture: &Picture, width: usize, height: usize, padded: &mut Vec<u8>) {
    padded.clear();
    let line = |y: usize| &picture.rgb[y.min(picture.height - 1) * picture.width * 3..][..picture.width * 3];
    for y in 0..height {
        let line = line(y);
        padded.extend_from_slice(line);
        for _ in picture.width..width {
            padded.extend_from_slice(&line[line.len() - 3..]);
        }
    }
}

fn without_start_code(unit: &[u8]) -> &[u8] {
    let zeros = unit.iter().take_while(|&&byte| byte == 0).count();
    unit.get(zeros + 1..).unwrap_or_default()
}

impl YUVSource for Planes {
    fn dimensions_i32(&self) -> (i32, i32) {
        (self.0.width as i32, self.0.height as i32)
    }

    fn dimensions(&self) -> (usize, usize) {
        (self.0.width as usize, self.0.height as usize)
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.0.y_stride as usize, self.0.u_stride as usize, self.0.v_stride as usize)
    }

    fn strides_i32(&self) -> (i32, i32, i32) {
        (self.0.y_stride as i32, self.0.u_stride as i32, self.0.v_stride as i32)
    }

    fn y(&self) -> &[u8] {
        self.0.y_plane.borrow()
    }

    fn u(&self) -> &[u8] {
        self.0.u_plane.borrow()
    }

    fn v(&self) -> &[u8] {
        self.0.v_plane.borrow()
    }
}
