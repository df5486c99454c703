//! PCA, its clusters, and the foreground.

use std::path::PathBuf;

use dinoscope::gui::{AskPerson, Launch};
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
