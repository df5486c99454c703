//! Words in pictures: Latin, Greek and Cyrillic; of other scripts each character is a box.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};

use super::canvas::Canvas;

/// The second one has what the first one lacks.
static FONTS: LazyLock<[FontRef<'static>; 2]> = LazyLock::new(|| {
    [epaint_default_fonts::UBUNTU_LIGHT, epaint_default_fonts::HACK_REGULAR]
        .map(|bytes| FontRef::try_from_slice(bytes).expect("the fonts are part of the program"))
});

fn font_of(character: char) -> &'static FontRef<'static> {
    FONTS.iter().find(|font| font.glyph_id(character).0 != 0).unwrap_or(&FONTS[0])
}

/// Width in pixels of a text that is `size` pixels high.
pub fn width(text: &str, size: f32) -> f32 {
    let advance = |character| {
        let font = font_of(character).as_scaled(PxScale::from(size));
        font.h_advance(font.glyph_id(character))
    };
    text.chars().map(advance).sum()
}

/// As much of a text as fits `room` pixels; what does not is an ellipsis.
pub fn shortened(text: &str, size: f32, room: f32) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for character in text.chars() {
        kept.push(character);
        if width(&kept, size) + width("…", size) > room {
            kept.pop();
            break;
        }
    }
    kept + "…"
}

/// Draws a text of `size` pixels from its top left corner.
pub fn draw(canvas: &mut Canvas<'_>, text: &str, (x, y): (f32, f32), size: f32, colour: [f32; 3]) {
    let scale = PxScale::from(size);
    let baseline = y + FONTS[0].as_scaled(scale).ascent();
    let mut at = x;
    for character in text.chars() {
        let font = font_of(character);
        let glyph: Glyph = font.glyph_id(character).with_scale_and_position(scale, point(at, baseline));
        at += font.as_scaled(scale).h_advance(glyph.id);
        let Some(outline) = font.outline_glyph(glyph) else { continue };
        let corner = outline.px_bounds().min;
        outline.draw(|dx, dy, coverage| {
            let (x, y) = (corner.x as i64 + i64::from(dx), corner.y as i64 + i64::from(dy));
            if let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y))
                && x < canvas.picture.width
                && y < canvas.picture.height
            {
                canvas.blend(x, y, colour, coverage.clamp(0.0, 1.0));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Picture;

    #[test]
    fn a_text_is_as_wide_as_it_says() {
        let mut picture = Picture { width: 200, height: 40, rgb: vec![0; 200 * 40 * 3] };
        draw(&mut Canvas { picture: &mut picture }, "Größe", (10.0, 5.0), 24.0, [255.0; 3]);
        let columns: Vec<usize> = (0..200).filter(|x| (0..40).any(|y| picture.rgb[(y * 200 + x) * 3] > 100)).collect();
        let (first, last) = (columns[0] as f32, columns[columns.len() - 1] as f32);
        let expected = 10.0 + width("Größe", 24.0);
        assert!(first >= 10.0 && (last - expected).abs() < 4.0, "{first} {last} {expected}");
    }

    #[test]
    fn any_script_is_drawn_and_shortened_somehow() {
        let mut picture = Picture { width: 30, height: 20, rgb: vec![0; 30 * 20 * 3] };
        for text in ["", "🐈", "日本語", "Ω Я", "\u{202e}\u{0301}", "a\nb"] {
            draw(&mut Canvas { picture: &mut picture }, text, (-5.0, -3.0), 17.0, [255.0; 3]);
            assert!(width(&shortened(text, 17.0, 20.0), 17.0) <= 20.0, "{text}");
        }
        assert_eq!(shortened("a very long name", 10.0, 30.0).chars().last(), Some('…'));
    }
}
