// Features of length 1 in half precision as similarity maps read them: the twin of `pack` in engine/src/gpu/grid.rs.
// One thread has a patch; numbers that are not finite count as 0.

// Keep in sync with `PackUniforms` in engine/src/backend/wgpu/kernels/pack.rs.
struct Uniforms {
    // Row of `x` of the first patch.
    first_row: u32,
    // Patches in this chunk.
    patches: u32,
    // Numbers in a row, by four.
    width: u32,
    // Words per patch.
    words: u32,
    // Length of a feature as it is stored.
    length: f32,
    // To 32 bytes.
    padding0: u32,
    padding1: u32,
    padding2: u32,
}

const BLOCK = 64u;

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;        // [rows, width]
@group(0) @binding(2) var<storage, read_write> out: array<u32>;  // [blocks, words, BLOCK] two f16 each

fn finite(value: vec4f) -> vec4f {
    let exponents = bitcast<vec4u>(value) & vec4u(0x7f800000u);
    return select(value, vec4f(0.0), exponents == vec4u(0x7f800000u));
}

@compute @workgroup_size(BLOCK)
fn pack(@builtin(workgroup_id) block: vec3u, @builtin(local_invocation_index) place: u32) {
    let index = block.x * BLOCK + place;
    let is_patch = index < uniforms.patches;
    let start = (uniforms.first_row + min(index, uniforms.patches - 1u)) * uniforms.width;
    var largest = vec4f(0.0);
    for (var i = 0u; i < uniforms.width; i++) {
        largest = max(largest, abs(finite(x[start + i])));
    }
    let greatest = max(max(largest.x, largest.y), max(largest.z, largest.w));
    var scale = 0.0;
    if (is_patch && greatest > 0.0) {
        var squares = vec4f(0.0);
        for (var i = 0u; i < uniforms.width; i++) {
            let value = finite(x[start + i]) / greatest;
            squares += value * value;
        }
        scale = uniforms.length / sqrt(dot(squares, vec4f(1.0)));
    }
    for (var word = 0u; word < uniforms.words; word += 2u) {
        var value = vec4f(0.0);
        if (scale > 0.0 && word / 2u < uniforms.width) {
            value = finite(x[start + word / 2u]) / greatest * scale;
        }
        let at = (block.x * uniforms.words + word) * BLOCK + place;
        out[at] = pack2x16float(value.xy);
        out[at + BLOCK] = pack2x16float(value.zw);
    }
}
