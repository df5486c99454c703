//! What everybody needs to find their way: names, tooltips, room.

use std::collections::BTreeSet;

use egui::accesskit::Role;
use egui::{Key, Order, Rect};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::support::{Window, launch, open_of_size, project, sees, wait_until};

/// Roles of what can be worked.
const CONTROLS: [Role; 9] = [
    Role::Button,
    Role::CheckBox,
    Role::ComboBox,
    Role::RadioButton,
    Role::Slider,
    Role::SpinButton,
    Role::TextInput,
    Role::MenuItem,
    Role::Link,
];

/// Height of a window in which nothing has to be scrolled.
const HIGH: f32 = 1400.0;

/// Two pictures, encoded, in the tool of that key, with all folded controls open.
fn with_everything_open(key: Key, folded: &[&str], height: f32) -> Window {
    let files = [project("assets/chelsea.png"), project("assets/coffee.png")];
    let mut window = open_of_size(launch(&files), 1280.0, height);
    wait_until(&mut window, "features", |window| {
        let Some(view) = window.query_by_label("View of chelsea.png").map(|view| view.rect()) else { return false };
        window.hover_at(view.center());
        sees(window, "row ")
    });
    window.key_press(key);
    window.run_steps(10);
    for section in folded {
        window.get_by_label(section).click();
        window.run_steps(20);
    }
    window.remove_cursor();
    window.run_steps(4);
    window
}

/// Fails where a control of the inspector reaches beyond it, in a window 1280 points wide.
pub fn check_width(window: &Window) {
    for (role, name, rect) in
        controls(window).into_iter().filter(|(_, _, rect)| rect.min.x > 1000.0 && rect.min.y > 40.0)
    {
        assert!(rect.max.x <= 1280.0 - 8.0, "{role:?} {name} reaches to {}", rect.max.x);
    }
}

/// Controls that can be seen: role, name and place.
fn controls(window: &Window) -> Vec<(Role, String, Rect)> {
    let nodes = window.root().children_recursive();
    let controls = nodes.filter(|node| CONTROLS.contains(&node.accesskit_node().role()));
    let name = |node: &egui_kittest::Node<'_>| node.accesskit_node().label().unwrap_or_default();
    controls.map(|node| (node.accesskit_node().role(), name(&node), node.rect())).collect()
}

fn has_tooltip(window: &Window) -> bool {
    let is_shown = |layer: &egui::LayerId| layer.order == Order::Tooltip;
    window.ctx.memory(|memory| memory.areas().visible_layer_ids().iter().any(is_shown))
}

/// Menus and what is chosen from lists explain themselves.
fn needs_tooltip(role: Role, name: &str) -> bool {
    // The last is egui's own, in the corner of its windows.
    !matches!(role, Role::MenuItem) && !["Files", "Edit", "View", "Help", "Close window"].contains(&name)
}

/// Fails where a control that can be seen has no name or no tooltip.
pub fn check(window: &mut Window) {
    let nameless: Vec<_> = controls(window).into_iter().filter(|(_, name, _)| name.trim().is_empty()).collect();
    assert!(nameless.is_empty(), "{nameless:?}");
    let mut silent = BTreeSet::new();
    for (role, name, rect) in controls(window) {
        if !needs_tooltip(role, &name) {
            continue;
        }
        window.remove_cursor();
        window.run_steps(2);
        window.hover_at(rect.center());
        window.step();
        // Tooltips come after a while in which the pointer rests.
        for _ in 0..60 {
            window.step();
            if has_tooltip(window) {
                break;
            }
        }
        if !has_tooltip(window) {
            silent.insert(format!("{role:?} {name}"));
        }
    }
    assert!(silent.is_empty(), "without a tooltip: {silent:#?}");
}

#[test]
fn every_control_of_similarity_has_a_name_and_a_tooltip() {
    let mut window = with_everything_open(Key::Num1, &["More"], HIGH);
    check(&mut window);
}

#[test]
fn every_control_of_pca_has_a_name_and_a_tooltip() {
    let mut window = with_everything_open(Key::Num2, &["Basis"], HIGH);
    wait_until(&mut window, "components", |window| sees(window, "Explained variance"));
    check(&mut window);
    window.get_by_label("Painted").click();
    window.run_steps(3);
    check(&mut window);
    window.get_by_label("Clusters").click();
    wait_until(&mut window, "clusters", |window| sees(window, "Cluster 8, "));
    window.get_by_label("More").click();
    window.run_steps(20);
    check(&mut window);
}

#[test]
fn every_control_of_matching_has_a_name_and_a_tooltip() {
    let mut window = with_everything_open(Key::Num3, &["Foreground", "Appearance"], HIGH);
    wait_until(&mut window, "pairs", |window| sees(window, "as lines"));
    check(&mut window);
}

#[test]
fn every_control_of_the_models_panel_has_a_name_and_a_tooltip() {
    let mut window = with_everything_open(Key::M, &[], HIGH);
    wait_until(&mut window, "the list", |window| sees(window, "Download vits16"));
    check(&mut window);
}

#[test]
fn nothing_is_wider_than_its_panel() {
    for (key, folded) in
        [(Key::Num1, &["More"][..]), (Key::Num2, &["Basis"]), (Key::Num3, &["Foreground", "Appearance"])]
    {
        let mut window = with_everything_open(key, folded, 800.0);
        if key == Key::Num2 {
            window.get_by_label("Painted").click();
            window.run_steps(3);
        }
        check_width(&window);
    }
}

#[test]
fn the_lowest_window_has_all_tools() {
    let mut window = open_of_size(launch(&[]), 880.0, 560.0);
    wait_until(&mut window, "the sample", |window| window.query_by_label("View of chelsea.png").is_some());
    let strip = window.get_by_label("Picture chelsea.png").rect();
    for tool in ["Similarity", "PCA", "Matching"] {
        let rect = window.get_by_role_and_label(Role::Button, tool).rect();
        assert!(rect.max.y < strip.min.y, "{tool}: {rect}");
    }
    assert!(window.get_by_label("View of chelsea.png").rect().height() > 240.0);
}
