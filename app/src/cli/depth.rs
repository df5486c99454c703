//! `dinoscope depth`: how far away everything is.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use dinoscope_engine::draw::Colormap;
use dinoscope_engine::draw::overlay::{OverlayStyle, Scale, map_over_picture};
use dinoscope_engine::encoder::Encoder;
use dinoscope_engine::features::Geometry;
use dinoscope_engine::heads::depth::{
    DepthChoice, DepthHead, DepthMap, DepthOptions, DepthPreset, DepthSettings, default_step, predict, write_png16,
    write_point_cloud,
};
use dinoscope_engine::image::Picture;
use dinoscope_engine::image::write::write_picture;
use dinoscope_engine::output::write_npy;
use serde_json::{Map, Value, json};

use super::context::Context;
use super::heads::HeadOptions;
use super::output::{Origin, create_folder, refuse_input};
use super::pictures::{self, Input};
use super::point::Point;

/// Measure how far away everything in pictures is, or how high trees are from above
///
/// Needs the published depth head (for vit7b16) or canopy height head (for vitl16_sat) beside its backbone, or one that
/// was trained likewise on another. Which of the two a head is, and its sizes, are read from its tensors. Pictures have
/// the size of the original, with a bar of the colours in metres.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope depth room.jpg --model vit7b16 -o depths                      depths/room.depth.png
  dinoscope depth *.jpg --model vit7b16 -o depths --npy --png16           and the metres, for other programs
  dinoscope depth room.jpg --model vit7b16 -o depths --ply --fov 70       and a point cloud
  dinoscope depth room.jpg --model vit7b16 --point 320,200 --json         the metres at a pixel
  dinoscope depth forest.tif --model vitl16_sat --preset chmv2 -o heights canopy heights
  dinoscope depth room.jpg --model vitb16 --head-weights mine.pth --max-depth 10 -o depths")]
pub struct DepthArgs {
    /// Pictures
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,

    #[command(flatten)]
    head: HeadOptions,

    /// Folder for the files, created where it is missing: STEM.depth.png
    #[arg(short, long, value_name = "DIR", required_unless_present_any = ["json", "points"])]
    output: Option<PathBuf>,

    /// Also STEM.depth.npy: metres, [height, width] f32
    #[arg(long, requires = "output")]
    npy: bool,

    /// Also STEM.depth16.png: 16-bit grey, metres divided by --depth-unit; never 0
    #[arg(long, requires = "output")]
    png16: bool,

    /// What one step of --png16 is, in metres [default: as few whole millimetres as hold the head's range: 0.002 for
    /// 100 m]
    #[arg(long, value_name = "UNIT", requires = "png16")]
    depth_unit: Option<f32>,

    /// Also STEM.ply: a point in metres and its colour for each pixel; x to the right, y down, z ahead
    #[arg(long, requires = "output")]
    ply: bool,

    /// Angle that a row of the picture spans, in degrees, for --ply; no picture tells it, and 60 is a guess that fits
    /// many phones
    #[arg(long, value_name = "DEGREES", default_value = "60", value_parser = parse_fov)]
    fov: f32,

    /// Print the metres at this pixel of each picture; may be repeated
    #[arg(long = "point", value_name = "X,Y", allow_hyphen_values = true)]
    points: Vec<Point>,

    /// magma, inferno, viridis, cividis or turbo
    #[arg(long, value_name = "MAP", default_value = "viridis")]
    colors: Colormap,

    /// Metres of the first and last colour [default: each picture's least and greatest]
    #[arg(long, value_name = "LOW,HIGH", value_parser = parse_range)]
    range: Option<(f32, f32)>,

    /// Which published head it was trained as: synthmix (depth) or chmv2 (canopy height) [default: by its tensors]
    #[arg(long, value_name = "NAME")]
    preset: Option<DepthPreset>,

    /// The four blocks of the backbone that the head reads, from 0 [default: as published for its depth]
    #[arg(long, value_name = "N,N,N,N", value_delimiter = ',')]
    layers: Option<Vec<usize>>,

    /// Metres of the head's first bin [default: 0.001]
    #[arg(long, value_name = "METRES")]
    min_depth: Option<f32>,

    /// Metres of the head's last bin [default: 100; 96 for canopy heights]
    #[arg(long, value_name = "METRES")]
    max_depth: Option<f32>,
}

/// Runs the subcommand.
pub fn run(args: &DepthArgs, context: &Context) -> Result<()> {
    if let Some(output) = &args.output {
        create_folder(output)?;
    }
    let weights = args.head.open(args.preset.unwrap_or(DepthPreset::Synthmix).task())?;
    let mut encoder = context.load_encoder()?;
    let device = context.open_device(Some(&encoder))?;
    let head = DepthHead::load(weights, encoder.config(), &args.choice(), &device, &context.cancel)?;
    let options = options(&head, &encoder, context);
    let writer = Writer { args, context, origin: Origin::of(&encoder), head: &head };
    let inputs = pictures::inputs(&args.images);
    let outcome = pictures::for_each_read(
        &inputs,
        context,
        "depth",
        Input::read,
        |_, picture| {
            let map = predict(&mut encoder, &head, &picture, &options, &context.cancel, &|_| ())?;
            Ok((map, picture))
        },
        |input, (map, picture)| writer.write(input, &map, &picture),
    )?;
    let DepthSettings { preset, layers, least, greatest } = head.settings();
    let provenance = writer.origin.provenance();
    context.say_json(&json!({
        "model": provenance.model,
        "weights": provenance.weights,
        "device": provenance.device,
        "dtype": provenance.dtype,
        "head": head.sha256(),
        "preset": preset.name(),
        "layers": layers,
        "range": [least, greatest],
        "images": outcome.0.iter().flatten().collect::<Vec<_>>(),
    }))?;
    outcome.check()
}

impl DepthArgs {
    fn choice(&self) -> DepthChoice {
        DepthChoice {
            preset: self.preset,
            layers: self.layers.clone(),
            least: self.min_depth,
            greatest: self.max_depth,
        }
    }
}

/// How a picture is brought to the model, as the common options ask.
fn options(head: &DepthHead, encoder: &Encoder, context: &Context) -> DepthOptions {
    let options = &context.options;
    let published = DepthOptions::new(head.settings().preset, encoder.normalisation());
    DepthOptions {
        size: options.size.unwrap_or(published.size),
        filter: options.filter().unwrap_or(published.filter),
        normalisation: options.normalisation(published.normalisation),
    }
}

/// What is written of each picture.
struct Writer<'a> {
    args: &'a DepthArgs,
    context: &'a Context,
    origin: Origin,
    head: &'a DepthHead,
}

impl Writer<'_> {
    /// Writes the files of one picture and says so.
    fn write(&self, input: &Input, map: &DepthMap, picture: &Picture) -> Result<Value> {
        let summary = map.summary();
        let mut json = Map::from_iter([
            ("image".to_owned(), json!(input.path.to_string_lossy())),
            ("size".to_owned(), json!(input_size(map))),
            ("unit".to_owned(), json!("m")),
            ("min".to_owned(), json!(summary.min)),
            ("max".to_owned(), json!(summary.max)),
            ("median".to_owned(), json!(summary.median)),
        ]);
        let (min, median, max) = (summary.min, summary.median, summary.max);
        self.context.say(format!("{}: {min:.3} to {max:.3} m, median {median:.3} m", input.path.display()));
        if !self.args.points.is_empty() {
            let points = self.args.points.iter().map(|point| self.at(*point, map, input));
            json.insert("points".to_owned(), points.collect::<Result<_>>()?);
        }
        if let Some(folder) = &self.args.output {
            self.write_files(folder, input, map, picture, &mut json)?;
        }
        Ok(json.into())
    }

    fn at(&self, Point { x, y }: Point, map: &DepthMap, input: &Input) -> Result<Value> {
        let (height, width) = map.metres.dim();
        let Some(metres) = map.at(x, y) else {
            let file = input.path.display();
            anyhow::bail!("point {x},{y} lies outside of {file}, which has {width}x{height} pixels");
        };
        self.context.say(format!("  {x},{y}: {metres:.3} m"));
        Ok(json!({"x": x, "y": y, "metres": metres}))
    }

    fn write_files(
        &self,
        folder: &Path,
        input: &Input,
        map: &DepthMap,
        picture: &Picture,
        json: &mut Map<String, Value>,
    ) -> Result<()> {
        let inputs: Vec<&Path> = self.args.images.iter().map(PathBuf::as_path).collect();
        let metadata = self.metadata(map);
        let mut file = |key: &str, ending: &str, write: &dyn Fn(&Path) -> Result<()>| -> Result<()> {
            let path = folder.join(format!("{}.{ending}", input.stem));
            refuse_input(&path, &inputs)?;
            write(&path)?;
            self.context.say(format!("→ {}", path.display()));
            json.insert(key.to_owned(), json!(path.to_string_lossy()));
            Ok(())
        };
        file("png", "depth.png", &|path| Ok(write_picture(path, &self.coloured(map, picture), &metadata)?))?;
        if self.args.npy {
            file("npy", "depth.npy", &|path| Ok(write_npy(path, map.metres.view())?))?;
        }
        let step = self.args.depth_unit.unwrap_or_else(|| default_step(self.head.settings().greatest));
        if self.args.png16 {
            file("png16", "depth16.png", &|path| Ok(write_png16(path, map, step, &metadata)?))?;
        }
        if self.args.ply {
            file("ply", "ply", &|path| Ok(write_point_cloud(path, map, picture, self.args.fov, &metadata)?))?;
        }
        if self.args.png16 {
            json.insert("png16_metres_per_step".to_owned(), json!(step));
        }
        Ok(())
    }

    fn coloured(&self, map: &DepthMap, picture: &Picture) -> Picture {
        let (height, width) = map.metres.dim();
        let geometry = Geometry { picture: (width, height), covered: (width, height), grid: (height, width) };
        let scale = self.args.range.map_or(Scale::Stretched, |(low, high)| Scale::Fixed { low, high });
        let colormap = self.args.colors;
        let style = OverlayStyle { colormap, scale, opacity: 1.0, unit: " m", ..OverlayStyle::default() };
        map_over_picture(picture, &geometry, &map.metres, &style)
    }

    fn metadata(&self, map: &DepthMap) -> Vec<(&'static str, String)> {
        let mut pairs = self.origin.metadata_without_size();
        pairs.push(("size", input_size(map)));
        pairs.push(("head", self.head.sha256().to_owned()));
        pairs.push(("preset", self.head.settings().preset.name().to_owned()));
        pairs
    }
}

/// "1024x768"
fn input_size(map: &DepthMap) -> String {
    format!("{}x{}", map.input.0, map.input.1)
}

/// An angle that a camera may see.
fn parse_fov(text: &str) -> Result<f32, String> {
    let angle = text.parse().ok().filter(|angle| *angle > 0.0 && *angle < 180.0);
    angle.ok_or_else(|| "expected degrees between 0 and 180, as in 60".to_owned())
}

/// Two numbers, the first of them the lesser.
fn parse_range(text: &str) -> Result<(f32, f32), String> {
    let number = |part: &str| part.trim().parse::<f32>().ok().filter(|value| value.is_finite());
    text.split_once(',')
        .and_then(|(low, high)| Some((number(low)?, number(high)?)))
        .filter(|(low, high)| low < high)
        .ok_or_else(|| "expected LOW,HIGH in metres, as in 0,10".to_owned())
}
