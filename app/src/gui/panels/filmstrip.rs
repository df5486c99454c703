//! The open pictures, below the canvas; at first with cards of what else may be opened.

use std::path::PathBuf;

use dinoscope_engine::dispatch::PictureId;
use egui::{
    Align2, Color32, ColorImage, FontId, Pos2, Rect, Response, ScrollArea, Sense, Spinner, Stroke, StrokeKind,
    TextureHandle, TextureOptions, Ui, pos2, vec2,
};
use egui_material_icons::{MaterialIcon, icons};

use crate::gui::documents::{Content, Document, Loaded, Origin};
use crate::gui::samples::SAMPLES;
use crate::gui::shared::Shared;
use crate::gui::theme;

/// Height of a thumbnail in points.
const THUMBNAIL_HEIGHT: f32 = 72.0;

/// The same in a low window, which leaves the canvas its room.
const LOW_THUMBNAIL_HEIGHT: f32 = 36.0;

/// Windows below that are low.
const LOW: f32 = 600.0;

/// Height of the name below it.
const NAME_HEIGHT: f32 = 18.0;

/// Points between two pictures.
const GAP: f32 = 8.0;

/// Least and greatest width of a thumbnail.
const WIDTHS: std::ops::RangeInclusive<f32> = 56.0..=144.0;

/// Width where the picture's own is not known.
const USUAL_WIDTH: f32 = 104.0;

/// Recent files that are shown as cards.
const MOST_RECENT: usize = 6;

/// Height of the whole strip in a window of that height, in points.
pub fn height(window: f32) -> f32 {
    thumbnail_height(window) + NAME_HEIGHT + 26.0
}

fn thumbnail_height(window: f32) -> f32 {
    if window < LOW { LOW_THUMBNAIL_HEIGHT } else { THUMBNAIL_HEIGHT }
}

/// What was asked for.
pub enum Asked {
    /// Work on this picture.
    Activate(PictureId),
    /// Close it.
    Close(PictureId),
    /// Close all but this one.
    CloseOthers(PictureId),
    /// Compare with this one.
    Partner(PictureId),
    /// Read it again.
    TryAgain(PictureId),
    /// Show it in its folder.
    ShowFile(PathBuf),
    /// Open the sample of that place.
    OpenSample(usize),
    /// Open a file again.
    OpenRecent(PathBuf),
    /// Ask for files.
    Open,
}

/// The strip's state.
#[derive(Default)]
pub struct Filmstrip {
    samples: Vec<(usize, Thumbnail)>,
    /// The picture that was scrolled to last.
    scrolled_to: Option<PictureId>,
}

enum Thumbnail {
    Pixels(ColorImage),
    Texture(TextureHandle),
}

/// One thing in the strip.
enum Item<'a> {
    Picture(&'a Document),
    Sample(usize),
    Recent(&'a PathBuf),
    Open,
}

impl Filmstrip {
    /// The thumbnail of a sample picture.
    pub fn take_sample(&mut self, place: usize, image: ColorImage) {
        self.samples.push((place, Thumbnail::Pixels(image)));
    }

    /// Whether there is something to show: several pictures, or cards as long as nothing of one's own is open.
    pub fn has_content(&self, shared: &Shared) -> bool {
        shared.documents.len() > 1 || has_cards(shared)
    }

    /// Shows the strip.
    pub fn show(&mut self, ui: &mut Ui, shared: &Shared) -> Option<Asked> {
        let mut asked = None;
        let height = thumbnail_height(ui.ctx().content_rect().height());
        let items = items(shared);
        let widths: Vec<f32> = items.iter().map(|item| self.width(item, height)).collect();
        let total: f32 = widths.iter().map(|width| width + GAP).sum();
        let active = shared.documents.active_id();
        let is_news = self.scrolled_to != active;
        self.scrolled_to = active;
        ui.add_space(4.0);
        ui.style_mut().always_scroll_the_only_direction = true;
        ScrollArea::horizontal().auto_shrink([false, true]).show_viewport(ui, |ui, viewport| {
            let (area, _) = ui.allocate_exact_size(vec2(total, height + NAME_HEIGHT + 4.0), Sense::hover());
            let mut left = area.left() + 2.0;
            for (item, width) in items.iter().zip(widths) {
                let rect = Rect::from_min_size(pos2(left, area.top() + 2.0), vec2(width, height));
                left += width + GAP;
                if is_news && matches!(item, Item::Picture(document) if Some(document.id) == active) {
                    ui.scroll_to_rect(rect.expand2(vec2(width, 0.0)), None);
                }
                // Hundreds of pictures cost as much as those that are in sight.
                let in_strip = rect.translate(-area.min.to_vec2()).x_range();
                if in_strip.max < viewport.left() - width || in_strip.min > viewport.right() + width {
                    continue;
                }
                let one = match item {
                    Item::Picture(document) => picture(ui, shared, document, rect),
                    Item::Sample(place) => self.sample(ui, *place, rect),
                    Item::Recent(path) => recent(ui, path, rect),
                    Item::Open => open(ui, rect),
                };
                asked = asked.take().or(one);
            }
        });
        asked
    }

    fn width(&self, item: &Item<'_>, height: f32) -> f32 {
        let of = |size: [usize; 2]| size[0] as f32 / size[1].max(1) as f32 * height;
        let width = match item {
            Item::Picture(document) => document.thumbnail().map(|thumbnail| of(thumbnail.size())),
            Item::Sample(place) => {
                self.samples.iter().find(|(known, _)| known == place).map(|(_, image)| match image {
                    Thumbnail::Pixels(image) => of(image.size),
                    Thumbnail::Texture(texture) => of(texture.size()),
                })
            }
            Item::Recent(_) | Item::Open => None,
        };
        width.unwrap_or(USUAL_WIDTH).clamp(*WIDTHS.start(), *WIDTHS.end())
    }

    fn sample(&mut self, ui: &mut Ui, place: usize, rect: Rect) -> Option<Asked> {
        let sample = SAMPLES.get(place)?;
        if let Some((_, image)) = self.samples.iter_mut().find(|(known, _)| *known == place)
            && let Thumbnail::Pixels(pixels) = image
        {
            let pixels = std::mem::take(pixels);
            *image = Thumbnail::Texture(ui.ctx().load_texture(sample.name, pixels, TextureOptions::LINEAR));
        }
        let texture = self.samples.iter().find_map(|(known, image)| match image {
            Thumbnail::Texture(texture) if *known == place => Some(texture),
            _ => None,
        });
        let response = card(ui, rect, &format!("Sample {}", sample.title), ("sample", place));
        if let Some(texture) = texture {
            paint_thumbnail(ui, rect, texture, if response.hovered() { 1.0 } else { 0.6 });
        }
        name(ui, rect, sample.title, false);
        response.on_hover_text(format!("Open the sample {}", sample.name)).clicked().then_some(Asked::OpenSample(place))
    }
}

/// Cards help as long as nothing of one's own is open.
fn has_cards(shared: &Shared) -> bool {
    shared.documents.iter().all(|document| matches!(document.origin, Origin::Sample(_)))
}

fn items(shared: &Shared) -> Vec<Item<'_>> {
    let mut items: Vec<Item<'_>> = shared.documents.iter().map(Item::Picture).collect();
    if has_cards(shared) {
        let is_open = |name: &str| shared.documents.iter().any(|document| document.name == name);
        items.extend((0..SAMPLES.len()).filter(|&place| !is_open(SAMPLES[place].name)).map(Item::Sample));
        items.extend(shared.settings.recent.iter().take(MOST_RECENT).map(Item::Recent));
        items.push(Item::Open);
    }
    items
}

fn picture(ui: &mut Ui, shared: &Shared, document: &Document, rect: Rect) -> Option<Asked> {
    let id = document.id;
    let mut asked = None;
    let is_active = shared.documents.active_id() == Some(id);
    let response = card(ui, rect, &format!("Picture {}", document.name), ("picture", id.0));
    let failure = match &document.content {
        Content::Loading => {
            Spinner::new().paint_at(ui, Rect::from_center_size(rect.center(), vec2(20.0, 20.0)));
            None
        }
        Content::Ready(Loaded { thumbnail, .. }) | Content::Resting(thumbnail) => {
            paint_thumbnail(ui, rect, thumbnail, 1.0);
            shared.encode_failure(id)
        }
        Content::Failed(sentence) => {
            let colour = theme::danger(ui.ctx().theme());
            icon(ui, rect.center(), icons::ICON_BROKEN_IMAGE, 28.0, colour);
            Some(sentence.as_str())
        }
    };
    let state = features_state(ui, shared, document, rect, failure.is_some());
    let accent = theme::accent(ui.ctx().theme());
    if is_active {
        ui.painter().rect_stroke(rect, 4.0, Stroke::new(2.0, accent), StrokeKind::Outside);
    }
    let is_partner = shared.documents.chosen_partner() == Some(id) && !is_active;
    if is_partner {
        badge(ui, rect.left_top() + vec2(11.0, 11.0), "2");
    }
    name(ui, rect, &document.name, is_active);

    let is_near = ui.rect_contains_pointer(rect);
    if is_near {
        let corner = Rect::from_center_size(rect.right_top() + vec2(-12.0, 12.0), vec2(18.0, 18.0));
        let close = ui.interact(corner, response.id.with("close"), Sense::click());
        let label = format!("Close {}", document.name);
        close.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &label));
        let shade = if close.hovered() { 220 } else { 150 };
        ui.painter().circle_filled(corner.center(), 9.0, Color32::from_black_alpha(shade));
        icon(ui, corner.center(), icons::ICON_CLOSE, 13.0, Color32::WHITE);
        if close.on_hover_text("Close").clicked() {
            return Some(Asked::Close(id));
        }
    }
    response.context_menu(|ui| {
        let mut entry = |ui: &mut Ui, text: &str, what: Asked| {
            if ui.button(text).clicked() {
                asked = Some(what);
            }
        };
        entry(ui, "Use as the second picture", Asked::Partner(id));
        if matches!(document.content, Content::Failed(_)) {
            entry(ui, "Try again", Asked::TryAgain(id));
        }
        if let Some(path) = document.origin.path() {
            entry(ui, "Show file", Asked::ShowFile(path.to_path_buf()));
        }
        ui.separator();
        entry(ui, "Close", Asked::Close(id));
        entry(ui, "Close others", Asked::CloseOthers(id));
    });
    let clicked = response.clicked();
    response.on_hover_ui(|ui| {
        ui.set_max_width(360.0);
        ui.strong(&document.name);
        if let Some(loaded) = document.loaded() {
            ui.label(format!("{} × {} pixels", loaded.pixels.width, loaded.pixels.height));
        }
        if let Some(path) = document.origin.path() {
            ui.weak(path.display().to_string());
        }
        match failure {
            Some(sentence) => ui.colored_label(theme::danger(ui.ctx().theme()), sentence),
            None => ui.weak(state),
        };
        if is_partner {
            ui.weak("The second picture");
        }
    });
    asked.or(clicked.then_some(Asked::Activate(id)))
}

/// A sign in the lower left corner for how far the features are; the same in words.
fn features_state(ui: &Ui, shared: &Shared, document: &Document, rect: Rect, has_failed: bool) -> &'static str {
    let corner = rect.left_bottom() + vec2(11.0, -11.0);
    if has_failed {
        badge(ui, corner, "!");
        "Failed"
    } else if document.thumbnail().is_none() {
        "Opening"
    } else if shared.has_features(document.id) {
        ui.painter().circle(corner, 4.0, theme::accent(ui.ctx().theme()), Stroke::new(1.5, Color32::WHITE));
        "Features are ready"
    } else if shared.is_wanted(document.id) {
        ui.painter().circle_filled(corner, 9.0, Color32::from_black_alpha(150));
        Spinner::new().color(Color32::WHITE).paint_at(ui, Rect::from_center_size(corner, vec2(12.0, 12.0)));
        "Features are being computed"
    } else {
        "No features yet"
    }
}

fn recent(ui: &mut Ui, path: &PathBuf, rect: Rect) -> Option<Asked> {
    let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let response = card(ui, rect, &format!("Recent {file}"), ("recent", path));
    icon(ui, rect.center(), icons::ICON_HISTORY, 24.0, ui.visuals().weak_text_color());
    name(ui, rect, &file, false);
    let hint = format!("Open {} again", path.display());
    response.on_hover_text(hint).clicked().then(|| Asked::OpenRecent(path.clone()))
}

fn open(ui: &mut Ui, rect: Rect) -> Option<Asked> {
    let response = card(ui, rect, "Open files", "open");
    icon(ui, rect.center(), icons::ICON_ADD_PHOTO_ALTERNATE, 24.0, ui.visuals().weak_text_color());
    name(ui, rect, "Open, or drop here", false);
    let hint = "Choose files (O), or drop pictures, folders, checkpoints and workspaces anywhere on the window";
    response.on_hover_text(hint).clicked().then_some(Asked::Open)
}

/// A clickable rectangle with a name for assistive technology.
fn card(ui: &mut Ui, rect: Rect, label: &str, id: impl egui::AsIdSalt) -> Response {
    let response = ui.interact(rect, ui.scope_id().with(id), Sense::click());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, label));
    let visuals = ui.style().interact(&response);
    ui.painter().rect_filled(rect, 4.0, visuals.weak_bg_fill);
    if response.hovered() || response.has_focus() {
        ui.painter().rect_stroke(rect, 4.0, Stroke::new(1.0, visuals.fg_stroke.color), StrokeKind::Outside);
    }
    response
}

/// The whole picture, centred in `rect`.
fn paint_thumbnail(ui: &Ui, rect: Rect, texture: &TextureHandle, opacity: f32) {
    let size = texture.size_vec2();
    let scale = (rect.width() / size.x).min(rect.height() / size.y);
    // A line stays visible, and is not all rounded corner.
    let place = Rect::from_center_size(rect.center(), (size * scale).max(vec2(3.0, 3.0)));
    let tint = Color32::WHITE.gamma_multiply(opacity);
    egui::Image::new(texture).corner_radius(place.size().min_elem().min(8.0) / 2.0).tint(tint).paint_at(ui, place);
}

fn name(ui: &mut Ui, rect: Rect, text: &str, is_active: bool) {
    let place = Rect::from_min_size(rect.left_bottom() + vec2(0.0, 3.0), vec2(rect.width(), NAME_HEIGHT - 2.0));
    let text = egui::RichText::new(text).small();
    let text = if is_active { text.strong() } else { text.weak() };
    ui.put(place, egui::Label::new(text).truncate().selectable(false));
}

fn icon(ui: &Ui, centre: Pos2, icon: MaterialIcon, size: f32, colour: Color32) {
    let font = FontId::new(size, icon.font_family());
    ui.painter().text(centre, Align2::CENTER_CENTER, icon.codepoint, font, colour);
}

fn badge(ui: &Ui, centre: Pos2, text: &str) {
    ui.painter().circle_filled(centre, 9.0, Color32::from_black_alpha(190));
    ui.painter().text(centre, Align2::CENTER_CENTER, text, FontId::proportional(11.5), Color32::WHITE);
}
