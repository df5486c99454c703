//! Opening pictures and listing models.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::failure::outcome;
use super::lane::{Job, Worker};
use super::{Clip, Command, Outcome, PictureId, PictureSource, download};
use crate::gpu::{Gpu, PictureTexture};
use crate::hub::HubConfig;
use crate::image::{self, Filter, Picture, resample};
use crate::output::write_atomically;
use crate::{Error, Result};

/// Longest side of a thumbnail in pixels.
pub const THUMBNAIL: usize = 256;

/// For [`super::Lane::Files`].
pub fn worker(gpu: Option<Gpu>, hub: HubConfig) -> Worker {
    Box::new(move |job, command| match command {
        Command::Open { picture, source } => outcome(open(*picture, source, gpu.as_ref(), job)),
        Command::ListModels => Outcome::Models(download::stored(&hub)),
        other => unreachable!("{other:?} runs on another lane"),
    })
}

fn open(picture: PictureId, source: &PictureSource, gpu: Option<&Gpu>, job: &Job<'_>) -> Result<Outcome> {
    let mut clip = None;
    let pixels = match source {
        PictureSource::File(path) => Arc::new(image::decode::read(path)?),
        PictureSource::Clip(path) => clip.insert(Clip::open(path)?).frame(picture.frame(), job.cancel())?,
        PictureSource::EmbeddedClip { name, bytes } => {
            clip.insert(Clip::open(&unpacked(name, bytes)?)?).frame(picture.frame(), job.cancel())?
        }
        PictureSource::Embedded { name, bytes } => Arc::new(image::decode::from_bytes(Path::new(name), bytes)?),
        PictureSource::Pixels(pixels) => Arc::clone(pixels),
    };
    let thumbnail = thumbnail(&pixels);
    let texture = texture(gpu, &pixels);
    Ok(Outcome::Opened { picture, pixels, texture, thumbnail, clip })
}

/// A file of this content in the user's cache.
fn unpacked(name: &str, bytes: &[u8]) -> Result<PathBuf> {
    let folder = dirs::cache_dir().unwrap_or_else(std::env::temp_dir).join("dinoscope").join("samples");
    let path = folder.join(name);
    if std::fs::read(&path).is_ok_and(|known| known == bytes) {
        return Ok(path);
    }
    std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    write_atomically(&path, |writer| writer.write_all(bytes))?;
    Ok(path)
}

/// The picture on the graphics device, where there is one and it has room.
pub fn texture(gpu: Option<&Gpu>, pixels: &Picture) -> Option<Arc<PictureTexture>> {
    match PictureTexture::upload(gpu?, pixels) {
        Ok(texture) => Some(Arc::new(texture)),
        Err(error) => {
            log::warn!("{error}");
            None
        }
    }
}

/// The picture at no more than [`THUMBNAIL`] pixels on a side.
pub fn thumbnail(picture: &Picture) -> Picture {
    let longest = picture.width.max(picture.height);
    if longest <= THUMBNAIL {
        return picture.clone();
    }
    let side = |side: usize| (side * THUMBNAIL).div_ceil(longest);
    resample::resize_picture(picture, side(picture.width), side(picture.height), Filter::Bilinear)
}
