//! An index of pictures in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::RetrievalError;
use super::patches::PatchStore;
use super::query::mean_direction;
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
        let present = Self::recipe_in(folder)?.ok_or_else(|| RetrievalError::NoIndex {
            path: folder.to_path_buf(),
            reason: "there is nothing".to_owned(),
        })?;
        check_weights(folder, &present, recipe)?;
        Self::open_stores(folder, present, Access::Read)
    }

    fn open_stores(folder: &Path, recipe: Recipe, access: Access) -> Result<Self> {
        let vectors = VectorStore::open_for(folder, recipe.dim, access)?;
        let patches = PatchStore::open(folder, recipe.dim, access)?;
        Ok(Self { folder: folder.to_path_buf(), recipe, vectors, patches })
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

fn check_weights(folder: &Path, expected: &Recipe, got: &Recipe) -> Result<(), RetrievalError> {
    if expected.weights == got.weights && expected.dim == got.dim {
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
