//! The pictures that are waiting to be encoded.

use std::collections::VecDeque;

use super::{Command, EncodeJob};
use crate::Progress;

/// What a [`Command::Encode`] has left to do.
#[derive(Default)]
pub struct EncodeList {
    waiting: VecDeque<EncodeJob>,
    current: Option<EncodeJob>,
    /// Pictures that have begun, the current one included.
    begun: usize,
}

impl EncodeList {
    /// All pictures of a command; none for commands of other kinds.
    pub fn of(command: &Command) -> Self {
        match command {
            Command::Encode(jobs) => Self { waiting: jobs.iter().cloned().collect(), ..Self::default() },
            _ => Self::default(),
        }
    }

    /// Takes the place of this list where `newer` asks for the picture that is being encoded, which goes on.
    pub fn continue_as(&mut self, newer: &mut EncodeList) -> bool {
        let Some(current) = &self.current else { return false };
        let is_current = |job: &EncodeJob| job.key == current.key && job.filter == current.filter;
        if !newer.waiting.iter().any(is_current) {
            return false;
        }
        newer.waiting.retain(|job| !is_current(job));
        self.waiting = std::mem::take(&mut newer.waiting);
        self.begun = 1;
        true
    }

    /// Takes the next picture into work.
    pub fn begin_next(&mut self) -> Option<EncodeJob> {
        self.current = self.waiting.pop_front();
        self.begun += usize::from(self.current.is_some());
        self.current.clone()
    }

    /// What became of the current picture is known.
    pub fn finish_current(&mut self) {
        self.current = None;
    }

    /// Blocks done over all pictures, `blocks` of `depth` in the current one.
    pub fn progress(&self, blocks: usize, depth: usize) -> Progress {
        let pictures = self.begun + self.waiting.len();
        let stage = if pictures > 1 { format!("encoding {} of {pictures}", self.begun) } else { "encoding".to_owned() };
        let done = self.begun.saturating_sub(1) * depth + blocks;
        Progress { stage, done: done as u64, total: Some((pictures * depth) as u64) }
    }
}
