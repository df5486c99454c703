//! The part of a picture that grows from a few clicked patches.

use ndarray::Array2;

use super::AnalysisError;
use super::similarity::{Combine, MapQuery, combined_map, unit_direction};
use crate::features::{FeatureGrid, Patch};

/// The patches that are connected to one of `like` through patches whose cosine with some patch of `like` is at least
/// `threshold`, and larger than with any of `unlike`: `[rows, cols]`. Patches touch along their edges.
///
/// # Errors
/// As [`unit_direction`] and [`combined_map`]; [`AnalysisError::NotEnough`] without a patch to grow from.
pub fn grow(
    grid: &FeatureGrid,
    like: &[Patch],
    unlike: &[Patch],
    threshold: f32,
) -> Result<Array2<bool>, AnalysisError> {
    if like.is_empty() {
        return Err(AnalysisError::NotEnough("click a patch of the object first".to_owned()));
    }
    let greatest = |patches: &[Patch]| {
        let directions = patches.iter().map(|&patch| unit_direction(grid, &[patch]));
        let positive = directions.collect::<Result<_, _>>()?;
        combined_map(grid, &MapQuery { positive, combine: Combine::Max, ..MapQuery::default() })
    };
    // Without patches to be unlike, everything is as unlike as can be.
    let (closeness, distraction) = (greatest(like)?, greatest(unlike)?);
    let belongs = |at: [usize; 2]| closeness[at] >= threshold && closeness[at] > distraction[at];
    let mut region = Array2::from_elem((grid.rows, grid.cols), false);
    let mut waiting: Vec<[usize; 2]> = like.iter().map(|patch| [patch.row, patch.col]).collect();
    while let Some(at @ [row, col]) = waiting.pop() {
        if region[at] || !belongs(at) {
            continue;
        }
        region[at] = true;
        let beside = [(row.wrapping_sub(1), col), (row + 1, col), (row, col.wrapping_sub(1)), (row, col + 1)];
        waiting.extend(
            beside.into_iter().filter(|&(row, col)| row < grid.rows && col < grid.cols).map(<[usize; 2]>::from),
        );
    }
    Ok(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Features of two numbers, by the angle in degrees that they point to.
    fn grid(angles: &[[f32; 5]]) -> FeatureGrid {
        let (rows, cols) = (angles.len(), 5);
        let component = |(patch, k): (usize, usize)| {
            let angle = angles[patch / cols][patch % cols].to_radians();
            if k == 0 { 3.0 * angle.cos() } else { 3.0 * angle.sin() }
        };
        FeatureGrid { rows, cols, data: Array2::from_shape_fn((rows * cols, 2), component) }
    }

    fn drawn(region: &Array2<bool>) -> Vec<String> {
        region
            .rows()
            .into_iter()
            .map(|row| row.iter().map(|&inside| if inside { '#' } else { '.' }).collect())
            .collect()
    }

    const AT: fn(usize, usize) -> Patch = |row, col| Patch { row, col };

    #[test]
    fn a_region_is_connected_and_alike() {
        let grid = grid(&[
            [0.0, 5.0, 90.0, 0.0, 0.0], //
            [90.0, 5.0, 90.0, 90.0, 0.0],
            [0.0, 90.0, 90.0, 25.0, 20.0],
        ]);
        let region =
            |like: &[Patch], unlike: &[Patch], threshold| drawn(&grow(&grid, like, unlike, threshold).unwrap());
        assert_eq!(region(&[AT(0, 0)], &[], 0.95), ["##...", ".#...", "....."]);
        assert_eq!(region(&[AT(0, 0), AT(0, 3)], &[], 0.95), ["##.##", ".#..#", "....."]);
        assert_eq!(region(&[AT(0, 0), AT(0, 3)], &[], 0.9), ["##.##", ".#..#", "...##"]);
        assert_eq!(
            region(&[AT(0, 3)], &[AT(2, 3)], 0.9),
            ["...##", "....#", "....."],
            "20° is nearer to 25° than to 0°"
        );
    }

    #[test]
    fn clicks_outside_are_refused() {
        let grid = grid(&[[0.0; 5]]);
        assert!(matches!(grow(&grid, &[], &[], 0.5), Err(AnalysisError::NotEnough(_))));
        assert!(matches!(grow(&grid, &[AT(1, 0)], &[], 0.5), Err(AnalysisError::Patch { .. })));
    }
}
