//! Pictures and colours per patch as textures.

use std::borrow::Cow;

use ndarray::Array3;
use rayon::prelude::*;

use super::mipmap::write_smaller_levels;
use super::{Gpu, GpuError};
use crate::image::{Filter, Picture, resample};

/// Texels that are on their way to the device at once.
const TEXELS_AT_ONCE: usize = 4 << 20;

/// A picture as an `rgba8unorm_srgb` texture with all its smaller levels (mipmaps).
#[derive(Debug)]
pub struct PictureTexture {
    /// All levels.
    pub view: wgpu::TextureView,
    /// Width and height of level 0 in texels: the picture's, or less where the device's largest texture is smaller.
    pub size: (u32, u32),
    /// Memory taken on the device.
    pub bytes: usize,
}

impl PictureTexture {
    /// Scales down what the device cannot hold, and uploads. Meant for a worker thread.
    ///
    /// # Errors
    /// [`GpuError::DoesNotFit`].
    pub fn upload(gpu: &Gpu, picture: &Picture) -> Result<Self, GpuError> {
        Self::upload_within(gpu, picture, gpu.device.limits().max_texture_dimension_2d)
    }

    /// As [`Self::upload`], with at most `limit` texels on a side.
    pub(super) fn upload_within(gpu: &Gpu, picture: &Picture, limit: u32) -> Result<Self, GpuError> {
        let picture = scaled_down(picture, limit as usize);
        let (width, height) = (picture.width as u32, picture.height as u32);
        let size = wgpu::Extent3d { width, height, depth_or_array_layers: 1 };
        let levels = size.max_mips(wgpu::TextureDimension::D2);
        let bytes = (0..levels).map(|level| 4 * (width >> level).max(1) as usize * (height >> level).max(1) as usize);
        let bytes = bytes.sum();
        let texture = gpu.guarded("the picture", bytes as u64, || {
            let usage = wgpu::TextureUsages::COPY_SRC | wgpu::TextureUsages::RENDER_ATTACHMENT;
            let texture = texture(gpu, "picture", size, levels, wgpu::TextureFormat::Rgba8UnormSrgb, usage);
            write_picture(gpu, &texture, &picture);
            write_smaller_levels(gpu, &texture);
            texture
        })?;
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        Ok(Self { view, size: (width, height), bytes })
    }
}

/// The picture, or a smaller one of the same proportions where a side is longer than `limit`.
fn scaled_down(picture: &Picture, limit: usize) -> Cow<'_, Picture> {
    let (width, height) = (picture.width, picture.height);
    let longest = width.max(height);
    if longest <= limit {
        return Cow::Borrowed(picture);
    }
    let side = |len: usize| ((len as f64 * limit as f64 / longest as f64).round() as usize).clamp(1, limit);
    Cow::Owned(resample::resize_picture(picture, side(width), side(height), Filter::Bilinear))
}

/// 0..=1 to 0..=255; NaN to 0.
fn byte(value: f32) -> u8 {
    (value * 255.0).round() as u8
}

/// Fills level 0 in bands, so that a large picture is not three times in memory.
fn write_picture(gpu: &Gpu, texture: &wgpu::Texture, picture: &Picture) {
    let rows = (TEXELS_AT_ONCE / picture.width).max(1);
    for (band, rgb) in picture.rgb.chunks(3 * picture.width * rows).enumerate() {
        let texels: Vec<[u8; 4]> = rgb.as_chunks::<3>().0.par_iter().map(|&[r, g, b]| [r, g, b, 255]).collect();
        write_rows(gpu, texture, (band * rows) as u32, &texels);
        gpu.queue.submit([]);
    }
}

/// Writes whole rows of level 0, `[rows, width]`, from row `first` on.
fn write_rows(gpu: &Gpu, texture: &wgpu::Texture, first: u32, texels: &[[u8; 4]]) {
    let width = texture.width();
    let destination =
        wgpu::TexelCopyTextureInfo { origin: wgpu::Origin3d { x: 0, y: first, z: 0 }, ..texture.as_image_copy() };
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * width), rows_per_image: None };
    let size = wgpu::Extent3d { width, height: texels.len() as u32 / width, depth_or_array_layers: 1 };
    gpu.queue.write_texture(destination, texels.as_flattened(), layout, size);
}

/// Colours per patch `[rows, cols, 3]` in 0..=1 (as shown: sRGB), as `rgba8unorm`, `cols` × `rows`.
pub fn upload_colours(gpu: &Gpu, colours: &Array3<f32>) -> wgpu::TextureView {
    let (rows, cols, _) = colours.dim();
    let texels: Vec<[u8; 4]> =
        colours.rows().into_iter().map(|rgb| [byte(rgb[0]), byte(rgb[1]), byte(rgb[2]), 255]).collect();
    let size = wgpu::Extent3d { width: cols as u32, height: rows as u32, depth_or_array_layers: 1 };
    let usage = wgpu::TextureUsages::COPY_SRC;
    let texture = texture(gpu, "colours per patch", size, 1, wgpu::TextureFormat::Rgba8Unorm, usage);
    write_rows(gpu, &texture, 0, &texels);
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}

/// A texture that can be drawn and written.
fn texture(
    gpu: &Gpu,
    label: &str,
    size: wgpu::Extent3d,
    levels: u32,
    format: wgpu::TextureFormat,
    usage: wgpu::TextureUsages,
) -> wgpu::Texture {
    gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some(label),
        size,
        mip_level_count: levels,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: usage | wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    })
}
