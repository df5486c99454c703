//! How the classes of a picture look: what is remembered from one start to the next.

use std::collections::{BTreeMap, BTreeSet};

use dinoscope_engine::draw::Colormap;
use serde::{Deserialize, Serialize};

/// How the classes of a picture look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Look {
    /// 0: the picture alone; 1: the classes alone.
    pub opacity: f32,
    /// Classes that are not drawn.
    pub hidden: BTreeSet<String>,
    /// Of classes that are drawn fainter than others.
    pub opacities: BTreeMap<String, f32>,
    /// Of the map of one class.
    pub colormap: Colormap,
    /// Whether the map's colours go from its least to its greatest value; else from 0 to 1.
    pub is_stretched: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            opacity: 0.6,
            hidden: BTreeSet::new(),
            opacities: BTreeMap::new(),
            colormap: Colormap::default(),
            is_stretched: true,
        }
    }
}

impl Look {
    /// The same within its bounds: it may come from a file.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.opacity = self.opacity.clamp(0.0, 1.0);
        self.opacities.values_mut().for_each(|opacity| *opacity = opacity.clamp(0.0, 1.0));
        self
    }

    /// How much a class covers the picture, of the opacity of all.
    pub fn opacity_of(&self, name: &str) -> f32 {
        if self.hidden.contains(name) { 0.0 } else { self.opacities.get(name).copied().unwrap_or(1.0) }
    }

    /// Values of the first and the last colour of a map; `None`: its own.
    pub fn range(&self) -> Option<(f32, f32)> {
        (!self.is_stretched).then_some((0.0, 1.0))
    }
}
