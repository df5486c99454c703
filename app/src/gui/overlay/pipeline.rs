//! The pipeline that draws a picture and its layer, and the paint callback that runs it inside egui's pass.

use std::collections::HashMap;

use dinoscope_engine::draw::Colormap;
use dinoscope_engine::gpu::{Gpu, PictureTexture};
use eframe::egui_wgpu::{Callback, CallbackResources, CallbackTrait, RenderState};
use egui::{PaintCallbackInfo, Painter};
use wgpu::util::{DeviceExt as _, TextureDataOrder};

use super::uniforms::{self, Uniforms};
use super::{Layer, LayerContent};
use crate::gui::canvas::ViewTransform;

/// Draws pictures. One for the whole window.
pub struct PicturePainter {
    gpu: Gpu,
    pipeline: wgpu::RenderPipeline,
    layout: wgpu::BindGroupLayout,
    smooth: wgpu::Sampler,
    crisp: wgpu::Sampler,
    colormaps: HashMap<&'static str, wgpu::TextureView>,
    /// In place of textures that a layer does not have.
    nothing: wgpu::TextureView,
    is_srgb_target: bool,
}

impl PicturePainter {
    /// Compiles the shader for the window's format.
    pub fn new(gpu: Gpu, render_state: &RenderState) -> Self {
        let device = &gpu.device;
        let shader = device.create_shader_module(wgpu::include_wgsl!("../../../../shaders/overlay/picture.wgsl"));
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("picture"),
            entries: &[
                entry(
                    0,
                    wgpu::BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Uniform,
                        has_dynamic_offset: false,
                        min_binding_size: None,
                    },
                ),
                texture(1, true),
                entry(2, wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering)),
                texture(3, false),
                texture(4, false),
                texture(5, false),
                texture(6, true),
                entry(7, wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering)),
            ],
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("picture"),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("picture"),
            layout: Some(&pipeline_layout),
            vertex: wgpu::VertexState {
                module: &shader,
                entry_point: Some("vertex"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                buffers: &[],
            },
            fragment: Some(wgpu::FragmentState {
                module: &shader,
                entry_point: Some("fragment"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                targets: &[Some(wgpu::ColorTargetState {
                    format: render_state.target_format,
                    blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
                    write_mask: wgpu::ColorWrites::ALL,
                })],
            }),
            primitive: wgpu::PrimitiveState::default(),
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            multiview_mask: None,
            cache: None,
        });
        let sampler = |mag_filter| {
            device.create_sampler(&wgpu::SamplerDescriptor {
                mag_filter,
                min_filter: wgpu::FilterMode::Linear,
                mipmap_filter: wgpu::MipmapFilterMode::Linear,
                ..wgpu::SamplerDescriptor::default()
            })
        };
        let colormaps = Colormap::ALL.iter().map(|&(name, colormap)| (name, upload_colormap(&gpu, colormap))).collect();
        Self {
            smooth: sampler(wgpu::FilterMode::Linear),
            crisp: sampler(wgpu::FilterMode::Nearest),
            colormaps,
            nothing: row_of_texels(&gpu, &[[0; 4]]),
            is_srgb_target: render_state.target_format.is_srgb(),
            pipeline,
            layout,
            gpu,
        }
    }

    /// The device that it draws with.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Adds a picture with its layer to what egui paints, in the rectangle of `view`.
    pub fn paint(
        &self,
        painter: &Painter,
        view: &ViewTransform,
        picture: &PictureTexture,
        layer: Option<&Layer>,
        has_patch_grid: bool,
    ) {
        let rect = view.rect;
        if !rect.is_positive() {
            return;
        }
        let pixels_per_point = painter.pixels_per_point();
        let origin = view.image_from_screen(rect.min);
        let span = rect.size() / view.points_per_pixel;
        let mut uniforms = Uniforms {
            origin: [origin.x, origin.y],
            span: [span.x, span.y],
            picture: [view.image_size.x, view.image_size.y],
            scale: 1.0 / (view.points_per_pixel * pixels_per_point),
            pixels_per_point,
            ..Uniforms::default()
        };
        let mut set = |flag, on: bool| uniforms.flags |= if on { flag } else { 0 };
        set(uniforms::SRGB_TARGET, self.is_srgb_target);
        let (mut map, mut range, mut colours, mut colormap) =
            (&self.nothing, &self.nothing, &self.nothing, &self.nothing);
        if let Some(layer) = layer {
            set(uniforms::SMOOTH, layer.is_smooth);
            set(uniforms::GRID, has_patch_grid);
            match &layer.content {
                LayerContent::Empty => {}
                LayerContent::Colours(texture) => {
                    set(uniforms::COLOURS, true);
                    colours = texture;
                }
                LayerContent::Map { map: values, range: values_range, style } => {
                    set(uniforms::MAP, true);
                    set(uniforms::STRETCHED, style.range.is_none());
                    set(uniforms::THRESHOLD, style.threshold.is_some());
                    set(uniforms::CONTOUR, style.contour.is_some());
                    set(uniforms::GREY, style.is_grey_below);
                    let (low, high) = style.range.unwrap_or_default();
                    uniforms.range = [low, high];
                    uniforms.threshold = style.threshold.unwrap_or_default();
                    uniforms.contour = style.contour.unwrap_or_default();
                    (map, range) = (values, values_range);
                    colormap = self.colormap(style.colormap);
                }
            }
            let geometry = &layer.geometry;
            uniforms.covered = [geometry.covered.0 as f32, geometry.covered.1 as f32];
            uniforms.grid = [geometry.grid.1 as f32, geometry.grid.0 as f32];
            uniforms.opacity = layer.opacity;
        }

        let device = &self.gpu.device;
        // Not mapped at creation: that panics on a device that is lost.
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("picture"),
            size: size_of::<Uniforms>() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.gpu.queue.write_buffer(&buffer, 0, bytemuck::bytes_of(&uniforms));
        // From four screen pixels per picture pixel on, people want to see the pixels.
        let is_magnified = view.points_per_pixel * pixels_per_point >= 4.0;
        let views = [(1, &picture.view), (3, map), (4, range), (5, colours), (6, colormap)].map(|(binding, view)| {
            wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::TextureView(view) }
        });
        let mut entries = vec![
            wgpu::BindGroupEntry { binding: 0, resource: buffer.as_entire_binding() },
            wgpu::BindGroupEntry {
                binding: 2,
                resource: wgpu::BindingResource::Sampler(if is_magnified { &self.crisp } else { &self.smooth }),
            },
            wgpu::BindGroupEntry { binding: 7, resource: wgpu::BindingResource::Sampler(&self.smooth) },
        ];
        entries.extend(views);
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("picture"),
            layout: &self.layout,
            entries: &entries,
        });
        painter.add(Callback::new_paint_callback(rect, Paint { pipeline: self.pipeline.clone(), bind_group }));
    }

    fn colormap(&self, colormap: Colormap) -> &wgpu::TextureView {
        let name = Colormap::ALL.iter().find(|(_, known)| *known == colormap).map(|(name, _)| *name);
        name.and_then(|name| self.colormaps.get(name)).unwrap_or(&self.nothing)
    }
}

struct Paint {
    pipeline: wgpu::RenderPipeline,
    bind_group: wgpu::BindGroup,
}

impl CallbackTrait for Paint {
    fn paint(&self, _info: PaintCallbackInfo, pass: &mut wgpu::RenderPass<'static>, _resources: &CallbackResources) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.draw(0..3, 0..1);
    }
}

fn entry(binding: u32, ty: wgpu::BindingType) -> wgpu::BindGroupLayoutEntry {
    let visibility = wgpu::ShaderStages::VERTEX_FRAGMENT;
    wgpu::BindGroupLayoutEntry { binding, visibility, ty, count: None }
}

fn texture(binding: u32, filterable: bool) -> wgpu::BindGroupLayoutEntry {
    let sample_type = wgpu::TextureSampleType::Float { filterable };
    let view_dimension = wgpu::TextureViewDimension::D2;
    entry(binding, wgpu::BindingType::Texture { sample_type, view_dimension, multisampled: false })
}

/// 256 × 1
fn upload_colormap(gpu: &Gpu, colormap: Colormap) -> wgpu::TextureView {
    let texels: Vec<[u8; 4]> = (0..256u16)
        .map(|step| {
            let [r, g, b] = colormap.color(f32::from(step) / 255.0).map(|channel| channel.round() as u8);
            [r, g, b, 255]
        })
        .collect();
    row_of_texels(gpu, &texels)
}

fn row_of_texels(gpu: &Gpu, texels: &[[u8; 4]]) -> wgpu::TextureView {
    upload_texels(gpu, texels.len(), texels)
}

/// RGBA by row as an `rgba8unorm` texture of `cols` columns.
pub fn upload_texels(gpu: &Gpu, cols: usize, texels: &[[u8; 4]]) -> wgpu::TextureView {
    upload(gpu, wgpu::TextureFormat::Rgba8Unorm, cols, texels.len(), texels.as_flattened())
}

/// Numbers by row as an `r32float` texture of `cols` columns.
pub fn upload_values(gpu: &Gpu, cols: usize, values: &[f32]) -> wgpu::TextureView {
    upload(gpu, wgpu::TextureFormat::R32Float, cols, values.len(), bytemuck::cast_slice(values))
}

fn upload(gpu: &Gpu, format: wgpu::TextureFormat, cols: usize, count: usize, data: &[u8]) -> wgpu::TextureView {
    let (width, height) = (cols as u32, (count / cols.max(1)) as u32);
    let descriptor = wgpu::TextureDescriptor {
        label: Some("texels"),
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    };
    let texture = gpu.device.create_texture_with_data(&gpu.queue, &descriptor, TextureDataOrder::LayerMajor, data);
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}
