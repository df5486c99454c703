//! Which tile of the linear layers a device runs fastest: measured once, then remembered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::WgpuBackbone;
use super::kernels::gemm::Tile;
use super::pipelines::Input;
use crate::backend::{Backbone, Run, Trial};
use crate::gpu::Gpu;
use crate::image::Pixels;
use crate::output::write_atomically;
use crate::{Error, Result};

/// Measured runs of a tile, after one that compiles; the fastest counts.
const RUNS: usize = 3;

/// Tiles by device and type, as JSON.
type Book = BTreeMap<String, Tile>;

/// Where tiles are remembered; `None` where the system names no folder for that.
pub fn file() -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("dinoscope").join("tiles.json"))
}

/// The tile that was fastest on this device, where it was tuned; a file that cannot be read counts for nothing.
pub fn remembered(gpu: &Gpu, input: Input, file: &Path) -> Option<Tile> {
    let tile = *read(file).get(&key(gpu, input))?;
    tile.fits(&gpu.device.limits()).then_some(tile)
}

fn read(file: &Path) -> Book {
    let Ok(text) = std::fs::read_to_string(file) else { return Book::new() };
    serde_json::from_str(&text).inspect_err(|error| log::warn!("{}: {error}", file.display())).unwrap_or_default()
}

/// Another driver may prefer another tile.
fn key(gpu: &Gpu, input: Input) -> String {
    let info = gpu.device.adapter_info();
    format!("{} ({}, {}, {input:?})", info.name, info.backend, info.driver_info)
}

impl WgpuBackbone {
    /// Runs `pixels` with every tile that the device takes, keeps the fastest and remembers it in `file`.
    ///
    /// # Errors
    /// As [`Backbone::forward`], and [`Error::Io`] where the file cannot be written.
    pub(super) fn tune_into(&mut self, pixels: &Pixels, run: &Run<'_>, file: Option<&Path>) -> Result<Vec<Trial>> {
        let limits = self.place.gpu.device.limits();
        let mut trials: Vec<(Tile, Duration)> = Vec::new();
        for tile in Tile::CANDIDATES.into_iter().filter(|tile| tile.fits(&limits)) {
            self.place.tile = tile;
            self.forward(pixels, &[], run)?;
            let mut fastest = Duration::MAX;
            for _ in 0..RUNS {
                let start = Instant::now();
                self.forward(pixels, &[], run)?;
                fastest = fastest.min(start.elapsed());
            }
            trials.push((tile, fastest));
        }
        trials.sort_by_key(|(_, time)| *time);
        if let Some((fastest, _)) = trials.first() {
            self.place.tile = *fastest;
            if let Some(file) = file {
                self.remember(*fastest, file)?;
            }
        }
        Ok(trials.into_iter().map(|(tile, time)| Trial { name: tile.to_string(), time }).collect())
    }

    fn remember(&self, tile: Tile, file: &Path) -> Result<()> {
        let mut book = read(file);
        book.insert(key(&self.place.gpu, self.place.input), tile);
        let text = serde_json::to_string_pretty(&book).unwrap_or_default();
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        write_atomically(file, |out| out.write_all(text.as_bytes()))
    }
}
