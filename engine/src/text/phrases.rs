//! What is looked for: phrases, and the prompts that are made of each.

use std::collections::HashSet;
use std::path::Path;

use super::TextError;
use crate::Result;
use crate::checkpoint::hash;

/// Classes that a label has room for; the last label is the background's.
pub const MAX_PHRASES: usize = u16::MAX as usize;

/// Names of bundled lists of classes, and the lists. ADE20K, Cityscapes, COCO-Stuff and VOC are mmsegmentation's,
/// ImageNet's are open_clip's; the reference has the same.
const PRESETS: [(&str, &str); 5] = [
    ("ade20k", include_str!("../../../assets/text/classes-ade20k.txt")),
    ("cityscapes", include_str!("../../../assets/text/classes-cityscapes.txt")),
    ("coco-stuff", include_str!("../../../assets/text/classes-coco-stuff.txt")),
    ("imagenet", include_str!("../../../assets/text/classes-imagenet.txt")),
    ("voc", include_str!("../../../assets/text/classes-voc.txt")),
];

/// Names of the bundled lists of classes.
pub fn presets() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, _)| *name)
}

/// A bundled list of classes.
pub fn preset(name: &str) -> Option<Vec<String>> {
    let (_, list) = PRESETS.iter().find(|(known, _)| *known == name)?;
    Some(list.lines().map(str::to_owned).collect())
}

/// Phrases as a person types them: separated by commas or line breaks, empty ones and repetitions left out.
pub fn typed(text: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    let phrases = text.split([',', '\n']).map(str::trim).filter(|phrase| !phrase.is_empty());
    phrases.filter(|phrase| seen.insert(*phrase)).map(str::to_owned).collect()
}

/// Phrases of a file, one a line; empty lines are left out.
///
/// # Errors
/// [`crate::Error::Io`], [`TextError::Classes`].
pub fn open(path: &Path) -> Result<Vec<String>> {
    let text = super::read_text(path, |reason| TextError::Classes { path: path.to_path_buf(), reason })?;
    Ok(text.lines().map(str::trim).filter(|phrase| !phrase.is_empty()).map(str::to_owned).collect())
}

/// Refuses phrases that a picture cannot be divided among.
///
/// # Errors
/// [`TextError::NoPhrases`], [`TextError::EmptyPhrase`], [`TextError::TooManyPhrases`].
pub fn check(phrases: &[String]) -> Result<(), TextError> {
    let empty = phrases.iter().position(|phrase| phrase.trim().is_empty());
    match (phrases.len(), empty) {
        (0, _) => Err(TextError::NoPhrases),
        (_, Some(index)) => Err(TextError::EmptyPhrase { number: index + 1 }),
        (got, None) if got > MAX_PHRASES => Err(TextError::TooManyPhrases { got, most: MAX_PHRASES }),
        _ => Ok(()),
    }
}

/// Sentences around a phrase; what the tower says about them is averaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Templates(Vec<String>);

impl Templates {
    /// CLIP's 80 for ImageNet, from open_clip.
    pub fn imagenet() -> Self {
        let lines = include_str!("../../../assets/text/templates-imagenet.txt").lines();
        Self(lines.map(str::to_owned).collect())
    }

    /// The phrase alone.
    pub fn none() -> Self {
        Self(vec!["{}".to_owned()])
    }

    /// Of a file: one a line, `{}` or `{0}` standing for the phrase; empty lines are left out.
    ///
    /// # Errors
    /// [`crate::Error::Io`], [`TextError::Templates`].
    pub fn open(path: &Path) -> Result<Self> {
        let wrong = |reason: String| TextError::Templates { path: path.to_path_buf(), reason };
        let text = super::read_text(path, wrong)?;
        let mut templates = Vec::new();
        for (index, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty()) {
            let template = line.replace("{0}", "{}");
            if !template.contains("{}") {
                return Err(wrong(format!("line {} has no {{}}", index + 1)).into());
            }
            templates.push(template);
        }
        if templates.is_empty() { Err(wrong("it is empty".to_owned()).into()) } else { Ok(Self(templates)) }
    }

    /// A prompt per template.
    pub fn fill(&self, phrase: &str) -> Vec<String> {
        self.0.iter().map(|template| template.replace("{}", phrase)).collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Tells sets of templates apart.
    pub(super) fn sha256(&self) -> String {
        hash::hex(&hash::of_bytes(self.0.join("\n").as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), content).expect("written");
        file
    }

    #[test]
    fn presets_have_the_classes_that_their_names_say() {
        let count = |name| preset(name).map(|classes| classes.len());
        assert_eq!(presets().map(count).collect::<Vec<_>>(), [Some(150), Some(19), Some(171), Some(1000), Some(21)]);
        assert_eq!(preset("ade20k").expect("it is bundled")[..3], ["wall", "building", "sky"]);
        assert!(presets().all(|name| check(&preset(name).expect("it is bundled")).is_ok()));
        assert_eq!(preset("ADE"), None);
    }

    #[test]
    fn templates_are_filled() {
        let prompts = Templates::imagenet().fill("red panda");
        assert_eq!(prompts.len(), 80);
        assert_eq!(prompts[..2], ["a bad photo of a red panda.", "a photo of many red panda."]);
        assert_eq!(Templates::none().fill("{} cat"), ["{} cat"]);
        let own = Templates::open(file("a {0}\r\n\n{} and {}\n".as_bytes()).path()).expect("templates");
        assert_eq!(own.fill("cat"), ["a cat", "cat and cat"]);
        assert_ne!(own.sha256(), Templates::none().sha256());
    }

    #[test]
    fn lists_that_are_none_are_refused() {
        let message = |content: &[u8]| Templates::open(file(content).path()).expect_err("refused").to_string();
        assert!(message(b"a {}\nb").contains("line 2"), "{}", message(b"a {}\nb"));
        assert!(message(b"\n\n").contains("empty"));
        assert!(message(b"\xff\xfe{}").contains("UTF-8"));
        assert!(open(file(&[0xff]).path()).is_err());
        assert!(open(Path::new("/nowhere/classes.txt")).expect_err("missing").to_string().contains("/nowhere/classes"));
    }

    #[test]
    fn phrases_are_typed_and_checked() {
        assert_eq!(typed(" goose, water,,\n path\r\ngoose"), ["goose", "water", "path"]);
        assert_eq!(open(file("a cat\n\n  🐕 \n".as_bytes()).path()).expect("phrases"), ["a cat", "🐕"]);
        let check = |phrases: &[&str]| check(&phrases.iter().map(|&phrase| phrase.to_owned()).collect::<Vec<_>>());
        assert!(matches!(check(&[]), Err(TextError::NoPhrases)));
        assert!(matches!(check(&["a", " \t"]), Err(TextError::EmptyPhrase { number: 2 })));
        assert!(check(&vec!["a"; MAX_PHRASES]).is_ok());
        assert!(matches!(check(&vec!["a"; MAX_PHRASES + 1]), Err(TextError::TooManyPhrases { .. })));
    }
}
