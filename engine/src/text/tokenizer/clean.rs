//! What CLIP does to a text before it is encoded (reference: `basic_clean` and `whitespace_clean`).

use super::{entities, mojibake};

/// Repairs what was decoded in the wrong encoding, replaces HTML entities twice, joins white space and lowers the case.
pub fn clean(text: &str) -> String {
    let text = mojibake::fix_text(text);
    let once = entities::unescape(&text);
    let text = entities::unescape(&once);
    let text = text.trim_matches(is_space);
    let words: Vec<&str> = text.split(char::is_whitespace).filter(|word| !word.is_empty()).collect();
    words.join(" ").trim_matches(is_space).to_lowercase()
}

/// What Python strips: Unicode's white space and four separators.
fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\x1c'..='\x1f')
}
