//! The few characters that numbers need, those of metres too, 5×7 dots each.

use super::canvas::Canvas;

/// Dots of a character's height.
pub const HEIGHT: usize = 7;
/// Dots from one character to the next.
const ADVANCE: usize = 6;

/// Rows from the top; the lowest five bits are the dots, left to right. An unknown character is blank.
fn glyph(character: char) -> [u8; HEIGHT] {
    match character {
        '0' => [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
        '1' => [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
        '2' => [0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111],
        '3' => [0b11110, 0b00001, 0b00001, 0b01110, 0b00001, 0b00001, 0b11110],
        '4' => [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
        '5' => [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
        '6' => [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
        '7' => [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000],
        '8' => [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
        '9' => [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100],
        '-' => [0, 0, 0, 0b01110, 0, 0, 0],
        '+' => [0, 0b00100, 0b00100, 0b11111, 0b00100, 0b00100, 0],
        'm' => [0, 0, 0b11010, 0b10101, 0b10101, 0b10101, 0b10101],
        '.' => [0, 0, 0, 0, 0, 0b01100, 0b01100],
        _ => [0; HEIGHT],
    }
}

/// Width of a text in dots.
pub fn width(text: &str) -> usize {
    (text.chars().count() * ADVANCE).saturating_sub(1)
}

/// Draws a text from its top left corner, each dot `scale` pixels wide.
pub fn draw(canvas: &mut Canvas, text: &str, (x, y): (usize, usize), scale: usize, colour: [f32; 3]) {
    for (index, character) in text.chars().enumerate() {
        for (row, dots) in glyph(character).into_iter().enumerate() {
            for column in (0..5).filter(|column| dots & (0b10000 >> column) != 0) {
                let left = (x + (index * ADVANCE + column) * scale) as f64;
                let top = (y + row * scale) as f64;
                let dot = [left, left + scale as f64, top, top + scale as f64];
                canvas.gradient(dot, |_| colour);
            }
        }
    }
}
