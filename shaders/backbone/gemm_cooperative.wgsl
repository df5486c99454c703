// epilogue(A · Wᵀ + bias) on matrix units: products of f16, sums in f32. A subgroup of 32 threads owns 32 × 32 numbers of
// the result, four matrices. Behind gemm_operands.wgsl and cooperative_matrices.wgsl.

// The program sets ROW_SUBGROUPS and COL_SUBGROUPS: subgroups of a workgroup along the rows and columns of the result.
const SIDE = 16u;
const SUBGROUP = 32u;
const SUBGROUPS = ROW_SUBGROUPS * COL_SUBGROUPS;
const THREADS = SUBGROUP * SUBGROUPS;
const TILE_ROWS = 2u * SIDE * ROW_SUBGROUPS;
const TILE_COLS = 2u * SIDE * COL_SUBGROUPS;
const DEPTH = 2u * SIDE;
// More than needed, so that neighbouring rows lie in different banks.
const STRIDE = DEPTH + 8u;

var<workgroup> tiles: array<f16, (TILE_ROWS + TILE_COLS) * STRIDE>;  // [rows of A, rows of W; DEPTH]
var<workgroup> results: array<f32, SUBGROUPS * SIDE * SIDE>;         // [subgroups, SIDE, SIDE]

fn load_tiles(first_row: u32, first_col: u32, first_depth: u32, thread: u32) {
    for (var i = thread; i < (TILE_ROWS + TILE_COLS) * DEPTH / 4u; i += THREADS) {
        let row = i / (DEPTH / 4u);
        let quad = i % (DEPTH / 4u);
        var four = Input4();
        if (first_depth + quad < uniforms.depth) {
            if (row < TILE_ROWS) {
                four = a_at(first_row + row, first_depth + quad);
            } else {
                four = w_at(first_col + row - TILE_ROWS, first_depth + quad);
            }
        }
        let at = row * STRIDE + 4u * quad;
        tiles[at] = four.x;
        tiles[at + 1u] = four.y;
        tiles[at + 2u] = four.z;
        tiles[at + 3u] = four.w;
    }
}

// One matrix of each subgroup; `row` and `col` are its first ones.
fn store_matrix(sums: Sums, row: u32, col: u32, thread: u32) {
    let start = thread / SUBGROUP * SIDE * SIDE;
    write(sums, start);
    workgroupBarrier();
    for (var i = thread % SUBGROUP; i < SIDE * SIDE / 4u; i += SUBGROUP) {
        let at = start + 4u * i;
        let four = vec4f(results[at], results[at + 1u], results[at + 2u], results[at + 3u]);
        store(row + i / (SIDE / 4u), col / 4u + i % (SIDE / 4u), four);
    }
    workgroupBarrier();
}

@compute @workgroup_size(THREADS)
fn gemm(@builtin(workgroup_id) tile: vec3u, @builtin(local_invocation_index) thread: u32) {
    let first_row = uniforms.rows_start + tile.y * TILE_ROWS;
    let first_col = tile.x * TILE_COLS;
    let subgroup = thread / SUBGROUP;
    let row = 2u * SIDE * (subgroup / COL_SUBGROUPS);
    let col = 2u * SIDE * (subgroup % COL_SUBGROUPS);
    var sums00 = Sums();
    var sums01 = Sums();
    var sums10 = Sums();
    var sums11 = Sums();
    for (var depth = 0u; depth < uniforms.depth; depth += DEPTH / 4u) {
        workgroupBarrier();
        load_tiles(first_row, first_col, depth, thread);
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k += SIDE) {
            let left0 = left_at(row * STRIDE + k);
            let left1 = left_at((row + SIDE) * STRIDE + k);
            let right0 = right_at((TILE_ROWS + col) * STRIDE + k);
            let right1 = right_at((TILE_ROWS + col + SIDE) * STRIDE + k);
            sums00 = add_product(sums00, left0, right0);
            sums01 = add_product(sums01, left0, right1);
            sums10 = add_product(sums10, left1, right0);
            sums11 = add_product(sums11, left1, right1);
        }
    }
    store_matrix(sums00, first_row + row, first_col + col, thread);
    store_matrix(sums01, first_row + row, first_col + col + SIDE, thread);
    store_matrix(sums10, first_row + row + SIDE, first_col + col, thread);
    store_matrix(sums11, first_row + row + SIDE, first_col + col + SIDE, thread);
}
