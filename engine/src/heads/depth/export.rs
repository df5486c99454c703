//! Depths for other programs: grey PNGs of 16 bits, and point clouds.

use std::io::{self, Write};
use std::path::Path;

use super::{DepthMap, DepthPreset};
use crate::Result;
use crate::heads::HeadError;
use crate::image::Picture;
use crate::image::write::write_grey16;
use crate::output::{Metadata, write_atomically};

/// What one step of a 16-bit PNG means where nothing else is asked for: as few whole millimetres as bring the greatest
/// depth of a head, in metres, into 16 bits. It is the same for all pictures of a head.
pub fn default_step(greatest: f32) -> f32 {
    (greatest * 1000.0 / f32::from(u16::MAX)).ceil().max(1.0) / 1000.0
}

/// Writes a grey PNG of 16 bits: metres are the value times `step`, which the metadata tell as "metres per step". No
/// value is 0, which other programs take for unknown.
///
/// # Errors
/// [`HeadError::Step`] where 16 bits do not reach the greatest depth; [`crate::Error::Io`].
pub fn write_png16(path: &Path, map: &DepthMap, step: f32, metadata: &Metadata<'_>) -> Result<()> {
    let greatest = map.summary().max;
    if step.is_nan() || step <= 0.0 || greatest / step > f32::from(u16::MAX) {
        return Err(HeadError::Step { step, greatest, least_step: greatest / f32::from(u16::MAX) }.into());
    }
    let (height, width) = map.metres.dim();
    let values: Vec<u16> = map.metres.iter().map(|metres| (metres / step).round().max(1.0) as u16).collect();
    let mut pairs = metadata.to_vec();
    pairs.push(("metres per step", step.to_string()));
    write_grey16(path, (width, height), &values, &pairs)
}

/// Writes a point for each pixel as PLY (binary, little-endian): x to the right, y down and z ahead in metres, and the
/// colour of the picture. `fov` is how wide the camera saw along a row, in degrees; depths are along z.
///
/// # Errors
/// [`HeadError::Fov`] where no camera sees that wide; [`HeadError::NoDistances`] for canopy heights, which are no
/// distances from a camera; [`crate::Error::Io`].
///
/// # Panics
/// Where the picture is not the one that the map was made of.
pub fn write_point_cloud(
    path: &Path,
    map: &DepthMap,
    picture: &Picture,
    fov: f32,
    metadata: &Metadata<'_>,
) -> Result<()> {
    if map.preset == DepthPreset::Chmv2 {
        return Err(HeadError::NoDistances.into());
    }
    if !(fov > 0.0 && fov < 180.0) {
        return Err(HeadError::Fov { fov }.into());
    }
    let (height, width) = map.metres.dim();
    assert_eq!((width, height), (picture.width, picture.height), "the map's own picture");
    let focal_length = width as f32 / 2.0 / (fov.to_radians() / 2.0).tan();
    let centre = |index: usize, side: usize| index as f32 + 0.5 - side as f32 / 2.0;
    write_atomically(path, |writer| {
        write_header(writer, width * height, fov, metadata)?;
        let lines = map.metres.rows().into_iter().zip(picture.rgb.chunks_exact(3 * width)).enumerate();
        for (row, (metres, colours)) in lines {
            let mut points = Vec::with_capacity(15 * width);
            for ((col, &z), colour) in metres.iter().enumerate().zip(colours.chunks_exact(3)) {
                let (x, y) = (centre(col, width) * z / focal_length, centre(row, height) * z / focal_length);
                points.extend([x, y, z].into_iter().flat_map(f32::to_le_bytes));
                points.extend(colour);
            }
            writer.write_all(&points)?;
        }
        Ok(())
    })
}

fn write_header(writer: &mut dyn Write, points: usize, fov: f32, metadata: &Metadata<'_>) -> io::Result<()> {
    writeln!(writer, "ply\nformat binary_little_endian 1.0")?;
    for (key, value) in metadata {
        writeln!(writer, "comment {key}: {}", value.replace(['\n', '\r'], " "))?;
    }
    writeln!(writer, "comment metres; x right, y down, z ahead; horizontal field of view {fov} degrees")?;
    writeln!(writer, "element vertex {points}")?;
    for axis in ["x", "y", "z"] {
        writeln!(writer, "property float {axis}")?;
    }
    for colour in ["red", "green", "blue"] {
        writeln!(writer, "property uchar {colour}")?;
    }
    writeln!(writer, "end_header")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> DepthMap {
        let metres = ndarray::arr2(&[[2.0, 4.0], [0.0001, 50.0]]);
        DepthMap { metres, preset: DepthPreset::Synthmix, input: (16, 16) }
    }

    #[test]
    fn steps_are_whole_millimetres_that_reach_the_greatest_depth() {
        assert_eq!([10.0, 65.5, 100.0, 200.0].map(default_step), [0.001, 0.001, 0.002, 0.004]);
    }

    #[test]
    fn sixteen_bits_hold_metres() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("depth.png");
        write_png16(&path, &map(), 0.002, &[("model", "demo".to_owned())]).expect("written");
        let read = image::open(&path).expect("a PNG");
        assert!(matches!(read, image::DynamicImage::ImageLuma16(_)));
        assert_eq!(read.into_luma16().into_raw(), [1000, 2000, 1, 25_000]);
        let message = write_png16(&path, &map(), 0.0001, &[]).expect_err("50 m are too far").to_string();
        assert!(message.contains("50 m") && message.contains("0.0001"), "{message}");
    }

    #[test]
    fn points_lie_on_the_rays_of_their_pixels() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cloud.ply");
        let picture = Picture::from_rgb(2, 2, (0..12).collect()).expect("a picture");
        write_point_cloud(&path, &map(), &picture, 90.0, &[("note", "two\nlines".to_owned())]).expect("written");
        let bytes = std::fs::read(&path).expect("read");
        let end = b"end_header\n";
        let start = bytes.windows(end.len()).position(|window| window == end).expect("a header") + end.len();
        let header = String::from_utf8_lossy(&bytes[..start]);
        assert!(header.starts_with("ply\nformat binary_little_endian 1.0\ncomment note: two lines\n"), "{header}");
        assert!(header.contains("element vertex 4\n"), "{header}");
        let points: Vec<&[u8]> = bytes[start..].chunks_exact(15).collect();
        assert_eq!((points.len(), bytes.len() - start), (4, 60));
        let numbers = |point: &[u8]| -> Vec<f32> {
            point[..12].as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
        };
        // At 90 degrees a picture of 2 pixels has a focal length of 1.
        for (point, (expected, colour)) in
            points.iter().zip([([-1.0, -1.0, 2.0], 0), ([2.0, -2.0, 4.0], 3), ([-5e-5, 5e-5, 1e-4], 6)])
        {
            let near =
                numbers(point).iter().zip(expected).all(|(got, expected): (&f32, f32)| (got - expected).abs() < 1e-5);
            assert!(near, "{:?} for {expected:?}", numbers(point));
            assert_eq!(point[12..], [colour, colour + 1, colour + 2]);
        }
        let canopy = DepthMap { preset: DepthPreset::Chmv2, ..map() };
        assert!(write_point_cloud(&path, &canopy, &picture, 90.0, &[]).is_err());
        assert!(write_point_cloud(&path, &map(), &picture, 180.0, &[]).is_err());
    }
}
