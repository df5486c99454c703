//! What an H.264 track says about itself: `avcC` and its sequence parameter sets.

use h264_reader::nal::sps::{ChromaFormat, FrameMbsFlags, SeqParameterSet};
use h264_reader::rbsp::{BitReader, decode_nal};
use mp4_atom::{Avcc, Colr};

use crate::video::colour::Colour;
use crate::video::mp4::boxes;

/// Bytes of a visual sample entry before its boxes.
const ENTRY_BYTES: usize = 78;

/// How the samples of a track are read.
pub struct Stream {
    /// Bytes of the length before each NAL unit.
    length_size: usize,
    /// Sequence and picture parameter sets with start codes.
    pub parameter_sets: Vec<u8>,
    pub colour: Colour,
    /// Width and height of the part at the top left that is shown, where that is not all.
    pub shown: Option<(usize, usize)>,
}

impl Stream {
    /// Of the body of an `avc1` or `avc3` sample entry.
    ///
    /// # Errors
    /// What the decoder compiled in cannot do, such as "10 bits a sample".
    pub fn new(entry: &[u8]) -> Result<Self, String> {
        let boxes = entry.get(ENTRY_BYTES..).unwrap_or_default();
        let config: Avcc = boxes::decode(boxes).ok_or("a broken header")?;
        let mut parameter_sets = Vec::new();
        for set in config.sequence_parameter_sets.iter().chain(&config.picture_parameter_sets) {
            push_unit(&mut parameter_sets, set);
        }
        let mut colour = match boxes::decode(boxes) {
            Some(Colr::Nclx { matrix_coefficients, full_range_flag, .. }) => {
                Colour::new(u8::try_from(matrix_coefficients).ok(), full_range_flag)
            }
            Some(Colr::Nclc { matrix_coefficients, .. }) => Colour::new(u8::try_from(matrix_coefficients).ok(), false),
            _ => Colour::new(None, false),
        };
        for set in &config.sequence_parameter_sets {
            let set = parse(set).ok_or("a broken header")?;
            check(&set)?;
            if let Some(said) = said_colour(&set) {
                colour = said;
            }
        }
        let shown = boxes::child(boxes, b"clap").and_then(clean_aperture);
        Ok(Self { length_size: usize::from(config.length_size), parameter_sets, colour, shown })
    }

    /// The NAL units of a sample; a cut one at the end is left out.
    pub fn units<'a>(&self, mut sample: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let length_size = self.length_size;
        std::iter::from_fn(move || {
            let (length, rest) = sample.split_at_checked(length_size)?;
            let length = length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
            let (unit, rest) = rest.split_at_checked(length)?;
            sample = rest;
            Some(unit)
        })
    }
}

/// The size in a `clap` box, four fractions: width, height, and how far the centre is off (ISO/IEC 14496-12, 12.1.4).
fn clean_aperture(body: &[u8]) -> Option<(usize, usize)> {
    let numbers = body.as_chunks().0.iter().map(|&bytes| i32::from_be_bytes(bytes));
    let [width, 1, height, 1, ..] = *numbers.collect::<Vec<_>>() else { return None };
    Some((usize::try_from(width).ok()?, usize::try_from(height).ok()?))
}

/// Appends a NAL unit behind a start code, the form of the standard's Annex B.
pub fn push_unit(bytes: &mut Vec<u8>, unit: &[u8]) {
    bytes.extend_from_slice(&[0, 0, 0, 1]);
    bytes.extend_from_slice(unit);
}

/// Whether a NAL unit is a slice of a picture that refers to no other.
pub fn is_idr(unit: &[u8]) -> bool {
    unit.first().is_some_and(|header| header & 0x1F == 5)
}

/// Whether other pictures may refer to that of a NAL unit.
pub fn is_referred_to(unit: &[u8]) -> bool {
    unit.first().is_some_and(|header| matches!(header & 0x1F, 1..=5) && header & 0x60 != 0)
}

/// Whether a NAL unit is a sequence parameter set.
pub fn is_sps(unit: &[u8]) -> bool {
    unit.first().is_some_and(|header| header & 0x1F == 7)
}

fn parse(set: &[u8]) -> Option<SeqParameterSet> {
    // The parser expects at least a header and a byte.
    let payload = (set.len() > 2).then(|| decode_nal(set).ok())??;
    SeqParameterSet::from_bits(BitReader::new(&*payload)).ok()
}

fn check(set: &SeqParameterSet) -> Result<(), String> {
    let chroma = &set.chroma_info;
    let bits = 8 + chroma.bit_depth_luma_minus8.max(chroma.bit_depth_chroma_minus8);
    if bits != 8 {
        return Err(format!("{bits} bits a sample"));
    }
    match chroma.chroma_format {
        ChromaFormat::YUV420 => {}
        ChromaFormat::YUV422 => return Err("4:2:2 chroma".into()),
        ChromaFormat::YUV444 => return Err("4:4:4 chroma".into()),
        _ => return Err("no chroma".into()),
    }
    if matches!(set.frame_mbs_flags, FrameMbsFlags::Fields { .. }) {
        return Err("interlaced fields".into());
    }
    if chroma.qpprime_y_zero_transform_bypass_flag {
        return Err("lossless blocks".into());
    }
    Ok(())
}

fn said_colour(set: &SeqParameterSet) -> Option<Colour> {
    let signal = set.vui_parameters.as_ref()?.video_signal_type.as_ref()?;
    let matrix = signal.colour_description.as_ref().map(|colours| colours.matrix_coefficients);
    Some(Colour::new(matrix, signal.video_full_range_flag))
}
