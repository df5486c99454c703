//! Finding, downloading and deleting published weights in the Hugging Face cache.
//!
//! Files and folders are kept as Python's `huggingface_hub` keeps them, so that weights downloaded by either program
//! are found by the other.

mod cache;
mod client;
mod config;
mod disk;
mod download;
mod error;

use std::path::{Path, PathBuf};

pub use config::{DEFAULT_ENDPOINT, HubConfig, Token};
pub use disk::{free_space, torch_hub_folder};
pub use error::{HubError, size_text};

use crate::model::zoo::{ZooModel, ZooSource};
use crate::{Cancel, Progress, Result};
use cache::{INDEX, RepoCache, WEIGHTS};
use client::Client;
use download::Fetch;

/// A repository of the hub with one checkpoint: `model.safetensors`, or its index and shards, and small files beside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repo {
    /// `org/name`.
    pub id: String,
    /// Small files that the checkpoint is not complete without.
    pub companions: &'static [&'static str],
}

impl Repo {
    /// A repository in timm's form: the normalisation is in `config.json`.
    pub fn timm(id: impl Into<String>) -> Self {
        Self { id: id.into(), companions: &["config.json"] }
    }

    /// A repository in transformers' form: the normalisation is in `preprocessor_config.json`.
    pub fn transformers(id: impl Into<String>) -> Self {
        Self { id: id.into(), companions: &["config.json", "preprocessor_config.json"] }
    }
}

/// Terms that come with weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Licence {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub url: &'static str,
    /// What it means, in a few sentences; the text counts.
    pub summary: &'static str,
}

/// The licence of all DINOv3 weights, the mirrors' too.
pub const DINOV3_LICENCE: Licence = Licence {
    name: "DINOv3 License",
    url: "https://ai.meta.com/resources/models-and-libraries/dinov3-license/",
    summary: "By downloading you accept the DINOv3 License of Meta: you may use, change and redistribute the weights under \
              these same terms, publications must acknowledge DINOv3, and military, weapons, nuclear and espionage uses \
              as well as reverse engineering are forbidden.",
};

/// A model and where the hub has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubModel {
    /// As given to `--model`.
    pub name: String,
    /// Open to everyone.
    pub public: Option<Repo>,
    /// Meta's own, which asks for a token and for access.
    pub gated: Option<Repo>,
    /// A lesser copy: used where it is in the cache and the others are not, never downloaded.
    pub fallback: Option<Repo>,
    /// To be accepted before a download.
    pub licence: Option<Licence>,
}

/// Which repository of a model to download.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The open one.
    #[default]
    Public,
    /// Meta's own.
    Gated,
}

impl HubModel {
    /// Where the hub has a model of the zoo; `None` for the one that is part of the program.
    pub fn from_zoo(model: &ZooModel) -> Option<Self> {
        match model.source {
            ZooSource::Embedded => None,
            ZooSource::Published(places) => Some(Self {
                name: model.name.to_owned(),
                public: Some(Repo::timm(places.timm)),
                gated: Some(Repo::transformers(places.gated)),
                fallback: places.timm_without_bias().map(Repo::timm),
                licence: Some(DINOV3_LICENCE),
            }),
        }
    }

    /// The repository of that kind.
    ///
    /// # Errors
    /// [`HubError::NoRepository`] where there is none.
    pub fn repo(&self, source: Source) -> Result<&Repo, HubError> {
        let (repo, kind) = match source {
            Source::Public => (&self.public, "public"),
            Source::Gated => (&self.gated, "gated"),
        };
        repo.as_ref().ok_or_else(|| HubError::NoRepository { name: self.name.clone(), kind })
    }

    fn repos(&self) -> impl Iterator<Item = &Repo> {
        self.gated.iter().chain(&self.public).chain(&self.fallback)
    }
}

/// The hub and its cache on this machine.
pub struct Hub {
    client: Client,
}

impl Hub {
    /// Nothing is contacted or written before something is asked for.
    pub fn new(config: HubConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// As the environment says ([`HubConfig::from_env`]).
    pub fn from_env() -> Self {
        Self::new(HubConfig::from_env())
    }

    /// What it was made with.
    pub fn config(&self) -> &HubConfig {
        self.client.config()
    }

    /// The cache folder.
    pub fn path(&self) -> &Path {
        &self.config().cache
    }

    /// The snapshot folder of a model that is complete on this machine: Meta's own files, else the mirror's, else the fallback's.
    pub fn locate(&self, model: &HubModel) -> Option<PathBuf> {
        model.repos().find_map(|repo| self.locate_repo(repo))
    }

    /// The snapshot folder of a repository that is complete on this machine.
    pub fn locate_repo(&self, repo: &Repo) -> Option<PathBuf> {
        RepoCache::new(self.path(), repo).locate(repo)
    }

    /// The snapshot folder of a model, downloaded where it is not on this machine yet. An interrupted download goes on
    /// where it stopped; two at once on one cache wait for each other.
    ///
    /// # Errors
    /// [`HubError::LicenceNotAccepted`] unless `licence_accepted` says that the person read and accepted
    /// [`HubModel::licence`]; else as [`Hub::download_repo`].
    pub fn download(
        &self,
        model: &HubModel,
        source: Source,
        licence_accepted: bool,
        progress: &dyn Fn(Progress),
        cancel: &Cancel,
    ) -> Result<PathBuf> {
        let repo = model.repo(source)?;
        if let Some(path) = self.locate_repo(repo) {
            return Ok(path);
        }
        match &model.licence {
            Some(licence) if !licence_accepted => Err(HubError::LicenceNotAccepted {
                name: model.name.clone(),
                licence: licence.name.to_owned(),
                url: licence.url.to_owned(),
            }
            .into()),
            _ => self.download_repo(repo, progress, cancel),
        }
    }

    /// The snapshot folder of a repository, downloaded where it is not on this machine yet.
    ///
    /// # Errors
    /// [`HubError`]: refused, no network, offline, damaged, disk full; [`crate::Error::Cancelled`].
    pub fn download_repo(&self, repo: &Repo, progress: &dyn Fn(Progress), cancel: &Cancel) -> Result<PathBuf> {
        if let Some(path) = self.locate_repo(repo) {
            return Ok(path);
        }
        if self.config().offline {
            return Err(HubError::Offline { repo: repo.id.clone(), cache: self.path().to_path_buf() }.into());
        }
        let cache = RepoCache::new(self.path(), repo);
        let revision = self.client.revision(&repo.id, cancel)?;
        let commit = revision.commit.as_str();
        let fetch = |file: &str| -> Result<()> {
            let meta = &self.client.metadata(&repo.id, commit, file, cancel)?;
            Fetch { client: &self.client, cache: &cache, repo: &repo.id, commit, file, meta, progress, cancel }.run()
        };

        let is_sharded = !revision.has(WEIGHTS);
        if is_sharded && !revision.has(INDEX) {
            return Err(HubError::NoWeights { repo: repo.id.clone() }.into());
        }
        for file in ["config.json", "preprocessor_config.json"] {
            if revision.has(file) || repo.companions.contains(&file) {
                fetch(file)?;
            }
        }
        if is_sharded {
            fetch(INDEX)?;
            let index = cache.snapshot(commit).join(INDEX);
            let shards = cache::shards(&index).ok_or_else(|| HubError::NoWeights { repo: repo.id.clone() })?;
            for shard in &shards {
                fetch(shard)?;
            }
        } else {
            fetch(WEIGHTS)?;
        }
        // Only now, so that nobody finds half a model under its name.
        cache.write_ref(commit)?;
        Ok(cache.snapshot(commit))
    }

    /// Deletes a model's files from the cache, all repositories', finished or not; false where there were none.
    ///
    /// # Errors
    /// [`HubError::Cache`] where a file cannot be deleted.
    pub fn remove(&self, model: &HubModel) -> Result<bool, HubError> {
        let mut removed = false;
        for repo in model.repos() {
            removed |= RepoCache::new(self.path(), repo).remove()?;
        }
        Ok(removed)
    }

    /// Bytes that a model's files take in the cache, finished or not.
    pub fn stored_bytes(&self, model: &HubModel) -> u64 {
        model.repos().map(|repo| RepoCache::new(self.path(), repo).bytes()).sum()
    }

    /// Whether the hub answers.
    ///
    /// # Errors
    /// [`HubError::Unreachable`].
    pub fn ping(&self) -> Result<(), HubError> {
        self.client.ping()
    }
}
