//! How much memory this process has in RAM, in megabytes (10^6 bytes); `None` where the system does not say.

use std::fs;

/// The most it has had.
#[derive(Default)]
pub struct Memory {
    /// Before the system's own mark was put back.
    before: f64,
}

impl Memory {
    /// The most so far.
    pub fn peak_mb(&self) -> Option<f64> {
        status("VmHWM:").map(|now| now.max(self.before))
    }

    /// Does `work`; returns how much more memory it has had at its height than before.
    pub fn extra_mb<T>(&mut self, work: impl FnOnce() -> T) -> (T, Option<f64>) {
        self.before = self.peak_mb().unwrap_or_default();
        // Puts the mark back to what is in use (`man proc_pid_clear_refs`).
        let was_reset = fs::write("/proc/self/clear_refs", "5").is_ok();
        let in_use = status("VmRSS:");
        let done = work();
        let extra = in_use.zip(status("VmHWM:")).map(|(before, peak)| (peak - before).max(0.0));
        (done, extra.filter(|_| was_reset))
    }
}

fn status(key: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}
