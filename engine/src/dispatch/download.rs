//! Published models: fetching, deleting, and what is here.

use super::failure::{of_download, outcome, outcome_or};
use super::lane::{Job, Worker};
use super::{Command, Outcome, StoredModel};
use crate::Result;
use crate::doctor::{Fit, Memory};
use crate::hub::{Hub, HubConfig, HubError, HubModel, Source, Token};
use crate::model::zoo;

/// For [`super::Lane::Download`].
pub fn worker(hub: HubConfig) -> Worker {
    Box::new(move |job, command| match command {
        Command::Download { name, source, token, licence_accepted } => {
            let result = download(&hub, name, *source, token.as_deref(), *licence_accepted, job);
            outcome_or(result, |error| of_download(error, name))
        }
        Command::RemoveModel { name } => outcome(remove(&hub, name)),
        other => unreachable!("{other:?} runs on another lane"),
    })
}

fn find(name: &str) -> Result<HubModel, HubError> {
    let model = zoo::find(name).and_then(HubModel::from_zoo);
    model.ok_or_else(|| HubError::UnknownModel { name: name.to_owned() })
}

fn download(
    hub: &HubConfig,
    name: &str,
    source: Source,
    token: Option<&str>,
    licence_accepted: bool,
    job: &Job<'_>,
) -> Result<Outcome> {
    let given = token.map(|value| Token { value: value.to_owned(), source: "the window".to_owned() });
    let hub = Hub::new(HubConfig { token: given.or_else(|| hub.token.clone()), ..hub.clone() });
    let progress = |progress| job.progress(progress);
    let path = hub.download(&find(name)?, source, licence_accepted, &progress, job.cancel())?;
    Ok(Outcome::Downloaded { name: name.to_owned(), path })
}

fn remove(hub: &HubConfig, name: &str) -> Result<Outcome> {
    Hub::new(hub.clone()).remove(&find(name)?)?;
    Ok(Outcome::Models(stored(hub)))
}

/// All published models and what of them is on the disk.
pub fn stored(hub: &HubConfig) -> Vec<StoredModel> {
    let hub = Hub::new(hub.clone());
    let budget = Memory::find().for_weights();
    let published = zoo::zoo().iter().filter_map(|model| Some((model, HubModel::from_zoo(model)?)));
    published
        .map(|(model, on_hub)| StoredModel {
            name: model.name,
            path: hub.locate(&on_hub),
            bytes: hub.stored_bytes(&on_hub),
            fit: Fit::new(&model.config(), budget),
        })
        .collect()
}
