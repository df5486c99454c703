//! The boxes of an MP4 file (ISO/IEC 14496-12).

use mp4_atom::{
    Avc1, Avcc, Co64, Codec, Colr, Dinf, Dref, DrefEntry, Edts, Elst, Encode as _, FixedPoint, FourCC, Hdlr, Mdhd,
    Mdia, Mfhd, Minf, Moof, Moov, Mvex, Mvhd, Smhd, Stbl, Stsc, StscEntry, Stsd, Stss, Stsz, StszSamples, Stts,
    SttsEntry, Tfdt, Tfhd, Tkhd, Traf, Trak, Trex, Trun, TrunEntry, TrunSamples, Url, Visual, Vmhd,
};

/// Number of the track with pictures, and of the one with sound.
const VIDEO: u32 = 1;
const SOUND: u32 = 2;

/// Flags of a sample from which decoding can start, and of others.
const SYNC_FLAGS: u32 = 0x0200_0000;
const OTHER_FLAGS: u32 = 0x0101_0000;

/// One frame or packet in the file.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// In the file.
    pub offset: u64,
    /// In bytes.
    pub size: u32,
    /// In ticks of the track.
    pub duration: u32,
    /// Whether decoding can start here.
    pub is_sync: bool,
}

/// Sound that is copied.
pub struct SoundTrack {
    /// How it is decoded, as in the file it comes from.
    pub description: Stsd,
    /// Ticks a second.
    pub timescale: u32,
    /// In order.
    pub samples: Vec<Sample>,
    /// In ticks of the movie.
    pub edits: Option<Elst>,
}

/// The pictures' track.
pub struct VideoTrack<'a> {
    /// In pixels.
    pub size: (usize, usize),
    /// Ticks a second.
    pub timescale: u32,
    /// Parameter sets.
    pub config: &'a Avcc,
    /// In order; none at the head of a file of fragments.
    pub samples: &'a [Sample],
}

/// The index of a complete file; without samples, the head of a file of fragments.
pub fn index(video: &VideoTrack<'_>, sound: Option<&SoundTrack>) -> mp4_atom::Result<Vec<u8>> {
    let duration = video.samples.iter().map(|sample| u64::from(sample.duration)).sum();
    let mut trak = vec![video_trak(video, duration)];
    trak.extend(sound.map(|sound| sound_trak(sound, video.timescale)));
    let is_fragmented = video.samples.is_empty();
    let moov = Moov {
        mvhd: Mvhd {
            timescale: video.timescale,
            duration,
            rate: FixedPoint::from(1),
            volume: FixedPoint::from(1),
            next_track_id: SOUND + 1,
            ..Mvhd::default()
        },
        mvex: is_fragmented.then(|| Mvex {
            trex: vec![Trex { track_id: VIDEO, default_sample_description_index: 1, ..Trex::default() }],
            ..Mvex::default()
        }),
        trak,
        ..Moov::default()
    };
    let mut bytes = Vec::new();
    moov.encode(&mut bytes)?;
    Ok(bytes)
}

/// The head of a fragment, whose samples follow in an `mdat` box; `start` is the first one's time.
pub fn fragment(number: u32, start: u64, samples: &[Sample]) -> mp4_atom::Result<Vec<u8>> {
    let entry = |sample: &Sample| TrunEntry {
        duration: Some(sample.duration),
        size: Some(sample.size),
        flags: Some(if sample.is_sync { SYNC_FLAGS } else { OTHER_FLAGS }),
        cts: None,
    };
    let encoded = |data_offset: usize| {
        let trun = Trun {
            data_offset: Some(i32::try_from(data_offset).unwrap_or(i32::MAX)),
            samples: TrunSamples::Explicit(samples.iter().map(entry).collect()),
        };
        let tfhd = Tfhd { track_id: VIDEO, default_base_is_moof: true, ..Tfhd::default() };
        let tfdt = Some(Tfdt { base_media_decode_time: start });
        let traf = Traf { tfhd, tfdt, trun: vec![trun], ..Traf::default() };
        let mut bytes = Vec::new();
        Moof { mfhd: Mfhd { sequence_number: number }, traf: vec![traf] }.encode(&mut bytes).map(|()| bytes)
    };
    // The offset counts from the start of this box, past it and the header of the next one.
    let length = encoded(0)?.len();
    encoded(length + 8)
}

fn video_trak(video: &VideoTrack<'_>, duration: u64) -> Trak {
    let (width, height) = (video.size.0 as u16, video.size.1 as u16);
    let visual = Visual {
        data_reference_index: 1,
        width,
        height,
        horizresolution: FixedPoint::from(72),
        vertresolution: FixedPoint::from(72),
        frame_count: 1,
        depth: 24,
        ..Visual::default()
    };
    // BT.709 in all three.
    let colr =
        Colr::Nclx { colour_primaries: 1, transfer_characteristics: 1, matrix_coefficients: 1, full_range_flag: false };
    let entry = Avc1 { visual, avcc: video.config.clone(), colr: Some(colr), ..Avc1::default() };
    let sync = |(index, sample): (usize, &Sample)| sample.is_sync.then_some(index as u32 + 1);
    let stbl = Stbl {
        stsd: Stsd { codecs: vec![Codec::Avc1(entry)] },
        stss: Some(Stss { entries: video.samples.iter().enumerate().filter_map(sync).collect() }),
        ..tables(video.samples)
    };
    Trak {
        tkhd: Tkhd {
            track_id: VIDEO,
            duration,
            enabled: true,
            in_movie: true,
            width: FixedPoint::from(width),
            height: FixedPoint::from(height),
            ..Tkhd::default()
        },
        mdia: Mdia {
            mdhd: Mdhd { timescale: video.timescale, duration, language: "und".to_owned(), ..Mdhd::default() },
            hdlr: Hdlr { handler: FourCC::new(b"vide"), name: "video".to_owned() },
            minf: Minf { vmhd: Some(Vmhd::default()), dinf: here(), stbl, ..Minf::default() },
        },
        ..Trak::default()
    }
}

fn sound_trak(sound: &SoundTrack, movie_timescale: u32) -> Trak {
    let duration: u64 = sound.samples.iter().map(|sample| u64::from(sample.duration)).sum();
    let in_movie = duration * u64::from(movie_timescale) / u64::from(sound.timescale.max(1));
    let stbl = Stbl { stsd: sound.description.clone(), ..tables(&sound.samples) };
    Trak {
        tkhd: Tkhd {
            track_id: SOUND,
            duration: in_movie,
            enabled: true,
            in_movie: true,
            alternate_group: 1,
            volume: FixedPoint::from(1),
            ..Tkhd::default()
        },
        edts: sound.edits.clone().map(|elst| Edts { elst: Some(elst) }),
        mdia: Mdia {
            mdhd: Mdhd { timescale: sound.timescale, duration, language: "und".to_owned(), ..Mdhd::default() },
            hdlr: Hdlr { handler: FourCC::new(b"soun"), name: "sound".to_owned() },
            minf: Minf { smhd: Some(Smhd::default()), dinf: here(), stbl, ..Minf::default() },
        },
        ..Trak::default()
    }
}

/// Where every sample lies and how long it is shown; each is a chunk of its own.
fn tables(samples: &[Sample]) -> Stbl {
    let durations = samples.chunk_by(|a, b| a.duration == b.duration);
    let durations =
        durations.map(|run| SttsEntry { sample_count: run.len() as u32, sample_delta: run[0].duration }).collect();
    let chunk = StscEntry { first_chunk: 1, samples_per_chunk: 1, sample_description_index: 1 };
    Stbl {
        stts: Stts { entries: durations },
        stsc: Stsc { entries: if samples.is_empty() { Vec::new() } else { vec![chunk] } },
        stsz: Stsz { samples: StszSamples::Different { sizes: samples.iter().map(|sample| sample.size).collect() } },
        co64: Some(Co64 { entries: samples.iter().map(|sample| sample.offset).collect() }),
        ..Stbl::default()
    }
}

/// That samples are in this file.
fn here() -> Dinf {
    Dinf { dref: Dref { entries: vec![DrefEntry::Url(Url::default())] } }
}
