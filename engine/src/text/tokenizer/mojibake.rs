//! Repair of text that was decoded in the wrong encoding, and of other accidents: what ftfy 6.3's `fix_text` does with
//! its defaults. Which characters make unlikely neighbours is ftfy's knowledge and lies in `assets/text/ftfy-rules.json`.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use regex::{Regex, bytes};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::entities;

static RULES: LazyLock<Rules> = LazyLock::new(Rules::load);

/// Bytes that would be UTF-8 if a space in them were byte A0.
static ALTERED: LazyLock<bytes::Regex> = LazyLock::new(|| {
    byte_pattern(&[
        r"[\xc2\xc3\xc5\xce\xd0\xd9] ",
        r"[\xe2\xe3] [\x80-\x84\x86-\x9f\xa1-\xbf]",
        r"[\xe0-\xe3][\x80-\x84\x86-\x9f\xa1-\xbf] ",
        r"\xf0 [\x80-\xbf][\x80-\xbf]",
        r"\xf0[\x80-\xbf] [\x80-\xbf]",
        r"\xf0[\x80-\xbf][\x80-\xbf] ",
    ])
});

/// Bytes that would be UTF-8 if some of them had not been lost.
static LOSSY: LazyLock<bytes::Regex> = LazyLock::new(|| {
    byte_pattern(&[
        r"[\xc2-\xdf]\x1a",
        r"[\xc2-\xc3]\?",
        r"\xed[\xa0-\xaf][\x1a?]\xed[\xb0-\xbf][\x1a?\x80-\xbf]",
        r"\xed[\xa0-\xaf][\x1a?\x80-\xbf]\xed[\xb0-\xbf][\x1a?]",
        r"[\xe0-\xef][\x1a?][\x1a\x80-\xbf]",
        r"[\xe0-\xef][\x1a\x80-\xbf][\x1a?]",
        r"[\xf0-\xf4][\x1a?][\x1a\x80-\xbf][\x1a\x80-\xbf]",
        r"[\xf0-\xf4][\x1a\x80-\xbf][\x1a?][\x1a\x80-\xbf]",
        r"[\xf0-\xf4][\x1a\x80-\xbf][\x1a\x80-\xbf][\x1a?]",
        r"\x1a",
    ])
});

static TERMINAL_ESCAPE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\x1b\[[\d;]*[a-zA-Z]").expect("the pattern is constant"));

fn byte_pattern(alternatives: &[&str]) -> bytes::Regex {
    let pattern = format!("(?-u)(?:{})", alternatives.join("|"));
    bytes::Regex::new(&pattern).expect("the patterns are constant")
}

/// ftfy's tables.
struct Rules {
    /// In the order in which they are tried.
    encodings: Vec<Encoding>,
    /// Neighbours that tell of a wrong encoding.
    unlikely: Regex,
    /// First characters of two, three and four that would be one in UTF-8.
    first: [HashSet<char>; 3],
    /// The characters behind them.
    continuation: HashSet<char>,
    /// Those of them that are unlikely to be the end of a word.
    continuation_strict: HashSet<char>,
}

/// A character for each byte. ASCII is itself, but for byte 1A, which stands for what could not be encoded.
struct Encoding {
    name: String,
    high: Vec<char>,
    bytes: HashMap<char, u8>,
}

impl Rules {
    fn load() -> Self {
        #[derive(serde::Deserialize)]
        struct File {
            encodings: Vec<Table>,
            unlikely: String,
            utf8: HashMap<String, String>,
        }
        #[derive(serde::Deserialize)]
        struct Table {
            name: String,
            high: String,
            substitute: char,
        }
        let text = include_str!("../../../../assets/text/ftfy-rules.json");
        let File { encodings, unlikely, utf8 } = serde_json::from_str(text).expect("the file is part of the program");
        let set = |name: &str| -> HashSet<char> { utf8.get(name).into_iter().flat_map(|set| set.chars()).collect() };
        let encoding = |table: Table| {
            let high: Vec<char> = table.high.chars().collect();
            let mut bytes: HashMap<char, u8> = high.iter().copied().zip(0x80..=0xff).collect();
            bytes.extend((0..0x80).filter(|byte| *byte != 0x1a).map(|byte| (char::from(byte), byte)));
            bytes.insert(table.substitute, 0x1a);
            Encoding { name: table.name, high, bytes }
        };
        Self {
            encodings: encodings.into_iter().map(encoding).collect(),
            unlikely: Regex::new(&unlikely).expect("the file is part of the program"),
            first: ["first_of_2", "first_of_3", "first_of_4"].map(set),
            continuation: set("continuation"),
            continuation_strict: set("continuation_strict"),
        }
    }

    /// Where every byte has a character: the unassigned ones stand for themselves.
    fn windows_1252(&self) -> &Encoding {
        &self.encodings[1]
    }
}

impl Encoding {
    fn encode(&self, text: &str) -> Option<Vec<u8>> {
        text.chars().map(|character| self.bytes.get(&character).copied()).collect()
    }

    fn is_sloppy(&self) -> bool {
        self.name.starts_with("sloppy")
    }
}

/// The character of a byte from 80 on in Windows-1252.
pub fn windows_1252(byte: u8) -> char {
    RULES.windows_1252().high[usize::from(byte - 0x80)]
}

/// Repairs a text line by line. From the first line with a `<` on it is taken for HTML, whose references stay.
pub fn fix_text(text: &str) -> String {
    let mut is_html = false;
    let mut fixed = String::with_capacity(text.len());
    for segment in text.split_inclusive('\n').flat_map(segments) {
        is_html |= segment.contains('<');
        fixed.push_str(&fix_segment(segment, is_html));
    }
    fixed
}

/// Pieces of a line that are not too long to be repaired at once.
fn segments(line: &str) -> impl Iterator<Item = &str> {
    const MAX_CHARACTERS: usize = 1_000_000;
    let mut rest = line;
    std::iter::from_fn(move || {
        let end = rest.char_indices().nth(MAX_CHARACTERS).map_or(rest.len(), |(end, _)| end);
        let (segment, behind) = rest.split_at(end);
        rest = behind;
        (!segment.is_empty()).then_some(segment)
    })
}

fn fix_segment(segment: &str, is_html: bool) -> String {
    let mut text = segment.to_owned();
    loop {
        let before = text.clone();
        if !is_html {
            text = entities::unescape_strict(&text).into_owned();
        }
        text = fix_encoding(text);
        text = text.chars().map(fix_control).collect();
        text = text.chars().flat_map(fix_width).collect();
        text = text.chars().map(straight_quote).collect();
        text = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}', '\u{85}'], "\n");
        text = TERMINAL_ESCAPE.replace_all(&text, "").into_owned();
        text.retain(|character| !is_removed(character));
        if !is_nfc(&text) {
            text = text.nfc().collect();
        }
        if text == before {
            return text;
        }
    }
}

fn fix_encoding(mut text: String) -> String {
    loop {
        match fix_encoding_once(&text) {
            Some(fixed) if fixed != text => text = fixed,
            _ => return text,
        }
    }
}

fn is_unlikely(text: &str) -> bool {
    RULES.unlikely.is_match(text)
}

/// `None` where nothing is to be done.
fn fix_encoding_once(text: &str) -> Option<String> {
    if text.is_ascii() || !is_unlikely(text) {
        return None;
    }
    for encoding in &RULES.encodings {
        let Some(mut bytes) = encoding.encode(text) else { continue };
        // In MacRoman it would match a dash before a space.
        if encoding.name != "macroman" && ALTERED.is_match(&bytes) {
            bytes = restore_byte_a0(&bytes);
        }
        if encoding.is_sloppy() {
            bytes = LOSSY.replace_all(&bytes, "\u{fffd}".as_bytes()).into_owned();
        }
        if let Some(fixed) = decode_utf8(&bytes) {
            return Some(fixed);
        }
    }
    let fixed = fix_parts(text);
    if fixed != text {
        return Some(fixed);
    }
    // Latin-1 with control characters is Windows-1252.
    let is_latin_1 = text.chars().all(|character| u32::from(character) < 0x100);
    if is_latin_1 && !text.contains(['\u{81}', '\u{8d}', '\u{8f}', '\u{90}', '\u{9d}']) {
        return Some(text.chars().map(fix_control).collect());
    }
    text.contains(|character| ('\u{80}'..='\u{9f}').contains(&character))
        .then(|| text.chars().map(fix_control).collect())
}

/// Byte A0 where it became a space, the end of "à" as a word being followed by another one.
fn restore_byte_a0(bytes: &[u8]) -> Vec<u8> {
    let mut spaced = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let behind = tail.strip_prefix(b" ");
        let is_word =
            |behind: &[u8]| ![&b" "[..], b"quele", b"quela", b"quilo", b"s "].iter().any(|p| behind.starts_with(p));
        match behind {
            Some(behind) if *first == 0xc3 && is_word(behind) => {
                spaced.extend_from_slice(b"\xc3\xa0 ");
                rest = behind;
            }
            _ => {
                spaced.push(*first);
                rest = tail;
            }
        }
    }
    let restore = |found: &bytes::Captures<'_>| -> Vec<u8> {
        found[0].iter().map(|byte| if *byte == b' ' { 0xa0 } else { *byte }).collect()
    };
    ALTERED.replace_all(&spaced, restore).into_owned()
}

/// UTF-8, or one of two variants: surrogates that were encoded one by one, and a zero byte in two.
fn decode_utf8(bytes: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        let valid = match std::str::from_utf8(rest) {
            Ok(valid) => return Some(text + valid),
            Err(error) => error.valid_up_to(),
        };
        let (decoded, tail) = rest.split_at(valid);
        text.push_str(std::str::from_utf8(decoded).ok()?);
        // A line break at the very end passes for a byte that was cut off.
        let (character, len) = match *tail {
            [0xc0, 0x80, ..] | [0xc0, b'\n'] => ('\0', 2),
            [0xed, a @ 0xa0..=0xaf, b @ 0x80..=0xbf, 0xed, c @ 0xb0..=0xbf, d @ 0x80..=0xbf, ..]
            | [0xed, a @ 0xa0..=0xaf, b @ 0x80..=0xbf, 0xed, c @ 0xb0..=0xbf, d @ b'\n'] => {
                let bits = |byte: u8, mask: u8| u32::from(byte & mask);
                let code = (bits(a, 0x0f) << 16) + (bits(b, 0x3f) << 10) + (bits(c, 0x0f) << 6) + bits(d, 0x3f);
                (char::from_u32(code + 0x1_0000)?, 6)
            }
            _ => return None,
        };
        text.push(character);
        rest = &tail[len..];
    }
}

/// Repairs runs of characters that look like UTF-8, whatever is around them.
fn fix_parts(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut fixed = String::with_capacity(text.len());
    let mut at = 0;
    while at < characters.len() {
        let follows = at > 0 && RULES.continuation_strict.contains(&characters[at - 1]);
        let len = if follows { 0 } else { run_of_utf8(&characters[at..]) };
        if len == 0 {
            fixed.push(characters[at]);
            at += 1;
            continue;
        }
        let run: String = characters[at..at + len].iter().collect();
        // The whole text would come back here for ever.
        let is_part = len < characters.len() && is_unlikely(&run);
        fixed.push_str(&if is_part { fix_encoding(run) } else { run });
        at += len;
    }
    fixed
}

/// How many characters from the first one on look like UTF-8.
fn run_of_utf8(characters: &[char]) -> usize {
    let mut len = 0;
    'next: while let [first, rest @ ..] = &characters[len..] {
        for (more, set) in RULES.first.iter().enumerate().map(|(i, set)| (i + 1, set)) {
            let behind = rest.get(..more).unwrap_or_default();
            if set.contains(first) && behind.len() == more && behind.iter().all(|c| RULES.continuation.contains(c)) {
                len += 1 + more;
                continue 'next;
            }
        }
        break;
    }
    len
}

/// Control characters of Latin-1 are those of Windows-1252.
fn fix_control(character: char) -> char {
    if ('\u{80}'..='\u{9f}').contains(&character) { windows_1252(u32::from(character) as u8) } else { character }
}

/// Ligatures of Latin letters as letters; full and half width as usual width.
fn fix_width(character: char) -> impl Iterator<Item = char> {
    let text: String = match character {
        'Ĳ' => "IJ".into(),
        'ĳ' => "ij".into(),
        'ŉ' => "ʼn".into(),
        'Ǳ' => "DZ".into(),
        'ǲ' => "Dz".into(),
        'ǳ' => "dz".into(),
        'Ǆ' => "DŽ".into(),
        'ǅ' => "Dž".into(),
        'ǆ' => "dž".into(),
        'Ǉ' => "LJ".into(),
        'ǈ' => "Lj".into(),
        'ǉ' => "lj".into(),
        'Ǌ' => "NJ".into(),
        'ǋ' => "Nj".into(),
        'ǌ' => "nj".into(),
        'ﬅ' => "ſt".into(),
        'ﬀ'..='ﬆ' | '\u{3000}' | '\u{ff01}'..='\u{ffef}' => [character].into_iter().nfkc().collect(),
        _ => character.into(),
    };
    text.chars().collect::<Vec<_>>().into_iter()
}

fn straight_quote(character: char) -> char {
    match character {
        '\u{201c}'..='\u{201f}' => '"',
        '\u{2bc}' | '\u{2018}'..='\u{201b}' => '\'',
        _ => character,
    }
}

/// Characters without any effect that anybody sees.
fn is_removed(character: char) -> bool {
    matches!(
        character,
        '\0'..='\x08' | '\x0b' | '\x0e'..='\x1f' | '\x7f' | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}'
    )
}
