//! Everything that a key or a menu entry does: one table, from which keys, menus and the help are made.

use egui::{Context, Key, KeyboardShortcut, Modifiers};

use super::tools::ToolKind;

/// Something that a person can ask for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// The dialog for files.
    Open,
    /// The picture on the clipboard.
    Paste,
    /// Closes the active picture.
    Close,
    /// Takes the last step back.
    Undo,
    /// Does it again.
    Redo,
    /// The whole picture.
    Fit,
    /// One pixel of the picture on one of the screen.
    FullSize,
    /// Magnifies.
    ZoomIn,
    /// The reverse.
    ZoomOut,
    /// Lines between patches.
    PatchGrid,
    /// The next picture of the filmstrip.
    NextPicture,
    /// The previous one.
    PreviousPicture,
    /// Another tool.
    Use(ToolKind),
    /// The list of keys.
    Help,
    /// Dark or light.
    ToggleTheme,
    /// The list of models.
    Models,
    /// Ends the program.
    Quit,
}

/// One row of the table.
pub struct Entry {
    /// What is done.
    pub action: Action,
    /// For menus and the help.
    pub name: &'static str,
    /// The key, where it has one.
    pub shortcut: Option<KeyboardShortcut>,
    /// Heading in the help.
    pub group: &'static str,
}

const fn plain(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::NONE, key))
}

const fn command(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::COMMAND, key))
}

const fn command_shift(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key))
}

const fn entry(action: Action, name: &'static str, shortcut: Option<KeyboardShortcut>, group: &'static str) -> Entry {
    Entry { action, name, shortcut, group }
}

/// The table.
pub static TABLE: &[Entry] = &[
    entry(Action::Use(ToolKind::Similarity), "Similarity", plain(Key::Num1), "Tools"),
    entry(Action::Use(ToolKind::Pca), "PCA", plain(Key::Num2), "Tools"),
    entry(Action::Use(ToolKind::Matching), "Matching", plain(Key::Num3), "Tools"),
    entry(Action::Open, "Open…", plain(Key::O), "Files"),
    entry(Action::Paste, "Paste picture", command(Key::V), "Files"),
    entry(Action::Close, "Close picture", command(Key::W), "Files"),
    entry(Action::NextPicture, "Next picture", plain(Key::PageDown), "Files"),
    entry(Action::PreviousPicture, "Previous picture", plain(Key::PageUp), "Files"),
    entry(Action::Models, "Models…", plain(Key::M), "Files"),
    entry(Action::Quit, "Quit", command(Key::Q), "Files"),
    entry(Action::Redo, "Redo", command_shift(Key::Z), "Edit"),
    entry(Action::Undo, "Undo", command(Key::Z), "Edit"),
    entry(Action::Fit, "Fit the picture", plain(Key::F), "View"),
    entry(Action::FullSize, "100 %", plain(Key::Num0), "View"),
    entry(Action::ZoomIn, "Zoom in", plain(Key::Plus), "View"),
    entry(Action::ZoomOut, "Zoom out", plain(Key::Minus), "View"),
    entry(Action::PatchGrid, "Patch grid", plain(Key::G), "View"),
    entry(Action::ToggleTheme, "Dark or light", None, "View"),
    entry(Action::Help, "Keyboard shortcuts", plain(Key::Questionmark), "Help"),
];

/// Mouse and held keys, for the help: what is done, and how.
pub static GESTURES: &[(&str, &str)] = &[
    ("Zoom to the pointer", "Wheel"),
    ("Pan", "Middle button, or Space and drag"),
    ("Hide the overlay", "Hold H"),
    ("Size of the brush", "[ and ]"),
    ("Erase with the brush", "Right button"),
];

/// The row of an action.
pub fn entry_of(action: Action) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.action == action)
}

/// The key of an action as people write it, or nothing.
pub fn shortcut_text(context: &Context, action: Action) -> String {
    let shortcut = entry_of(action).and_then(|entry| entry.shortcut);
    shortcut.map(|shortcut| context.format_shortcut(&shortcut)).unwrap_or_default()
}

/// What the keys pressed in this frame ask for; nothing while somebody types.
pub fn pressed(context: &Context) -> Vec<Action> {
    if context.egui_wants_keyboard_input() {
        return Vec::new();
    }
    let asked = |entry: &&Entry| {
        entry.shortcut.is_some_and(|shortcut| context.input_mut(|input| input.consume_shortcut(&shortcut)))
    };
    TABLE.iter().filter(asked).map(|entry| entry.action).collect()
}
