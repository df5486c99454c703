//! Features as a table: Apache Parquet with a row for each token.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use ::parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;
use ::parquet::schema::types::ColumnPath;

use super::{Metadata, write_atomically};
use crate::Result;
use crate::features::{Encoded, Features, Geometry, Patch};

const SCHEMA: &str = "
message features {
    required binary token (STRING);
    optional int32 layer;
    optional int32 row;
    optional int32 col;
    optional double x;
    optional double y;
    required group feature (LIST) {
        repeated group list {
            required float element;
        }
    }
}";

/// Features that are handed over at a time.
const BATCH: usize = 256;

/// Writes all tokens of a picture, those of the output first: CLS, registers, patches row by row. `layer` is null for the
/// output; `row`, `col` and the centre `x`, `y` in pixels of the original picture are null for what is no patch.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_parquet(path: &Path, encoded: &Encoded, geometry: &Geometry, metadata: &Metadata<'_>) -> Result<()> {
    let pairs = metadata.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone())).collect();
    let properties = WriterProperties::builder()
        .set_created_by("dinoscope".to_owned())
        .set_key_value_metadata(Some(pairs))
        .set_dictionary_enabled(false)
        .set_column_dictionary_enabled(ColumnPath::from("token"), true)
        .build();
    let schema = Arc::new(parse_message_type(SCHEMA).expect("the schema is part of the program"));
    write_atomically(path, |writer| {
        let write = || -> Result<(), ParquetError> {
            let mut file = SerializedFileWriter::new(writer, schema, Arc::new(properties))?;
            write_layer(file.next_row_group()?, None, &encoded.output, geometry)?;
            for (layer, features) in &encoded.layers {
                write_layer(file.next_row_group()?, Some(*layer), features, geometry)?;
            }
            file.close()?;
            Ok(())
        };
        write().map_err(io_error)
    })
}

/// The system's reason, where there is one.
fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => error.downcast::<io::Error>().map_or_else(io::Error::other, |error| *error),
        other => io::Error::other(other),
    }
}

fn write_layer<W: Write + Send>(
    mut group: SerializedRowGroupWriter<'_, W>,
    layer: Option<usize>,
    features: &Features,
    geometry: &Geometry,
) -> Result<(), ParquetError> {
    let registers = features.registers.nrows();
    let (rows, cols) = (features.patch.rows, features.patch.cols);
    let others = 1 + registers;
    let tokens = others + rows * cols;
    // Stages of a ConvNeXt have grids of their own.
    let geometry = Geometry { grid: (rows, cols), ..*geometry };
    let patches: Vec<Patch> = (0..rows * cols).map(|index| Patch { row: index / cols, col: index % cols }).collect();
    let centres: Vec<(f64, f64)> = patches.iter().map(|&patch| geometry.pixel_from_patch(patch)).collect();

    let names = std::iter::once("cls".to_owned()).chain((0..registers).map(|index| format!("register {index}")));
    let mut names: Vec<ByteArray> = names.map(|name| ByteArray::from(name.into_bytes())).collect();
    names.resize(tokens, ByteArray::from("patch"));
    write_column::<ByteArrayType>(&mut group, &[(&names, None, None)])?;

    let index = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
    let (layers, known) = match layer {
        Some(layer) => (vec![index(layer); tokens], 1),
        None => (Vec::new(), 0),
    };
    write_column::<Int32Type>(&mut group, &[(&layers, Some(&vec![known; tokens]), None)])?;

    let mut known = vec![0; others];
    known.resize(tokens, 1);
    let row: Vec<i32> = patches.iter().map(|patch| index(patch.row)).collect();
    write_column::<Int32Type>(&mut group, &[(&row, Some(&known), None)])?;
    let col: Vec<i32> = patches.iter().map(|patch| index(patch.col)).collect();
    write_column::<Int32Type>(&mut group, &[(&col, Some(&known), None)])?;
    let x: Vec<f64> = centres.iter().map(|centre| centre.0).collect();
    write_column::<DoubleType>(&mut group, &[(&x, Some(&known), None)])?;
    let y: Vec<f64> = centres.iter().map(|centre| centre.1).collect();
    write_column::<DoubleType>(&mut group, &[(&y, Some(&known), None)])?;

    let dim = features.cls.len();
    let (registers, patch) = (features.registers.as_standard_layout(), features.patch.data.as_standard_layout());
    let parts = [&features.cls[..], registers.as_slice().unwrap_or_default(), patch.as_slice().unwrap_or_default()];
    let defined = vec![1; BATCH * dim];
    // A list begins where nothing is repeated.
    let repeated: Vec<i16> = (0..BATCH * dim).map(|index| i16::from(index % dim != 0)).collect();
    let batches: Vec<Batch<'_, f32>> = parts
        .iter()
        .flat_map(|part| part.chunks((BATCH * dim).max(1)))
        .map(|values| (values, Some(&defined[..values.len()]), Some(&repeated[..values.len()])))
        .collect();
    write_column::<FloatType>(&mut group, &batches)?;
    group.close()?;
    Ok(())
}

/// Values, which rows have one, and which continue a list.
type Batch<'a, T> = (&'a [T], Option<&'a [i16]>, Option<&'a [i16]>);

fn write_column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, impl Write + Send>,
    batches: &[Batch<'_, T::T>],
) -> Result<(), ParquetError> {
    let mut column = group.next_column()?.expect("a column of the schema");
    for (values, defined, repeated) in batches {
        column.typed::<T>().write_batch(values, *defined, *repeated)?;
    }
    column.close()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::RowAccessor;
    use ndarray::Array2;

    use super::*;
    use crate::features::FeatureGrid;

    fn features(rows: usize, cols: usize, dim: usize, registers: usize) -> Features {
        let value = |(i, j): (usize, usize)| (100 * i + j) as f32 + 0.5;
        Features {
            cls: vec![-1.0; dim],
            registers: Array2::from_elem((registers, dim), -2.0),
            patch: FeatureGrid { rows, cols, data: Array2::from_shape_fn((rows * cols, dim), value) },
        }
    }

    #[test]
    fn a_row_for_each_token_of_each_layer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        // More patches than a batch, and a stage with a grid of its own.
        let encoded = Encoded { output: features(20, 15, 3, 2), layers: vec![(0, features(2, 3, 4, 0))] };
        let geometry = Geometry { picture: (310, 400), covered: (300, 400), grid: (20, 15) };
        write_parquet(&path, &encoded, &geometry, &[("model", "demo".to_owned())]).unwrap();

        let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap();
        assert_eq!(pairs[0], KeyValue::new("model".to_owned(), "demo".to_owned()));
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 1 + 2 + 300 + 1 + 6);
        let feature = |row: usize| -> Vec<f32> {
            let list = rows[row].get_list(6).unwrap();
            list.elements().iter().map(|field| field.to_string().parse().unwrap()).collect()
        };
        let token = |row: usize| rows[row].get_string(0).unwrap().as_str();
        assert_eq!((token(0), token(2), token(3), token(303)), ("cls", "register 1", "patch", "cls"));
        assert_eq!((feature(0), feature(2)), (vec![-1.0; 3], vec![-2.0; 3]));
        assert!(rows[0].get_int(1).is_err() && rows[2].get_double(4).is_err(), "neither a layer nor a place");

        // Patch (19, 14), and (1, 2) of the stage.
        let last = 3 + 299;
        assert_eq!(feature(last), [29_900.5, 29_901.5, 29_902.5]);
        assert_eq!((rows[last].get_int(2).unwrap(), rows[last].get_int(3).unwrap()), (19, 14));
        assert_eq!((rows[last].get_double(4).unwrap(), rows[last].get_double(5).unwrap()), (290.0, 390.0));
        let last = rows.len() - 1;
        assert_eq!((rows[last].get_int(1).unwrap(), feature(last)), (0, vec![500.5, 501.5, 502.5, 503.5]));
        assert_eq!((rows[last].get_double(4).unwrap(), rows[last].get_double(5).unwrap()), (250.0, 300.0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_an_error() {
        let encoded = Encoded { output: features(1, 1, 2, 0), layers: Vec::new() };
        let geometry = Geometry { picture: (16, 16), covered: (16, 16), grid: (1, 1) };
        let error = write_parquet(Path::new("/dev/full"), &encoded, &geometry, &[]).unwrap_err().to_string();
        assert!(error.contains("/dev/full") && error.contains("No space"), "{error}");
    }
}
