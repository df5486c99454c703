//! The kernels of `shaders/backbone`: for each the mirror of its uniforms, and how it is dispatched.

pub mod attention;
pub mod depthwise;
pub mod gemm;
pub mod mean;
pub mod method;
pub mod norm;
pub mod pack;
pub mod peak;
pub mod unfold;

/// Workgroups along one dimension that every device takes.
const WORKGROUPS: u32 = 65_535;

/// Every kernel there is, for tests that need no device.
#[cfg(test)]
pub const ALL: [&super::pipelines::Kernel; 25] = [
    &attention::PLAIN,
    &attention::SUBGROUP,
    &attention::BROADCAST,
    &depthwise::DEPTHWISE,
    &gemm::BIAS.plain,
    &gemm::BIAS.broadcast,
    &gemm::BIAS.cooperative,
    &gemm::GELU.plain,
    &gemm::GELU.broadcast,
    &gemm::GELU.cooperative,
    &gemm::SWIGLU.plain,
    &gemm::SWIGLU.broadcast,
    &gemm::SWIGLU.cooperative,
    &gemm::ADD_SCALED.plain,
    &gemm::ADD_SCALED.broadcast,
    &gemm::ADD_SCALED.cooperative,
    &gemm::QKV.plain,
    &gemm::QKV.broadcast,
    &gemm::QKV.cooperative,
    &mean::MEAN,
    &norm::PLAIN,
    &norm::SUBGROUP,
    &pack::PACK,
    &peak::PEAK,
    &unfold::UNFOLD,
];

/// Work of a kernel that computes next to nothing with each of so many numbers: a GPU multiplies some twenty times while
/// it reads one.
fn moved(numbers: usize) -> u64 {
    20 * numbers as u64
}

/// `count` workgroups in rows of at most [`WORKGROUPS`]; kernels find their index in x and y, and leave where there are
/// more than they need.
fn spread(count: usize) -> [u32; 3] {
    let count = count as u32;
    let rows = count.div_ceil(WORKGROUPS).max(1);
    [count.div_ceil(rows), rows, 1]
}
