//! Everything around the canvas: files that come in and go out, the filmstrip, menus, keys, and what is remembered.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dinoscope::gui::{AskPerson, Launch, Question};
use egui::{Event, HoveredFile, Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use tempfile::TempDir;

use super::support::{Window, launch, open, project, wait_until};

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        fs::read(&self.0).map_err(|error| error.to_string())
    }
}

/// Lets files fall onto the window.
pub fn drop_files(window: &mut Window, paths: &[PathBuf]) {
    window.input_mut().dropped_files.extend(paths.iter().map(|path| Arc::new(Dropped(path.clone())) as _));
    window.step();
}

fn sees(label: &'static str) -> impl Fn(&mut Window) -> bool {
    move |window| window.query_by_label(label).is_some()
}

fn sees_part(text: &'static str) -> impl Fn(&mut Window) -> bool {
    move |window| window.query_all_by_label_contains(text).next().is_some()
}

/// Copies of a sample picture under other names.
fn pictures(folder: &TempDir, names: &[&str]) -> Vec<PathBuf> {
    let copy = |name: &&str| {
        let path = folder.path().join(name);
        fs::copy(project("assets/chelsea.png"), &path).expect("copied");
        path
    };
    names.iter().map(copy).collect()
}

/// A person who answers every dialog with the same path, and the questions that were asked.
fn person(path: PathBuf) -> (AskPerson, Arc<Mutex<Vec<Question>>>) {
    let questions = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&questions);
    let answer = move |question: &Question| {
        asked.lock().expect("not poisoned").push(question.clone());
        Ok(vec![path.clone()])
    };
    (AskPerson::new(answer), questions)
}

#[test]
fn dropped_pictures_open_and_the_first_is_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = pictures(&folder, &["a.png", "b.png"]);
    let mut window = open(launch(&[]));
    wait_until(&mut window, "the sample", sees("View of chelsea.png"));
    let hovered = paths.iter().map(|path| HoveredFile { path: Some(path.clone()), ..HoveredFile::default() });
    window.input_mut().hovered_files = hovered.collect();
    wait_until(&mut window, "what will happen", sees("Open 2 pictures"));
    window.input_mut().hovered_files.clear();
    drop_files(&mut window, &paths);
    wait_until(&mut window, "the first picture", sees("View of a.png"));
    assert!(window.query_by_label("Open 2 pictures").is_none(), "the drop zone is gone");
    window.get_by_label("Picture b.png").click();
    wait_until(&mut window, "the second picture", sees("View of b.png"));
    drop_files(&mut window, &paths[..1]);
    wait_until(&mut window, "the first picture again", sees("View of a.png"));
    assert_eq!(window.query_all_by_label_contains("Picture a.png").count(), 1, "a file is opened once");
}

#[test]
fn what_cannot_be_opened_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = folder.path().join("clip.mp4");
    let damaged = folder.path().join("damaged.png");
    fs::write(&clip, b"\0\0\0\x20ftypisom").expect("written");
    fs::write(&damaged, b"\x89PNG\r\n\x1a\n and no more").expect("written");
    let mut window = open(launch(&[]));
    wait_until(&mut window, "the sample", sees("View of chelsea.png"));
    drop_files(&mut window, &[clip]);
    wait_until(&mut window, "a sentence about videos", sees_part("clip.mp4 as a video"));
    window.get_by_label("Close").click();
    wait_until(&mut window, "the sample again", sees("View of chelsea.png"));

    drop_files(&mut window, std::slice::from_ref(&damaged));
    wait_until(&mut window, "a sentence where the picture would be", sees("Try again"));
    fs::copy(project("assets/chelsea.png"), &damaged).expect("mended");
    window.get_by_label("Try again").click();
    wait_until(&mut window, "the mended picture", sees("View of damaged.png"));
}

#[test]
fn paths_and_pictures_are_pasted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = pictures(&folder, &["from text.png"]).remove(0);
    let mut window = open(launch(&[]));
    wait_until(&mut window, "the sample", sees("View of chelsea.png"));
    window.input_mut().events.push(Event::Paste(path.display().to_string()));
    wait_until(&mut window, "the picture of the path", sees("View of from text.png"));
    let image = egui::ColorImage::filled([40, 30], egui::Color32::RED);
    window.input_mut().events.push(Event::PasteImage(Arc::new(image)));
    wait_until(&mut window, "the pasted picture", sees("View of Pasted picture 1"));
    window.input_mut().events.push(Event::Paste("nothing that is a file".to_owned()));
    wait_until(&mut window, "a sentence", sees_part("neither a picture nor paths"));
}

#[test]
fn the_picture_is_copied() {
    let mut window = open(launch(&[]));
    wait_until(&mut window, "the sample", sees("View of chelsea.png"));
    window.input_mut().events.push(Event::Copy);
    let mut copied = None;
    wait_until(&mut window, "an image for the clipboard", |window| {
        let commands = &window.output().platform_output.commands;
        copied = copied.take().or(commands.iter().find_map(|command| match command {
            egui::OutputCommand::CopyImage(image) => Some(image.size),
            _ => None,
        }));
        copied.is_some()
    });
    assert_eq!(copied, Some([451, 300]), "at full resolution");
}

#[test]
fn an_export_names_its_origin() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("features.safetensors");
    let (ask, questions) = person(target.clone());
    let mut window = open(Launch { ask, ..launch(&[]) });
    wait_until(&mut window, "features to export", |window| {
        window.get_by_label_contains("Files").click();
        window.run_steps(2);
        window.get_by_label("Export").hover();
        window.run_steps(3);
        // The map comes a moment after the features, and moves them down the menu.
        let is_offered = window.query_by_label("Picture with map (PNG)").is_some();
        if !is_offered {
            window.key_press(Key::Escape);
            window.run_steps(2);
        }
        is_offered
    });
    window.get_by_label("Features (safetensors)").click();
    wait_until(&mut window, "a sentence about the file", sees("Show file"));
    assert_eq!(questions.lock().expect("not poisoned")[0].file_name, "chelsea.features.safetensors");
    let bytes = fs::read(target).expect("written");
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).expect("safetensors");
    let metadata = header.metadata().as_ref().expect("metadata");
    assert_eq!((metadata["model"].as_str(), metadata["device"].as_str()), ("demo", "cpu"));
    assert!(metadata["weights"].len() == 64 && metadata["size"] == "352x224", "{metadata:?}");
}

#[test]
fn the_last_workspace_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = pictures(&folder, &["a.png", "b.png", "c.png"]);
    let config_folder = Some(folder.path().join("config"));
    let remembering = |files: &[PathBuf]| Launch { config_folder: config_folder.clone(), ..launch(files) };
    let mut window = open(remembering(&paths));
    wait_until(&mut window, "the first picture", sees("View of a.png"));
    window.get_by_label("Picture c.png").click();
    wait_until(&mut window, "the third picture", sees("View of c.png"));
    let centre = window.get_by_label("View of c.png").rect().center();
    window.hover_at(centre);
    window.step();
    window.drag_at(centre);
    window.drop_at(centre);
    window.run_steps(3);
    window.state_mut().close();
    drop(window);
    let text = fs::read_to_string(folder.path().join("config/last.dinoscope.json")).expect("kept");
    assert!(text.contains("\"Point\""), "the query that was placed is kept: {text}");

    fs::remove_file(&paths[1]).expect("removed");
    let mut window = open(remembering(&[]));
    wait_until(&mut window, "the third picture again", sees("View of c.png"));
    wait_until(&mut window, "a sentence about what is gone", sees_part("b.png is not there"));
    assert!(window.query_by_label("Picture a.png").is_some() && window.query_by_label("Picture b.png").is_none());
    window.state_mut().close();
    drop(window);
    let text = fs::read_to_string(folder.path().join("config/last.dinoscope.json")).expect("kept");
    assert!(text.contains("\"Point\"") && !text.contains("b.png"), "{text}");
}

#[test]
fn a_workspace_is_saved_and_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("work.dinoscope.json");
    let (ask, _) = person(target.clone());
    let mut window = open(Launch { ask, ..launch(&pictures(&folder, &["a.png", "b.png"])) });
    wait_until(&mut window, "the pictures", sees("View of a.png"));
    window.key_press_modifiers(Modifiers::COMMAND, Key::S);
    wait_until(&mut window, "the file", |_| target.exists());
    window.key_press_modifiers(Modifiers::COMMAND, Key::W);
    window.run_steps(2);
    window.key_press_modifiers(Modifiers::COMMAND, Key::W);
    wait_until(&mut window, "an empty canvas", sees("Drop pictures here"));
    window.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::O);
    wait_until(&mut window, "the workspace", sees("View of a.png"));
    assert!(window.query_by_label("Picture b.png").is_some());
}

#[test]
fn damaged_settings_are_no_obstacle() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("settings.json"), "][").expect("written");
    fs::write(folder.path().join("last.dinoscope.json"), "][").expect("written");
    let mut window = open(Launch { config_folder: Some(folder.path().to_path_buf()), ..launch(&[]) });
    wait_until(&mut window, "the sample", sees("View of chelsea.png"));
    wait_until(&mut window, "a sentence about settings", sees_part("The settings were damaged"));
    wait_until(&mut window, "a sentence about the workspace", sees_part("last.dinoscope.json is no workspace"));
}

#[test]
fn the_help_lists_the_keys() {
    let mut window = open(launch(&[]));
    window.key_press(Key::Questionmark);
    wait_until(&mut window, "the help", sees("Zoom to the pointer"));
    window.key_press(Key::Escape);
    wait_until(&mut window, "no help", |window| window.query_by_label("Zoom to the pointer").is_none());
    window.key_press(Key::M);
    wait_until(&mut window, "the models", sees("Files of your own"));
    window.key_press(Key::Escape);
    wait_until(&mut window, "no models", |window| window.query_by_label("Files of your own").is_none());
}

#[test]
fn hundreds_of_pictures_cost_what_is_in_sight() {
    let folder = tempfile::tempdir().expect("a folder");
    // Names that differ in more than a number: those of a clip do not.
    let name = |number: usize| format!("{number:03}{}.png", ["a", "b"][number % 2]);
    let names: Vec<String> = (0..200).map(name).collect();
    let small = image::RgbImage::new(32, 24);
    names.iter().for_each(|name| small.save(folder.path().join(name)).expect("written"));
    let mut window = open(launch(&[folder.path().to_path_buf()]));
    wait_until(&mut window, "the first picture", sees("View of 000a.png"));
    let in_sight = window.query_all_by_label_contains("Picture ").count();
    assert!((5..40).contains(&in_sight), "{in_sight} of 200 thumbnails are drawn");
    window.key_press(Key::PageUp);
    wait_until(&mut window, "the last picture, scrolled into sight", |window| {
        window.query_by_label("View of 199b.png").is_some() && window.query_by_label("Picture 199b.png").is_some()
    });
}

#[test]
fn the_window_lives_while_a_dialog_is_open_and_cancelling_changes_nothing() {
    let (cancel, cancelled) = std::sync::mpsc::channel::<()>();
    let cancelled = Mutex::new(cancelled);
    let ask = AskPerson::new(move |_| {
        cancelled.lock().expect("not poisoned").recv().expect("the test goes on");
        Ok(Vec::new())
    });
    let mut window = open(Launch { ask, ..launch(&[]) });
    wait_until(&mut window, "the sample", sees("View of chelsea.png"));
    window.key_press(Key::O);
    window.run_steps(3);
    window.key_press(Key::Num2);
    wait_until(&mut window, "another tool meanwhile", sees_part("Explained variance"));
    window.key_press(Key::O);
    wait_until(&mut window, "a sentence", sees("Another dialog is open already"));
    cancel.send(()).expect("the dialog waits");
    window.key_press(Key::Num1);
    window.run_steps(5);
    assert!(sees("View of chelsea.png")(&mut window));
}

#[test]
fn files_opened_before_are_a_click_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let config_folder = Some(folder.path().join("config"));
    let paths = pictures(&folder, &["holiday.png"]);
    let remembering = |files: &[PathBuf]| Launch { config_folder: config_folder.clone(), ..launch(files) };
    let mut window = open(remembering(&paths));
    wait_until(&mut window, "the picture", sees("View of holiday.png"));
    window.key_press_modifiers(Modifiers::COMMAND, Key::W);
    wait_until(&mut window, "an empty canvas", sees("Drop pictures here"));
    window.state_mut().close();
    drop(window);
    let mut window = open(remembering(&[]));
    wait_until(&mut window, "a card", sees("Recent holiday.png"));
    window.get_by_label("Recent holiday.png").click();
    wait_until(&mut window, "the picture again", sees("View of holiday.png"));
}

#[test]
fn a_dropped_mask_is_the_foreground_until_that_is_undone() {
    let folder = tempfile::tempdir().expect("a folder");
    let mask = folder.path().join("cat-mask.png");
    image::GrayImage::from_fn(451, 300, |x, _| image::Luma([if x < 225 { 255 } else { 0 }]))
        .save(&mask)
        .expect("written");
    let mut window = open(launch(&[]));
    wait_until(&mut window, "the sample", sees("View of chelsea.png"));
    window.key_press(Key::Num2);
    wait_until(&mut window, "components", sees_part("Explained variance"));
    drop_files(&mut window, &[mask]);
    wait_until(&mut window, "the mask", |window| sees("cat-mask.png")(window) && sees_part("Outside")(window));
    assert!(sees_part("cat-mask.png is the foreground of chelsea.png")(&mut window), "that it is used is said");
    assert!(window.query_by_label("Picture cat-mask.png").is_none(), "it is no picture of its own");
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    wait_until(&mut window, "all patches", |window| !sees_part("Outside")(window));
}

#[test]
fn a_dropped_checkpoint_is_the_model() {
    let mut window = open(launch(&[]));
    wait_until(&mut window, "the sample", sees("View of chelsea.png"));
    drop_files(&mut window, &[project("assets/dinoscope-demo-vitt16.safetensors")]);
    wait_until(&mut window, "the model", sees_part("Model: dinoscope-demo-vitt16.safetensors, "));
}

#[test]
fn a_file_that_vanished_is_said_and_can_be_closed() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = pictures(&folder, &["a.png", "b.png"]);
    fs::remove_file(&paths[1]).expect("removed");
    let mut window = open(launch(&paths));
    wait_until(&mut window, "the other picture", sees("View of a.png"));
    wait_until(&mut window, "a sentence", sees_part("b.png cannot be read"));
}

#[test]
fn a_picture_that_claims_to_be_huge_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("huge.png");
    let mut bytes = fs::read(project("assets/chelsea.png")).expect("a sample");
    // Width and height in the header, and no more pixels than before.
    bytes[16..24].copy_from_slice(&[0, 1, 0x86, 0xA0, 0, 1, 0x86, 0xA0]);
    fs::write(&path, bytes).expect("written");
    let mut window = open(launch(&[path]));
    wait_until(&mut window, "a sentence where the picture would be", sees("Try again"));
    window.get_by_label("Close").click();
    wait_until(&mut window, "an empty canvas", sees("Drop pictures here"));
}

#[test]
fn a_failed_export_is_said_and_the_old_file_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    // A folder of that name cannot be written over.
    let target = folder.path().join("features.safetensors");
    fs::create_dir(&target).expect("a folder");
    fs::write(target.join("keep"), "me").expect("written");
    let (ask, _) = person(target.clone());
    let mut window = open(Launch { ask, ..launch(&[]) });
    wait_until(&mut window, "the sample", sees("View of chelsea.png"));
    window.key_press_modifiers(Modifiers::COMMAND, Key::E);
    wait_until(&mut window, "a sentence", sees_part("annot write"));
    assert_eq!(fs::read_to_string(target.join("keep")).expect("still there"), "me");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "no half file");
    assert!(sees("View of chelsea.png")(&mut window), "the program goes on");
}
