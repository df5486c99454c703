//! Every shader of the program, without a device.

use std::fs;
use std::path::{Path, PathBuf};

use wgpu::naga::front::wgsl;
use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};

fn shaders_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| match path.extension() {
            // Kernels of backbones are put together from several files: they have a test of their own.
            _ if path.ends_with("backbone") => Vec::new(),
            _ if path.is_dir() => shaders_below(&path),
            Some(extension) if extension == "wgsl" => vec![path],
            _ => Vec::new(),
        })
        .collect()
}

fn problem(source: &str) -> Option<String> {
    match wgsl::parse_str(source) {
        Err(error) => Some(error.emit_to_string(source)),
        // Unpacking half precision is part of WGSL; no extension is: shaders must run on every device that computes.
        Ok(module) => Validator::new(ValidationFlags::all(), Capabilities::SHADER_FLOAT16_IN_FLOAT32)
            .validate(&module)
            .err()
            .map(|error| error.emit_to_string(source)),
    }
}

#[test]
fn every_shader_is_valid() {
    let shaders = shaders_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../shaders"));
    let names: Vec<&str> = shaders.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    for expected in ["similarity.wgsl", "range.wgsl", "nearest.wgsl", "project.wgsl", "smaller.wgsl", "picture.wgsl"] {
        assert!(names.contains(&expected), "{names:?}");
    }
    let problems: Vec<String> = shaders
        .iter()
        .filter_map(|path| {
            let problem = problem(&fs::read_to_string(path).expect("text"))?;
            Some(format!("{}: {problem}", path.display()))
        })
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn broken_shaders_are_found() {
    assert!(problem("fn f() -> u32 { return 1.5; }").is_some());
    assert!(problem("@compute @workgroup_size(1) fn f() { let x = y; }").is_some());
    assert!(problem("enable f16; var<private> x: f16;").is_some());
}
