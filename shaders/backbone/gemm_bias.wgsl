// out = A · Wᵀ + bias, in f32.

@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;  // [rows, width]

fn finish(row: u32, col: u32, value: vec4f) {
    out[(uniforms.first_row + row) * uniforms.width + col] = value;
}
