//! PCA, its clusters, and the foreground.

use egui::accesskit::Role;
use egui::{Event, Key, Modifiers, PointerButton, Pos2, Rect, pos2};
use egui_kittest::kittest::Queryable as _;

use super::support::{Window, launch, open, project, wait_until};

/// The tool, with the first result of its components.
fn pca(files: &[&str]) -> Window {
    let files: Vec<_> = files.iter().map(|file| project(file)).collect();
    let mut window = open(launch(&files));
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

/// A stroke of the left button.
fn drag(window: &mut Window, from: Pos2, to: Pos2) {
    let button = |pos, pressed| Event::PointerButton {
        pos,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    window.hover_at(from);
    window.step();
    window.event(button(from, true));
    window.step();
    for step in 1..=4 {
        window.hover_at(from + (to - from) * (step as f32 / 4.0));
        window.step();
    }
    window.event(button(to, false));
    window.run_steps(3);
}

#[test]
fn the_rainbow_covers_the_picture_and_fades_in() {
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
