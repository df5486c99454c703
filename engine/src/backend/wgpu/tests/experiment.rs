use super::super::buffers::{allocate, upload};
use super::bench::{gpu, numbers};
use std::time::Instant;

#[test]
#[ignore]
fn experiment() {
    let gpu = gpu();
    let source = std::fs::read_to_string(std::env::var("SRC").unwrap()).unwrap();
    let groups: Vec<u32> = std::env::var("GROUPS").unwrap().split(',').map(|v| v.parse().unwrap()).collect();
    let trusted = std::env::var("TRUSTED").is_ok();
    let (m, k, n) = (1029usize, 384usize, 1536usize);
    let (a, w) = (numbers(1, m * k), numbers(2, n * k));
    let bias = vec![0f32; n];
    let descriptor = wgpu::ShaderModuleDescriptor { label: None, source: wgpu::ShaderSource::Wgsl(source.into()) };
    let module = if trusted {
        unsafe { gpu.device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
    } else {
        gpu.device.create_shader_module(descriptor)
    };
    let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: None,
        compilation_options: wgpu::PipelineCompilationOptions {
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache: None,
    });
    let uniforms: [u32; 12] = [0, m as u32, k as u32 / 4, n as u32 / 4, 0, n as u32 / 4, 0, 0, 0, 0, 0, 0];
    let uniform = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 48,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    gpu.queue.write_buffer(&uniform, 0, bytemuck::bytes_of(&uniforms));
    let regions = [
        upload(&gpu, "a", &a).unwrap(),
        upload(&gpu, "w", &w).unwrap(),
        upload(&gpu, "b", &bias).unwrap(),
        allocate(&gpu, "o", 4 * (m * n) as u64).unwrap(),
    ];
    let mut entries = vec![wgpu::BindGroupEntry { binding: 0, resource: uniform.as_entire_binding() }];
    entries.extend(
        regions.iter().enumerate().map(|(i, r)| wgpu::BindGroupEntry { binding: i as u32 + 1, resource: r.binding() }),
    );
    let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    });
    let cpu = || -> f64 {
        let mut total = 0.0;
        for task in std::fs::read_dir("/proc/self/task").unwrap() {
            let stat = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default();
            total += stat.split(' ').next().and_then(|v| v.parse::<f64>().ok()).unwrap_or(0.0);
        }
        total / 1e6
    };
    let mut best = (f64::MAX, f64::MAX);
    for _ in 0..6 {
        let (start, start_cpu) = (Instant::now(), cpu());
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(groups[0], groups[1], groups.get(2).copied().unwrap_or(1));
        }
        gpu.queue.submit([encoder.finish()]);
        gpu.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        best.0 = best.0.min(start.elapsed().as_secs_f64() * 1e3);
        best.1 = best.1.min(cpu() - start_cpu);
    }
    let bench = super::bench::Bench::new(&gpu, super::super::pipelines::Input::F32);
    let got = bench.read_floats(&regions[3]);
    let mut worst = 0f32;
    for (row, col) in [(0usize, 0usize), (17, 1001), (1028, 1535), (700, 64), (513, 777)] {
        let expected: f32 = (0..k).map(|i| a[row * k + i] * w[col * k + i]).sum();
        worst = worst.max((expected - got[row * n + col]).abs());
    }
    let flops = 2.0 * (m * k * n) as f64 / 1e6;
    println!(
        "wall {:.1} ms, cpu {:.1} ms, {:.1} GFLOP/s a core by CPU time, error {worst}",
        best.0,
        best.1,
        flops / best.1
    );
}

fn cpu() -> f64 {
    let mut total = 0.0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let stat = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default();
        total += stat.split(' ').next().and_then(|v| v.parse::<f64>().ok()).unwrap_or(0.0);
    }
    total / 1e6
}

#[test]
#[ignore]
fn experiment_subgroups() {
    use super::super::kernels::{attention, norm};
    use super::super::pipelines::Input;
    use super::super::weights::Norm;
    use crate::gpu::Pace;
    let gpu = gpu();
    for input in [Input::F32, Input::F16] {
        let mut bench = super::bench::Bench::new(&gpu, input);
        bench.tools.pace = Pace::fixed(1 << 60);
        let shape = (1029, 6, 64);
        let qkv = bench.inputs(&numbers(1, 1029 * 3 * 384));
        let out = bench.inputs(&vec![0.0; 1029 * 384]);
        let x = bench.floats(&numbers(1, 1029 * 384));
        let layer = Norm {
            weight: bench.floats(&numbers(2, 384)),
            bias: bench.floats(&numbers(3, 384)),
            epsilon: 1e-5,
            width: 384,
        };
        for _ in 0..2 {
            for kernel in [attention::Way::Plain, attention::Way::Subgroup, attention::Way::Broadcast(8)] {
                let mut best = f64::MAX;
                for _ in 0..4 {
                    let start = cpu();
                    bench.run(|r| attention::record_with(r, kernel, &qkv, shape, &out));
                    best = best.min(cpu() - start);
                }
                println!("{input:?} {kernel:?}: cpu {best:.1} ms");
            }
            for kernel in [&norm::PLAIN, &norm::SUBGROUP] {
                let mut best = f64::MAX;
                for _ in 0..10 {
                    let start = cpu();
                    bench.run(|r| norm::record_with(r, kernel, &x, 0..1029, &layer, norm::Out::Inputs, &out));
                    best = best.min(cpu() - start);
                }
                println!("{input:?} {}: cpu {best:.2} ms", kernel.name);
            }
        }
    }
}
