//! The tensors of a file written by `torch.save` (PyTorch 1.6 and later: a zip archive with one pickle).

use std::collections::HashMap;
use std::ops::Range;

use super::open::Tensor;
use super::pickle::{self, Id, Node, Pickle, TensorNode};
use super::zip;

/// Dicts within dicts; a training checkpoint has three or four levels.
const MAX_DEPTH: usize = 8;
/// Values visited in all: the same dict may be reached on many ways.
const MAX_VISITS: usize = 100_000;
/// Bytes of a tensor's name with the dicts it lies in.
const MAX_NAME: usize = 1024;

/// Lists the tensors of a whole file in memory, `{"model": {"a.b": …}}` as `model.a.b`; the reason where it is broken.
pub(super) fn read(archive: &[u8]) -> Result<Vec<Tensor>, String> {
    let entries = zip::entries(archive)?;
    let root = entries
        .iter()
        .find_map(|entry| entry.name.strip_suffix("data.pkl").filter(|root| root.is_empty() || root.ends_with('/')))
        .ok_or("it is a zip archive but not of torch.save: it has no data.pkl")?;
    let within: HashMap<&str, Range<usize>> =
        entries.iter().filter_map(|entry| Some((entry.name.strip_prefix(root)?, entry.bytes.clone()))).collect();
    if within.get("byteorder").is_some_and(|bytes| &archive[bytes.clone()] != b"little") {
        return Err("it was written on a big-endian machine; save it again on a little-endian one".into());
    }
    let pickle = pickle::read(&archive[within["data.pkl"].clone()])?;
    let mut collector = Collector { pickle: &pickle, within: &within, found: Vec::new(), visits: 0 };
    collector.collect(pickle.root, "", 0)?;
    Ok(collector.found)
}

struct Collector<'a> {
    pickle: &'a Pickle<'a>,
    within: &'a HashMap<&'a str, Range<usize>>,
    found: Vec<Tensor>,
    visits: usize,
}

impl Collector<'_> {
    fn collect(&mut self, id: Id, name: &str, depth: usize) -> Result<(), String> {
        let pickle = self.pickle;
        match &pickle.nodes[id] {
            Node::Tensor(tensor) => {
                let tensor = self.locate(name, tensor)?;
                self.found.push(tensor);
            }
            Node::Dict(items) if depth < MAX_DEPTH => {
                for &(key, value) in items {
                    self.visits += 1;
                    if self.visits > MAX_VISITS {
                        return Err("its dicts are nested without end".into());
                    }
                    let key = match pickle.nodes[key] {
                        Node::Str(key) if name.len() + key.len() > MAX_NAME => {
                            return Err(format!("a name in it has more than {MAX_NAME} bytes"));
                        }
                        Node::Str(key) => key.to_owned(),
                        Node::Int(key) => key.to_string(),
                        _ => continue,
                    };
                    let path = if name.is_empty() { key } else { format!("{name}.{key}") };
                    self.collect(value, &path, depth + 1)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Where a tensor's elements lie in the file.
    fn locate(&self, name: &str, tensor: &TensorNode<'_>) -> Result<Tensor, String> {
        let about = |problem: &str| format!("its tensor {} {problem}", name.escape_debug());
        let TensorNode { storage, offset, shape, strides } = tensor;
        let size = storage.element.size().expect("storages have element types of known size");
        let entry = self
            .within
            .get(format!("data/{}", storage.key).as_str())
            .ok_or_else(|| about("has no data in the archive"))?;
        if storage.len.checked_mul(size).is_none_or(|bytes| bytes > entry.len()) {
            return Err(about("is longer than its data: the file is cut short"));
        }
        let span = span(shape, strides).filter(|span| offset.checked_add(*span).is_some_and(|end| end <= storage.len));
        let span = span.ok_or_else(|| about("reaches past the end of its storage"))?;
        let elements = shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
        if elements.is_none_or(|elements| elements > storage.len) {
            return Err(about("repeats elements (it was expanded); save it with .contiguous()"));
        }
        let start = entry.start + offset * size;
        Ok(Tensor {
            name: name.to_owned(),
            element: storage.element,
            shape: shape.clone(),
            file: 0,
            bytes: start..start + span * size,
            strides: (!is_contiguous(shape, strides)).then(|| strides.clone()),
        })
    }
}

/// Elements from the first to the last of a strided tensor, both included; `None` where that overflows.
fn span(shape: &[usize], strides: &[usize]) -> Option<usize> {
    if shape.len() != strides.len() {
        return None;
    }
    if shape.contains(&0) {
        return Some(0);
    }
    let last = shape
        .iter()
        .zip(strides)
        .try_fold(0usize, |last, (&size, &stride)| last.checked_add((size - 1).checked_mul(stride)?))?;
    last.checked_add(1)
}

fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1usize;
    shape.iter().zip(strides).rev().all(|(&size, &stride)| {
        let fits = size <= 1 || stride == expected;
        expected = expected.saturating_mul(size.max(1));
        fits
    })
}
