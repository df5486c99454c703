//! The frames that were decoded last.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::image::Picture;

/// Decoded frames within a memory budget; the least recently used go first.
pub(super) struct Recent {
    capacity: usize,
    /// Most recently used last.
    frames: VecDeque<(usize, Arc<Picture>)>,
}

impl Recent {
    /// Most bytes of pixels that are kept.
    const BYTES: usize = 192 << 20;
    /// Most frames that are kept, however small.
    const FRAMES: usize = 64;

    /// For frames of that size; at least two are kept.
    pub fn new(width: usize, height: usize) -> Self {
        let capacity = (Self::BYTES / (width * height * 3).max(1)).clamp(2, Self::FRAMES);
        Self { capacity, frames: VecDeque::new() }
    }

    /// Frames that are kept.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    pub fn get(&mut self, index: usize) -> Option<Arc<Picture>> {
        let position = self.frames.iter().position(|&(i, _)| i == index)?;
        let entry = self.frames.remove(position)?;
        let frame = Arc::clone(&entry.1);
        self.frames.push_back(entry);
        Some(frame)
    }

    pub fn insert(&mut self, index: usize, frame: Arc<Picture>) {
        self.frames.retain(|&(i, _)| i != index);
        while self.frames.len() >= self.capacity {
            self.frames.pop_front();
        }
        self.frames.push_back((index, frame));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes() {
        let mut recent = Recent::new(8000, 8000);
        assert_eq!(recent.capacity(), 2);
        let picture = Arc::new(Picture { width: 1, height: 1, rgb: vec![0; 3] });
        recent.insert(0, Arc::clone(&picture));
        recent.insert(1, Arc::clone(&picture));
        assert!(recent.get(0).is_some());
        recent.insert(2, picture);
        assert!(recent.get(0).is_some() && recent.get(1).is_none() && recent.get(2).is_some());
    }
}
