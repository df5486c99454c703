//! The kernels of `shaders/backbone`: for each the mirror of its uniforms, and how it is dispatched.

pub mod attention;
pub mod depthwise;
pub mod gemm;
pub mod mean;
pub mod norm;
pub mod pack;
pub mod unfold;

/// Workgroups along one dimension that every device takes.
const WORKGROUPS: u32 = 65_535;

/// Every kernel there is, for tests that need no device.
#[cfg(test)]
pub const ALL: [&super::pipelines::Kernel; 12] = [
    &attention::ATTENTION,
    &depthwise::DEPTHWISE,
    &gemm::BIAS,
    &gemm::GELU,
    &gemm::SWIGLU,
    &gemm::ADD_SCALED,
    &gemm::QKV,
    &mean::MEAN,
    &norm::PLAIN,
    &norm::SUBGROUP,
    &pack::PACK,
    &unfold::UNFOLD,
];

/// `count` workgroups in rows of at most [`WORKGROUPS`]; kernels find their index in x and y, and leave where there are
/// more than they need.
fn spread(count: usize) -> [u32; 3] {
    let count = count as u32;
    let rows = count.div_ceil(WORKGROUPS).max(1);
    [count.div_ceil(rows), rows, 1]
}
