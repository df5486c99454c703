// For every patch of a chunk the most similar patch of another grid. A workgroup has a block of patches and goes through
// the other's blocks one by one; a thread owns 4 × 4 cosines. The host twin is engine/src/analysis/matching.rs.

// Keep in sync with `NearestUniforms` in engine/src/gpu/nearest.rs.
struct Uniforms {
    // Patches in the chunk.
    patches: u32,
    // Words per patch.
    words: u32,
    // Blocks of the other chunk that are looked at: those before `blocks_end`, from `blocks_start` on.
    blocks_start: u32,
    blocks_end: u32,
    // Patches in the other chunk.
    other_patches: u32,
    // Index in its grid of the other chunk's first patch.
    other_first: u32,
    // Stored features' products times this are cosines.
    scale: f32,
    // Whether `nearest` holds nothing yet.
    is_first: u32,
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read> features: array<vec4u>;       // [blocks, words, 16] two f16 of four patches
@group(0) @binding(2) var<storage, read> others: array<vec4u>;         // [blocks, words, 16] two f16 of four patches
@group(0) @binding(3) var<storage, read_write> nearest: array<vec2u>;  // [patches] bits of the cosine, index

const SIDE = 16u;
// One more than needed, so that neighbouring numbers lie in different banks.
const STRIDE = SIDE + 1u;
// Words of a tile.
const WORDS = 8u;
const LOWEST = -3.0e38;

var<workgroup> own_tile: array<vec4f, 2u * WORDS * STRIDE>;    // [numbers, patches / 4]
var<workgroup> other_tile: array<vec4f, 2u * WORDS * STRIDE>;  // [numbers, patches / 4]
// What the threads have found, beside the cosines in `own_tile`.
var<workgroup> indices: array<vec4u, SIDE * SIDE>;             // [other patches / 4, patches / 4]

// Each thread has one word of four patches of one of the two tiles.
fn load(block: u32, other_block: u32, first_word: u32, thread: u32) {
    let quad = thread % SIDE;
    let word = thread / SIDE % WORDS;
    let is_own = thread < SIDE * WORDS;
    var four = vec4u();
    if (first_word + word < uniforms.words) {
        if (is_own) {
            four = features[(block * uniforms.words + first_word + word) * SIDE + quad];
        } else {
            four = others[(other_block * uniforms.words + first_word + word) * SIDE + quad];
        }
    }
    let x = unpack2x16float(four.x);
    let y = unpack2x16float(four.y);
    let z = unpack2x16float(four.z);
    let w = unpack2x16float(four.w);
    let at = 2u * word * STRIDE + quad;
    if (is_own) {
        own_tile[at] = vec4f(x.x, y.x, z.x, w.x);
        own_tile[at + STRIDE] = vec4f(x.y, y.y, z.y, w.y);
    } else {
        other_tile[at] = vec4f(x.x, y.x, z.x, w.x);
        other_tile[at + STRIDE] = vec4f(x.y, y.y, z.y, w.y);
    }
}

// Rows are patches of this grid, columns those of the other.
fn products(block: u32, other_block: u32, thread: u32) -> mat4x4f {
    let row = thread / SIDE;
    let col = thread % SIDE;
    var sums = mat4x4f();
    for (var word = 0u; word < uniforms.words; word += WORDS) {
        workgroupBarrier();
        load(block, other_block, word, thread);
        workgroupBarrier();
        for (var k = 0u; k < 2u * WORDS; k++) {
            let own = own_tile[k * STRIDE + row];
            let other = other_tile[k * STRIDE + col];
            sums = mat4x4f(
                fma(vec4f(other.x), own, sums[0]),
                fma(vec4f(other.y), own, sums[1]),
                fma(vec4f(other.z), own, sums[2]),
                fma(vec4f(other.w), own, sums[3]),
            );
        }
    }
    return sums;
}

@compute @workgroup_size(256)
fn find_nearest(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let row = thread / SIDE;
    let col = thread % SIDE;
    var best = vec4f(LOWEST);
    var best_index = vec4u();
    for (var block = uniforms.blocks_start; block < uniforms.blocks_end; block++) {
        let by_other = products(group.x, block, thread);
        for (var i = 0u; i < 4u; i++) {
            let other = 4u * SIDE * block + 4u * col + i;
            let is_better = by_other[i] > best & vec4<bool>(other < uniforms.other_patches);
            best = select(best, by_other[i], is_better);
            best_index = select(best_index, vec4u(other), is_better);
        }
    }
    workgroupBarrier();
    own_tile[col * SIDE + row] = best;
    indices[col * SIDE + row] = best_index;
    workgroupBarrier();
    if (thread >= SIDE) {
        return;
    }
    best = own_tile[thread];
    best_index = indices[thread];
    for (var i = 1u; i < SIDE; i++) {
        let value = own_tile[i * SIDE + thread];
        let index = indices[i * SIDE + thread];
        // The first of equals.
        let is_better = value > best | (value == best & index < best_index);
        best = select(best, value, is_better);
        best_index = select(best_index, index, is_better);
    }
    for (var i = 0u; i < 4u; i++) {
        let patch_index = 4u * SIDE * group.x + 4u * thread + i;
        let cosine = best[i] * uniforms.scale;
        if (patch_index < uniforms.patches) {
            let is_better = uniforms.is_first == 1u || cosine > bitcast<f32>(nearest[patch_index].x);
            if (is_better) {
                nearest[patch_index] = vec2u(bitcast<u32>(cosine), uniforms.other_first + best_index[i]);
            }
        }
    }
}
