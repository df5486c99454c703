// Scores of every patch of a chunk on four axes at a time, one thread per patch. The host twin is `Basis::project` of
// engine/src/analysis/pca.rs.

// Keep in sync with `ProjectionUniforms` in engine/src/gpu/projection.rs.
struct Uniforms {
    // Index in the grid of the chunk's first patch.
    first: u32,
    // Patches in the chunk.
    patches: u32,
    // Words per patch.
    words: u32,
    // Patches in the grid.
    all_patches: u32,
}

// Keep in sync with `BLOCK` in engine/src/gpu/grid.rs.
const BLOCK = 64u;

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read> features: array<u32>;         // [blocks, words, BLOCK] two f16 each, scaled
@group(0) @binding(2) var<storage, read> axes: array<vec4f>;           // [groups, 2 * words] a number of four axes, scaled back
@group(0) @binding(3) var<storage, read> offsets: array<vec4f>;        // [groups]
@group(0) @binding(4) var<storage, read_write> scores: array<vec4f>;   // [groups, patches of the grid]

@compute @workgroup_size(BLOCK)
fn project(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) place: u32) {
    let index = group.x * BLOCK + place;
    if (index >= uniforms.patches) {
        return;
    }
    let start = group.x * uniforms.words * BLOCK + place;
    let first_axis = group.y * 2u * uniforms.words;
    var sums = -offsets[group.y];
    for (var word = 0u; word < uniforms.words; word++) {
        let pair = unpack2x16float(features[start + word * BLOCK]);
        sums = fma(vec4f(pair.x), axes[first_axis + 2u * word], sums);
        sums = fma(vec4f(pair.y), axes[first_axis + 2u * word + 1u], sums);
    }
    scores[group.y * uniforms.all_patches + uniforms.first + index] = sums;
}
