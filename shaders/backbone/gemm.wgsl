// epilogue(A · Wᵀ + bias) in tiles that lie in workgroup memory. A thread owns 4 × 4 numbers of the result, or two or four
// such squares. Behind gemm_operands.wgsl.

// The program sets TILE_DEPTH (by four numbers), ROW_THREADS, COL_THREADS, ROW_QUADS and COL_QUADS (1 or 2 each), such
// that every thread loads at most one square of 4 × 4: TILE_DEPTH * (TILE_ROWS + TILE_COLS) <= THREADS.
const THREADS = ROW_THREADS * COL_THREADS;
const TILE_ROWS = ROW_THREADS * ROW_QUADS;  // by four
const TILE_COLS = COL_THREADS * COL_QUADS;  // by four
const A_SQUARES = TILE_DEPTH * TILE_ROWS;
const SQUARES = A_SQUARES + TILE_DEPTH * TILE_COLS;
// One more than needed, so that neighbouring depths lie in different banks.
const A_STRIDE = TILE_ROWS + 1u;
const W_STRIDE = TILE_COLS + 1u;

var<workgroup> a_tile: array<vec4f, 4u * TILE_DEPTH * A_STRIDE>;  // [depth, rows / 4]
var<workgroup> w_tile: array<vec4f, 4u * TILE_DEPTH * W_STRIDE>;  // [depth, cols / 4]

// Four rows of A or W at one depth, turned.
fn a_square(row: u32, depth: u32) -> mat4x4f {
    return transpose(mat4x4f(
        vec4f(a_at(row, depth)),
        vec4f(a_at(row + 1u, depth)),
        vec4f(a_at(row + 2u, depth)),
        vec4f(a_at(row + 3u, depth)),
    ));
}

fn w_square(row: u32, depth: u32) -> mat4x4f {
    return transpose(mat4x4f(
        vec4f(w_at(row, depth)),
        vec4f(w_at(row + 1u, depth)),
        vec4f(w_at(row + 2u, depth)),
        vec4f(w_at(row + 3u, depth)),
    ));
}

// The thread's square of A or W.
fn load(first_row: u32, first_col: u32, first_depth: u32, thread: u32) -> mat4x4f {
    let depth = first_depth + thread % TILE_DEPTH;
    if (thread >= SQUARES || depth >= uniforms.depth) {
        return mat4x4f();
    }
    if (thread < A_SQUARES) {
        return a_square(first_row + 4u * (thread / TILE_DEPTH), depth);
    }
    return w_square(first_col + 4u * ((thread - A_SQUARES) / TILE_DEPTH), depth);
}

fn store_in_tile(square: mat4x4f, thread: u32) {
    let depth = 4u * (thread % TILE_DEPTH);
    if (thread < A_SQUARES) {
        let at = depth * A_STRIDE + thread / TILE_DEPTH;
        a_tile[at] = square[0];
        a_tile[at + A_STRIDE] = square[1];
        a_tile[at + 2u * A_STRIDE] = square[2];
        a_tile[at + 3u * A_STRIDE] = square[3];
    } else if (thread < SQUARES) {
        let at = depth * W_STRIDE + (thread - A_SQUARES) / TILE_DEPTH;
        w_tile[at] = square[0];
        w_tile[at + W_STRIDE] = square[1];
        w_tile[at + 2u * W_STRIDE] = square[2];
        w_tile[at + 3u * W_STRIDE] = square[3];
    }
}

fn store_square(row: u32, col: u32, sums: mat4x4f) {
    store(row, col, sums[0]);
    store(row + 1u, col, sums[1]);
    store(row + 2u, col, sums[2]);
    store(row + 3u, col, sums[3]);
}

@compute @workgroup_size(THREADS)
fn gemm(@builtin(workgroup_id) tile: vec3u, @builtin(local_invocation_index) thread: u32) {
    let first_row = uniforms.rows_start + tile.y * 4u * TILE_ROWS;
    let first_col = tile.x * 4u * TILE_COLS;
    let row = thread / COL_THREADS;
    let col = thread % COL_THREADS;
    var sums00 = mat4x4f();
    var sums01 = mat4x4f();
    var sums10 = mat4x4f();
    var sums11 = mat4x4f();
    var square = load(first_row, first_col, 0u, thread);
    for (var depth = 0u; depth < uniforms.depth; depth += TILE_DEPTH) {
        workgroupBarrier();
        store_in_tile(square, thread);
        workgroupBarrier();
        // On its way while this tile is multiplied.
        square = load(first_row, first_col, depth + TILE_DEPTH, thread);
        for (var k = 0u; k < 4u * TILE_DEPTH; k++) {
            let a0 = a_tile[k * A_STRIDE + row];
            let w0 = w_tile[k * W_STRIDE + col];
            sums00 = add_outer(sums00, a0, w0);
            if (COL_QUADS > 1u) {
                let w1 = w_tile[k * W_STRIDE + col + COL_THREADS];
                sums01 = add_outer(sums01, a0, w1);
                if (ROW_QUADS > 1u) {
                    let a1 = a_tile[k * A_STRIDE + row + ROW_THREADS];
                    sums10 = add_outer(sums10, a1, w0);
                    sums11 = add_outer(sums11, a1, w1);
                }
            } else if (ROW_QUADS > 1u) {
                sums10 = add_outer(sums10, a_tile[k * A_STRIDE + row + ROW_THREADS], w0);
            }
        }
    }
    let out_row = first_row + 4u * row;
    let out_col = first_col / 4u + col;
    store_square(out_row, out_col, sums00);
    if (COL_QUADS > 1u) {
        store_square(out_row, out_col + COL_THREADS, sums01);
    }
    if (ROW_QUADS > 1u) {
        store_square(out_row + 4u * ROW_THREADS, out_col, sums10);
        if (COL_QUADS > 1u) {
            store_square(out_row + 4u * ROW_THREADS, out_col + COL_THREADS, sums11);
        }
    }
}
