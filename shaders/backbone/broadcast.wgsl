// Products in which the threads of a subgroup have a row of A each: thread 0 the first one. Four rows of the result are
// finished before the next four, so that they stay in registers meanwhile.

// Four numbers of a row of A, times four rows of W.
fn add_row(sums: vec4f, row: vec4f, w: mat4x4f) -> vec4f {
    let first = fma(vec4f(row.y), w[1], fma(vec4f(row.x), w[0], sums));
    return fma(vec4f(row.w), w[3], fma(vec4f(row.z), w[2], first));
}

// Each column of `sums` is a row of the result, to which the thread of that row gives its numbers of A.
fn add_rows_0_to_3(sums: mat4x4f, a: vec4f, w: mat4x4f) -> mat4x4f {
    return mat4x4f(
        add_row(sums[0], subgroupBroadcast(a, 0u), w),
        add_row(sums[1], subgroupBroadcast(a, 1u), w),
        add_row(sums[2], subgroupBroadcast(a, 2u), w),
        add_row(sums[3], subgroupBroadcast(a, 3u), w),
    );
}

fn add_rows_4_to_7(sums: mat4x4f, a: vec4f, w: mat4x4f) -> mat4x4f {
    return mat4x4f(
        add_row(sums[0], subgroupBroadcast(a, 4u), w),
        add_row(sums[1], subgroupBroadcast(a, 5u), w),
        add_row(sums[2], subgroupBroadcast(a, 6u), w),
        add_row(sums[3], subgroupBroadcast(a, 7u), w),
    );
}
