//! A checkpoint on disk: one file or a folder of shards, mapped into memory, with its tensors listed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use memmap2::Mmap;

use super::element::{ElementType, all_finite};
use super::sidecar::Sidecar;
use super::{CheckpointError, Quantisation, QuantisedMatrix, gguf, hash, safetensors, torch, zip};
use crate::{Cancel, Result};

/// Where one tensor lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// As in the file; tensors of nested dicts have the dicts' keys before, joined by dots.
    pub name: String,
    /// Type of its elements.
    pub element: ElementType,
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// Which of the checkpoint's files it is in.
    pub file: usize,
    /// From its first element to the end of its last one, within the file.
    pub bytes: Range<usize>,
    /// In elements; `None`: contiguous, row-major.
    pub strides: Option<Vec<usize>>,
}

/// An open checkpoint. Its files must not change while it is open.
pub struct Checkpoint {
    path: PathBuf,
    files: Vec<Shard>,
    tensors: Vec<Tensor>,
    sidecar: Sidecar,
    quantisation: Option<Quantisation>,
}

struct Shard {
    path: PathBuf,
    content: Content,
}

enum Content {
    Mapped(Mmap),
    Embedded(&'static [u8]),
}

impl Content {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Embedded(bytes) => bytes,
        }
    }
}

impl Checkpoint {
    /// Opens a `.safetensors` or `.gguf` file, a file of `torch.save`, or a folder as on the Hugging Face hub.
    ///
    /// # Errors
    /// [`CheckpointError::Unreadable`], naming the file at fault.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let metadata = path.metadata().map_err(|error| unreadable(path, error))?;
        if metadata.is_dir() {
            return Self::open_folder(path);
        }
        let sidecar = match path.parent() {
            // These names are only ever given by the hub's tools, so what lies beside belongs to the file.
            Some(folder) if path.file_name().is_some_and(|name| HUB_FILES.iter().any(|&hub| name == hub)) => {
                Sidecar::read(folder)?
            }
            _ => Sidecar::default(),
        };
        Self::open_shards(path, &[path.to_path_buf()], sidecar)
    }

    /// A safetensors file in memory; `name` stands for its path in messages.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn from_bytes(name: &str, bytes: &'static [u8]) -> Result<Self, CheckpointError> {
        let path = PathBuf::from(name);
        let tensors = safetensors::read(bytes).map_err(|reason| unreadable(&path, reason))?;
        let files = vec![Shard { path: path.clone(), content: Content::Embedded(bytes) }];
        Ok(Self { path, files, tensors, sidecar: Sidecar::default(), quantisation: None })
    }

    fn open_folder(folder: &Path) -> Result<Self, CheckpointError> {
        let sidecar = Sidecar::read(folder)?;
        for name in HUB_FILES {
            let (file, index) = (folder.join(name), folder.join(format!("{name}.index.json")));
            if file.exists() {
                return Self::open_shards(folder, &[file], sidecar);
            }
            if index.exists() {
                return Self::open_index(folder, &index, sidecar);
            }
        }
        let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, error))?;
        let is_weights = |path: &PathBuf| {
            path.extension()
                .is_some_and(|extension| ["safetensors", "gguf", "pth", "pt"].iter().any(|&known| extension == known))
        };
        let files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_weights).collect();
        match files.as_slice() {
            [file] => Self::open_shards(folder, std::slice::from_ref(file), sidecar),
            [] => {
                Err(unreadable(folder, "it holds no model.safetensors; give a checkpoint file or a folder of the hub"))
            }
            _ => {
                Err(unreadable(folder, "it holds several checkpoints and no model.safetensors; give one of the files"))
            }
        }
    }

    /// `index`: `{"weight_map": {tensor: file}}`
    fn open_index(folder: &Path, index: &Path, sidecar: Sidecar) -> Result<Self, CheckpointError> {
        #[derive(serde::Deserialize)]
        struct Index {
            weight_map: BTreeMap<String, String>,
        }
        let text = read_small(index)?;
        let Index { weight_map } = serde_json::from_slice(&text).map_err(|error| unreadable(index, error))?;
        let mut names: Vec<&String> = weight_map.values().collect();
        names.sort_unstable();
        names.dedup();
        for name in &names {
            let mut components = Path::new(name).components();
            if !matches!((components.next(), components.next()), (Some(Component::Normal(_)), None)) {
                let reason = format!("its shard \"{}\" lies outside of the folder", name.escape_debug());
                return Err(unreadable(index, reason));
            }
        }
        let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
        let mut checkpoint = Self::open_shards(folder, &paths, sidecar)?;
        checkpoint.tensors.retain(|tensor| weight_map.get(&tensor.name) == Some(names[tensor.file]));
        if checkpoint.tensors.len() < weight_map.len() {
            let reason = format!(
                "{} of the {} tensors it lists are not in their shards; download the folder again",
                weight_map.len() - checkpoint.tensors.len(),
                weight_map.len()
            );
            return Err(unreadable(index, reason));
        }
        Ok(checkpoint)
    }

    fn open_shards(path: &Path, shards: &[PathBuf], sidecar: Sidecar) -> Result<Self, CheckpointError> {
        let (path, files, tensors) = (path.to_path_buf(), Vec::new(), Vec::new());
        let mut checkpoint = Self { path, files, tensors, sidecar, quantisation: None };
        for (index, shard) in shards.iter().enumerate() {
            let content = Content::Mapped(map(shard)?);
            let bytes = content.bytes();
            let tensors = if gguf::is_gguf(bytes) {
                let gguf = gguf::read(bytes).map_err(|reason| unreadable(shard, reason))?;
                checkpoint.sidecar = gguf::sidecar(&gguf.metadata);
                checkpoint.quantisation = gguf::quantisation(&gguf.metadata);
                gguf.tensors
            } else {
                list(bytes).map_err(|reason| unreadable(shard, reason))?
            };
            checkpoint.tensors.extend(tensors.into_iter().map(|tensor| Tensor { file: index, ..tensor }));
            checkpoint.files.push(Shard { path: shard.clone(), content });
        }
        Ok(checkpoint)
    }

    /// The file or folder as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every tensor, file by file.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// Bytes of all files together.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.content.bytes().len() as u64).sum()
    }

    pub(super) fn sidecar(&self) -> &Sidecar {
        &self.sidecar
    }

    /// Of a file that this project has quantised.
    pub fn quantisation(&self) -> Option<&Quantisation> {
        self.quantisation.as_ref()
    }

    /// SHA-256 in hex: of the file, or of its shards' digests one after the other.
    ///
    /// # Errors
    /// [`CheckpointError::Unreadable`] where a file went away; [`crate::Error::Cancelled`].
    pub fn sha256(&self, cancel: &Cancel) -> Result<String> {
        let digests = self.files.iter().map(|file| match file.content {
            Content::Embedded(bytes) => Ok(hash::of_bytes(bytes)),
            // Read, not mapped: what was hashed does not stay in this process's memory.
            Content::Mapped(_) => hash::of_file(&file.path, cancel),
        });
        let digests = digests.collect::<Result<Vec<_>>>()?;
        Ok(hash::hex(&match digests.as_slice() {
            [digest] => *digest,
            several => hash::of_bytes(&several.concat()),
        }))
    }

    /// Appends a tensor's elements to `out`, row-major, and gives the file's pages back to the system as it goes, so
    /// that no more than a few megabytes of the file are ever held.
    ///
    /// # Errors
    /// [`CheckpointError::Type`] for integers, [`CheckpointError::NotFinite`] for NaN and infinity.
    pub fn append_f32(&self, tensor: &Tensor, out: &mut Vec<f32>) -> Result<(), CheckpointError> {
        const PIECE_BYTES: usize = 4 << 20;
        let Shard { path, content } = &self.files[tensor.file];
        let size = match tensor.element.block() {
            Some((_, size)) if tensor.element.is_weight() => size,
            _ => {
                let (path, tensor, got) = (path.clone(), tensor.name.clone(), tensor.element);
                return Err(CheckpointError::Type { path, tensor, got });
            }
        };
        read_ahead(content, tensor.bytes.clone());
        let finite = if let Some(strides) = &tensor.strides {
            let start = out.len();
            append_strided(&content.bytes()[tensor.bytes.clone()], tensor, strides, size, out);
            release(content, tensor.bytes.clone());
            all_finite(&out[start..])
        } else {
            let step = PIECE_BYTES / size * size;
            tensor.bytes.clone().step_by(step).all(|at| {
                let piece = at..tensor.bytes.end.min(at + step);
                let start = out.len();
                tensor.element.append_f32(&content.bytes()[piece.clone()], out);
                release(content, piece);
                all_finite(&out[start..])
            })
        };
        if finite {
            Ok(())
        } else {
            Err(CheckpointError::NotFinite { path: path.clone(), tensor: tensor.name.clone() })
        }
    }

    /// A copy of a quantised tensor; `None` where it is none.
    ///
    /// # Errors
    /// [`CheckpointError::NotFinite`].
    pub(super) fn quantised(&self, tensor: &Tensor) -> Result<Option<QuantisedMatrix>, CheckpointError> {
        if !tensor.element.is_quantised() {
            return Ok(None);
        }
        let Shard { path, content } = &self.files[tensor.file];
        let bytes = content.bytes()[tensor.bytes.clone()].to_vec();
        release(content, tensor.bytes.clone());
        let matrix = QuantisedMatrix { element: tensor.element, bytes };
        if matrix.is_finite() {
            Ok(Some(matrix))
        } else {
            Err(CheckpointError::NotFinite { path: path.clone(), tensor: tensor.name.clone() })
        }
    }
}

const HUB_FILES: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];

pub(super) fn unreadable(path: &Path, reason: impl ToString) -> CheckpointError {
    CheckpointError::Unreadable { path: path.to_path_buf(), reason: reason.to_string() }
}

/// Reads a small text file: an index, a configuration.
pub(super) fn read_small(path: &Path) -> Result<Vec<u8>, CheckpointError> {
    const MAX_BYTES: u64 = 16 << 20;
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    file.take(MAX_BYTES).read_to_end(&mut text).map_err(|error| unreadable(path, error))?;
    Ok(text)
}

fn map(path: &Path) -> Result<Mmap, CheckpointError> {
    let metadata = path.metadata().map_err(|error| unreadable(path, error))?;
    if !metadata.is_file() {
        return Err(unreadable(path, "it is no regular file"));
    }
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    // SAFETY: the map is read-only. Another program that shortens the file while it is open can end this one, which
    // is the price of every memory-mapped checkpoint; writers of this project rename whole files into place.
    unsafe { Mmap::map(&file) }.map_err(|error| unreadable(path, error))
}

/// Lists the tensors of a file by what it begins with.
pub(super) fn list(bytes: &[u8]) -> Result<Vec<Tensor>, String> {
    if bytes.is_empty() {
        Err("it is empty".into())
    } else if zip::is_zip(bytes) {
        torch::read(bytes)
    } else if gguf::is_gguf(bytes) {
        gguf::read(bytes).map(|gguf| gguf.tensors)
    } else if bytes.get(8) == Some(&b'{') {
        safetensors::read(bytes)
    } else if bytes.starts_with(b"version https://git-lfs") {
        Err("it is a Git LFS pointer, not the weights; fetch them with git lfs pull".into())
    } else if bytes.starts_with(b"\x80\x02") || bytes.get(257..262) == Some(b"ustar") {
        Err("it has PyTorch's format from before version 1.6; load it there and save it again with torch.save".into())
    } else {
        Err("it is neither a safetensors or GGUF file nor one of torch.save".into())
    }
}

/// Row-major elements of a strided tensor; `bytes` begins at its first element.
fn append_strided(bytes: &[u8], tensor: &Tensor, strides: &[usize], size: usize, out: &mut Vec<f32>) {
    if tensor.shape.contains(&0) {
        return;
    }
    let mut index = vec![0; tensor.shape.len()];
    loop {
        let at: usize = index.iter().zip(strides).map(|(i, stride)| i * stride).sum::<usize>() * size;
        tensor.element.append_f32(&bytes[at..at + size], out);
        let Some(axis) = (0..index.len()).rev().find(|&axis| index[axis] + 1 < tensor.shape[axis]) else { return };
        index[axis] += 1;
        index[axis + 1..].fill(0);
    }
}

/// Asks the system to read a range from the disk, while what comes first in it is worked on.
fn read_ahead(content: &Content, range: Range<usize>) {
    #[cfg(unix)]
    if let Content::Mapped(map) = content
        && let Err(error) = map.advise_range(memmap2::Advice::WillNeed, range.start, range.len())
    {
        log::debug!("the file is not read ahead: {error}");
    }
    #[cfg(not(unix))]
    let _ = (content, range);
}

/// Drops the pages of a range from this process's memory; they are read again when touched.
fn release(content: &Content, range: Range<usize>) {
    #[cfg(unix)]
    if let Content::Mapped(map) = content {
        // SAFETY: the map is shared and read-only, so its pages hold nothing that is not in the file.
        let released =
            unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, range.start, range.len()) };
        if let Err(error) = released {
            log::debug!("mapped pages were not released: {error}");
        }
    }
    #[cfg(not(unix))]
    let _ = (content, range);
}
