//! Recordings: videos, masks and tables of what was painted and tracked.

use std::collections::BTreeMap;
use std::sync::Arc;

use dinoscope_engine::dispatch::{Export, FrameLabels, TracksExport};
use dinoscope_engine::draw::Palette;
use dinoscope_engine::draw::labels::LabelStyle;
use dinoscope_engine::tracking::record::RecordKind;

use super::Tracking;
use super::frames::Labels;
use crate::gui::masks::ClipMasks;
use crate::gui::shared::Shared;
use crate::gui::tools::Exportable;

impl Tracking {
    pub(super) fn offered(&self, shared: &Shared) -> Vec<Exportable> {
        let Some(document) = shared.documents.active() else { return Vec::new() };
        let Some(player) = &document.player else { return Vec::new() };
        let Some(masks) = shared.placed.now().clips.get(&document.id.document()) else { return Vec::new() };
        if masks.painted.is_empty() {
            return Vec::new();
        }
        let span = player.span().into_inner();
        let known = |frame: usize| {
            Some(match Labels::of(Some(masks), &self.results, document.id.at_frame(frame))? {
                Labels::Painted(map) => FrameLabels::Painted(map),
                Labels::Tracked(tracked) => FrameLabels::Tracked(tracked),
            })
        };
        let frames: BTreeMap<usize, FrameLabels> =
            (span.0..=span.1).filter_map(|frame| Some((frame, known(frame)?))).collect();
        let frames = Arc::new(frames);
        let visible = masks.objects.iter().filter(|object| object.is_visible);
        let names: Vec<(u8, String)> = visible.map(|object| (object.id, object.name.clone())).collect();
        let stem = document.name.rsplit_once('.').map_or(&*document.name, |(stem, _)| stem);
        let exportable = |name, ending: &str, kind| {
            let (clip, names, frames) = (player.clip.clone(), names.clone(), Arc::clone(&frames));
            let what = Export::Tracks(Box::new(TracksExport { kind, clip, span, names, frames }));
            Exportable { name, file_name: format!("{stem}{ending}"), what, is_picture: false }
        };
        let style = self.style(masks);
        let overlay = RecordKind::Overlay { style: style.clone(), is_beside: self.settings.is_beside };
        vec![
            exportable("Video with objects (MP4)", ".tracked.mp4", overlay),
            exportable("Masks (folder of PNG)", "-masks", RecordKind::Masks),
            exportable("Soft masks (folders of PNG)", "-soft-masks", RecordKind::SoftMasks),
            exportable("Cut-outs, transparent (folder of PNG)", "-cut-outs", RecordKind::CutOuts(style)),
            exportable("Masks for COCO (JSON)", ".coco.json", RecordKind::Coco),
            exportable("Areas, boxes, centroids (CSV)", ".tracks.csv", RecordKind::Table),
        ]
    }

    fn style(&self, masks: &ClipMasks) -> LabelStyle {
        let mut palette = Palette::of_objects(1);
        for object in &masks.objects {
            palette.0[usize::from(object.id)] = object.colour;
        }
        LabelStyle {
            palette,
            opacity: self.settings.opacity,
            outline: if self.settings.has_outline { 2 } else { 0 },
            background: self.settings.background.into(),
        }
    }
}
