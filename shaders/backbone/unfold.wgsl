// Cuts a picture into square patches, a row each: channels, rows, columns, as a convolution's weight is stored.

// Keep in sync with `UnfoldUniforms` in engine/src/backend/wgpu/kernels/unfold.rs.
struct Uniforms {
    // Pixels.
    width: u32,
    height: u32,
    // Pixels along a patch.
    side: u32,
    // Patches in a row of the grid.
    cols: u32,
    // Numbers in all patches together, by four.
    count: u32,
    // To 32 bytes.
    padding0: u32,
    padding1: u32,
    padding2: u32,
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read> pixels: array<f32>;         // [3, height, width]
@group(0) @binding(2) var<storage, read_write> out: array<Input4>;   // [patches, 3 * side * side]

fn pixel(patch_index: u32, place: u32) -> f32 {
    let side = uniforms.side;
    let y = (patch_index / uniforms.cols) * side + (place / side) % side;
    let x = (patch_index % uniforms.cols) * side + place % side;
    let channel = place / (side * side);
    return pixels[(channel * uniforms.height + y) * uniforms.width + x];
}

@compute @workgroup_size(64)
fn unfold(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + thread;
    if (index >= uniforms.count) {
        return;
    }
    let length = 3u * uniforms.side * uniforms.side;
    let patch_index = 4u * index / length;
    let place = 4u * index % length;
    out[index] = to_input(vec4f(
        pixel(patch_index, place),
        pixel(patch_index, place + 1u),
        pixel(patch_index, place + 2u),
        pixel(patch_index, place + 3u),
    ));
}
