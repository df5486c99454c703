//! Clips that are open: which frames are decoded, and what becomes of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dinoscope_engine::dispatch::{ClipMapExport, Command, Export, PictureId, PixelSource, RequestId};
use dinoscope_engine::gpu::PictureTexture;
use dinoscope_engine::image::Picture;
use dinoscope_engine::video::ClipMap;

use super::Shared;
use crate::gui::documents::Content;
use crate::gui::player::Player;

impl Shared {
    /// Asks for the frames that clips on the canvas are to show next; those that play move on,
    /// where the tool `needs_features` at its pace. When to look again.
    pub fn play(&mut self, visible: &[PictureId], needs_features: bool) -> Option<Duration> {
        let now = Instant::now();
        let mut again: Option<Duration> = None;
        for &id in visible {
            let is_waited_for = needs_features && !self.has_features(id) && self.encode_failure(id).is_none();
            let Some(document) = self.documents.get_mut(id) else { continue };
            let shown = document.id.frame();
            let Some(player) = document.player.as_mut() else { continue };
            let wait = player.advance(now, shown, is_waited_for);
            again = again.into_iter().chain(wait).min();
            if let Some(frame) = player.wanted(shown) {
                let (picture, clip) = (id.at_frame(frame), player.clip.clone());
                let label = format!("reading frame {frame} of {}", document.name);
                let request = self.send(Command::Frame { picture, clip }, label);
                self.player_mut(id).into_iter().for_each(|player| player.asked(request));
            }
        }
        again
    }

    /// How a clip is played; nothing for stills.
    pub fn player_mut(&mut self, picture: PictureId) -> Option<&mut Player> {
        self.documents.get_mut(picture)?.player.as_mut()
    }

    /// The clip that is worked on.
    pub fn active_player(&mut self) -> Option<&mut Player> {
        self.player_mut(self.documents.active_id()?)
    }

    /// Where the pixels of a picture are: of frames that are not shown, in their clip, or on their way from a camera.
    pub fn pixels(&self, picture: PictureId) -> Option<PixelSource> {
        let document = self.documents.get(picture)?;
        if document.id == picture {
            return Some(PixelSource::Loaded(Arc::clone(&document.loaded()?.pixels)));
        }
        if let Some(player) = &document.player {
            return Some(PixelSource::Clip(player.clip.clone()));
        }
        // Other frames of a camera are gone.
        let coming = document.live.as_ref()?.coming().filter(|coming| coming.picture == picture)?;
        Some(PixelSource::Loaded(Arc::clone(&coming.pixels)))
    }

    /// The pixels of a picture that is shown.
    pub fn pixels_now(&self, picture: PictureId) -> Option<Arc<Picture>> {
        let document = self.documents.get(picture).filter(|document| document.id == picture)?;
        Some(Arc::clone(&document.loaded()?.pixels))
    }

    /// A map through a clip, as the span that is played; nothing for stills.
    pub fn clip_map(&self, picture: PictureId, map: ClipMap) -> Option<Export> {
        let player = self.documents.get(picture)?.player.as_ref()?;
        Some(Export::ClipMap(Box::new(ClipMapExport {
            map,
            clip: player.clip.clone(),
            span: player.span().into_inner(),
            model: Arc::clone(&self.model.choice),
            size: self.size,
            filter: self.filter,
        })))
    }

    pub(super) fn take_preview(&mut self, context: &egui::Context, picture: PictureId, thumbnail: &Picture) {
        let texture = small_texture(context, picture, thumbnail);
        if let Some(player) = self.player_mut(picture) {
            player.thumbnails.insert(picture.frame(), texture);
        }
    }

    pub(super) fn take_frame(
        &mut self,
        request: RequestId,
        picture: PictureId,
        pixels: Arc<Picture>,
        texture: Option<Arc<PictureTexture>>,
    ) {
        let Some(document) = self.documents.get_mut(picture) else { return };
        let is_own = document.player.as_mut().is_some_and(|player| player.ended(request, None));
        let (true, Content::Ready(loaded), Some(texture)) = (is_own, &mut document.content, texture) else { return };
        (loaded.pixels, loaded.texture, loaded.seen) = (pixels, texture, Instant::now());
        document.id = picture;
    }

    /// Whether a request was for a frame of a clip, which then stays at the one it shows.
    pub(super) fn frame_failed(&mut self, request: RequestId) -> bool {
        let mut documents = self.documents.iter_mut();
        documents.any(|document| {
            let shown = document.id.frame();
            document.player.as_mut().is_some_and(|player| player.ended(request, Some(shown)))
        })
    }
}

/// For the filmstrip and the timeline.
pub(super) fn small_texture(context: &egui::Context, picture: PictureId, thumbnail: &Picture) -> egui::TextureHandle {
    let image = egui::ColorImage::from_rgb([thumbnail.width, thumbnail.height], &thumbnail.rgb);
    context.load_texture(format!("thumbnail {}", picture.0), image, egui::TextureOptions::LINEAR)
}
