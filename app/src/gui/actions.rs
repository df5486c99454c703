//! Everything that a key or a menu entry does: one table, from which keys, menus and the help are made.

use egui::os::OperatingSystem;
use egui::{Context, Event, Key, KeyboardShortcut, ModifierNames, Modifiers};

use super::tools::ToolKind;

/// Something that a person can ask for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// The dialog for files.
    Open,
    /// The picture on the clipboard.
    Paste,
    /// What is on the canvas, to the clipboard.
    Copy,
    /// What is on the canvas, to a file.
    Export,
    /// The dialog for the workspace's file.
    SaveWorkspace,
    /// The reverse.
    OpenWorkspace,
    /// Closes the active picture.
    Close,
    /// Closes all pictures.
    CloseAll,
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
    /// Plays the clip, or stops it.
    Play,
    /// One frame on.
    NextFrame,
    /// One frame back.
    PreviousFrame,
    /// The first frame that is played.
    FirstFrame,
    /// The last one.
    LastFrame,
    /// Records what is on the canvas as a video.
    Record,
    /// Playing begins at this frame.
    SetIn,
    /// Playing ends at this frame.
    SetOut,
    /// The two pictures that are side by side change places.
    SwapSides,
    /// Another tool.
    Use(ToolKind),
    /// The list of keys.
    Help,
    /// Version and licences.
    About,
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

const fn shift(key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(Modifiers::SHIFT, key))
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
    entry(Action::Use(ToolKind::Tracking), "Tracking", plain(Key::Num4), "Tools"),
    entry(Action::Open, "Open…", plain(Key::O), "Files"),
    entry(Action::OpenWorkspace, "Open workspace…", command_shift(Key::O), "Files"),
    entry(Action::SaveWorkspace, "Save workspace…", command(Key::S), "Files"),
    entry(Action::Export, "Export picture…", command(Key::E), "Files"),
    entry(Action::Close, "Close picture", command(Key::W), "Files"),
    entry(Action::CloseAll, "Close all pictures", command_shift(Key::W), "Files"),
    entry(Action::NextPicture, "Next picture", plain(Key::PageDown), "Files"),
    entry(Action::PreviousPicture, "Previous picture", plain(Key::PageUp), "Files"),
    entry(Action::Models, "Models…", plain(Key::M), "Files"),
    entry(Action::Quit, "Quit", command(Key::Q), "Files"),
    entry(Action::Play, "Play or stop", plain(Key::K), "Video"),
    entry(Action::NextFrame, "Next frame", plain(Key::Period), "Video"),
    entry(Action::PreviousFrame, "Previous frame", plain(Key::Comma), "Video"),
    entry(Action::FirstFrame, "First frame", plain(Key::Home), "Video"),
    entry(Action::LastFrame, "Last frame", plain(Key::End), "Video"),
    entry(Action::Record, "Record video…", plain(Key::R), "Video"),
    entry(Action::SetIn, "Begin at this frame", plain(Key::I), "Video"),
    entry(Action::SetOut, "End at this frame", shift(Key::I), "Video"),
    entry(Action::Undo, "Undo", command(Key::Z), "Edit"),
    entry(Action::Redo, "Redo", command_shift(Key::Z), "Edit"),
    entry(Action::Copy, "Copy picture", command(Key::C), "Edit"),
    entry(Action::Paste, "Paste picture or files", command(Key::V), "Edit"),
    entry(Action::Fit, "Fit the picture", plain(Key::F), "View"),
    entry(Action::FullSize, "100 %", plain(Key::Num0), "View"),
    entry(Action::ZoomIn, "Zoom in", plain(Key::Plus), "View"),
    entry(Action::ZoomOut, "Zoom out", plain(Key::Minus), "View"),
    entry(Action::PatchGrid, "Patch grid", plain(Key::G), "View"),
    entry(Action::SwapSides, "Swap left and right", plain(Key::X), "View"),
    entry(Action::ToggleTheme, "Switch dark and light", None, "View"),
    entry(Action::Help, "Keyboard shortcuts", plain(Key::Questionmark), "Help"),
    entry(Action::About, "About dinoscope", None, "Help"),
];

/// Keys that do the same as those of the table, for people who know them from elsewhere.
static ALIASES: &[(Action, KeyboardShortcut)] = &[
    (Action::Open, KeyboardShortcut::new(Modifiers::COMMAND, Key::O)),
    (Action::Redo, KeyboardShortcut::new(Modifiers::COMMAND, Key::Y)),
    (Action::Help, KeyboardShortcut::new(Modifiers::NONE, Key::F1)),
    (Action::ZoomIn, KeyboardShortcut::new(Modifiers::NONE, Key::Equals)),
];

/// Mouse and held keys, for the help: what is done, and how.
pub static GESTURES: &[(&str, &str)] = &[
    ("Zoom to the pointer", "Wheel"),
    ("Pan", "Middle button, or Space and drag"),
    ("Hide the overlay", "Hold H"),
    ("Size of the brush", "[ and ]"),
    ("Erase with the brush", "Right button"),
];

/// Keys of the similarity tool, for the help: what is done, and how.
pub static SIMILARITY_KEYS: &[(&str, &str)] = &[
    ("Pin what is like it, unlike it", "Click, Shift+Click"),
    ("Pin a box", "Drag"),
    ("Points and boxes, or brush", "B"),
    ("Like or unlike", "N"),
    ("Follow the pointer", "Hold Alt"),
    ("Move a query by a patch", "Arrows"),
    ("Remove the selected query", "Delete"),
    ("Raw or stretched scale", "S"),
    ("Smooth or patches", "P"),
];

/// The row of an action.
pub fn entry_of(action: Action) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.action == action)
}

/// The key of an action as people write it, or nothing.
pub fn shortcut_text(context: &Context, action: Action) -> String {
    let Some(shortcut) = entry_of(action).and_then(|entry| entry.shortcut) else { return String::new() };
    let sign = match shortcut.logical_key {
        Key::Plus => "+",
        Key::Minus => "−",
        Key::Questionmark => "?",
        Key::PageDown => "Page down",
        Key::PageUp => "Page up",
        _ => return context.format_shortcut(&shortcut),
    };
    if shortcut.modifiers.is_none() {
        return sign.to_owned();
    }
    let names = ModifierNames::NAMES.format(&shortcut.modifiers, context.os() == OperatingSystem::Mac);
    format!("{names}+{sign}")
}

/// What the keys pressed in this frame ask for. While somebody types, only what no text field understands.
pub fn pressed(context: &Context) -> Vec<Action> {
    let is_typing = context.text_edit_focused();
    let is_meant = |action: Action, shortcut: &KeyboardShortcut| {
        let is_of_text = matches!(action, Action::Undo | Action::Redo | Action::Copy | Action::Paste);
        !is_typing || (shortcut.modifiers.command && !is_of_text)
    };
    let keys = TABLE.iter().filter_map(|entry| Some((entry.action, entry.shortcut?)));
    let keys = keys.chain(ALIASES.iter().copied());
    // Shift is ignored where a shortcut does not name it, so those that do are asked first.
    let (with_shift, without): (Vec<_>, Vec<_>) = keys.partition(|(_, shortcut)| shortcut.modifiers.shift);
    let mut asked: Vec<Action> = with_shift
        .into_iter()
        .chain(without)
        .filter(|(action, shortcut)| is_meant(*action, shortcut))
        .filter(|(_, shortcut)| context.input_mut(|input| input.consume_shortcut(shortcut)))
        .map(|(action, _)| action)
        .collect();
    // The system's copy arrives as an event of its own, without its key.
    if !is_typing && context.input(|input| input.events.contains(&Event::Copy)) {
        asked.push(Action::Copy);
    }
    asked
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use egui::RawInput;

    use super::*;

    #[test]
    fn no_key_does_two_things() {
        let keys = TABLE.iter().filter_map(|entry| entry.shortcut).chain(ALIASES.iter().map(|(_, key)| *key));
        let mut seen = HashSet::new();
        keys.for_each(|key| assert!(seen.insert(key), "{key:?} stands twice"));
    }

    #[test]
    fn every_key_can_be_read() {
        let context = Context::default();
        for entry in TABLE.iter().filter(|entry| entry.shortcut.is_some()) {
            let text = shortcut_text(&context, entry.action);
            assert!(!text.is_empty() && !text.contains("mark"), "{}: {text}", entry.name);
        }
    }

    #[test]
    fn shift_makes_another_key() {
        let context = Context::default();
        let mut asked = Vec::new();
        for modifiers in [Modifiers::COMMAND, Modifiers::COMMAND.plus(Modifiers::SHIFT)] {
            let event = Event::Key { key: Key::Z, physical_key: None, pressed: true, repeat: false, modifiers };
            let events = vec![Event::ModifiersChanged(modifiers), event];
            let input = RawInput { events, ..RawInput::default() };
            let _ = context.run_ui(input, |ui| asked.extend(pressed(ui.ctx())));
        }
        assert_eq!(asked, [Action::Undo, Action::Redo]);
    }
}
