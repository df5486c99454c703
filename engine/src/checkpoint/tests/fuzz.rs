//! Whatever the bytes are, readers give tensors that lie within the file, or a reason.

use proptest::prelude::*;

use super::files::{self, Plain};
use super::gguf;
use crate::checkpoint::open::list;
use crate::checkpoint::{Weights, pickle};

/// Changes to a valid file: bytes set, a piece cut out, a piece doubled.
#[derive(Clone, Debug)]
struct Mutation {
    set: Vec<(prop::sample::Index, u8)>,
    cut: Option<(prop::sample::Index, usize)>,
    double: Option<(prop::sample::Index, usize)>,
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<prop::sample::Index>;
    let piece = || proptest::option::weighted(0.2, (index(), 1usize..64));
    // Bytes that mean something to one of the formats are tried more often.
    let byte = prop_oneof![any::<u8>(), prop::sample::select(&b"\x00\x01\xff\x7f}](.0123456789RQbceqhtu\"{,PK"[..])];
    (proptest::collection::vec((index(), byte), 0..6), piece(), piece()).prop_map(|(set, cut, double)| Mutation {
        set,
        cut,
        double,
    })
}

impl Mutation {
    fn apply(&self, valid: &[u8], head: usize) -> Vec<u8> {
        let mut bytes = valid.to_vec();
        let place = |index: &prop::sample::Index, len: usize| index.index(len);
        for (index, byte) in &self.set {
            // Half of the changes go to the head, where the structure is.
            let at = place(index, bytes.len());
            let at = if at.is_multiple_of(2) { at % head.min(bytes.len()) } else { at };
            bytes[at] = *byte;
        }
        if let Some((index, len)) = &self.cut {
            let at = place(index, bytes.len());
            bytes.drain(at..(at + len).min(bytes.len()));
        }
        if let (Some((index, len)), false) = (&self.double, bytes.is_empty()) {
            let at = place(index, bytes.len());
            let piece = bytes[at..(at + len).min(bytes.len())].to_vec();
            bytes.splice(at..at, piece);
        }
        bytes
    }
}

fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    for tensor in list(bytes).unwrap_or_default() {
        prop_assert!(tensor.bytes.start <= tensor.bytes.end && tensor.bytes.end <= bytes.len());
        if let Some((together, size)) = tensor.element.block() {
            let elements = tensor.shape.iter().product::<usize>();
            prop_assert!(elements / together * size <= bytes.len());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn any_safetensors(mutation in mutation()) {
        let valid = files::safetensors(&[Plain::new("a.weight", &[2, 3]), Plain::new("b", &[3])]);
        check(&mutation.apply(&valid, 120))?;
    }

    #[test]
    fn any_gguf(mutation in mutation()) {
        check(&mutation.apply(&gguf::small(), 300))?;
    }

    #[test]
    fn any_torch_file(mutation in mutation()) {
        let valid = files::torch(&[Plain::new("a.weight", &[2, 3]), Plain::new("b", &[3])]);
        check(&mutation.apply(&valid, 500))?;
    }

    #[test]
    fn any_pickle(mutation in mutation(), garbage in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut valid = b"\x80\x02}q\x00(".to_vec();
        files::text(&mut valid, "a");
        files::rebuild_tensor(&mut valid, 0, 6, &[2, 3], &[3, 1]);
        valid.extend(b"u.");
        let _ = pickle::read(&mutation.apply(&valid, 200));
        let _ = pickle::read(&garbage);
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes)?;
        check(&[b"PK\x03\x04", bytes.as_slice()].concat())?;
        check(&[b"GGUF\x03\0\0\0", bytes.as_slice()].concat())?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn any_backbone(mutation in mutation(), format in 0..3) {
        let weights = Weights::random(&files::tiny_swiglu(), 1);
        let valid = match format {
            0 => files::torch(&files::tensors(&weights)),
            1 => files::safetensors(&files::tensors(&weights)),
            _ => gguf::backbone(&weights, &gguf::facts()),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        let bytes = mutation.apply(&valid, 4000);
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(weights) = Weights::open(&path) {
            // A number takes two bytes at least in these.
            prop_assert!(2 * weights.config().parameters() <= bytes.len());
            for (name, shape) in weights.config().tensors() {
                let _ = weights.load(&name, &shape);
            }
        }
    }
}
