// Stands before every kernel of this folder. In front of it the program writes `Input`, the type of weights and matrix
// inputs (f32 or f16), `LARGEST`, its greatest number, and the kernel's constants: see
// engine/src/backend/wgpu/pipelines.rs.

alias Input2 = vec2<Input>;
alias Input4 = vec4<Input>;

// A number too large for half precision becomes its greatest one: infinity would spoil the whole row.
fn to_input(value: vec4f) -> Input4 {
    return Input4(clamp(value, vec4f(-LARGEST), vec4f(LARGEST)));
}

// sums + rows ⊗ cols; column i of the result belongs to row i of the tile.
fn add_outer(sums: mat4x4f, rows: vec4f, cols: vec4f) -> mat4x4f {
    return mat4x4f(
        fma(vec4f(rows.x), cols, sums[0]),
        fma(vec4f(rows.y), cols, sums[1]),
        fma(vec4f(rows.z), cols, sums[2]),
        fma(vec4f(rows.w), cols, sums[3]),
    );
}
