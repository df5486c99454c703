//! `--device wgpu`, on software Vulkan where there is no GPU.

use safetensors::SafeTensors;

use super::support::Workplace;

#[test]
fn features_come_from_wgpu() {
    let work = Workplace::new();
    work.picture("a.png", 64, 64);
    for dtype in ["f32", "f16"] {
        let arguments = ["features", "a.png", "-o", dtype, "--size", "64", "--device", "wgpu", "--dtype", dtype];
        work.run(&arguments).succeeded();
        let bytes = std::fs::read(work.path(format!("{dtype}/a.safetensors"))).expect("the file");
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
        let metadata = header.metadata().clone().expect("metadata");
        assert!(metadata["device"].starts_with("wgpu:"), "{}", metadata["device"]);
        assert_eq!(metadata["dtype"], dtype);
    }
}

#[test]
fn every_command_that_runs_a_model_takes_wgpu() {
    let work = Workplace::new();
    work.picture("a.png", 64, 64);
    work.picture("b.png", 64, 64);
    for arguments in [
        &["similarity", "a.png", "--point", "20,20", "-o", "s"][..],
        &["pca", "a.png", "-o", "p"],
        &["match", "a.png", "b.png", "-o", "m"],
        &["bench", "--iters", "1"],
    ] {
        let ran = work.run(&[arguments, &["--size", "64", "--device", "wgpu"]].concat());
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn what_wgpu_does_not_do_is_said() {
    let work = Workplace::new();
    work.picture("a.png", 64, 64);
    let run = |device: &str, dtype: &str| {
        work.run(&["features", "a.png", "-o", "x", "--size", "64", "--device", device, "--dtype", dtype])
    };
    run("wgpu:no such device", "f32").failed(1, &["wgpu:no such device", "there are: "]);
    let arguments = ["features", "a.png", "-o", "x", "--size", "64", "--device", "wgpu"];
    // An interface of browsers.
    work.run_with(&[("WGPU_BACKEND", "webgpu")], &arguments).failed(1, &["no graphics device"]);
    run("wgpu", "bf16").failed(1, &["wgpu has no bf16", "--dtype f16"]);
}
