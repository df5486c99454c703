//! Many inputs at once: reading, inference and writing overlap.
//!
//! ```text
//! decode thread ─► this thread (the model) ─► write thread
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use anyhow::{Result, anyhow};
use dinoscope_engine::Cancel;

use super::exit;

/// Items that wait between two stages; a decoded picture may have hundreds of megabytes.
const WAITING: usize = 1;

/// How a run over many inputs behaves.
pub struct Pipeline<'a> {
    /// Stops all stages.
    pub cancel: &'a Cancel,
    /// Stop at the first failure instead of going on with the others.
    pub strict: bool,
}

impl Pipeline<'_> {
    /// Takes every input through the three stages, in order. What a stage fails on skips the later ones, and
    /// `finished` hears of each input once it is through. One result per input, `None` where it failed or was not
    /// reached.
    ///
    /// # Errors
    /// Only that the run was cancelled.
    pub fn run<Input: Sync, Decoded: Send, Encoded: Send, Written: Send>(
        &self,
        inputs: &[Input],
        decode: impl Fn(&Input) -> Result<Decoded> + Send,
        mut infer: impl FnMut(&Input, Decoded) -> Result<Encoded>,
        mut write: impl FnMut(&Input, Encoded) -> Result<Written> + Send,
        mut finished: impl FnMut(&Input, &Result<Written>) + Send,
    ) -> Result<Vec<Option<Written>>> {
        let stopped = AtomicBool::new(false);
        let running = || !stopped.load(Ordering::Relaxed) && !self.cancel.is_cancelled();
        let mut results: Vec<Option<Written>> = inputs.iter().map(|_| None).collect();
        thread::scope(|scope| {
            let (to_infer, decoded) = sync_channel::<(usize, Result<Decoded>)>(WAITING);
            let (to_write, encoded) = sync_channel::<(usize, Result<Encoded>)>(WAITING);
            scope.spawn(move || {
                for (index, input) in inputs.iter().enumerate().take_while(|_| running()) {
                    if to_infer.send((index, decode(input))).is_err() {
                        return;
                    }
                }
            });
            let (stopped, results) = (&stopped, &mut results);
            scope.spawn(move || {
                for (index, item) in encoded {
                    if !running() {
                        continue;
                    }
                    let input = &inputs[index];
                    let result = item.and_then(|item| write(input, item));
                    if result.as_ref().is_err_and(exit::is_cancelled) {
                        continue;
                    }
                    stopped.fetch_or(self.strict && result.is_err(), Ordering::Relaxed);
                    finished(input, &result);
                    results[index] = result.ok();
                }
            });
            for (index, item) in decoded.into_iter().take_while(|_| running()) {
                let item = item.and_then(|item| infer(&inputs[index], item));
                if to_write.send((index, item)).is_err() {
                    break;
                }
            }
        });
        self.cancel.check().map_err(|error| anyhow!(error))?;
        Ok(results)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::ensure;

    use super::*;

    fn run(strict: bool, cancel: &Cancel) -> (Result<Vec<Option<u32>>>, Vec<u32>) {
        let mut failed = Vec::new();
        let results = Pipeline { cancel, strict }.run(
            &[1, 2, 3, 4, 5],
            |&n| {
                ensure!(n != 2, "unreadable");
                Ok(n * 10)
            },
            |_, n| Ok(n + 1),
            |&n, value| {
                ensure!(n != 4, "disk full");
                Ok(value)
            },
            |&n, result| {
                if result.is_err() {
                    failed.push(n);
                }
            },
        );
        (results, failed)
    }

    #[test]
    fn a_failure_skips_one_input() {
        let (results, failed) = run(false, &Cancel::default());
        assert_eq!(results.expect("not cancelled"), [Some(11), None, Some(31), None, Some(51)]);
        assert_eq!(failed, [2, 4]);
    }

    #[test]
    fn strict_stops_at_the_first() {
        let (results, failed) = run(true, &Cancel::default());
        assert_eq!(results.expect("not cancelled"), [Some(11), None, None, None, None]);
        assert_eq!(failed, [2]);
    }

    #[test]
    fn cancelled() {
        let cancel = Cancel::default();
        cancel.cancel();
        assert!(exit::is_cancelled(&run(false, &cancel).0.expect_err("cancelled")));
    }
}
