//! A folder of numbered pictures as a clip.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use super::{FrameReader, Opened, Timeline, VideoError, VideoInfo};
use crate::image::{self, Picture};
use crate::{Cancel, Error, Result};

pub(super) struct Folder {
    files: Vec<PathBuf>,
    next: usize,
}

/// The pictures of a folder in the order of their numbers, where nothing but numbers tells their names apart; else
/// nothing.
pub(super) fn numbered_pictures(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if hidden || !image::ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending)) {
            continue;
        }
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let alike = files.first().is_none_or(|(other, _)| without_digits(other) == without_digits(&stem));
        if !alike || !stem.contains(|c: char| c.is_ascii_digit()) {
            return Ok(Vec::new());
        }
        files.push((stem, path));
    }
    files.sort_by(|(a, path_a), (b, path_b)| natural(a, b).then_with(|| path_a.cmp(path_b)));
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

pub(super) fn open(path: &Path, fps: f64) -> Result<Opened> {
    let files = numbered_pictures(path).map_err(Error::io("read", path))?;
    let first = files.first().ok_or_else(|| {
        VideoError::unreadable(
            path,
            "a folder must hold pictures whose names differ only in their number (00000.jpg, 00001.jpg), and no others",
        )
    })?;
    let picture = image::read(first)?;
    let info = VideoInfo::new(path, picture.width, picture.height, "pictures", Timeline::constant(files.len(), fps));
    Ok(Opened { info, reader: Box::new(Folder { files, next: 0 }) })
}

impl FrameReader for Folder {
    fn entry(&mut self, index: usize) -> Result<usize> {
        Ok(index)
    }

    fn seek(&mut self, entry: usize) -> Result<()> {
        self.next = entry;
        Ok(())
    }

    fn next(&mut self, wanted_from: usize, _cancel: &Cancel) -> Result<Option<Picture>> {
        let index = self.next;
        self.next += 1;
        (index >= wanted_from).then(|| image::read(&self.files[index])).transpose()
    }
}

fn without_digits(name: &str) -> String {
    name.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// Compares names as people count: `frame9` before `frame10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (text_a, rest_a) = a.split_at(a.find(|c: char| c.is_ascii_digit()).unwrap_or(a.len()));
        let (text_b, rest_b) = b.split_at(b.find(|c: char| c.is_ascii_digit()).unwrap_or(b.len()));
        let (number_a, after_a) = rest_a.split_at(rest_a.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest_a.len()));
        let (number_b, after_b) = rest_b.split_at(rest_b.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest_b.len()));
        let (value_a, value_b) = (number_a.trim_start_matches('0'), number_b.trim_start_matches('0'));
        let order = text_a
            .cmp(text_b)
            .then_with(|| number_a.is_empty().cmp(&number_b.is_empty()).reverse())
            .then_with(|| value_a.len().cmp(&value_b.len()))
            .then_with(|| value_a.cmp(value_b));
        if order.is_ne() || (after_a.is_empty() && after_b.is_empty()) {
            return order;
        }
        (a, b) = (after_a, after_b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_people_count() {
        let mut names = ["a10", "a9", "b1", "a010b2", "a10b10", "a", "00002", "10", "1"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["1", "00002", "10", "a", "a9", "a10", "a010b2", "a10b10", "b1"]);
    }
}
