//! One number per patch on the graphics device.

use ndarray::Array2;

use super::readback::Readback;
use super::{EXCLUDED, Gpu};

/// A map `[rows, cols]` as an `r32float` texture of that size, its least and greatest value (excluded patches aside) as
/// a second texture of 2×1, and both read back without waiting.
#[derive(Debug)]
pub struct MapTexture {
    /// Patch rows.
    pub rows: usize,
    /// Patch columns.
    pub cols: usize,
    view: wgpu::TextureView,
    range_view: wgpu::TextureView,
    pub(super) readback: Readback,
    pub(super) inputs: Inputs,
}

/// What a map is made of, on the device.
#[derive(Debug)]
pub(super) struct Inputs {
    /// `QueryUniforms` of the pipeline.
    pub query: wgpu::Buffer,
    /// `[directions, words / 2]` vec4 of f32; made anew where a query is larger.
    pub directions: wgpu::Buffer,
    /// `[patches / 32]` u32
    pub excluded: wgpu::Buffer,
}

impl MapTexture {
    /// A map that leaves all patches out.
    pub fn new(gpu: &Gpu, rows: usize, cols: usize) -> Self {
        let map = texture(gpu, "map", cols, rows);
        let range = texture(gpu, "range of a map", 2, 1);
        write(gpu, &map, &vec![EXCLUDED; rows * cols]);
        write(gpu, &range, &[0.0; 2]);
        let inputs = Inputs {
            query: input(gpu, "query of a map", wgpu::BufferUsages::UNIFORM, 16),
            directions: input(gpu, "directions of a map", wgpu::BufferUsages::STORAGE, 4096),
            excluded: input(
                gpu,
                "patches left out",
                wgpu::BufferUsages::STORAGE,
                4 * (rows * cols).div_ceil(32) as u64,
            ),
        };
        Self {
            rows,
            cols,
            view: map.create_view(&wgpu::TextureViewDescriptor::default()),
            range_view: range.create_view(&wgpu::TextureViewDescriptor::default()),
            readback: Readback::new(gpu, map),
            inputs,
        }
    }

    /// For drawing: `r32float`, `cols` × `rows`.
    pub fn view(&self) -> &wgpu::TextureView {
        &self.view
    }

    /// For drawing: `r32float`, 2 × 1: least, greatest; both 0 where all patches are left out.
    pub fn range_view(&self) -> &wgpu::TextureView {
        &self.range_view
    }

    /// The newest values that have arrived from the device, `[rows, cols]`; a frame or two old. Never waits.
    pub fn arrived(&mut self, gpu: &Gpu) -> Option<&Array2<f32>> {
        self.readback.arrived(gpu)
    }

    /// Whether [`Self::arrived`] gave what the map holds now; else ask again in the next frame.
    pub fn has_arrived(&self) -> bool {
        self.readback.has_arrived()
    }
}

impl Inputs {
    /// Writes the directions, `[directions, words / 2]`.
    pub fn write_directions(&mut self, gpu: &Gpu, directions: &[[f32; 4]]) {
        let bytes: &[u8] = bytemuck::cast_slice(directions);
        if (bytes.len() as u64) > self.directions.size() {
            let size = bytes.len().next_power_of_two() as u64;
            self.directions = input(gpu, "directions of a map", wgpu::BufferUsages::STORAGE, size);
        }
        gpu.queue.write_buffer(&self.directions, 0, bytes);
    }
}

fn input(gpu: &Gpu, label: &str, usage: wgpu::BufferUsages, size: u64) -> wgpu::Buffer {
    gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size,
        usage: usage | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

fn texture(gpu: &Gpu, label: &str, width: usize, height: usize) -> wgpu::Texture {
    gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some(label),
        size: wgpu::Extent3d { width: width as u32, height: height as u32, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::R32Float,
        usage: wgpu::TextureUsages::STORAGE_BINDING
            | wgpu::TextureUsages::TEXTURE_BINDING
            | wgpu::TextureUsages::COPY_SRC
            | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    })
}

fn write(gpu: &Gpu, texture: &wgpu::Texture, values: &[f32]) {
    let bytes_per_row = Some(texture.width() * 4);
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row, rows_per_image: None };
    gpu.queue.write_texture(texture.as_image_copy(), bytemuck::cast_slice(values), layout, texture.size());
}
