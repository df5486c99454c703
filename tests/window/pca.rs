//! PCA, its clusters, and the foreground.

use std::path::PathBuf;

use dinoscope::gui::{AskPerson, Launch};
use dinoscope_engine::encoder::ModelSource;
use egui::accesskit::Role;
use egui::{Key, Modifiers, Rect, pos2};
use egui_kittest::kittest::Queryable as _;

use super::support::{Window, drag, launch, open, project, wait_until};

/// The tool, with the first result of its components.
fn pca(files: &[&str]) -> Window {
    let files: Vec<_> = files.iter().map(|file| project(file)).collect();
    in_tool(launch(&files))
}

/// The same where every dialog for files is answered with this one.
fn pca_with_dialogs(answer: PathBuf) -> Window {
    in_tool(Launch { ask: AskPerson::new(move |_| Ok(vec![answer.clone()])), ..launch(&[]) })
}

fn in_tool(launch: Launch) -> Window {
    let mut window = open(launch);
    window.get_by_role_and_label(Role::Button, "PCA").click();
    wait_until(&mut window, "components", |window| has(window, "Explained variance"));
    window
}

fn has(window: &Window, label: &str) -> bool {
    window.query_all_by_label_contains(label).next().is_some()
}

fn view(window: &Window) -> Rect {
    window.get_by_label_contains("View of").rect()
}

/// Share of the view's pixels that are black.
fn black(window: &mut Window) -> f32 {
    let rect = view(window);
    let image = window.render().expect("a picture of the window");
    let inside = image.enumerate_pixels().filter(|(x, y, _)| rect.contains(pos2(*x as f32, *y as f32)));
    let black = inside.filter(|(_, _, pixel)| pixel.0[..3].iter().all(|&channel| channel < 3)).count();
    black as f32 / rect.area()
}

#[test]
fn the_rainbow_covers_the_picture_until_h_is_held() {
    let mut window = pca(&[]);
    window.remove_cursor();
    let with_colours = |window: &mut Window| {
        let centre = view(window).center();
        let image = window.render().expect("a picture of the window");
        *image.get_pixel(centre.x as u32, centre.y as u32)
    };
    wait_until(&mut window, "the readout", |window| {
        window.hover_at(view(window).center());
        has(window, "pc ")
    });
    window.remove_cursor();
    std::thread::sleep(std::time::Duration::from_millis(300));
    window.run_steps(20);
    let shown = with_colours(&mut window);
    window.key_down(Key::H);
    window.run_steps(2);
    assert_ne!(shown, with_colours(&mut window), "the picture below is not the rainbow");
}

#[test]
fn an_automatic_foreground_leaves_black_around() {
    let mut window = pca(&[]);
    assert!(black(&mut window) < 0.02);
    window.get_by_label("Automatic").click();
    wait_until(&mut window, "a foreground", |window| has(window, " patches") && has(window, "Outside"));
    wait_until(&mut window, "black around it", |window| black(window) > 0.1);
    window.get_by_label("Picture").click();
    wait_until(&mut window, "the picture around it", |window| black(window) < 0.02);
}

#[test]
fn a_painted_foreground_is_one_step_to_undo() {
    let mut window = pca(&[]);
    window.get_by_label("Painted").click();
    window.run_steps(3);
    assert!(has(&window, "Nothing painted yet"));
    let centre = view(&window).center();
    drag(&mut window, centre - egui::vec2(120.0, 0.0), centre + egui::vec2(60.0, 40.0));
    wait_until(&mut window, "painted patches", |window| has(window, " patches") && has(window, "Outside"));
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    wait_until(&mut window, "the stroke undone", |window| has(window, "Nothing painted yet"));
    window.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
    wait_until(&mut window, "the stroke again", |window| !has(window, "Nothing painted yet"));
}

#[test]
fn clusters_have_a_legend_and_tell_their_size() {
    let mut window = pca(&[]);
    window.get_by_label("Clusters").click();
    wait_until(&mut window, "clusters", |window| has(window, "Cluster 8, "));
    wait_until(&mut window, "the readout", |window| {
        window.hover_at(view(window).center());
        has(window, "cluster ")
    });
}

#[test]
fn one_basis_serves_all_pictures_side_by_side() {
    let mut window = pca(&["assets/chelsea.png", "assets/coffee.png"]);
    window.get_by_label("Show all pictures").click();
    wait_until(&mut window, "two views", |window| window.query_all_by_label_contains("View of").count() == 2);
    window.get_by_label("Joint over all pictures").click();
    wait_until(&mut window, "a joint basis", |window| {
        let views: Vec<Rect> = window.query_all_by_label_contains("View of").map(|view| view.rect()).collect();
        views.iter().all(|view| {
            window.hover_at(view.center());
            window.step();
            has(window, "pc ")
        })
    });
    window.get_by_label("Basis").click();
    window.run_steps(10);
    window.get_by_label("Use this basis for all pictures").click();
    wait_until(&mut window, "a fixed basis", |window| has(window, "Basis of chelsea.png"));
    window.get_by_label("Release").click();
    wait_until(&mut window, "a free basis", |window| has(window, "Use this basis for all pictures"));
}

#[test]
fn a_mask_file_of_the_picture_is_the_foreground() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("left-half.png");
    // The sample's size; the left half is foreground.
    let mask = image::GrayImage::from_fn(451, 300, |x, _| image::Luma([if x < 225 { 255 } else { 0 }]));
    mask.save(&path).expect("written");
    let mut window = pca_with_dialogs(path);
    window.get_by_label("File").click();
    wait_until(&mut window, "the mask", |window| has(window, "left-half.png") && has(window, "Outside"));
    wait_until(&mut window, "a black right half", |window| (0.3..0.6).contains(&black(window)));
}

#[test]
fn a_mask_of_another_size_is_refused_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("small.png");
    image::GrayImage::from_pixel(30, 20, image::Luma([255])).save(&path).expect("written");
    let mut window = pca_with_dialogs(path);
    window.get_by_label("File").click();
    wait_until(&mut window, "a sentence", |window| has(window, "the mask is 30x20 where 451x300 is needed"));
    assert!(has(&window, "Explained variance"), "all patches count instead");
}

#[test]
fn a_basis_is_saved_and_loaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cats.json");
    let mut window = pca_with_dialogs(path.clone());
    window.get_by_label("Basis").click();
    window.run_steps(10);
    window.get_by_label("Save…").click();
    wait_until(&mut window, "the file", |_| path.exists());
    window.get_by_label("Load…").click();
    wait_until(&mut window, "the basis in use", |window| has(window, "Basis of cats.json"));
    std::fs::write(&path, "{}").expect("written");
    window.get_by_label("Load…").click();
    wait_until(&mut window, "a sentence", |window| has(window, "no PCA basis"));
}

#[test]
fn components_are_chosen_and_their_share_is_told() {
    let mut window = pca(&[]);
    let share = |window: &Window| {
        let text = window.get_by_label_contains("of the variance").value().expect("a text");
        text.trim_start_matches("Shown: ").split(" %").next().and_then(|n| n.parse::<f32>().ok()).expect("a share")
    };
    let first = share(&window);
    window.get_by_label("4 5 6").click();
    wait_until(&mut window, "less of the variance", |window| share(window) < first);
    window.get_by_label("One").click();
    wait_until(&mut window, "one component", |window| has(window, "Single component"));
    wait_until(&mut window, "one number", |window| {
        window.hover_at(view(window).center());
        window
            .query_by_label_contains("pc ")
            .and_then(|node| node.value())
            .is_some_and(|text| text.split("pc ").nth(1).is_some_and(|numbers| numbers.split_whitespace().count() == 1))
    });
}

#[test]
fn colours_scores_and_basis_are_exported() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().to_path_buf();
    let ask = AskPerson::new(move |question| Ok(vec![target.join(&question.file_name)]));
    let mut window = in_tool(Launch { ask, ..launch(&[]) });
    let mut export = |name: &str, file: &str| {
        window.get_by_label_contains("Export").click();
        window.run_steps(2);
        window.get_by_label(name).click();
        let file = folder.path().join(file);
        wait_until(&mut window, name, |_| file.exists());
        file
    };
    let drawn = image::open(export("Picture with colours (PNG)", "chelsea.pca.png")).expect("a PNG");
    assert_eq!((drawn.width(), drawn.height()), (451, 300));
    let scores: ndarray::Array3<f32> =
        ndarray_npy::read_npy(export("Scores (NumPy)", "chelsea.pca.npy")).expect("an array");
    assert_eq!(scores.dim(), (14, 22, 3));
    let basis = std::fs::read_to_string(export("Basis (JSON)", "chelsea.basis.json")).expect("a file");
    dinoscope_engine::analysis::pca::Basis::from_json(&basis).expect("a basis");
    window.get_by_label("Clusters").click();
    wait_until(&mut window, "clusters", |window| has(window, "Cluster 8, "));
    window.get_by_label_contains("Export").click();
    window.run_steps(2);
    window.get_by_label("Clusters (NumPy)").click();
    let file = folder.path().join("chelsea.clusters.npy");
    wait_until(&mut window, "labels", |_| file.exists());
    let labels: ndarray::Array2<i64> = ndarray_npy::read_npy(file).expect("an array");
    assert_eq!(labels.iter().max(), Some(&7));
}

#[test]
fn another_model_has_other_components() {
    let mut window = pca(&[]);
    let share = |window: &Window| window.get_by_label_contains("of the variance").value();
    let before = share(&window);
    window.state_mut().use_model(ModelSource::Random { name: "vits16".to_owned(), seed: 3 });
    wait_until(&mut window, "other components", |window| share(window) != before);
}

#[test]
fn a_choice_of_foreground_is_undone() {
    let mut window = pca(&[]);
    window.get_by_label("Automatic").click();
    wait_until(&mut window, "a foreground", |window| has(window, "Outside"));
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    wait_until(&mut window, "all patches", |window| !has(window, "Outside"));
    window.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
    wait_until(&mut window, "the foreground again", |window| has(window, "Outside"));
}
