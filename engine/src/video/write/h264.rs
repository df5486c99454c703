//! Frames become H.264.

use openh264::OpenH264API;
use openh264::encoder::{
    Complexity, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, RateControlMode, UsageType, VuiConfig,
};
use openh264::formats::YUVSlices;
use yuv::{YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix, rgb_to_yuv420};

use crate::image::Picture;

/// Seconds between frames where decoding can start.
const SYNC_SECS: f64 = 1.0;

/// An encoder of frames of one size.
pub struct H264Encoder {
    encoder: Encoder,
    planes: YuvPlanarImageMut<'static, u8>,
    /// Even, as the format needs them.
    pub width: usize,
    /// Even, as the format needs them.
    pub height: usize,
}

/// An encoded frame.
pub struct Encoded {
    /// NAL units without start codes, parameter sets aside.
    pub units: Vec<Vec<u8>>,
    /// Whether decoding can start here.
    pub is_sync: bool,
    /// Sequence and picture parameter set, where the frame brings them.
    pub parameter_sets: Option<(Vec<u8>, Vec<u8>)>,
}

impl H264Encoder {
    /// # Errors
    /// What the encoder says.
    pub fn new(width: usize, height: usize, fps: f64) -> Result<Self, String> {
        let (width, height) = (width.next_multiple_of(2), height.next_multiple_of(2));
        // Without rate control every frame is quantised alike, by 26 of 51: what is seen matters, not the file's size.
        let config = EncoderConfig::new()
            .max_frame_rate(FrameRate::from_hz(fps as f32))
            .rate_control_mode(RateControlMode::Off)
            .skip_frames(false)
            .usage_type(UsageType::CameraVideoRealTime)
            .complexity(Complexity::Medium)
            .background_detection(false)
            .adaptive_quantization(false)
            .intra_frame_period(IntraFramePeriod::from_num_frames((fps * SYNC_SECS).round().clamp(1.0, 300.0) as u32))
            .vui(VuiConfig::bt709());
        let encoder =
            Encoder::with_api_config(OpenH264API::from_source(), config).map_err(|error| error.to_string())?;
        let (w, h) = (width as u32, height as u32);
        Ok(Self { encoder, planes: YuvPlanarImageMut::alloc(w, h, yuv::YuvChromaSubsampling::Yuv420), width, height })
    }

    /// # Errors
    /// What the encoder says.
    pub fn encode(&mut self, frame: &Picture) -> Result<Encoded, String> {
        let even = self.even(frame);
        let rgb = even.as_ref().unwrap_or(frame);
        let (range, matrix, mode) = (YuvRange::Limited, YuvStandardMatrix::Bt709, YuvConversionMode::Balanced);
        let stride = 3 * self.width as u32;
        rgb_to_yuv420(&mut self.planes, &rgb.rgb, stride, range, matrix, mode).map_err(|error| error.to_string())?;
        let planes = &self.planes;
        let source = YUVSlices::new(
            (planes.y_plane.borrow(), planes.u_plane.borrow(), planes.v_plane.borrow()),
            (self.width, self.height),
            (planes.y_stride as usize, planes.u_stride as usize, planes.v_stride as usize),
        );
        let stream = self.encoder.encode(&source).map_err(|error| error.to_string())?;
        let is_sync = matches!(stream.frame_type(), FrameType::IDR);
        let mut encoded = Encoded { units: Vec::new(), is_sync, parameter_sets: None };
        let (mut sequence, mut picture) = (None, None);
        for layer in (0..stream.num_layers()).filter_map(|index| stream.layer(index)) {
            for unit in (0..layer.nal_count()).filter_map(|index| layer.nal_unit(index)) {
                let unit = without_start_code(unit).to_vec();
                match unit.first().map(|header| header & 0x1F) {
                    Some(7) => sequence = Some(unit),
                    Some(8) => picture = Some(unit),
                    Some(_) => encoded.units.push(unit),
                    None => {}
                }
            }
        }
        encoded.parameter_sets = sequence.zip(picture);
        if encoded.units.is_empty() { Err("it gave no data for a frame".to_owned()) } else { Ok(encoded) }
    }

    /// The frame with its last row and column doubled; `None` where it is even.
    fn even(&self, frame: &Picture) -> Option<Picture> {
        if (frame.width, frame.height) == (self.width, self.height) {
            return None;
        }
        let mut rgb = Vec::with_capacity(3 * self.width * self.height);
        for y in 0..self.height {
            let row = &frame.rgb[3 * frame.width * y.min(frame.height - 1)..][..3 * frame.width];
            rgb.extend_from_slice(row);
            rgb.extend_from_slice(&row[row.len() - 3 * (self.width - frame.width)..]);
        }
        Some(Picture { width: self.width, height: self.height, rgb })
    }
}

fn without_start_code(unit: &[u8]) -> &[u8] {
    let zeros = unit.iter().take_while(|&&byte| byte == 0).count();
    unit.get(zeros + 1..).unwrap_or_default()
}
