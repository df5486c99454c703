//! Long work beside the window: commands go in, events come out.
//!
//! Every kind of work has a lane, a thread of its own ([`command::Lane`]): files are decoded while a model runs, and a
//! download keeps neither waiting. In a lane, commands run one after the other. A command of a kind in which only the
//! newest counts stops the older one and takes its place.

mod command;
mod event;

pub use command::{
    ClusterRequest, Command, EncodeJob, Export, ForegroundRequest, Lane, MatchRequest, ModelChoice, PcaRequest,
    PictureId, PictureSource, RequestId, Selected,
};
pub use event::{Event, Failure, MatchResult, ModelInfo, Outcome, Remedy, StoredModel};

use std::sync::Arc;

use crate::gpu::Gpu;

/// Called after every event, from any thread: wakes the window.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Threads that execute [`Command`]s. Dropping it stops all work and does not wait.
pub struct Dispatcher {}

impl Dispatcher {
    /// Starts the threads. Without a `gpu`, events carry nothing that lies on one.
    pub fn new(_gpu: Option<Gpu>, _wake: Wake) -> Self {
        todo!()
    }

    /// Queues a command. Returns at once.
    pub fn send(&self, _command: Command) -> RequestId {
        todo!()
    }

    /// Stops a command, running or waiting. Its last event is [`Outcome::Cancelled`].
    pub fn cancel(&self, _id: RequestId) {
        todo!()
    }

    /// What has happened since the last call, in order. Never waits.
    pub fn events(&self) -> Vec<Event> {
        todo!()
    }
}
