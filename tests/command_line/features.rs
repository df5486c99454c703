use ndarray::{Array1, Array3};
use safetensors::SafeTensors;

use super::support::Workplace;

#[test]
fn one_file_per_picture_with_metadata() {
    let work = Workplace::new();
    work.picture("wide.png", 96, 48);
    work.run_small(&["features", "wide.png", "-o", "new/folder", "--layers", "3,11"]).succeeded();
    let bytes = std::fs::read(work.path("new/folder/wide.safetensors")).expect("the file");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let shape = |name: &str| tensors.tensor(name).expect(name).shape().to_vec();
    assert_eq!(shape("cls"), [192]);
    assert_eq!(shape("registers"), [4, 192]);
    assert_eq!(shape("patch"), [4, 8, 192]);
    assert_eq!(shape("layer_3.patch"), [4, 8, 192]);
    assert_eq!(shape("layer_3.cls"), [192]);
    // The last block with the final norm is the output.
    let data = |name: &str| tensors.tensor(name).expect(name).data().to_vec();
    assert_eq!(data("layer_11.patch"), data("patch"));
    assert_ne!(data("layer_3.patch"), data("patch"));

    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
    let metadata = header.metadata().clone().expect("metadata");
    assert_eq!((metadata["model"].as_str(), metadata["size"].as_str()), ("demo", "128x64"));
    assert_eq!((metadata["device"].as_str(), metadata["dtype"].as_str()), ("cpu", "f32"));
    assert_eq!(metadata["weights"].len(), 64);
}

#[test]
fn npy_holds_the_same_numbers() {
    let work = Workplace::new();
    work.picture("a.png", 64, 64);
    work.run_small(&["features", "a.png", "-o", "out", "--format", "npy"]).succeeded();
    work.run_small(&["features", "a.png", "-o", "out"]).succeeded();
    assert_eq!(work.names("out"), ["a.cls.npy", "a.patch.npy", "a.registers.npy", "a.safetensors"]);
    let patch: Array3<f32> = ndarray_npy::read_npy(work.path("out/a.patch.npy")).expect("an array");
    let cls: Array1<f32> = ndarray_npy::read_npy(work.path("out/a.cls.npy")).expect("an array");
    assert_eq!((patch.dim(), cls.len()), ((4, 4, 192), 192));
    let bytes = std::fs::read(work.path("out/a.safetensors")).expect("the file");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let stored: Vec<u8> = patch.iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(tensors.tensor("patch").expect("patch").data(), stored);
}

#[test]
fn stems_of_different_folders_stay_apart() {
    let work = Workplace::new();
    work.picture("one/a.png", 32, 32);
    work.picture("two/a.png", 48, 32);
    let ran = work.run_small(&["features", "one/a.png", "two/a.png", "-o", "out", "--json"]).succeeded();
    assert_eq!(work.names("out"), ["a-2.safetensors", "a.safetensors"]);
    let json = ran.json();
    assert_eq!(json["images"][1]["image"], "two/a.png");
    assert_eq!(json["images"][1]["grid"], serde_json::json!([4, 6]));
}

#[test]
fn sizes() {
    let work = Workplace::new();
    work.picture("a.png", 100, 50);
    let size = |value: &str| {
        let ran = work.run(&["features", "a.png", "-o", "out", "--json", "--size", value]).succeeded();
        ran.json()["images"][0]["size"].as_str().expect("a size").to_owned()
    };
    assert_eq!(size("50"), "128x64");
    assert_eq!(size("96x32"), "96x32");
    assert_eq!(size("native"), "96x48");
}

#[test]
fn npz_and_parquet_hold_the_same_numbers() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::{Field, RowAccessor};
    let work = Workplace::new();
    work.picture("a.png", 96, 48);
    for format in ["safetensors", "npz", "parquet"] {
        work.run_small(&["features", "a.png", "-o", "out", "--layers", "3", "--format", format]).succeeded();
    }
    assert_eq!(work.names("out"), ["a.npz", "a.parquet", "a.safetensors"]);
    let bytes = std::fs::read(work.path("out/a.safetensors")).expect("the file");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let expected = |name: &str| -> Vec<f32> {
        tensors.tensor(name).expect(name).data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    };

    let open = |name: &str| std::fs::File::open(work.path(name)).expect("the file");
    let mut archive = zip::ZipArchive::new(open("out/a.npz")).expect("an archive");
    let in_archive = archive.file_names().map(|name| name.expect("a name").trim_end_matches(".npy").to_owned());
    let mut names: Vec<String> = in_archive.collect();
    names.sort();
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), {
        let mut names = tensors.names();
        names.sort();
        names
    });
    for name in &names {
        let mut bytes = Vec::new();
        let mut entry = archive.by_name(&format!("{name}.npy")).expect("an array");
        std::io::Read::read_to_end(&mut entry, &mut bytes).expect("read");
        let array = <ndarray::ArrayD<f32> as ndarray_npy::ReadNpyExt>::read_npy(bytes.as_slice()).expect("an array");
        assert_eq!(array.shape(), tensors.tensor(name).expect(name).shape());
        assert_eq!(array.iter().copied().collect::<Vec<_>>(), expected(name), "{name}");
    }
    let comment: serde_json::Value = serde_json::from_slice(archive.comment()).expect("JSON");
    assert_eq!((&comment["model"], &comment["size"]), (&"demo".into(), &"128x64".into()));

    let reader = SerializedFileReader::new(open("out/a.parquet")).expect("a table");
    let pairs = reader.metadata().file_metadata().key_value_metadata().expect("metadata");
    let text = |key: &str| pairs.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.as_deref());
    assert_eq!((text("model"), text("size"), text("dtype")), (Some("demo"), Some("128x64"), Some("f32")));
    assert_eq!(text("weights").map(str::len), Some(64));
    let (mut patch, mut deeper, mut centres) = (Vec::new(), Vec::new(), Vec::new());
    for row in reader.get_row_iter(None).expect("rows") {
        let row = row.expect("a row");
        let list = row.get_list(6).expect("a feature").elements().iter();
        let feature = list.map(|field| if let Field::Float(value) = field { *value } else { f32::NAN });
        let of_output = row.get_int(1).is_err();
        match (row.get_string(0).expect("a token").as_str(), of_output) {
            ("patch", true) => {
                patch.extend(feature);
                centres.push((row.get_double(4).expect("x"), row.get_double(5).expect("y")));
            }
            ("patch", false) => deeper.extend(feature),
            ("cls", true) => assert_eq!(feature.collect::<Vec<_>>(), expected("cls")),
            _ => {}
        }
    }
    assert!(patch == expected("patch") && deeper == expected("layer_3.patch"));
    assert_eq!((centres.len(), centres[0], centres[31]), (32, (6.0, 6.0), (90.0, 42.0)));
}
