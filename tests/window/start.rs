//! The first seconds.

use egui_kittest::kittest::Queryable as _;

use super::support::{launch, open, wait_until};

#[test]
fn starts_with_a_sample_and_its_features() {
    let mut window = open(launch(&[]));
    wait_until(&mut window, "the sample picture", |window| window.query_by_label("View of chelsea.png").is_some());
}
