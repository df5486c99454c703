//! Kernels for the processor, fused and packed, where candle's own are too slow.
//!
//! [`tile`] is the one operation that differs between processors; [`linear`] and [`attention`] are written over it.
//! [`kernels`] picks the best kernel this machine has.

#[cfg(target_arch = "x86_64")]
mod amx;
pub mod attention;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod bf16;
pub mod depthwise;
pub mod linear;
mod math;
pub mod neighbours;
mod quantised;
mod scratch;
#[cfg(test)]
mod tests;
pub mod tile;

use ::half::{bf16 as Bf16, f16 as F16};

use self::attention::{AttentionShape, Rope};
use self::linear::{Epilogue, PackedWeight};
use self::neighbours::{Disc, Neighbour, PatchFeatures};
pub use self::scratch::Scratch;
use self::tile::{Portable, TileKernel};
use crate::backend::Dtype;
use crate::checkpoint::QuantisedMatrix;
use crate::{Cancel, Result};

/// A way to multiply matrices on this processor.
pub trait Kernels: Send + Sync {
    /// Packs a weight, `[outputs, inputs]` row-major, for a layer that ends in `epilogue`.
    fn pack(&self, weight: &[f32], inputs: usize, epilogue: &Epilogue) -> Box<dyn PackedWeight>;

    /// As [`pack`](Self::pack) for a weight that stays quantised: the same results.
    fn pack_quantised(&self, weight: &QuantisedMatrix, inputs: usize, epilogue: &Epilogue) -> Box<dyn PackedWeight>;

    /// See [`attention::attention`].
    fn attention(
        &self,
        qkv: &[f32],
        shape: AttentionShape,
        rope: Option<&Rope>,
        scratch: &mut Scratch,
        out: &mut [f32],
    );

    /// See [`neighbours::neighbours`].
    ///
    /// # Errors
    /// As there.
    fn neighbours(
        &self,
        target: PatchFeatures<'_>,
        context: &[PatchFeatures<'_>],
        disc: &Disc,
        count: usize,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Neighbour>>>;
}

impl<K: TileKernel> Kernels for K {
    fn pack(&self, weight: &[f32], inputs: usize, epilogue: &Epilogue) -> Box<dyn PackedWeight> {
        linear::pack(*self, weight, inputs, epilogue)
    }

    fn pack_quantised(&self, weight: &QuantisedMatrix, inputs: usize, epilogue: &Epilogue) -> Box<dyn PackedWeight> {
        linear::pack_quantised(*self, weight, inputs, epilogue)
    }

    fn attention(
        &self,
        qkv: &[f32],
        shape: AttentionShape,
        rope: Option<&Rope>,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        attention::attention(*self, qkv, shape, rope, scratch, out);
    }

    fn neighbours(
        &self,
        target: PatchFeatures<'_>,
        context: &[PatchFeatures<'_>],
        disc: &Disc,
        count: usize,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Neighbour>>> {
        neighbours::neighbours(*self, target, context, disc, count, cancel)
    }
}

/// Plain kernels on weights that are rounded to a half type first: the same numbers as that type gives, at f32's speed.
struct Rounded(fn(f32) -> f32);

impl Kernels for Rounded {
    fn pack(&self, weight: &[f32], inputs: usize, epilogue: &Epilogue) -> Box<dyn PackedWeight> {
        let rounded: Vec<f32> = weight.iter().map(|value| self.0(*value)).collect();
        Portable.pack(&rounded, inputs, epilogue)
    }

    /// What is rounded has no scales any more.
    fn pack_quantised(&self, weight: &QuantisedMatrix, inputs: usize, epilogue: &Epilogue) -> Box<dyn PackedWeight> {
        self.pack(&weight.to_f32(), inputs, epilogue)
    }

    fn attention(
        &self,
        qkv: &[f32],
        shape: AttentionShape,
        rope: Option<&Rope>,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        Portable.attention(qkv, shape, rope, scratch, out);
    }

    fn neighbours(
        &self,
        target: PatchFeatures<'_>,
        context: &[PatchFeatures<'_>],
        disc: &Disc,
        count: usize,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Neighbour>>> {
        Portable.neighbours(target, context, disc, count, cancel)
    }
}

/// The fastest kernels of this processor for a type of weights.
pub fn kernels(dtype: Dtype) -> Box<dyn Kernels> {
    available(dtype).swap_remove(0).1
}

/// Every way this processor has to work in that type, with a name, the fastest first.
pub fn available(dtype: Dtype) -> Vec<(&'static str, Box<dyn Kernels>)> {
    let mut all: Vec<(&'static str, Box<dyn Kernels>)> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        fn add(all: &mut Vec<(&'static str, Box<dyn Kernels>)>, name: &'static str, kernel: Option<impl TileKernel>) {
            all.extend(kernel.map(|kernel| (name, Box::new(kernel) as Box<dyn Kernels>)));
        }
        match dtype {
            Dtype::F32 => add(&mut all, "AVX-512", avx512::Avx512::<f32>::detect()),
            Dtype::F16 => add(&mut all, "AVX-512 with f16 weights", avx512::Avx512::<F16>::detect()),
            Dtype::Bf16 => {
                add(&mut all, "AMX", amx::Amx::detect());
                add(&mut all, "AVX-512 BF16", bf16::Avx512Bf16::detect());
                add(&mut all, "AVX-512 with bf16 weights", avx512::Avx512::<Bf16>::detect());
            }
        }
    }
    all.push(match dtype {
        Dtype::F32 => ("portable", Box::new(Portable)),
        Dtype::F16 => ("portable, weights rounded to f16", Box::new(Rounded(|value| F16::from_f32(value).to_f32()))),
        Dtype::Bf16 => ("portable, weights rounded to bf16", Box::new(Rounded(|value| Bf16::from_f32(value).to_f32()))),
    });
    all
}
