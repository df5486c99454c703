//! What the tool writes to files.

use std::sync::Arc;

use dinoscope_engine::dispatch::{Export, ProbeExport, ProbeExportKind, ProbedPicture};
use dinoscope_engine::draw::overlay::OverlayStyle;
use dinoscope_engine::video::ClipMap;

use super::Probing;
use crate::gui::shared::Shared;
use crate::gui::tools::Exportable;
use crate::metadata;

impl Probing {
    pub(super) fn offered(&self, shared: &Shared) -> Vec<Exportable> {
        let Some(document) = shared.documents.active() else { return Vec::new() };
        let Some(probe) = self.asking.probe() else { return Vec::new() };
        let stem = document.name.rsplit_once('.').map_or(&*document.name, |(stem, _)| stem);
        let style = OverlayStyle {
            colormap: self.settings.colormap,
            opacity: self.settings.opacity,
            threshold: self.settings.shown_from(),
            ..OverlayStyle::default()
        };
        let mut offered = Vec::new();
        let described = self.asking.of(document.id).and(document.loaded()).zip(shared.features_now(document.id));
        if let Some((loaded, features)) = described {
            let mut metadata = metadata::of_model(&features.provenance);
            metadata.push(("classes", probe.classes.join("\n")));
            let metadata: Vec<(String, String)> =
                metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            let picture = ProbedPicture { picture: document.id, features, pixels: Arc::clone(&loaded.pixels) };
            let mut add = |name, ending: &str, kind, is_picture| {
                let what = ProbeExport {
                    kind,
                    probe: Arc::clone(probe),
                    picture: picture.clone(),
                    options: self.settings.options(),
                    style: style.clone(),
                    metadata: metadata.clone(),
                };
                let what = Export::Probed(Box::new(what));
                offered.push(Exportable { name, file_name: format!("{stem}.{ending}"), what, is_picture });
            };
            add("Picture with probabilities (PNG)", "probe.png", ProbeExportKind::Picture, true);
            add("Labels (grey PNG)", "labels.png", ProbeExportKind::Labels, false);
            add("Probabilities (NumPy)", "probe.npy", ProbeExportKind::Probabilities, false);
            let through_clip =
                ClipMap::Probe { probe: Arc::clone(probe), options: self.settings.options(), style: style.clone() };
            if let Some(what) = shared.clip_map(document.id, through_clip) {
                let name = "Video with probabilities (MP4)";
                offered.insert(1, Exportable { name, file_name: format!("{stem}.probe.mp4"), what, is_picture: false });
            }
        }
        let file_name =
            format!("{}.probe.safetensors", probe.classes.get(1).map_or("probe", String::as_str).to_lowercase());
        let what = Export::Probe(Arc::clone(probe));
        offered.push(Exportable { name: "Probe (safetensors)", file_name, what, is_picture: false });
        offered
    }
}
