//! Why weights could not be found or fetched.

use std::path::PathBuf;

/// Why weights could not be found or fetched. Every message is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The model is known but not on this machine.
    #[error("{name} is not on this machine: run `dinoscope models download {name}`")]
    NotPresent {
        /// Name of the model.
        name: String,
    },
    /// No model has that name.
    #[error("there is no model named {name}: `dinoscope models` lists them")]
    UnknownModel {
        /// As asked for.
        name: String,
    },
    /// The model has no repository of the kind that was asked for.
    #[error("{name} has no {kind} repository on the hub: choose another model, or give its files by `--weights PATH`")]
    NoRepository {
        /// Name of the model.
        name: String,
        /// "gated" or "public".
        kind: &'static str,
    },
    /// The terms of the weights were not accepted.
    #[error("{name} is under the {licence} ({url}): nothing is downloaded before you accept it")]
    LicenceNotAccepted {
        /// Name of the model.
        name: String,
        /// Name of the licence.
        licence: String,
        /// Its text.
        url: String,
    },
    /// Not in the cache, and the network may not be used.
    #[error(
        "{repo} is not in the cache {} and the network is switched off: run once without --offline and HF_HUB_OFFLINE, \
         or copy the model there", cache.display()
    )]
    Offline {
        /// Repository, `org/name`.
        repo: String,
        /// The cache.
        cache: PathBuf,
    },
    /// No connection, or one that broke too often.
    #[error("cannot reach {host} ({reason}): check the network connection and the proxy, then run the command again")]
    Unreachable {
        /// Host (and port) that was tried.
        host: String,
        /// The system's reason.
        reason: String,
    },
    /// 401: the token is missing, or the hub does not know it.
    #[error("{host} does not let you read {repo} (401): {advice}")]
    Unauthorized {
        /// Host of the hub.
        host: String,
        /// Repository, `org/name`.
        repo: String,
        /// What to do about the token.
        advice: String,
    },
    /// 403 (or 401 with the hub's mark for it): the owner of the repository has to let you in.
    #[error("{repo} is gated: ask for access at {page}, then {advice}")]
    Gated {
        /// Repository, `org/name`.
        repo: String,
        /// Page on which access is asked for.
        page: String,
        /// What to do about the token.
        advice: String,
    },
    /// 404: no such repository or file.
    #[error("{url} does not exist (404): check the model's name and HF_ENDPOINT")]
    NotFound {
        /// What was asked for.
        url: String,
    },
    /// Any other refusal.
    #[error("{host} answered {status} to {url}: try again later")]
    Server {
        /// Host that answered.
        host: String,
        /// HTTP status.
        status: u16,
        /// What was asked for.
        url: String,
    },
    /// The reply is not what a hub says.
    #[error("{url} does not answer like a Hugging Face hub ({reason}): check HF_ENDPOINT")]
    BadReply {
        /// What was asked for.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The repository has no weights in a form that this program reads.
    #[error("{repo} has neither model.safetensors nor model.safetensors.index.json: choose another repository")]
    NoWeights {
        /// Repository, `org/name`.
        repo: String,
    },
    /// What arrived is not what the hub promised.
    #[error("{file} arrived damaged (SHA-256 is {got}, should be {expected}) and was deleted: download it again")]
    Checksum {
        /// Name of the file in its repository.
        file: String,
        /// As the hub says.
        expected: String,
        /// As it arrived.
        got: String,
    },
    /// The disk does not hold it.
    #[error(
        "not enough space in {}: {} needed{}; free some, or set HF_HOME to another disk, then run the command again \
         (it goes on where it stopped)",
        folder.display(), size_text(*needed), free.map(|free| format!(", {} free", size_text(free))).unwrap_or_default()
    )]
    DiskFull {
        /// The cache.
        folder: PathBuf,
        /// Bytes still to write.
        needed: u64,
        /// Bytes free, where the system says so.
        free: Option<u64>,
    },
    /// A file of the cache could not be read or written.
    #[error("cannot {action} {}: {source}; check who owns it, or set HF_HOME to a folder of yours", path.display())]
    Cache {
        /// What was tried: "read", "write", "lock", "delete".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl HubError {
    /// Whether the same request may succeed a moment later.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            HubError::Unreachable { .. } => true,
            HubError::Server { status, .. } => matches!(status, 408 | 429 | 500..),
            _ => false,
        }
    }

    /// For `map_err`: an I/O error on a file of the cache.
    pub(super) fn cache(action: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> HubError {
        let path = path.to_path_buf();
        move |source| HubError::Cache { action, path, source }
    }
}

/// Bytes for people, in decimal units: "86 MB".
pub fn size_text(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 || value >= 99.5 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}
