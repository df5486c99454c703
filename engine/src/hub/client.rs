//! Requests to the hub: redirects, the token, time limits, and what each refusal means.

use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use ureq::Body;
use ureq::http::{Response, StatusCode, Uri};

use super::cache::is_plain_name;
use super::{HubConfig, HubError};
use crate::{Cancel, Result};

const MAX_REDIRECTS: usize = 10;
const LONGEST_BACKOFF: Duration = Duration::from_secs(4);

pub(super) struct Client {
    agent: ureq::Agent,
    config: HubConfig,
}

/// A commit of a repository.
#[derive(Debug, Deserialize)]
pub(super) struct Revision {
    #[serde(rename = "sha")]
    pub(super) commit: String,
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
struct Sibling {
    rfilename: String,
}

impl Revision {
    pub(super) fn has(&self, file: &str) -> bool {
        self.siblings.iter().any(|sibling| sibling.rfilename == file)
    }
}

/// What the hub says about a file.
#[derive(Clone, Debug)]
pub(super) struct FileMeta {
    /// Name of the blob: SHA-256 of large files, Git's SHA-1 of small ones.
    pub(super) etag: String,
    /// Bytes, where the hub says so.
    pub(super) size: Option<u64>,
}

#[derive(Clone, Copy)]
enum Method {
    Head,
    Get,
}

impl Client {
    pub(super) fn new(config: HubConfig) -> Self {
        let mut builder = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // Redirects are followed here, so that the token goes to the hub alone and the headers of the
            // hub's own reply can be read.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("dinoscope/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_resolve(Some(config.connect_timeout))
            .timeout_connect(Some(config.connect_timeout))
            .timeout_per_read(Some(config.read_timeout))
            .timeout_per_write(Some(config.read_timeout));
        if is_loopback(&config.endpoint) {
            builder = builder.proxy(None);
        }
        Self { agent: builder.build().new_agent(), config }
    }

    pub(super) fn config(&self) -> &HubConfig {
        &self.config
    }

    /// Newest commit of `main` and its files.
    pub(super) fn revision(&self, repo: &str, cancel: &Cancel) -> Result<Revision> {
        let url = format!("{}/api/models/{repo}/revision/main", self.config.endpoint);
        let fetch = || {
            let mut response = self.checked(Method::Get, &url, 0, repo)?;
            let text = response.body_mut().read_to_string();
            text.map_err(|error| unreachable(&url, &error))
        };
        // The first request of all: where it finds no network, waiting helps little.
        let text = match fetch() {
            Err(HubError::Server { .. }) => self.persistently(cancel, fetch)?,
            other => other?,
        };
        let bad = |reason: String| HubError::BadReply { url: url.clone(), reason };
        let revision: Revision = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        if !is_plain_name(&revision.commit) {
            return Err(bad(format!("commit {:?}", revision.commit)).into());
        }
        Ok(revision)
    }

    /// Etag and size of a file.
    pub(super) fn metadata(&self, repo: &str, commit: &str, file: &str, cancel: &Cancel) -> Result<FileMeta> {
        let url = self.file_url(repo, commit, file);
        let response = self.persistently(cancel, || self.checked(Method::Head, &url, 0, repo))?;
        let etag = header(&response, "x-linked-etag").or_else(|| header(&response, "etag")).unwrap_or_default();
        let etag = etag.trim_start_matches("W/").trim_matches('"').to_owned();
        if !is_plain_name(&etag) {
            return Err(HubError::BadReply { url, reason: format!("etag {etag:?}") }.into());
        }
        let length = || header(&response, "content-length").filter(|_| response.status().is_success());
        let size = header(&response, "x-linked-size").or_else(length).and_then(|text| text.parse().ok());
        Ok(FileMeta { etag, size })
    }

    /// The contents of a file from byte `offset` on. Statuses: 200 (from the start after all), 206, or 416.
    pub(super) fn open(&self, repo: &str, commit: &str, file: &str, offset: u64) -> Result<Response<Body>, HubError> {
        self.checked(Method::Get, &self.file_url(repo, commit, file), offset, repo)
    }

    /// Whether anything answers at the hub's address.
    pub(super) fn ping(&self) -> Result<(), HubError> {
        self.request(Method::Head, &self.config.endpoint, 0).map(drop)
    }

    /// Repeats a request that failed for a reason that may pass.
    pub(super) fn persistently<T>(&self, cancel: &Cancel, request: impl Fn() -> Result<T, HubError>) -> Result<T> {
        let mut attempt = 0;
        loop {
            cancel.check()?;
            match request() {
                Err(error) if error.is_transient() && attempt < self.config.retries => {
                    log::warn!("{error}; trying again");
                    self.back_off(attempt, cancel)?;
                    attempt += 1;
                }
                other => return Ok(other?),
            }
        }
    }

    /// Waits before attempt `attempt + 1`; a cancel ends the wait.
    pub(super) fn back_off(&self, attempt: u32, cancel: &Cancel) -> Result<()> {
        let wait = self.config.backoff.saturating_mul(1 << attempt.min(8)).min(LONGEST_BACKOFF);
        let end = Instant::now() + wait;
        while Instant::now() < end {
            cancel.check()?;
            thread::sleep(wait.min(Duration::from_millis(50)));
        }
        cancel.check()
    }

    fn file_url(&self, repo: &str, commit: &str, file: &str) -> String {
        format!("{}/{repo}/resolve/{commit}/{file}", self.config.endpoint)
    }

    fn checked(&self, method: Method, url: &str, offset: u64, repo: &str) -> Result<Response<Body>, HubError> {
        let response = self.request(method, url, offset)?;
        let status = response.status();
        let expected_past_end = offset > 0 && status == StatusCode::RANGE_NOT_SATISFIABLE;
        // A redirect is left over only by HEAD, where it is the hub's answer.
        if status.is_success() || status.is_redirection() || expected_past_end {
            return Ok(response);
        }
        Err(self.refusal(&response, url, repo))
    }

    fn request(&self, method: Method, url: &str, offset: u64) -> Result<Response<Body>, HubError> {
        let mut url = url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = match method {
                Method::Head => self.agent.head(&url),
                Method::Get => self.agent.get(&url),
            };
            if offset > 0 {
                request = request.header("Range", format!("bytes={offset}-"));
            }
            if let Some(token) = self.config.token.as_ref().filter(|_| same_origin(&url, &self.config.endpoint)) {
                request = request.header("Authorization", format!("Bearer {}", token.value));
            }
            let response = request.call().map_err(|error| unreachable(&url, &error))?;
            let location = header(&response, "location").filter(|_| response.status().is_redirection());
            let Some(location) = location else { return Ok(response) };
            // The hub describes a large file in the reply that sends the reader elsewhere.
            if matches!(method, Method::Head) && response.headers().contains_key("x-linked-etag") {
                return Ok(response);
            }
            url = join(&url, location)
                .ok_or_else(|| HubError::BadReply { url: url.clone(), reason: format!("redirect to {location:?}") })?;
        }
        Err(HubError::BadReply { url, reason: "too many redirects".to_owned() })
    }

    fn refusal(&self, response: &Response<Body>, url: &str, repo: &str) -> HubError {
        let endpoint = &self.config.endpoint;
        let host = host(url);
        let is_gated = header(response, "x-error-code") == Some("GatedRepo");
        match response.status() {
            StatusCode::FORBIDDEN => self.gated(repo),
            StatusCode::UNAUTHORIZED if is_gated => self.gated(repo),
            StatusCode::UNAUTHORIZED => {
                let advice = match &self.config.token {
                    Some(token) => format!(
                        "the token from {} is not valid; make a new one at {endpoint}/settings/tokens",
                        token.source
                    ),
                    None => format!(
                        "it does not exist, or it needs a token: make one at {endpoint}/settings/tokens and set HF_TOKEN"
                    ),
                };
                HubError::Unauthorized { host, repo: repo.to_owned(), advice }
            }
            StatusCode::NOT_FOUND => HubError::NotFound { url: url.to_owned() },
            status => HubError::Server { host, status: status.as_u16(), url: url.to_owned() },
        }
    }

    fn gated(&self, repo: &str) -> HubError {
        let endpoint = &self.config.endpoint;
        let advice = match &self.config.token {
            Some(token) => format!("wait until it is granted to the account of the token from {}", token.source),
            None => format!("set HF_TOKEN to a token of that account ({endpoint}/settings/tokens)"),
        };
        HubError::Gated { repo: repo.to_owned(), page: format!("{endpoint}/{repo}"), advice }
    }
}

pub(super) fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok().filter(|text| !text.is_empty())
}

/// For errors below HTTP: no connection, a broken one, no answer in time.
pub(super) fn unreachable(url: &str, error: &ureq::Error) -> HubError {
    let reason = match error {
        ureq::Error::HostNotFound => "its name is not known".to_owned(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    };
    HubError::Unreachable { host: host(url), reason }
}

fn host(url: &str) -> String {
    let authority = url.parse::<Uri>().ok().and_then(|uri| uri.authority().map(|a| a.to_string()));
    // Without a user name and password.
    authority.as_deref().map(|a| a.rsplit('@').next().unwrap_or(a)).unwrap_or(url).to_owned()
}

fn origin(url: &str) -> Option<(String, String, Option<u16>)> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let default_port = if scheme == "https" { 443 } else { 80 };
    Some((scheme, uri.host()?.to_ascii_lowercase(), Some(uri.port_u16().unwrap_or(default_port))))
}

fn same_origin(a: &str, b: &str) -> bool {
    origin(a).is_some_and(|a| Some(a) == origin(b))
}

fn is_loopback(url: &str) -> bool {
    origin(url).is_some_and(|(_, host, _)| host == "localhost" || host == "[::1]" || host.starts_with("127."))
}

/// The address that a `Location` header means.
fn join(base: &str, location: &str) -> Option<String> {
    if location.starts_with("http://") || location.starts_with("https://") {
        return Some(location.to_owned());
    }
    let uri: Uri = base.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    if location.starts_with("//") {
        Some(format!("{scheme}:{location}"))
    } else if location.starts_with('/') {
        Some(format!("{scheme}://{authority}{location}"))
    } else {
        let folder = uri.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        Some(format!("{scheme}://{authority}{folder}/{location}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_resolved() {
        let base = "https://hub.example:8443/a/b?c=d";
        assert_eq!(join(base, "https://cdn.example/x").as_deref(), Some("https://cdn.example/x"));
        assert_eq!(join(base, "//cdn.example/x").as_deref(), Some("https://cdn.example/x"));
        assert_eq!(join(base, "/x?y=z").as_deref(), Some("https://hub.example:8443/x?y=z"));
        assert_eq!(join(base, "x").as_deref(), Some("https://hub.example:8443/a/x"));
    }

    #[test]
    fn the_token_stays_with_the_hub() {
        let hub = "https://hub.example";
        assert!(same_origin("https://HUB.example:443/a", hub));
        for other in ["http://hub.example/a", "https://hub.example.org/a", "https://hub.example:8443/a", "nonsense"] {
            assert!(!same_origin(other, hub), "{other}");
        }
    }
}
