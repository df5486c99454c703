//! `models quantize`, and models that stream from their file.

use super::support::Workplace;

#[test]
fn eight_bits_are_nearly_the_original_and_four_are_smaller() {
    let work = Workplace::new();
    let quantize = |bits: &str, file: &str| {
        let arguments = ["models", "quantize", "demo", "--bits", bits, "-o", file, "--json", "--size", "224"];
        work.run(&[&arguments[..], &["--device", "cpu"]].concat()).succeeded().json()
    };
    let (eight, four) = (quantize("8", "8.gguf"), quantize("4", "4.gguf"));
    let number = |json: &serde_json::Value, key: &str| json["accuracy"][key].as_f64().expect(key);
    assert!(number(&eight, "patch_cosine") >= 0.999 && number(&eight, "relative_error") < 0.05, "{eight}");
    assert!(number(&eight, "least_patch_cosine") <= number(&eight, "patch_cosine"));
    assert!(number(&four, "patch_cosine") < number(&eight, "patch_cosine"), "{four}");
    assert!(four["bytes"].as_u64() < eight["bytes"].as_u64());
    assert!(3 * eight["bytes"].as_u64().expect("a size") < eight["bytes_f32"].as_u64().expect("a size"));
    assert_eq!(
        (&eight["source"], &eight["bits"], &eight["picture"]),
        (&"demo".into(), &8.into(), &"chelsea.png".into())
    );
    let files: Vec<_> = work.names("").into_iter().filter(|name| name != "cache").collect();
    assert_eq!(files, ["4.gguf", "8.gguf"]);

    let inspected = work.run(&["models", "inspect", "8.gguf", "--json"]).succeeded().json();
    assert_eq!(inspected["quantisation"]["accuracy"], eight["accuracy"]);
    assert!(inspected["dtypes"]["q8_0"].as_u64() > Some(40), "{inspected}");
    let shown = work.run(&["models", "inspect", "4.gguf"]).succeeded().stdout;
    assert!(shown.contains("quantised   demo in 4 bits") && shown.contains("patch cosine"), "{shown}");

    work.run(&["models", "quantize", "8.gguf", "-o", "again.gguf"]).failed(2, &["quantised already"]);
    work.run(&["models", "quantize", "none.pth", "-o", "again.gguf"]).failed(1, &["none.pth"]);
    work.run(&["models", "quantize", "demo", "-o", "no/folder.gguf"]).failed(1, &["no/folder.gguf"]);
    work.run(&["models", "quantize", "x", "--random-weights", "-o", "x.gguf"]).failed(2, &["--random-weights"]);
}

/// Every device reads the file, and whether weights stream makes no difference at all.
#[test]
fn quantised_and_streaming_weights_give_the_same_features() {
    let work = Workplace::new();
    work.picture("a.png", 96, 64);
    let small = ["--model", "demo", "--random-weights", "--size", "64"];
    work.run(&[&["models", "quantize", "demo", "-o", "8.gguf"], &small[2..], &["--device", "cpu"]].concat())
        .succeeded();
    let features = |folder: &str, more: &[&str]| {
        let arguments = ["features", "a.png", "-o", folder, "--format", "npy", "--size", "64"];
        work.run(&[&arguments[..], more].concat()).succeeded();
        let read = |name: &str| std::fs::read(work.path(folder).join(name)).expect("written");
        ["a.patch.npy", "a.cls.npy"].map(read)
    };
    let numbers = |bytes: &[u8]| -> Vec<f32> {
        let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        bytes[start..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    };
    let close = |a: &[u8], b: &[u8], most: f32| {
        let (a, b) = (numbers(a), numbers(b));
        let square = |x: &mut dyn Iterator<Item = f32>| x.map(|x| x * x).sum::<f32>();
        let difference = square(&mut a.iter().zip(&b).map(|(a, b)| a - b));
        assert!(difference.sqrt() <= most * square(&mut b.iter().copied()).sqrt(), "{difference}");
    };
    let cpu = features("cpu", &["--weights", "8.gguf", "--device", "cpu"]);
    assert_eq!(features("streaming", &["--weights", "8.gguf", "--device", "cpu", "--stream"]), cpu);
    assert_eq!(features("quantised", &["--weights", "8.gguf", "--device", "cpu", "--weight-bytes", "10000000"]), cpu);
    let original = features("original", &[&small[..3], &["--device", "cpu"]].concat());
    assert_ne!(original, cpu, "they were quantised");
    close(&cpu[0], &original[0], 0.05);
    let wgpu = features("wgpu", &["--weights", "8.gguf", "--device", "wgpu", "--dtype", "f32"]);
    close(&wgpu[0], &cpu[0], 1e-4);
    let streaming = ["--weights", "8.gguf", "--device", "wgpu", "--dtype", "f32", "--stream"];
    assert_eq!(features("wgpu-streaming", &streaming), wgpu);
}

#[test]
fn bench_says_where_the_weights_are() {
    let work = Workplace::new();
    let bench = |more: &[&str]| {
        let json = work.run_small(&[&["bench", "--iters", "1", "--json"], more].concat()).succeeded().json();
        json["weights"].as_str().expect("a word").to_owned()
    };
    assert_eq!((bench(&[]).as_str(), bench(&["--stream"]).as_str()), ("resident", "streaming"));
    work.run_small(&["models", "quantize", "demo", "-o", "8.gguf"]).succeeded();
    // 5.3 million weights in blocks.
    let within = |bytes: &str| bench(&["--weights", "8.gguf", "--weight-bytes", bytes]);
    let places = ["30000000", "10000000", "5000000"].map(within);
    assert_eq!(places, ["resident", "quantised", "streaming"]);
}

#[test]
fn weights_are_not_written_over() {
    let work = Workplace::new();
    work.run_small(&["models", "quantize", "demo", "-o", "8.gguf"]).succeeded();
    let before = std::fs::read(work.path("8.gguf")).expect("it was written");
    work.run_small(&["models", "quantize", "8.gguf", "-o", "8.gguf"]).failed(1, &["8.gguf", "one of the inputs"]);
    work.run_small(&["models", "quantize", "demo", "-o", "nowhere/8.gguf"]).failed(1, &["there is no folder nowhere"]);
    assert_eq!(std::fs::read(work.path("8.gguf")).expect("it is there"), before);
}
