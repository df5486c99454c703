//! The main job without a window: similarity, colours and matches for a few pictures, into one folder.

use std::path::{Path, PathBuf};

use anyhow::Result;
use dinoscope_engine::analysis::matching::{MatchOptions, Side, matches, thin};
use dinoscope_engine::analysis::pca::{Basis, Sample, colours};
use dinoscope_engine::analysis::similarity::{Query, similarity};
use dinoscope_engine::draw::overlay::{Interpolation, OverlayStyle, colours_over_picture, map_over_picture};
use dinoscope_engine::encoder::DEMO;
use dinoscope_engine::features::Encoded;
use dinoscope_engine::image::Picture;
use dinoscope_engine::image::write::write_picture;
use serde_json::json;

use super::context::Context;
use super::features::{self, Format};
use super::matching;
use super::output::{Origin, create_folder, refuse_input};
use super::pictures::{self, Input, Prepare, Prepared};
use super::point::Point;
use super::similarity::markers;

/// Where the files go, below the working directory.
const FOLDER: &str = "dinoscope-out";
/// What the bundled model is and is not.
const DEMO_WORDS: [&str; 5] = [
    "Made with the bundled demo model: a network of 5.5 million parameters with DINOv3's architecture, trained for",
    "this program. It is not one of Meta's models and far from their quality. To see those:",
    "  dinoscope models",
    "  dinoscope models download vits16",
    "",
];
/// Least distance between the ends of lines, as a share of the left picture's short side.
const LINE_DISTANCE: f64 = 0.12;

/// A picture that is part of the program.
struct Embedded {
    name: &'static str,
    bytes: &'static [u8],
    /// Something to ask about, in pixels.
    point: Point,
}

const SAMPLES: [Embedded; 3] = [
    Embedded {
        name: "chelsea.png",
        bytes: include_bytes!("../../../assets/chelsea.png"),
        point: Point { x: 176.0, y: 114.0 },
    },
    Embedded {
        name: "coffee.png",
        bytes: include_bytes!("../../../assets/coffee.png"),
        point: Point { x: 330.0, y: 160.0 },
    },
    Embedded {
        name: "astronaut.png",
        bytes: include_bytes!("../../../assets/astronaut.png"),
        point: Point { x: 220.0, y: 110.0 },
    },
];

/// A picture whose features are kept for the matches.
struct Seen {
    name: String,
    stem: String,
    prepared: Prepared,
    encoded: Encoded,
}

/// Runs the main job on `files`, or on the sample pictures where there are none.
pub fn run(files: &[PathBuf], context: &Context) -> Result<()> {
    let folder = Path::new(FOLDER);
    create_folder(folder)?;
    let mut encoder = context.load_encoder()?;
    let origin = Origin::of(&encoder);
    let prepare = Prepare::new(&encoder, context);
    let inputs = if files.is_empty() { samples() } else { pictures::inputs(files) };
    let mut first_two: Vec<Seen> = Vec::new();
    let mut written: Vec<String> = Vec::new();

    let outcome = pictures::for_each(
        &inputs,
        context,
        &prepare,
        "looking",
        |_, prepared| Ok((encoder.forward(&prepared.pixels, &[], &context.cancel)?, prepared)),
        |input, (encoded, prepared)| {
            let files = write_one(folder, input, &prepared, &encoded, &origin)?;
            context.say(format!("{}:", input.path.display()));
            for (what, file) in files {
                context.say(format!("  {what:<42} {file}"));
                written.push(file);
            }
            if first_two.len() < 2 {
                first_two.push(Seen {
                    name: input.path.display().to_string(),
                    stem: input.stem.clone(),
                    prepared,
                    encoded,
                });
            }
            Ok(())
        },
    )?;
    let mut seen = first_two.into_iter();
    if let Some(left) = seen.next() {
        let example = if files.is_empty() { "PICTURE.jpg".to_owned() } else { quoted(&left.name) };
        let right = match seen.next().filter(|_| !files.is_empty()) {
            Some(right) => right,
            None => {
                let prepared = prepare.picture(mirrored(&left.prepared.picture))?;
                let encoded = encoder.forward(&prepared.pixels, &[], &context.cancel)?;
                Seen { name: "its mirror image".to_owned(), stem: "mirrored".to_owned(), prepared, encoded }
            }
        };
        let file = write_matches(folder, &left, &right, &origin)?;
        context.say(format!("{} and {}:", left.name, right.name));
        context.say(format!("  {:<42} {file}", "which patch is where"));
        written.push(file);
        for line in closing_words(&example, &origin) {
            context.say(line);
        }
    }
    let provenance = origin.provenance();
    context.say_json(&json!({
        "model": provenance.model,
        "weights": provenance.weights,
        "files": written,
    }))?;
    outcome.check()
}

fn samples() -> Vec<Input> {
    let input = |sample: &Embedded| Input {
        path: sample.name.into(),
        stem: Path::new(sample.name).with_extension("").display().to_string(),
        embedded: Some(sample.bytes),
    };
    SAMPLES.iter().map(input).collect()
}

/// Writes similarity, colours and features of one picture; what each file is, and its name.
fn write_one(
    folder: &Path,
    input: &Input,
    prepared: &Prepared,
    encoded: &Encoded,
    origin: &Origin,
) -> Result<Vec<(String, String)>> {
    let (picture, geometry, grid) = (&prepared.picture, &prepared.geometry, &encoded.output.patch);
    let metadata = origin.metadata(geometry);
    let path = |ending: &str| -> Result<PathBuf> {
        let path = folder.join(format!("{}.{ending}", input.stem));
        refuse_input(&path, &[&input.path])?;
        Ok(path)
    };

    let point = SAMPLES
        .iter()
        .find(|sample| input.embedded.is_some() && Path::new(sample.name) == input.path)
        .map_or(Point { x: geometry.covered.0 as f64 / 2.0, y: geometry.covered.1 as f64 / 2.0 }, |sample| {
            sample.point
        });
    let query = Query::new(grid, &[point.patch(geometry, &input.path)?], &[])?;
    let style = OverlayStyle { markers: markers(&[point], &[]), ..OverlayStyle::default() };
    let overlay = map_over_picture(picture, geometry, &similarity(grid, &query)?, &style);
    let similarity_file = path("similarity.png")?;
    write_picture(&similarity_file, &overlay, &metadata)?;

    let basis = Basis::fit(&[Sample { grid, foreground: None }], 3)?;
    let painted = colours(&basis.project(grid, &[0, 1, 2])?, None);
    let pca_file = path("pca.png")?;
    let drawn = colours_over_picture(picture, geometry, &painted, Interpolation::Patches, 1.0);
    write_picture(&pca_file, &drawn, &metadata)?;

    let features_file = features::write(folder, &input.stem, Format::Safetensors, encoded, geometry, origin)?;
    Ok(vec![
        (format!("what looks like the patch at {:.0},{:.0}", point.x, point.y), similarity_file.display().to_string()),
        ("what is alike, as colours".to_owned(), pca_file.display().to_string()),
        ("the features themselves".to_owned(), features_file.join(", ")),
    ])
}

fn write_matches(folder: &Path, left: &Seen, right: &Seen, origin: &Origin) -> Result<String> {
    fn side(seen: &Seen) -> Side<'_> {
        Side { grid: &seen.encoded.output.patch, geometry: &seen.prepared.geometry, foreground: None }
    }
    let (left_side, right_side) = (side(left), side(right));
    let dense = matches(&left_side, &right_side, &MatchOptions::default())?;
    let mutual = matches(&left_side, &right_side, &MatchOptions { mutual: true, min_score: None })?;
    let (width, height) = left.prepared.geometry.picture;
    let sparse = thin(&mutual, LINE_DISTANCE * width.min(height) as f64);
    let drawn =
        matching::draw((&left.prepared.picture, &left_side), (&right.prepared.picture, &right_side), &dense, &sparse)?;
    let path = folder.join(format!("{}-{}.match.png", left.stem, right.stem));
    write_picture(&path, &drawn, &origin.metadata(&left.prepared.geometry))?;
    Ok(path.display().to_string())
}

/// The same picture with left and right exchanged.
fn mirrored(picture: &Picture) -> Picture {
    let rows = picture.rgb.chunks_exact(picture.width * 3);
    let rgb = rows.flat_map(|row| row.chunks_exact(3).rev().flatten().copied()).collect();
    Picture { rgb, ..*picture }
}

/// As it has to be written in a shell.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/\\.:-_+,@%".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("\"{path}\"") }
}

/// What the model is, and where to go from here.
fn closing_words(picture: &str, origin: &Origin) -> Vec<String> {
    let mut lines = vec![String::new()];
    if origin.provenance().model == DEMO {
        lines.extend(DEMO_WORDS.map(str::to_owned));
    }
    lines.push("Try next:".to_owned());
    lines.push(format!("  dinoscope similarity {picture} --point 100,100 -o similar.png"));
    lines.push(format!("  dinoscope pca {picture} -o colours --foreground auto"));
    lines.push("  dinoscope --help".to_owned());
    lines
}
