//! Small versions of the results that are in sight, read as they are needed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use dinoscope_engine::dispatch::{Command, Event, Outcome, RequestId};
use egui::{ColorImage, Context, TextureHandle, TextureOptions};

use crate::gui::shared::Shared;

/// Memory for them, in bytes.
const BUDGET: usize = 96 << 20;

/// Thumbnails by file.
#[derive(Default)]
pub struct Thumbnails {
    known: HashMap<PathBuf, Known>,
    asked: Option<(RequestId, Vec<PathBuf>)>,
    /// Counts the frames in which some were wanted.
    frame: u64,
}

struct Known {
    image: Image,
    /// The frame in which it was wanted last.
    used: u64,
}

enum Image {
    Pixels(ColorImage),
    Texture(TextureHandle),
    /// One sentence.
    Failed(String),
}

impl Image {
    fn bytes(&self) -> usize {
        match self {
            Self::Pixels(pixels) => 4 * pixels.pixels.len(),
            Self::Texture(texture) => 4 * texture.size().iter().product::<usize>(),
            Self::Failed(_) => 0,
        }
    }
}

impl Thumbnails {
    /// Lets all go: files have changed.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    /// Asks for those that are missing, in this order. Those that were not wanted for longest make room.
    pub fn want(&mut self, context: &Context, shared: &mut Shared, files: &[PathBuf]) {
        self.frame += 1;
        for file in files {
            let Some(known) = self.known.get_mut(file) else { continue };
            known.used = self.frame;
            if let Image::Pixels(pixels) = &mut known.image {
                let pixels = std::mem::take(pixels);
                let name = file.display().to_string();
                known.image = Image::Texture(context.load_texture(name, pixels, TextureOptions::LINEAR));
                context.request_repaint();
            }
        }
        self.make_room();
        let missing: Vec<PathBuf> = files.iter().filter(|file| !self.known.contains_key(*file)).cloned().collect();
        let is_asked = |file: &PathBuf| self.asked.as_ref().is_some_and(|(_, asked)| asked.contains(file));
        if !missing.iter().all(is_asked) {
            let id = shared.send(Command::Thumbnails(missing.clone()), "reading small pictures");
            self.asked = Some((id, missing));
        }
    }

    fn make_room(&mut self) {
        let mut bytes: usize = self.known.values().map(|known| known.image.bytes()).sum();
        if bytes <= BUDGET {
            return;
        }
        let frame = self.frame;
        let unused = self.known.iter().filter(|(_, known)| known.used < frame);
        let mut oldest: Vec<(u64, PathBuf)> = unused.map(|(file, known)| (known.used, file.clone())).collect();
        oldest.sort();
        for (_, file) in oldest {
            if bytes <= BUDGET {
                return;
            }
            bytes -= self.known.remove(&file).map_or(0, |known| known.image.bytes());
        }
    }

    /// Takes what was read. What a person has stopped is not read again by itself.
    pub fn receive(&mut self, event: &Event) {
        let Some((_, asked)) = self.asked.as_mut().filter(|(id, _)| *id == event.id) else { return };
        let used = self.frame;
        match &event.outcome {
            Outcome::Thumbnail { path, thumbnail } => {
                let image = match thumbnail {
                    Ok(small) => Image::Pixels(ColorImage::from_rgb([small.width, small.height], &small.rgb)),
                    Err(sentence) => Image::Failed(sentence.clone()),
                };
                asked.retain(|file| file != path);
                self.known.insert(path.clone(), Known { image, used });
            }
            outcome => {
                let is_stopped = matches!(outcome, Outcome::Cancelled);
                let rest = self.asked.take().into_iter().flat_map(|(_, rest)| rest).filter(|_| is_stopped);
                let stopped = || Known { image: Image::Failed("Reading it was stopped".to_owned()), used };
                self.known.extend(rest.map(|file| (file, stopped())));
            }
        }
    }

    /// The small version of a file, or why there is none; nothing before it is read.
    pub fn of(&self, file: &Path) -> Option<Result<&TextureHandle, &str>> {
        match &self.known.get(file)?.image {
            Image::Texture(texture) => Some(Ok(texture)),
            Image::Failed(sentence) => Some(Err(sentence)),
            Image::Pixels(_) => None,
        }
    }
}
