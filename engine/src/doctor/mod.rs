//! What this machine offers: processors, memory, codecs, the hub, and system libraries that are missing.

mod cpu;
mod fit;
mod gpu;
mod libraries;

use std::env;
use std::path::PathBuf;

use serde::Serialize;

use crate::hub::{Hub, free_space};

pub use cpu::{Cpu, Memory};
pub use fit::{Fit, ModelFit, Need};
pub use gpu::{Gpu, Gpus};
pub use libraries::{Libraries, MissingLibrary};

/// Everything that `dinoscope doctor` shows.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of this program.
    pub version: &'static str,
    /// "linux-x86_64".
    pub platform: String,
    /// What wgpu sees.
    pub gpus: Gpus,
    /// Whether this build can use CUDA.
    pub cuda_built_in: bool,
    /// Whether this build can use Metal.
    pub metal_built_in: bool,
    /// Processor.
    pub cpu: Cpu,
    /// Main memory.
    pub memory: Memory,
    /// Which models fit into it.
    pub models: Vec<ModelFit>,
    /// The `ffmpeg` found on `PATH`, for videos that are not read by dinoscope itself.
    pub ffmpeg: Option<PathBuf>,
    /// Model hub.
    pub hub: HubReport,
    /// Model cache.
    pub cache: CacheReport,
    /// System libraries that the window needs (Linux; empty elsewhere).
    pub libraries: Libraries,
}

/// Model hub.
#[derive(Clone, Debug, Serialize)]
pub struct HubReport {
    /// Its address.
    pub endpoint: String,
    /// `None` where the network is switched off and nothing was tried.
    pub reachable: Option<bool>,
    /// Why it is not.
    pub problem: Option<String>,
    /// Where a token was found; the token itself is never shown.
    pub token_from: Option<String>,
}

/// Model cache.
#[derive(Clone, Debug, Serialize)]
pub struct CacheReport {
    /// Its folder, which need not exist yet.
    pub path: PathBuf,
    /// Free space below it in bytes, where the system says so.
    pub free_bytes: Option<u64>,
}

/// Looks at the machine; the network is touched only to see whether the hub answers, and not at all when it is offline.
pub fn examine(hub: &Hub) -> Report {
    let memory = Memory::find();
    Report {
        version: env!("CARGO_PKG_VERSION"),
        platform: format!("{}-{}", env::consts::OS, env::consts::ARCH),
        gpus: Gpus::find(),
        cuda_built_in: cfg!(feature = "cuda"),
        metal_built_in: cfg!(feature = "metal"),
        cpu: Cpu::find(),
        models: fit::models(&memory),
        memory,
        ffmpeg: find_on_path("ffmpeg"),
        hub: HubReport::find(hub),
        cache: CacheReport { path: hub.path().to_path_buf(), free_bytes: free_space(hub.path()) },
        libraries: Libraries::find(),
    }
}

impl HubReport {
    fn find(hub: &Hub) -> Self {
        let config = hub.config();
        let answer = (!config.offline).then(|| hub.ping());
        Self {
            endpoint: config.endpoint.clone(),
            reachable: answer.as_ref().map(Result::is_ok),
            problem: answer.and_then(Result::err).map(|error| error.to_string()),
            token_from: config.token.as_ref().map(|token| token.source.clone()),
        }
    }
}

fn find_on_path(program: &str) -> Option<PathBuf> {
    let name = format!("{program}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(&name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::HubConfig;
    use std::path::Path;

    #[test]
    fn a_machine_without_network_is_examined() {
        let config = HubConfig { offline: true, ..HubConfig::new(PathBuf::from("no-such-folder/hub")) };
        let report = examine(&Hub::new(config));
        assert_eq!(report.hub.reachable, None);
        assert!(report.cpu.threads >= 1);
        assert_eq!(report.cache.path, Path::new("no-such-folder/hub"));
        if cfg!(target_os = "linux") {
            assert!(report.memory.total_bytes.is_some_and(|total| total > 1 << 26));
            assert!(report.memory.available_bytes <= report.memory.total_bytes);
            assert!(report.cache.free_bytes.is_some());
            assert!(report.models.iter().all(|model| model.fit.f32.residency.is_some()));
        }
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["hub"]["endpoint"], "https://huggingface.co");
    }
}
