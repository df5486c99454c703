//! Curves of measures.

use plotters::prelude::*;
use plotters::style::register_font;

use super::classes::class_colour;
use crate::image::Picture;
use crate::probe::metrics::PrecisionRecall;

/// Side of one diagram, in pixels.
const SIDE: u32 = 420;

/// Diagrams beside each other at most.
const MOST_COLUMNS: usize = 4;

/// Precision over recall, one diagram each: its title and its curves with their names.
pub type Diagram<'a> = (String, Vec<(String, &'a PrecisionRecall)>);

/// Draws diagrams in rows.
///
/// # Errors
/// What the plotting library says.
pub fn precision_recall(diagrams: &[Diagram<'_>]) -> Result<Picture, String> {
    // Said again it changes nothing.
    register_font("sans-serif", FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| "the font is broken".to_owned())?;
    let columns = (1..=MOST_COLUMNS).find(|columns| columns * columns >= diagrams.len()).unwrap_or(MOST_COLUMNS);
    let rows = diagrams.len().div_ceil(columns).max(1);
    let (width, height) = (SIDE * columns as u32, SIDE * rows as u32);
    let mut rgb = vec![u8::MAX; 3 * (width * height) as usize];
    draw(&mut rgb, (width, height), (rows, columns), diagrams).map_err(|error| error.to_string())?;
    Ok(Picture { width: width as usize, height: height as usize, rgb })
}

fn draw(
    rgb: &mut [u8],
    size: (u32, u32),
    (rows, columns): (usize, usize),
    diagrams: &[Diagram<'_>],
) -> Result<(), Box<dyn std::error::Error>> {
    let area = BitMapBackend::with_buffer(rgb, size).into_drawing_area();
    area.fill(&WHITE)?;
    for (part, (title, curves)) in area.split_evenly((rows, columns)).iter().zip(diagrams) {
        let mut chart = ChartBuilder::on(part)
            .caption(title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(38)
            .y_label_area_size(44)
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
        chart.configure_mesh().x_desc("recall").y_desc("precision").label_style(("sans-serif", 13)).draw()?;
        for (place, (name, curve)) in curves.iter().enumerate() {
            let [r, g, b] = class_colour(place, curves.len());
            let style = RGBColor(r, g, b).stroke_width(2);
            let points = curve.recall.iter().copied().zip(curve.precision.iter().copied());
            chart
                .draw_series(LineSeries::new(points, style))?
                .label(name)
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], style));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerLeft)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 13))
            .draw()?;
    }
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_is_in_its_diagram() {
        let good = PrecisionRecall::of(&[0.9, 0.8, 0.1], &[true, true, false]);
        let bad = PrecisionRecall::of(&[0.1, 0.8, 0.9], &[true, true, false]);
        let diagram = |name: &str| (name.to_owned(), vec![("C=1".to_owned(), &good), ("C=2".to_owned(), &bad)]);
        let picture = precision_recall(&[diagram("first"), diagram("second"), diagram("third")]).unwrap();
        assert_eq!((picture.width, picture.height), (840, 840));
        let has = |colour: [u8; 3], x: usize| {
            let pixels = picture.rgb.as_chunks::<3>().0.iter().enumerate();
            pixels.filter(|(i, pixel)| **pixel == colour && i % 840 / 420 == x && i / 840 < 420).count() > 20
        };
        for side in 0..2 {
            assert!(has(class_colour(0, 2), side) && has(class_colour(1, 2), side));
        }
        assert_eq!(precision_recall(&[]).unwrap().width, 420);
    }
}
