//! Boxes as the network moves them (reference: `dinov3/eval/detection/util/box_ops.py`).

/// Centre x, centre y, width and height in pixels of the model's input.
pub type CentredBox = [f32; 4];

/// Left, upper, right and lower edge in pixels.
pub type Corners = [f32; 4];

/// Sides never change by more than this factor at once, nor by less than its inverse.
const MAX_FACTOR: f64 = 1000.0 / 16.0;

/// Edges of a box.
pub fn corners([x, y, width, height]: CentredBox) -> Corners {
    [x - 0.5 * width, y - 0.5 * height, x + 0.5 * width, y + 0.5 * height]
}

/// A box moved by `delta` (shares of its sides, then logarithms of factors) and cut off at the edges of an input of that
/// width and height.
pub fn refine([x, y, width, height]: CentredBox, delta: [f32; 4], input: (f32, f32)) -> CentredBox {
    let [dx, dy, dw, dh] = delta;
    let limit = MAX_FACTOR.ln() as f32;
    let factor = |log: f32| log.clamp(-limit, limit).exp();
    let moved = [x + width * dx, y + height * dy, width * factor(dw), height * factor(dh)];
    let [x0, y0, x1, y1] = clamped(corners(moved), input);
    [(x0 + x1) / 2.0, (y0 + y1) / 2.0, x1 - x0, y1 - y0]
}

/// Edges cut off at those of an input of that width and height.
pub fn clamped([x0, y0, x1, y1]: Corners, (width, height): (f32, f32)) -> Corners {
    [x0.clamp(0.0, width), y0.clamp(0.0, height), x1.clamp(0.0, width), y1.clamp(0.0, height)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_move_by_shares_of_their_sides_and_stay_inside() {
        assert_eq!(
            refine([50.0, 40.0, 20.0, 10.0], [0.5, -1.0, 0.0, 2f32.ln()], (100.0, 80.0)),
            [60.0, 30.0, 20.0, 20.0]
        );
        assert_eq!(refine([5.0, 75.0, 20.0, 20.0], [0.0; 4], (100.0, 80.0)), [7.5, 72.5, 15.0, 15.0]);
        let [_, _, width, height] = refine([500.0, 500.0, 1.0, 1.0], [0.0, 0.0, 99.0, -99.0], (1000.0, 1000.0));
        assert!((width - 62.5).abs() < 1e-3 && (height - 0.016).abs() < 1e-4, "{width} {height}");
    }
}
