//! What a search found, as text.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Found, Hit, Recipe, Region};

/// What was searched.
#[derive(Clone, Copy, Debug)]
pub struct Searched<'a> {
    /// Folder of the index.
    pub index: &'a Path,
    /// What its features are made with.
    pub recipe: &'a Recipe,
    /// Pictures that were searched for.
    pub images: &'a [PathBuf],
    /// One for each of them, or none where they count as a whole.
    pub regions: &'a [Region],
}

/// `{"index", "model", "weights", "images", "regions": [[x, y, width, height]], "approximate", "changed", "results": [{"image",
/// "score", "patch": [row, col], "pixel": [x, y]}]}`, the best first; patch and pixel are null for whole pictures.
pub fn to_json(searched: &Searched<'_>, found: &Found) -> Value {
    let result = |hit: &Hit| {
        json!({
            "image": hit.path.to_string_lossy(),
            "score": hit.score,
            "patch": hit.place.map(|(patch, _)| [patch.row, patch.col]),
            "pixel": hit.place.map(|(_, (x, y))| [x, y]),
        })
    };
    let region = |&Region { x, y, width, height }: &Region| [x, y, width, height];
    json!({
        "index": searched.index.to_string_lossy(),
        "model": searched.recipe.model,
        "weights": searched.recipe.weights,
        "images": searched.images.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
        "regions": searched.regions.iter().map(region).collect::<Vec<_>>(),
        "approximate": found.is_approximate,
        "changed": found.changed.len(),
        "results": found.hits.iter().map(result).collect::<Vec<_>>(),
    })
}

/// A line for each result below a line of names, the best first; pixels are empty for whole pictures.
pub fn to_csv(found: &Found) -> String {
    let mut text = "rank,image,score,x,y\n".to_owned();
    for (Hit { path, score, place, .. }, rank) in found.hits.iter().zip(1..) {
        let (x, y) = place.map_or_else(Default::default, |(_, (x, y))| (x.to_string(), y.to_string()));
        let _ = writeln!(text, "{rank},{},{score},{x},{y}", quoted(&path.to_string_lossy()));
    }
    text
}

/// As RFC 4180 asks, where it does.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{Geometry, Patch};
    use crate::image::SizeRule;

    fn found() -> Found {
        let geometry = Geometry { picture: (64, 32), covered: (64, 32), grid: (2, 4) };
        let hit = |path: &str, place| Hit { path: path.into(), score: 0.5, geometry, place };
        let place = Some((Patch { row: 1, col: 2 }, (40.0, 24.5)));
        Found { hits: vec![hit("a.png", place), hit("b \"c\", d.png", None)], ..Found::default() }
    }

    #[test]
    fn json_names_what_was_asked_and_found() {
        let recipe = Recipe { model: "demo".into(), weights: "ab".into(), size: SizeRule::ShortSide(32), dim: 4 };
        let searched = Searched {
            index: Path::new("x.index"),
            recipe: &recipe,
            images: &["q.png".into()],
            regions: &[Region { x: 1.0, y: 2.0, width: 3.0, height: 4.0 }],
        };
        let expected = json!({
            "index": "x.index", "model": "demo", "weights": "ab", "images": ["q.png"], "regions": [[1.0, 2.0, 3.0, 4.0]],
            "approximate": false, "changed": 0,
            "results": [
                {"image": "a.png", "score": 0.5, "patch": [1, 2], "pixel": [40.0, 24.5]},
                {"image": "b \"c\", d.png", "score": 0.5, "patch": null, "pixel": null},
            ],
        });
        assert_eq!(to_json(&searched, &found()), expected);
    }

    #[test]
    fn csv_quotes_names_that_need_it() {
        let expected = "rank,image,score,x,y\n1,a.png,0.5,40,24.5\n2,\"b \"\"c\"\", d.png\",0.5,,\n";
        assert_eq!(to_csv(&found()), expected);
    }
}
