//! What queries say: classes and boxes, and which of them are kept.

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::{Linear, Module, VarBuilder, linear};

use super::boxes::{CentredBox, clamped, corners};
use crate::draw::boxes::LabelledBox;
use crate::draw::classes::class_colour;
use crate::probe::knn::nearest;

/// Three linear layers with ReLU between them.
pub struct BoxEmbed([Linear; 3]);

impl BoxEmbed {
    /// Reads them.
    pub fn load(width: usize, vb: &VarBuilder<'_>) -> TensorResult<Self> {
        let layer = |index: usize, out: usize| linear(width, out, vb.pp("layers").pp(index));
        Ok(Self([layer(0, width)?, layer(1, width)?, layer(2, 4)?]))
    }
}

impl Module for BoxEmbed {
    fn forward(&self, tokens: &Tensor) -> TensorResult<Tensor> {
        let [first, second, last] = &self.0;
        last.forward(&second.forward(&first.forward(tokens)?.relu()?)?.relu()?)
    }
}

/// Rows of four numbers.
pub fn to_host(rows: &Tensor) -> TensorResult<Vec<[f32; 4]>> {
    let numbers: Vec<f32> = rows.flatten_all()?.to_vec1()?;
    Ok(numbers.as_chunks().0.to_vec())
}

/// Something that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Left, upper, right and lower edge in pixels of the original picture.
    pub corners: [f32; 4],
    /// Which of the head's classes.
    pub class: usize,
    /// 0 to 1.
    pub score: f32,
}

impl Detection {
    /// The box as it is drawn, with the name of its class.
    ///
    /// # Panics
    /// Where `names` has none for its class.
    pub fn labelled(&self, names: &[String]) -> LabelledBox {
        let &Self { corners, class, score } = self;
        LabelledBox { corners, label: format!("{} {score:.2}", names[class]), colour: class_colour(class, names.len()) }
    }
}

/// The `most` pairs of query and class of the greatest scores, as far as those reach `floor` (reference: `PostProcess`
/// of `dinov3/eval/detection/models/detr.py`). A query may be kept for several classes; boxes may lie on each other.
///
/// `logits` are `[queries, classes]`; boxes lie in an input of that width and height and are given in pixels of what it
/// covers.
pub fn detections(
    logits: &[f32],
    boxes: &[CentredBox],
    input: (usize, usize),
    covered: (usize, usize),
    most: usize,
    floor: f32,
) -> Vec<Detection> {
    let classes = logits.len() / boxes.len().max(1);
    let size = (input.0 as f32, input.1 as f32);
    let scale = [covered.0 as f32 / size.0, covered.1 as f32 / size.1];
    let detection = |index: usize| {
        let edges = clamped(corners(boxes[index / classes]), size);
        let score = 1.0 / (1.0 + (-logits[index]).exp());
        Detection { corners: std::array::from_fn(|i| edges[i] * scale[i % 2]), class: index % classes, score }
    };
    nearest(logits, most)
        .into_iter()
        .map(|(_, index)| detection(index))
        .take_while(|detection| detection.score >= floor)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_pairs_of_query_and_class_are_kept() {
        let logits = [-9.0, 2.0, 1.0, /* the second query */ 3.0, -9.0, 1.5];
        let boxes = [[10.0, 10.0, 10.0, 10.0], [2.0, 2.0, 8.0, 4.0]];
        let found = detections(&logits, &boxes, (20, 20), (40, 60), 3, 0.0);
        assert_eq!(found.iter().map(|found| found.class).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(found[0].corners, [0.0, 0.0, 12.0, 12.0], "cut off at the border, then scaled");
        assert_eq!(found[1].corners, [10.0, 15.0, 30.0, 45.0]);
        assert!((found[1].score - 0.880_797).abs() < 1e-6);
        assert_eq!(detections(&logits, &boxes, (20, 20), (40, 60), 9, 0.5).len(), 4);
        assert!(detections(&[], &[], (20, 20), (20, 20), 9, 0.5).is_empty());
    }
}
