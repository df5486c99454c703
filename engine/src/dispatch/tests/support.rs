//! A window without pixels, and a model that the test holds the reins of.

use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ndarray::Array2;

use super::*;
use crate::backend::{Backbone, DeviceChoice, Run};
use crate::cache::FeatureKey;
use crate::encoder::Provenance;
use crate::features::{Encoded, FeatureGrid, Features};
use crate::image::{Filter, Normalisation, Picture, Pixels, SizeRule};
use crate::model::{Ffn, ModelConfig, VitConfig};

const PATIENCE: Duration = Duration::from_secs(60);

/// Lets threads through one by one.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<GateState>, Condvar)>);

#[derive(Default)]
struct GateState {
    is_open: bool,
    permits: usize,
    arrivals: usize,
    ends: usize,
}

impl Gate {
    pub fn closed() -> Self {
        Self::default()
    }

    pub fn open() -> Self {
        let gate = Self::default();
        gate.change(|state| state.is_open = true);
        gate
    }

    fn change<T>(&self, change: impl FnOnce(&mut GateState) -> T) -> T {
        let result = change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
        result
    }

    fn wait(&self, condition: impl Fn(&GateState) -> bool) {
        let state = self.0.0.lock().unwrap();
        let (_state, waited) = self.0.1.wait_timeout_while(state, PATIENCE, |state| !condition(state)).unwrap();
        assert!(!waited.timed_out(), "the gate was not reached in time");
    }

    /// Waits for a permit and takes it.
    pub fn step(&self) {
        self.change(|state| state.arrivals += 1);
        self.wait(|state| state.is_open || state.permits > 0);
        self.change(|state| state.permits = state.permits.saturating_sub(1));
    }

    pub fn allow(&self, permits: usize) {
        self.change(|state| state.permits += permits);
    }

    pub fn arrivals(&self) -> usize {
        self.change(|state| state.arrivals)
    }

    pub fn wait_for_arrivals(&self, count: usize) {
        self.wait(|state| state.arrivals >= count);
    }

    /// Until a forward pass has ended, in whatever way.
    pub fn wait_for_end(&self) {
        self.wait(|state| state.ends > 0);
    }
}

/// Four blocks, each of which passes the gate; panics on inputs that are [`Fake::PANICS`] pixels wide.
pub struct Fake {
    config: ModelConfig,
    gate: Gate,
}

impl Fake {
    pub const DEPTH: usize = 4;
    pub const PANICS: usize = 48;

    pub fn new(gate: &Gate) -> Self {
        let config = ModelConfig::Vit(VitConfig {
            dim: 8,
            depth: Self::DEPTH,
            heads: 2,
            ffn: Ffn::Mlp { hidden: 16 },
            registers: 0,
            patch: 16,
            qkv_bias: true,
            untied_cls_norm: false,
            layer_scale: true,
            norm_eps: 1e-5,
        });
        Self { config, gate: gate.clone() }
    }

    pub fn encoder(self, choice: &ModelChoice) -> Encoder {
        let provenance = Provenance {
            model: format!("{:?}", choice.source),
            weights: "none".into(),
            device: "cpu".into(),
            dtype: "f32".into(),
        };
        Encoder::new(Box::new(self), Normalisation::WEB, provenance)
    }
}

impl Backbone for Fake {
    fn config(&self) -> &ModelConfig {
        &self.config
    }

    fn forward(&mut self, pixels: &Pixels, _layers: &[usize], run: &Run<'_>) -> Result<Encoded> {
        struct End<'a>(&'a Gate);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.change(|state| state.ends += 1);
            }
        }
        let _end = End(&self.gate);
        assert_ne!(pixels.width, Self::PANICS, "a picture that breaks the model");
        for block in 0..Self::DEPTH {
            run.enter_block(block)?;
            self.gate.step();
        }
        let (rows, cols) = (pixels.height / 16, pixels.width / 16);
        let value = |(i, k): (usize, usize)| ((i * 31 + k * 17) % 13) as f32;
        let patch = FeatureGrid { rows, cols, data: Array2::from_shape_fn((rows * cols, 8), value) };
        let output = Features { cls: vec![1.0; 8], registers: Array2::zeros((0, 8)), patch };
        Ok(Encoded { output, layers: Vec::new() })
    }
}

pub fn choice(name: &str) -> ModelChoice {
    ModelChoice { source: ModelSource::Named(name.to_owned()), device: DeviceChoice::Cpu, dtype: None }
}

pub fn picture(width: usize, height: usize) -> Picture {
    let sample = |i: usize| ((i * 7919) % 251) as u8;
    Picture::from_rgb(width, height, (0..3 * width * height).map(sample).collect()).unwrap()
}

/// `size` pixels square.
pub fn job(id: u64, model: &str, size: usize) -> EncodeJob {
    let key = FeatureKey { picture: PictureId(id), model: Arc::new(choice(model)), size: SizeRule::ShortSide(size) };
    EncodeJob { key, pixels: PixelSource::Loaded(Arc::new(picture(20, 20))), filter: Filter::Bilinear }
}

/// Keeps what was received.
pub struct Window {
    pub dispatcher: Dispatcher,
    seen: Vec<Event>,
}

impl Window {
    pub fn new(dispatcher: Dispatcher) -> Self {
        Self { dispatcher, seen: Vec::new() }
    }

    pub fn with_loader(loader: impl Fn(&ModelChoice, Watch<'_>) -> Result<Encoder> + Send + Sync + 'static) -> Self {
        Self::new(Dispatcher::with_loader(None, Arc::new(|| ()), loader))
    }

    /// With the model `fake` loaded, whose blocks pass `gate`.
    pub fn with_fake(gate: &Gate) -> Self {
        let gate = gate.clone();
        let mut window = Self::with_loader(move |choice, _| Ok(Fake::new(&gate).encoder(choice)));
        let id = window.send(Command::LoadModel(choice("fake")));
        assert!(matches!(window.finish(id)[..], [Outcome::ModelReady(_)]));
        window
    }

    pub fn send(&self, command: Command) -> RequestId {
        self.dispatcher.send(command)
    }

    /// Waits for an event.
    pub fn wait(&mut self, what: impl Fn(&Event) -> bool) {
        let start = Instant::now();
        while !self.seen.iter().any(&what) {
            assert!(start.elapsed() < PATIENCE, "it did not come; there is {:?}", self.seen);
            thread::sleep(Duration::from_millis(1));
            self.seen.extend(self.dispatcher.events());
        }
    }

    /// Waits for the last event of a command and takes all of its events but reports.
    pub fn finish(&mut self, id: RequestId) -> Vec<Outcome> {
        self.wait(|event| event.id == id && is_last(&event.outcome));
        let outcomes = self.take(id);
        outcomes.into_iter().filter(|outcome| !matches!(outcome, Outcome::Progress(_))).collect()
    }

    /// All events of a command so far, reports too.
    pub fn take(&mut self, id: RequestId) -> Vec<Outcome> {
        self.seen.extend(self.dispatcher.events());
        self.seen.extract_if(.., |event| event.id == id).map(|event| event.outcome).collect()
    }
}

pub fn is_last(outcome: &Outcome) -> bool {
    !matches!(
        outcome,
        Outcome::Progress(_) | Outcome::Encoded { .. } | Outcome::EncodeFailed { .. } | Outcome::Thumbnail { .. }
    )
}
