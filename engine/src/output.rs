//! Files that dinoscope writes: complete, or not at all.

mod features;
mod npz;
mod parquet;
pub mod records;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use ndarray::{ArrayView, ArrayViewD, Dimension};
use ndarray_npy::{WritableElement, WriteNpyError, WriteNpyExt};
use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;

use crate::{Error, Result};

pub use features::{FeatureTensor, feature_tensors, write_features};
pub use npz::write_npz;
pub use parquet::write_parquet;

/// Key and value pairs that say where a file comes from, in the order they are written.
pub type Metadata<'a> = [(&'a str, String)];

/// Writes a file through a temporary one beside it that is renamed when it is complete and on the disk: whatever fails,
/// an older file of that name stays as it was and nothing else is left. Symbolic links are followed; what is no
/// regular file (`/dev/null`, a pipe) is written directly.
///
/// # Errors
/// [`Error::Io`] naming `path`, whether the system failed or `content` did.
pub fn write_atomically(path: &Path, content: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>) -> Result<()> {
    write_and_rename(path, content).map_err(Error::io("write", path))
}

fn write_and_rename(path: &Path, content: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(target) if !target.is_file() && !target.is_dir() => {
            let mut writer = BufWriter::new(File::options().write(true).open(path)?);
            content(&mut writer)?;
            return writer.flush();
        }
        _ => {}
    }
    let (temporary, target) = beside(path)?;
    let mut writer = BufWriter::new(temporary.as_file());
    content(&mut writer)?;
    writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    temporary.persist(&target)?;
    Ok(())
}

/// A temporary file beside `path`, and the path that it is to be renamed to.
pub(crate) fn beside(path: &Path) -> io::Result<(NamedTempFile, PathBuf)> {
    let target = if path.is_symlink() { fs::canonicalize(path)? } else { path.to_path_buf() };
    if target.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let folder = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".dinoscope-");
    // Temporary files are private by default; this one becomes an ordinary file, as far as the umask lets it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    // Errors of `tempfile` name the temporary file, which means nothing to anybody: only their kind is passed on here,
    // and writing goes to the file itself.
    let temporary = builder.tempfile_in(folder).map_err(|error| io::Error::from(error.kind()))?;
    Ok((temporary, target))
}

/// Writes an array as NumPy's `.npy`.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_npy<T: WritableElement, D: Dimension>(path: &Path, array: ArrayView<'_, T, D>) -> Result<()> {
    write_atomically(path, |writer| array.write_npy(writer).map_err(of_npy))
}

fn of_npy(error: WriteNpyError) -> io::Error {
    match error {
        WriteNpyError::Io(error) => error,
        other => io::Error::other(other),
    }
}

/// As [`write_npy`] for values in row-major order.
///
/// # Errors
/// As [`write_atomically`].
///
/// # Panics
/// Where shape and number of values disagree.
pub fn write_npy_values(path: &Path, shape: &[usize], values: &[f32]) -> Result<()> {
    write_npy(path, ArrayViewD::from_shape(shape, values).expect("as many values as the shape has"))
}

/// Name, shape and values in row-major order of a tensor to be written.
pub type NamedTensor<'a> = (&'a str, &'a [usize], Numbers<'a>);

/// Values of a tensor.
#[derive(Clone, Copy, Debug)]
pub enum Numbers<'a> {
    /// Floats.
    F32(&'a [f32]),
    /// Integers.
    I64(&'a [i64]),
}

impl Numbers<'_> {
    /// As safetensors names their type.
    fn dtype(self) -> &'static str {
        match self {
            Self::F32(_) => "F32",
            Self::I64(_) => "I64",
        }
    }

    fn len(self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::I64(values) => values.len(),
        }
    }

    fn size(self) -> usize {
        match self {
            Self::F32(values) => size_of_val(values),
            Self::I64(values) => size_of_val(values),
        }
    }

    fn write(self, writer: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::F32(values) => values.iter().try_for_each(|value| writer.write_all(&value.to_le_bytes())),
            Self::I64(values) => values.iter().try_for_each(|value| writer.write_all(&value.to_le_bytes())),
        }
    }
}

/// Writes tensors and metadata as safetensors, in the order given; the same content gives the same bytes.
///
/// # Errors
/// As [`write_atomically`].
///
/// # Panics
/// Where a tensor's shape and number of values disagree.
pub fn write_safetensors(path: &Path, tensors: &[NamedTensor<'_>], metadata: &Metadata<'_>) -> Result<()> {
    let strings: Map<String, Value> = metadata.iter().map(|(k, v)| ((*k).to_owned(), json!(v))).collect();
    let mut header = Map::from_iter([("__metadata__".to_owned(), Value::Object(strings))]);
    let mut start = 0;
    for &(name, shape, values) in tensors {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "tensor {name} has shape {shape:?}");
        let end = start + values.size();
        let entry = json!({"dtype": values.dtype(), "shape": shape, "data_offsets": [start, end]});
        header.insert(name.to_owned(), entry);
        start = end;
    }
    let mut header = Value::Object(header).to_string();
    // The format aligns the first tensor to 8 bytes with spaces.
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    write_atomically(path, |writer| {
        writer.write_all(&(header.len() as u64).to_le_bytes())?;
        writer.write_all(header.as_bytes())?;
        tensors.iter().try_for_each(|(_, _, values)| values.write(writer))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ndarray::{Array3, array};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn failure_keeps_the_older_file_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.bin");
        write_atomically(&path, |w| w.write_all(b"good")).expect("written");
        let error = write_atomically(&path, |w| {
            w.write_all(&[0; 100_000])?;
            Err(io::ErrorKind::StorageFull.into())
        })
        .expect_err("the disk is full");
        assert!(matches!(&error, Error::Io { action: "write", path: p, .. } if *p == path), "{error}");
        assert_eq!(fs::read(&path).expect("still there"), b"good");
        assert_eq!(names(folder.path()), ["out.bin"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_an_error() {
        let error = write_atomically(Path::new("/dev/full"), |w| w.write_all(b"x")).expect_err("always full");
        assert!(error.to_string().contains("/dev/full"), "{error}");
        write_atomically(Path::new("/dev/null"), |w| w.write_all(b"x")).expect("takes anything");
        assert!(!fs::metadata("/dev/null").expect("still there").is_file());
    }

    #[cfg(unix)]
    #[test]
    fn follows_links_and_leaves_permissions_to_the_umask() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let (plain, target, link) =
            (folder.path().join("plain"), folder.path().join("target"), folder.path().join("link"));
        fs::write(&plain, "by the standard library").expect("written");
        fs::write(&target, "old").expect("written");
        std::os::unix::fs::symlink(&target, &link).expect("linked");
        write_atomically(&link, |w| w.write_all(b"new")).expect("written");
        assert!(link.is_symlink());
        assert_eq!(fs::read(&target).expect("readable"), b"new");
        let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode();
        assert_eq!(mode(&target), mode(&plain));
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = write_npy(Path::new("/nowhere/at/all/x.npy"), array![1.0f32].view()).expect_err("no folder");
        assert!(error.to_string().contains("/nowhere/at/all/x.npy"), "{error}");
        assert!(!error.to_string().contains(".dinoscope-"), "{error}");
    }

    #[test]
    fn npy_and_safetensors_come_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let array = Array3::from_shape_fn((2, 3, 4), |(i, j, k)| (i * 100 + j * 10 + k) as f32);
        // A transposed view: what is written is its row-major order, not its memory's.
        let view = array.view().permuted_axes([2, 0, 1]);
        let path = folder.path().join("a.npy");
        write_npy(&path, view).expect("written");
        assert_eq!(ndarray_npy::read_npy::<_, Array3<f32>>(&path).expect("read"), view);

        let path = folder.path().join("a.safetensors");
        let metadata = [("model", "demo \"ä\"".to_owned()), ("size", "64x48".to_owned())];
        let tensors: [NamedTensor<'_>; 2] =
            [("patch", &[1, 2, 2], Numbers::F32(&[1.0, -2.0, 0.5, 4.0])), ("tokens", &[0, 2], Numbers::I64(&[]))];
        write_safetensors(&path, &tensors, &metadata).expect("written");
        let bytes = fs::read(&path).expect("read");
        let read = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
        let patch = read.tensor("patch").expect("a tensor");
        assert_eq!(patch.shape(), [1, 2, 2]);
        assert_eq!(patch.data(), [1.0f32, -2.0, 0.5, 4.0].map(f32::to_le_bytes).as_flattened());
        let tokens = read.tensor("tokens").expect("a tensor");
        assert_eq!((tokens.shape(), tokens.dtype()), (&[0, 2][..], safetensors::Dtype::I64));
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).expect("metadata");
        assert_eq!(header.metadata().as_ref().expect("strings")["model"], "demo \"ä\"");
    }
}
