//! A workspace: which pictures are open, what is placed on them and how they are looked at; not the pixels.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use dinoscope_engine::dispatch::{ModelChoice, PictureId};
use dinoscope_engine::image::SizeRule;
use egui::Vec2;
use serde::{Deserialize, Serialize};

use super::canvas::Camera;
use super::documents::{Documents, Origin};
use super::placed::Placed;
use super::samples;
use super::tools::ToolKind;

/// Of the format; a newer one is refused.
const VERSION: u32 = 1;

/// Largest file that is read, in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// Name of the file that the last workspace is kept in.
pub const LAST_FILE: &str = "last.dinoscope.json";

/// A workspace as it is written. Pictures are named by their place in [`Workspace::pictures`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workspace {
    /// Of the format.
    pub version: u32,
    /// In the order of the filmstrip.
    pub pictures: Vec<Origin>,
    /// Of clips: which frame is shown, and which are played; by place.
    #[serde(default)]
    pub clips: BTreeMap<usize, ClipPosition>,
    /// Place of the one worked on.
    pub active: Option<usize>,
    /// Place of the second one, where it was chosen.
    pub partner: Option<usize>,
    /// What is placed.
    #[serde(default)]
    pub placed: Placed,
    /// The tool in use.
    #[serde(default)]
    pub tool: ToolKind,
    /// Settings of every tool.
    #[serde(default)]
    pub tools: BTreeMap<String, serde_json::Value>,
    /// Centre as a share of width and height, and magnification relative to the fitted picture.
    #[serde(default)]
    pub camera: Option<([f32; 2], f32)>,
    /// Lines between patches.
    #[serde(default)]
    pub has_patch_grid: bool,
    /// The model.
    pub model: Option<ModelChoice>,
    /// Size of its input.
    pub size: Option<SizeRule>,
}

/// What of a clip is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClipPosition {
    /// The frame that is shown.
    pub frame: usize,
    /// First and last frame that are played, tracked and recorded; all where there is none.
    pub span: Option<(usize, usize)>,
}

/// A workspace that was read, and which of its pictures are gone.
#[derive(Clone, Debug)]
pub struct Read {
    /// The workspace.
    pub workspace: Workspace,
    /// Places of pictures whose files have vanished.
    pub vanished: HashSet<usize>,
}

impl Workspace {
    /// What is open now. Pictures from the clipboard and cameras have no file and are left out.
    pub fn of(documents: &Documents, placed: &Placed, camera: &Camera) -> Self {
        let kept = || documents.iter().filter(|document| document.origin.is_lasting());
        let positions = kept().enumerate().filter_map(|(place, document)| {
            let player = document.player.as_ref()?;
            let span = player.is_cut().then(|| player.span().into_inner());
            Some((place, ClipPosition { frame: document.id.frame(), span }))
        });
        let clips = positions.collect();
        let (ids, pictures): (Vec<PictureId>, Vec<Origin>) =
            kept().map(|document| (document.id, document.origin.clone())).unzip();
        let place = |id: PictureId| ids.iter().position(|known| known.document() == id.document());
        let number = |id: PictureId| place(id).map(|place| PictureId(place as u64).at_frame(id.frame()));
        Self {
            version: VERSION,
            pictures,
            clips,
            active: documents.active_id().and_then(place),
            partner: documents.chosen_partner().and_then(place),
            placed: placed.renamed(number),
            tool: ToolKind::default(),
            tools: BTreeMap::new(),
            camera: Some((camera.centre.into(), camera.zoom)),
            has_patch_grid: false,
            model: None,
            size: None,
        }
    }

    /// As it is written to a file.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads a workspace and looks for its files. Takes as long as the disk takes.
    ///
    /// # Errors
    /// One sentence.
    pub fn read(path: &Path) -> Result<Read, String> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text))
            .map_err(|error| format!("The workspace {name} cannot be read: {error}"))?;
        let damaged =
            |error: serde_json::Error| format!("{name} is no workspace of dinoscope, or a damaged one: {error}");
        let content: serde_json::Value = serde_json::from_str(&text).map_err(damaged)?;
        if content.get("version").and_then(serde_json::Value::as_u64).is_some_and(|version| version > VERSION.into()) {
            return Err(format!("{name} was written by a newer dinoscope; open it with that one"));
        }
        let workspace: Self = serde_json::from_value(content).map_err(damaged)?;
        let is_gone = |origin: &Origin| match origin {
            Origin::File(path) => !path.is_file(),
            Origin::Clip(path) => !path.exists(),
            Origin::Sample(name) => samples::find(name).is_none(),
            Origin::Clipboard | Origin::Camera => true,
        };
        let gone = workspace.pictures.iter().enumerate().filter(|(_, origin)| is_gone(origin));
        let vanished = gone.map(|(place, _)| place).collect();
        Ok(Read { workspace, vanished })
    }

    /// The camera, as far as its numbers make sense.
    pub fn camera(&self) -> Camera {
        match self.camera {
            Some((centre, zoom)) if centre.iter().all(|share| share.is_finite()) && zoom.is_finite() && zoom > 0.0 => {
                Camera { centre: Vec2::from(centre).clamp(Vec2::ZERO, Vec2::ONE), zoom }
            }
            _ => Camera::default(),
        }
    }

    /// What is placed on pictures that have new names; `names` in the order of [`Workspace::pictures`].
    pub fn on_pictures(&self, names: &[Option<PictureId>]) -> Placed {
        self.placed.renamed(|id| {
            let place = usize::try_from(id.document().0).ok()?;
            Some(names.get(place).copied().flatten()?.at_frame(id.frame()))
        })
    }
}

impl Read {
    /// One sentence about what has vanished.
    pub fn missing(&self) -> Option<String> {
        let mut places: Vec<usize> = self.vanished.iter().copied().collect();
        places.sort_unstable();
        let name = |place: usize| match &self.workspace.pictures[place] {
            Origin::File(path) | Origin::Clip(path) => path.display().to_string(),
            Origin::Sample(name) => name.clone(),
            Origin::Clipboard => "a picture from the clipboard".to_owned(),
            Origin::Camera => "a camera".to_owned(),
        };
        match places.as_slice() {
            [] => None,
            [only] => Some(format!("{} is not there any more and was left out", name(*only))),
            [first, rest @ ..] => Some(format!(
                "{} and {} more pictures are not there any more and were left out",
                name(*first),
                rest.len()
            )),
        }
    }
}

/// "holiday.dinoscope.json", from the first picture.
pub fn suggested_name(documents: &Documents) -> String {
    let stem = documents.iter().next().map(|document| Path::new(&document.name).with_extension(""));
    let stem = stem.unwrap_or_else(|| PathBuf::from("workspace"));
    format!("{}.{}", stem.display(), super::files::WORKSPACE_ENDING)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gui::placed::{PixelPoint, PlacedQuery, QueryShape};
    use crate::gui::tools::foreground::{Choices, ForegroundKind};

    fn query(picture: PictureId) -> PlacedQuery {
        PlacedQuery { picture, shape: QueryShape::Point(PixelPoint { x: 3.0, y: 4.0 }), is_negative: true }
    }

    #[test]
    fn everything_comes_back_but_what_has_vanished() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| folder.path().join(name);
        for name in ["a.png", "b.png"] {
            std::fs::write(file(name), "").expect("written");
        }
        let mut documents = Documents::default();
        let pasted = documents.add("pasted".to_owned(), Origin::Clipboard);
        let [a, b] = ["a.png", "b.png"].map(|name| documents.add(name.to_owned(), Origin::File(file(name))));
        let sample = documents.add("coffee.png".to_owned(), Origin::Sample("coffee.png".to_owned()));
        documents.activate(sample);
        documents.set_partner(b);
        let mut choices = Choices::default();
        choices.choose(a, ForegroundKind::Automatic);
        choices.choose(b, ForegroundKind::Painted);
        let queries = vec![query(pasted), query(a), query(b), query(sample)];
        let placed = Placed { queries, choices, ..Placed::default() };
        let camera = Camera { centre: Vec2::new(0.25, 0.75), zoom: 3.0 };
        let workspace = Workspace {
            size: Some(SizeRule::Native),
            tool: ToolKind::Matching,
            ..Workspace::of(&documents, &placed, &camera)
        };
        let path = file("work.dinoscope.json");
        std::fs::write(&path, workspace.to_text()).expect("written");
        std::fs::remove_file(file("a.png")).expect("removed");

        let read = Workspace::read(&path).expect("a workspace");
        assert_eq!(read.workspace, workspace);
        assert_eq!(read.workspace.camera(), camera);
        assert_eq!((read.workspace.active, read.workspace.partner), (Some(2), Some(1)));
        assert_eq!(read.vanished, HashSet::from([0]));
        assert!(read.missing().expect("a sentence").contains("a.png is not there"));
        let names = [None, Some(PictureId(70)), Some(PictureId(71))];
        let placed = read.workspace.on_pictures(&names);
        let kinds = [70, 71].map(|id| placed.choices.kind(PictureId(id)));
        assert_eq!(kinds, [ForegroundKind::Painted, ForegroundKind::Automatic]);
        assert_eq!(placed.queries, [query(PictureId(70)), query(PictureId(71))]);
    }

    #[test]
    fn what_is_no_workspace_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.dinoscope.json");
        let sentence = |text: &str| {
            std::fs::write(&path, text).expect("written");
            Workspace::read(&path).expect_err("refused")
        };
        assert!(sentence("{").contains("x.dinoscope.json"));
        assert!(sentence("{\"version\": 1}").contains("damaged"));
        assert!(sentence("{\"version\": 99, \"pictures\": []}").contains("newer"));
        std::fs::remove_file(&path).expect("removed");
        assert!(Workspace::read(&path).expect_err("gone").contains("cannot be read"));
    }
}
