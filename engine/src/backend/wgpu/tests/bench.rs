//! A device to try kernels on, and numbers to try them with.

use half::f16;

use super::super::buffers::{Limits, Region, upload};
use super::super::pipelines::Input;
use super::super::recording::{Recording, Tools};
use crate::backend::Run;
use crate::{Cancel, gpu::Gpu};

pub fn gpu() -> Gpu {
    Gpu::without_window().expect("a graphics adapter, a software one (lavapipe) at least")
}

/// Both types where the device has both.
pub fn all_inputs(gpu: &Gpu) -> Vec<Input> {
    let mut all = vec![Input::F32];
    all.extend(gpu.device.features().contains(wgpu::Features::SHADER_F16).then_some(Input::F16));
    all
}

/// The error that a result may have, as a part of the largest number.
pub fn tolerance(input: Input) -> f64 {
    match input {
        Input::F32 => 2e-6,
        Input::F16 => 1e-3,
    }
}

/// Numbers in [-1, 1] that look random; f16 holds them exactly.
pub fn numbers(seed: u32, count: usize) -> Vec<f32> {
    let mut state = u64::from(seed) * 2_654_435_761 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (((state >> 40) as f32 / 8_388_608.0 - 1.0) * 512.0).round() / 512.0
    };
    (0..count).map(|_| next()).collect()
}

pub struct Bench {
    pub gpu: Gpu,
    pub input: Input,
    pub limits: Limits,
    pub tools: Tools,
}

impl Bench {
    pub fn new(gpu: &Gpu, input: Input) -> Self {
        Self { gpu: gpu.clone(), input, limits: Limits::of(gpu), tools: Tools::new(gpu, input) }
    }

    pub fn floats(&self, numbers: &[f32]) -> Region {
        upload(&self.gpu, "floats", numbers).expect("room")
    }

    pub fn inputs(&self, numbers: &[f32]) -> Region {
        match self.input {
            Input::F32 => self.floats(numbers),
            Input::F16 => {
                let halves: Vec<f16> = numbers.iter().copied().map(f16::from_f32).collect();
                upload(&self.gpu, "halves", &halves).expect("room")
            }
        }
    }

    /// Runs what `record` records: in how many submissions.
    pub fn run(&mut self, record: impl FnOnce(&mut Recording<'_>)) -> usize {
        let cancel = Cancel::default();
        let run = Run::from(&cancel);
        let mut recording = Recording::new(&self.gpu, &mut self.tools, &run);
        record(&mut recording);
        recording.submit();
        recording.finish().expect("the device works")
    }

    pub fn read_floats(&self, region: &Region) -> Vec<f32> {
        bytemuck::cast_slice(&self.read(region)).to_vec()
    }

    pub fn read_inputs(&self, region: &Region) -> Vec<f32> {
        match self.input {
            Input::F32 => self.read_floats(region),
            Input::F16 => {
                bytemuck::cast_slice::<u8, f16>(&self.read(region)).iter().map(|half| half.to_f32()).collect()
            }
        }
    }

    pub fn read(&self, region: &Region) -> Vec<u8> {
        let staging = self.gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: region.size,
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let mut encoder = self.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(&region.buffer, region.start, &staging, 0, region.size);
        self.gpu.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |mapped| mapped.expect("mapped"));
        self.gpu.device.poll(wgpu::PollType::wait_indefinitely()).expect("the device works");
        staging.get_mapped_range(..).expect("mapped").to_vec()
    }
}

/// Every number within `tolerance` of the largest expected one.
pub fn check(got: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1e-30, |largest: f64, value| largest.max(value.abs()));
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(*got) - expected).abs() / largest;
        assert!(error <= tolerance, "{what}: number {i} is {got}, expected {expected}");
    }
}
