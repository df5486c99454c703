// softmax(Q · Kᵀ) · V per sequence and head with online softmax: what all kernels for it have in common. No row of scores is
// ever whole.

// Keep in sync with `AttentionUniforms` in engine/src/backend/wgpu/kernels/attention.rs.
struct Uniforms {
    // Of a sequence.
    tokens: u32,
    // Numbers of all heads together, by four.
    width: u32,
    // The first query of each sequence, of all that are computed.
    first_query: u32,
    // To 16 bytes.
    padding: u32,
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
// Queries are scaled by log2(e) / √head already: powers are those of two.
@group(0) @binding(1) var<storage, read> qkv: array<Input4>;       // [sequences * tokens, 3 * width]: all queries, all keys, all values
@group(0) @binding(2) var<storage, read_write> out: array<Input4>; // [sequences * tokens, width]

// The program sets HEAD (numbers in a head, by four) and CAUSAL (a token sees itself and those before it alone).
const LOWEST = -3.0e38;

// The first token of the workgroup's sequence.
var<private> first_token: u32;

fn part_at(token: u32, start: u32, depth: u32) -> vec4f {
    let row = first_token + min(token, uniforms.tokens - 1u);
    return vec4f(qkv[row * 3u * uniforms.width + start + depth]);
}

// Scores of a query with four keys from `key` on, the lowest where it does not see them.
fn seen(scores: vec4f, key: u32, query: u32) -> vec4f {
    var end = uniforms.tokens;
    if (CAUSAL) {
        end = min(end, query + 1u);
    }
    return select(vec4f(LOWEST), scores, vec4u(key, key + 1u, key + 2u, key + 3u) < vec4u(end));
}

fn scale_rows(square: mat4x4f, scale: vec4f) -> mat4x4f {
    return mat4x4f(square[0] * scale.x, square[1] * scale.y, square[2] * scale.z, square[3] * scale.w);
}

fn store(token: u32, head: u32, depth: u32, value: vec4f) {
    if (token < uniforms.tokens && depth < HEAD) {
        out[(first_token + token) * uniforms.width + head * HEAD + depth] = to_input(value);
    }
}

fn store_square(token: u32, head: u32, depth: u32, square: mat4x4f) {
    store(token, head, depth, square[0]);
    store(token + 1u, head, depth, square[1]);
    store(token + 2u, head, depth, square[2]);
    store(token + 3u, head, depth, square[3]);
}
