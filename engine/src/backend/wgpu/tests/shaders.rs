//! Every kernel with every set of constants, without a device.

use std::fs;
use std::path::Path;

use wgpu::naga::Module;
use wgpu::naga::front::wgsl;
use wgpu::naga::valid::{Capabilities, ModuleInfo, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};

use super::super::kernels::attention::Way;
use super::super::kernels::method::Method;
use super::super::kernels::norm::Out;
use super::super::kernels::{ALL, norm};
use super::super::pipelines::{Constant, Input, Kernel, compose};

/// A kernel with all constants set, parsed and validated; capabilities are those that it may ask for.
pub fn module(kernel: &Kernel, input: Input, constants: &[Constant]) -> Result<(Module, ModuleInfo), String> {
    let mut capabilities = Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    capabilities.set(Capabilities::SHADER_FLOAT16, input == Input::F16);
    let has_subgroups = kernel.name.ends_with("subgroup") || kernel.name.contains("broadcast");
    capabilities.set(Capabilities::SUBGROUP, has_subgroups);
    capabilities.set(Capabilities::COOPERATIVE_MATRIX, is_cooperative(kernel));
    let source = compose(kernel, input, constants);
    let module = wgsl::parse_str(&source).map_err(|error| error.emit_to_string(&source))?;
    let validated = Validator::new(ValidationFlags::all(), capabilities)
        .subgroup_stages(ShaderStages::COMPUTE)
        .subgroup_operations(SubgroupOperationSet::all())
        .validate(&module);
    validated.map(|info| (module, info)).map_err(|error| error.emit_to_string(&source))
}

fn is_cooperative(kernel: &Kernel) -> bool {
    !kernel.extensions.is_empty()
}

pub fn all_constants(kernel: &Kernel) -> Vec<Vec<Constant>> {
    match kernel.name {
        name if name.starts_with("attention") => {
            let ways = [Way::Plain, Way::Subgroup, Way::Broadcast(8), Way::Broadcast(32)];
            let heads = [(4, false), (12, true), (48, false), (64, true), (80, false), (128, true)];
            let all = ways.iter().flat_map(|way| heads.map(|(head, is_causal)| way.kernel(head, is_causal)));
            all.filter(|(other, _)| other.name == name).map(|(_, constants)| constants.to_vec()).collect()
        }
        name if name.starts_with("gemm_cooperative") => Method::COOPERATIVES.map(Method::constants).to_vec(),
        name if name.starts_with("gemm_broadcast") => {
            [8, 32].map(|lanes| Method::Broadcast(lanes).constants()).to_vec()
        }
        name if name.starts_with("gemm") => Method::PLAINS.map(Method::constants).to_vec(),
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
                // Matrix units multiply f16 alone.
                if is_cooperative(kernel) && input == Input::F32 {
                    continue;
                }
                if let Err(problem) = module(kernel, input, &constants) {
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
