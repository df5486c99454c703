//! Where the hub and its cache are: the environment variables that `huggingface_hub` reads, as plain data.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where models come from unless `HF_ENDPOINT` says otherwise.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// How the hub is reached and where its files are kept.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// Address of the hub, without a slash at the end.
    pub endpoint: String,
    /// The folder that holds `models--ORG--NAME` folders.
    pub cache: PathBuf,
    /// Sent to [`HubConfig::endpoint`] alone.
    pub token: Option<Token>,
    /// The network is never touched.
    pub offline: bool,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for the next bytes of a reply.
    pub read_timeout: Duration,
    /// Attempts after the first one; those of a download count anew whenever bytes arrive.
    pub retries: u32,
    /// Wait before the first repeated attempt; it doubles with each.
    pub backoff: Duration,
}

/// A hub token; never shown.
#[derive(Clone)]
pub struct Token {
    /// The secret.
    pub value: String,
    /// Where it was found, for messages: "HF_TOKEN" or the path of the token file.
    pub source: String,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(from {})", self.source)
    }
}

impl HubConfig {
    /// The default hub with files kept in `cache`, without a token.
    pub fn new(cache: PathBuf) -> Self {
        Self {
            endpoint: DEFAULT_ENDPOINT.to_owned(),
            cache,
            token: None,
            offline: false,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(10),
            retries: 5,
            backoff: Duration::from_millis(500),
        }
    }

    /// Reads `HF_ENDPOINT`, `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HUB_OFFLINE`,
    /// `HF_HUB_DOWNLOAD_TIMEOUT` and their older names, with the defaults of `huggingface_hub` (`constants.py`).
    pub fn from_env() -> Self {
        Self::from_lookup(|name| env::var(name).ok(), env::home_dir())
    }

    /// As [`HubConfig::from_env`], with the variables given by a function and the user's home folder.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>, user_home: Option<PathBuf>) -> Self {
        let variable = |name: &str| lookup(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let any = |names: &[&str]| names.iter().find_map(|name| variable(name));
        let user_home = user_home.unwrap_or_else(|| PathBuf::from("."));
        let folder = |value: String| expand_home(&value, &user_home);

        let home = variable("HF_HOME").map(folder).unwrap_or_else(|| {
            let caches = variable("XDG_CACHE_HOME").map(folder).unwrap_or_else(|| user_home.join(".cache"));
            caches.join("huggingface")
        });
        let cache = any(&["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"]).map(folder).unwrap_or_else(|| home.join("hub"));
        let token_path = variable("HF_TOKEN_PATH").map(folder).unwrap_or_else(|| home.join("token"));
        let timeout = variable("HF_HUB_DOWNLOAD_TIMEOUT").and_then(|v| v.parse().ok()).filter(|&seconds| seconds > 0);

        let mut config = Self::new(cache);
        if let Some(endpoint) = variable("HF_ENDPOINT") {
            config.endpoint = endpoint.trim_end_matches('/').to_owned();
        }
        config.token = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]
            .iter()
            .find_map(|name| Some(Token { value: variable(name)?, source: (*name).to_owned() }))
            .or_else(|| token_from_file(&token_path));
        config.offline = any(&["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]).is_some_and(|v| is_true(&v));
        if let Some(seconds) = timeout {
            config.read_timeout = Duration::from_secs(seconds);
        }
        config
    }
}

fn token_from_file(path: &Path) -> Option<Token> {
    let value = fs::read_to_string(path).ok()?.trim().to_owned();
    (!value.is_empty()).then(|| Token { value, source: path.display().to_string() })
}

fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].contains(&value.to_ascii_uppercase().as_str())
}

fn expand_home(value: &str, user_home: &Path) -> PathBuf {
    match value.strip_prefix('~') {
        Some("") => user_home.to_path_buf(),
        Some(rest) if rest.starts_with(['/', std::path::MAIN_SEPARATOR]) => user_home.join(&rest[1..]),
        _ => PathBuf::from(value),
    }
}
