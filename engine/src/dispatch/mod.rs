//! Long work beside the window: commands go in, events come out.
//!
//! Every kind of work has a lane, a thread of its own ([`command::Lane`]): files are decoded while a model runs, and a
//! download keeps neither waiting. In a lane, commands run one after the other. A command of a kind in which only the
//! newest counts stops the older one and takes its place.

mod analysis;
mod clip;
mod command;
mod download;
mod encode_list;
mod event;
mod export;
mod failure;
mod files;
mod head_export;
mod heads;
mod indexing;
mod lane;
mod matching;
mod model;
mod outbox;
mod probe;
mod record;
mod retrieval;
mod segmentation;
#[cfg(test)]
mod tests;
mod track;
mod words;

pub use clip::Clip;
pub use command::{
    ClusterRequest, Command, EncodeJob, Export, ForegroundRequest, ForegroundSource, Lane, MatchRequest, MatchSide,
    ModelChoice, PairFormat, PcaRequest, PictureId, PictureSource, PixelSource, RequestId, Selected, ThinRequest,
};
pub use head_export::{HeadExport, HeadExportKind};
pub use heads::{DepthReading, DetectorChoice, HeadAnswer, HeadOptions, HeadReading, HeadRequest};
pub use probe::{ProbeExport, ProbeExportKind, ProbeRequest, ProbeSource, Probed, ProbedPicture, TaughtPicture};
pub use record::{ClipMapExport, FrameLabels, TracksExport};
pub use retrieval::{IndexRequest, Indexed, IndexedPictures, SearchQuery, SearchRequest, Searched};
pub use segmentation::{SegmentationExport, SegmentationKind};
pub use track::{TrackGoal, TrackRequest, TrackedLabels};
pub use words::{ClassMap, ClassMapRequest, Detail, LabelRequest, Labelled, SegmentRequest, Segmented, WordsRequest};

pub(crate) use files::{texture, thumbnail};

pub use event::{Event, Failure, MatchResult, ModelInfo, Outcome, Remedy, StoredModel};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::encoder::Encoder;
use crate::gpu::Gpu;
use crate::hub::{Hub, HubConfig};
use crate::text::TextCache;
use crate::{Result, Watch};
use outbox::Outbox;

/// Called after every event, from any thread: wakes the window.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Loads a model, telling how far it is, until it is stopped.
pub type Loader = Arc<dyn Fn(&ModelChoice, Watch<'_>) -> Result<Encoder> + Send + Sync>;

/// What a [`Dispatcher`] works with.
pub struct DispatcherConfig {
    /// Where pictures and features go; `None`: events carry nothing that lies on one.
    pub gpu: Option<Gpu>,
    /// Called after every event.
    pub wake: Wake,
    /// How models are loaded.
    pub loader: Loader,
    /// Where published models come from.
    pub hub: HubConfig,
    /// Where vectors of phrases are kept.
    pub texts: TextCache,
}

impl DispatcherConfig {
    /// With [`Encoder::load`] and the hub that the environment names.
    pub fn new(gpu: Option<Gpu>, wake: Wake) -> Self {
        Self::with_hub(gpu, wake, HubConfig::from_env())
    }

    /// With [`Encoder::load`] and that hub.
    pub fn with_hub(gpu: Option<Gpu>, wake: Wake, hub: HubConfig) -> Self {
        let (on_hub, window) = (Hub::new(hub.clone()), gpu.clone());
        let loader: Loader = Arc::new(move |choice, watch| {
            Encoder::load_watched(&choice.source, &choice.device, choice.dtype, window.as_ref(), &on_hub, watch)
        });
        Self { gpu, wake, loader, hub, texts: TextCache::of_user() }
    }
}

/// Threads that execute [`Command`]s. Dropping it stops all work and does not wait.
pub struct Dispatcher {
    outbox: Arc<Outbox>,
    last_id: AtomicU64,
    files: lane::Lane,
    frames: lane::Lane,
    previews: lane::Lane,
    model: lane::Lane,
    analysis: lane::Lane,
    export: lane::Lane,
    download: lane::Lane,
}

impl Dispatcher {
    /// Starts the threads. Without a `gpu`, events carry nothing that lies on one.
    pub fn new(gpu: Option<Gpu>, wake: Wake) -> Self {
        Self::with_config(DispatcherConfig::new(gpu, wake))
    }

    /// As [`Dispatcher::new`], with models from elsewhere.
    pub fn with_loader(
        gpu: Option<Gpu>,
        wake: Wake,
        loader: impl Fn(&ModelChoice, Watch<'_>) -> Result<Encoder> + Send + Sync + 'static,
    ) -> Self {
        Self::with_config(DispatcherConfig { loader: Arc::new(loader), ..DispatcherConfig::new(gpu, wake) })
    }

    /// Starts the threads.
    pub fn with_config(config: DispatcherConfig) -> Self {
        let DispatcherConfig { gpu, wake, loader, hub, texts } = config;
        let outbox = Arc::new(Outbox::new(wake));
        let start = |name: &str, worker| lane::Lane::start(name, Arc::clone(&outbox), worker);
        Self {
            files: start("files", files::worker(gpu.clone(), hub.clone())),
            frames: start("frames", clip::frames(gpu.clone())),
            previews: start("previews", clip::previews()),
            model: start("model", model::worker(gpu.clone(), loader, texts)),
            analysis: start("analysis", analysis::worker(gpu)),
            export: start("export", export::worker()),
            download: start("download", download::worker(hub)),
            last_id: AtomicU64::new(0),
            outbox,
        }
    }

    /// Queues a command. Returns at once.
    pub fn send(&self, command: Command) -> RequestId {
        let id = RequestId(self.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        self.lane(command.lane()).send(id, command, Command::replaces);
        id
    }

    /// Stops a command, running or waiting. Its last event is [`Outcome::Cancelled`].
    pub fn cancel(&self, id: RequestId) {
        let Self { files, frames, previews, model, analysis, export, download, .. } = self;
        for lane in [files, frames, previews, model, analysis, export, download] {
            lane.cancel(id);
        }
    }

    /// What has happened since the last call, in order. Never waits.
    pub fn events(&self) -> Vec<Event> {
        self.outbox.take()
    }

    fn lane(&self, lane: Lane) -> &lane::Lane {
        match lane {
            Lane::Files => &self.files,
            Lane::Frames => &self.frames,
            Lane::Previews => &self.previews,
            Lane::Model => &self.model,
            Lane::Analysis => &self.analysis,
            Lane::Export => &self.export,
            Lane::Download => &self.download,
        }
    }
}
