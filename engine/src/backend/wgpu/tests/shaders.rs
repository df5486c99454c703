//! Every kernel with every set of constants, without a device.

use std::fs;
use std::path::Path;

use wgpu::naga::front::wgsl;
use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};

use super::super::kernels::norm::Out;
use super::super::kernels::{ALL, attention, gemm, norm};
use super::super::pipelines::{Constant, Input, Kernel, compose};

fn problem(source: &str, capabilities: Capabilities) -> Option<String> {
    match wgsl::parse_str(source) {
        Err(error) => Some(error.emit_to_string(source)),
        Ok(module) => Validator::new(ValidationFlags::all(), capabilities)
            .subgroup_stages(wgpu::naga::valid::ShaderStages::COMPUTE)
            .subgroup_operations(wgpu::naga::valid::SubgroupOperationSet::all())
            .validate(&module)
            .err()
            .map(|error| error.emit_to_string(source)),
    }
}

fn all_constants(kernel: &Kernel) -> Vec<Vec<Constant>> {
    match kernel.name {
        "attention" => [(4, false), (12, true), (48, false), (64, true), (80, false), (128, true)]
            .iter()
            .map(|&(head, is_causal)| attention::constants(head, is_causal).to_vec())
            .collect(),
        name if name.starts_with("gemm") => [wgpu::DeviceType::Cpu, wgpu::DeviceType::DiscreteGpu]
            .iter()
            .map(|&device| gemm::Tile::for_device(device).constants().to_vec())
            .collect(),
        name if name.starts_with("layer_norm") => [Out::Floats, Out::Inputs, Out::Joined { grid_cols: 4 }]
            .iter()
            .map(|&out| norm::constants(out).to_vec())
            .collect(),
        _ => vec![vec![]],
    }
}

#[test]
fn every_kernel_is_valid() {
    let mut problems = Vec::new();
    for kernel in ALL {
        for constants in all_constants(kernel) {
            for input in [Input::F32, Input::F16] {
                let mut capabilities = Capabilities::SHADER_FLOAT16_IN_FLOAT32;
                capabilities.set(Capabilities::SHADER_FLOAT16, input == Input::F16);
                capabilities.set(Capabilities::SUBGROUP, kernel.name.ends_with("subgroup"));
                if let Some(problem) = problem(&compose(kernel, input, &constants), capabilities) {
                    problems.push(format!("{} in {input:?} with {constants:?}: {problem}", kernel.name));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_file_belongs_to_a_kernel() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shaders/backbone");
    let all: Vec<String> = ALL.iter().map(|kernel| compose(kernel, Input::F32, &[])).collect();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("text");
        assert!(all.iter().any(|source| source.contains(&text)), "{}", path.display());
    }
}
