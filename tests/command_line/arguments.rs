use super::support::Workplace;

#[test]
fn common_options_stand_anywhere() {
    let work = Workplace::new();
    work.picture("a.png", 32, 32);
    work.run(&["--size", "32", "--quiet", "features", "a.png", "-o", "one"]).succeeded();
    work.run(&["features", "--size", "32", "-q", "a.png", "-o", "two"]).succeeded();
    assert_eq!(work.names("one"), work.names("two"));
}

#[test]
fn wrong_arguments_are_status_2() {
    let work = Workplace::new();
    work.picture("a.png", 32, 32);
    for (arguments, words) in [
        (&["features"][..], "required"),
        (&["features", "a.png"], "--output"),
        (&["features", "a.png", "-o", "out", "--size", "big"], "--size"),
        (&["features", "a.png", "-o", "out", "--device", "gpu"], "--device"),
        (&["similarity", "a.png", "-o", "s.png", "--point", "7"], "X,Y"),
        (&["pca", "a.png", "-o", "out", "--components", "0,1"], "three"),
        (&["features", "a.png", "-o", "out", "--model", "vits17"], "vits16plus"),
        (&["models", "download", "vits17"], "vits16plus"),
        (&["models", "fetch"], "fetch"),
        (&["bench", "--tune", "--device", "cpu"], "--tune"),
        (&["bench", "--threads", "0"], "--threads"),
        (&["track", "clip.mp4"], "--mask"),
    ] {
        let ran = work.run(arguments);
        assert_eq!(ran.status, 2, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn arguments_that_do_not_fit_the_model_are_told_once() {
    let work = Workplace::new();
    work.picture("a.png", 32, 32);
    let with = |extra: &[&str]| work.run(&[&["features", "a.png", "a.png", "-o", "out"], extra].concat());
    with(&["--layers", "3,12"]).failed(2, &["layer 12", "0 to 11"]);
    with(&["--size", "60x60"]).failed(2, &["60x60", "64x64"]);
    work.run(&["bench", "--size", "60x60"]).failed(2, &["60x60", "64x64"]);
    work.run(&["bench", "--size", "100000"]).failed(2, &["smaller"]);
}

#[test]
fn verbose_says_what_runs() {
    let work = Workplace::new();
    work.picture("a.png", 32, 32);
    let ran = work.run_small(&["features", "a.png", "-o", "out", "-v"]);
    assert_eq!(ran.status, 0);
    assert!(ran.stderr.contains("demo (weights ") && ran.stderr.contains(" on cpu, f32"), "{}", ran.stderr);
}

#[test]
fn doctor_leaves_stderr_alone() {
    Workplace::new().run(&["doctor", "--offline"]).succeeded();
}

#[test]
fn help_has_examples_and_names_what_exists() {
    let work = Workplace::new();
    let help = work.run(&["--help"]).succeeded().stdout;
    let with_examples = [
        "features",
        "similarity",
        "pca",
        "match",
        "track",
        "segment",
        "classify",
        "depth",
        "detect",
        "encode-text",
        "probe",
        "knn",
        "logreg",
        "linear",
        "retrieve",
        "bench",
        "completions",
    ];
    for command in with_examples.iter().chain(&["models", "doctor"]) {
        assert!(help.lines().any(|line| line.trim_start().starts_with(command)), "{command}");
    }
    for command in with_examples {
        let help = work.run(&[command, "--help"]).succeeded().stdout;
        assert!(help.contains(&format!("Examples:\n  dinoscope {command}")), "{help}");
    }
}

#[test]
fn completions_for_every_shell() {
    let work = Workplace::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = work.run(&["completions", shell]).succeeded().stdout;
        assert!(script.contains("similarity") && script.contains("random-weights"), "{shell}");
    }
}

#[cfg(unix)]
#[test]
fn interrupted() {
    use std::process::{Command, Stdio};
    let work = Workplace::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_dinoscope"))
        .args(["bench", "--iters", "100000", "--size", "64", "-v"])
        .current_dir(work.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(std::time::Duration::from_millis(700));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("sent");
    assert_eq!(child.wait().expect("ends").code(), Some(130));
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_display_the_window_says_what_to_do() {
    let ran = Workplace::new().run_without(&[], &["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"]);
    assert_eq!(ran.status, 1);
    let lines: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("dinoscope: ")).collect();
    assert_eq!(lines.len(), 1, "{}", ran.stderr);
    assert!(lines[0].contains("there is no display") && lines[0].contains("dinoscope --help"), "{}", lines[0]);
}
