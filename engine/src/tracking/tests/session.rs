//! A real clip with the demo model, on the graphics device and on the processor.

use std::path::Path;

use crate::Cancel;
use crate::backend::DeviceChoice;
use crate::encoder::{DEMO, Encoder, ModelSource};
use crate::gpu::Gpu;
use crate::gpu::tests::gpu;
use crate::image::{Filter, SizeRule};
use crate::tracking::{
    Direction, LabelMap, Propagator, Session, SessionSettings, Stretch, TrackedFrame, TrackingOptions,
};
use crate::video::{Video, VideoOptions};

const FRAMES: usize = 8;

/// Labels of the frames after the first one, and what was said; `after` hears of every frame.
fn follow(propagator: Propagator, mut after: impl FnMut(usize) + Send) -> (Vec<LabelMap>, Vec<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/bunny.mp4");
    let mut video = Video::open(&path, &VideoOptions::default()).expect("a clip");
    let source = ModelSource::Named(DEMO.to_owned());
    let mut encoder = Encoder::load(&source, &DeviceChoice::Cpu, None).expect("it is embedded");
    let settings = SessionSettings {
        size: SizeRule::ShortSide(128),
        filter: Filter::Bicubic,
        normalisation: encoder.normalisation(),
        memory: usize::MAX,
        disk: 0,
    };
    let info = video.info().clone();
    let stride = encoder.config().stride();
    let mut session = Session::new(&info, stride, &settings, TrackingOptions::default(), propagator).expect("it fits");
    let in_middle = |place: usize, of: usize| (of / 3..of * 2 / 3).contains(&place);
    let is_object = |i: usize| in_middle(i % info.width, info.width) && in_middle(i / info.width, info.height);
    let ids = (0..info.width * info.height).map(|i| u8::from(is_object(i))).collect();
    session.tracker.set_mask(0, LabelMap::new(info.width, info.height, ids).expect("a mask")).expect("its size");
    let mut sentences = Vec::new();
    let stretch = Stretch { mask: 0, direction: Direction::Forward, last: FRAMES };
    let mut take = |TrackedFrame { frame, moved, .. }: TrackedFrame<'_>| {
        sentences.extend(moved);
        after(frame);
        Ok(())
    };
    session.track(&stretch, &mut video, &mut encoder, &Cancel::default(), &mut take).expect("it is tracked");
    let labels = |frame| session.tracker.labels(frame).expect("readable").expect("tracked");
    ((1..=FRAMES).map(labels).collect(), sentences)
}

/// The largest share of pixels that differ in a frame.
fn difference(a: &[LabelMap], b: &[LabelMap]) -> f64 {
    let of_frame = |(a, b): (&LabelMap, &LabelMap)| {
        a.ids.iter().zip(&b.ids).filter(|(a, b)| a != b).count() as f64 / a.ids.len() as f64
    };
    a.iter().zip(b).map(of_frame).fold(0.0, f64::max)
}

/// The share that half precision may change, as for any other program: see the tests against Python.
const MOST_DIFFERENT: f64 = 0.005;

#[test]
fn objects_are_followed_alike_everywhere() {
    let (on_host, _) = follow(Propagator::on_processor(), |_| ());
    assert!(on_host.iter().all(|labels| labels.objects() == [1]));
    let (on_device, sentences) = follow(Propagator::on(Some(gpu())), |_| ());
    assert!(sentences.is_empty());
    let different = difference(&on_host, &on_device);
    assert!(different <= MOST_DIFFERENT, "{different}");
}

#[test]
fn a_device_lost_on_the_way_costs_nothing() {
    let (on_host, _) = follow(Propagator::on_processor(), |_| ());
    let gpu: Gpu = gpu();
    let lost = gpu.clone();
    let lose = move |frame: usize| {
        if frame == 3 {
            lost.device.destroy();
        }
    };
    let (labels, sentences) = follow(Propagator::on(Some(gpu)), lose);
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    let different = difference(&on_host, &labels);
    assert!(different <= MOST_DIFFERENT, "{different}");
}
