// Depthwise 7 × 7 convolution, channels last, zeros around. A thread has four neighbouring positions of four channels.

// Keep in sync with `DepthwiseUniforms` in engine/src/backend/wgpu/kernels/depthwise.rs.
struct Uniforms {
    rows: u32,
    cols: u32,
    // Channels, by four.
    channels: u32,
    // To 16 bytes.
    padding: u32,
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;          // [rows, cols, channels]
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;     // [7, 7, channels]
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;       // [channels]
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;  // [rows, cols, channels]

fn x_at(row: u32, col: i32, channel: u32) -> vec4f {
    if (col < 0 || col >= i32(uniforms.cols)) {
        return vec4f(0.0);
    }
    return x[(row * uniforms.cols + u32(col)) * uniforms.channels + channel];
}

@compute @workgroup_size(64)
fn depthwise(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + thread;
    let channel = index % uniforms.channels;
    let fours = (uniforms.cols + 3u) / 4u;
    let row = index / uniforms.channels / fours;
    let col = 4u * (index / uniforms.channels % fours);
    if (row >= uniforms.rows) {
        return;
    }
    var sum0 = bias[channel];
    var sum1 = sum0;
    var sum2 = sum0;
    var sum3 = sum0;
    for (var tap_row = 0u; tap_row < 7u; tap_row++) {
        let x_row = i32(row + tap_row) - 3;
        if (x_row < 0 || x_row >= i32(uniforms.rows)) {
            continue;
        }
        let left = i32(col) - 3;
        var x0 = x_at(u32(x_row), left, channel);
        var x1 = x_at(u32(x_row), left + 1, channel);
        var x2 = x_at(u32(x_row), left + 2, channel);
        for (var tap = 0u; tap < 7u; tap++) {
            let x3 = x_at(u32(x_row), left + 3 + i32(tap), channel);
            let factor = weight[(7u * tap_row + tap) * uniforms.channels + channel];
            sum0 = fma(x0, factor, sum0);
            sum1 = fma(x1, factor, sum1);
            sum2 = fma(x2, factor, sum2);
            sum3 = fma(x3, factor, sum3);
            x0 = x1;
            x1 = x2;
            x2 = x3;
        }
    }
    let at = (row * uniforms.cols + col) * uniforms.channels + channel;
    out[at] = sum0;
    if (col + 1u < uniforms.cols) {
        out[at + uniforms.channels] = sum1;
    }
    if (col + 2u < uniforms.cols) {
        out[at + 2u * uniforms.channels] = sum2;
    }
    if (col + 3u < uniforms.cols) {
        out[at + 3u * uniforms.channels] = sum3;
    }
}
