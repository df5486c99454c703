// Similarity of every patch of a chunk to a query, one thread per patch.
//
// A workgroup has a block of patches, in which neighbouring threads read neighbouring words. The host twin is engine/src/analysis/similarity/combined.rs.

// Keep in sync with `ChunkUniforms` in engine/src/gpu/grid.rs.
struct Chunk {
    // Index in the grid of the chunk's first patch.
    first: u32,
    // Patches in the chunk.
    patches: u32,
    // Columns of the grid.
    cols: u32,
    // Words per patch, a multiple of four.
    words: u32,
}

// Keep in sync with `QueryUniforms` in engine/src/gpu/similarity.rs.
struct Query {
    // Positive directions; without any, all patches are left out.
    positive: u32,
    // Negative directions, which follow the positive ones.
    negative: u32,
    // Largest similarity to one direction.
    bound: f32,
    // To 16 bytes.
    padding: u32,
}

// Keep in sync with `BLOCK` in engine/src/gpu/grid.rs.
const BLOCK = 64u;
// Keep in sync with `EXCLUDED` in engine/src/analysis/similarity/combined.rs.
const EXCLUDED = -8.0;

@group(0) @binding(0) var<uniform> chunk: Chunk;
@group(0) @binding(1) var<storage, read> features: array<u32>;       // [blocks, words, BLOCK] two f16 each, scaled
@group(0) @binding(2) var<uniform> query: Query;
@group(0) @binding(3) var<storage, read> directions: array<vec4f>;   // [positive + negative, words / 2], scaled back
@group(0) @binding(4) var<storage, read> excluded: array<u32>;       // [patches of the grid / 32] bits
@group(0) @binding(5) var map: texture_storage_2d<r32float, write>;  // [rows, cols]

// The greatest similarity to one of `count` directions of the patch whose first word is `start`.
fn greatest(start: u32, first: u32, count: u32) -> f32 {
    var best = -query.bound;
    for (var d = first; d < first + count; d++) {
        var sums = vec4f(0.0);
        var word = start;
        let end = (d + 1u) * (chunk.words / 2u);
        for (var k = d * (chunk.words / 2u); k < end; k += 2u) {
            let a = vec4f(unpack2x16float(features[word]), unpack2x16float(features[word + BLOCK]));
            let b = vec4f(unpack2x16float(features[word + 2u * BLOCK]), unpack2x16float(features[word + 3u * BLOCK]));
            word += 4u * BLOCK;
            sums += a * directions[k];
            sums += b * directions[k + 1u];
        }
        best = max(best, dot(sums, vec4f(1.0)));
    }
    return min(best, query.bound);
}

@compute @workgroup_size(BLOCK)
fn similarity(
    @builtin(global_invocation_id) id: vec3u,
    @builtin(workgroup_id) block: vec3u,
    @builtin(local_invocation_index) place: u32,
) {
    if (id.x >= chunk.patches) {
        return;
    }
    let index = chunk.first + id.x;
    var value = EXCLUDED;
    let is_excluded = ((excluded[index / 32u] >> (index % 32u)) & 1u) == 1u;
    if (query.positive > 0u && !is_excluded) {
        let start = block.x * chunk.words * BLOCK + place;
        value = greatest(start, 0u, query.positive);
        if (query.negative > 0u) {
            value -= greatest(start, query.positive, query.negative);
        }
    }
    textureStore(map, vec2u(index % chunk.cols, index / chunk.cols), vec4f(value));
}
