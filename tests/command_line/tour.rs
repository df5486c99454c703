use super::support::Workplace;

#[test]
fn without_arguments_the_main_job_runs_on_sample_pictures() {
    let work = Workplace::new();
    let ran = work.run_small(&[]).succeeded();
    for words in ["demo model", "not one of Meta's", "models download", "Try next"] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    let names = work.names("dinoscope-out");
    for stem in ["chelsea", "coffee", "astronaut"] {
        for ending in ["similarity.png", "pca.png", "safetensors"] {
            assert!(names.contains(&format!("{stem}.{ending}")), "{names:?}");
        }
    }
    assert!(names.contains(&"chelsea-mirrored.match.png".to_owned()), "{names:?}");
    assert_eq!(names.len(), 10);
    assert_eq!(work.picture_size("dinoscope-out/chelsea.pca.png"), (451, 300));
}

#[test]
fn with_pictures_it_runs_on_those() {
    let work = Workplace::new();
    work.picture("a.png", 64, 48);
    work.picture("b.png", 48, 64);
    let nothing = work.run_small(&["gone.png"]).failed(1, &["gone.png"]);
    assert_eq!(nothing.stdout, "");
    work.run_small(&["a.png", "gone.png", "b.png"]).failed(1, &["gone.png"]);
    let names = work.names("dinoscope-out");
    assert_eq!(names.len(), 7, "{names:?}");
    assert!(names.contains(&"a-b.match.png".to_owned()), "{names:?}");
}
