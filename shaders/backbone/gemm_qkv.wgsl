// Queries, keys and values of all heads; queries and keys of patches are turned by their place in the grid, and queries
// are scaled. The two numbers that turn together are neighbours: the rows of W are sorted so.

@group(0) @binding(4) var<storage, read_write> out: array<Input4>;  // [rows, width]: all queries, all keys, all values
@group(0) @binding(5) var<storage, read> rope: array<vec2f>;        // [grid_rows + grid_cols, head] cos and sin

// Turns two pairs of a query or key, `pair` being the first one's place in the head.
fn rotate(value: vec4f, patch_index: u32, pair: u32) -> vec4f {
    var at = (patch_index / uniforms.grid_cols) * uniforms.head + pair;
    if (pair >= uniforms.head) {
        at = (uniforms.grid_rows + patch_index % uniforms.grid_cols) * uniforms.head + pair - uniforms.head;
    }
    let first = rope[at];
    // The angles of rows and columns are equally many, so that an odd number of them splits a square.
    var next = at + 1u;
    if (pair + 1u == uniforms.head) {
        next = (uniforms.grid_rows + patch_index % uniforms.grid_cols) * uniforms.head;
    }
    let second = rope[next];
    return vec4f(
        value.x * first.x - value.y * first.y,
        value.y * first.x + value.x * first.y,
        value.z * second.x - value.w * second.y,
        value.w * second.x + value.z * second.y,
    );
}

fn finish(row: u32, col: u32, value: vec4f) {
    let third = uniforms.width / 3u;
    var turned = value;
    if (row >= uniforms.prefix && col < 2u * third) {
        turned = rotate(value, row - uniforms.prefix, 2u * (col % uniforms.head));
    }
    if (col < third) {
        turned *= uniforms.query_scale;
    }
    out[(uniforms.first_row + row) * uniforms.width + col] = to_input(turned);
}
