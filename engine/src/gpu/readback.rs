//! A small texture's values on their way back to the host, without waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use ndarray::Array2;

use super::Gpu;

/// Copies that can be on their way at once: a frame that is shown, one that is drawn, one that is prepared.
const SLOTS: usize = 3;

const IDLE: u8 = 0;
const ON_ITS_WAY: u8 = 1;
const ARRIVED: u8 = 2;

/// Staging buffers for one `r32float` texture that does not change its size.
#[derive(Debug)]
pub(super) struct Readback {
    /// `[rows, cols]`
    texture: wgpu::Texture,
    slots: [Slot; SLOTS],
    /// Versions of the texture so far.
    newest: u64,
    /// The newest version that a copy has been made of.
    copied: u64,
    /// The version of `values`.
    read: u64,
    values: Array2<f32>,
}

#[derive(Debug)]
struct Slot {
    buffer: wgpu::Buffer,
    state: Arc<AtomicU8>,
    version: u64,
}

impl Readback {
    pub fn new(gpu: &Gpu, texture: wgpu::Texture) -> Self {
        let (cols, rows) = (texture.width(), texture.height());
        let slots = std::array::from_fn(|_| Slot {
            buffer: gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("values on their way back"),
                size: u64::from(row_bytes(cols)) * u64::from(rows),
                usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
                mapped_at_creation: false,
            }),
            state: Arc::new(AtomicU8::new(IDLE)),
            version: 0,
        });
        let values = Array2::zeros((rows as usize, cols as usize));
        Self { texture, slots, newest: 0, copied: 0, read: 0, values }
    }

    /// That what `encoder` has recorded changes the texture: copies it where a buffer is free, else
    /// [`Self::arrived`] does so later.
    pub fn changed(&mut self, encoder: &mut wgpu::CommandEncoder) {
        self.newest += 1;
        self.copy(encoder);
    }

    fn copy(&mut self, encoder: &mut wgpu::CommandEncoder) {
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.state.load(Ordering::Acquire) == IDLE) else {
            return;
        };
        let row = row_bytes(self.texture.width());
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
        encoder.copy_texture_to_buffer(
            self.texture.as_image_copy(),
            wgpu::TexelCopyBufferInfo { buffer: &slot.buffer, layout },
            self.texture.size(),
        );
        slot.version = self.newest;
        self.copied = self.newest;
        slot.state.store(ON_ITS_WAY, Ordering::Release);
        let state = Arc::clone(&slot.state);
        // It fails where the device is lost; then the buffer is not mapped.
        encoder.map_buffer_on_submit(&slot.buffer, wgpu::MapMode::Read, .., move |mapped| {
            state.store(if mapped.is_ok() { ARRIVED } else { IDLE }, Ordering::Release);
        });
    }

    /// Whether the newest version has been read.
    pub fn has_arrived(&self) -> bool {
        self.read == self.newest
    }

    /// The newest values that are here, `[rows, cols]`; `None` before the first.
    pub fn arrived(&mut self, gpu: &Gpu) -> Option<&Array2<f32>> {
        // A lost device is reported to its own callback.
        let _ = gpu.device.poll(wgpu::PollType::Poll);
        let is_here = |slot: &Slot| slot.state.load(Ordering::Acquire) == ARRIVED;
        if let Some(slot) = self.slots.iter().filter(|slot| is_here(slot)).max_by_key(|slot| slot.version)
            && slot.version > self.read
            && let Ok(bytes) = slot.buffer.get_mapped_range(..)
        {
            let row = row_bytes(self.texture.width()) as usize;
            for (mut values, bytes) in self.values.rows_mut().into_iter().zip(bytes.chunks_exact(row)) {
                if let Some(values) = values.as_slice_mut() {
                    let values = bytemuck::cast_slice_mut(values);
                    values.copy_from_slice(&bytes[..values.len()]);
                }
            }
            self.read = slot.version;
        }
        for slot in self.slots.iter().filter(|slot| is_here(slot)) {
            slot.buffer.unmap();
            slot.state.store(IDLE, Ordering::Release);
        }
        if self.copied < self.newest {
            let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            self.copy(&mut encoder);
            gpu.queue.submit([encoder.finish()]);
        }
        (self.read > 0).then_some(&self.values)
    }
}

/// Bytes of a row in a staging buffer.
fn row_bytes(cols: u32) -> u32 {
    (cols * 4).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT)
}
