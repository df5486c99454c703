//! Painting into a label map: discs of a brush, polygons, patches.

use dinoscope_engine::features::{Geometry, Patch};
use dinoscope_engine::tracking::LabelMap;

use crate::gui::placed::PixelPoint;

/// Pixels from the first to the one before the last, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelRect {
    /// Left and top.
    pub min: (usize, usize),
    /// Right and bottom, exclusive.
    pub max: (usize, usize),
}

impl PixelRect {
    /// Around points with so much space on all sides, cut at the map's edges.
    fn around(points: &[PixelPoint], space: f32, map: &LabelMap) -> Self {
        let bounds = |pick: fn(&PixelPoint) -> f32, len: usize| {
            let low = points.iter().map(pick).fold(f32::INFINITY, f32::min) - space;
            let high = points.iter().map(pick).fold(f32::NEG_INFINITY, f32::max) + space;
            ((low.floor().max(0.0) as usize).min(len), (high.ceil().max(0.0) as usize).min(len))
        };
        let ((left, right), (top, bottom)) = (bounds(|it| it.x, map.width), bounds(|it| it.y, map.height));
        Self { min: (left, top), max: (right.max(left), bottom.max(top)) }
    }
}

/// The whole of a map.
pub fn whole(map: &LabelMap) -> PixelRect {
    PixelRect { min: (0, 0), max: (map.width, map.height) }
}

/// Gives all pixels that lie within `radius` of the line between two points the value `id`; what may have changed.
pub fn line(map: &mut LabelMap, from: PixelPoint, to: PixelPoint, radius: f32, id: u8) -> PixelRect {
    let rect = PixelRect::around(&[from, to], radius, map);
    let (along_x, along_y) = (to.x - from.x, to.y - from.y);
    let length = along_x * along_x + along_y * along_y;
    fill(map, rect, id, |x, y| {
        let share = if length > 0.0 { ((x - from.x) * along_x + (y - from.y) * along_y) / length } else { 0.0 };
        let share = share.clamp(0.0, 1.0);
        (x - from.x - share * along_x).hypot(y - from.y - share * along_y) <= radius
    })
}

/// Gives all pixels inside of a polygon the value `id`; what may have changed.
pub fn polygon(map: &mut LabelMap, corners: &[PixelPoint], id: u8) -> PixelRect {
    let rect = PixelRect::around(corners, 0.0, map);
    let edges = || corners.iter().zip(corners.iter().cycle().skip(1));
    fill(map, rect, id, |x, y| {
        let crosses = |&(a, b): &(&PixelPoint, &PixelPoint)| {
            (a.y > y) != (b.y > y) && x < (b.x - a.x) * (y - a.y) / (b.y - a.y) + a.x
        };
        edges().filter(crosses).count() % 2 == 1
    })
}

/// Gives the pixels of patches the value `id`.
pub fn patches(map: &mut LabelMap, geometry: &Geometry, inside: impl Fn(Patch) -> bool, id: u8) -> PixelRect {
    let geometry = *geometry;
    let rect = whole(map);
    fill(map, rect, id, |x, y| geometry.patch_from_pixel(f64::from(x), f64::from(y)).is_some_and(&inside))
}

/// By the pixels' centres.
fn fill(map: &mut LabelMap, rect: PixelRect, id: u8, is_inside: impl Fn(f32, f32) -> bool) -> PixelRect {
    for y in rect.min.1..rect.max.1 {
        let row = &mut map.ids[y * map.width..(y + 1) * map.width];
        for (x, value) in row.iter_mut().enumerate().take(rect.max.0).skip(rect.min.0) {
            if is_inside(x as f32 + 0.5, y as f32 + 0.5) {
                *value = id;
            }
        }
    }
    rect
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: (usize, usize) = (8, 6);

    fn map() -> LabelMap {
        LabelMap::new(EMPTY.0, EMPTY.1, vec![0; EMPTY.0 * EMPTY.1]).expect("pixels")
    }

    fn at(x: f32, y: f32) -> PixelPoint {
        PixelPoint { x, y }
    }

    fn rows(map: &LabelMap) -> Vec<String> {
        map.ids.chunks(map.width).map(|row| row.iter().map(u8::to_string).collect()).collect()
    }

    #[test]
    fn a_stroke_is_a_line_with_round_ends() {
        let mut map = map();
        let rect = line(&mut map, at(2.0, 2.0), at(6.0, 2.0), 1.2, 3);
        assert_eq!(rows(&map), ["00000000", "03333330", "03333330", "00000000", "00000000", "00000000"]);
        assert_eq!(rect, PixelRect { min: (0, 0), max: (8, 4) });
        line(&mut map, at(1.5, 1.5), at(1.5, 1.5), 0.4, 0);
        assert_eq!(rows(&map)[1], "00333330", "an eraser paints background");
        line(&mut map, at(-90.0, -90.0), at(-80.0, -90.0), 2.0, 9);
        assert!(!map.ids.contains(&9), "beside the picture there is nothing to paint");
    }

    #[test]
    fn a_polygon_is_filled_inside() {
        let mut map = map();
        polygon(&mut map, &[at(1.0, 1.0), at(5.0, 1.0), at(5.0, 4.0), at(1.0, 4.0)], 2);
        assert_eq!(rows(&map), ["00000000", "02222000", "02222000", "02222000", "00000000", "00000000"]);
        let before = map.clone();
        polygon(&mut map, &[at(0.0, 0.0), at(8.0, 6.0)], 1);
        assert_eq!(map, before, "two corners have no inside");
    }

    #[test]
    fn a_patch_is_its_pixels() {
        let mut map = map();
        let geometry = Geometry { picture: EMPTY, covered: EMPTY, grid: (2, 2) };
        patches(&mut map, &geometry, |patch| patch == Patch { row: 1, col: 0 }, 4);
        assert_eq!(rows(&map), ["00000000", "00000000", "00000000", "44440000", "44440000", "44440000"]);
    }
}
