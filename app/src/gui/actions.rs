//! Everything that a key or a menu entry does: tables from which keys, menus, tooltips and the help are made.

use egui::os::OperatingSystem;
use egui::{Context, Event, Key, KeyboardShortcut, ModifierNames, Modifiers, Ui};

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
    entry(Action::Use(ToolKind::Words), "Words", plain(Key::Num5), "Tools"),
    entry(Action::Use(ToolKind::Probe), "Probe", plain(Key::Num6), "Tools"),
    entry(Action::Use(ToolKind::Retrieval), "Retrieval", plain(Key::Num7), "Tools"),
    entry(Action::Use(ToolKind::Depth), "Depth", plain(Key::Num8), "Tools"),
    entry(Action::Use(ToolKind::Segment), "Segment", plain(Key::Num9), "Tools"),
    entry(Action::Use(ToolKind::Detect), "Detect", plain(Key::D), "Tools"),
    entry(Action::Use(ToolKind::Classify), "Classify", plain(Key::L), "Tools"),
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

/// Something that a tool does on the canvas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ToolAction {
    /// Fixed or stretched colours.
    SwitchScale,
    /// Smooth or patch by patch.
    SwitchDrawing,
    /// What is placed next asks for what is like or unlike.
    SwitchSign,
    /// The left button places points and boxes, or paints.
    SwitchBrush,
    /// Places a query where the pointer was last.
    Pin,
    /// Removes what is selected.
    Remove,
    /// Lets go of what is being drawn, selected or pinned.
    LetGo,
    /// The brush.
    SmallerBrush,
    /// The brush.
    LargerBrush,
    /// Paints objects with the brush.
    Brush,
    /// Outlines objects.
    Polygon,
    /// Grows objects from clicks.
    Region,
    /// Another object.
    AddObject,
    /// Follows objects through the clip.
    Follow,
    /// What waits becomes part of the object.
    Apply,
    /// The last corner goes.
    RemoveCorner,
    /// Moves by a patch.
    Up,
    /// Moves by a patch.
    Down,
    /// Moves by a patch.
    Left,
    /// Moves by a patch.
    Right,
}

/// One row of the table of tools.
pub struct ToolEntry {
    /// What is done.
    pub action: ToolAction,
    /// For the help.
    pub name: &'static str,
    /// Without Ctrl, Alt or Shift.
    pub key: Key,
    /// Heading in the help.
    pub group: &'static str,
}

const fn of_tool(action: ToolAction, name: &'static str, key: Key, group: &'static str) -> ToolEntry {
    ToolEntry { action, name, key, group }
}

/// The table of tools; actions of one name are one line of the help, with the first key of each.
pub static TOOL_TABLE: &[ToolEntry] = &[
    of_tool(ToolAction::SwitchBrush, "Points and boxes, or brush", Key::B, "Similarity"),
    of_tool(ToolAction::SwitchSign, "Like or unlike", Key::N, "Similarity"),
    of_tool(ToolAction::SwitchScale, "Raw or stretched scale", Key::S, "Similarity"),
    of_tool(ToolAction::SwitchDrawing, "Smooth or patches", Key::P, "Similarity"),
    of_tool(ToolAction::Pin, "Pin the patch pointed at", Key::Enter, "Similarity"),
    of_tool(ToolAction::Remove, "Remove the query", Key::Delete, "Similarity"),
    of_tool(ToolAction::Remove, "Remove the query", Key::Backspace, "Similarity"),
    of_tool(ToolAction::Brush, "Paint with the brush", Key::B, "Tracking"),
    of_tool(ToolAction::Polygon, "Outline with a polygon", Key::P, "Tracking"),
    of_tool(ToolAction::Region, "Grow from clicks", Key::C, "Tracking"),
    of_tool(ToolAction::AddObject, "Another object", Key::N, "Tracking"),
    of_tool(ToolAction::Apply, "Add the region to the object", Key::Enter, "Tracking"),
    of_tool(ToolAction::RemoveCorner, "Take the last corner back", Key::Backspace, "Tracking"),
    of_tool(ToolAction::Follow, "Follow through the clip", Key::T, "Tracking"),
    of_tool(ToolAction::Up, "Move it by a patch", Key::ArrowUp, "Canvas"),
    of_tool(ToolAction::Down, "Move it by a patch", Key::ArrowDown, "Canvas"),
    of_tool(ToolAction::Left, "Move it by a patch", Key::ArrowLeft, "Canvas"),
    of_tool(ToolAction::Right, "Move it by a patch", Key::ArrowRight, "Canvas"),
    of_tool(ToolAction::LetGo, "Let go of it", Key::Escape, "Canvas"),
    of_tool(ToolAction::SmallerBrush, "Size of the brush", Key::OpenBracket, "Canvas"),
    of_tool(ToolAction::LargerBrush, "Size of the brush", Key::CloseBracket, "Canvas"),
];

/// What a key does as long as it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Only the picture is drawn.
    HideOverlay,
    /// The left button moves the canvas.
    Pan,
}

/// Keys that are held, with their names for the help.
pub static HELD: &[(Held, &str, Key)] =
    &[(Held::HideOverlay, "Hide the overlay", Key::H), (Held::Pan, "Pan with the left button", Key::Space)];

/// The mouse, for the help: what is done, and how.
pub static GESTURES: &[(&str, &str)] = &[
    ("Zoom to the pointer", "Wheel"),
    ("Pan", "Middle button"),
    ("Larger, smaller window", "Ctrl+ Ctrl−"),
    ("Ask for what is like it", "Click"),
    ("Ask for what is unlike it", "Shift+Click"),
    ("Ask about a box", "Drag"),
    ("Follow the pointer", "Hold Alt"),
    ("Pin or unpin a match", "Click"),
    ("Erase with a brush", "Right button"),
    ("Search from a result", "Click"),
    ("Open a result", "Double click"),
];

/// The row of an action.
pub fn entry_of(action: Action) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.action == action)
}

/// The key of an action as people write it, or nothing.
pub fn shortcut_text(context: &Context, action: Action) -> String {
    let Some(shortcut) = entry_of(action).and_then(|entry| entry.shortcut) else { return String::new() };
    let key = key_text(shortcut.logical_key);
    if shortcut.modifiers.is_none() {
        return key.to_owned();
    }
    let names = ModifierNames::NAMES.format(&shortcut.modifiers, context.os() == OperatingSystem::Mac);
    format!("{names}+{key}")
}

/// A sentence and the keys of an action behind it, for tooltips: "Fit the picture (F)".
pub fn with_keys(sentence: &str, actions: &[ToolAction]) -> String {
    let keys = TOOL_TABLE.iter().filter(|entry| actions.contains(&entry.action)).map(|entry| key_text(entry.key));
    format!("{sentence} ({})", keys.collect::<Vec<_>>().join(" "))
}

/// A key as people call it.
pub fn key_text(key: Key) -> &'static str {
    match key {
        Key::ArrowUp => "↑",
        Key::ArrowDown => "↓",
        Key::ArrowLeft => "←",
        Key::ArrowRight => "→",
        Key::PageDown => "Page down",
        Key::PageUp => "Page up",
        other => other.symbol_or_name(),
    }
}

/// Whether a key of the action was pressed in this frame; it is taken then.
pub fn taken(ui: &Ui, action: ToolAction) -> bool {
    let mut keys = TOOL_TABLE.iter().filter(|entry| entry.action == action);
    keys.any(|entry| ui.input_mut(|input| input.consume_key(Modifiers::NONE, entry.key)))
}

/// Rows down and columns to the right that the keys pressed in this frame ask for.
pub fn steps(ui: &Ui) -> (i32, i32) {
    let step = |back, forth| i32::from(taken(ui, forth)) - i32::from(taken(ui, back));
    (step(ToolAction::Up, ToolAction::Down), step(ToolAction::Left, ToolAction::Right))
}

/// What the keys pressed in this frame multiply the size of a brush by.
pub fn brush_factor(ui: &Ui) -> f32 {
    /// Of one press.
    const STEP: f32 = 1.25;
    let smaller = if taken(ui, ToolAction::SmallerBrush) { 1.0 / STEP } else { 1.0 };
    let larger = if taken(ui, ToolAction::LargerBrush) { STEP } else { 1.0 };
    smaller * larger
}

/// Whether a key is held, and nobody types.
pub fn is_held(context: &Context, held: Held) -> bool {
    let mut keys = HELD.iter().filter(|(known, _, _)| *known == held);
    !context.text_edit_focused() && keys.any(|(_, _, key)| context.input(|input| input.key_down(*key)))
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
        // Only one tool at a time takes its own keys.
        let groups: HashSet<&str> = TOOL_TABLE.iter().map(|entry| entry.group).collect();
        for group in groups {
            let keys = TABLE.iter().filter_map(|entry| entry.shortcut).chain(ALIASES.iter().map(|(_, key)| *key));
            let tool = TOOL_TABLE.iter().filter(|entry| entry.group == group || entry.group == "Canvas");
            let tool = tool.map(|entry| KeyboardShortcut::new(Modifiers::NONE, entry.key));
            let held = HELD.iter().map(|(_, _, key)| KeyboardShortcut::new(Modifiers::NONE, *key));
            let mut seen = HashSet::new();
            keys.chain(tool).chain(held).for_each(|key| assert!(seen.insert(key), "{group}: {key:?} stands twice"));
        }
    }

    #[test]
    fn every_key_can_be_read() {
        let context = Context::default();
        for entry in TABLE.iter().filter(|entry| entry.shortcut.is_some()) {
            let text = shortcut_text(&context, entry.action);
            assert!(!text.is_empty() && !text.contains("mark"), "{}: {text}", entry.name);
        }
        assert_eq!(with_keys("Size", &[ToolAction::SmallerBrush, ToolAction::LargerBrush]), "Size ([ ])");
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
