// Outer products in which the threads of a subgroup have a row each: thread 0 the first one.

// Each column of `sums` is a row of the result, to which the thread of that row adds its number of A.
fn add_rows_0_to_3(sums: mat4x4f, a: f32, w: vec4f) -> mat4x4f {
    return mat4x4f(
        fma(vec4f(subgroupBroadcast(a, 0u)), w, sums[0]),
        fma(vec4f(subgroupBroadcast(a, 1u)), w, sums[1]),
        fma(vec4f(subgroupBroadcast(a, 2u)), w, sums[2]),
        fma(vec4f(subgroupBroadcast(a, 3u)), w, sums[3]),
    );
}

fn add_rows_4_to_7(sums: mat4x4f, a: f32, w: vec4f) -> mat4x4f {
    return mat4x4f(
        fma(vec4f(subgroupBroadcast(a, 4u)), w, sums[0]),
        fma(vec4f(subgroupBroadcast(a, 5u)), w, sums[1]),
        fma(vec4f(subgroupBroadcast(a, 6u)), w, sums[2]),
        fma(vec4f(subgroupBroadcast(a, 7u)), w, sums[3]),
    );
}
