//! Where objects are and how large.

use std::io::{self, Write};

use crate::tracking::LabelMap;

/// The pixels of one object in one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// Its id.
    pub object: u8,
    /// In pixels.
    pub area: usize,
    /// Leftmost pixel.
    pub x: usize,
    /// Topmost pixel.
    pub y: usize,
    /// Of the box around it, in pixels.
    pub width: usize,
    /// Of the box around it, in pixels.
    pub height: usize,
    /// Mean of the pixels' centres, (x, y): the centre of the first pixel is (0.5, 0.5).
    pub centroid: (f64, f64),
}

/// Every object that has pixels, by id.
pub fn regions(labels: &LabelMap) -> Vec<Region> {
    #[derive(Clone, Copy)]
    struct Sums {
        area: usize,
        x: (usize, usize),
        y: (usize, usize),
        sum: (usize, usize),
    }
    let mut all = [Sums { area: 0, x: (usize::MAX, 0), y: (usize::MAX, 0), sum: (0, 0) }; 256];
    for (y, line) in labels.ids.chunks_exact(labels.width).enumerate() {
        for (x, &id) in line.iter().enumerate().filter(|(_, id)| **id > 0) {
            let sums = &mut all[usize::from(id)];
            sums.area += 1;
            sums.x = (sums.x.0.min(x), sums.x.1.max(x));
            sums.y = (sums.y.0.min(y), sums.y.1.max(y));
            sums.sum = (sums.sum.0 + x, sums.sum.1 + y);
        }
    }
    let found = (0..=u8::MAX).zip(all).filter(|(_, sums)| sums.area > 0);
    found
        .map(|(object, Sums { area, x, y, sum })| {
            let mean = |sum: usize| sum as f64 / area as f64 + 0.5;
            Region {
                object,
                area,
                x: x.0,
                y: y.0,
                width: x.1 - x.0 + 1,
                height: y.1 - y.0 + 1,
                centroid: (mean(sum.0), mean(sum.1)),
            }
        })
        .collect()
}

/// A CSV file with a line for each frame and object that is seen in it. What was added before an error stays readable.
pub struct RegionTable<W: Write> {
    writer: csv::Writer<W>,
}

impl<W: Write> RegionTable<W> {
    /// Begins a table with its header.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn new(writer: W) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(writer);
        writer.write_record([
            "frame",
            "seconds",
            "object",
            "name",
            "area",
            "x",
            "y",
            "width",
            "height",
            "centroid_x",
            "centroid_y",
        ])?;
        writer.flush()?;
        Ok(Self { writer })
    }

    /// What was written.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn into_writer(self) -> io::Result<W> {
        self.writer.into_inner().map_err(|error| io::Error::from(error.error().kind()))
    }

    /// Adds the objects of a frame, shown at that time; `name` gives an object's, or nothing.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn add(
        &mut self,
        frame: usize,
        seconds: f64,
        labels: &LabelMap,
        name: impl Fn(u8) -> String,
    ) -> io::Result<()> {
        for Region { object, area, x, y, width, height, centroid } in regions(labels) {
            let numbers = [area, x, y, width, height].map(|n| n.to_string());
            let centroid = [centroid.0, centroid.1].map(|v| format!("{v:.2}"));
            let start = [frame.to_string(), format!("{seconds:.6}"), object.to_string(), name(object)];
            self.writer.write_record(start.iter().chain(&numbers).chain(&centroid))?;
        }
        self.writer.flush()
    }
}
