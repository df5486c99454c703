//! How far away everything is.

use std::sync::{Arc, Weak};

use dinoscope_engine::dispatch::{
    DepthReading, Export, HeadAnswer, HeadExport, HeadExportKind, HeadOptions, HeadReading,
};
use dinoscope_engine::draw::Colormap;
use dinoscope_engine::draw::overlay::{Interpolation, OverlayStyle, Scale};
use dinoscope_engine::heads::Task;
use dinoscope_engine::heads::depth::{DepthChoice, DepthPreset};
use dinoscope_engine::image::SizeRule;
use egui::{Painter, Ui, pos2};
use serde::{Deserialize, Serialize};

use super::{Exportable, Head, SIZES, input_size, layers_field, metadata_of, typed_layers};
use crate::gui::canvas::View;
use crate::gui::overlay::{Layer, LayerContent, MapStyle, upload_values};
use crate::gui::panels::controls;
use crate::gui::placed::PixelPoint;
use crate::gui::shared::Shared;
use crate::gui::tools::similarity::colour_bar::ColourBar;
use crate::gui::tools::similarity::inspector::show_colormaps;

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What the metres are; `None`: as the head's tensors say.
    preset: Option<DepthPreset>,
    /// Blocks that the head reads, as they were typed.
    layers: String,
    /// Whether the model's input is as large as that of the published head.
    has_published_size: bool,
    /// Else its short side, in pixels.
    size: usize,
    colormap: Colormap,
    /// Whether colours go from the map's least to its greatest value.
    is_stretched: bool,
    /// Else they go from 0 to this, in metres.
    far: f32,
    opacity: f32,
    /// How wide the camera saw, in degrees, for point clouds.
    fov: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            preset: None,
            layers: String::new(),
            has_published_size: true,
            size: 768,
            colormap: Colormap::Turbo,
            is_stretched: true,
            far: 10.0,
            opacity: 0.8,
            fov: 60.0,
        }
    }
}

/// The tool's own state.
#[derive(Default)]
pub struct Depth {
    settings: Settings,
    drawn: Option<Drawn>,
    /// Metres under the pointer.
    value: Option<f32>,
}

/// A map on the graphics device.
struct Drawn {
    reading: Weak<HeadReading>,
    map: wgpu::TextureView,
    range: wgpu::TextureView,
}

impl Depth {
    fn range(&self, depth: &DepthReading) -> (f32, f32) {
        if self.settings.is_stretched { (depth.summary.min, depth.summary.max) } else { (0.0, self.settings.far) }
    }
}

impl Head for Depth {
    const TASK: Task = Task::Depth;

    fn options(&self) -> HeadOptions {
        let Settings { preset, has_published_size, size, .. } = self.settings;
        let size = (!has_published_size).then_some(SizeRule::ShortSide(size));
        let layers = typed_layers(&self.settings.layers);
        HeadOptions::Depth { choice: DepthChoice { preset, layers, ..DepthChoice::default() }, size }
    }

    fn invitation(&self) -> &'static str {
        "How far away everything in the picture is, in metres."
    }

    fn update(&mut self, _ui: &Ui, shared: &mut Shared, view: &View, reading: &Arc<HeadReading>) {
        let HeadAnswer::Depth(depth) = &reading.answer else { return };
        self.value = view.hovered.and_then(|point| depth.map.at(f64::from(point.x), f64::from(point.y)));
        if self.drawn.as_ref().is_some_and(|drawn| std::ptr::eq(drawn.reading.as_ptr(), Arc::as_ptr(reading))) {
            return;
        }
        let values: Vec<f32> = depth.shown.iter().copied().collect();
        let gpu = shared.gpu();
        self.drawn = Some(Drawn {
            reading: Arc::downgrade(reading),
            map: upload_values(gpu, depth.shown.ncols(), &values),
            range: upload_values(gpu, 2, &[depth.summary.min, depth.summary.max]),
        });
    }

    fn layer(&self, reading: &HeadReading) -> Option<Layer> {
        let HeadAnswer::Depth(depth) = &reading.answer else { return None };
        let drawn = self.drawn.as_ref().filter(|drawn| std::ptr::eq(drawn.reading.as_ptr(), reading))?;
        let style = MapStyle {
            colormap: self.settings.colormap,
            range: Some(self.range(depth)),
            threshold: None,
            contour: None,
            is_grey_below: true,
        };
        Some(Layer {
            geometry: depth.geometry,
            content: LayerContent::Map { map: drawn.map.clone(), range: drawn.range.clone(), style },
            opacity: self.settings.opacity,
            is_smooth: true,
        })
    }

    fn paint(&self, painter: &Painter, view: &View, reading: &HeadReading) {
        let HeadAnswer::Depth(depth) = &reading.answer else { return };
        let bar = ColourBar {
            colormap: self.settings.colormap,
            range: Some(self.range(depth)),
            unit: " m",
            value: self.value,
            threshold: None,
        };
        let pointer = view.hovered.map(|PixelPoint { x, y }| view.transform.screen_from_image(pos2(x, y)));
        bar.paint(painter, view.transform.rect, pointer);
    }

    fn readout(&self, _view: &View, reading: &HeadReading) -> Option<String> {
        let HeadAnswer::Depth(depth) = &reading.answer else { return None };
        let what = match depth.map.preset {
            DepthPreset::Synthmix => "depth",
            DepthPreset::Chmv2 => "height",
        };
        self.value.map(|metres| format!("{what} {metres:.2} m"))
    }

    fn panel(&mut self, ui: &mut Ui, reading: Option<&HeadReading>) {
        let usual = Settings::default();
        let settings = &mut self.settings;
        if let Some(HeadAnswer::Depth(depth)) = reading.map(|reading| &reading.answer) {
            let summary = depth.summary;
            egui::Grid::new("metres").num_columns(2).show(ui, |ui| {
                for (name, metres) in [("Nearest", summary.min), ("Median", summary.median), ("Farthest", summary.max)]
                {
                    ui.weak(name);
                    ui.monospace(format!("{metres:.2} m"));
                    ui.end_row();
                }
            });
            ui.separator();
        }
        show_colormaps(ui, &mut settings.colormap);
        let hint = "Colours from the map's least to its greatest value, or from 0 to a distance that you give";
        controls::choice(ui, "Scale", hint, &mut settings.is_stretched, &[(true, "Stretched"), (false, "Fixed")]);
        if !settings.is_stretched {
            controls::slider(ui, "Farthest", "The last colour, in metres", &mut settings.far, 0.5..=100.0, usual.far);
        }
        let hint = "0 shows the picture alone";
        controls::slider(ui, "Opacity", hint, &mut settings.opacity, 0.0..=1.0, usual.opacity);
    }

    fn more(&mut self, ui: &mut Ui) {
        let settings = &mut self.settings;
        let presets =
            [(None, "Automatic"), (Some(DepthPreset::Synthmix), "Depth"), (Some(DepthPreset::Chmv2), "Canopy height")];
        let hint = "What the head was trained for: it decides what its numbers mean";
        controls::choice(ui, "Trained for", hint, &mut settings.preset, &presets);
        layers_field(ui, &mut settings.layers);
        let hint = "The model's input is as large as that of the published head";
        controls::toggle(ui, "Published size", hint, &mut settings.has_published_size);
        if !settings.has_published_size {
            input_size(ui, &mut settings.size);
        }
        let hint = "How wide the camera saw along a row, in degrees: decides the shape of the point cloud";
        controls::slider(ui, "Field of view", hint, &mut settings.fov, 10.0..=150.0, Settings::default().fov);
    }

    fn exports(&self, shared: &Shared, stem: &str, reading: &Arc<HeadReading>) -> Vec<Exportable> {
        let HeadAnswer::Depth(depth) = &reading.answer else { return Vec::new() };
        let Some(document) = shared.documents.active() else { return Vec::new() };
        let Some(loaded) = document.loaded() else { return Vec::new() };
        let exportable = |name, ending: &str, kind, is_picture| {
            let (picture, reading) = (Arc::clone(&loaded.pixels), Arc::clone(reading));
            let picture_name = document.name.clone();
            let what = HeadExport { kind, picture, name: picture_name, metadata: metadata_of(&reading), reading };
            Exportable { name, file_name: format!("{stem}.{ending}"), what: Export::Head(Box::new(what)), is_picture }
        };
        let (low, high) = self.range(depth);
        let style = OverlayStyle {
            colormap: self.settings.colormap,
            scale: Scale::Fixed { low, high },
            interpolation: Interpolation::Bilinear,
            opacity: self.settings.opacity,
            unit: " m",
            ..OverlayStyle::default()
        };
        let mut offered = vec![
            exportable("Picture with depths (PNG)", "depth.png", HeadExportKind::DepthPicture(style), true),
            exportable("Depths (16-bit PNG)", "depth16.png", HeadExportKind::DepthSteps, false),
            exportable("Depths (NumPy)", "depth.npy", HeadExportKind::DepthArray, false),
        ];
        if depth.map.preset == DepthPreset::Synthmix {
            let fov = self.settings.fov;
            offered.push(exportable("Point cloud (PLY)", "ply", HeadExportKind::PointCloud { fov }, false));
        }
        offered
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::to_value(&self.settings).unwrap_or_default()
    }

    fn restore(&mut self, settings: &serde_json::Value) {
        let mut settings: Settings = serde_json::from_value(settings.clone()).unwrap_or_default();
        settings.opacity = settings.opacity.clamp(0.0, 1.0);
        settings.fov = settings.fov.clamp(10.0, 150.0);
        settings.far = settings.far.clamp(0.5, 100.0);
        settings.size = settings.size.clamp(*SIZES.start() as usize, *SIZES.end() as usize);
        self.settings = settings;
    }
}
