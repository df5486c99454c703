// Labels move from context frames to the next one. Two kernels:
//
// - `neighbours`, once per context frame: the most similar patches around each of the target's patches. A workgroup has a
//   square of the target and meets the context in small rectangles, as products of small matrices.
// - `mixture`, once: the weighted mean of what those patches are, over all frames.
//
// The host twin is engine/src/analysis/propagation/mod.rs.

// Keep in sync with `SearchUniforms` in engine/src/gpu/propagation.rs.
struct Search {
    // Of the grid, the same in all frames.
    rows: u32,
    cols: u32,
    // Per patch, a multiple of four.
    words: u32,
    // The largest distance in rows at which patches are neighbours.
    reach: u32,
    // Neighbours that a list has room for.
    room: u32,
    classes: u32,
    // Index in the grid of the first patch of the target's and of the context's buffer, and how many are in it.
    target_first: u32,
    target_patches: u32,
    context_first: u32,
    context_patches: u32,
    // Index of the context frame.
    frame: u32,
    // The context's rows that are looked at, from that one on and before this one.
    from_row: u32,
    end_row: u32,
    padding_1: u32,
    padding_2: u32,
    // One over the square of what features are multiplied with.
    scale: f32,
}

// Keep in sync with `MixingUniforms` in engine/src/gpu/propagation.rs.
struct Mixing {
    patches: u32,
    frames: u32,
    // Neighbours that a list has room for.
    room: u32,
    // Neighbours that are wanted of all frames together.
    count: u32,
    classes: u32,
    // Cosines are divided by it.
    temperature: f32,
    padding_1: u32,
    padding_2: u32,
}

// Keep in sync with `BLOCK` in engine/src/gpu/grid.rs.
const BLOCK = 64u;
// Patches of the target in a workgroup: 8 × 8.
const SIDE = 8u;
const TARGETS = 64u;
// Patches of the context in one step: 4 × 8.
const CONTEXT_ROWS = 4u;
const CONTEXT_COLS = 8u;
const CONTEXTS = 32u;
// Each thread has the products of 4 × 4 pairs.
const THREADS = 128u;
// Words of a feature in one step, and numbers.
const WORDS = 8u;
const DEPTH = 16u;
// Below every cosine.
const NOTHING = -3.0e38;

// A patch of the context, by its index in the grid; patches are called cells here, as `patch` is no name in WGSL.
struct Entry {
    similarity: f32,
    cell: u32,
}

// What is known of the neighbours of a patch in one frame.
struct State {
    // Entries of its list.
    count: u32,
    // Further neighbours as similar as the last of a full list.
    ties: u32,
    // How similar those are.
    tied: f32,
    // Entries that `mixture` has passed.
    cursor: u32,
}

@group(0) @binding(0) var<uniform> search: Search;
@group(0) @binding(1) var<storage, read> target_features: array<u32>;    // [blocks, words, BLOCK] two f16 each, scaled
@group(0) @binding(2) var<storage, read> context_features: array<u32>;   // [blocks, words, BLOCK]
@group(0) @binding(3) var<storage, read> half_widths: array<u32>;        // [reach + 1]: distance in columns by distance in rows
@group(0) @binding(4) var<storage, read> probabilities: array<f32>;      // [frames, patches, classes]
@group(0) @binding(5) var<storage, read_write> list: array<Entry>;       // [room, patches], descending
@group(0) @binding(6) var<storage, read_write> states: array<State>;     // [patches], zeros at first
@group(0) @binding(7) var<storage, read_write> tie_sums: array<f32>;     // [classes, patches]: probabilities of the ties

var<workgroup> target_numbers: array<f32, 1024>;   // [DEPTH, TARGETS]
var<workgroup> context_numbers: array<f32, 512>;   // [DEPTH, CONTEXTS]
var<workgroup> products: array<f32, 2048>;         // [CONTEXTS, TARGETS]

// The list of the thread's patch, while it is worked on.
var<private> mine: u32;
var<private> state: State;
var<private> least: f32;

fn word(cell: u32, index: u32) -> u32 {
    return (cell / BLOCK * search.words + index) * BLOCK + cell % BLOCK;
}

// Distance between two ranges of places, each given by its first and that behind its last.
fn gap(a: vec2u, b: vec2u) -> u32 {
    let behind = select(0u, b.x + 1u - a.y, b.x + 1u > a.y);
    return max(behind, select(0u, a.x + 1u - b.y, a.x + 1u > b.y));
}

fn add_tie(cell: u32, similarity: f32) {
    // Ties of an earlier, smaller last entry do not count any more.
    let is_first = state.ties == 0u || state.tied != similarity;
    state.ties = select(state.ties + 1u, 1u, is_first);
    state.tied = similarity;
    let patches = search.rows * search.cols;
    for (var label = 0u; label < search.classes; label++) {
        let at = label * patches + mine;
        let before = select(tie_sums[at], 0.0, is_first);
        tie_sums[at] = before + probabilities[(search.frame * patches + cell) * search.classes + label];
    }
}

fn add(cell: u32, similarity: f32) {
    let patches = search.rows * search.cols;
    let is_full = state.count == search.room;
    if (is_full && similarity == least) {
        add_tie(cell, similarity);
        return;
    }
    var place = state.count;
    var dropped = Entry(NOTHING, 0u);
    if (is_full) {
        place = search.room - 1u;
        dropped = list[place * patches + mine];
    } else {
        state.count += 1u;
    }
    while (place > 0u) {
        let before = list[(place - 1u) * patches + mine];
        if (before.similarity >= similarity) {
            break;
        }
        list[place * patches + mine] = before;
        place -= 1u;
    }
    list[place * patches + mine] = Entry(similarity, cell);
    if (state.count == search.room) {
        least = list[(search.room - 1u) * patches + mine].similarity;
    }
    if (is_full && dropped.similarity == least) {
        add_tie(dropped.cell, least);
    }
}

// Loads one step of the features of the target's square and of the context's rectangle, zeros beyond the buffers.
fn load(local: u32, first_word: u32, square: vec2u, rectangle: vec2u) {
    for (var i = local; i < TARGETS * WORDS; i += THREADS) {
        let place = i % TARGETS;
        let at = square + vec2u(place / SIDE, place % SIDE);
        // Below `target_first` it wraps around, and is beyond the buffer too.
        let cell = at.x * search.cols + at.y - search.target_first;
        let index = first_word + i / TARGETS;
        var pair = vec2f(0.0);
        if (at.x < search.rows && at.y < search.cols && cell < search.target_patches && index < search.words) {
            pair = unpack2x16float(target_features[word(cell, index)]);
        }
        target_numbers[2u * (i / TARGETS) * TARGETS + place] = pair.x;
        target_numbers[(2u * (i / TARGETS) + 1u) * TARGETS + place] = pair.y;
    }
    for (var i = local; i < CONTEXTS * WORDS; i += THREADS) {
        let place = i % CONTEXTS;
        let at = rectangle + vec2u(place / CONTEXT_COLS, place % CONTEXT_COLS);
        let cell = at.x * search.cols + at.y - search.context_first;
        let index = first_word + i / CONTEXTS;
        var pair = vec2f(0.0);
        if (at.x < search.rows && at.y < search.cols && cell < search.context_patches && index < search.words) {
            pair = unpack2x16float(context_features[word(cell, index)]);
        }
        context_numbers[2u * (i / CONTEXTS) * CONTEXTS + place] = pair.x;
        context_numbers[(2u * (i / CONTEXTS) + 1u) * CONTEXTS + place] = pair.y;
    }
}

// Of the thread's four targets with each of its four contexts.
var<private> sums: array<vec4f, 4>;

// Adds the products of one number of every feature. A thread has every sixteenth target from `t` on and every eighth
// context from `c` on.
fn accumulate(k: u32, t: u32, c: u32) {
    let row = k * TARGETS + t;
    let targets = vec4f(
        target_numbers[row], target_numbers[row + 16u], target_numbers[row + 32u], target_numbers[row + 48u],
    );
    let col = k * CONTEXTS + c;
    sums[0] = fma(targets, vec4f(context_numbers[col]), sums[0]);
    sums[1] = fma(targets, vec4f(context_numbers[col + 8u]), sums[1]);
    sums[2] = fma(targets, vec4f(context_numbers[col + 16u]), sums[2]);
    sums[3] = fma(targets, vec4f(context_numbers[col + 24u]), sums[3]);
}

// Cosines of all pairs of the square and the rectangle.
fn multiply(local: u32, square: vec2u, rectangle: vec2u) {
    let t = local % 16u;
    let c = local / 16u;
    sums = array<vec4f, 4>();
    for (var first_word = 0u; first_word < search.words; first_word += WORDS) {
        load(local, first_word, square, rectangle);
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k += 4u) {
            accumulate(k, t, c);
            accumulate(k + 1u, t, c);
            accumulate(k + 2u, t, c);
            accumulate(k + 3u, t, c);
        }
        workgroupBarrier();
    }
    for (var i = 0u; i < 4u; i++) {
        let row = (c + 8u * i) * TARGETS + t;
        products[row] = sums[i].x * search.scale;
        products[row + 16u] = sums[i].y * search.scale;
        products[row + 32u] = sums[i].z * search.scale;
        products[row + 48u] = sums[i].w * search.scale;
    }
}

// Takes note of those in the rectangle that are neighbours of the patch `at` and similar enough.
fn look(place: u32, at: vec2u, rectangle: vec2u) {
    for (var i = 0u; i < CONTEXTS; i++) {
        let similarity = products[i * TARGETS + place];
        if (similarity >= least) {
            let other = rectangle + vec2u(i / CONTEXT_COLS, i % CONTEXT_COLS);
            let cell = other.x * search.cols + other.y;
            let distance = max(at, other) - min(at, other);
            let is_in_grid = other.x < search.end_row && other.y < search.cols;
            let is_in_buffer = cell - search.context_first < search.context_patches;
            if (is_in_grid && is_in_buffer && distance.x <= search.reach && distance.y <= half_widths[distance.x]) {
                add(cell, similarity);
            }
        }
    }
}

@compute @workgroup_size(THREADS)
fn neighbours(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let square = SIDE * group.yx;
    let at = square + vec2u(local / SIDE, local % SIDE);
    mine = at.x * search.cols + at.y;
    let is_mine = local < TARGETS && at.x < search.rows && at.y < search.cols
        && mine - search.target_first < search.target_patches;
    least = NOTHING;
    if (is_mine) {
        state = states[mine];
        if (state.count == search.room) {
            least = list[(search.room - 1u) * search.rows * search.cols + mine].similarity;
        }
    }
    let reach = vec2u(search.reach, half_widths[0]);
    let start = max(max(square, reach) - reach, vec2u(search.from_row, 0u));
    let end = min(vec2u(search.end_row, search.cols), square + vec2u(SIDE) + reach);
    for (var row = start.x; row < end.x; row += CONTEXT_ROWS) {
        let rows_apart = gap(vec2u(square.x, square.x + SIDE), vec2u(row, row + CONTEXT_ROWS));
        for (var col = start.y; col < end.y; col += CONTEXT_COLS) {
            if (gap(vec2u(square.y, square.y + SIDE), vec2u(col, col + CONTEXT_COLS)) > half_widths[rows_apart]) {
                continue;
            }
            let rectangle = vec2u(row, col);
            multiply(local, square, rectangle);
            workgroupBarrier();
            if (is_mine) {
                look(local, at, rectangle);
            }
            workgroupBarrier();
        }
    }
    if (is_mine) {
        states[mine] = state;
    }
}

@group(0) @binding(0) var<uniform> mixing: Mixing;
@group(0) @binding(1) var<storage, read> all_lists: array<Entry>;           // [frames, room, patches]
@group(0) @binding(2) var<storage, read_write> all_states: array<State>;    // [frames, patches]
@group(0) @binding(3) var<storage, read> all_tie_sums: array<f32>;          // [frames, classes, patches]
@group(0) @binding(4) var<storage, read> all_probabilities: array<f32>;     // [frames, patches, classes]
@group(0) @binding(5) var<storage, read_write> mixed: array<f32>;           // [patches, classes]

fn entry(frame: u32, place: u32, cell: u32) -> Entry {
    return all_lists[(frame * mixing.room + place) * mixing.patches + cell];
}

// The largest similarity that no cursor has passed yet, whose cursor passes it; NOTHING at the end.
fn next(cell: u32) -> f32 {
    var best = NOTHING;
    var best_at = 0u;
    for (var frame = 0u; frame < mixing.frames; frame++) {
        let at = frame * mixing.patches + cell;
        let cursor = all_states[at].cursor;
        if (cursor < all_states[at].count) {
            let similarity = entry(frame, cursor, cell).similarity;
            if (similarity > best) {
                best = similarity;
                best_at = at;
            }
        }
    }
    if (best > NOTHING) {
        all_states[best_at].cursor += 1u;
    }
    return best;
}

@compute @workgroup_size(64)
fn mixture(@builtin(global_invocation_id) id: vec3u) {
    let cell = id.x;
    if (cell >= mixing.patches) {
        return;
    }
    let greatest = next(cell);
    var smallest = greatest;
    for (var i = 1u; i < mixing.count; i++) {
        let similarity = next(cell);
        if (similarity == NOTHING) {
            break;
        }
        smallest = similarity;
    }
    for (var label = 0u; label < mixing.classes; label++) {
        mixed[cell * mixing.classes + label] = 0.0;
    }
    for (var frame = 0u; frame < mixing.frames; frame++) {
        let state = all_states[frame * mixing.patches + cell];
        for (var i = 0u; i < state.count; i++) {
            let neighbour = entry(frame, i, cell);
            if (neighbour.similarity < smallest) {
                break;
            }
            let weight = exp((neighbour.similarity - greatest) / mixing.temperature);
            for (var label = 0u; label < mixing.classes; label++) {
                let probability = all_probabilities[(frame * mixing.patches + neighbour.cell) * mixing.classes + label];
                mixed[cell * mixing.classes + label] += weight * probability;
            }
        }
        if (state.ties > 0u && state.count == mixing.room && state.tied == smallest) {
            let weight = exp((state.tied - greatest) / mixing.temperature);
            for (var label = 0u; label < mixing.classes; label++) {
                let sum = all_tie_sums[(frame * mixing.classes + label) * mixing.patches + cell];
                mixed[cell * mixing.classes + label] += weight * sum;
            }
        }
    }
    var sum = 0.0;
    for (var label = 0u; label < mixing.classes; label++) {
        sum += mixed[cell * mixing.classes + label];
    }
    for (var label = 0u; label < mixing.classes; label++) {
        mixed[cell * mixing.classes + label] /= select(1.0, sum, sum > 0.0);
    }
}
