//! Files made to do harm, and files cut short.

use super::files::{self, Plain};
use crate::checkpoint::open::list;
use crate::checkpoint::{Weights, pickle, zip};
use crate::model::{Ffn, ModelConfig, VitConfig};

#[track_caller]
fn refused(pickle: &[u8], expected: &str) {
    let reason = list(&files::torch_archive(pickle, &[vec![0; 16]])).unwrap_err();
    assert!(reason.contains(expected), "{reason}");
    assert!(!reason.contains('\n'));
}

#[test]
fn pickles_that_would_run_code_name_what_they_ask_for() {
    refused(b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.", "`posix.system`");
    refused(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93)R.", "`builtins.eval`");
    refused(b"\x80\x02cbuiltins\ngetattr\n.", "`builtins.getattr`");
    refused(b"\x80\x02ctorch\nload\n.", "`torch.load`");
    refused(b"\x80\x02ctorch.hub\nload_state_dict_from_url\n.", "`torch.hub.load_state_dict_from_url`");
    refused(b"\x80\x02cnew\x1bline\nx\n.", "`new\\u{1b}line.x`");
    // INST, OBJ, NEWOBJ, NEWOBJ_EX, EXT1
    for opcode in [b'i', b'o', 0x81, 0x92, 0x82] {
        refused(&[0x80, 2, b'(', opcode, b'a', b'\n', b'b', b'\n', b'.'], "opcode");
    }
    refused(b"\x80\x02ctorch\nFloatStorage\n)R.", "storage");
    refused(b"\x80\x02])R.", "no known function");
}

#[test]
fn lengths_are_compared_with_what_is_there() {
    let huge = |opcode: &[u8], length: &[u8]| [b"\x80\x04", opcode, length, b"abc."].concat();
    refused(&huge(b"\x8b", &i32::MAX.to_le_bytes()), "cut short"); // LONG4
    refused(&huge(b"\x8b", &(-1i32).to_le_bytes()), "cut short");
    refused(&huge(b"X", &u32::MAX.to_le_bytes()), "cut short");
    for opcode in [b"\x8d", b"\x8e", b"\x96"] {
        refused(&huge(opcode, &u64::MAX.to_le_bytes()), "cut short"); // BINUNICODE8, BINBYTES8, BYTEARRAY8
    }
    refused(b"\x80\x02\x8a\xffabc.", "cut short");
    refused(b"\x80\x02cno newline", "cut short");
    refused(b"\x80\x00.", "protocol 0");
}

#[test]
fn a_machine_without_values_stops() {
    for pickle in [
        &b"\x80\x02."[..],
        b"\x80\x020.",
        b"\x80\x02t.",
        b"\x80\x02\x87.",
        b"\x80\x02R.",
        b"\x80\x02(.",
        b"\x80\x02h\x05.",
    ] {
        assert!(pickle::read(pickle).is_err(), "{pickle:?}");
    }
    assert!(pickle::read(b"\x80\x02}(X\x01\x00\x00\x00au.").is_err());
    assert!(pickle::read(b"\x80\x02N(NNu.").is_err());
}

#[test]
fn memo_bombs_and_circles_end() {
    // Each dict holds the one before twice: two to the power of 200 ways.
    let mut bomb = b"\x80\x02}q\x00".to_vec();
    for level in 0..200u8 {
        bomb.extend([b'}', b'q', level + 1, b'(', b'K', 0, b'h', level, b'K', 1, b'h', level, b'u']);
    }
    bomb.push(b'.');
    assert!(list(&files::torch_archive(&bomb, &[])).is_ok());
    // A dict that holds itself a hundred times.
    let mut circle = b"\x80\x02}q\x00(".to_vec();
    (0..100).for_each(|key| circle.extend([b'K', key, b'h', 0]));
    circle.extend(b"u.");
    refused(&circle, "without end");
    // A list in a list in a list: no recursion may follow it.
    let deep = [b"\x80\x02".to_vec(), vec![b']'; 1 << 18], vec![b'a'; (1 << 18) - 1], b".".to_vec()].concat();
    assert!(list(&files::torch_archive(&deep, &[])).is_ok());
    refused(&[b"\x80\x02".to_vec(), vec![b']'; 2 << 20], b".".to_vec()].concat(), "values");
    refused(&[b"\x80\x02".to_vec(), vec![b'('; 5 << 20], b".".to_vec()].concat(), "bytes");
    // Copies of a list, each for the price of a call.
    refused(b"\x80\x02ccollections\nOrderedDict\n]\x85R.", "OrderedDict");
}

#[test]
fn tensors_stay_within_their_storage() {
    let tensor = |len: usize, shape: &[usize], strides: &[usize]| {
        let mut pickle = b"\x80\x02}X\x01\x00\x00\x00a".to_vec();
        files::rebuild_tensor(&mut pickle, 0, len, shape, strides);
        pickle.extend(b"s.");
        list(&files::torch_archive(&pickle, &[vec![0; 16]]))
    };
    let reason = |len: usize, shape: &[usize], strides: &[usize]| tensor(len, shape, strides).unwrap_err();
    assert!(tensor(4, &[2, 2], &[2, 1]).is_ok());
    assert!(reason(5, &[5], &[1]).contains("longer than its data"));
    assert!(reason(1 << 62, &[1], &[1]).contains("longer than its data"));
    assert!(reason(4, &[5], &[1]).contains("past the end"));
    assert!(reason(4, &[2], &[4]).contains("past the end"));
    assert!(reason(4, &[2], &[usize::MAX / 2]).contains("past the end"));
    assert!(reason(4, &[usize::MAX / 2, 4], &[usize::MAX / 2, 1]).contains("past the end"));
    assert!(reason(4, &[usize::MAX / 2, 4], &[0, 1]).contains("repeats"));
    assert!(reason(4, &[1, 2], &[1]).contains("past the end"));
    assert!(reason(4, &[usize::MAX], &[1]).contains("unknown way"));
}

#[test]
fn weights_that_share_their_elements_are_refused() {
    let ModelConfig::Vit(vit) = files::tiny_vit() else { panic!("it is a ViT") };
    let config = ModelConfig::Vit(VitConfig { ffn: Ffn::Mlp { hidden: 1000 }, ..vit });
    let original = files::tensors(&Weights::random(&config, 1));
    let longest = original.iter().map(|tensor| tensor.numbers.len()).max().unwrap();
    let mut pickle = b"\x80\x02}(".to_vec();
    for Plain { name, shape, .. } in &original {
        files::text(&mut pickle, name);
        let strides: Vec<usize> = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
        files::rebuild_tensor(&mut pickle, 0, longest, shape, &strides);
    }
    // More blocks than the file's bytes could hold.
    for block in 2..40 {
        for Plain { name, shape, .. } in original.iter().filter(|tensor| tensor.name.starts_with("blocks.1.")) {
            files::text(&mut pickle, &name.replace("blocks.1.", &format!("blocks.{block}.")));
            let strides: Vec<usize> = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
            files::rebuild_tensor(&mut pickle, 0, longest, shape, &strides);
        }
    }
    pickle.extend(b"u.");
    let storage: Vec<u8> = (0..longest).flat_map(|_| 1f32.to_le_bytes()).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.pth");
    std::fs::write(&path, files::torch_archive(&pickle, &[storage])).unwrap();
    let error = Weights::open(&path).err().expect("it is refused").to_string();
    assert!(error.contains("share their elements"), "{error}");
}

#[test]
fn layers_without_or_with_too_many_channels_are_refused() {
    let ModelConfig::Vit(vit) = files::tiny_vit() else { panic!("it is a ViT") };
    let reason = |name: &str, shape: &[usize]| {
        let config = ModelConfig::Vit(vit.clone());
        let mut tensors = files::tensors(&Weights::random(&config, 1));
        *tensors.iter_mut().find(|tensor| tensor.name == name).unwrap() = Plain::new(name, shape);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("odd.safetensors");
        std::fs::write(&path, files::safetensors(&tensors)).unwrap();
        Weights::open(&path).err().expect("it is refused").to_string()
    };
    assert!(reason("blocks.0.mlp.fc1.weight", &[0, 8]).contains("empty"));
    assert!(reason("patch_embed.proj.weight", &[0, 3, 2, 2]).contains("empty"));
    assert!(reason("patch_embed.proj.weight", &[1 << 62, 3, 0, 0]).contains("an axis of"));
}

#[test]
fn compressed_entries_are_refused() {
    let mut archive = files::torch(&[Plain::new("a", &[3])]);
    let central = archive.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    archive[central + 10] = 8;
    assert!(list(&archive).unwrap_err().contains("compressed"));
}

#[test]
fn entries_that_claim_too_much_are_refused() {
    let valid = files::torch(&[Plain::new("a", &[3])]);
    let central = valid.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    let end = valid.len() - 22;
    let with = |at: usize, bytes: &[u8]| {
        let mut archive = valid.clone();
        archive[at..at + bytes.len()].copy_from_slice(bytes);
        zip::entries(&archive).err().expect("the archive is broken")
    };
    let gigabytes = 0xffff_fff0u32.to_le_bytes();
    assert!(with(central + 20, &[gigabytes, gigabytes].concat()).contains("outside"));
    assert!(with(central + 42, &gigabytes).contains("outside"));
    assert!(with(end + 16, &gigabytes).contains("broken"));
    assert!(with(end + 10, &0xfffeu16.to_le_bytes()).contains("broken"));
    assert!(with(central + 28, &0xffffu16.to_le_bytes()).contains("broken"));
}

#[test]
fn safetensors_headers_are_limited() {
    let header = |len: u64, text: &str| [&len.to_le_bytes(), text.as_bytes()].concat();
    let of = |text: &str| header(text.len() as u64, text);
    assert!(list(&header(u64::MAX, "{}")).unwrap_err().contains("header"));
    assert!(list(&header(99 << 20, "{}")).unwrap_err().contains("header"));
    assert!(list(&header(100, "{}")).unwrap_err().contains("header"));
    let overlap = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    assert!(list(&[of(overlap), vec![0; 4]].concat()).is_err());
    let overflow = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#;
    assert!(list(&[of(overflow), vec![0; 4]].concat()).is_err());
    let past_the_end = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    assert!(list(&[of(past_the_end), vec![0; 4]].concat()).is_err());
    assert!(list(&of(&"[".repeat(100_000))).is_err());
}

#[test]
fn files_cut_at_any_length_are_refused() {
    let tensors = [Plain::new("a.weight", &[2, 3]), Plain::new("a.bias", &[3])];
    for file in [files::safetensors(&tensors), files::torch(&tensors)] {
        assert_eq!(list(&file).unwrap().len(), 2);
        for len in 0..file.len() {
            assert!(list(&file[..len]).is_err(), "{len} of {} bytes", file.len());
        }
    }
}

#[test]
fn what_is_no_checkpoint_is_told_apart() {
    let reason = |bytes: &[u8]| list(bytes).unwrap_err();
    assert!(reason(b"").contains("empty"));
    assert!(reason(b"<!DOCTYPE html>").contains("neither"));
    assert!(reason(b"version https://git-lfs.github.com/spec/v1\n").contains("Git LFS"));
    assert!(reason(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.").contains("before version 1.6"));
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| Weights::open(&folder.path().join(name)).err().unwrap().to_string();
    assert!(of("absent.pth").contains("absent.pth"));
    assert!(of("").contains("holds no model.safetensors"));
    std::fs::write(folder.path().join("model.safetensors.index.json"), r#"{"weight_map": {"a": "../x"}}"#).unwrap();
    assert!(of("").contains("outside of the folder"));
    std::fs::write(folder.path().join("config.json"), "{").unwrap();
    assert!(of("").contains("config.json"));
}
