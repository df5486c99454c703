//! A thread that executes commands one after the other.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use super::encode_list::EncodeList;
use super::outbox::{Outbox, Throttle};
use super::{Command, EncodeJob, Event, Failure, Outcome, RequestId};
use crate::{Cancel, Progress};

/// Executes one command on the lane's thread; what it returns is the command's last event.
pub type Worker = Box<dyn FnMut(&Job<'_>, &Command) -> Outcome + Send>;

/// The queue of a thread. Dropping it stops the work and does not wait.
pub struct Lane {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    outbox: Arc<Outbox>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Task>,
    running: Option<Task>,
    is_closed: bool,
}

struct Task {
    id: RequestId,
    command: Arc<Command>,
    cancel: Cancel,
    /// What [`Command::Encode`] has left to do; empty for others.
    list: EncodeList,
    throttle: Throttle,
    /// Whether it goes to the end of the queue instead of ending.
    steps_aside: bool,
}

impl Task {
    fn new(id: RequestId, command: Command) -> Self {
        let list = EncodeList::of(&command);
        let (cancel, throttle) = (Cancel::default(), Throttle::default());
        Self { id, command: Arc::new(command), cancel, list, throttle, steps_aside: false }
    }

    /// Goes on under the name of a newer command whose first work is in progress here already.
    fn continue_as(&mut self, newer: &mut Task) -> bool {
        let continues = !self.cancel.is_cancelled() && self.list.continue_as(&mut newer.list);
        if continues {
            self.id = newer.id;
            self.command = Arc::clone(&newer.command);
        }
        continues
    }
}

impl Lane {
    /// Starts the thread.
    pub fn start(name: &str, outbox: Arc<Outbox>, mut worker: Worker) -> Self {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), outbox });
        let of_thread = Arc::clone(&shared);
        let started = thread::Builder::new().name(format!("dino-{name}")).spawn(move || of_thread.work(&mut *worker));
        if let Err(error) = started {
            log::error!("the thread for {name} did not start: {error}");
            shared.lock().is_closed = true;
        }
        Self { shared }
    }

    /// Queues a command. Those for which `replaces(newer, older)` holds are stopped, running or waiting.
    pub fn send(&self, id: RequestId, command: Command, replaces: fn(&Command, &Command) -> bool) {
        let mut newer = Task::new(id, command);
        let mut events = Vec::new();
        let mut state = self.shared.lock();
        if state.is_closed {
            let message = "the system did not give a thread for this: close other programs and start again".to_owned();
            events.push(Event { id, outcome: Outcome::Failed(Failure { message, remedy: None }) });
            self.shared.release(state, events);
            return;
        }
        let mut continues = false;
        if let Some(running) = state.running.as_mut().filter(|task| replaces(&newer.command, &task.command)) {
            let older = running.id;
            continues = running.continue_as(&mut newer);
            if continues {
                events.push(Event { id: older, outcome: Outcome::Cancelled });
            } else {
                running.cancel.cancel();
            }
        }
        state.waiting.retain(|task| {
            let stays = !replaces(&newer.command, &task.command);
            if !stays {
                events.push(Event { id: task.id, outcome: Outcome::Cancelled });
            }
            stays
        });
        if !continues {
            state.waiting.push_back(newer);
            self.shared.changed.notify_one();
        }
        self.shared.release(state, events);
    }

    /// Stops a command where it is here.
    pub fn cancel(&self, id: RequestId) {
        let mut state = self.shared.lock();
        if let Some(running) = state.running.as_ref().filter(|task| task.id == id) {
            running.cancel.cancel();
            return;
        }
        let before = state.waiting.len();
        state.waiting.retain(|task| task.id != id);
        if state.waiting.len() < before {
            self.shared.release(state, vec![Event { id, outcome: Outcome::Cancelled }]);
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        state.waiting.clear();
        if let Some(running) = &state.running {
            running.cancel.cancel();
        }
        self.shared.changed.notify_one();
    }
}

impl Shared {
    /// Every change of the state is complete before anything that could panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Events are in the box before anybody else sees the state, so that none comes after the last of its command; the
    /// window is woken afterwards, because it may call back.
    fn release(&self, state: MutexGuard<'_, State>, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        self.outbox.put(events);
        drop(state);
        self.outbox.wake();
    }

    fn work(&self, worker: &mut dyn FnMut(&Job<'_>, &Command) -> Outcome) {
        while let Some((command, cancel)) = self.next() {
            let job = Job { shared: self, cancel };
            let outcome = guard(|| worker(&job, &command)).unwrap_or_else(Outcome::Failed);
            self.finish(outcome);
        }
    }

    /// Waits for a command; `None` once the lane is closed.
    fn next(&self) -> Option<(Arc<Command>, Cancel)> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(task) = state.waiting.pop_front() {
                let next = (Arc::clone(&task.command), task.cancel.clone());
                state.running = Some(task);
                return Some(next);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn finish(&self, outcome: Outcome) {
        let mut state = self.lock();
        let Some(mut task) = state.running.take() else { return };
        if state.is_closed {
            return;
        }
        if std::mem::take(&mut task.steps_aside) && !task.cancel.is_cancelled() {
            state.waiting.push_back(task);
            return;
        }
        let id = task.id;
        let events = if task.cancel.is_cancelled() {
            vec![Event { id, outcome: Outcome::Cancelled }]
        } else {
            let held = task.throttle.take_held().map(Outcome::Progress);
            held.into_iter().chain([outcome]).map(|outcome| Event { id, outcome }).collect()
        };
        self.release(state, events);
    }
}

/// The command that is being executed, as its worker sees it.
pub struct Job<'a> {
    shared: &'a Shared,
    cancel: Cancel,
}

impl Job<'_> {
    /// Set once the command is not wanted any more.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// The command's name; of [`Command::Encode`], that of the list that is worked off now.
    pub fn id(&self) -> Option<RequestId> {
        self.shared.lock().running.as_ref().map(|task| task.id)
    }

    /// Whether others wait for the thread. The command then goes behind them in the queue, as soon as its worker returns,
    /// whatever that returns, and is executed again.
    pub fn step_aside(&self) -> bool {
        let mut state = self.shared.lock();
        let steps_aside = !state.waiting.is_empty();
        if let Some(task) = &mut state.running {
            task.steps_aside = steps_aside;
        }
        steps_aside
    }

    /// Sends an event, unless the command was stopped.
    pub fn emit(&self, outcome: Outcome) {
        self.with_task(|task| {
            if matches!(outcome, Outcome::Encoded { .. } | Outcome::EncodeFailed { .. }) {
                task.list.finish_current();
            }
            Some(outcome)
        });
    }

    /// Sends a report, unless there were many just before; the last one is sent in any case.
    pub fn progress(&self, progress: Progress) {
        self.with_task(|task| task.throttle.pass(progress, Instant::now()).map(Outcome::Progress));
    }

    /// Of the picture that is being encoded: blocks done, of `depth`.
    pub fn encode_progress(&self, blocks: usize, depth: usize) {
        self.with_task(|task| {
            task.throttle.pass(task.list.progress(blocks, depth), Instant::now()).map(Outcome::Progress)
        });
    }

    /// The next picture of [`Command::Encode`]. A newer list may have taken the place of the one that was sent.
    pub fn next_picture(&self) -> Option<EncodeJob> {
        let mut state = self.shared.lock();
        let task = state.running.as_mut().filter(|task| !task.cancel.is_cancelled())?;
        task.list.begin_next()
    }

    fn with_task(&self, outcome: impl FnOnce(&mut Task) -> Option<Outcome>) {
        let mut state = self.shared.lock();
        let Some(task) = state.running.as_mut().filter(|task| !task.cancel.is_cancelled()) else { return };
        let event = outcome(task).map(|outcome| Event { id: task.id, outcome });
        self.shared.release(state, event.into_iter().collect());
    }
}

/// Runs `work`; a panic becomes a failure that can be shown.
pub fn guard<T>(work: impl FnOnce() -> T) -> Result<T, Failure> {
    // What a worker keeps is replaced as a whole or not at all, so a panic leaves nothing half changed.
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let reason = panic_text(&*panic);
        log::error!("a worker panicked: {reason}");
        let message = format!("an error inside dinoscope stopped this ({reason}): please report it");
        Failure { message, remedy: None }
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no reason given".to_owned()).replace(['\n', '\r'], " ")
}
