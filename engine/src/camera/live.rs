//! A camera that is looked through.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::{CameraError, CameraInfo, Cameras, Capture};
use crate::Result;
use crate::dispatch::{Wake, texture, thumbnail};
use crate::gpu::{Gpu, PictureTexture};
use crate::image::Picture;

/// Frames that may be broken one after the other before the camera is given up; cables and sleeping cameras break some.
const MOST_BROKEN: usize = 30;

/// A camera that is on. Dropping it switches the camera off and does not wait.
pub struct Live {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The frame that was asked for.
    newest: Mutex<Option<Result<LiveFrame>>>,
    is_wanted: AtomicBool,
    is_closed: AtomicBool,
}

/// One frame of a camera.
#[derive(Debug)]
pub struct LiveFrame {
    /// Its pixels.
    pub pixels: Arc<Picture>,
    /// On the device; `None` without one.
    pub texture: Option<Arc<PictureTexture>>,
    /// At most 256 pixels on a side; of the first frame alone.
    pub thumbnail: Option<Picture>,
}

impl Live {
    /// Switches a camera on, on a thread of its own. `wake` is called when a frame has come that was asked for.
    pub fn start(cameras: Arc<dyn Cameras>, camera: CameraInfo, gpu: Option<Gpu>, wake: Wake) -> Self {
        let shared = Arc::new(Shared { is_wanted: AtomicBool::new(true), ..Shared::default() });
        let of_thread = Arc::clone(&shared);
        let name = camera.name.clone();
        let work = move || {
            let ended = cameras
                .open(&camera)
                .and_then(|mut capture| of_thread.run(&mut *capture, &camera.name, gpu.as_ref(), &wake));
            if let Err(error) = ended {
                of_thread.put(Err(error), &wake);
            }
        };
        if let Err(source) = thread::Builder::new().name("dino-camera".to_owned()).spawn(work) {
            let error = CameraError::System { camera: name, action: "start a thread for it", source };
            shared.put(Err(error.into()), &(Arc::new(|| ()) as Wake));
        }
        Self { shared }
    }

    /// The frame that was asked for, once it has come; that asks for the next one. After an error nothing more comes.
    /// Never waits for the camera.
    pub fn take(&self) -> Option<Result<LiveFrame>> {
        let frame = self.shared.newest.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        self.shared.is_wanted.store(true, Ordering::Release);
        Some(frame)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Ordering::Release);
    }
}

impl Shared {
    fn run(&self, capture: &mut dyn Capture, camera: &str, gpu: Option<&Gpu>, wake: &Wake) -> Result<()> {
        let (mut is_first, mut broken) = (true, 0);
        while !self.is_closed.load(Ordering::Acquire) {
            capture.grab()?;
            if !self.is_wanted.load(Ordering::Acquire) {
                continue;
            }
            let pixels = match capture.retrieve() {
                Ok(pixels) => Arc::new(pixels),
                Err(error) if broken < MOST_BROKEN => {
                    log::warn!("{camera}: {error}");
                    broken += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            broken = 0;
            let (texture, thumbnail) = (texture(gpu, &pixels), is_first.then(|| thumbnail(&pixels)));
            is_first = false;
            self.put(Ok(LiveFrame { pixels, texture, thumbnail }), wake);
        }
        Ok(())
    }

    fn put(&self, frame: Result<LiveFrame>, wake: &Wake) {
        self.is_wanted.store(false, Ordering::Release);
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(frame);
        wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::*;

    /// Numbers its frames, and captures as fast as it can; from `broken` on none can be decoded.
    struct Numbered {
        grabbed: Arc<AtomicUsize>,
        decoded: Arc<AtomicUsize>,
        broken: usize,
    }

    impl Cameras for Numbered {
        fn list(&self) -> Result<Vec<CameraInfo>> {
            Ok(vec![info()])
        }

        fn open(&self, _: &CameraInfo) -> Result<Box<dyn Capture>> {
            let (grabbed, decoded) = (Arc::clone(&self.grabbed), Arc::clone(&self.decoded));
            Ok(Box::new(Self { grabbed, decoded, broken: self.broken }))
        }
    }

    impl Capture for Numbered {
        fn grab(&mut self) -> Result<()> {
            thread::sleep(Duration::from_millis(1));
            self.grabbed.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }

        fn retrieve(&mut self) -> Result<Picture> {
            self.decoded.fetch_add(1, Ordering::SeqCst);
            let number = self.grabbed.load(Ordering::SeqCst);
            if number >= self.broken {
                let reason = "half of it is missing".to_owned();
                return Err(CameraError::Frame { camera: "numbers".to_owned(), reason }.into());
            }
            let [_, _, _, _, _, a, b, c] = (number as u64).to_be_bytes();
            Ok(Picture { width: 1, height: 1, rgb: vec![a, b, c] })
        }
    }

    fn info() -> CameraInfo {
        CameraInfo { id: "0".to_owned(), name: "numbers".to_owned() }
    }

    fn started(broken: usize) -> (Live, Receiver<()>, Arc<AtomicUsize>, Arc<AtomicUsize>) {
        let (grabbed, decoded) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let cameras = Numbered { grabbed: Arc::clone(&grabbed), decoded: Arc::clone(&decoded), broken };
        let (woken, wakes) = channel();
        let wake: Wake = Arc::new(move || {
            // Nobody listens any more.
            let _ = woken.send(());
        });
        (Live::start(Arc::new(cameras), info(), None, wake), wakes, grabbed, decoded)
    }

    fn next(live: &Live, wakes: &Receiver<()>) -> Result<LiveFrame> {
        wakes.recv_timeout(Duration::from_secs(60)).expect("it wakes");
        live.take().expect("a frame")
    }

    fn number(frame: &LiveFrame) -> usize {
        frame.pixels.rgb.iter().fold(0, |number, byte| number * 256 + usize::from(*byte))
    }

    #[test]
    fn nothing_queues_and_what_is_not_looked_at_is_not_decoded() {
        let (live, wakes, grabbed, decoded) = started(usize::MAX);
        let first = next(&live, &wakes).expect("a frame");
        assert!(first.thumbnail.is_some());
        let second = next(&live, &wakes).expect("a frame");
        assert!(second.thumbnail.is_none() && number(&second) > number(&first));
        wakes.recv_timeout(Duration::from_secs(60)).expect("it wakes");
        let start = grabbed.load(Ordering::SeqCst);
        while grabbed.load(Ordering::SeqCst) < start + 50 {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(decoded.load(Ordering::SeqCst), 3, "one waits, the others are let go");
        let third = live.take().expect("it waits").expect("a frame");
        let after = grabbed.load(Ordering::SeqCst);
        let fourth = next(&live, &wakes).expect("a frame");
        assert!(number(&third) <= start && number(&fourth) >= after, "the next one is captured after it was asked for");
    }

    #[test]
    fn a_camera_that_is_let_go_stops() {
        let (live, wakes, grabbed, _) = started(usize::MAX);
        next(&live, &wakes).expect("a frame");
        drop(live);
        // The thread lets go of its end when it is done.
        while wakes.recv_timeout(Duration::from_secs(60)).is_ok() {}
        let after = grabbed.load(Ordering::SeqCst);
        thread::sleep(Duration::from_millis(20));
        assert_eq!(grabbed.load(Ordering::SeqCst), after);
    }

    #[test]
    fn a_camera_that_breaks_says_so_once() {
        let (live, wakes, _, decoded) = started(0);
        let error = next(&live, &wakes).expect_err("broken").to_string();
        assert!(error.starts_with("camera numbers: a frame cannot be decoded"), "{error}");
        assert_eq!(decoded.load(Ordering::SeqCst), MOST_BROKEN + 1);
        assert!(live.take().is_none() && wakes.recv_timeout(Duration::from_secs(60)).is_err(), "it has ended");
    }
}
