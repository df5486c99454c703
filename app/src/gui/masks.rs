//! The objects of a clip, and the frames in which a person has painted them.

use std::collections::BTreeMap;
use std::sync::Arc;

use dinoscope_engine::tracking::LabelMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::theme::TAB10;

/// Something that is followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its value in label maps, 1 to 255.
    pub id: u8,
    /// For people.
    pub name: String,
    /// As drawn.
    pub colour: [u8; 3],
    /// Whether it is drawn and recorded.
    pub is_visible: bool,
    /// First and last frames between which it is out of sight.
    pub absent: Vec<(usize, usize)>,
}

impl Object {
    /// With the name and colour that objects of that value usually have.
    pub fn new(id: u8) -> Self {
        let colour = TAB10[usize::from(id.saturating_sub(1)) % TAB10.len()];
        Self { id, name: format!("Object {id}"), colour, is_visible: true, absent: Vec::new() }
    }
}

/// What a person has said about the objects of a clip.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClipMasks {
    /// In the order of the list.
    pub objects: Vec<Object>,
    /// By frame.
    pub painted: BTreeMap<usize, PaintedMap>,
}

impl ClipMasks {
    /// Adds an object of the next free value; `None` where all 255 are taken.
    pub fn add_object(&mut self) -> Option<u8> {
        let id = (1..=u8::MAX).find(|id| self.object(*id).is_none())?;
        self.objects.push(Object::new(id));
        Some(id)
    }

    /// The value of the object of that name, which is added where there is none; `None` where all 255 are taken.
    pub fn object_named(&mut self, name: &str) -> Option<u8> {
        if let Some(known) = self.objects.iter().find(|object| object.name == name) {
            return Some(known.id);
        }
        let id = self.add_object()?;
        name.clone_into(&mut self.objects.last_mut()?.name);
        Some(id)
    }

    /// Adds the objects of a label map that are not there yet.
    pub fn add_objects_of(&mut self, map: &LabelMap) {
        for id in map.objects() {
            if self.object(id).is_none() {
                self.objects.push(Object::new(id));
            }
        }
    }

    /// Takes an object away, with all that was painted of it.
    pub fn remove_object(&mut self, id: u8) {
        self.objects.retain(|object| object.id != id);
        for map in self.painted.values_mut().filter(|map| map.0.ids.contains(&id)) {
            let ids = &mut Arc::make_mut(&mut map.0).ids;
            ids.iter_mut().filter(|value| **value == id).for_each(|value| *value = 0);
        }
        let has_objects = !self.objects.is_empty();
        self.painted.retain(|_, map| has_objects || map.0.ids.iter().any(|&value| value != 0));
    }

    /// The object of that value.
    pub fn object(&self, id: u8) -> Option<&Object> {
        self.objects.iter().find(|object| object.id == id)
    }

    /// For changing it.
    pub fn object_mut(&mut self, id: u8) -> Option<&mut Object> {
        self.objects.iter_mut().find(|object| object.id == id)
    }
}

/// A painted label map; copies share their pixels. A file holds its ids as runs: value, length, value, length, ….
#[derive(Clone, Debug, PartialEq)]
pub struct PaintedMap(pub Arc<LabelMap>);

#[derive(Serialize, Deserialize)]
struct Runs {
    width: usize,
    height: usize,
    runs: Vec<u64>,
}

impl Serialize for PaintedMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let LabelMap { width, height, ids } = &*self.0;
        let runs = ids.chunk_by(|a, b| a == b).flat_map(|run| [u64::from(run[0]), run.len() as u64]).collect();
        Runs { width: *width, height: *height, runs }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PaintedMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let Runs { width, height, runs } = Runs::deserialize(deserializer)?;
        let pixels = width.checked_mul(height).filter(|&pixels| pixels <= MOST_PIXELS);
        let pixels = pixels.ok_or_else(|| D::Error::custom("a label map larger than any frame"))?;
        let mut ids = Vec::with_capacity(pixels);
        for run in runs.chunks(2) {
            let &[value, length] = run else { return Err(D::Error::custom("a run without its length")) };
            let value = u8::try_from(value).map_err(D::Error::custom)?;
            let end = usize::try_from(length).ok().and_then(|length| ids.len().checked_add(length));
            let end =
                end.filter(|&end| end <= pixels).ok_or_else(|| D::Error::custom("more pixels than the map has"))?;
            ids.resize(end, value);
        }
        LabelMap::new(width, height, ids).map(|map| Self(Arc::new(map))).map_err(D::Error::custom)
    }
}

/// Of a label map that is read.
const MOST_PIXELS: usize = 1 << 28;

#[cfg(test)]
mod tests {
    use super::*;

    fn map(ids: &[u8]) -> PaintedMap {
        PaintedMap(Arc::new(LabelMap::new(ids.len(), 1, ids.to_vec()).expect("pixels")))
    }

    #[test]
    fn maps_come_back_from_their_runs() {
        let before = map(&[0, 0, 0, 7, 7, 1, 0]);
        let text = serde_json::to_string(&before).expect("text");
        assert_eq!(text, r#"{"width":7,"height":1,"runs":[0,3,7,2,1,1,0,1]}"#);
        assert_eq!(serde_json::from_str::<PaintedMap>(&text).expect("a map"), before);
        for damaged in [
            r#"{"width":7,"height":1,"runs":[0,3]}"#,
            r#"{"width":2,"height":1,"runs":[0,3]}"#,
            r#"{"width":2,"height":1,"runs":[300,2]}"#,
            r#"{"width":2,"height":1,"runs":[1]}"#,
            r#"{"width":9999999999,"height":9999999999,"runs":[1,1]}"#,
        ] {
            assert!(serde_json::from_str::<PaintedMap>(damaged).is_err(), "{damaged}");
        }
    }

    #[test]
    fn an_object_goes_with_what_was_painted_of_it() {
        let mut masks = ClipMasks::default();
        assert_eq!((masks.add_object(), masks.add_object()), (Some(1), Some(2)));
        masks.painted.insert(3, map(&[0, 1, 2, 1]));
        masks.remove_object(1);
        assert_eq!(masks.painted[&3], map(&[0, 0, 2, 0]));
        assert_eq!(masks.add_object(), Some(1), "the value is free again");
        masks.remove_object(2);
        masks.remove_object(1);
        assert!(masks.painted.is_empty(), "without objects there is nothing to follow");
    }
}
