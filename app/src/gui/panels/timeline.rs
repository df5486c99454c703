//! The timeline of the clip that is worked on: play, step, scrub, begin and end, and what the tool has marked.

use std::ops::RangeInclusive;

use dinoscope_engine::dispatch::{Command, PictureId};
use egui::{
    Align, Color32, CornerRadius, CursorIcon, Layout, Pos2, Rect, Response, RichText, Sense, Stroke, TextureHandle, Ui,
    pos2, vec2,
};
use egui_material_icons::icons;

use super::controls::icon_button;
use crate::gui::actions::{self, Action};
use crate::gui::player::Player;
use crate::gui::shared::Shared;
use crate::gui::theme;

/// Height of the whole panel, in points.
pub const HEIGHT: f32 = 92.0;

/// Height of the strip of thumbnails.
const STRIP_HEIGHT: f32 = 36.0;

/// Height of the row of marks below it.
const MARKS_HEIGHT: f32 = 10.0;

/// How near the pointer has to be to the begin or the end to take hold of it, in points.
const GRIP: f32 = 5.0;

/// Frames that a tool has something to say about.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// First and last frame.
    pub frames: RangeInclusive<usize>,
    /// As drawn.
    pub colour: Color32,
    /// How it is drawn.
    pub shape: MarkShape,
    /// For the tooltip: "corrected".
    pub text: String,
}

/// How a [`Mark`] is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkShape {
    /// A bar from the first frame to the last one.
    Bar,
    /// A diamond at the first frame.
    Diamond,
}

/// What is being dragged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Grip {
    #[default]
    Head,
    Start,
    End,
}

/// Shows the timeline of `picture`, a frame of a clip.
pub fn show(ui: &mut Ui, shared: &mut Shared, picture: PictureId, marks: &[Mark]) -> Option<Action> {
    let document = shared.documents.get(picture)?;
    let player = document.player.as_ref()?;
    ui.add_space(4.0);
    let asked = ui.horizontal(|ui| buttons(ui, player)).inner;
    ui.add_space(2.0);
    let previews = strip(ui, shared, picture, marks);
    if let Some(frames) = previews
        && let Some(player) = shared.player_mut(picture)
    {
        player.has_previews = true;
        let clip = player.clip.clone();
        let name = clip.info.name.clone();
        shared.send(Command::Preview { picture, clip, frames }, format!("thumbnails of {name}"));
    }
    asked
}

fn buttons(ui: &mut Ui, player: &Player) -> Option<Action> {
    let mut asked = None;
    let mut button = |ui: &mut Ui, icon, action: Action, name: &str| {
        let key = actions::shortcut_text(ui.ctx(), action);
        if icon_button(ui, icon, &format!("{name} ({key})")).clicked() {
            asked = Some(action);
        }
    };
    button(ui, icons::ICON_SKIP_PREVIOUS, Action::FirstFrame, "First frame");
    button(ui, icons::ICON_CHEVRON_LEFT, Action::PreviousFrame, "Previous frame");
    let (icon, name) = if player.is_playing() { (icons::ICON_PAUSE, "Stop") } else { (icons::ICON_PLAY_ARROW, "Play") };
    button(ui, icon, Action::Play, name);
    button(ui, icons::ICON_CHEVRON_RIGHT, Action::NextFrame, "Next frame");
    button(ui, icons::ICON_SKIP_NEXT, Action::LastFrame, "Last frame");
    ui.add_space(8.0);
    button(ui, icons::ICON_FIRST_PAGE, Action::SetIn, "Begin at this frame");
    button(ui, icons::ICON_LAST_PAGE, Action::SetOut, "End at this frame");
    ui.add_space(8.0);
    let timeline = &player.clip.info.timeline;
    let frame = player.target();
    let time = format!("{} / {}", clock(timeline.start_secs(frame)), clock(timeline.end_secs()));
    ui.label(RichText::new(time).monospace());
    ui.weak(format!("frame {frame} / {}", player.len().saturating_sub(1)));
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let info = &player.clip.info;
        let rate = if timeline.is_variable() { "about " } else { "" };
        let fps = timeline.mean_fps();
        let about = format!("{} · {} × {} · {rate}{fps:.4} fps", info.codec, info.width, info.height);
        let about = about.replace(".0000 fps", " fps");
        ui.add(egui::Label::new(RichText::new(about).weak()).truncate());
    });
    asked
}

/// "1:02.34"
fn clock(secs: f64) -> String {
    let minutes = (secs / 60.0).floor();
    format!("{minutes:.0}:{:05.2}", secs - minutes * 60.0)
}

/// Thumbnails, marks and the head; the frames whose thumbnails are to be made, where none are yet.
fn strip(ui: &mut Ui, shared: &mut Shared, picture: PictureId, marks: &[Mark]) -> Option<Vec<usize>> {
    let width = ui.available_width();
    let (rect, response) = ui.allocate_exact_size(vec2(width, STRIP_HEIGHT + MARKS_HEIGHT), Sense::click_and_drag());
    let name = shared.documents.get(picture).map(|document| document.name.clone()).unwrap_or_default();
    let player = shared.player_mut(picture)?;
    let scale = Scale { left: rect.left() + GRIP, width: rect.width() - 2.0 * GRIP, len: player.len() };
    let label = format!("Timeline of {name}");
    response.widget_info(|| egui::WidgetInfo::slider(true, player.target() as f64, &label));
    drag(ui, &response, player, &scale);

    let film = Rect::from_min_size(rect.min, vec2(rect.width(), STRIP_HEIGHT));
    let aspect = player.clip.info.width as f32 / player.clip.info.height.max(1) as f32;
    let places = film_places(&film, aspect, &scale);
    paint_film(ui, player, &film, &places);
    paint_marks(ui, &rect, marks, &scale);
    paint_span(ui, player, &film, &scale);
    paint_head(ui, player, &rect, &scale);
    if let Some(pointer) = response.hover_pos().filter(|_| !response.dragged()) {
        hint(&response, player, scale.frame(pointer.x), marks);
    }
    let frames = places.iter().map(|(frame, _)| *frame).collect();
    (!player.has_previews).then_some(frames)
}

/// Between frames and places on the strip.
struct Scale {
    left: f32,
    width: f32,
    len: usize,
}

impl Scale {
    /// The middle of a frame.
    fn x(&self, frame: usize) -> f32 {
        self.left + (frame as f32 + 0.5) / self.len.max(1) as f32 * self.width
    }

    /// The edge before a frame.
    fn edge(&self, frame: usize) -> f32 {
        self.left + frame as f32 / self.len.max(1) as f32 * self.width
    }

    fn frame(&self, x: f32) -> usize {
        let share = ((x - self.left) / self.width.max(1.0)).clamp(0.0, 1.0);
        ((share * self.len as f32) as usize).min(self.len.saturating_sub(1))
    }
}

/// The left button scrubs, or moves the begin or the end where the pointer took hold of one.
fn drag(ui: &Ui, response: &Response, player: &mut Player, scale: &Scale) {
    let (start, end) = player.span().into_inner();
    let near = |pointer: Pos2| {
        // The begin and the end are only in the way once they were moved.
        let distance = |x: f32| (pointer.x - x).abs();
        let (to_start, to_end) = (distance(scale.edge(start)), distance(scale.edge(end + 1)));
        if to_start.min(to_end) > GRIP {
            Grip::Head
        } else if to_start <= to_end {
            Grip::Start
        } else {
            Grip::End
        }
    };
    let id = response.id.with("grip");
    let hovered = response.hover_pos().map(near).unwrap_or_default();
    if response.drag_started() {
        let origin = ui.input(|input| input.pointer.press_origin());
        ui.data_mut(|data| data.insert_temp(id, origin.map(near).unwrap_or_default()));
    }
    let grip = if response.dragged() { ui.data(|data| data.get_temp(id)).unwrap_or_default() } else { Grip::Head };
    if hovered != Grip::Head || grip != Grip::Head {
        ui.set_cursor_icon(CursorIcon::ResizeHorizontal);
    }
    let Some(pointer) = response.interact_pointer_pos() else { return };
    let frame = scale.frame(pointer.x);
    match grip {
        Grip::Head if response.dragged() || response.clicked() => player.seek(frame),
        Grip::Start => player.set_span(frame.min(end)..=end),
        Grip::End => player.set_span(start..=frame.max(start)),
        Grip::Head => {}
    }
}

/// Places of thumbnails side by side, each with the frame in its middle.
fn film_places(film: &Rect, aspect: f32, scale: &Scale) -> Vec<(usize, Rect)> {
    let width = (film.height() * aspect).clamp(20.0, 160.0);
    let count = (film.width() / width).ceil().max(1.0) as usize;
    let place = |index: usize| {
        let left = film.left() + index as f32 * width;
        let rect = Rect::from_min_size(pos2(left, film.top()), vec2(width, film.height()));
        (scale.frame(rect.center().x), rect)
    };
    (0..count).map(place).collect()
}

fn paint_film(ui: &Ui, player: &Player, film: &Rect, places: &[(usize, Rect)]) {
    let painter = ui.painter().with_clip_rect(*film);
    painter.rect_filled(*film, 4.0, ui.visuals().extreme_bg_color);
    for (frame, rect) in places {
        if let Some(texture) = nearest(player, *frame) {
            let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
            painter.image(texture.id(), *rect, whole, Color32::WHITE);
        }
    }
}

/// The thumbnail of the frame that is nearest.
fn nearest(player: &Player, frame: usize) -> Option<&TextureHandle> {
    let before = player.thumbnails.range(..=frame).next_back();
    let after = player.thumbnails.range(frame..).next();
    before.into_iter().chain(after).min_by_key(|(known, _)| known.abs_diff(frame)).map(|(_, texture)| texture)
}

fn paint_marks(ui: &Ui, rect: &Rect, marks: &[Mark], scale: &Scale) {
    let middle = rect.bottom() - MARKS_HEIGHT / 2.0 + 1.0;
    let painter = ui.painter();
    for mark in marks {
        let (start, end) = (scale.edge(*mark.frames.start()), scale.edge(*mark.frames.end() + 1));
        match mark.shape {
            MarkShape::Bar => {
                let bar = Rect::from_min_max(pos2(start, middle - 1.5), pos2(end.max(start + 2.0), middle + 1.5));
                painter.rect_filled(bar, 1.5, mark.colour);
            }
            MarkShape::Diamond => {
                let centre = pos2(scale.x(*mark.frames.start()), middle);
                let corners = [vec2(0.0, -4.5), vec2(4.5, 0.0), vec2(0.0, 4.5), vec2(-4.5, 0.0)];
                let corners = corners.map(|corner| centre + corner).to_vec();
                painter.add(egui::Shape::convex_polygon(corners, mark.colour, Stroke::new(1.0, Color32::WHITE)));
            }
        }
    }
}

/// What is not played lies in the shade, between two handles.
fn paint_span(ui: &Ui, player: &Player, film: &Rect, scale: &Scale) {
    let (start, end) = player.span().into_inner();
    let (left, right) = (scale.edge(start), scale.edge(end + 1));
    let painter = ui.painter();
    let shade = Color32::from_black_alpha(170);
    painter.rect_filled(Rect::from_min_max(film.min, pos2(left, film.bottom())), 4.0, shade);
    painter.rect_filled(Rect::from_min_max(pos2(right, film.top()), film.max), 4.0, shade);
    if player.is_cut() {
        let accent = theme::accent(ui.ctx().theme());
        for x in [left, right] {
            let handle = Rect::from_center_size(pos2(x, film.center().y), vec2(4.0, film.height()));
            painter.rect_filled(handle, CornerRadius::same(2), accent);
        }
    }
}

fn paint_head(ui: &Ui, player: &Player, rect: &Rect, scale: &Scale) {
    let x = scale.x(player.target());
    let painter = ui.painter();
    painter
        .line_segment([pos2(x, rect.top()), pos2(x, rect.bottom())], Stroke::new(3.5, Color32::from_black_alpha(150)));
    painter.line_segment([pos2(x, rect.top()), pos2(x, rect.bottom())], Stroke::new(1.5, Color32::WHITE));
    let tip = vec![pos2(x - 5.0, rect.top()), pos2(x + 5.0, rect.top()), pos2(x, rect.top() + 6.0)];
    painter.add(egui::Shape::convex_polygon(tip, Color32::WHITE, Stroke::new(1.0, Color32::from_black_alpha(150))));
}

/// The frame under the pointer in small, and what is marked there.
fn hint(response: &Response, player: &Player, frame: usize, marks: &[Mark]) {
    response.clone().on_hover_ui_at_pointer(|ui| {
        if let Some(texture) = nearest(player, frame) {
            ui.add(egui::Image::new(texture).max_size(vec2(160.0, 120.0)));
        }
        ui.label(format!("frame {frame} · {}", clock(player.clip.info.timeline.start_secs(frame))));
        for mark in marks.iter().filter(|mark| mark.frames.contains(&frame)) {
            ui.weak(&mark.text);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_frames_agree() {
        let scale = Scale { left: 10.0, width: 300.0, len: 7 };
        for frame in 0..7 {
            assert_eq!(scale.frame(scale.x(frame)), frame);
        }
        assert_eq!((scale.frame(-50.0), scale.frame(900.0)), (0, 6));
        assert_eq!(Scale { left: 0.0, width: 0.0, len: 0 }.frame(3.0), 0);
    }

    #[test]
    fn time_is_written_as_on_a_clock() {
        assert_eq!((clock(0.0).as_str(), clock(62.346).as_str()), ("0:00.00", "1:02.35"));
    }
}
