//! What a map says in a few numbers.

use ndarray::Array2;

use super::EXCLUDED;
use crate::features::Patch;

/// Least and greatest value, patches that are left out aside; `None` where there are no others.
pub fn value_range(map: &Array2<f32>) -> Option<(f32, f32)> {
    let counted = map.iter().copied().filter(|&value| value > EXCLUDED);
    counted.fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}

/// The `count` patches of greatest value that are not left out, best first; equal ones in reading order.
pub fn best_patches(map: &Array2<f32>, count: usize) -> Vec<(Patch, f32)> {
    if count == 0 {
        return Vec::new();
    }
    let mut all: Vec<(Patch, f32)> = map
        .indexed_iter()
        .filter(|(_, value)| **value > EXCLUDED)
        .map(|((row, col), &value)| (Patch { row, col }, value))
        .collect();
    let order =
        |a: &(Patch, f32), b: &(Patch, f32)| b.1.total_cmp(&a.1).then((a.0.row, a.0.col).cmp(&(b.0.row, b.0.col)));
    if count < all.len() {
        all.select_nth_unstable_by(count - 1, order);
        all.truncate(count);
    }
    all.sort_by(order);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_patches_come_first_and_those_left_out_never() {
        let map = ndarray::arr2(&[[0.5, 0.9, EXCLUDED], [0.9, 0.1, 0.7]]);
        let patches: Vec<(usize, usize)> =
            best_patches(&map, 3).iter().map(|(patch, _)| (patch.row, patch.col)).collect();
        assert_eq!(patches, [(0, 1), (1, 0), (1, 2)]);
        assert_eq!(best_patches(&map, 99).len(), 5);
        assert!(best_patches(&map, 0).is_empty());
    }

    #[test]
    fn ranges_leave_out_what_the_map_leaves_out() {
        assert_eq!(value_range(&ndarray::arr2(&[[0.5, EXCLUDED, -0.25]])), Some((-0.25, 0.5)));
        assert_eq!(value_range(&ndarray::arr2(&[[EXCLUDED]])), None);
    }
}
