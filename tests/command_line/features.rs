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
