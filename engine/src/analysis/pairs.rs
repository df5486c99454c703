//! Correspondences as text.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::matching::Pair;

/// `{"left", "right", "pairs": [{"left": [x, y], "right": [x, y], "score"}]}`: names of the pictures, patch centres in
/// their pixels, cosines.
pub fn to_json(left: &str, right: &str, pairs: &[Pair]) -> Value {
    let pair = |pair: &Pair| {
        json!({
            "left": [pair.left_pixel.0, pair.left_pixel.1],
            "right": [pair.right_pixel.0, pair.right_pixel.1],
            "score": pair.score,
        })
    };
    json!({ "left": left, "right": right, "pairs": pairs.iter().map(pair).collect::<Vec<_>>() })
}

/// A line for each pair below a line of names: patch centres in pixels, cosine.
pub fn to_csv(pairs: &[Pair]) -> String {
    let mut text = "left_x,left_y,right_x,right_y,score\n".to_owned();
    for Pair { left_pixel, right_pixel, score, .. } in pairs {
        let _ = writeln!(text, "{},{},{},{},{score}", left_pixel.0, left_pixel.1, right_pixel.0, right_pixel.1);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Patch;

    fn pair() -> Pair {
        let patch = Patch { row: 1, col: 2 };
        Pair { left: patch, right: patch, left_pixel: (40.0, 24.5), right_pixel: (8.0, 24.0), score: 0.5 }
    }

    #[test]
    fn json_names_pixels_and_scores() {
        let expected = json!({
            "left": "a.png",
            "right": "b.png",
            "pairs": [{"left": [40.0, 24.5], "right": [8.0, 24.0], "score": 0.5}],
        });
        assert_eq!(to_json("a.png", "b.png", &[pair()]), expected);
    }

    #[test]
    fn csv_has_a_line_for_each_pair() {
        assert_eq!(to_csv(&[pair()]), "left_x,left_y,right_x,right_y,score\n40,24.5,8,24,0.5\n");
    }
}
