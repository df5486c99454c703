//! Names of COCO's classes.

use crate::text::phrases;

/// Classes that a head trained on COCO tells apart: numbers of categories from 0.
pub const CLASSES: usize = 91;

/// Categories that COCO's pictures of 2017 have no objects of.
const UNUSED: [usize; 11] = [0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83];

/// A name per class, the index being COCO's number of the category.
pub fn names() -> Vec<String> {
    // Its things come first in the list, in the order of their numbers.
    let mut things = phrases::preset("coco-stuff").unwrap_or_default().into_iter();
    let unused = |class: usize| format!("category {class}");
    let name = |class| if UNUSED.contains(&class) { None } else { things.next() }.unwrap_or_else(|| unused(class));
    (0..CLASSES).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_numbers_of_coco() {
        let names = names();
        assert_eq!(names.len(), CLASSES);
        // The first and last of each run, as COCO's `instances_val2017.json` has them.
        let known = [
            (1, "person"),
            (11, "fire hydrant"),
            (13, "stop sign"),
            (25, "giraffe"),
            (27, "backpack"),
            (28, "umbrella"),
            (31, "handbag"),
            (44, "bottle"),
            (46, "wine glass"),
            (65, "bed"),
            (67, "dining table"),
            (70, "toilet"),
            (72, "tv"),
            (82, "refrigerator"),
            (84, "book"),
            (90, "toothbrush"),
        ];
        for (class, name) in known {
            assert_eq!(names[class], name);
        }
        assert_eq!(names.iter().filter(|name| name.starts_with("category ")).count(), 11);
    }
}
