//! Drawing and writing files.

use std::path::Path;
use std::sync::Arc;

use ndarray::Array2;

use super::failure::outcome;
use super::lane::Worker;
use super::record::record_tracks;
use super::{Command, Export, Failure, MatchSide, Outcome, PairFormat, ProbeExportKind};
use crate::Result;
use crate::analysis::pairs;
use crate::analysis::similarity::{EXCLUDED, MapQuery, combined_map};
use crate::cache::CachedFeatures;
use crate::draw::matching::{self, figure};
use crate::draw::overlay::{colours_over_picture, map_over_picture};
use crate::image::Picture;
use crate::image::write::write_picture;
use crate::output::{self, write_atomically, write_npy};

/// For [`super::Lane::Export`].
pub fn worker() -> Worker {
    Box::new(|job, command| match command {
        Command::Export { what: Export::Tracks(what), path, .. } => outcome(record_tracks(what, path, job)),
        Command::Export { what, path, metadata } => outcome(job.cancel().check().and_then(|()| {
            write(what, path, metadata)?;
            Ok(Outcome::Exported(path.clone()))
        })),
        Command::Draw(what) => outcome(draw(what).map(|drawn| match drawn {
            Some(picture) => Outcome::Drawn(picture),
            None => {
                let message = "only pictures can be copied: export this to a file".to_owned();
                Outcome::Failed(Failure { message, remedy: None })
            }
        })),
        other => unreachable!("{other:?} runs on another lane"),
    })
}

fn drawn_side(side: &MatchSide) -> matching::Side<'_> {
    matching::Side { picture: &side.picture, geometry: &side.geometry, colours: &side.colours }
}

/// `None` for what is no picture.
fn draw(what: &Export) -> Result<Option<Arc<Picture>>> {
    Ok(match what {
        Export::MapPicture { picture, features, query, style } => {
            Some(Arc::new(map_over_picture(picture, &features.geometry, &map(features, query)?, style)))
        }
        Export::ColourPicture { picture, geometry, colours, interpolation, opacity } => {
            Some(Arc::new(colours_over_picture(picture, geometry, colours, *interpolation, *opacity)))
        }
        Export::MatchPicture { left, right, lines } => {
            Some(Arc::new(figure(&drawn_side(left), &drawn_side(right), lines)))
        }
        Export::Picture(picture) => Some(Arc::clone(picture)),
        Export::Segmentation(what) => what.draw().map(Arc::new),
        Export::Head(what) => what.draw().map(Arc::new),
        Export::Probed(what) if what.kind == ProbeExportKind::Picture => Some(Arc::new(what.draw()?)),
        Export::Results(sheet) => Some(Arc::new(sheet.draw()?)),
        Export::Map { .. }
        | Export::Scores(_)
        | Export::Labels(_)
        | Export::Basis(_)
        | Export::Features(_)
        | Export::Text(_)
        | Export::Tracks(_)
        | Export::ClipMap(_)
        | Export::Probe(_)
        | Export::Probed(_)
        | Export::Pairs { .. } => None,
    })
}

/// `[rows, cols]`, NaN for patches that are left out.
fn map(features: &CachedFeatures, query: &MapQuery) -> Result<Array2<f32>> {
    let mut map = combined_map(&features.features.patch, query)?;
    map.mapv_inplace(|value| if value == EXCLUDED { f32::NAN } else { value });
    Ok(map)
}

fn write(what: &Export, path: &Path, metadata: &[(String, String)]) -> Result<()> {
    let metadata: Vec<(&str, String)> = metadata.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    match what {
        Export::Map { features, query } => write_npy(path, map(features, query)?.view()),
        Export::Scores(scores) => write_npy(path, scores.view()),
        Export::Labels(labels) => write_npy(path, labels.mapv(|label| label as i64).view()),
        Export::Basis(basis) => write_atomically(path, |writer| Ok(serde_json::to_writer(writer, &**basis)?)),
        Export::Features(features) => output::write_features(path, &features.features, &[], &metadata),
        Export::Segmentation(what) => what.write(path),
        Export::Head(what) => what.write(path),
        Export::Probe(probe) => probe.save(path),
        Export::Probed(what) => what.write(path),
        Export::Text(text) => write_atomically(path, |writer| writer.write_all(text.as_bytes())),
        Export::Pairs { left, right, pairs, format } => write_atomically(path, |writer| match format {
            PairFormat::Json => {
                serde_json::to_writer(&mut *writer, &pairs::to_json(left, right, pairs))?;
                writeln!(writer)
            }
            PairFormat::Csv => writer.write_all(pairs::to_csv(pairs).as_bytes()),
        }),
        Export::MapPicture { .. }
        | Export::ColourPicture { .. }
        | Export::MatchPicture { .. }
        | Export::Results(_)
        | Export::Picture(_) => {
            let picture = draw(what)?.expect("all of these are pictures");
            write_picture(path, &picture, &metadata)
        }
        Export::Tracks(_) | Export::ClipMap(_) => unreachable!("recordings are no single write"),
    }
}
