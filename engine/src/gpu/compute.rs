//! Small pieces that all kernels of `shaders/analysis` need.

use bytemuck::{NoUninit, Pod};

use super::{Gpu, GpuError};

/// A compiled kernel, the only one of its shader; its layout is what the shader says.
pub fn pipeline(gpu: &Gpu, label: &str, source: &str) -> wgpu::ComputePipeline {
    compiled(gpu, &module(gpu, label, source), label, None)
}

/// As [`pipeline`], for a shader with a kernel of each of these names.
pub fn pipelines<const N: usize>(
    gpu: &Gpu,
    label: &str,
    source: &str,
    entries: [&str; N],
) -> [wgpu::ComputePipeline; N] {
    let module = module(gpu, label, source);
    entries.map(|entry| compiled(gpu, &module, entry, Some(entry)))
}

fn module(gpu: &Gpu, label: &str, source: &str) -> wgpu::ShaderModule {
    let source = wgpu::ShaderSource::Wgsl(source.into());
    gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some(label), source })
}

fn compiled(gpu: &Gpu, module: &wgpu::ShaderModule, label: &str, entry_point: Option<&str>) -> wgpu::ComputePipeline {
    gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(label),
        layout: None,
        module,
        entry_point,
        compilation_options: wgpu::PipelineCompilationOptions {
            // Every thread writes its part before any is read.
            zero_initialize_workgroup_memory: false,
            ..wgpu::PipelineCompilationOptions::default()
        },
        cache: None,
    })
}

/// Bindings from 0 on.
pub fn bind<const N: usize>(
    gpu: &Gpu,
    pipeline: &wgpu::ComputePipeline,
    resources: [wgpu::BindingResource; N],
) -> wgpu::BindGroup {
    let mut binding = 0..;
    let entries = resources.map(|resource| wgpu::BindGroupEntry { binding: binding.next().unwrap_or(0), resource });
    gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    })
}

/// A new uniform buffer with that content.
pub fn uniform(gpu: &Gpu, label: &str, uniforms: &impl NoUninit) -> wgpu::Buffer {
    filled(gpu, label, bytemuck::bytes_of(uniforms), wgpu::BufferUsages::UNIFORM)
}

/// A new storage buffer with that content.
pub fn upload<T: NoUninit>(gpu: &Gpu, label: &str, numbers: &[T]) -> wgpu::Buffer {
    filled(gpu, label, bytemuck::cast_slice(numbers), wgpu::BufferUsages::STORAGE)
}

fn filled(gpu: &Gpu, label: &str, contents: &[u8], usage: wgpu::BufferUsages) -> wgpu::Buffer {
    // Not mapped at creation: that panics on a device that is lost.
    let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: contents.len() as u64,
        usage: usage | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    gpu.queue.write_buffer(&buffer, 0, contents);
    buffer
}

/// A new storage buffer of zeros that [`read`] reads.
pub fn storage(gpu: &Gpu, label: &str, size: u64) -> wgpu::Buffer {
    gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size,
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

/// Waits for everything that was submitted before, then gives the buffer's content.
///
/// # Errors
/// [`GpuError::Lost`], and what [`Gpu::guarded`] says.
pub fn read<T: Pod>(gpu: &Gpu, buffer: &wgpu::Buffer) -> Result<Vec<T>, GpuError> {
    let (staging, submission) = gpu.guarded("the result", buffer.size(), || {
        let staging = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("result"),
            size: buffer.size(),
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size());
        let submission = gpu.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |_| ());
        (staging, submission)
    })?;
    gpu.wait(&submission)?;
    let bytes = staging.get_mapped_range(..).map_err(|_| GpuError::Lost)?;
    Ok(bytemuck::cast_slice(&bytes).to_vec())
}
