//! The window. Everything here paints, reads plain data and sends commands; `dinoscope_engine::dispatch` does the work.

mod actions;
mod app;
mod canvas;
mod device;
mod dialogs;
mod dinotxt;
mod documents;
mod errands;
mod files;
mod heads;
mod live;
mod masks;
mod notices;
mod openings;
mod overlay;
mod panels;
mod placed;
mod player;
mod reveal;
mod running;
mod samples;
mod scribbles;
mod searched;
mod settings;
mod shared;
mod theme;
mod tools;
mod words;
mod workspace;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use anyhow::{Result, anyhow};
use eframe::egui_wgpu::WgpuConfiguration;

pub use app::{App, CameraList, Launch, ModelLoader, Rescue, RescueSlot};
pub use device::wgpu_setup;
pub use dialogs::{Answer, AskPerson, Question, QuestionKind};

/// Opens the window and returns when it is closed. Where the graphics device is lost, it opens again on a new one.
///
/// # Errors
/// Where there is no display, or no graphics device.
pub fn run(mut launch: Launch) -> Result<()> {
    loop {
        let attempt = launch.clone();
        // egui's renderer may panic on a device that is gone.
        let ended = catch_unwind(AssertUnwindSafe(|| run_once(attempt)));
        if launch.rescue.is_filled() {
            log::warn!("opening the window again on a new graphics device");
            launch.device_loss = None;
            continue;
        }
        return ended.unwrap_or_else(|panic| resume_unwind(panic));
    }
}

fn run_once(launch: Launch) -> Result<()> {
    let (settings, _) = launch.config_folder.as_deref().map_or_else(Default::default, settings::Settings::read);
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("dinoscope")
            .with_app_id("dinoscope")
            .with_inner_size(settings.window)
            .with_maximized(settings.is_maximized)
            .with_min_inner_size([880.0, 560.0])
            .with_drag_and_drop(true),
        wgpu_options: WgpuConfiguration { wgpu_setup: wgpu_setup(), ..WgpuConfiguration::default() },
        ..eframe::NativeOptions::default()
    };
    let create: eframe::AppCreator<'_> = Box::new(|creation| Ok(Box::new(App::new(creation, launch)?)));
    eframe::run_native("dinoscope", options, create).map_err(|error| {
        log::debug!("{error}");
        anyhow!("cannot open a window: {}, or use the command line (dinoscope --help)", remedy(&error))
    })
}

/// What prevents a window, and what helps.
fn remedy(error: &eframe::Error) -> String {
    match error {
        eframe::Error::WinitEventLoop(_) | eframe::Error::Winit(_) => {
            "there is no display; start it in a graphical session".to_owned()
        }
        eframe::Error::Wgpu(_) if cfg!(target_os = "linux") => {
            "there is no driver for Vulkan or OpenGL; install one (on Debian: mesa-vulkan-drivers)".to_owned()
        }
        eframe::Error::Wgpu(_) => "there is no working graphics driver; install or update it".to_owned(),
        eframe::Error::AppCreation(error) => format!("{error}; see dinoscope doctor"),
    }
}
