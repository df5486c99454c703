//! What is asked before a download: the licence, the repository and, where it is gated, a token.

use dinoscope_engine::dispatch::{Failure, Remedy};
use dinoscope_engine::hub::{DEFAULT_ENDPOINT, HubConfig, HubModel, Source, free_space, size_text};
use dinoscope_engine::model::zoo::ZooModel;
use egui::{RichText, TextEdit, Ui};

use super::{Models, download_size};
use crate::gui::panels::{chips, controls};
use crate::gui::theme;

/// What a person answers before a download.
#[derive(Clone, Debug)]
pub struct Form {
    /// Name in the zoo.
    pub name: &'static str,
    /// The open copy or Meta's own.
    pub source: Source,
    /// That the licence was read and accepted.
    pub is_accepted: bool,
    /// Whether the model is used once it is here.
    pub use_after: bool,
    /// On the disk of the cache, in bytes, where the system says so.
    free: Option<u64>,
}

/// What was answered.
pub enum Answer {
    /// Begin.
    Download,
    /// Not now.
    Close,
}

impl Form {
    /// Nothing accepted yet.
    pub fn new(name: &'static str, source: Source, use_after: bool, hub: &HubConfig) -> Self {
        Self { name, source, is_accepted: false, use_after, free: free_space(&hub.cache) }
    }
}

/// Shows the form in its row, below `failure` where an attempt has failed.
pub fn show(
    ui: &mut Ui,
    models: &mut Models,
    form: &mut Form,
    model: &ZooModel,
    failure: Option<&Failure>,
) -> Option<Answer> {
    let on_hub = HubModel::from_zoo(model)?;
    let mut answer = None;
    if let Some(failure) = failure {
        ui.colored_label(theme::danger(ui.ctx().theme()), &failure.message);
    }
    if let Some(licence) = on_hub.licence {
        ui.label(licence.summary);
        controls::link(ui, format!("Read the {}", licence.name), licence.url);
    }
    ui.horizontal_wrapped(|ui| {
        ui.weak("From");
        ui.radio_value(&mut form.source, Source::Public, "timm's open copy")
            .on_hover_text("The same weights, without a token");
        ui.radio_value(&mut form.source, Source::Gated, "Meta's own repository")
            .on_hover_text("Asks for access and a token");
        if let Ok(repo) = on_hub.repo(form.source) {
            let page = format!("{}/{}", models.hub.endpoint, repo.id);
            controls::link(ui, RichText::new(&repo.id).small(), page);
        }
    });
    let is_refused = failure.is_some_and(|failure| matches!(failure.remedy, Some(Remedy::GiveToken(_))));
    if form.source == Source::Gated {
        token(ui, models, &on_hub, is_refused);
    }
    if let Some(licence) = on_hub.licence {
        ui.checkbox(&mut form.is_accepted, format!("I accept the {}", licence.name))
            .on_hover_text("The licence is Meta's; nothing is downloaded without it");
    }
    if models.hub.offline {
        ui.label("The network is switched off (--offline or HF_HUB_OFFLINE): start dinoscope without it to download.");
    }
    ui.horizontal(|ui| {
        let word = match (failure, models.partial_percent(model)) {
            (Some(_), _) => "Retry".to_owned(),
            (None, Some(percent)) => format!("Resume, {percent} % here"),
            (None, None) => format!("Download {}", download_size(model)),
        };
        let start = ui.add_enabled(form.is_accepted, egui::Button::new(word));
        let start = start.on_hover_text("Into the folder below the list");
        let start = start.on_disabled_hover_text("Accept the licence first");
        if start.clicked() {
            answer = Some(Answer::Download);
        }
        if ui.button("Not now").on_hover_text("Asks no further").clicked() {
            answer = Some(Answer::Close);
        }
        if let Some(free) = form.free {
            ui.weak(format!("{} free on the disk", size_text(free)));
        }
    });
    answer
}

/// The way to a gated repository, and the field for the token.
fn token(ui: &mut Ui, models: &mut Models, on_hub: &HubModel, is_refused: bool) {
    let endpoint = models.hub.endpoint.clone();
    if is_refused {
        ui.label("Meta has to let you in, and a token tells the hub that it is you:");
    }
    let page = on_hub.repo(Source::Gated).map(|repo| format!("{endpoint}/{}", repo.id)).unwrap_or_default();
    ui.horizontal_wrapped(|ui| {
        ui.label("1.");
        controls::link(ui, "Open the repository's page", page);
        ui.label("and request access; Meta's answer can take some hours.");
    });
    ui.horizontal_wrapped(|ui| {
        ui.label("2.");
        controls::link(ui, "Make a token", format!("{endpoint}/settings/tokens"));
        ui.label("that may read gated repositories, with the same account.");
    });
    ui.horizontal_wrapped(|ui| {
        ui.label("3. Give it here:");
        let edit = TextEdit::singleline(&mut models.token).password(true).desired_width(240.0).hint_text("hf_…");
        let edit = ui.add(edit).on_hover_text("Kept until the window closes, and sent to the hub alone");
        chips::name(&edit, "Token");
    });
    let host = if endpoint == DEFAULT_ENDPOINT { "huggingface.co" } else { endpoint.as_str() };
    let found = match &models.hub.token {
        Some(token) if models.token.trim().is_empty() => {
            format!("Left empty, the token from {} is used.", token.source)
        }
        Some(token) => format!("Used instead of the token from {}.", token.source),
        None => "No token was found in HF_TOKEN or in the hub's token file.".to_owned(),
    };
    ui.label(RichText::new(format!("Used in this session only, and sent to {host} alone. {found}")).small());
}
