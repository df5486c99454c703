//! Retrieval: a folder is indexed and searched, by whole pictures, by a part, by several; results are opened and written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use dinoscope::gui::{AskPerson, Launch};
use dinoscope_engine::image::SizeRule;
use dinoscope_engine::retrieval::{Index, Recipe};
use egui::accesskit::Role;
use egui::{Event, HoveredFile, Key, Modifiers, PointerButton, Pos2, Rect, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use tempfile::TempDir;

use super::access;
use super::fake::fake;
use super::shell::drop_files;
use super::support::{Window, click, drag, launch, open, project, sees, wait_until};

const NAMES: [&str; 5] = ["astronaut.png", "chelsea.png", "china.jpg", "coffee.png", "flower.jpg"];

/// A folder with the sample pictures.
fn holiday() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let set = folder.path().join("holiday");
    fs::create_dir(&set).expect("a folder");
    for name in NAMES {
        fs::copy(project("assets").join(name), set.join(name)).expect("copied");
    }
    (folder, set)
}

/// A window with the tool and that picture. Every dialog answers with `answer`.
fn retrieving(files: &[PathBuf], answer: &Path) -> Window {
    let answer = answer.to_path_buf();
    let ask = AskPerson::new(move |_| Ok(vec![answer.clone()]));
    let mut window = open(Launch { ask, ..launch(files) });
    window.key_press(Key::Num7);
    let name = files[0].file_name().expect("a name").to_string_lossy().into_owned();
    wait_until(&mut window, "the picture", |window| window.query_by_label(&format!("View of {name}")).is_some());
    window
}

fn choose_folder(window: &mut Window) {
    window.get_by_label("Choose folder…").click();
    window.run_steps(2);
}

/// Names of the results in the order of their ranks, with what stands behind the name.
fn results(window: &Window) -> Vec<(String, String)> {
    let labels = window.query_all_by_label_contains("Result ");
    let labels = labels.filter_map(|node| node.accesskit_node().label());
    let mut ranked: Vec<(usize, String, String)> = labels
        .filter_map(|label| {
            let mut parts = label.strip_prefix("Result ")?.splitn(3, ", ");
            let rank = parts.next()?.parse().ok()?;
            Some((rank, parts.next()?.to_owned(), parts.next()?.to_owned()))
        })
        .collect();
    ranked.sort();
    ranked.into_iter().map(|(_, name, note)| (name, note)).collect()
}

/// As [`results`], by the program without its window.
fn results_of_the_command_line(set: &Path) -> Vec<(String, String)> {
    let output = Command::new(env!("CARGO_BIN_EXE_dinoscope"))
        .args(["retrieve", "search", "--device", "cpu", "--json"])
        .arg(set.with_file_name("holiday.index"))
        .arg("--image")
        .arg(set.join("chelsea.png"))
        .output()
        .expect("it runs");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let result = |result: &serde_json::Value| {
        let path = Path::new(result["image"].as_str().expect("a path"));
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, format!("{:.3}", result["score"].as_f64().expect("a score")))
    };
    found["results"].as_array().expect("results").iter().map(result).collect()
}

/// All five are indexed and found.
fn wait_for_all(window: &mut Window) {
    wait_until(window, "all results", |window| {
        window.query_by_label("Update").is_some() && window.query_by_label("5 of 5").is_some()
    });
}

fn wait_for_first(window: &mut Window, name: &str) {
    wait_until(window, &format!("{name} first"), |window| {
        results(window).first().is_some_and(|(first, note)| first == name && note.starts_with("1.000"))
    });
}

/// Where a result is.
fn tile(window: &Window, name: &str) -> Pos2 {
    let part = format!(", {name}, ");
    let mut nodes = window.query_all_by_label_contains(&part);
    nodes.next().unwrap_or_else(|| panic!("no result {name}")).rect().center()
}

/// A point of the cat's picture, by shares of its width and height.
fn place(window: &Window, x: f32, y: f32) -> Pos2 {
    let rect = window.get_by_label("View of chelsea.png").rect();
    let size = vec2(451.0, 300.0);
    let scale = ((rect.width() - 16.0) / size.x).min((rect.height() - 16.0) / size.y);
    let shown = Rect::from_center_size(rect.center(), size * scale);
    shown.min + vec2(x, y) * shown.size()
}

fn is_open(window: &Window, name: &str) -> bool {
    window.query_by_label(&format!("Picture {name}")).is_some()
}

#[test]
fn a_folder_is_indexed_beside_itself_and_results_are_looked_at() {
    let (_folder, set) = holiday();
    fs::write(set.join("broken.png"), b"no picture").expect("written");
    let mut window = retrieving(&[set.join("chelsea.png")], &set);
    assert!(sees(&window, "Search a folder of pictures"));
    choose_folder(&mut window);
    wait_for_first(&mut window, "chelsea.png");
    wait_for_all(&mut window);
    let mut names: Vec<String> = results(&window).into_iter().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(names, NAMES);
    assert!(sees(&window, "Like chelsea.png") && sees(&window, "5 pictures, demo, size 384"));
    let recipe = Index::recipe_in(&set.with_file_name("holiday.index")).expect("an index").expect("an index");
    assert_eq!((recipe.model.as_str(), recipe.size), ("demo", SizeRule::ShortSide(384)));
    assert_eq!(results_of_the_command_line(&set), results(&window));
    // What is broken is named.
    window.get_by_label("1 not readable").click();
    wait_until(&mut window, "its name", |window| sees(window, "broken.png"));

    // A click looks at a result and searches from it; the next one takes its place.
    let at = tile(&window, "coffee.png");
    click(&mut window, at, Modifiers::NONE);
    wait_for_first(&mut window, "coffee.png");
    assert!(sees(&window, "View of coffee.png") && is_open(&window, "coffee.png"));
    let at = tile(&window, "flower.jpg");
    click(&mut window, at, Modifiers::NONE);
    wait_for_first(&mut window, "flower.jpg");
    wait_until(&mut window, "coffee.png closed", |window| !is_open(window, "coffee.png"));
    window.get_by_label("Back").click();
    wait_for_first(&mut window, "chelsea.png");
    wait_until(&mut window, "flower.jpg closed", |window| !is_open(window, "flower.jpg"));

    // A double click opens one for good.
    let at = tile(&window, "coffee.png");
    window.hover_at(at);
    window.step();
    for _ in 0..2 {
        for pressed in [true, false] {
            let button = PointerButton::Primary;
            window.event(Event::PointerButton { pos: at, button, pressed, modifiers: Modifiers::NONE });
        }
        window.step();
    }
    wait_for_first(&mut window, "coffee.png");
    window.get_by_label("Picture chelsea.png").click();
    wait_for_first(&mut window, "chelsea.png");
    window.run_steps(5);
    assert!(is_open(&window, "coffee.png"));
    // Enter does it too.
    window.get_by_label_contains(", flower.jpg, ").focus();
    window.run_steps(2);
    window.key_press(Key::Enter);
    wait_for_first(&mut window, "flower.jpg");
    assert!(is_open(&window, "flower.jpg") && window.query_by_label("Keep open").is_none());
}

#[test]
fn a_part_is_found_where_it_is() {
    let (_folder, set) = holiday();
    let mut window = retrieving(&[set.join("chelsea.png")], &set);
    choose_folder(&mut window);
    wait_for_all(&mut window);
    let (from, to) = (place(&window, 0.28, 0.25), place(&window, 0.48, 0.53));
    drag(&mut window, from, to);
    wait_until(&mut window, "a search for the part", |window| sees(window, "Like a part of chelsea.png"));
    let (name, note) = results(&window).remove(0);
    let (_, at) = note.split_once(" at ").expect("a place");
    let (x, y) = at.split_once(',').expect("x and y");
    let (x, y): (f32, f32) = (x.parse().expect("x"), y.parse().expect("y"));
    assert_eq!(name, "chelsea.png");
    assert!((0.28..0.48).contains(&(x / 451.0)) && (0.25..0.53).contains(&(y / 300.0)), "{note}");
    // A click takes the box away, undo brings it back.
    click(&mut window, from, Modifiers::NONE);
    wait_until(&mut window, "the whole", |window| window.query_by_label("Like chelsea.png").is_some());
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    wait_until(&mut window, "the part again", |window| sees(window, "Like a part of chelsea.png"));
    window.get_by_label("Whole picture").click();
    wait_until(&mut window, "the whole again", |window| window.query_by_label("Like chelsea.png").is_some());
}

#[test]
fn several_pictures_are_searched_for_and_a_result_is_matched() {
    let (_folder, set) = holiday();
    let files = [set.join("chelsea.png"), set.join("coffee.png")];
    let mut window = retrieving(&files, &set);
    choose_folder(&mut window);
    wait_for_all(&mut window);
    window.get_by_label("Like these too").click();
    wait_until(&mut window, "the list", |window| {
        window.query_by_role_and_label(Role::CheckBox, "coffee.png").is_some()
    });
    window.get_by_role_and_label(Role::CheckBox, "coffee.png").click();
    wait_until(&mut window, "both", |window| sees(window, "Like chelsea.png and 1 more"));
    let both = results(&window);
    let mut first: Vec<&str> = both[..2].iter().map(|(name, _)| name.as_str()).collect();
    first.sort_unstable();
    assert_eq!(first, ["chelsea.png", "coffee.png"]);
    assert!(*both[0].1 < *"1.000", "like each, and the same as none: {both:?}");
    window.get_by_role_and_label(Role::CheckBox, "coffee.png").click();
    wait_until(&mut window, "one", |window| window.query_by_label("Like chelsea.png").is_some());

    let at = tile(&window, "flower.jpg");
    click(&mut window, at, Modifiers::NONE);
    wait_for_first(&mut window, "flower.jpg");
    window.get_by_label("Match").click();
    wait_until(&mut window, "both pictures in Matching", |window| {
        window.query_by_label("View of chelsea.png").is_some() && window.query_by_label("View of flower.jpg").is_some()
    });
}

#[test]
fn an_index_of_another_model_is_refused_and_one_beside_it_made() {
    let (folder, set) = holiday();
    let other = folder.path().join("holiday.index");
    let recipe = Recipe { model: "vits16".into(), weights: "cd34".into(), size: SizeRule::ShortSide(512), dim: 384 };
    Index::create(&other, &recipe).expect("an index");
    let mut window = retrieving(&[set.join("chelsea.png")], &set);
    window.get_by_label("The picture's folder").click();
    let sentence = "The index holiday.index was made with vits16, not with demo";
    wait_until(&mut window, "a sentence", |window| sees(window, sentence));
    assert!(window.query_by_label("Use vits16").is_some());
    window.get_by_label("Index anew with demo").click();
    wait_for_first(&mut window, "chelsea.png");
    assert_eq!(Index::recipe_in(&other).expect("an index"), Some(recipe), "it is as it was");
    assert!(folder.path().join("holiday.demo.384.index/index.json").exists());

    // What is no index is told too.
    let file = folder.path().join("holiday.demo.384.index/index.json");
    wait_for_all(&mut window);
    fs::write(file, "{}").expect("written");
    window.get_by_label("Update").click();
    // A search that was still on its way may have told it before.
    wait_until(&mut window, "a sentence", |window| {
        sees(window, "is no index of pictures") && window.query_by_label("Index again").is_some()
    });
}

#[test]
fn what_has_changed_or_gone_is_named_and_brought_up_to_date() {
    let (_folder, set) = holiday();
    let mut window = retrieving(&[set.join("chelsea.png")], &set);
    choose_folder(&mut window);
    wait_for_all(&mut window);
    fs::remove_file(set.join("china.jpg")).expect("removed");
    fs::copy(set.join("flower.jpg"), set.join("coffee.png")).expect("changed");
    let number = window.get_by_label("Results, number");
    number.set_value_accesskit(50.0);
    wait_until(&mut window, "what is missing", |window| {
        window.query_by_label("1 changed").is_some() && window.query_by_label("1 gone").is_some()
    });
    assert_eq!(results(&window).len(), 3);
    window.get_by_label("Update").click();
    wait_until(&mut window, "four", |window| results(window).len() == 4);
    assert!(window.query_by_label("1 changed").is_none() && window.query_by_label("1 gone").is_some());
}

#[test]
fn results_are_written_as_the_command_line_writes_them() {
    let (folder, set) = holiday();
    let target = folder.path().join("out");
    let mut window = retrieving(&[set.join("chelsea.png")], &target);
    window.get_by_label("The picture's folder").click();
    wait_for_all(&mut window);
    let shown: Vec<String> = results(&window).into_iter().map(|(name, _)| name).collect();
    let mut export = |what: &str, ending: &str| {
        window.get_by_label_contains("Export").click();
        window.run_steps(3);
        window.get_by_label(what).click();
        let path = target.with_extension(ending);
        wait_until(&mut window, "the file", |_| path.exists());
        path
    };
    let json = fs::read(export("Results (JSON)", "json")).expect("written");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let names = json["results"].as_array().expect("results").iter();
    let names = names.map(|result| {
        Path::new(result["image"].as_str().expect("a path")).file_name().expect("a name").to_str().expect("UTF-8")
    });
    assert_eq!(names.collect::<Vec<_>>(), shown);
    assert_eq!((json["model"].as_str(), json["images"][0].as_str()), (Some("demo"), set.join("chelsea.png").to_str()));
    let csv = fs::read_to_string(export("Results (CSV)", "csv")).expect("written");
    assert_eq!((csv.lines().count(), csv.lines().next()), (6, Some("rank,image,score,x,y")));
    let sheet = image::open(export("Results as a sheet (PNG)", "png")).expect("a PNG");
    assert!(sheet.width() > 1000);
}

#[test]
fn indexing_is_stopped_and_goes_on() {
    let (_folder, set) = holiday();
    let (slow, _) = fake(8, Duration::from_millis(25));
    let mut window = open(Launch { files: vec![set.join("chelsea.png")], ..slow });
    window.key_press(Key::Num7);
    wait_until(&mut window, "the picture", |window| window.query_by_label("View of chelsea.png").is_some());
    // A folder that falls onto the window is searched.
    let hovered = HoveredFile { path: Some(set.clone()), ..HoveredFile::default() };
    window.input_mut().hovered_files = vec![hovered];
    wait_until(&mut window, "what will happen", |window| window.query_by_label("Search this folder").is_some());
    window.input_mut().hovered_files.clear();
    drop_files(&mut window, std::slice::from_ref(&set));
    wait_until(&mut window, "the second", |window| sees(window, "indexing 2 of 5"));
    window.get_by_label("Stop indexing").click();
    wait_until(&mut window, "an end", |window| window.query_by_label("Update").is_some());
    wait_until(&mut window, "what there is", |window| (1..4).contains(&results(window).len()));
    window.get_by_label("Update").click();
    wait_until(&mut window, "the rest", |window| sees(window, "of 4") || sees(window, "of 3"));
    wait_until(&mut window, "all", |window| results(window).len() == 5);
}

#[test]
fn the_collection_comes_back_at_the_next_start() {
    let (folder, set) = holiday();
    let config = folder.path().join("config");
    let start = |files: &[PathBuf]| open(Launch { config_folder: Some(config.clone()), ..launch(files) });
    let mut window = start(&[set.join("chelsea.png")]);
    window.key_press(Key::Num7);
    wait_until(&mut window, "the picture", |window| window.query_by_label("View of chelsea.png").is_some());
    window.get_by_label("The picture's folder").click();
    wait_for_all(&mut window);
    let (from, to) = (place(&window, 0.5, 0.2), place(&window, 0.7, 0.4));
    drag(&mut window, from, to);
    wait_until(&mut window, "a part", |window| sees(window, "Like a part of chelsea.png"));
    window.state_mut().close();
    drop(window);
    let mut window = start(&[]);
    wait_until(&mut window, "the same results", |window| sees(window, "Like a part of chelsea.png"));
    assert_eq!(results(&window).len(), 5);
}

#[test]
fn every_control_has_a_name_and_a_tooltip() {
    let (_folder, set) = holiday();
    let mut window = retrieving(&[set.join("chelsea.png"), set.join("coffee.png")], &set);
    access::check(&mut window);
    choose_folder(&mut window);
    wait_for_all(&mut window);
    for section in ["Like these too", "More", "Search other pictures"] {
        window.get_by_label(section).click();
        window.run_steps(12);
    }
    access::check_width(&window);
    access::check(&mut window);
}
