//! NumPy's `.npz`: a zip archive with a `.npy` for each array.

use std::path::Path;

use ndarray::ArrayViewD;
use ndarray_npy::WriteNpyExt;
use serde_json::{Map, Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{FeatureTensor, Metadata, of_npy, write_atomically};
use crate::Result;

/// Writes tensors as `.npz`, not compressed, as `numpy.savez` does. The metadata is the archive's comment, as JSON.
///
/// # Errors
/// As [`write_atomically`].
///
/// # Panics
/// Where a tensor's shape and number of values disagree.
pub fn write_npz(path: &Path, tensors: &[FeatureTensor], metadata: &Metadata<'_>) -> Result<()> {
    let comment: Map<String, Value> = metadata.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    write_atomically(path, |writer| {
        let mut archive = ZipWriter::new_stream(writer);
        archive.set_comment(Value::Object(comment).to_string())?;
        for FeatureTensor { name, shape, values } in tensors {
            // With room for the header of the array.
            let is_large = size_of_val(values.as_slice()) > u32::MAX as usize - (1 << 16);
            let options =
                SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(is_large);
            archive.start_file(format!("{name}.npy"), options)?;
            let array = ArrayViewD::from_shape(shape.as_slice(), values).expect("as many values as the shape has");
            array.write_npy(&mut archive).map_err(of_npy)?;
        }
        archive.finish()?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use ndarray::Array;
    use ndarray_npy::ReadNpyExt;
    use zip::ZipArchive;

    use super::*;

    #[test]
    fn arrays_and_metadata_come_back_and_the_bytes_are_always_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let tensors = [
            FeatureTensor { name: "cls".to_owned(), shape: vec![2], values: vec![1.0, -2.0] },
            FeatureTensor { name: "layer_3.patch".to_owned(), shape: vec![1, 2, 2], values: vec![0.5; 4] },
        ];
        let paths = ["a.npz", "b.npz"].map(|name| folder.path().join(name));
        for path in &paths {
            write_npz(path, &tensors, &[("model", "demo \"ä\"".to_owned())]).unwrap();
        }
        let mut archive = ZipArchive::new(File::open(&paths[0]).unwrap()).unwrap();
        let names: Vec<_> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names, ["cls.npy", "layer_3.patch.npy"]);
        assert_eq!(serde_json::from_slice::<Value>(archive.comment()).unwrap(), json!({"model": "demo \"ä\""}));
        for tensor in &tensors {
            let mut bytes = Vec::new();
            archive.by_name(&format!("{}.npy", tensor.name)).unwrap().read_to_end(&mut bytes).unwrap();
            let array = Array::<f32, ndarray::IxDyn>::read_npy(bytes.as_slice()).unwrap();
            assert_eq!(array.shape(), tensor.shape);
            assert_eq!(array.into_raw_vec_and_offset().0, tensor.values);
        }
        assert_eq!(std::fs::read(&paths[0]).unwrap(), std::fs::read(&paths[1]).unwrap());
    }
}
