//! From a phrase to the numbers that the text tower reads: CLIP's byte-pair encoding (reference:
//! `dinov3/eval/text/tokenizer.py` and `dinov3/thirdparty/CLIP/clip/simple_tokenizer.py`).

mod clean;
mod entities;
mod mojibake;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use self::vocabulary::Vocabulary;
use super::TextError;
use crate::Result;
use crate::checkpoint::hash;

/// Tokens of a text: what CLIP's models read, and Meta's.
pub const CONTEXT: usize = 77;

/// A text as the tower reads it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tokens(
    /// Start, the text, end, then zeros. A text that is too long is cut off; the end is always there.
    pub [u32; CONTEXT],
);

impl Tokens {
    /// Where the features of the text are taken: the first of the greatest numbers, which is the end.
    pub fn end(&self) -> usize {
        let greatest = self.0.iter().max();
        self.0.iter().position(|id| Some(id) == greatest).unwrap_or(0)
    }
}

/// A vocabulary, ready to use.
#[derive(Debug)]
pub struct Tokenizer {
    vocabulary: Vocabulary,
    sha256: String,
}

/// `bpe_simple_vocab_16e6.txt.gz` of open_clip_torch.
static BUNDLED: &[u8] = include_bytes!("../../../../assets/text/bpe_simple_vocab_16e6.txt.gz");

/// How a cleaned text falls into words. The reference ignores the letter case everywhere, by which it loses U+0345, a mark
/// whose upper case is a letter.
static WORDS: LazyLock<Regex> = LazyLock::new(|| {
    let words = r"(?i:<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d)|\p{L}+|\p{N}|[^\s\p{L}\p{N}\x{345}]+";
    Regex::new(words).expect("the pattern is constant")
});

impl Tokenizer {
    /// With the published vocabulary.
    ///
    /// # Errors
    /// None, as a test of this project shows; the type is that of [`Tokenizer::open`].
    pub fn bundled() -> Result<Self> {
        Self::from_bytes(Path::new("bpe_simple_vocab_16e6.txt.gz"), BUNDLED)
    }

    /// With a vocabulary in the same form, packed by gzip or plain: a line of its own first, then a merge of two
    /// symbols a line.
    ///
    /// # Errors
    /// [`TextError::Vocabulary`], [`crate::Error::Io`].
    pub fn open(path: &Path) -> Result<Self> {
        Self::from_bytes(path, &super::read_file(path)?)
    }

    fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let vocabulary =
            Vocabulary::parse(bytes).map_err(|reason| TextError::Vocabulary { path: path.to_path_buf(), reason })?;
        Ok(Self { vocabulary, sha256: hash::hex(&hash::of_bytes(bytes)) })
    }

    /// How many different tokens there are; the end is the last one.
    pub fn size(&self) -> usize {
        self.vocabulary.size()
    }

    /// Of the vocabulary's file, hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The tokens of a text.
    pub fn tokenize(&self, text: &str) -> Tokens {
        let (start, end) = (self.vocabulary.start(), self.vocabulary.end());
        let text = clean::clean(text);
        let mut ids = vec![start];
        for word in WORDS.find_iter(&text) {
            self.vocabulary.encode(word.as_str(), &mut ids);
            if ids.len() >= CONTEXT {
                break;
            }
        }
        ids.truncate(CONTEXT - 1);
        ids.push(end);
        ids.resize(CONTEXT, 0);
        Tokens(ids.try_into().expect("it was resized"))
    }
}
