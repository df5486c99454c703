//! Where the results stand.

use egui::{Rect, Vec2, pos2, vec2};

/// Share of the canvas that the picture keeps which is searched for, beside the results and above them.
const SHARES: (f32, f32) = (0.38, 0.42);

/// Wider areas have the results beside the picture, others below it.
const BESIDE_FROM: f32 = 1.15;

/// Shapes of results (width by height); what is slimmer or wider is shown whole, but smaller.
const ASPECTS: (f32, f32) = (0.66, 2.4);

/// Points between results.
const GAP: f32 = 8.0;

/// Divides the canvas: the picture's part, and that of the results.
pub fn split(area: Rect) -> (Rect, Rect) {
    if area.width() >= BESIDE_FROM * area.height() {
        area.split_left_right_at_fraction(SHARES.0)
    } else {
        area.split_top_bottom_at_fraction(SHARES.1)
    }
}

/// Pictures in rows that all end at `width`, in reading order, from (0, 0) on; `height` is that of a row at most, `below`
/// is kept free below each picture. The height of all rows too.
pub fn rows(aspects: impl Iterator<Item = f32>, width: f32, height: f32, below: f32) -> (Vec<Rect>, f32) {
    let aspects: Vec<f32> = aspects.map(|aspect| aspect.clamp(ASPECTS.0, ASPECTS.1)).collect();
    let (mut rects, mut top) = (Vec::new(), 0.0);
    let mut first = 0;
    while first < aspects.len() {
        let (mut last, mut sum) = (first, 0.0);
        let natural = |sum: f32, count: usize| sum * height + GAP * (count - 1) as f32;
        while last < aspects.len() && (last == first || natural(sum, last - first) < width) {
            sum += aspects[last];
            last += 1;
        }
        let free = width - GAP * (last - first - 1) as f32;
        let row_height = (free / sum).min(height);
        let mut left = 0.0;
        for aspect in &aspects[first..last] {
            let size: Vec2 = vec2(aspect * row_height, row_height);
            rects.push(Rect::from_min_size(pos2(left, top), size));
            left += size.x + GAP;
        }
        top += row_height + below + GAP;
        first = last;
    }
    (rects, (top - GAP).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_beside_or_below() {
        let area = |width, height| Rect::from_min_size(pos2(64.0, 30.0), vec2(width, height));
        let (picture, results) = split(area(900.0, 600.0));
        assert!(picture.right() == results.left() && results.width() > picture.width());
        let (picture, results) = split(area(500.0, 600.0));
        assert!(picture.bottom() == results.top() && picture.width() == 500.0);
    }

    #[test]
    fn full_rows_end_together_and_nothing_overlaps() {
        let aspects = [1.5, 0.1, 1.0, 9.0, 1.5, 1.5, 0.75];
        let (rects, height) = rows(aspects.into_iter(), 400.0, 100.0, 18.0);
        assert_eq!(rects.len(), aspects.len());
        let bottom = rects.iter().map(|rect| rect.bottom()).fold(0.0, f32::max);
        assert!((height - bottom - 18.0).abs() < 1e-3);
        for (place, rect) in rects.iter().enumerate() {
            assert!(rect.height() <= 100.0 && rect.right() <= 400.0 + 1e-3);
            assert!(rects[..place].iter().all(|other| !other.shrink(0.5).intersects(rect.shrink(0.5))));
            let ends_row = rects.get(place + 1).is_some_and(|next| next.top() > rect.top());
            assert!(!ends_row || (rect.right() - 400.0).abs() < 1e-3, "{place}: {rect}");
        }
        assert_eq!(rows(std::iter::empty(), 400.0, 100.0, 18.0), (Vec::new(), 0.0));
    }
}
