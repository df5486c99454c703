//! The pictures that are open.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use dinoscope_engine::dispatch::PictureId;
use dinoscope_engine::gpu::PictureTexture;
use dinoscope_engine::image::Picture;
use egui::TextureHandle;

use super::live::LiveView;
use super::player::Player;

/// Where a document comes from, as a workspace remembers it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Origin {
    /// A file with a picture.
    File(PathBuf),
    /// A file or folder with a clip.
    Clip(PathBuf),
    /// A sample picture of that name.
    Sample(String),
    /// The clipboard, or a camera's frame that was kept: gone when the program ends.
    Clipboard,
    /// A camera: its frames are gone at once.
    Camera,
}

/// An open picture or clip.
pub struct Document {
    /// Its name among commands and features; of a clip or camera, that of the frame that is shown.
    pub id: PictureId,
    /// For people: the file's name.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// How far it is.
    pub content: Content,
    /// Where it is a clip that was opened.
    pub player: Option<Player>,
    /// Where it is a camera.
    pub live: Option<LiveView>,
    /// Of a clip that is being opened: first and last frame that are to be played, where not all are.
    pub span: Option<(usize, usize)>,
}

/// How far a document is.
pub enum Content {
    /// Being decoded.
    Loading,
    /// Ready.
    Ready(Loaded),
    /// Was ready; its pixels were let go to save memory, and are read again when they are needed.
    Resting(TextureHandle),
    /// Could not be read: one sentence.
    Failed(String),
}

/// A decoded picture.
pub struct Loaded {
    /// Its pixels.
    pub pixels: Arc<Picture>,
    /// The same on the graphics device.
    pub texture: Arc<PictureTexture>,
    /// For the filmstrip.
    pub thumbnail: TextureHandle,
    /// When it was last on the canvas, or read.
    pub seen: Instant,
}

impl Loaded {
    /// Memory taken: three bytes for each pixel, and on the graphics device four, with smaller copies a third more.
    pub fn bytes(&self) -> usize {
        self.pixels.width * self.pixels.height * (3 + 4 + 2)
    }
}

impl Origin {
    /// Where it is on the disk.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Clip(path) => Some(path),
            Self::Sample(_) | Self::Clipboard | Self::Camera => None,
        }
    }

    /// Whether the same pixels can be read again.
    pub fn is_lasting(&self) -> bool {
        !matches!(self, Self::Clipboard | Self::Camera)
    }
}

impl Document {
    /// Whether `id` names it, or any frame of it.
    pub fn is(&self, id: PictureId) -> bool {
        self.id.document() == id.document()
    }

    /// The picture in small, once it was decoded.
    pub fn thumbnail(&self) -> Option<&TextureHandle> {
        match &self.content {
            Content::Ready(loaded) => Some(&loaded.thumbnail),
            Content::Resting(thumbnail) => Some(thumbnail),
            _ => None,
        }
    }

    /// The picture, once it is decoded.
    pub fn loaded(&self) -> Option<&Loaded> {
        match &self.content {
            Content::Ready(loaded) => Some(loaded),
            _ => None,
        }
    }
}

/// All open pictures in the order of the filmstrip, and which of them are looked at.
#[derive(Default)]
pub struct Documents {
    all: Vec<Document>,
    /// As [`PictureId::document`] names it.
    active: Option<PictureId>,
    /// Likewise.
    partner: Option<PictureId>,
    /// Becomes the active one once it is read; the one before stays on the canvas until then.
    coming: Option<PictureId>,
    next: u64,
}

impl Documents {
    /// Adds a picture that is being decoded; the first one becomes the active one.
    pub fn add(&mut self, name: String, origin: Origin) -> PictureId {
        let id = PictureId(self.next);
        self.next += 1;
        self.all.push(Document { id, name, origin, content: Content::Loading, player: None, live: None, span: None });
        if self.active.is_none() {
            self.active = Some(id);
        }
        id
    }

    /// In the order of the filmstrip.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Document> + ExactSizeIterator {
        self.all.iter()
    }

    /// For changing them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Document> {
        self.all.iter_mut()
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The picture of that name, or the clip that a frame of that name belongs to.
    pub fn get(&self, id: PictureId) -> Option<&Document> {
        self.all.iter().find(|document| document.is(id))
    }

    /// Whether a picture is open: of a camera, whether it is the frame that is shown or the one that comes next.
    pub fn is_open(&self, id: PictureId) -> bool {
        self.get(id).is_some_and(|document| match &document.live {
            None => true,
            Some(live) => document.id == id || live.coming().is_some_and(|coming| coming.picture == id),
        })
    }

    /// For changing it.
    pub fn get_mut(&mut self, id: PictureId) -> Option<&mut Document> {
        self.all.iter_mut().find(|document| document.is(id))
    }

    /// The open picture or clip of that file.
    pub fn of_file(&self, path: &Path) -> Option<PictureId> {
        let same = |document: &&Document| document.origin.path() == Some(path);
        self.all.iter().find(same).map(|document| document.id)
    }

    /// The picture that is worked on.
    pub fn active(&self) -> Option<&Document> {
        self.active.and_then(|id| self.get(id))
    }

    /// Its name.
    pub fn active_id(&self) -> Option<PictureId> {
        self.active().map(|document| document.id)
    }

    /// The one that is worked on once it is read.
    pub fn coming_id(&self) -> Option<PictureId> {
        self.coming
    }

    /// Works on another one once it is read, or could not be.
    pub fn activate_once_read(&mut self, id: PictureId) {
        self.coming = Some(id);
        self.welcome();
    }

    /// Works on the one that was to come, if it is read by now or there is no other.
    pub fn welcome(&mut self) {
        let Some(id) = self.coming else { return };
        let is_loading = |id| self.get(id).is_some_and(|document| matches!(document.content, Content::Loading));
        let has_other = self.active.is_some_and(|active| active != id && !is_loading(active));
        if !has_other || !is_loading(id) {
            self.activate(id);
        }
    }

    /// Works on another one.
    pub fn activate(&mut self, id: PictureId) {
        self.coming = None;
        if self.get(id).is_some() {
            let id = id.document();
            if self.partner == Some(id) {
                self.partner = self.active;
            }
            self.active = Some(id);
        }
    }

    /// Works on the one `step` further in the filmstrip, around its ends.
    pub fn step(&mut self, step: isize) {
        let Some(position) = self.active_position() else { return };
        let next = (position as isize + step).rem_euclid(self.all.len() as isize) as usize;
        self.activate(self.all[next].id);
    }

    /// The second picture where two are compared: the chosen one, else the active one's neighbour.
    pub fn partner_id(&self) -> Option<PictureId> {
        self.chosen_partner().filter(|id| Some(id.document()) != self.active).or_else(|| {
            let position = self.active_position()?;
            let neighbours = self.all[position..].iter().skip(1).chain(self.all[..position].iter().rev());
            neighbours.map(|document| document.id).next()
        })
    }

    /// The second picture as it was chosen, if it was.
    pub fn chosen_partner(&self) -> Option<PictureId> {
        self.partner.and_then(|id| self.get(id)).map(|document| document.id)
    }

    fn active_position(&self) -> Option<usize> {
        let active = self.active?;
        self.all.iter().position(|document| document.is(active))
    }

    /// Chooses the second picture; the active one exchanges places.
    pub fn set_partner(&mut self, id: PictureId) {
        let id = id.document();
        if Some(id) == self.active {
            self.active = self.partner_id().map(PictureId::document);
        }
        self.partner = Some(id);
    }

    /// Lets the pixels of pictures go that were not seen for longest, until all take at most `budget` bytes. Those in
    /// `kept` stay, and those that could not be read again.
    pub fn rest(&mut self, budget: usize, kept: &dyn Fn(PictureId) -> bool) {
        let mut bytes: usize = self.all.iter().filter_map(Document::loaded).map(Loaded::bytes).sum();
        let mut oldest: Vec<(Instant, usize)> = Vec::new();
        if bytes > budget {
            let may_rest = |document: &Document| document.origin.is_lasting() && !kept(document.id);
            let loaded = self.all.iter().enumerate().filter(|(_, document)| may_rest(document));
            oldest = loaded.filter_map(|(place, document)| Some((document.loaded()?.seen, place))).collect();
            oldest.sort();
        }
        for (_, place) in oldest {
            if bytes <= budget {
                break;
            }
            let Content::Ready(loaded) = &self.all[place].content else { continue };
            bytes -= loaded.bytes();
            self.all[place].content = Content::Resting(loaded.thumbnail.clone());
        }
    }

    /// The active picture and its partner change places, where there are two.
    pub fn swap_sides(&mut self) {
        if let (Some(active), Some(_)) = (self.active_id(), self.partner_id()) {
            self.set_partner(active);
        }
    }

    /// Closes a picture; its neighbour becomes active.
    pub fn close(&mut self, id: PictureId) {
        let Some(position) = self.all.iter().position(|document| document.is(id)) else { return };
        self.all.remove(position);
        let id = id.document();
        if self.active == Some(id) {
            let neighbour = self.all.get(position.min(self.all.len().saturating_sub(1)));
            self.active = neighbour.map(|document| document.id.document());
        }
        if self.partner == Some(id) {
            self.partner = None;
        }
        if self.coming == Some(id) {
            self.coming = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use dinoscope_engine::gpu::Gpu;

    use super::*;

    fn three() -> (Documents, [PictureId; 3]) {
        let mut documents = Documents::default();
        let ids = ["a", "b", "c"].map(|name| documents.add(name.to_owned(), Origin::File(name.into())));
        (documents, ids)
    }

    #[test]
    fn the_first_is_active_and_its_neighbour_the_partner() {
        let (mut documents, [a, b, c]) = three();
        assert_eq!((documents.active_id(), documents.partner_id()), (Some(a), Some(b)));
        documents.step(-1);
        assert_eq!((documents.active_id(), documents.partner_id()), (Some(c), Some(b)));
    }

    #[test]
    fn active_and_partner_are_never_the_same() {
        let (mut documents, [a, b, _]) = three();
        documents.set_partner(a);
        assert_eq!((documents.active_id(), documents.partner_id()), (Some(b), Some(a)));
        documents.activate(a);
        assert_eq!((documents.active_id(), documents.partner_id()), (Some(a), Some(b)));
    }

    #[test]
    fn the_picture_before_stays_until_the_next_one_is_read() {
        let (mut documents, [a, b, c]) = three();
        let failed = || Content::Failed("gone".to_owned());
        documents.activate_once_read(b);
        assert_eq!(documents.active_id(), Some(b), "the first is not read either");
        documents.get_mut(b).expect("open").content = failed();
        documents.activate_once_read(c);
        assert_eq!((documents.active_id(), documents.coming_id()), (Some(b), Some(c)));
        documents.get_mut(c).expect("open").content = failed();
        documents.welcome();
        assert_eq!((documents.active_id(), documents.coming_id()), (Some(c), None));
        documents.get_mut(a).expect("open").content = Content::Loading;
        documents.activate_once_read(a);
        documents.activate(b);
        documents.get_mut(a).expect("open").content = failed();
        documents.welcome();
        assert_eq!(documents.active_id(), Some(b), "somebody has chosen another one meanwhile");
    }

    #[test]
    fn closing_leaves_a_neighbour_active() {
        let (mut documents, [a, b, c]) = three();
        documents.activate(c);
        documents.close(c);
        assert_eq!(documents.active_id(), Some(b));
        documents.close(b);
        documents.close(a);
        assert_eq!((documents.active_id(), documents.partner_id()), (None, None));
    }

    #[test]
    fn pictures_seen_long_ago_rest() {
        let (mut documents, [a, b, c]) = three();
        let Some(gpu) = Gpu::without_window() else { panic!("a graphics adapter is needed") };
        let pixels = Arc::new(Picture { width: 8, height: 4, rgb: vec![0; 96] });
        let texture = Arc::new(PictureTexture::upload(&gpu, &pixels).expect("it fits"));
        let context = egui::Context::default();
        let start = Instant::now();
        for (age, id) in [(2, a), (3, b), (1, c)] {
            let image = egui::ColorImage::filled([1, 1], egui::Color32::WHITE);
            let thumbnail = context.load_texture("thumbnail", image, egui::TextureOptions::LINEAR);
            let (pixels, texture) = (Arc::clone(&pixels), Arc::clone(&texture));
            let seen = start - std::time::Duration::from_secs(age);
            let document = documents.get_mut(id).expect("it is open");
            document.content = Content::Ready(Loaded { pixels, texture, thumbnail, seen });
        }
        let one = documents.get(a).and_then(Document::loaded).expect("loaded").bytes();
        let resting = |documents: &Documents| {
            let all = documents.iter().map(|document| matches!(document.content, Content::Resting(_)));
            all.collect::<Vec<_>>()
        };
        documents.rest(3 * one, &|_| false);
        assert_eq!(resting(&documents), [false; 3], "they fit");
        documents.rest(3 * one - 1, &|id| id == b);
        assert_eq!(resting(&documents), [true, false, false], "the oldest but the kept one");
        documents.rest(0, &|id| id == b);
        assert_eq!(resting(&documents), [true, false, true]);
        assert!(documents.iter().all(|document| document.thumbnail().is_some()));
    }

    #[test]
    fn a_file_is_found_again() {
        let (documents, [_, b, _]) = three();
        assert_eq!(documents.of_file(Path::new("b")), Some(b));
        assert_eq!(documents.of_file(Path::new("d")), None);
    }
}
