//! An index of pictures in a folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::RetrievalError;
use super::approximate::Graph;
use super::patches::PatchStore;
use super::query::mean_direction;
use crate::encoder::Encoder;
use crate::features::{Features, Geometry};
use crate::image::SizeRule;
use crate::output::records::Access;
use crate::output::write_atomically;
use crate::probe::vectors::{PictureKey, VectorStore};
use crate::{Error, Result};

/// What the file says of itself.
const KIND: &str = "dinoscope index 1";

/// What the features of an index are made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// Name of the model.
    pub model: String,
    /// SHA-256 of its weights, or as [`crate::encoder::Provenance::weights`] has it.
    pub weights: String,
    /// Size of its input.
    pub size: SizeRule,
    /// Numbers of a feature.
    pub dim: usize,
}

impl Recipe {
    /// Of features that a model makes at a size.
    pub fn of(encoder: &Encoder, size: SizeRule) -> Self {
        let provenance = encoder.provenance();
        let (model, weights) = (provenance.model.clone(), provenance.weights.clone());
        Self { model, weights, size, dim: encoder.config().dim() }
    }

    /// Whether features are of the same weights, so that they can be compared.
    pub fn is_comparable(&self, other: &Self) -> bool {
        self.weights == other.weights && self.dim == other.dim
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    kind: String,
    #[serde(flatten)]
    recipe: Recipe,
}

/// Pictures that can be searched. A picture is found as long as its file is as it was indexed.
#[derive(Debug)]
pub struct Index {
    pub(super) folder: PathBuf,
    recipe: Recipe,
    /// CLS tokens of length 1.
    pub(super) vectors: VectorStore,
    pub(super) patches: PatchStore,
    pub(super) graph: GraphState,
    /// The files' state when they were opened.
    opened: State,
}

/// A graph of the first vectors, as far as it is known.
#[derive(Debug)]
pub(super) enum GraphState {
    Unread,
    Missing,
    Read(Graph),
}

/// The files that grow with each picture.
type State = [Option<PictureKey>; 2];

fn state_of(folder: &Path) -> State {
    ["pictures.jsonl", "patches.jsonl"].map(|name| PictureKey::of(&folder.join(name)).ok())
}

impl Index {
    /// What the index in a folder is made with; `None` where the folder is missing or empty.
    ///
    /// # Errors
    /// [`RetrievalError::NoIndex`] where something else is there, [`Error::Io`].
    pub fn recipe_in(folder: &Path) -> Result<Option<Recipe>> {
        let no_index = |reason: String| RetrievalError::NoIndex { path: folder.to_path_buf(), reason };
        if !folder.exists() {
            return Ok(None);
        }
        if !folder.is_dir() {
            return Err(no_index("it is a file".to_owned()).into());
        }
        let path = folder.join("index.json");
        if !path.exists() {
            let is_empty = fs::read_dir(folder).map_err(Error::io("read", folder))?.next().is_none();
            return if is_empty { Ok(None) } else { Err(no_index("it holds other files".to_owned()).into()) };
        }
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        match serde_json::from_slice::<Header>(&bytes) {
            Ok(header) if header.kind == KIND => Ok(Some(header.recipe)),
            Ok(header) => Err(no_index(format!("its kind is \"{}\"", header.kind)).into()),
            Err(error) => Err(no_index(format!("index.json: {error}")).into()),
        }
    }

    /// As [`Self::recipe_in`] of an index that has to be there.
    ///
    /// # Errors
    /// As [`Self::recipe_in`], and [`RetrievalError::NoIndex`] where there is none.
    pub fn recipe_of(folder: &Path) -> Result<Recipe> {
        Self::recipe_in(folder)?.ok_or_else(|| nothing_in(folder).into())
    }

    /// Files that the index in a folder was made of, as far as they are still there; whatever it was made with.
    ///
    /// # Errors
    /// As [`Self::recipe_of`].
    pub fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
        let recipe = Self::recipe_of(folder)?;
        let store = VectorStore::open_for(folder, recipe.dim, Access::Read)?;
        let paths: BTreeSet<&PathBuf> = store.keys().iter().map(|key| &key.path).collect();
        Ok(paths.into_iter().filter(|path| path.is_file()).cloned().collect())
    }

    /// Opens an index to add pictures; it is made where the folder is missing or empty.
    ///
    /// # Errors
    /// As [`Self::recipe_in`]; [`RetrievalError::Model`] and [`RetrievalError::Size`] where its features are made otherwise.
    pub fn create(folder: &Path, recipe: &Recipe) -> Result<Self> {
        match Self::recipe_in(folder)? {
            Some(present) => {
                check_weights(folder, &present, recipe)?;
                if present.size != recipe.size {
                    let (expected, got) = (present.size.to_string(), recipe.size.to_string());
                    return Err(RetrievalError::Size { path: folder.to_path_buf(), expected, got }.into());
                }
            }
            None => {
                fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
                let header = Header { kind: KIND.to_owned(), recipe: recipe.clone() };
                write_atomically(&folder.join("index.json"), |out| Ok(serde_json::to_writer_pretty(out, &header)?))?;
            }
        }
        Self::open_stores(folder, recipe.clone(), Access::Append)
    }

    /// Opens an index to search it with features of the weights that `recipe` names, of any size.
    ///
    /// # Errors
    /// As [`Self::create`], and [`RetrievalError::NoIndex`] where there is none.
    pub fn open(folder: &Path, recipe: &Recipe) -> Result<Self> {
        let present = Self::recipe_of(folder)?;
        check_weights(folder, &present, recipe)?;
        Self::open_stores(folder, present, Access::Read)
    }

    fn open_stores(folder: &Path, recipe: Recipe, access: Access) -> Result<Self> {
        let opened = state_of(folder);
        let vectors = VectorStore::open_for(folder, recipe.dim, access)?;
        let patches = PatchStore::open(folder, recipe.dim, access)?;
        Ok(Self { folder: folder.to_path_buf(), recipe, vectors, patches, graph: GraphState::Unread, opened })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes the graph of the same index as it was opened before, so that it is not read again.
    pub fn take_graph(&mut self, before: Self) {
        if before.folder == self.folder && matches!(before.graph, GraphState::Read(_)) {
            self.graph = before.graph;
        }
    }

    pub(super) fn graph_path(&self) -> PathBuf {
        self.folder.join("graph.hnsw")
    }

    /// Whether the files are as they were when it was opened: others may have added to them since.
    pub fn is_current(&self) -> bool {
        self.opened == state_of(&self.folder)
    }

    /// What its features are made with.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Pictures and states of pictures that were indexed.
    pub fn len(&self) -> usize {
        self.vectors.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a picture is indexed in this state.
    pub fn has(&self, key: &PictureKey) -> bool {
        self.vectors.has(key) && self.patches.has(key)
    }

    /// Adds a picture. What an interruption left of it is completed.
    ///
    /// # Errors
    /// [`crate::analysis::AnalysisError::NotFinite`], [`Error::Io`].
    pub fn push(&mut self, key: PictureKey, features: &Features, geometry: &Geometry) -> Result<()> {
        let cls = mean_direction(std::slice::from_ref(&features.cls))?;
        if !self.patches.has(&key) {
            self.patches.push(key.clone(), &features.patch, geometry)?;
        }
        if !self.vectors.has(&key) {
            self.vectors.push(key, &cls)?;
        }
        Ok(())
    }
}

fn nothing_in(folder: &Path) -> RetrievalError {
    RetrievalError::NoIndex { path: folder.to_path_buf(), reason: "there is nothing".to_owned() }
}

fn check_weights(folder: &Path, expected: &Recipe, got: &Recipe) -> Result<(), RetrievalError> {
    if expected.is_comparable(got) {
        return Ok(());
    }
    Err(RetrievalError::Model {
        path: folder.to_path_buf(),
        expected: expected.model.clone(),
        expected_weights: expected.weights.clone(),
        got: got.model.clone(),
        got_weights: got.weights.clone(),
    })
}
