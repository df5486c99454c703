// (x - mean) / sqrt(variance + epsilon) · weight + bias over every row, one workgroup a row.

// Keep in sync with `NormUniforms` in engine/src/backend/wgpu/kernels/norm.rs.
struct Uniforms {
    // First row to normalise, and how many.
    first_row: u32,
    rows: u32,
    // Numbers in a row, by four.
    width: u32,
    // Columns of the positions' grid, for JOIN.
    grid_cols: u32,
    epsilon: f32,
    // To 32 bytes.
    padding0: u32,
    padding1: u32,
    padding2: u32,
}

// The program sets THREADS, JOIN (whether 2 × 2 neighbouring positions end side by side in one row of four times the
// width) and `Out`, f32 or Input. Behind this file stands layer_norm_plain.wgsl or layer_norm_subgroup.wgsl with the
// entry point, `Place` and `sum_of_threads`.

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;          // [first_row + rows, width]
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;     // [width]
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;       // [width]
@group(0) @binding(4) var<storage, read_write> out: array<vec4<Out>>;  // as x; JOIN: [rows / 4, 4 * width]

var<workgroup> partial_sums: array<f32, THREADS>;

// Where a row begins in `out`.
fn start_of(row: u32) -> u32 {
    if (!JOIN) {
        return row * uniforms.width;
    }
    let grid_row = row / uniforms.grid_cols;
    let grid_col = row % uniforms.grid_cols;
    let joined = (grid_row / 2u) * (uniforms.grid_cols / 2u) + grid_col / 2u;
    return (4u * joined + 2u * (grid_row % 2u) + grid_col % 2u) * uniforms.width;
}

fn normalise(group: vec3u, groups: vec3u, place: Place) {
    let index = group.y * groups.x + group.x;
    if (index >= uniforms.rows) {
        return;
    }
    let row = uniforms.first_row + index;
    let start = row * uniforms.width;
    let count = 4.0 * f32(uniforms.width);
    var sums = vec4f(0.0);
    for (var i = place.thread; i < uniforms.width; i += THREADS) {
        sums += x[start + i];
    }
    let mean = sum_of_threads(dot(sums, vec4f(1.0)), place) / count;
    var squares = vec4f(0.0);
    for (var i = place.thread; i < uniforms.width; i += THREADS) {
        let centred = x[start + i] - mean;
        squares += centred * centred;
    }
    let variance = sum_of_threads(dot(squares, vec4f(1.0)), place) / count;
    let scale = 1.0 / sqrt(variance + uniforms.epsilon);
    let out_start = start_of(row);
    for (var i = place.thread; i < uniforms.width; i += THREADS) {
        out[out_start + i] = vec4<Out>((x[start + i] - mean) * scale * weight[i] + bias[i]);
    }
}
