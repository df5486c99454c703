// What all products of the form epilogue(A · Wᵀ + bias) have in common. All matrices are row-major, and their rows are
// multiples of four numbers. A weight that is larger than a binding comes in slices of its rows, one dispatch each; a
// product that takes long comes in bands of rows of A.
//
// `finish`, which stores four numbers of the result, is in one of the files gemm_bias.wgsl, gemm_gelu.wgsl, …

// Keep in sync with `GemmUniforms` in engine/src/backend/wgpu/kernels/gemm.rs.
struct Uniforms {
    // Rows of A: those before `rows_end`, from `rows_start` on.
    rows_start: u32,
    rows_end: u32,
    // Numbers in a row of A and of W, by four.
    depth: u32,
    // Rows of this slice of W, by four.
    slice: u32,
    // Rows of W before this slice, by four.
    slice_start: u32,
    // Numbers in a row of A · Wᵀ, by four.
    width: u32,
    // Row of `out` that belongs to the first row of A.
    first_row: u32,
    // For QKV: tokens before the patches.
    prefix: u32,
    // For QKV: rows and columns of the patch grid.
    grid_rows: u32,
    grid_cols: u32,
    // For QKV: numbers in a head, by four.
    head: u32,
    // For QKV: queries are multiplied with it.
    query_scale: f32,
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read> a: array<Input4>;        // [rows, depth]
@group(0) @binding(2) var<storage, read> w: array<Input4>;        // [4 * slice, depth]
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;      // [width]

// Beyond the last row is the last one again; what is computed from it is not stored.
fn a_at(row: u32, depth: u32) -> Input4 {
    return a[min(row, uniforms.rows_end - 1u) * uniforms.depth + depth];
}

fn w_at(row: u32, depth: u32) -> Input4 {
    return w[min(row, 4u * uniforms.slice - 1u) * uniforms.depth + depth];
}

fn store(row: u32, slice_col: u32, sums: vec4f) {
    if (row >= uniforms.rows_end || slice_col >= uniforms.slice) {
        return;
    }
    let col = uniforms.slice_start + slice_col;
    finish(row, col, sums + bias[col]);
}
