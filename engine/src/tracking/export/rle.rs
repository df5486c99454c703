//! Run lengths of a mask, as COCO counts and packs them (reference: pycocotools, `common/maskApi.c`).

/// Lengths of runs of pixels that are outside and inside of a mask by turns, beginning outside, column by column.
pub fn counts(width: usize, height: usize, is_inside: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut counts = Vec::new();
    let (mut run, mut value) = (0, false);
    for x in 0..width {
        for y in 0..height {
            if is_inside(y * width + x) != value {
                counts.push(run);
                (run, value) = (0, !value);
            }
            run += 1;
        }
    }
    counts.push(run);
    counts
}

/// Counts as text: from the fourth on as differences to the one two before, five bits a character, least first.
pub fn pack(counts: &[usize]) -> String {
    let mut text = String::new();
    for (i, &count) in counts.iter().enumerate() {
        let before = if i > 2 { counts[i - 2] as i64 } else { 0 };
        let mut rest = count as i64 - before;
        loop {
            let bits = (rest & 0x1f) as u8;
            rest >>= 5;
            // The sign is that of the highest bit written.
            let is_last = rest == if bits & 0x10 == 0 { 0 } else { -1 };
            text.push(char::from(48 + bits + if is_last { 0 } else { 0x20 }));
            if is_last {
                break;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_outside_first() {
        // 1 0 1
        // 1 1 0
        let mask = [true, false, true, true, true, false];
        assert_eq!(counts(3, 2, |i| mask[i]), [0, 2, 1, 2, 1]);
        assert_eq!(counts(2, 2, |_| false), [4]);
        assert_eq!(counts(2, 2, |_| true), [0, 4]);
    }
}
