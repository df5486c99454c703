//! What a person places on pictures, and how it is undone.

use std::collections::BTreeMap;

use dinoscope_engine::dispatch::PictureId;
use dinoscope_engine::features::{Geometry, Patch};
use serde::{Deserialize, Serialize};

use super::masks::ClipMasks;
use super::scribbles::Scribbles;
use super::searched::SearchedFor;
use super::tools::foreground::Choices;

/// A point in pixels of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PixelPoint {
    /// From the left.
    pub x: f32,
    /// From the top.
    pub y: f32,
}

/// One dab of a brush.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dab {
    /// Its centre.
    pub centre: PixelPoint,
    /// In pixels of the picture.
    pub radius: f32,
    /// Takes away instead of adding.
    pub erases: bool,
}

/// Something painted, dab by dab.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Painting {
    /// In the order they were painted.
    pub dabs: Vec<Dab>,
}

impl Dab {
    /// Patches whose centre lies under it.
    pub fn patches(self, geometry: &Geometry) -> impl Iterator<Item = Patch> {
        let Self { centre, radius, .. } = self;
        let (rows, cols) = geometry.grid;
        // Indices of the patches whose centre may lie within the radius along an axis.
        let near = move |centre: f32, patches: usize, pixels: usize| {
            let place = |pixel: f32| pixel * patches as f32 / pixels as f32;
            let (start, end) = (place(centre - radius).floor().max(0.0), place(centre + radius).ceil().max(0.0));
            start as usize..(end as usize).min(patches)
        };
        let geometry = *geometry;
        let across = near(centre.x, cols, geometry.covered.0);
        let all = near(centre.y, rows, geometry.covered.1)
            .flat_map(move |row| across.clone().map(move |col| Patch { row, col }));
        all.filter(move |&patch| {
            let (x, y) = geometry.pixel_from_patch(patch);
            (centre.x - x as f32).hypot(centre.y - y as f32) <= radius
        })
    }
}

impl Painting {
    /// Patches whose centre is painted: the last dab over it adds.
    pub fn patches(&self, geometry: &Geometry) -> Vec<Patch> {
        let (rows, cols) = geometry.grid;
        let mut is_painted = vec![false; rows * cols];
        for dab in &self.dabs {
            dab.patches(geometry).for_each(|patch| is_painted[patch.row * cols + patch.col] = !dab.erases);
        }
        let painted = is_painted.iter().enumerate().filter(|(_, painted)| **painted);
        painted.map(|(index, _)| Patch { row: index / cols, col: index % cols }).collect()
    }
}

/// Where a query looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum QueryShape {
    /// One patch.
    Point(PixelPoint),
    /// All patches whose centre lies between two corners.
    Box(PixelPoint, PixelPoint),
    /// All patches that are painted.
    Region(Painting),
}

impl QueryShape {
    /// The patches it asks about; never empty for a point inside of the grid.
    pub fn patches(&self, geometry: &Geometry) -> Vec<Patch> {
        let at = |point: PixelPoint| geometry.patch_from_pixel(f64::from(point.x), f64::from(point.y));
        match self {
            Self::Point(point) => at(*point).into_iter().collect(),
            Self::Box(a, b) => {
                let (rows, cols) = geometry.grid;
                let (left, right) = (a.x.min(b.x), a.x.max(b.x));
                let (top, bottom) = (a.y.min(b.y), a.y.max(b.y));
                let inside: Vec<Patch> = (0..rows)
                    .flat_map(|row| (0..cols).map(move |col| Patch { row, col }))
                    .filter(|&patch| {
                        let (x, y) = geometry.pixel_from_patch(patch);
                        (left..=right).contains(&(x as f32)) && (top..=bottom).contains(&(y as f32))
                    })
                    .collect();
                // A box smaller than a patch means the patch that it lies in.
                if inside.is_empty() {
                    at(PixelPoint { x: (left + right) / 2.0, y: (top + bottom) / 2.0 }).into_iter().collect()
                } else {
                    inside
                }
            }
            Self::Region(painting) => painting.patches(geometry),
        }
    }
}

/// A pinned query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlacedQuery {
    /// The picture it lies in.
    pub picture: PictureId,
    /// Where it looks.
    pub shape: QueryShape,
    /// Asks for what is unlike.
    pub is_negative: bool,
}

/// A patch whose match stays shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pin {
    /// The picture it lies in.
    pub picture: PictureId,
    /// A point of the patch.
    pub point: PixelPoint,
}

/// Everything that a person has placed. Coordinates are pixels, so that it survives another model or size.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Placed {
    /// Pinned queries, oldest first.
    pub queries: Vec<PlacedQuery>,
    /// Painted foregrounds, by picture.
    pub foregrounds: BTreeMap<PictureId, Painting>,
    /// Which patches of each picture count: all, those painted, those of a mask file.
    pub choices: Choices,
    /// The pinned pair of two pictures that are matched.
    pub pin: Option<Pin>,
    /// Objects that are followed, by clip ([`PictureId::document`]).
    pub clips: BTreeMap<PictureId, ClipMasks>,
    /// What teaches the probe.
    pub scribbles: Scribbles,
    /// What is searched for.
    pub searched: SearchedFor,
}

impl Placed {
    /// Forgets what belongs to a picture; of a clip, to all its frames.
    pub fn forget(&mut self, picture: PictureId) {
        let is_of = |id: PictureId| id.document() == picture.document();
        self.queries.retain(|query| !is_of(query.picture));
        self.foregrounds.retain(|&id, _| !is_of(id));
        self.choices.forget(picture);
        self.clips.retain(|&id, _| !is_of(id));
        self.scribbles.pictures.retain(|&id, _| !is_of(id));
        self.searched.forget(picture);
        self.pin.take_if(|pin| is_of(pin.picture));
    }

    /// The same on pictures of other names; what has no new name is left out.
    pub fn renamed(&self, name: impl Fn(PictureId) -> Option<PictureId>) -> Self {
        let queries = self.queries.iter().filter_map(|query| {
            let picture = name(query.picture)?;
            Some(PlacedQuery { picture, ..query.clone() })
        });
        let foregrounds = self.foregrounds.iter();
        Self {
            queries: queries.collect(),
            foregrounds: foregrounds.filter_map(|(id, painting)| Some((name(*id)?, painting.clone()))).collect(),
            choices: self.choices.renamed(&name),
            scribbles: self.scribbles.renamed(&name),
            searched: self.searched.renamed(&name),
            clips: self.clips.iter().filter_map(|(id, it)| Some((name(*id)?.document(), it.clone()))).collect(),
            pin: self.pin.as_ref().and_then(|pin| Some(Pin { picture: name(pin.picture)?, ..pin.clone() })),
        }
    }
}

/// Steps that can be undone.
const MOST_STEPS: usize = 200;

/// What is placed now, and what was before.
#[derive(Clone, Debug, Default)]
pub struct History {
    now: Placed,
    undo: Vec<(&'static str, Placed)>,
    redo: Vec<(&'static str, Placed)>,
}

impl History {
    /// Starts from something that was saved.
    pub fn new(placed: Placed) -> Self {
        Self { now: placed, ..Self::default() }
    }

    /// What is placed now.
    pub fn now(&self) -> &Placed {
        &self.now
    }

    /// Changes it in one step that can be undone; `label` names the step ("add query"). No step where nothing changes.
    pub fn edit(&mut self, label: &'static str, change: impl FnOnce(&mut Placed)) {
        let before = self.now.clone();
        change(&mut self.now);
        if self.now != before {
            self.undo.push((label, before));
            if self.undo.len() > MOST_STEPS {
                self.undo.remove(0);
            }
            self.redo.clear();
        }
    }

    /// Changes it without a step, as when a picture is closed: steps before it lose what belonged to the picture too.
    pub fn purge(&mut self, change: impl Fn(&mut Placed)) {
        change(&mut self.now);
        self.undo.iter_mut().chain(&mut self.redo).for_each(|(_, placed)| change(placed));
    }

    /// What [`History::undo`] would take back.
    pub fn undo_label(&self) -> Option<&'static str> {
        self.undo.last().map(|(label, _)| *label)
    }

    /// What [`History::redo`] would do again.
    pub fn redo_label(&self) -> Option<&'static str> {
        self.redo.last().map(|(label, _)| *label)
    }

    /// Takes the last step back.
    pub fn undo(&mut self) {
        if let Some((label, before)) = self.undo.pop() {
            self.redo.push((label, std::mem::replace(&mut self.now, before)));
        }
    }

    /// Does again what was taken back last.
    pub fn redo(&mut self) {
        if let Some((label, after)) = self.redo.pop() {
            self.undo.push((label, std::mem::replace(&mut self.now, after)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry() -> Geometry {
        Geometry { picture: (64, 32), covered: (64, 32), grid: (2, 4) }
    }

    fn query(x: f32) -> PlacedQuery {
        let shape = QueryShape::Point(PixelPoint { x, y: 1.0 });
        PlacedQuery { picture: PictureId(1), shape, is_negative: false }
    }

    #[test]
    fn undo_and_redo_walk_the_same_steps() {
        let mut history = History::default();
        history.edit("first", |placed| placed.queries.push(query(1.0)));
        history.edit("second", |placed| placed.queries.push(query(2.0)));
        history.edit("nothing", |_| {});
        assert_eq!(history.undo_label(), Some("second"));
        history.undo();
        history.undo();
        assert!(history.now().queries.is_empty() && history.undo_label().is_none());
        history.redo();
        assert_eq!(history.now().queries, [query(1.0)]);
        history.edit("another", |placed| placed.queries.clear());
        assert_eq!(history.redo_label(), None, "a new step forgets what was undone");
    }

    #[test]
    fn a_box_takes_the_patches_inside_and_at_least_one() {
        let corner = |x, y| PixelPoint { x, y };
        let patches = QueryShape::Box(corner(39.0, 30.0), corner(0.0, 0.0)).patches(&geometry());
        assert_eq!(patches.len(), 4, "two columns, two rows: {patches:?}");
        let patches = QueryShape::Box(corner(17.0, 1.0), corner(18.0, 2.0)).patches(&geometry());
        assert_eq!(patches, [Patch { row: 0, col: 1 }]);
    }

    #[test]
    fn the_last_dab_counts() {
        let dab = |x, erases| Dab { centre: PixelPoint { x, y: 8.0 }, radius: 9.0, erases };
        let painting = Painting { dabs: vec![dab(8.0, false), dab(24.0, false), dab(8.0, true)] };
        assert_eq!(painting.patches(&geometry()), [Patch { row: 0, col: 1 }]);
    }
}
