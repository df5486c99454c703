//! A download that runs, waits or has failed, in its row.

use std::time::Instant;

use dinoscope_engine::Progress;
use dinoscope_engine::dispatch::{Failure, RequestId};
use dinoscope_engine::hub::{Source, size_text};
use egui::{Align, Layout, ProgressBar, RichText, Ui};

use super::form::Form;
use super::meter::{self, Meter};
use crate::gui::panels::chips;
use crate::gui::shared::Shared;
use crate::gui::words;

/// A download.
pub struct Download {
    /// Of which model of the zoo.
    pub name: &'static str,
    /// The command.
    pub request: RequestId,
    /// From which repository.
    pub source: Source,
    /// Whether the model is used once it is here.
    pub use_after: bool,
    /// How far it is.
    pub state: DownloadState,
    meter: Meter,
    progress: Option<Progress>,
}

/// How far a download is.
pub enum DownloadState {
    /// Runs, or waits for another one.
    Running,
    /// Has stopped; what is here stays.
    Failed(Failure),
}

impl Download {
    /// Just sent.
    pub fn new(request: RequestId, form: &Form) -> Self {
        Self {
            name: form.name,
            request,
            source: form.source,
            use_after: form.use_after,
            state: DownloadState::Running,
            meter: Meter::default(),
            progress: None,
        }
    }

    /// Takes the last report.
    pub fn update(&mut self, now: Instant, shared: &Shared) {
        self.progress = shared.running.get(&self.request).and_then(|running| running.progress.clone());
        if let Some(progress) = &self.progress {
            self.meter.update(now, progress);
        }
    }

    /// Why it has stopped.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.state {
            DownloadState::Running => None,
            DownloadState::Failed(failure) => Some(failure),
        }
    }

    /// Shows the bar with bytes, speed and time left; whether it is to be stopped.
    pub fn show(&self, ui: &mut Ui) -> bool {
        let mut is_stopped = false;
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let cancel = ui.button("Cancel").on_hover_text("What is here stays, and the download can go on later");
                chips::name(&cancel, &format!("Cancel downloading {}", self.name));
                is_stopped = cancel.clicked();
                let fraction = self.progress.as_ref().and_then(meter::fraction);
                let bar = ProgressBar::new(fraction.unwrap_or(0.0)).desired_height(16.0);
                let bar = if fraction.is_some() { bar.show_percentage() } else { bar };
                let bar = ui.add(bar);
                chips::name(&bar, &format!("Progress of {}", self.name));
            });
        });
        ui.label(RichText::new(self.text()).small());
        if self.progress.is_some() {
            ui.ctx().request_repaint_after_secs(0.5);
        }
        is_stopped
    }

    /// "12 MB of 86 MB · 4.1 MB/s · 18 s left"
    fn text(&self) -> String {
        let Some(progress) = &self.progress else { return "Waiting for its turn".to_owned() };
        if meter::fraction(progress).is_none() || !progress.stage.starts_with("downloading") {
            return progress.stage.clone();
        }
        let now = Instant::now();
        let mut parts: Vec<String> = meter::file_text(progress).into_iter().collect();
        let total = progress.total.map(|total| format!(" of {}", size_text(total))).unwrap_or_default();
        parts.push(format!("{}{total}", size_text(progress.done)));
        if let Some(speed) = self.meter.bytes_per_sec(now) {
            parts.push(format!("{}/s", size_text(speed as u64)));
        }
        if let Some(left) = self.meter.time_left(now, progress) {
            parts.push(format!("{} left", words::duration(left.max(std::time::Duration::from_secs(1)))));
        }
        parts.join(" · ")
    }
}
