//! The window as eframe sees it: events in `logic`, painting in `ui`.

use std::path::PathBuf;

use dinoscope_engine::backend::DeviceChoice;
use dinoscope_engine::dispatch::{Command, Dispatcher, ModelChoice, Outcome, PictureId, PictureSource, Remedy};
use dinoscope_engine::gpu::Gpu;
use dinoscope_engine::image::SizeRule;
use egui::{CentralPanel, Context, Frame, Key, Panel, Rect, Ui, Vec2, ViewportCommand};

use super::actions::{self, Action};
use super::canvas::{CameraRequest, Pointer, View};
use super::device::DeviceHealth;
use super::documents::{Content, Origin};
use super::overlay::{Layer, LayerContent, PicturePainter};
use super::panels::{filmstrip, help, menu, models::Models, notices, rail, status};
use super::settings::{Settings, ThemeChoice};
use super::shared::Shared;
use super::theme;
use super::tools::Tools;

/// How the window is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Files to open; without any, a sample picture.
    pub files: Vec<PathBuf>,
    /// The model.
    pub model: ModelChoice,
    /// Size of the model's input.
    pub size: SizeRule,
}

/// The window.
pub struct App {
    shared: Shared,
    health: DeviceHealth,
    tools: Tools,
    models: Models,
    is_help_open: bool,
    shown: Vec<PictureId>,
}

impl App {
    /// Sets everything up on eframe's graphics device.
    ///
    /// # Errors
    /// Where eframe has no wgpu device.
    pub fn new(creation: &eframe::CreationContext<'_>, launch: Launch) -> Result<Self, String> {
        let render_state = creation.wgpu_render_state.as_ref().ok_or("no graphics device was found")?;
        let context = &creation.egui_ctx;
        theme::install(context);
        let gpu = Gpu { device: render_state.device.clone(), queue: render_state.queue.clone() };
        let painter = PicturePainter::new(gpu.clone(), render_state);
        let wake = {
            let context = context.clone();
            std::sync::Arc::new(move || context.request_repaint())
        };
        let health = {
            let context = context.clone();
            DeviceHealth::listen(&gpu.device, move || context.request_repaint())
        };
        let dispatcher = Dispatcher::new(Some(gpu), wake);
        let settings = Settings::default();
        context.set_theme(settings.theme);
        let shared = Shared::new(dispatcher, painter, launch.model, launch.size, settings);
        let mut app = Self {
            shared,
            health,
            tools: Tools::default(),
            models: Models::default(),
            is_help_open: false,
            shown: Vec::new(),
        };
        if launch.files.is_empty() {
            app.shared.open_sample(0);
        }
        launch.files.into_iter().for_each(|path| app.open_file(path));
        Ok(app)
    }

    fn open_file(&mut self, path: PathBuf) {
        if let Some(known) = self.shared.documents.of_file(&path) {
            self.shared.documents.activate(known);
            return;
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let picture = self.shared.documents.add(name.clone(), Origin::File(path.clone()));
        self.shared.send(Command::Open { picture, source: PictureSource::File(path) }, format!("opening {name}"));
    }

    fn act(&mut self, context: &Context, action: Action) {
        let shared = &mut self.shared;
        match action {
            Action::Use(kind) => self.tools.active = kind,
            Action::Undo => shared.placed.undo(),
            Action::Redo => shared.placed.redo(),
            Action::Fit => shared.canvas.request = Some(CameraRequest::Fit),
            Action::FullSize => shared.canvas.request = Some(CameraRequest::FullSize),
            Action::ZoomIn => shared.canvas.request = Some(CameraRequest::Zoom(1.25)),
            Action::ZoomOut => shared.canvas.request = Some(CameraRequest::Zoom(0.8)),
            Action::PatchGrid => shared.canvas.has_patch_grid ^= true,
            Action::NextPicture => shared.documents.step(1),
            Action::PreviousPicture => shared.documents.step(-1),
            Action::Close => {
                if let Some(id) = shared.documents.active_id() {
                    shared.documents.close(id);
                    shared.cache.forget(id);
                }
            }
            Action::Help => self.is_help_open ^= true,
            Action::Models => self.models.is_open ^= true,
            Action::ToggleTheme => {
                let is_dark = context.theme() == egui::Theme::Dark;
                shared.settings.theme = if is_dark { ThemeChoice::Light } else { ThemeChoice::Dark };
                context.set_theme(shared.settings.theme);
            }
            Action::Quit => context.send_viewport_cmd(ViewportCommand::Close),
            Action::Open | Action::Paste => {}
        }
    }

    fn mend(&mut self, remedy: Remedy) {
        match remedy {
            Remedy::UseCpu => {
                let choice = ModelChoice { device: DeviceChoice::Cpu, ..(*self.shared.model.choice).clone() };
                self.shared.load_model(choice);
            }
            Remedy::Download(_) | Remedy::GiveToken(_) => self.models.is_open = true,
        }
    }

    fn canvas(&mut self, ui: &mut Ui) {
        let area = ui.max_rect();
        ui.painter().rect_filled(area, 0.0, theme::canvas_colour(ui.ctx().theme()));
        self.shared.canvas.is_layer_hidden = ui.input(|input| input.key_down(Key::H));
        let tool = self.tools.current();
        self.shown = tool.shown(&self.shared);
        let mut wanted = self.shown.clone();
        wanted.extend(tool.wanted(&self.shared));
        self.shared.want(&wanted, &self.shown);

        let mut pictures = Vec::new();
        for &id in &self.shown {
            let geometry = self.shared.features(id).map(|features| features.geometry);
            let Some(document) = self.shared.documents.get(id) else { continue };
            let Some(loaded) = document.loaded() else { continue };
            let size = Vec2::new(loaded.pixels.width as f32, loaded.pixels.height as f32);
            pictures.push((id, document.name.clone(), size, geometry));
        }
        let mut canvas = std::mem::take(&mut self.shared.canvas);
        let views = canvas.views(ui, area, self.tools.current().columns(), &pictures);
        self.shared.canvas = canvas;
        let tool = self.tools.current();
        tool.update(ui, &mut self.shared, &views);
        self.shared.canvas.pointer = views.iter().find_map(|view| {
            let pixel = view.hovered?;
            let readout = tool.readout(&self.shared, view);
            Some(Pointer { picture: view.picture, pixel, patch: view.patch_at(pixel), readout })
        });
        for view in &views {
            let painter = ui.painter().with_clip_rect(view.transform.rect);
            let layer = self.layer(view);
            let Some(loaded) = self.shared.documents.get(view.picture).and_then(|document| document.loaded()) else {
                continue;
            };
            let has_grid = self.shared.canvas.has_patch_grid;
            self.shared.painter.paint(&painter, &view.transform, &loaded.texture, layer.as_ref(), has_grid);
            if !self.shared.canvas.is_layer_hidden {
                self.tools.current().paint(&painter, &self.shared, view);
            }
        }
        if !self.shared.canvas.is_layer_hidden {
            let painter = ui.painter().with_clip_rect(area);
            self.tools.current().paint_across(&painter, &self.shared, &views);
        }
    }

    /// The tool's layer, or an empty one that carries the patch grid.
    fn layer(&mut self, view: &View) -> Option<Layer> {
        let empty = |geometry| Layer { geometry, content: LayerContent::Empty, opacity: 0.0, is_smooth: false };
        if self.shared.canvas.is_layer_hidden {
            return view.geometry.map(empty);
        }
        self.tools.current().layer(&self.shared, view).or_else(|| view.geometry.map(empty))
    }
}

impl eframe::App for App {
    fn logic(&mut self, context: &Context, _frame: &mut eframe::Frame) {
        let events = self.shared.receive(context, &self.shown);
        for event in events {
            if let Outcome::Failed(failure) = &event.outcome {
                self.shared.notices.error(&failure.message, failure.remedy.clone());
            }
            self.tools.receive(&mut self.shared, &event);
        }
        for error in self.health.take_errors() {
            self.shared.notices.error(&error, None);
        }
        let dropped: Vec<PathBuf> =
            context.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_path_buf()).collect());
        dropped.into_iter().for_each(|path| self.open_file(path));
        for action in actions::pressed(context) {
            self.act(context, action);
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let context = ui.ctx().clone();
        let mut asked = Vec::new();
        Panel::top("menu").show(ui, |ui| asked = menu::show(ui));
        asked.into_iter().for_each(|action| self.act(&context, action));
        Panel::bottom("status").exact_size(28.0).show(ui, |ui| {
            if let Some(id) = status::show(ui, &self.shared) {
                self.shared.cancel(id);
            }
        });
        if self.shared.documents.len() > 1 {
            Panel::bottom("filmstrip").exact_size(filmstrip::THUMBNAIL_HEIGHT + 24.0).show(ui, |ui| {
                match filmstrip::show(ui, &self.shared) {
                    Some(filmstrip::Asked::Activate(id)) => self.shared.documents.activate(id),
                    None => {}
                }
            });
        }
        Panel::left("rail").resizable(false).exact_size(theme::RAIL_WIDTH).show(ui, |ui| {
            if let Some(kind) = rail::show(ui, self.tools.active) {
                self.tools.active = kind;
            }
        });
        Panel::right("inspector").resizable(false).exact_size(theme::INSPECTOR_WIDTH).show(ui, |ui| {
            ui.add_space(8.0);
            ui.heading(self.tools.active.name());
            egui::ScrollArea::vertical().show(ui, |ui| self.tools.current().inspector(ui, &mut self.shared));
        });
        let mut canvas_rect = Rect::NOTHING;
        CentralPanel::default().frame(Frame::NONE).show(ui, |ui| {
            canvas_rect = ui.max_rect();
            self.canvas(ui);
        });
        if let Some(remedy) = notices::show(&context, &mut self.shared.notices, canvas_rect) {
            self.mend(remedy);
        }
        help::show(&context, &mut self.is_help_open);
        self.models.show(&context, &mut self.shared);
        if let Some(failed) = self.failed_message() {
            ui.painter_at(canvas_rect).text(
                canvas_rect.center(),
                egui::Align2::CENTER_CENTER,
                failed,
                egui::FontId::proportional(14.0),
                ui.visuals().text_color(),
            );
        }
    }
}

impl App {
    fn failed_message(&self) -> Option<String> {
        match &self.shared.documents.active()?.content {
            Content::Failed(message) => Some(message.clone()),
            _ => None,
        }
    }
}
