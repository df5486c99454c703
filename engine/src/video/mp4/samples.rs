//! Sample tables (`stbl`) of a file that is not fragmented.

use mp4_atom::{Co64, Ctts, Stco, Stsc, Stss, Stsz, StszSamples, Stts};

use super::boxes::{child, decode};
use super::track::Sample;

/// Most samples of a track: 23 hours at 60 frames a second.
pub const MAX_SAMPLES: usize = 5_000_000;

/// The samples that `tables` lists; those at the end whose place is not known are left out.
///
/// # Errors
/// What is wrong with them.
pub fn read(tables: &[u8]) -> Result<Vec<Sample>, &'static str> {
    let sizes: Stsz = decode(tables).ok_or("its sample sizes are missing or of an unusual form")?;
    let durations: Stts = decode(tables).ok_or("its sample times are missing")?;
    let runs: Stsc = decode(tables).ok_or("its chunks are missing")?;
    let chunks = match (decode::<Stco>(tables), decode::<Co64>(tables)) {
        (Some(chunks), _) => chunks.entries.into_iter().map(u64::from).collect(),
        (None, Some(chunks)) => chunks.entries,
        (None, None) => return Err("its chunk offsets are missing"),
    };
    if runs.entries.iter().any(|run| run.sample_description_index != 1) {
        return Err("its format changes on the way");
    }
    let (count, size_of): (usize, Box<dyn Fn(usize) -> u32>) = match sizes.samples {
        StszSamples::Identical { count, size } => (count as usize, Box::new(move |_| size)),
        StszSamples::Different { sizes } => (sizes.len(), Box::new(move |index| sizes[index])),
    };
    if count > MAX_SAMPLES {
        return Err("it has too many samples");
    }

    let offsets = offsets(&chunks, &runs, count, size_of);
    let mut durations = durations.entries.iter().flat_map(|e| repeat(e.sample_delta, e.sample_count));
    let delays = decode::<Ctts>(tables).map_or(Vec::new(), |delays| delays.entries);
    let mut delays = delays.iter().flat_map(|e| repeat(e.sample_offset, e.sample_count));
    let mut samples = Vec::with_capacity(offsets.len());
    let (mut decode_time, mut duration) = (0i64, 0);
    for (offset, size) in offsets {
        duration = durations.next().unwrap_or(duration);
        let time = decode_time + delays.next().unwrap_or(0);
        samples.push(Sample { offset, size, time, duration, is_sync: true });
        decode_time += i64::from(duration);
    }
    // Without this table every sample is a key frame.
    if child(tables, b"stss").is_some() {
        samples.iter_mut().for_each(|sample| sample.is_sync = false);
        for number in decode::<Stss>(tables).map_or(Vec::new(), |table| table.entries) {
            if let Some(sample) = samples.get_mut((number as usize).wrapping_sub(1)) {
                sample.is_sync = true;
            }
        }
    }
    Ok(samples)
}

fn repeat<T: Copy>(value: T, count: u32) -> impl Iterator<Item = T> {
    std::iter::repeat_n(value, count as usize)
}

/// Place and size of each sample: samples follow each other within a chunk.
fn offsets(chunks: &[u64], runs: &Stsc, count: usize, size_of: impl Fn(usize) -> u32) -> Vec<(u64, u32)> {
    let mut offsets = Vec::new();
    let mut run = 0;
    for (chunk, &start) in (1u32..).zip(chunks) {
        while runs.entries.get(run + 1).is_some_and(|next| next.first_chunk <= chunk) {
            run += 1;
        }
        let Some(here) = runs.entries.get(run) else { break };
        let mut offset = start;
        for _ in 0..here.samples_per_chunk {
            if offsets.len() == count {
                return offsets;
            }
            let size = size_of(offsets.len());
            offsets.push((offset, size));
            offset = offset.saturating_add(u64::from(size));
        }
    }
    offsets
}
