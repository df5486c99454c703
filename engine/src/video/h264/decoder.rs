//! openh264, told which sample it decodes, so that each picture says which one it is.
//!
//! The safe interface gives pictures in the order the decoder thinks they are shown, without saying which they are: one
//! lost picture would shift all others. The time stamp of a sample comes out again with its picture.

use std::ptr::null_mut;

use openh264::OpenH264API;
use openh264::decoder::{DecoderConfig, DecoderRawAPI};
use openh264_sys2::{
    DECODER_OPTION_NUM_OF_FRAMES_REMAINING_IN_BUFFER, DECODING_STATE, SBufferInfo, dsInvalidArgument, videoFormatI420,
};

use crate::video::colour::Planes;

/// A decoder at some place of a stream.
pub struct Decoder(openh264::decoder::Decoder);

/// A decoded picture, valid until the decoder is used again.
pub struct Decoded<'a> {
    /// As given with the sample.
    pub stamp: u64,
    pub planes: Planes<'a>,
}

impl Decoder {
    /// # Errors
    /// What openh264 says.
    pub fn new() -> Result<Self, String> {
        openh264::decoder::Decoder::with_api_config(OpenH264API::from_source(), DecoderConfig::new())
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// Decodes one access unit, with start codes. Gives the picture that is next to be shown by then, mostly another
    /// one, and openh264's error flags, 0 where all is well: damage does not keep back what was decoded before it.
    pub fn decode(&mut self, unit: &[u8], stamp: u64) -> (Option<Decoded<'_>>, DECODING_STATE) {
        let Ok(len) = i32::try_from(unit.len()) else { return (None, dsInvalidArgument) };
        let mut planes = [null_mut::<u8>(); 3];
        let mut info = SBufferInfo { uiInBsTimeStamp: stamp, ..SBufferInfo::default() };
        // SAFETY: `unit` has `len` bytes and is only read; `planes` and `info` are written to, and outlive the call.
        let state = unsafe { self.raw().decode_frame_no_delay(unit.as_ptr(), len, planes.as_mut_ptr(), &raw mut info) };
        (self.decoded(planes, &info), state)
    }

    /// Gives a picture that waits to be shown, until there is none. The decoder has to be replaced then: openh264 never
    /// uses the memory of these pictures again, and soon has none left.
    pub fn flush(&mut self) -> Option<Decoded<'_>> {
        let mut left = 0i32;
        // SAFETY: this option is an int.
        let state =
            unsafe { self.raw().get_option(DECODER_OPTION_NUM_OF_FRAMES_REMAINING_IN_BUFFER, (&raw mut left).cast()) };
        if state != 0 || left <= 0 {
            return None;
        }
        let mut planes = [null_mut::<u8>(); 3];
        let mut info = SBufferInfo::default();
        // SAFETY: `planes` and `info` are written to, and outlive the call.
        unsafe { self.raw().flush_frame(planes.as_mut_ptr(), &raw mut info) };
        self.decoded(planes, &info)
    }

    fn raw(&mut self) -> &mut DecoderRawAPI {
        // SAFETY: no parameter that the wrapper relies on is changed.
        unsafe { self.0.raw_api() }
    }

    fn decoded(&self, planes: [*mut u8; 3], info: &SBufferInfo) -> Option<Decoded<'_>> {
        // SAFETY: the member that is used when the decoder writes to memory of its own, as it always does here; all its
        // values are plain numbers.
        let format = unsafe { info.UsrData.sSystemBuffer };
        let size = |n: i32| usize::try_from(n).ok().filter(|&n| n > 0);
        let (width, height) = (size(format.iWidth)?, size(format.iHeight)?);
        let strides = [size(format.iStride[0])?, size(format.iStride[1])?];
        if info.iBufferStatus != 1 || format.iFormat != videoFormatI420 || planes.iter().any(|p| p.is_null()) {
            return None;
        }
        let plane = |index: usize, stride: usize, width: usize, height: usize| {
            // SAFETY: openh264 gives planes of that many rows of that stride, of which the last is not counted beyond
            // the picture; they stay as they are until the decoder is used again, which the borrow of `self` prevents.
            unsafe { std::slice::from_raw_parts(planes[index], stride * (height - 1) + width) }
        };
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        if strides[0] < width || strides[1] < half_width {
            return None;
        }
        let data = [
            plane(0, strides[0], width, height),
            plane(1, strides[1], half_width, half_height),
            plane(2, strides[1], half_width, half_height),
        ];
        Some(Decoded { stamp: info.uiInBsTimeStamp, planes: Planes { width, height, data, strides } })
    }
}
