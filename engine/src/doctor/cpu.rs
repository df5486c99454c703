//! Processor and main memory.

use std::fs;
use std::process::Command;
use std::thread;

use serde::Serialize;

/// Processor.
#[derive(Clone, Debug, Serialize)]
pub struct Cpu {
    /// As the processor calls itself, where the system says so.
    pub model: Option<String>,
    /// Threads that this program may use at once.
    pub threads: usize,
    /// Instruction sets that matter to matrix products, as Linux spells them.
    pub features: Vec<&'static str>,
}

/// Main memory.
#[derive(Clone, Debug, Serialize)]
pub struct Memory {
    /// In bytes, where the system says so.
    pub total_bytes: Option<u64>,
    /// What can be used without swapping, in bytes, where the system says so.
    pub available_bytes: Option<u64>,
}

impl Cpu {
    pub(super) fn find() -> Self {
        Self { model: model(), threads: thread::available_parallelism().map_or(1, usize::from), features: features() }
    }
}

impl Memory {
    /// As it is now.
    pub fn find() -> Self {
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            total_bytes: meminfo_bytes(&meminfo, "MemTotal").or_else(|| sysctl("hw.memsize")?.parse().ok()),
            available_bytes: meminfo_bytes(&meminfo, "MemAvailable"),
        }
    }

    /// What weights may take of it, so that pictures and other programs have room: three quarters of what is available.
    pub fn for_weights(&self) -> Option<u64> {
        self.available_bytes.map(|bytes| bytes / 4 * 3)
    }
}

fn model() -> Option<String> {
    cpuinfo("model name").or_else(|| sysctl("machdep.cpu.brand_string")).or_else(|| {
        let variable = std::env::var("PROCESSOR_IDENTIFIER");
        variable.ok()
    })
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    use std::arch::is_x86_feature_detected as has;
    // The standard library does not look for AMX; Linux does.
    let flags = cpuinfo("flags").unwrap_or_default();
    let found = [
        ("avx2", has!("avx2")),
        ("fma", has!("fma")),
        ("avx512f", has!("avx512f")),
        ("avx512_vnni", has!("avx512vnni")),
        ("avx512_bf16", has!("avx512bf16")),
        ("amx_bf16", flags.split_whitespace().any(|flag| flag == "amx_bf16")),
    ];
    found.into_iter().filter(|(_, present)| *present).map(|(name, _)| name).collect()
}

#[cfg(target_arch = "aarch64")]
fn features() -> Vec<&'static str> {
    use std::arch::is_aarch64_feature_detected as has;
    let found = [("neon", has!("neon")), ("fp16", has!("fp16")), ("bf16", has!("bf16")), ("i8mm", has!("i8mm"))];
    found.into_iter().filter(|(_, present)| *present).map(|(name, _)| name).collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> Vec<&'static str> {
    Vec::new()
}

/// First value of a key in Linux's list.
fn cpuinfo(key: &str) -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let (_, value) = text.lines().filter_map(|line| line.split_once(':')).find(|(k, _)| k.trim() == key)?;
    Some(value.trim().to_owned())
}

/// A value of macOS.
fn sysctl(key: &str) -> Option<String> {
    if !cfg!(target_os = "macos") {
        return None;
    }
    let output = Command::new("/usr/sbin/sysctl").args(["-n", key]).output().ok().filter(|o| o.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn meminfo_bytes(meminfo: &str, key: &str) -> Option<u64> {
    let (_, value) = meminfo.lines().filter_map(|line| line.split_once(':')).find(|(k, _)| *k == key)?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read() {
        let text = "MemTotal:       24690872 kB\nMemFree:        100 kB\nMemAvailable:   23068672 kB\n";
        assert_eq!(meminfo_bytes(text, "MemTotal"), Some(24_690_872 * 1024));
        assert_eq!(meminfo_bytes(text, "MemAvailable"), Some(23_068_672 * 1024));
        assert_eq!(meminfo_bytes(text, "SwapTotal"), None);
        assert_eq!(meminfo_bytes("MemTotal: many", "MemTotal"), None);
    }
}
