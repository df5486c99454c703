//! Which way of multiplying a device gets, and whether it computes what it should there.

use std::path::Path;

use half::f16;

use super::buffers::{Limits, allocate, upload};
use super::kernels::gemm::{self, Epilogue};
use super::kernels::method::Method;
use super::pipelines::Input;
use super::readback::Staged;
use super::recording::{Recording, Tools};
use super::tune;
use super::weights::{HostLinear, Linear};
use crate::backend::Run;
use crate::gpu::Gpu;
use crate::{Cancel, Result};

/// What `file` remembers of this device, else what its kind runs fast; the usual way where that does not work.
pub fn method(gpu: &Gpu, tools: &mut Tools, file: Option<&Path>) -> Method {
    let input = tools.pipelines.input();
    let plain = if gpu.is_hardware() { Method::PLAIN } else { Method::for_software(gpu) };
    let usual = if has_units(gpu, input) { Method::COOPERATIVE } else { plain };
    let wanted = file.and_then(|file| tune::remembered(gpu, input, file)).unwrap_or(usual);
    if works(gpu, tools, wanted) { wanted } else { plain }
}

/// Whether the device computes so, and rightly: matrix units are an experiment of wgpu, and are tried first.
pub fn works(gpu: &Gpu, tools: &mut Tools, method: Method) -> bool {
    match method {
        Method::Plain(_) | Method::Broadcast(_) => true,
        Method::Cooperative(_) => has_units(gpu, tools.pipelines.input()) && is_exact(gpu, tools, method),
    }
}

fn has_units(gpu: &Gpu, input: Input) -> bool {
    input == Input::F16 && gpu.has_cooperative_matrices()
}

/// Whether a product of small whole numbers, which f16 and f32 hold exactly, is that of the host.
pub(super) fn is_exact(gpu: &Gpu, tools: &mut Tools, method: Method) -> bool {
    let tried = gpu.guarded("a product to try", 0, || product(gpu, tools, method));
    match tried.map_err(Into::into).and_then(|numbers| numbers) {
        Ok(numbers) if numbers == expected() => return true,
        Ok(_) => log::warn!("{method}: {} computes it wrongly; the plain kernels are used", gpu.name()),
        Err(error) => log::warn!("{method}: {} cannot compute it ({error}); the plain kernels are used", gpu.name()),
    }
    false
}

/// No multiples of a tile.
const ROWS: usize = 70;
const INPUTS: usize = 44;
const OUTPUTS: usize = 72;

/// -6 to 6.
fn whole(i: usize) -> f32 {
    (i * 7 % 13) as f32 - 6.0
}

/// `[ROWS, OUTPUTS]`; the weight is `[OUTPUTS, INPUTS]`.
fn expected() -> Vec<f32> {
    let number = |row: usize, output: usize| -> f32 {
        let products = (0..INPUTS).map(|i| whole(row * INPUTS + i) * whole(3 + output * INPUTS + i));
        products.sum::<f32>() + whole(output)
    };
    (0..ROWS * OUTPUTS).map(|i| number(i / OUTPUTS, i % OUTPUTS)).collect()
}

fn product(gpu: &Gpu, tools: &mut Tools, method: Method) -> Result<Vec<f32>> {
    let a: Vec<f16> = (0..ROWS * INPUTS).map(|i| f16::from_f32(whole(i))).collect();
    let weight: Vec<f32> = (0..OUTPUTS * INPUTS).map(|i| whole(3 + i)).collect();
    let host = HostLinear::new(Input::F16, &weight, (0..OUTPUTS).map(whole).collect(), None);
    let linear = Linear::upload(gpu, Limits::of(gpu), &host)?;
    let a = upload(gpu, "a product to try", &a)?;
    let out = allocate(gpu, "a product to try", 4 * (ROWS * OUTPUTS) as u64)?;
    let cancel = Cancel::default();
    let run = Run::from(&cancel);
    let mut recording = Recording::new(gpu, tools, &run);
    gemm::record(&mut recording, method, (&a, ROWS), &linear, Epilogue::Bias { first_row: 0 }, &out);
    let staged = Staged::record(&mut recording, gpu, &out)?;
    recording.submit();
    recording.finish()?;
    staged.read(gpu)
}
