//! What people, networks and disks break: one clear line, status 1, and nothing destroyed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use image::ImageFormat;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::support::{Ran, Workplace};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name)
}

/// A folder with a picture, `a.png`, and its features, `out/a.safetensors`: the older result that no failure may touch.
fn workplace() -> Workplace {
    let work = Workplace::new();
    work.picture("a.png", 64, 64);
    work.run_small(&["features", "a.png", "-o", "out"]).succeeded();
    work
}

/// `features` of `a.png` with these weights fails with these words, and leaves the older result as it was, and alone.
#[track_caller]
fn refused(work: &Workplace, weights: &str, words: &[&str]) {
    let older = fs::read(work.path("out/a.safetensors")).expect("the older result");
    let ran = work.run_small(&["features", "a.png", "-o", "out", "--weights", weights]).failed(1, words);
    assert_eq!(ran.stdout, "");
    assert_eq!(work.names("out"), ["a.safetensors"]);
    assert_eq!(fs::read(work.path("out/a.safetensors")).expect("the older result"), older);
}

/// As [`refused`], for a file of that content; the line names the file.
#[track_caller]
fn content_refused(work: &Workplace, file: &str, content: &[u8], words: &[&str]) {
    fs::write(work.path(file), content).expect("written");
    refused(work, file, &[&[file], words].concat());
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a new folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("copied");
    }
}

#[test]
fn weights_that_are_cut_short() {
    let work = workplace();
    for (file, source) in [
        ("w.safetensors", golden("../../assets/dinoscope-demo-vitt16.safetensors")),
        ("w.pth", golden("meta-vit-mlp/backbone.pth")),
        ("teacher.pth", golden("meta-vit-teacher/teacher_checkpoint.pth")),
    ] {
        let whole = fs::read(source).expect("weights");
        fs::write(work.path(file), &whole).expect("written");
        work.run_small(&["features", "a.png", "-o", "whole", "--weights", file]).succeeded();
        for len in [0, 1, 7, 9, 300, whole.len() / 2, whole.len() - 1] {
            content_refused(&work, file, &whole[..len], &[]);
        }
    }
}

#[test]
fn files_that_are_no_weights() {
    let work = workplace();
    let noise: Vec<u8> = (0..9999u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let picture = fs::read(work.path("a.png")).expect("the picture");
    for file in ["w.safetensors", "w.pth", "w"] {
        content_refused(&work, file, &noise, &[]);
        content_refused(&work, file, &[0; 4096], &[]);
        content_refused(&work, file, &picture, &[]);
        content_refused(&work, file, b"<!DOCTYPE html><title>Sign in</title>", &[]);
        content_refused(&work, file, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", &["Git LFS"]);
    }
    // Somebody else's network, whole.
    let tensor = TensorView::new(Dtype::F32, vec![2, 2], &[0; 16]).expect("a tensor");
    let other = safetensors::serialize([("fc.weight", tensor)], None).expect("safetensors");
    content_refused(&work, "other.safetensors", &other, &["patch_embed.proj.weight"]);
}

#[test]
fn folders_of_the_hub_with_broken_parts() {
    let work = workplace();
    let model = work.path("model");
    let restore = || {
        let _ = fs::remove_dir_all(&model);
        copy_folder(&golden("transformers-vit-7b-sharded/model"), &model);
    };
    restore();
    work.run_small(&["features", "a.png", "-o", "whole", "--weights", "model"]).succeeded();
    let shard = "model-00002-of-00003.safetensors";
    for (file, content) in
        [(shard, &b"garbage"[..]), ("model.safetensors.index.json", b"{"), ("config.json", b"<html></html>")]
    {
        restore();
        fs::write(model.join(file), content).expect("written");
        refused(&work, "model", &[file]);
    }
    restore();
    fs::remove_file(model.join(shard)).expect("removed");
    refused(&work, "model", &[shard]);
    fs::remove_dir_all(&model).expect("removed");
    fs::create_dir(&model).expect("a folder");
    refused(&work, "model", &["model.safetensors"]);
}

/// Type, shape and bytes of tensors by name.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// The demo model with some of its tensors changed.
fn changed_demo(change: impl FnOnce(&mut Tensors)) -> Vec<u8> {
    let bytes = fs::read(golden("../../assets/dinoscope-demo-vitt16.safetensors")).expect("the demo");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let owned = |view: TensorView| (view.dtype(), view.shape().to_vec(), view.data().to_vec());
    let mut tensors = file.iter().map(|(name, view)| (name.to_owned(), owned(view))).collect();
    change(&mut tensors);
    let views = tensors.iter().map(|(name, (dtype, shape, data))| {
        (name.clone(), TensorView::new(*dtype, shape.clone(), data).expect("a tensor"))
    });
    safetensors::serialize(views, None).expect("safetensors")
}

#[test]
fn tensors_that_are_wrong() {
    let work = workplace();
    let weight = "blocks.5.mlp.fc1.weight";
    let refused = |change: &dyn Fn(&mut Tensors), words: &[&str]| {
        content_refused(&work, "w.safetensors", &changed_demo(change), words);
    };
    for number in [half::f16::NAN, half::f16::NEG_INFINITY] {
        let place = |tensors: &mut Tensors| {
            let (dtype, _, data) = tensors.get_mut(weight).expect("it is there");
            assert_eq!(*dtype, Dtype::F16);
            data[5000..5002].copy_from_slice(&number.to_le_bytes());
        };
        refused(&place, &[weight]);
    }
    for missing in ["cls_token", "blocks.11.norm2.bias", weight] {
        refused(&|tensors| assert!(tensors.remove(missing).is_some()), &[missing]);
    }
    let shorter = |tensors: &mut Tensors| {
        let (dtype, shape, data) = tensors.get_mut(weight).expect("it is there");
        shape[1] -= 1;
        data.truncate(shape[0] * shape[1] * dtype.bitsize() / 8);
    };
    refused(&shorter, &[weight, "[768, 191]", "[768, 192]"]);
    let transposed = |tensors: &mut Tensors| {
        tensors.get_mut(weight).expect("it is there").1.reverse();
    };
    refused(&transposed, &[weight, "[192, 768]", "[768, 192]"]);
    let integers = |tensors: &mut Tensors| {
        tensors.get_mut(weight).expect("it is there").0 = Dtype::I16;
    };
    refused(&integers, &[weight]);
}

#[test]
fn features_that_overflow_are_no_result() {
    let work = workplace();
    let numbers = |count: usize| [f32::MAX / 2.0].repeat(count).iter().flat_map(|v| v.to_le_bytes()).collect();
    let huge = changed_demo(|tensors| {
        let shape = vec![192, 768];
        tensors.insert("blocks.3.mlp.fc2.weight".to_owned(), (Dtype::F32, shape, numbers(192 * 768)));
    });
    fs::write(work.path("w.safetensors"), huge).expect("written");
    refused(&work, "w.safetensors", &["a.png", "NaN"]);
}

/// A file as by `torch.save`, with this pickle.
fn torch_file(pickle: &[u8]) -> Vec<u8> {
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in [("archive/data.pkl", pickle), ("archive/data/0", &[0; 64]), ("archive/version", b"3\n")] {
        archive.start_file(name, options).expect("a new entry");
        archive.write_all(content).expect("written");
    }
    archive.finish().expect("an archive").into_inner()
}

#[test]
fn a_pickle_cannot_run_code() {
    let work = workplace();
    for pickle in [
        &b"\x80\x02cposix\nsystem\nX\x0b\x00\x00\x00touch pwned\x85R."[..],
        b"\x80\x02cos\nsystem\n(X\x0b\x00\x00\x00touch pwnedtR.",
        b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93X\x14\x00\x00\x00open(\"pwned\",\"w\")   \x85R.",
        b"(S'touch pwned'\nios\nsystem\n.",
    ] {
        content_refused(&work, "w.pth", &torch_file(pickle), &[]);
        assert!(!work.path("pwned").exists());
    }
    let system = torch_file(b"\x80\x02cposix\nsystem\nX\x0b\x00\x00\x00touch pwned\x85R.");
    content_refused(&work, "w.pth", &system, &["posix.system"]);
}

#[test]
fn a_small_archive_that_unfolds_to_a_large_one() {
    let work = workplace();
    let mut bomb = fs::read(golden("meta-vit-mlp/backbone.pth")).expect("weights");
    // The first entry of the central directory: compressed, to almost 4 GB when unfolded.
    let entry = bomb.windows(4).position(|bytes| bytes == b"PK\x01\x02").expect("a central directory");
    bomb[entry + 10] = 8;
    bomb[entry + 24..entry + 28].copy_from_slice(&0xffff_fff0u32.to_le_bytes());
    content_refused(&work, "w.pth", &bomb, &["compressed"]);
    // A tensor of 2^40 numbers that are one number, 2^40 times: strides of zero.
    let mut pickle = b"\x80\x02}X\x17\x00\x00\x00patch_embed.proj.weightctorch._utils\n_rebuild_tensor_v2\n((".to_vec();
    pickle.extend(b"X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x10tQK\x00");
    pickle.extend(
        b"(\x8a\x06\x00\x00\x00\x00\x00\x01K\x03K\x10K\x10t(K\x00K\x00K\x00K\x00t\x89ccollections\nOrderedDict\n)RtRs.",
    );
    content_refused(&work, "w.pth", &torch_file(&pickle), &["repeats"]);
}

/// One line each for files that could not be used, in any order, and status 1.
#[track_caller]
fn each_reported(ran: &Ran, files: &[String]) {
    assert_eq!((ran.status, ran.stderr.lines().count()), (1, files.len()), "{}", ran.stderr);
    for file in files {
        let lines: Vec<&str> = ran.stderr.lines().filter(|line| line.contains(file.as_str())).collect();
        assert!(matches!(lines[..], [line] if line.starts_with("dinoscope: ")), "{file}: {}", ran.stderr);
    }
}

#[test]
fn pictures_of_every_kind_cut_short_or_overwritten() {
    let work = workplace();
    let picture = image::open(work.path("a.png")).expect("a picture");
    let mut broken = Vec::new();
    for (extension, format) in [
        ("jpg", ImageFormat::Jpeg),
        ("png", ImageFormat::Png),
        ("webp", ImageFormat::WebP),
        ("tiff", ImageFormat::Tiff),
        ("bmp", ImageFormat::Bmp),
        ("gif", ImageFormat::Gif),
    ] {
        let mut whole = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut whole, format).expect("encoded");
        let whole = whole.into_inner();
        let overwritten: Vec<u8> =
            whole.iter().enumerate().map(|(i, byte)| if i < 12 { *byte } else { 0x2A }).collect();
        for (kind, content) in
            [("empty", &[][..]), ("start", &whole[..10]), ("half", &whole[..whole.len() / 2]), ("stars", &overwritten)]
        {
            let file = format!("{kind}.{extension}");
            fs::write(work.path(&file), content).expect("written");
            broken.push(file);
        }
    }
    let mut arguments = vec!["features", "-o", "out"];
    arguments.extend(broken.iter().map(String::as_str));
    arguments.push("a.png");
    each_reported(&work.run_small(&arguments), &broken);
    assert_eq!(work.names("out"), ["a.safetensors"]);
}

/// Windows has no such names.
#[cfg(unix)]
#[test]
fn a_name_with_a_line_break_is_told_in_one_line() {
    let work = workplace();
    fs::write(work.path("new\nline.png"), "no picture").expect("written");
    work.run_small(&["features", "new\nline.png", "-o", "out"]).failed(1, &["new line.png"]);
}

#[test]
fn a_broken_second_picture_or_mask() {
    let work = workplace();
    fs::write(work.path("bad.png"), b"\x89PNG\r\n\x1a\nno").expect("written");
    fs::write(work.path("o.png"), b"older").expect("written");
    for arguments in [
        &["similarity", "a.png", "--point", "1,1", "--to", "bad.png", "-o", "o.png"][..],
        &["match", "a.png", "bad.png", "-o", "o.png"],
        &["match", "bad.png", "a.png", "-o", "o.png"],
        &["match", "a.png", "a.png", "--mask-left", "bad.png", "-o", "o.png"],
        &["pca", "a.png", "--foreground", "bad.png", "-o", "."],
    ] {
        work.run_small(arguments).failed(1, &["bad.png"]);
    }
    assert_eq!(work.names("."), ["a.png", "bad.png", "o.png", "out"]);
    assert_eq!(fs::read(work.path("o.png")).expect("readable"), b"older");
}

#[test]
fn the_smallest_picture_and_one_that_claims_too_much() {
    let work = workplace();
    work.picture("dot.png", 1, 1);
    work.run_small(&["features", "dot.png", "-o", "dot"]).succeeded();
    assert_eq!(work.names("dot"), ["dot.safetensors"]);
    work.run_small(&["similarity", "dot.png", "--point", "0,0", "-o", "dot/s.png"]).succeeded();
    assert_eq!(work.picture_size("dot/s.png"), (1, 1));

    let mut header = b"IHDR".to_vec();
    header.extend([30_000u32, 30_000].map(u32::to_be_bytes).as_flattened());
    header.extend([8, 2, 0, 0, 0]);
    let mut forged = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    forged.extend(&header);
    forged.extend(crc32(&header).to_be_bytes());
    forged.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e\0\0\0\0IEND\xae\x42\x60\x82");
    fs::write(work.path("huge.png"), forged).expect("written");
    work.run_small(&["features", "huge.png", "-o", "out"]).failed(1, &["huge.png", "30000x30000"]);
    assert_eq!(work.names("out"), ["a.safetensors"]);
}

/// Of a PNG chunk.
fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn folders_that_cannot_be_read_or_written() {
    let work = workplace();
    refused(&work, "a.png/model", &["a.png/model"]);
    work.run_small(&["features", "a.png/b.png", "-o", "out"]).failed(1, &["a.png/b.png"]);
    work.run_small(&["features", "a.png", "-o", "a.png/out"]).failed(1, &["a.png/out"]);
    assert_eq!(work.names("."), ["a.png", "out"]);
    assert_eq!(work.picture_size("a.png"), (64, 64));
}

/// The permissions of a folder bind everybody but root.
#[cfg(unix)]
#[test]
fn folders_without_permission() {
    use std::os::unix::fs::PermissionsExt;
    let work = workplace();
    let closed = work.path("closed");
    fs::create_dir(&closed).expect("a folder");
    work.picture("closed/b.png", 32, 32);
    let set_mode = |mode| fs::set_permissions(&closed, fs::Permissions::from_mode(mode)).expect("it is ours");
    set_mode(0o000);
    let is_root = fs::read_dir(&closed).is_ok();
    let read = work.run_small(&["features", "closed/b.png", "-o", "out"]);
    set_mode(0o500);
    let written = work.run_small(&["features", "a.png", "-o", "closed"]);
    set_mode(0o700);
    if is_root {
        read.succeeded();
        written.succeeded();
    } else {
        read.failed(1, &["closed/b.png", "ermission"]);
        written.failed(1, &["closed", "ermission"]);
        assert_eq!(work.names("closed"), ["b.png"]);
    }
    // Not even root makes a file there.
    work.run_small(&["features", "a.png", "-o", "/proc"]).failed(1, &["/proc"]);
    work.run_small(&["features", "a.png", "-o", "/proc/dinoscope"]).failed(1, &["/proc/dinoscope"]);
}

/// A disk of 64 kB.
#[cfg(target_os = "linux")]
struct SmallDisk(PathBuf);

#[cfg(target_os = "linux")]
impl SmallDisk {
    /// `None` where this system lets no test mount one.
    fn mount(folder: PathBuf) -> Option<Self> {
        fs::create_dir(&folder).expect("a new folder");
        let options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs"];
        let mut mount = std::process::Command::new("mount");
        let output = mount.args(options).arg(&folder).output();
        output.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_keeps_what_it_has() {
    let work = workplace();
    let Some(_disk) = SmallDisk::mount(work.path("disk")) else {
        // Only root can mount: a file that is always full then stands for the disk, and has no older content to keep.
        std::os::unix::fs::symlink("/dev/full", work.path("disk/a.safetensors")).expect("linked");
        work.run_small(&["features", "a.png", "-o", "disk"]).failed(1, &["disk/a.safetensors", "space"]);
        assert_eq!(work.names("disk"), ["a.safetensors"]);
        return;
    };
    work.run_small(&["features", "a.png", "-o", "disk"]).succeeded();
    work.run_small(&["pca", "a.png", "-o", "disk"]).succeeded();
    let names = ["a.pca.png", "a.safetensors"];
    let contents = || names.map(|name| fs::read(work.path("disk").join(name)).expect("readable"));
    let older = contents();
    // 256 patches of 192 numbers are 196 kB.
    let larger = ["features", "a.png", "-o", "disk", "--size", "256", "--device", "cpu"];
    work.run(&larger).failed(1, &["disk/a.safetensors", "space"]);
    assert_eq!((work.names("disk"), contents()), (names.map(str::to_owned).to_vec(), older.clone()));
    fs::write(work.path("disk/filler"), [0; 1 << 17]).expect_err("the disk is full now");
    work.run_small(&["features", "a.png", "-o", "disk"]).failed(1, &["disk/a.safetensors", "space"]);
    work.run_small(&["pca", "a.png", "-o", "disk"]).failed(1, &["disk/a.pca.png", "space"]);
    work.run_small(&["features", "a.png", "-o", "disk/new", "--format", "npy"]).failed(1, &["disk/new", "space"]);
    assert_eq!(contents(), older);
}

#[test]
fn two_runs_at_once_leave_a_whole_file() {
    let work = workplace();
    let features = |size: &str, folder: &str| {
        work.run(&["features", "a.png", "-o", folder, "--size", size, "--device", "cpu"]).succeeded();
        fs::read(work.path(folder).join("a.safetensors")).expect("a result")
    };
    let alone = [features("64", "small"), features("128", "large")];
    for _ in 0..3 {
        std::thread::scope(|scope| {
            for size in ["64", "128", "64", "128"] {
                scope.spawn(move || features(size, "both"));
            }
        });
        assert_eq!(work.names("both"), ["a.safetensors"]);
        assert!(alone.contains(&fs::read(work.path("both/a.safetensors")).expect("a result")));
    }
}
