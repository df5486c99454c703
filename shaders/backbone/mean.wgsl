// The mean over all rows; a workgroup has 16 columns of four numbers, and 16 threads share a column.

// Keep in sync with `MeanUniforms` in engine/src/backend/wgpu/kernels/mean.rs.
struct Uniforms {
    rows: u32,
    // Numbers in a row, by four.
    width: u32,
    // To 16 bytes.
    padding0: u32,
    padding1: u32,
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;          // [rows, width]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;  // [width]

var<workgroup> sums: array<vec4f, 256>;

@compute @workgroup_size(256)
fn mean(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let col = 16u * group.x + thread % 16u;
    var sum = vec4f(0.0);
    if (col < uniforms.width) {
        for (var row = thread / 16u; row < uniforms.rows; row += 16u) {
            sum += x[row * uniforms.width + col];
        }
    }
    sums[thread] = sum;
    workgroupBarrier();
    if (thread < 16u && col < uniforms.width) {
        for (var i = 1u; i < 16u; i++) {
            sum += sums[16u * i + thread];
        }
        out[col] = sum / f32(uniforms.rows);
    }
}
