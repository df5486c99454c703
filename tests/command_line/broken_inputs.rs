use std::fs;

use super::support::Workplace;

#[test]
fn a_broken_picture_is_skipped_unless_strict() {
    let work = Workplace::new();
    fs::write(work.path("a.png"), b"\x89PNG\r\n\x1a\nno").expect("written");
    work.picture("b.png", 32, 32);
    work.run_small(&["features", "a.png", "b.png", "-o", "out"]).failed(1, &["a.png"]);
    assert_eq!(work.names("out"), ["b.safetensors"]);
    work.run_small(&["features", "a.png", "b.png", "-o", "strict", "--strict"]).failed(1, &["a.png"]);
    assert!(work.names("strict").is_empty());
    for joint in [&["--joint"][..], &[]] {
        let arguments = [&["pca", "a.png", "b.png", "-o", "pca"], joint].concat();
        work.run_small(&arguments).failed(1, &["a.png"]);
        assert_eq!(work.names("pca"), ["b.pca.png"]);
    }
}

#[test]
fn missing_files_folders_and_videos() {
    let work = Workplace::new();
    fs::create_dir(work.path("folder")).expect("a folder");
    fs::write(work.path("clip.mp4"), b"video").expect("written");
    work.run_small(&["features", "gone.png", "-o", "out"]).failed(1, &["gone.png"]);
    work.run_small(&["features", "folder", "-o", "out"]).failed(1, &["folder is a folder"]);
    work.run_small(&["pca", "clip.mp4", "-o", "out"]).failed(1, &["clip.mp4 is a video"]);
    work.run_small(&["similarity", "gone.png", "--point", "1,1", "-o", "s.png"]).failed(1, &["gone.png"]);
}

#[test]
fn outputs_that_cannot_be_written() {
    let work = Workplace::new();
    work.picture("a.png", 32, 32);
    let before = fs::read(work.path("a.png")).expect("the picture");
    let similarity = |output: &str| work.run_small(&["similarity", "a.png", "--point", "1,1", "-o", output]);
    similarity("a.png").failed(1, &["a.png", "one of the inputs"]);
    similarity("nowhere/s.png").failed(1, &["no folder nowhere"]);
    similarity(".").failed(1, &["is a folder"]);
    similarity("s.jpg").failed(2, &["s.jpg", "PNG"]);
    let twice = ["similarity", "a.png", "--point", "1,1", "-o", "s.png", "--npy", "s.png"];
    work.run_small(&twice).failed(2, &["s.png", "two outputs"]);
    work.run_small(&["pca", "a.png", "-o", "colours.png"]).failed(2, &["colours.png", "folder"]);
    work.run_small(&["features", "a.png", "-o", "a.png"]).failed(1, &["a.png", "it is a file"]);
    work.run_small(&["features", "a.png", "-o", "a.png/deeper"]).failed(1, &["cannot create the folder a.png/deeper"]);
    assert_eq!(fs::read(work.path("a.png")).expect("the picture"), before);
}

#[test]
fn an_output_never_replaces_another_input() {
    let work = Workplace::new();
    work.picture("a.png", 32, 32);
    work.picture("a.pca.png", 48, 32);
    work.run_small(&["pca", "a.png", "a.pca.png", "-o", "."]).failed(1, &["a.pca.png", "one of the inputs"]);
    assert_eq!(work.picture_size("a.pca.png"), (48, 32));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk() {
    let work = Workplace::new();
    work.picture("a.png", 32, 32);
    work.run_small(&["similarity", "a.png", "--point", "1,1", "-o", "/dev/full"]).failed(1, &["/dev/full", "space"]);
}

#[test]
fn points_outside_name_the_size() {
    let work = Workplace::new();
    work.picture("a.png", 70, 50);
    let at = |point: &str, extra: &[&str]| {
        work.run(&[&["similarity", "a.png", "-o", "s.png", "--point", point], extra].concat())
    };
    at("70,1", &[]).failed(1, &["point 70,1", "a.png", "70x50"]);
    at("-1,5", &[]).failed(1, &["point -1,5", "70x50"]);
    at("1,49", &["--size", "native"]).failed(1, &["point 1,49", "64x48"]);
}

#[test]
fn weights_that_cannot_be_used() {
    let work = Workplace::new();
    work.picture("a.png", 32, 32);
    fs::write(work.path("w.safetensors"), b"garbage").expect("written");
    fs::write(work.path("w.pth"), b"garbage").expect("written");
    for weights in ["w.safetensors", "w.pth", "gone.pth"] {
        work.run_small(&["features", "a.png", "-o", "out", "--weights", weights]).failed(1, &[weights]);
    }
}

#[test]
fn two_runs_into_one_folder() {
    let work = Workplace::new();
    work.picture("a.png", 64, 64);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| work.run_small(&["pca", "a.png", "-o", "out", "--npy"]).succeeded());
        }
    });
    assert_eq!(work.names("out"), ["a.pca.npy", "a.pca.png"]);
    assert_eq!(work.picture_size("out/a.pca.png"), (64, 64));
}
