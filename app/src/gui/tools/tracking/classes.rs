//! Masks of a frame out of the classes of its pixels: phrases, or what a probe was taught.

use std::sync::Arc;

use dinoscope_engine::dispatch::{
    Command, Event, Outcome, PictureId, ProbeRequest, ProbeSource, ProbedPicture, RequestId,
};
use dinoscope_engine::probe::apply::ApplyOptions;
use dinoscope_engine::text::Labels;
use egui::{Button, Ui};

use super::Tracking;
use crate::gui::masks::PaintedMap;
use crate::gui::shared::Shared;

/// A mask from the probe that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbedMask {
    /// The frame's features are not there yet.
    Waiting(PictureId),
    /// The worker was asked.
    Asked(RequestId, PictureId),
}

impl Tracking {
    /// A button, once there is a probe.
    pub(super) fn probe(&mut self, ui: &mut Ui, shared: &Shared, picture: PictureId) {
        if shared.probe.is_none() {
            return;
        }
        let button = ui.add_enabled(self.probed_mask.is_none(), Button::new("Mask from probe"));
        if button
            .on_hover_text("Paints what the probe finds into this frame, as objects of its classes' names")
            .clicked()
        {
            self.probed_mask = Some(ProbedMask::Waiting(picture));
        }
    }

    /// The frame whose features the probe waits for.
    pub(super) fn waits_for(&self) -> Option<PictureId> {
        match self.probed_mask {
            Some(ProbedMask::Waiting(picture)) => Some(picture),
            _ => None,
        }
    }

    /// Asks once the features are there.
    pub(super) fn ask_probe(&mut self, shared: &mut Shared) {
        let Some(picture) = self.waits_for() else { return };
        if shared.documents.active_id() != Some(picture) {
            self.probed_mask = None;
            return;
        }
        let ready = shared.features(picture).zip(shared.pixels_now(picture)).zip(shared.probe.clone());
        let Some(((features, pixels), probe)) = ready else { return };
        let request = ProbeRequest {
            source: ProbeSource::Known(probe),
            pictures: vec![ProbedPicture { picture, features, pixels }],
            options: ApplyOptions { has_median: true, follows_edges: false },
        };
        let id = shared.send(Command::Probe(Box::new(request)), "making masks from the probe");
        self.probed_mask = Some(ProbedMask::Asked(id, picture));
    }

    /// Takes masks that the probe has made.
    pub(super) fn take_probed(&mut self, shared: &mut Shared, event: &Event) {
        let Some(ProbedMask::Asked(id, picture)) = self.probed_mask else { return };
        if id != event.id {
            return;
        }
        self.probed_mask = None;
        match &event.outcome {
            Outcome::Probed(probed) => {
                let Some((_, applied)) = probed.pictures.first() else { return };
                let classes = probed.probe.classes.iter().enumerate();
                let names: Vec<Option<String>> =
                    classes.map(|(class, name)| (class > 0).then(|| name.clone())).collect();
                if !self.paint_classes(shared, picture, &names, &applied.labels(), "mask from probe") {
                    shared.notices.info("The probe finds nothing but its first class in this frame");
                }
            }
            Outcome::Failed(failure) => shared.notices.error(&failure.message, failure.remedy.clone()),
            _ => {}
        }
    }

    /// Paints labels into a frame, as objects of their class's name; a class without a name is none. Whether there was
    /// anything to paint.
    pub(super) fn paint_classes(
        &mut self,
        shared: &mut Shared,
        picture: PictureId,
        names: &[Option<String>],
        labels: &Labels,
        step: &'static str,
    ) -> bool {
        let Some(mut map) = self.map_to_paint(shared, picture) else { return false };
        let areas = labels.areas(names.len() + 1);
        let found: Vec<usize> = (0..names.len()).filter(|&class| names[class].is_some() && areas[class] > 0).collect();
        if found.is_empty() || (map.width, map.height) != (labels.width, labels.height) {
            return false;
        }
        let mut selected = None;
        shared.placed.edit(step, |placed| {
            let masks = placed.clips.entry(picture.document()).or_default();
            let mut ids = vec![None; names.len()];
            for class in found {
                ids[class] = names[class].as_ref().and_then(|name| masks.object_named(name));
            }
            for (value, &label) in map.ids.iter_mut().zip(&labels.data) {
                // What was painted of these objects before is replaced.
                if ids.contains(&Some(*value)) {
                    *value = 0;
                }
                if let Some(Some(id)) = ids.get(usize::from(label)) {
                    *value = *id;
                }
            }
            selected = ids.into_iter().flatten().next();
            masks.painted.insert(picture.frame(), PaintedMap(Arc::new(map)));
        });
        self.selected = selected.unwrap_or(self.selected);
        true
    }
}
