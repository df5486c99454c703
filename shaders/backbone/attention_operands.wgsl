// softmax(Q · Kᵀ) · V per head with online softmax: what all kernels for it have in common. No row of scores is ever whole.

// Keep in sync with `AttentionUniforms` in engine/src/backend/wgpu/kernels/attention.rs.
struct Uniforms {
    tokens: u32,
    // Numbers of all heads together, by four.
    width: u32,
    // The first query, of all that are computed.
    first_query: u32,
    // To 16 bytes.
    padding: u32,
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
// Queries are scaled by log2(e) / √head already: powers are those of two.
@group(0) @binding(1) var<storage, read> qkv: array<Input4>;       // [tokens, 3 * width]: all queries, all keys, all values
@group(0) @binding(2) var<storage, read_write> out: array<Input4>; // [tokens, width]

// The program sets HEAD: numbers in a head, by four.
const LOWEST = -3.0e38;

fn part_at(token: u32, start: u32, depth: u32) -> vec4f {
    return vec4f(qkv[min(token, uniforms.tokens - 1u) * 3u * uniforms.width + start + depth]);
}

fn scale_rows(square: mat4x4f, scale: vec4f) -> mat4x4f {
    return mat4x4f(square[0] * scale.x, square[1] * scale.y, square[2] * scale.z, square[3] * scale.w);
}

fn store(token: u32, head: u32, depth: u32, value: vec4f) {
    if (token < uniforms.tokens && depth < HEAD) {
        out[token * uniforms.width + head * HEAD + depth] = to_input(value);
    }
}

fn store_square(token: u32, head: u32, depth: u32, square: mat4x4f) {
    store(token, head, depth, square[0]);
    store(token + 1u, head, depth, square[1]);
    store(token + 2u, head, depth, square[2]);
    store(token + 3u, head, depth, square[3]);
}
