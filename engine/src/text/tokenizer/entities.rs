//! HTML's character references, as Python's `html.unescape` replaces them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// By name without the ampersand: "eacute;", and for some of them also "eacute".
static NAMES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    entities::ENTITIES.iter().filter_map(|entity| Some((entity.entity.strip_prefix('&')?, entity.characters))).collect()
});

/// Names that end in a semicolon, and those of lower case in upper case where they mean nothing else: "EACUTE;".
static STRICT_NAMES: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    for (name, characters) in NAMES.iter().filter(|(name, _)| name.ends_with(';')) {
        names.insert((*name).to_owned(), (*characters).to_owned());
        let upper = format!("&{}", name.to_uppercase());
        if **name == name.to_lowercase() && unescape(&upper) == upper {
            names.insert(name.to_uppercase(), characters.to_uppercase());
        }
    }
    names
});

static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\x0c <&#;]{1,32};?)").expect("the pattern is constant")
});

static STRICT_REFERENCE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("&(#?[0-9A-Za-z]{1,24};)").expect("the pattern is constant"));

/// Replaces every reference, also those without a semicolon.
pub fn unescape(text: &str) -> Cow<'_, str> {
    REFERENCE.replace_all(text, |found: &Captures<'_>| match found[1].strip_prefix('#') {
        Some(number) => character(number),
        None => named(&found[1]),
    })
}

/// Replaces what nobody writes by accident: references that end in a semicolon, and are known.
pub fn unescape_strict(text: &str) -> Cow<'_, str> {
    STRICT_REFERENCE.replace_all(text, |found: &Captures<'_>| {
        let all = &found[0];
        if let Some(characters) = STRICT_NAMES.get(&found[1]) {
            return characters.clone();
        }
        let replaced = if found[1].starts_with('#') { unescape(all) } else { all.into() };
        if replaced.contains(';') { all.to_owned() } else { replaced.into_owned() }
    })
}

/// The longest beginning of `name` that is a name stands for its characters; the rest stays.
fn named(name: &str) -> String {
    let ends: Vec<usize> = name.char_indices().map(|(end, _)| end).skip(2).chain([name.len()]).collect();
    let found = ends.into_iter().rev().find_map(|end| Some((NAMES.get(&name[..end])?, &name[end..])));
    found.map_or_else(|| format!("&{name}"), |(characters, rest)| format!("{characters}{rest}"))
}

/// Of "233;" or "xe9;", the semicolon being optional.
fn character(number: &str) -> String {
    let digits = number.trim_end_matches(';');
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    // A number that does not fit is none of a character.
    let code = code.unwrap_or(u32::MAX);
    match code {
        0 => char::REPLACEMENT_CHARACTER.to_string(),
        0x0d => "\r".to_owned(),
        0x80..=0x9f => super::mojibake::windows_1252(code as u8).to_string(),
        0x01..=0x08 | 0x0b | 0x0e..=0x1f | 0x7f | 0xfdd0..=0xfdef => String::new(),
        _ => match char::from_u32(code) {
            Some(_) if code & 0xfffe == 0xfffe => String::new(),
            found => found.unwrap_or(char::REPLACEMENT_CHARACTER).to_string(),
        },
    }
}
