//! From samples in the order of decoding to frames in the order they are shown.

use super::track::{Edit, Sample, rescale};
use crate::video::Timeline;

/// What is shown of a track.
#[derive(Debug, PartialEq, Eq)]
pub struct Presentation {
    /// The sample of each frame, in the order they are shown.
    pub samples: Vec<usize>,
    /// When each is shown.
    pub timeline: Timeline,
}

/// Applies an edit list. As in ffmpeg, a frame is shown where its start lies within an edit.
///
/// # Errors
/// Where the list shows a part of the track twice, or parts of it in another order.
pub fn present(
    samples: &[Sample],
    timescale: u32,
    edits: &[Edit],
    movie_timescale: u32,
) -> Result<Presentation, &'static str> {
    let mut order: Vec<usize> = (0..samples.len()).collect();
    order.sort_by_key(|&index| samples[index].time);
    // In ticks of the track; `None` for an end that is open.
    let ticks = |movie: u64| i64::try_from(rescale(movie, timescale, movie_timescale)).unwrap_or(i64::MAX);
    let shown = if edits.iter().any(|edit| edit.media_time.is_some()) {
        edited(samples, order, edits, ticks)?
    } else {
        let delay = edits.iter().fold(0i64, |delay, edit| delay.saturating_add(ticks(edit.duration)));
        // Times before 0 would be lost.
        let first = order.first().map_or(0, |&index| samples[index].time.min(0));
        order.into_iter().map(|i| (i, samples[i].time.saturating_sub(first).saturating_add(delay))).collect()
    };
    let starts: Vec<u64> = shown.iter().map(|&(_, start)| start.max(0) as u64).collect();
    let last = shown.last().map_or(0, |&(index, _)| u64::from(samples[index].duration));
    Ok(Presentation {
        samples: shown.into_iter().map(|(index, _)| index).collect(),
        timeline: Timeline::new(timescale, &starts, last),
    })
}

/// Sample and start of each frame.
fn edited(
    samples: &[Sample],
    order: Vec<usize>,
    edits: &[Edit],
    ticks: impl Fn(u64) -> i64,
) -> Result<Vec<(usize, i64)>, &'static str> {
    let mut shown = Vec::with_capacity(order.len());
    let mut order = order.into_iter().peekable();
    let (mut position, mut reached) = (0i64, i64::MIN);
    for edit in edits {
        let length = ticks(edit.duration);
        if let Some(from) = edit.media_time {
            let from = i64::try_from(from).unwrap_or(i64::MAX);
            if from < reached {
                return Err("its edit list shows frames twice or in another order");
            }
            let end = if edit.duration == 0 { i64::MAX } else { from.saturating_add(length) };
            while order.next_if(|&index| samples[index].time < from).is_some() {}
            while let Some(index) = order.next_if(|&index| samples[index].time < end) {
                shown.push((index, position.saturating_add(samples[index].time - from)));
            }
            reached = end;
        }
        position = position.saturating_add(length);
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of 10 ticks, decoded in this order of times.
    fn samples(times: &[i64]) -> Vec<Sample> {
        times.iter().map(|&time| Sample { offset: 0, size: 1, time, duration: 10, is_sync: false }).collect()
    }

    fn shown(times: &[i64], edits: &[(u64, Option<u64>)]) -> Result<(Vec<usize>, Vec<u64>), &'static str> {
        let edits: Vec<_> = edits.iter().map(|&(duration, media_time)| Edit { duration, media_time }).collect();
        let presentation = present(&samples(times), 1000, &edits, 100)?;
        let timeline = presentation.timeline;
        Ok((presentation.samples, (0..timeline.len()).map(|i| timeline.start(i)).collect()))
    }

    #[test]
    fn composition_times_give_the_order() {
        assert_eq!(shown(&[20, 50, 30, 40], &[]), Ok((vec![0, 2, 3, 1], vec![20, 30, 40, 50])));
        assert_eq!(shown(&[-20, 10, -10, 0], &[]), Ok((vec![0, 2, 3, 1], vec![0, 10, 20, 30])));
    }

    #[test]
    fn edits_cut_and_shift() {
        // The usual one, which only takes the delay of reordering away.
        assert_eq!(shown(&[20, 50, 30, 40], &[(4, Some(20))]), Ok((vec![0, 2, 3, 1], vec![0, 10, 20, 30])));
        // A late start, frames cut at both ends, and an edit without an end.
        assert_eq!(shown(&[0, 10, 20, 30], &[(5, None), (2, Some(10))]), Ok((vec![1, 2], vec![50, 60])));
        assert_eq!(shown(&[0, 10, 20], &[(0, Some(10))]), Ok((vec![1, 2], vec![0, 10])));
        assert_eq!(shown(&[0, 10], &[(5, None)]), Ok((vec![0, 1], vec![50, 60])));
        // A piece in the middle is left out.
        assert_eq!(shown(&[0, 10, 20, 30], &[(1, Some(0)), (1, Some(30))]), Ok((vec![0, 3], vec![0, 10])));
        assert!(shown(&[0, 10, 20], &[(2, Some(0)), (2, Some(0))]).is_err());
    }
}
