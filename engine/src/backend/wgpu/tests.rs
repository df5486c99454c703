//! On whatever adapter this machine has; none is a failure.

mod attention;
mod bench;
mod cooperative;
mod gemm;
mod model;
mod others;
mod shaders;
