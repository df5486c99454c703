//! Colours, type and space.

use egui::style::ScrollStyle;
use egui::{Color32, Context, CornerRadius, FontId, Stroke, TextStyle, Theme, Visuals, vec2};

/// The one accent, for dark and for light.
pub fn accent(theme: Theme) -> Color32 {
    match theme {
        Theme::Dark => Color32::from_rgb(0x5B, 0xA7, 0xF7),
        Theme::Light => Color32::from_rgb(0x0B, 0x63, 0xC5),
    }
}

/// Behind pictures: a neutral grey, so that the picture carries the colour.
pub fn canvas_colour(theme: Theme) -> Color32 {
    match theme {
        Theme::Dark => Color32::from_gray(0x16),
        Theme::Light => Color32::from_gray(0xD8),
    }
}

/// Width of the tool rail, in points.
pub const RAIL_WIDTH: f32 = 64.0;

/// Width of the inspector, in points.
pub const INSPECTOR_WIDTH: f32 = 280.0;

/// Room of its own that a scroll bar takes, in points.
pub const SCROLL_BAR_WIDTH: f32 = 10.0;

/// Colours of objects and clusters that are readable over any picture: matplotlib's tab10.
pub const TAB10: [[u8; 3]; 10] = [
    [0x1f, 0x77, 0xb4],
    [0xff, 0x7f, 0x0e],
    [0x2c, 0xa0, 0x2c],
    [0xd6, 0x27, 0x28],
    [0x94, 0x67, 0xbd],
    [0x8c, 0x56, 0x4b],
    [0xe3, 0x77, 0xc2],
    [0x7f, 0x7f, 0x7f],
    [0xbc, 0xbd, 0x22],
    [0x17, 0xbe, 0xcf],
];

/// Failures: readable on panels of either theme.
pub fn danger(theme: Theme) -> Color32 {
    match theme {
        Theme::Dark => Color32::from_rgb(0xFF, 0x8A, 0x80),
        Theme::Light => Color32::from_rgb(0xB3, 0x1B, 0x1B),
    }
}

/// Positive and negative queries: told apart by their sign too.
pub const POSITIVE: Color32 = Color32::from_rgb(0x3D, 0xDC, 0x84);
/// See [`POSITIVE`].
pub const NEGATIVE: Color32 = Color32::from_rgb(0xFF, 0x6B, 0x6B);

/// Sets up both themes, the three sizes of type and the icons. Once, at the start.
pub fn install(context: &Context) {
    egui_material_icons::initialize(context);
    for theme in [Theme::Dark, Theme::Light] {
        context.style_mut_of(theme, |style| {
            style.text_styles = [
                (TextStyle::Heading, FontId::proportional(16.0)),
                (TextStyle::Body, FontId::proportional(13.5)),
                (TextStyle::Button, FontId::proportional(13.5)),
                (TextStyle::Small, FontId::proportional(11.5)),
                (TextStyle::Monospace, FontId::monospace(12.5)),
            ]
            .into();
            // Ctrl+C copies the picture; a label that was swiped by accident would take it away.
            style.interaction.selectable_labels = false;
            style.spacing.item_spacing = vec2(8.0, 8.0);
            style.spacing.button_padding = vec2(8.0, 4.0);
            style.spacing.interact_size.y = 24.0;
            style.spacing.slider_width = 120.0;
            style.spacing.menu_margin = egui::Margin::same(8);
            style.spacing.window_margin = egui::Margin::same(16);
            // Room of its own, so that the bar does not lie over numbers and buttons.
            style.spacing.scroll =
                ScrollStyle { floating_allocated_width: SCROLL_BAR_WIDTH, ..ScrollStyle::floating() };
            style.visuals = visuals(theme);
        });
    }
}

fn visuals(theme: Theme) -> Visuals {
    let (mut visuals, grey): (_, fn(u8) -> Color32) = match theme {
        Theme::Dark => (Visuals::dark(), Color32::from_gray),
        Theme::Light => (Visuals::light(), |level| Color32::from_gray(255 - level)),
    };
    let is_dark = theme == Theme::Dark;
    let panel = if is_dark { grey(0x20) } else { Color32::from_gray(0xF4) };
    visuals.panel_fill = panel;
    visuals.window_fill = if is_dark { grey(0x28) } else { Color32::from_gray(0xFA) };
    visuals.extreme_bg_color = if is_dark { grey(0x14) } else { Color32::WHITE };
    visuals.faint_bg_color = if is_dark { grey(0x26) } else { Color32::from_gray(0xEC) };
    visuals.window_stroke = Stroke::new(1.0, if is_dark { grey(0x3A) } else { Color32::from_gray(0xC4) });
    visuals.hyperlink_color = accent(theme);
    visuals.selection.bg_fill = accent(theme).gamma_multiply(if is_dark { 0.45 } else { 0.35 });
    visuals.selection.stroke = Stroke::new(1.0, if is_dark { Color32::WHITE } else { Color32::BLACK });
    visuals.slider_trailing_fill = true;
    visuals.window_corner_radius = CornerRadius::same(8);
    visuals.menu_corner_radius = CornerRadius::same(8);
    let text = if is_dark { Color32::from_gray(0xD6) } else { Color32::from_gray(0x22) };
    visuals.widgets.noninteractive.fg_stroke.color = text;
    visuals.widgets.noninteractive.bg_stroke.color = if is_dark { grey(0x34) } else { Color32::from_gray(0xD0) };
    for widget in [&mut visuals.widgets.inactive, &mut visuals.widgets.hovered, &mut visuals.widgets.active] {
        widget.corner_radius = CornerRadius::same(4);
    }
    visuals.widgets.inactive.fg_stroke.color = text;
    // Readable on panels (4.5 to 1) in both themes.
    visuals.weak_text_color = Some(Color32::from_gray(if is_dark { 0x9A } else { 0x5C }));
    // Boxes and tracks can be told from the panel, and what has the keyboard from what has not.
    visuals.widgets.inactive.bg_fill = Color32::from_gray(if is_dark { 0x4A } else { 0xC4 });
    visuals.widgets.inactive.bg_stroke = Stroke::new(1.0, Color32::from_gray(if is_dark { 0x50 } else { 0xB4 }));
    visuals.widgets.active.bg_stroke = Stroke::new(2.0, accent(theme));
    visuals
}
