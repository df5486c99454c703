//! Tokens against the reference's; `tests/golden/make_text.py` has made the files.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::{CONTEXT, Tokenizer};
use crate::checkpoint::hash;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/text")
}

fn tokens() -> Value {
    let text = std::fs::read_to_string(golden().join("tokens.json")).expect("a golden file");
    serde_json::from_str(&text).expect("JSON")
}

fn published() -> Tokenizer {
    Tokenizer::bundled().expect("it is part of the program")
}

fn numbers(value: &Value) -> Vec<u32> {
    value.as_array().expect("a list").iter().map(|id| id.as_u64().expect("an id") as u32).collect()
}

/// Of the ids of all texts, as the script takes it.
fn digest(tokenizer: &Tokenizer, texts: impl Iterator<Item = String>) -> String {
    let bytes: Vec<u8> = texts.flat_map(|text| tokenizer.tokenize(&text).0).flat_map(u32::to_le_bytes).collect();
    hash::hex(&hash::of_bytes(&bytes)[..8])
}

#[test]
fn hard_strings_have_the_references_ids() {
    let (tokenizer, tokens) = (published(), tokens());
    let cases = tokens["cases"].as_array().expect("a list");
    let mut wrong = String::new();
    for case in cases {
        let (text, expected) = (case[0].as_str().expect("a text"), numbers(&case[1]));
        let got = tokenizer.tokenize(text);
        let is_right = got.0[..expected.len()] == expected && got.0[expected.len()..].iter().all(|id| *id == 0);
        if !is_right {
            wrong.push_str(&format!("{text:?}: {:?}, expected {expected:?}\n", &got.0[..expected.len()]));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(cases.len() > 1000);
}

/// Alone and beside letters; what Unicode has assigned since is left out, as the reference's own libraries differ there.
#[test]
fn every_character_has_the_references_ids() {
    let (tokenizer, tokens) = (published(), tokens());
    let mut count = 0;
    for block in tokens["characters"].as_array().expect("a list") {
        let ranges = block[0].as_array().expect("a list").iter().map(numbers);
        let characters: Vec<char> = ranges.flat_map(|range| range[0]..=range[1]).filter_map(char::from_u32).collect();
        let texts = characters.iter().map(|character| format!("a{character} {character}B"));
        assert_eq!(digest(&tokenizer, texts), block[1].as_str().expect("a digest"), "from {:?} on", characters[0]);
        count += characters.len();
    }
    assert!(count > 280_000);
}

#[test]
fn every_entity_has_the_references_ids() {
    let tokens = tokens();
    let names = tokens["entities"][0].as_array().expect("a list").iter().map(|name| name.as_str().expect("a name"));
    let texts = names.map(|name| format!("x &{name} &amp;{name}y"));
    assert_eq!(digest(&published(), texts), tokens["entities"][1].as_str().expect("a digest"));
}

#[test]
fn a_text_of_any_length_ends_in_its_end() {
    let tokenizer = published();
    assert_eq!((tokenizer.size(), tokenizer.tokenize("").0[..3].to_vec()), (49_408, vec![49_406, 49_407, 0]));
    for text in ["a ".repeat(1_000_000), "x".repeat(300_000), "🙂".repeat(100_000), "&amp;".repeat(50_000)] {
        let tokens = tokenizer.tokenize(&text);
        assert_eq!((tokens.end(), tokens.0[CONTEXT - 1]), (CONTEXT - 1, 49_407), "{}…", &text[..4]);
    }
    assert_eq!(tokenizer.tokenize("a <|endoftext|> b").end(), 2, "the first end counts");
}

fn parse(content: &[u8]) -> Result<usize, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("vocabulary.txt.gz");
    std::fs::write(&path, content).expect("written");
    Tokenizer::open(&path).map(|tokenizer| tokenizer.size()).map_err(|error| error.to_string())
}

#[test]
fn other_vocabularies_work_packed_and_plain() {
    let small = Tokenizer::open(&golden().join("vocabulary.txt.gz")).expect("a vocabulary");
    assert_eq!(small.size(), 512 + 500 + 2);
    assert_eq!(parse(b"#version\na b\nab c"), Ok(516));
    assert_eq!(parse(b"#version\na b\nab c\n"), Ok(517), "the reference counts the end of the file");
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(b"#version\na b").expect("packed");
    assert_eq!(parse(&packed.finish().expect("packed")), Ok(515));
}

#[test]
fn what_is_no_vocabulary_is_refused() {
    let refused = |content: &[u8], what: &str| {
        let message = parse(content).expect_err("refused");
        assert!(message.contains("vocabulary.txt.gz") && message.contains(what), "{message}");
    };
    refused(b"", "no merges");
    refused(b"one line", "no merges");
    refused(b"#version\na b\na b c\n", "line 3 is \"a b c\"");
    refused(b"#version\n\na b", "line 2");
    refused(&[0x1f, 0x8b, 8, 0, 1, 2, 3], "unpacked");
    refused(b"PK\x03\x04\xff\xfe\n\x80", "no text");
    refused(b"{\n \"a\": 1,\n \"b\": 2\n}", "line 4 is \"}\"");
    let missing = Tokenizer::open(Path::new("/nowhere/vocabulary.gz")).expect_err("missing").to_string();
    assert!(missing.contains("/nowhere/vocabulary.gz"), "{missing}");
}
