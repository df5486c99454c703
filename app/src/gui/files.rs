//! What a path is, and what opening it does. Reads the beginning of files at most, and never on the window's thread.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use dinoscope_engine::checkpoint::DinotxtWeights;
use dinoscope_engine::heads::{Task, task_of};
use dinoscope_engine::probe::file::KIND as PROBE_KIND;
use dinoscope_engine::retrieval::Index;
use dinoscope_engine::video::is_video;

/// Pictures taken from one folder.
const MOST_IN_FOLDER: usize = 500;

/// A folder of fewer numbered pictures holds pictures; of more, the frames of a clip.
const LEAST_IN_CLIP: usize = 12;

/// Grey levels or colours of a mask: a drawing or photograph has more.
const MOST_MASK_LEVELS: usize = 8;

/// What can be opened, for sentences.
pub const OPENABLE: &str = "pictures (JPEG, PNG, WebP, TIFF, BMP, GIF), videos, folders of pictures, checkpoints \
                            (.pth, .safetensors, .gguf), masks (PNG) and workspaces";

/// Endings of picture files.
pub const PICTURE_ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp", "gif"];
/// Endings of checkpoint files.
pub const CHECKPOINT_ENDINGS: [&str; 5] = ["safetensors", "pth", "pt", "bin", "gguf"];
/// Ending of workspaces, in two parts.
pub const WORKSPACE_ENDING: &str = "dinoscope.json";
/// Endings of video files.
pub const VIDEO_ENDINGS: [&str; 8] = ["mp4", "mov", "mkv", "webm", "avi", "m4v", "mpg", "mpeg"];

/// What one path is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Picture,
    Clip,
    Mask,
    Folder(Vec<PathBuf>),
    Searched,
    Index,
    Checkpoint,
    Dinotxt,
    Head(Task),
    Probe,
    Workspace,
    Refused(String),
}

/// What the meaning of a file depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// Width and height of the picture that is worked on.
    pub active_size: Option<(usize, usize)>,
    /// Whether a picture is meant as a mask, whatever it looks like.
    pub is_mask_meant: bool,
    /// Whether folders are searched instead of opened.
    pub searches_folders: bool,
}

/// What a set of paths comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Pictures to open.
    pub pictures: Vec<PathBuf>,
    /// Clips to open.
    pub clips: Vec<PathBuf>,
    /// The foreground of the active picture.
    pub mask: Option<PathBuf>,
    /// A model to load.
    pub checkpoint: Option<PathBuf>,
    /// dino.txt's weights to use.
    pub dinotxt: Option<PathBuf>,
    /// A head to use, and what for.
    pub head: Option<(Task, PathBuf)>,
    /// A probe to use.
    pub probe: Option<PathBuf>,
    /// A folder of pictures to search.
    pub searched: Option<PathBuf>,
    /// An index of pictures to search.
    pub index: Option<PathBuf>,
    /// A workspace to open instead of what is open.
    pub workspace: Option<PathBuf>,
    /// One sentence for each path that is of no use.
    pub refused: Vec<String>,
}

/// Looks at paths. Takes as long as the disk takes.
pub fn look(paths: &[PathBuf], circumstances: Circumstances) -> Found {
    let mut found = Found::default();
    for path in paths {
        match kind(path, circumstances) {
            Kind::Picture => found.pictures.push(path.clone()),
            Kind::Clip => found.clips.push(path.clone()),
            Kind::Folder(pictures) => found.pictures.extend(pictures),
            Kind::Searched => found.searched = Some(path.clone()),
            Kind::Index => found.index = Some(path.clone()),
            Kind::Mask => found.mask = Some(path.clone()),
            Kind::Checkpoint => found.checkpoint = Some(path.clone()),
            Kind::Dinotxt => found.dinotxt = Some(path.clone()),
            Kind::Head(task) => found.head = Some((task, path.clone())),
            Kind::Probe => found.probe = Some(path.clone()),
            Kind::Workspace => found.workspace = Some(path.clone()),
            Kind::Refused(sentence) => found.refused.push(sentence),
        }
    }
    found
}

impl Found {
    /// What will happen, for the drop zone: "Open 3 pictures".
    pub fn announcement(&self) -> String {
        let mut parts = Vec::new();
        if self.workspace.is_some() {
            parts.push("open this workspace".to_owned());
        }
        match self.pictures.len() {
            0 => {}
            1 => parts.push("open this picture".to_owned()),
            count => parts.push(format!("open {count} pictures")),
        }
        match self.clips.len() {
            0 => {}
            1 => parts.push("open this video".to_owned()),
            count => parts.push(format!("open {count} videos")),
        }
        if self.mask.is_some() {
            parts.push("use this mask as the picture's foreground".to_owned());
        }
        if self.checkpoint.is_some() {
            parts.push("load this checkpoint".to_owned());
        }
        if self.dinotxt.is_some() {
            parts.push("use this dino.txt for words".to_owned());
        }
        if let Some((task, _)) = &self.head {
            parts.push(format!("use this head for {}", task.name()));
        }
        if self.probe.is_some() {
            parts.push("use this probe".to_owned());
        }
        if self.searched.is_some() {
            parts.push("search this folder".to_owned());
        }
        if self.index.is_some() {
            parts.push("search this index".to_owned());
        }
        if parts.is_empty() {
            return match self.refused.as_slice() {
                [] => "Nothing to open".to_owned(),
                [sentence] => sentence.clone(),
                [_, ..] => format!("None of these can be opened: drop {OPENABLE}"),
            };
        }
        let text = parts.join(" and ");
        let mut letters = text.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
    }

    /// Whether anything will happen.
    pub fn is_useful(&self) -> bool {
        !self.pictures.is_empty()
            || !self.clips.is_empty()
            || self.mask.is_some()
            || self.checkpoint.is_some()
            || self.dinotxt.is_some()
            || self.head.is_some()
            || self.probe.is_some()
            || self.searched.is_some()
            || self.index.is_some()
            || self.workspace.is_some()
    }
}

fn kind(path: &Path, circumstances: Circumstances) -> Kind {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    if path.is_dir() {
        return folder(path, &name, circumstances);
    }
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(64).read_to_end(&mut start));
    if let Err(error) = read {
        return Kind::Refused(format!("{name} cannot be read: {error}"));
    }
    let ending = ending(path);
    let is_any = |known: &[&str]| known.contains(&ending.as_str());
    if name.to_lowercase().ends_with(WORKSPACE_ENDING) {
        Kind::Workspace
    } else if is_picture(&start) {
        if is_mask(path, &start, circumstances) {
            Kind::Mask
        } else if is_video(path) {
            Kind::Clip
        } else {
            Kind::Picture
        }
    } else if is_any(&VIDEO_ENDINGS) || is_video(path) {
        Kind::Clip
    } else if start.get(8) == Some(&b'{') && (start.len() > 9) {
        safetensors(path, &start, &name)
    } else if is_any(&CHECKPOINT_ENDINGS) {
        checkpoint(path)
    } else if is_any(&PICTURE_ENDINGS) {
        Kind::Refused(format!("{name} is no picture, or a damaged one"))
    } else {
        Kind::Refused(format!("{name} cannot be opened; dinoscope opens {OPENABLE}"))
    }
}

fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

/// By the first bytes, as the decoder does.
fn is_picture(start: &[u8]) -> bool {
    let begins = |magic: &[u8]| start.starts_with(magic);
    begins(b"\x89PNG")
        || begins(b"\xFF\xD8\xFF")
        || begins(b"GIF8")
        || begins(b"BM")
        || begins(b"II*\0")
        || begins(b"MM\0*")
        || (begins(b"RIFF") && start.get(8..12) == Some(b"WEBP"))
}

/// A picture that means another one's foreground: so named, or a PNG of that one's size with few levels.
fn is_mask(path: &Path, start: &[u8], circumstances: Circumstances) -> bool {
    let Some(active_size) = circumstances.active_size else { return false };
    if circumstances.is_mask_meant {
        return true;
    }
    let Some((size, colour_type)) = png_header(start) else { return false };
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let is_named = stem.split(|letter: char| !letter.is_alphanumeric()).any(|word| matches!(word, "mask" | "masks"));
    const GREY: u8 = 0;
    const INDEXED: u8 = 3;
    is_named || (size == active_size && matches!(colour_type, GREY | INDEXED) && has_few_levels(path))
}

/// Width, height and colour type.
fn png_header(start: &[u8]) -> Option<((usize, usize), u8)> {
    let number = |at: usize| -> Option<usize> {
        let bytes = start.get(at..at + 4)?.first_chunk()?;
        usize::try_from(u32::from_be_bytes(*bytes)).ok()
    };
    if !start.starts_with(b"\x89PNG") {
        return None;
    }
    Some(((number(16)?, number(20)?), *start.get(25)?))
}

fn has_few_levels(path: &Path) -> bool {
    let Ok(picture) = dinoscope_engine::image::read(path) else { return false };
    let mut levels: Vec<[u8; 3]> = Vec::new();
    picture.rgb.as_chunks().0.iter().all(|pixel| {
        if !levels.contains(pixel) {
            levels.push(*pixel);
        }
        levels.len() <= MOST_MASK_LEVELS
    })
}

/// A model's weights, or what dinoscope itself has written.
fn safetensors(path: &Path, start: &[u8], name: &str) -> Kind {
    const MOST_READ: u64 = 1 << 16;
    let mut header = start.to_vec();
    let _ = File::open(path).and_then(|file| {
        header.clear();
        file.take(MOST_READ).read_to_end(&mut header)
    });
    let is_ours = |mark: &[u8]| header.windows(mark.len()).any(|window| window == mark);
    if is_ours(format!(r#""kind":"{PROBE_KIND}"#).as_bytes()) {
        return Kind::Probe;
    }
    if is_ours(br#""software":"dinoscope"#) {
        return Kind::Refused(format!("{name} holds results that dinoscope has written, not a model"));
    }
    checkpoint(path)
}

/// A backbone's, a head's, or what compares phrases with pictures.
fn checkpoint(path: &Path) -> Kind {
    if DinotxtWeights::is_at(path) { Kind::Dinotxt } else { task_of(path).map_or(Kind::Checkpoint, Kind::Head) }
}

fn folder(path: &Path, name: &str, circumstances: Circumstances) -> Kind {
    let is_model = ["config.json", "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"]
        .iter()
        .any(|file| path.join(file).exists());
    if is_model {
        return checkpoint(path);
    }
    if matches!(Index::recipe_in(path), Ok(Some(_))) {
        return Kind::Index;
    }
    if circumstances.searches_folders {
        return Kind::Searched;
    }
    let entries = match path.read_dir() {
        Ok(entries) => entries,
        Err(error) => return Kind::Refused(format!("{name} cannot be read: {error}")),
    };
    let is_picture = |path: &PathBuf| PICTURE_ENDINGS.contains(&ending(path).as_str()) && path.is_file();
    let mut pictures: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_picture).collect();
    if pictures.len() >= LEAST_IN_CLIP && is_video(path) {
        return Kind::Clip;
    }
    pictures.sort();
    pictures.truncate(MOST_IN_FOLDER);
    if pictures.is_empty() {
        return Kind::Refused(format!("{name} holds no pictures and no checkpoint"));
    }
    Kind::Folder(pictures)
}

/// Paths in a text from the clipboard: one a line, plain or as `file://` addresses; none where a line is no file.
pub fn paths_of_text(text: &str) -> Vec<PathBuf> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !matches!(*line, "copy" | "cut"));
    let paths: Option<Vec<PathBuf>> = lines
        .map(|line| {
            let path = match line.strip_prefix("file://") {
                Some(address) => PathBuf::from(decoded(address)?),
                None => PathBuf::from(line.trim_matches(['"', '\''])),
            };
            (path.is_absolute() && path.exists()).then_some(path)
        })
        .collect();
    paths.unwrap_or_default()
}

/// `%20` and the like.
fn decoded(address: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = address.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::{GrayImage, Luma, RgbImage};
    use tempfile::TempDir;

    use super::*;

    fn folder_with(files: &[(&str, &[u8])]) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).expect("written");
        }
        folder
    }

    const BESIDE: Circumstances =
        Circumstances { active_size: Some((8, 6)), is_mask_meant: false, searches_folders: false };

    #[test]
    fn masks_are_told_from_pictures() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let two_levels = GrayImage::from_fn(8, 6, |x, _| Luma([if x < 4 { 0 } else { 255 }]));
        two_levels.save(path("dog.png")).expect("written");
        two_levels.save(path("mask_of_dog.png")).expect("written");
        GrayImage::from_fn(8, 6, |x, y| Luma([(x * 8 + y) as u8])).save(path("grey.png")).expect("written");
        RgbImage::new(8, 6).save(path("colour.png")).expect("written");
        let is_mask = |name: &str, circumstances| kind(&path(name), circumstances) == Kind::Mask;
        assert!(is_mask("dog.png", BESIDE));
        assert!(!is_mask("grey.png", BESIDE) && !is_mask("colour.png", BESIDE));
        assert!(is_mask("colour.png", Circumstances { is_mask_meant: true, ..BESIDE }));
        assert!(!is_mask("dog.png", Circumstances::default()), "without a picture there is nothing to mask");
        let elsewhere = Circumstances { active_size: Some((9, 6)), ..BESIDE };
        assert!(!is_mask("dog.png", elsewhere) && is_mask("mask_of_dog.png", elsewhere));
    }

    #[test]
    fn a_folder_is_its_pictures_or_a_model() {
        let folder = folder_with(&[("b.jpg", b""), ("a.PNG", b""), ("notes.txt", b"")]);
        let found = look(&[folder.path().to_path_buf()], Circumstances::default());
        let names: Vec<_> = found.pictures.iter().map(|path| path.file_name().expect("a name")).collect();
        assert_eq!(names, ["a.PNG", "b.jpg"]);
        assert_eq!(found.announcement(), "Open 2 pictures");
        let model = folder_with(&[("model.safetensors", b""), ("preview.png", b"")]);
        let found = look(&[model.path().to_path_buf()], Circumstances::default());
        assert_eq!(found.checkpoint.as_deref(), Some(model.path()));
        let empty = look(&[tempfile::tempdir().expect("a folder").path().to_path_buf()], Circumstances::default());
        assert!(!empty.is_useful() && empty.refused.len() == 1);
    }

    #[test]
    fn many_numbered_pictures_are_a_clip() {
        let names: Vec<String> = (0..LEAST_IN_CLIP).map(|number| format!("{number:05}.png")).collect();
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        let folder = folder_with(&files);
        let look = || look(&[folder.path().to_path_buf()], Circumstances::default());
        assert_eq!(look().announcement(), "Open this video");
        fs::remove_file(folder.path().join(&names[3])).expect("removed");
        assert_eq!(look().pictures.len(), LEAST_IN_CLIP - 1);
    }

    #[test]
    fn each_kind_of_file_does_what_one_expects() {
        let exported =
            [&[60u8, 0, 0, 0, 0, 0, 0, 0][..], br#"{"__metadata__":{"software":"dinoscope 0.1.0"}}"#].concat();
        let folder = folder_with(&[
            ("photo.dat", b"\xFF\xD8\xFF\xE0"),
            ("weights.pth", b"PK\x03\x04"),
            ("weights.safetensors", b"\x10\0\0\0\0\0\0\0{\"cls_token\":{}}"),
            ("weights.gguf", b"GGUF\x03\0\0\0"),
            ("features.safetensors", &exported),
            ("work.dinoscope.json", b"{}"),
            ("clip.mp4", b"\0\0\0\x20ftyp"),
            ("broken.png", b"no picture"),
            ("notes.txt", b"hello"),
        ]);
        let look = |name: &str| look(&[folder.path().join(name)], Circumstances::default());
        assert_eq!(look("photo.dat").announcement(), "Open this picture");
        assert_eq!(look("weights.pth").announcement(), "Load this checkpoint");
        assert_eq!(look("weights.safetensors").announcement(), "Load this checkpoint");
        assert_eq!(look("weights.gguf").announcement(), "Load this checkpoint");
        assert_eq!(look("clip.mp4").announcement(), "Open this video");
        assert_eq!(look("work.dinoscope.json").announcement(), "Open this workspace");
        for (name, word) in [
            ("features.safetensors", "not a model"),
            ("broken.png", "damaged"),
            ("notes.txt", "checkpoints"),
            ("missing.png", "cannot be read"),
        ] {
            let found = look(name);
            assert!(!found.is_useful() && found.announcement().contains(word), "{name}: {}", found.announcement());
        }
    }

    #[test]
    fn dino_txt_is_told_from_a_backbone() {
        let golden = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name);
        let announced = |name: &str| look(&[golden(name)], Circumstances::default()).announcement();
        assert_eq!(announced("text/dinotxt.pth"), "Use this dino.txt for words");
        assert_eq!(announced("meta-vit-swiglu/backbone.pth"), "Load this checkpoint");
    }

    #[test]
    fn text_that_names_files() {
        let folder = folder_with(&[("a b.png", b"")]);
        let path = folder.path().join("a b.png");
        let address = format!("file://{}", path.display()).replace(' ', "%20");
        assert_eq!(paths_of_text(&format!("copy\n{address}\n")), std::slice::from_ref(&path));
        assert_eq!(paths_of_text(&path.display().to_string()), [path]);
        assert!(paths_of_text("some words\nfile:///%zz").is_empty());
    }
}
