//! The table of all models.

use std::path::PathBuf;

use anyhow::Result;
use dinoscope_engine::backend::Residency;
use dinoscope_engine::doctor::{Fit, Memory};
use dinoscope_engine::hub::{Hub, HubModel, size_text};
use dinoscope_engine::model::zoo::{self, ZooModel};
use serde_json::{Value, json};

use super::super::context::Context;
use super::{align, show};

const HEAD: [&str; 12] =
    ["NAME", "PARAMS", "DIM", "PATCH", "SIZE", "F32", "F16", "8 BIT", "4 BIT", "LICENCE", "HERE", "SOURCE"];

/// Prints them.
pub fn run(hub: &Hub, context: &Context) -> Result<()> {
    let models = zoo::zoo();
    let budget = Memory::find().for_weights();
    let rows: Vec<_> = models.iter().map(|model| Row::new(model, hub, budget)).collect();
    let models: Vec<_> = rows.iter().map(Row::json).collect();
    let value = json!({"cache": hub.path(), "memory_for_weights_bytes": budget, "models": models});
    show(context, &value, || {
        let head = HEAD.map(str::to_owned);
        let cells: Vec<_> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
        let mut lines = align(&cells);
        lines.extend(budget.map(|budget| {
            let budget = size_text(budget);
            format!("F32 to 4 BIT: the weights in memory; * more than the {budget} that are free for them: streams from disk")
        }));
        lines
    })
}

struct Row {
    model: &'static ZooModel,
    hub: Option<HubModel>,
    /// Snapshot folder of what was downloaded.
    path: Option<PathBuf>,
    fit: Fit,
}

impl Row {
    fn new(model: &'static ZooModel, hub: &Hub, budget: Option<u64>) -> Self {
        let hub_model = HubModel::from_zoo(model);
        let path = hub_model.as_ref().and_then(|model| hub.locate(model));
        Self { model, hub: hub_model, path, fit: Fit::new(&model.config(), budget) }
    }

    fn is_present(&self) -> bool {
        self.hub.is_none() || self.path.is_some()
    }

    fn source(&self) -> &str {
        match &self.hub {
            None => "built in",
            Some(hub) => hub.public.as_ref().or(hub.gated.as_ref()).map_or("", |repo| repo.id.as_str()),
        }
    }

    fn cells(&self) -> [String; HEAD.len()] {
        let (model, config) = (self.model, self.model.config());
        let source = match model.note() {
            Some(note) => format!("{}: {note}", self.source()),
            None => self.source().to_owned(),
        };
        let needs = self.fit.forms().map(|(_, need)| {
            let mark = if need.residency == Some(Residency::Streaming) { "*" } else { "" };
            format!("{}{mark}", size_text(need.bytes))
        });
        let [f32, f16, eight_bits, four_bits] = needs;
        [
            model.name.to_owned(),
            format!("{} M", model.parameters_millions),
            config.dim().to_string(),
            config.stride().to_string(),
            size_text(model.size_bytes()),
            f32,
            f16,
            eight_bits,
            four_bits,
            model.licence.to_owned(),
            if self.is_present() { "yes" } else { "no" }.to_owned(),
            source,
        ]
    }

    fn json(&self) -> Value {
        let config = self.model.config();
        let gated = self.hub.as_ref().and_then(|hub| hub.gated.as_ref()).map(|repo| &repo.id);
        json!({
            "name": self.model.name,
            "parameters": config.parameters(),
            "dim": config.dim(),
            "patch": config.stride(),
            "source": self.source(),
            "gated_source": gated,
            "licence": self.model.licence,
            "size_bytes": self.model.size_bytes(),
            "memory": self.fit,
            "present": self.is_present(),
            "path": self.path,
            "note": self.model.note(),
        })
    }
}
