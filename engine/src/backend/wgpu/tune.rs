//! Which way of multiplying the linear layers a device runs fastest: measured once, then remembered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::kernels::method::Method;
use super::pipelines::Input;
use super::{WgpuBackbone, check};
use crate::backend::{Backbone, Run, Trial};
use crate::gpu::Gpu;
use crate::image::Pixels;
use crate::output::write_atomically;
use crate::{Error, Result};

/// Measured runs of each, after one that compiles; the fastest counts.
const RUNS: usize = 3;

/// By device and type, as JSON.
type Book = BTreeMap<String, Method>;

/// Where they are remembered; `None` where the system names no folder for that.
pub fn file() -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("dinoscope").join("tiles.json"))
}

/// The one that was fastest on this device, where it was tuned; a file that cannot be read counts for nothing.
pub fn remembered(gpu: &Gpu, input: Input, file: &Path) -> Option<Method> {
    let method = *read(file).get(&key(gpu, input))?;
    method.fits(gpu).then_some(method)
}

fn read(file: &Path) -> Book {
    let Ok(text) = std::fs::read_to_string(file) else { return Book::new() };
    serde_json::from_str(&text).inspect_err(|error| log::warn!("{}: {error}", file.display())).unwrap_or_default()
}

/// Another driver may prefer another one.
fn key(gpu: &Gpu, input: Input) -> String {
    let info = gpu.device.adapter_info();
    format!("{} ({}, {}, {input:?})", info.name, info.backend, info.driver_info)
}

impl WgpuBackbone {
    /// Runs `pixels` in every way that the device takes, keeps the fastest and remembers it in `file`.
    ///
    /// # Errors
    /// As [`Backbone::forward`], and [`Error::Io`] where the file cannot be written.
    pub(super) fn tune_into(&mut self, pixels: &Pixels, run: &Run<'_>, file: Option<&Path>) -> Result<Vec<Trial>> {
        let before = self.place.method;
        let trials = self.try_all(pixels, run);
        self.place.method = trials.as_ref().ok().and_then(|trials| Some(trials.first()?.0)).unwrap_or(before);
        let trials = trials?;
        if let Some(file) = file {
            self.remember(file)?;
        }
        Ok(trials.into_iter().map(|(method, time)| Trial { name: method.to_string(), time }).collect())
    }

    /// The fastest first.
    fn try_all(&mut self, pixels: &Pixels, run: &Run<'_>) -> Result<Vec<(Method, Duration)>> {
        let mut trials = Vec::new();
        for method in Method::candidates(&self.place.gpu.clone()) {
            if !check::works(&self.place.gpu, &mut self.tools, method) {
                continue;
            }
            self.place.method = method;
            self.forward(pixels, &[], run)?;
            let mut fastest = Duration::MAX;
            for _ in 0..RUNS {
                let start = Instant::now();
                self.forward(pixels, &[], run)?;
                fastest = fastest.min(start.elapsed());
            }
            trials.push((method, fastest));
        }
        trials.sort_by_key(|(_, time)| *time);
        Ok(trials)
    }

    fn remember(&self, file: &Path) -> Result<()> {
        let mut book = read(file);
        book.insert(key(&self.place.gpu, self.place.input), self.place.method);
        let text = serde_json::to_string_pretty(&book).unwrap_or_default();
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        write_atomically(file, |out| out.write_all(text.as_bytes()))
    }
}
