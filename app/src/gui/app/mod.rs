//! The window as eframe sees it: events in `logic`, painting in `ui`.

mod acts;
mod intake;
mod keeping;
mod rescue;
mod stage;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dinoscope_engine::backend::{DeviceChoice, Dtype};
use dinoscope_engine::camera::{self, CameraInfo, Cameras};
use dinoscope_engine::dispatch::{Dispatcher, DispatcherConfig, Loader, ModelChoice, Outcome, PictureId, RequestId};
use dinoscope_engine::encoder::{DEMO, ModelSource};
use dinoscope_engine::gpu::Gpu;
use dinoscope_engine::hub::HubConfig;
use dinoscope_engine::image::SizeRule;
use dinoscope_engine::text::TextCache;
use egui::{CentralPanel, Context, Frame, Key, Margin, Modifiers, Panel, Rect, ScrollArea, Ui};

use super::actions::{self, Action};
use super::device::{self, DeviceHealth};
use super::dialogs::{AskPerson, Dialogs};
use super::errands::{Errand, Errands};
use super::live::CameraPort;
use super::overlay::PicturePainter;
use super::panels::drop_zone::{self, Hovering};
use super::panels::filmstrip::{self, Filmstrip};
use super::panels::models::Models;
use super::panels::{about, cameras, export, help, menu, notices, rail, status, timeline};
use super::settings::Settings;
use super::shared::Shared;
use super::theme;
use super::tools::Tools;
use keeping::Keeper;
pub use rescue::{Rescue, RescueSlot};

/// Short side of the model's input where nothing else was chosen.
const DEFAULT_SIZE: usize = 768;

/// How the window is started. What is `None` is as it was when the program ended last.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// Files to open; without any, the last workspace, and at the first start a sample picture.
    pub files: Vec<PathBuf>,
    /// The model.
    pub source: Option<ModelSource>,
    /// Where it runs.
    pub device: Option<DeviceChoice>,
    /// Its precision.
    pub dtype: Option<Dtype>,
    /// Size of its input.
    pub size: Option<SizeRule>,
    /// Where published models come from and are kept; `None`: as the environment says.
    pub hub: Option<HubConfig>,
    /// Folder of settings and of the last workspace; `None`: nothing is remembered.
    pub config_folder: Option<PathBuf>,
    /// Who answers dialogs for files.
    pub ask: AskPerson,
    /// How models are loaded; `None`: as everywhere.
    pub loader: Option<ModelLoader>,
    /// The cameras; `None`: those that this build can reach.
    pub cameras: Option<CameraList>,
    /// What the window before had to leave when its graphics device was lost.
    pub rescue: RescueSlot,
    /// For trying that: gives the graphics device up after this time.
    pub device_loss: Option<Duration>,
}

/// Loads models in the place of the engine: a test's.
#[derive(Clone)]
pub struct ModelLoader(pub Loader);

impl fmt::Debug for ModelLoader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ModelLoader")
    }
}

/// Cameras in the place of the machine's: a test's.
#[derive(Clone)]
pub struct CameraList(pub Arc<dyn Cameras>);

impl fmt::Debug for CameraList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CameraList")
    }
}

impl Launch {
    /// The model that was asked for; what was not is as it was last.
    fn model(&self, last: Option<&ModelChoice>) -> ModelChoice {
        let named = || ModelSource::Named(DEMO.to_owned());
        let is_last = self.source.is_none() && self.device.is_none();
        ModelChoice {
            source: self.source.clone().or_else(|| last.map(|last| last.source.clone())).unwrap_or_else(named),
            device: self.device.clone().or_else(|| last.map(|last| last.device.clone())).unwrap_or_default(),
            dtype: self.dtype.or_else(|| last.filter(|_| is_last).and_then(|last| last.dtype)),
        }
    }
}

/// The window.
pub struct App {
    shared: Shared,
    health: DeviceHealth,
    tools: Tools,
    models: Models,
    filmstrip: Filmstrip,
    errands: Errands,
    dialogs: Dialogs,
    keeper: Keeper,
    rescue: RescueSlot,
    /// Whether the device was lost and everything has been put aside.
    has_left: bool,
    device_loss: Option<Instant>,
    hovering: Option<Hovering>,
    /// Those to choose from, while somebody does.
    cameras: Vec<CameraInfo>,
    is_help_open: bool,
    is_about_open: bool,
    shown: Vec<PictureId>,
    copying: Option<RequestId>,
    /// Pictures pasted so far.
    pasted: usize,
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
        let gpu = Gpu::new(render_state.device.clone(), render_state.queue.clone());
        let painter = PicturePainter::new(gpu.clone(), render_state);
        let wake = {
            let context = context.clone();
            move || context.request_repaint()
        };
        let health = DeviceHealth::listen(&gpu.device, wake.clone());
        let hub = launch.hub.clone().unwrap_or_else(HubConfig::from_env);
        let mut config = DispatcherConfig::with_hub(Some(gpu), Arc::new(wake.clone()), hub.clone());
        if let Some(ModelLoader(loader)) = &launch.loader {
            config.loader = Arc::clone(loader);
        }
        if launch.config_folder.is_none() {
            config.texts = TextCache::in_memory();
        }
        let dispatcher = Dispatcher::with_config(config);
        let (settings, damage) = launch.config_folder.as_deref().map_or_else(Default::default, Settings::read);
        context.set_theme(settings.theme);
        context.set_zoom_factor(settings.zoom);
        let model = launch.model(settings.model.as_ref());
        // What was remembered may be gone by now.
        let fallback = launch.source.is_none().then(|| launch.model(None));
        let size = launch.size.or(settings.size).unwrap_or(SizeRule::ShortSide(DEFAULT_SIZE));
        let (tool, tool_settings) = (settings.tool, settings.tools.clone());
        let keeper = Keeper::new(launch.config_folder, settings.clone());
        let mut app = Self {
            shared: Shared::new(dispatcher, painter, model, size, settings),
            health,
            tools: Tools::default(),
            models: Models::new(hub),
            filmstrip: Filmstrip::default(),
            errands: Errands::new(wake.clone()),
            dialogs: Dialogs::new(launch.ask),
            keeper,
            rescue: launch.rescue,
            has_left: false,
            device_loss: launch.device_loss.map(|after| Instant::now() + after),
            hovering: None,
            cameras: Vec::new(),
            is_help_open: false,
            is_about_open: false,
            shown: Vec::new(),
            copying: None,
            pasted: 0,
        };
        app.shared.model.previous = fallback.map(Arc::new);
        let cameras = launch.cameras.map(|CameraList(cameras)| cameras).or_else(camera::system);
        app.shared.cameras = cameras.map(|cameras| CameraPort { cameras, wake: Arc::new(wake) });
        app.tools.active = tool;
        app.tools.restore(&tool_settings);
        for sentence in damage.into_iter().chain(device::missing(&render_state.adapter)) {
            app.shared.notices.error(&sentence, None);
        }
        if let Some(rescue) = app.rescue.take() {
            app.take_over(rescue);
        } else if launch.files.is_empty() {
            app.restore_last();
        } else {
            app.look_at(launch.files, false);
        }
        app.errands.send(Errand::Samples);
        Ok(app)
    }

    /// Writes what is remembered, as the end of the program does.
    pub fn close(&mut self) {
        self.keep_now();
    }

    /// Uses another model, on the device and in the precision chosen now.
    pub fn use_model(&mut self, source: ModelSource) {
        let choice = ModelChoice { source, ..(*self.shared.model.choice).clone() };
        self.shared.load_model(choice);
    }

    /// Gives the graphics device up, as a driver that crashes does.
    pub fn lose_device(&self) {
        self.shared.gpu().device.destroy();
    }

    fn take_events(&mut self, context: &Context) {
        for event in self.shared.receive(context, &self.shown) {
            if self.models.receive(&mut self.shared, &event) {
                continue;
            }
            match &event.outcome {
                Outcome::Drawn(picture) if self.copying == Some(event.id) => self.copied(context, picture),
                Outcome::Exported(path) => self.shared.notices.written(path.clone()),
                Outcome::Failed(failure) => self.shared.notices.error(&failure.message, failure.remedy.clone()),
                _ => {}
            }
            self.tools.receive(&mut self.shared, &event);
        }
        if let Some(wait) = self.shared.follow_cameras(context, &self.shown, self.tools.current()) {
            context.request_repaint_after(wait);
        }
        for error in self.health.take_errors() {
            self.shared.notices.error(&error, None);
        }
    }

    fn inspector(&mut self, ui: &mut Ui) {
        let context = ui.ctx().clone();
        let footer = Frame::new().inner_margin(Margin::symmetric(0, 8));
        let mut chosen = None;
        Panel::bottom("export").frame(footer).show_separator_line(true).show(ui, |ui| {
            chosen = export::button(ui, self.tools.current(), &mut self.shared);
        });
        if let Some(what) = chosen {
            self.export(&context, what);
        }
        ui.add_space(8.0);
        ui.heading(self.tools.active.name());
        // As wide with a scroll bar as without, so that nothing jumps when the bar appears.
        let width = ui.available_width() - theme::SCROLL_BAR_WIDTH;
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.set_max_width(width);
            self.tools.current().inspector(ui, &mut self.shared);
        });
    }
}

impl eframe::App for App {
    fn logic(&mut self, context: &Context, _frame: &mut eframe::Frame) {
        if let Some(when) = self.device_loss {
            if when <= Instant::now() {
                self.device_loss = None;
                self.lose_device();
            }
            context.request_repaint_after(Duration::from_millis(50));
        }
        if self.leave_lost_device(context) {
            return;
        }
        self.take_events(context);
        self.take_reports();
        self.take_input(context);
        for action in actions::pressed(context) {
            self.act(context, action);
        }
        let is_read = self.is_help_open || self.is_about_open || self.models.is_open;
        if is_read
            && !self.shared.is_typing
            && context.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape))
        {
            (self.is_help_open, self.is_about_open, self.models.is_open) = (false, false, false);
        }
        let escape = context.input(|input| input.key_pressed(Key::Escape));
        if escape && !self.shared.is_typing && self.shared.notices.dismiss_newest() {
            context.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        if self.has_left {
            return;
        }
        let context = ui.ctx().clone();
        let mut asked = Vec::new();
        Panel::top("menu").show(ui, |ui| {
            asked = menu::show(ui, &mut self.shared, &mut self.models, self.tools.current());
        });
        asked.into_iter().for_each(|asked| self.chosen_in_menu(&context, asked));
        Panel::bottom("status").exact_size(28.0).show(ui, |ui| status::show(ui, &mut self.shared, &self.shown));
        if self.filmstrip.has_content(&self.shared) {
            let mut asked = None;
            Panel::bottom("filmstrip")
                .exact_size(filmstrip::height(context.content_rect().height()))
                .show(ui, |ui| asked = self.filmstrip.show(ui, &self.shared));
            if let Some(asked) = asked {
                self.chosen_in_filmstrip(&context, asked);
            }
        }
        if let Some(picture) = self.shared.documents.active().filter(|it| it.player.is_some()).map(|it| it.id) {
            let marks = self.tools.current().marks(&self.shared, picture);
            let panel = Panel::bottom("timeline").exact_size(timeline::HEIGHT);
            if let Some(action) = panel.show(ui, |ui| timeline::show(ui, &mut self.shared, picture, &marks)).inner {
                self.act(&context, action);
            }
        }
        if let Some(picture) = self.shared.documents.active().filter(|it| it.live.is_some()).map(|it| it.id) {
            let panel = Panel::bottom("camera").exact_size(cameras::HEIGHT);
            match panel.show(ui, |ui| cameras::strip(ui, &self.shared, picture)).inner {
                Some(cameras::Asked::Switch) => self.act(&context, Action::Play),
                Some(cameras::Asked::Keep) => self.shared.keep_frame(picture),
                None => {}
            }
        }
        Panel::left("rail").resizable(false).exact_size(theme::RAIL_WIDTH).show(ui, |ui| {
            if let Some(kind) = rail::show(ui, self.tools.active) {
                self.tools.active = kind;
            }
        });
        Panel::right("inspector").resizable(false).exact_size(theme::INSPECTOR_WIDTH).show(ui, |ui| self.inspector(ui));
        let mut canvas_rect = Rect::NOTHING;
        CentralPanel::default().frame(Frame::NONE).show(ui, |ui| {
            canvas_rect = ui.max_rect();
            let pictures = self.canvas(ui);
            status::bar_over_canvas(ui, &self.shared, pictures);
        });
        if let Some(offer) = notices::show(&context, &mut self.shared.notices, canvas_rect) {
            self.accept(offer);
        }
        help::show(&context, &mut self.is_help_open);
        about::show(&context, &mut self.is_about_open);
        if let Some(camera) = cameras::choose(&context, &mut self.cameras) {
            self.look_through(camera);
        }
        if let Some(asked) = self.models.show(&context, &mut self.shared, canvas_rect) {
            self.chosen_in_models(&context, asked);
        }
        if let Some(hovering) = &self.hovering {
            drop_zone::show(&context, hovering, canvas_rect);
        }
        self.ask_for_tools(&context);
        if let Some(handover) = self.shared.handover.take() {
            self.tools.hand_over(&handover);
            context.request_repaint();
        }
        self.keep(&context);
        self.shared.is_typing = context.text_edit_focused();
    }

    fn on_exit(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_wins_over_what_was_remembered() {
        let last = ModelChoice {
            source: ModelSource::Named("vits16".to_owned()),
            device: DeviceChoice::Cpu,
            dtype: Some(Dtype::Bf16),
        };
        assert_eq!(Launch::default().model(Some(&last)), last);
        let other = ModelSource::Named("vitb16".to_owned());
        let launch = Launch { source: Some(other.clone()), ..Launch::default() };
        let expected = ModelChoice { source: other, device: DeviceChoice::Cpu, dtype: None };
        assert_eq!(launch.model(Some(&last)), expected, "a precision that suited one model may not suit another");
        assert_eq!(Launch::default().model(None).source, ModelSource::Named(DEMO.to_owned()));
    }
}
