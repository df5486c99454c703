//! Products on matrix units. No device of the tests has them: the kernel runs with these few operations emulated, and
//! what the real ones need is checked without a device.

use super::super::check::{is_exact, method, works};
use super::super::kernels::gemm::{BIAS, MATRICES};
use super::super::kernels::method::{Method, Subgroups};
use super::super::pipelines::{Input, Kernel};
use super::super::recording::Tools;
use super::bench::{Bench, gpu};
use super::shaders::{all_constants, module};
use crate::gpu::Gpu;

const EMULATED: &str = include_str!("cooperative_emulated.wgsl");

/// In which the matrix units are a program.
pub fn emulating(gpu: &Gpu) -> Bench {
    let mut bench = Bench::new(gpu, Input::F16);
    bench.tools = emulating_tools(gpu, EMULATED);
    bench
}

fn emulating_tools(gpu: &Gpu, emulated: &'static str) -> Tools {
    let mut tools = Tools::new(gpu, Input::F16);
    tools.pipelines.replaced = vec![
        ("enable wgpu_cooperative_matrix;\n", ""),
        (MATRICES, emulated),
        ("let subgroup =", "lane = thread % SUBGROUP;\n    let subgroup ="),
    ];
    tools
}

/// 64 × 96 numbers of the result in a workgroup, so that rows and columns are told apart.
pub const OBLONG: Method = Method::Cooperative(Subgroups { rows: 2, cols: 3 });

#[test]
fn a_device_is_believed_only_what_it_computes() {
    let gpu = gpu();
    assert!(is_exact(&gpu, &mut emulating_tools(&gpu, EMULATED), Method::COOPERATIVE));
    // One product of sixteen is left out.
    let wrong = EMULATED.replace("k = 0u", "k = 1u");
    assert!(!is_exact(&gpu, &mut emulating_tools(&gpu, Box::leak(wrong.into())), Method::COOPERATIVE));
}

#[test]
fn without_matrix_units_the_plain_kernels_run() {
    let gpu = gpu();
    assert!(!gpu.has_cooperative_matrices(), "software has none");
    let plain = Method::for_software(&gpu);
    let mut tools = Tools::new(&gpu, Input::F16);
    assert!(!works(&gpu, &mut tools, Method::COOPERATIVE) && works(&gpu, &mut tools, plain));
    assert_eq!(method(&gpu, &mut tools, None), plain);
    assert_eq!(tools.pipelines.len(), 0, "nothing was even compiled");
    // A driver that says it has them, and then does not compile the kernel.
    assert!(!is_exact(&gpu, &mut tools, Method::COOPERATIVE));
    assert!(is_exact(&gpu, &mut tools, plain), "the device is as it was");
}

/// What the kernel asks of a device is in its SPIR-V, and that alone.
#[test]
fn kernels_become_spirv() {
    use wgpu::naga::back::spv;
    let asks = |kernel: &Kernel| -> bool {
        let constants = &all_constants(kernel)[0];
        let (module, info) = module(kernel, Input::F16, constants).expect("it is valid");
        let options = spv::Options { lang_version: (1, 3), capabilities: None, ..spv::Options::default() };
        let words = spv::write_vec(&module, &info, &options, None).expect("it can be written");
        // OpTypeCooperativeMatrixKHR, OpCooperativeMatrixMulAddKHR.
        let has = |opcode: u32| words.iter().skip(5).any(|word| word & 0xffff == opcode && word >> 16 >= 5);
        has(4456) && has(4459)
    };
    assert!(asks(&BIAS.cooperative));
    assert!(!asks(&BIAS.plain));
}
