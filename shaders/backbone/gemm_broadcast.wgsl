// epilogue(A · Wᵀ + bias) without workgroup memory: threads of a subgroup have four columns of the result each and tell
// each other the rows of A. For software, where a value that all threads share is cheap and reading memory is not. Behind
// gemm_operands.wgsl and broadcast.wgsl.

// The program sets LANES, threads of a subgroup, at least 8.
const THREADS = 64u;
const ROWS = 16u;

struct Sums {
    rows0: mat4x4f,
    rows4: mat4x4f,
    rows8: mat4x4f,
    rows12: mat4x4f,
}

fn add_product(sums: Sums, a0: vec4f, a8: vec4f, w: mat4x4f) -> Sums {
    return Sums(
        add_rows_0_to_3(sums.rows0, a0, w),
        add_rows_4_to_7(sums.rows4, a0, w),
        add_rows_0_to_3(sums.rows8, a8, w),
        add_rows_4_to_7(sums.rows12, a8, w),
    );
}

fn store_rows(row: u32, col: u32, sums: mat4x4f) {
    store(row, col, sums[0]);
    store(row + 1u, col, sums[1]);
    store(row + 2u, col, sums[2]);
    store(row + 3u, col, sums[3]);
}

@compute @workgroup_size(THREADS)
fn gemm(
    @builtin(workgroup_id) tile: vec3u,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let first_row = uniforms.rows_start + (tile.y * (THREADS / LANES) + subgroup) * ROWS;
    let col = tile.x * LANES + lane;
    var sums = Sums();
    for (var depth = 0u; depth < uniforms.depth; depth++) {
        let a0 = vec4f(a_at(first_row + lane, depth));
        let a8 = vec4f(a_at(first_row + lane + 8u, depth));
        let w = transpose(mat4x4f(
            vec4f(w_at(4u * col, depth)),
            vec4f(w_at(4u * col + 1u, depth)),
            vec4f(w_at(4u * col + 2u, depth)),
            vec4f(w_at(4u * col + 3u, depth)),
        ));
        sums = add_product(sums, a0, a8, w);
    }
    store_rows(first_row, col, sums.rows0);
    store_rows(first_row + 4u, col, sums.rows4);
    store_rows(first_row + 8u, col, sums.rows8);
    store_rows(first_row + 12u, col, sums.rows12);
}
