//! A label map on the graphics device.

use dinoscope_engine::gpu::Gpu;
use dinoscope_engine::tracking::LabelMap;

use super::strokes::{PixelRect, whole};

/// A label map as colours, `[height, width]`, of which parts can be painted anew.
pub struct LabelTexture {
    texture: wgpu::Texture,
    view: wgpu::TextureView,
}

/// What the values of a map look like: RGBA, not premultiplied.
pub type Palette = [[u8; 4]; 256];

impl LabelTexture {
    /// Uploads a whole map.
    pub fn new(gpu: &Gpu, map: &LabelMap, palette: &Palette) -> Self {
        let size = wgpu::Extent3d { width: map.width as u32, height: map.height as u32, depth_or_array_layers: 1 };
        let texture = gpu.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("labels"),
            size,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let labels = Self { texture, view };
        labels.paint(gpu, map, palette, whole(map));
        labels
    }

    /// Whether a map has its size.
    pub fn fits(&self, map: &LabelMap) -> bool {
        (self.texture.width() as usize, self.texture.height() as usize) == (map.width, map.height)
    }

    /// Uploads a part of the map.
    pub fn paint(&self, gpu: &Gpu, map: &LabelMap, palette: &Palette, rect: PixelRect) {
        let (width, height) = (rect.max.0 - rect.min.0, rect.max.1 - rect.min.1);
        if width == 0 || height == 0 {
            return;
        }
        let rows = (rect.min.1..rect.max.1).map(|y| &map.ids[y * map.width..][rect.min.0..rect.max.0]);
        let texels: Vec<[u8; 4]> = rows.flatten().map(|&id| palette[usize::from(id)]).collect();
        let destination = wgpu::TexelCopyTextureInfo {
            texture: &self.texture,
            mip_level: 0,
            origin: wgpu::Origin3d { x: rect.min.0 as u32, y: rect.min.1 as u32, z: 0 },
            aspect: wgpu::TextureAspect::All,
        };
        let layout =
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * width as u32), rows_per_image: None };
        let size = wgpu::Extent3d { width: width as u32, height: height as u32, depth_or_array_layers: 1 };
        gpu.queue.write_texture(destination, texels.as_flattened(), layout, size);
    }

    /// For drawing.
    pub fn view(&self) -> &wgpu::TextureView {
        &self.view
    }
}
