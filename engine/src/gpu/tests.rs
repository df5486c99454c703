//! On whatever adapter this machine has; none is a failure.

mod compare;
mod maps;
mod pictures;
pub(crate) mod propagation;
mod shaders;

use wgpu::PollType;

use super::{Gpu, GpuError};

pub(crate) fn gpu() -> Gpu {
    Gpu::without_window().expect("a graphics adapter, a software one (lavapipe) at least")
}

/// Waits for all that was submitted.
fn finish(gpu: &Gpu) {
    gpu.device.poll(PollType::wait_indefinitely()).expect("the device works");
}

/// One level of a texture of 4 bytes per texel, `[height, width]`.
fn read_texture(gpu: &Gpu, texture: &wgpu::Texture, level: u32) -> Vec<[u8; 4]> {
    let size = wgpu::Extent3d {
        width: (texture.width() >> level).max(1),
        height: (texture.height() >> level).max(1),
        depth_or_array_layers: 1,
    };
    let row = (4 * size.width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
    let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::from(row * size.height),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    encoder.copy_texture_to_buffer(
        wgpu::TexelCopyTextureInfo { mip_level: level, ..texture.as_image_copy() },
        wgpu::TexelCopyBufferInfo {
            buffer: &buffer,
            layout: wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None },
        },
        size,
    );
    gpu.queue.submit([encoder.finish()]);
    buffer.map_async(wgpu::MapMode::Read, .., |mapped| mapped.expect("mapped"));
    finish(gpu);
    let bytes = buffer.get_mapped_range(..).expect("mapped");
    bytes.chunks_exact(row as usize).flat_map(|line| line[..4 * size.width as usize].as_chunks().0).copied().collect()
}

fn read_floats(gpu: &Gpu, view: &wgpu::TextureView) -> Vec<f32> {
    read_texture(gpu, view.texture(), 0).into_iter().map(f32::from_ne_bytes).collect()
}

/// The largest texture that may be asked for has more bytes than any machine.
#[test]
fn too_little_memory_is_an_error() {
    let gpu = gpu();
    let limits = gpu.device.limits();
    let side = limits.max_texture_dimension_2d;
    let ask = |layers| {
        let size = wgpu::Extent3d { width: side, height: side, depth_or_array_layers: layers };
        let bytes = 16 * u64::from(side) * u64::from(side) * u64::from(layers);
        let made = gpu.guarded("the picture", bytes, || {
            gpu.device.create_texture(&wgpu::TextureDescriptor {
                label: None,
                size,
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: wgpu::TextureFormat::Rgba32Float,
                usage: wgpu::TextureUsages::TEXTURE_BINDING,
                view_formats: &[],
            })
        });
        (bytes, made.expect_err("too much"))
    };
    let (bytes, error) = ask(limits.max_texture_array_layers);
    assert_eq!(error, GpuError::OutOfMemory { what: "the picture", bytes });
    let (_, error) = ask(limits.max_texture_array_layers + 1);
    assert!(error.to_string().contains("imension"), "{error}");
    finish(&gpu);
}
