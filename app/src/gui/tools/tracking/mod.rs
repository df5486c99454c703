//! Tracking: objects that are painted in one frame are followed through the clip.

mod classes;
mod edit;
mod exports;
mod frames;
mod inspector;
mod label_texture;
mod objects;
mod paint;
mod settings;
mod strokes;
mod track;
mod words;

use dinoscope_engine::dispatch::{Event, PictureId};
use egui::{Color32, Painter, Ui};

use self::classes::ProbedMask;
use self::edit::{Pending, Stroke};
use self::frames::{Drawn, Labels, Results};
use self::settings::{Mode, Settings};
use self::track::RunningTrack;
use self::words::AskedMask;
use super::{Exportable, Tool};
use crate::gui::canvas::View;
use crate::gui::overlay::Layer;
use crate::gui::panels::timeline::{Mark, MarkShape};
use crate::gui::shared::Shared;
use crate::gui::theme;

/// The tool's state.
#[derive(Default)]
pub struct Tracking {
    settings: Settings,
    /// The object that is painted, by its value; 0 for none.
    selected: u8,
    stroke: Option<Stroke>,
    pending: Pending,
    results: Results,
    drawn: Drawn,
    running: Option<RunningTrack>,
    asked_mask: Option<AskedMask>,
    probed_mask: Option<ProbedMask>,
    /// First and last frame that are typed in for an object that is out of sight.
    absence: Option<(usize, usize)>,
}

impl Tool for Tracking {
    fn shown(&self, shared: &Shared) -> Vec<PictureId> {
        shared.documents.active_id().into_iter().collect()
    }

    fn needs_features(&self) -> bool {
        // Frames that are only watched need not be encoded a second time.
        self.settings.mode == Mode::Click && !self.running.is_some_and(|running| running.is_watched)
    }

    fn wanted(&self, _shared: &Shared) -> Vec<PictureId> {
        self.waits_for().into_iter().collect()
    }

    fn receive(&mut self, shared: &mut Shared, event: &Event) {
        self.take(shared, event);
        self.take_mask(shared, event);
        self.take_probed(shared, event);
    }

    fn update(&mut self, ui: &Ui, shared: &mut Shared, views: &[View]) {
        self.results.forget_closed(|id| shared.documents.get(id).is_some());
        self.edit(ui, shared, views);
        self.ask_probe(shared);
        for view in views {
            if self.stroke.as_ref().is_some_and(|stroke| stroke.picture == view.picture) {
                continue;
            }
            let masks = shared.placed.now().clips.get(&view.picture.document());
            let labels = Labels::of(masks, &self.results, view.picture);
            self.drawn.show(shared.gpu(), view.picture, labels, &frames::palette(masks));
        }
    }

    fn layer(&self, _shared: &Shared, view: &View) -> Option<Layer> {
        let size = view.transform.image_size;
        self.drawn.layer(view.picture, (size.x as usize, size.y as usize), self.settings.opacity)
    }

    fn paint(&self, painter: &Painter, shared: &Shared, view: &View) {
        self.paint_view(painter, shared, view);
    }

    fn readout(&self, shared: &Shared, view: &View) -> Option<String> {
        let masks = shared.placed.now().clips.get(&view.picture.document())?;
        let id = Labels::of(Some(masks), &self.results, view.picture)?.at(view.hovered?)?;
        Some(masks.object(id).map_or_else(|| "background".to_owned(), |object| object.name.clone()))
    }

    fn marks(&self, shared: &Shared, picture: PictureId) -> Vec<Mark> {
        let mut marks = Vec::new();
        let tracked = frames::runs(self.results.frames(picture).map(|(frame, _)| frame));
        let colour = Color32::from_rgb(0x3D, 0xA0, 0x5C);
        marks.extend(tracked.into_iter().map(|frames| Mark {
            frames,
            colour,
            shape: MarkShape::Bar,
            text: "tracked".to_owned(),
        }));
        let Some(masks) = shared.placed.now().clips.get(&picture.document()) else { return marks };
        for object in &masks.objects {
            marks.extend(object.absent.iter().map(|&(start, end)| Mark {
                frames: start..=end,
                colour: theme::NEGATIVE,
                shape: MarkShape::Bar,
                text: format!("{} is out of sight", object.name),
            }));
        }
        marks.extend(masks.painted.keys().map(|&frame| Mark {
            frames: frame..=frame,
            colour: Color32::from_rgb(0xFF, 0xC1, 0x3D),
            shape: MarkShape::Diamond,
            text: "painted".to_owned(),
        }));
        marks
    }

    fn inspector(&mut self, ui: &mut Ui, shared: &mut Shared) {
        self.show_inspector(ui, shared);
    }

    fn exports(&self, shared: &Shared) -> Vec<Exportable> {
        self.offered(shared)
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::to_value(&self.settings).unwrap_or_default()
    }

    fn restore(&mut self, settings: &serde_json::Value) {
        self.settings = serde_json::from_value(settings.clone()).unwrap_or_default();
    }
}

impl Tracking {
    fn add_object(&mut self, shared: &mut Shared, picture: PictureId) {
        let mut added = None;
        shared.placed.edit("add object", |placed| {
            added = placed.clips.entry(picture.document()).or_default().add_object();
        });
        match added {
            Some(id) => self.selected = id,
            None => shared.notices.info("A clip has at most 255 objects"),
        }
    }
}
