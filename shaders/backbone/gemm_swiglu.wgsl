// out = silu(gate) · value; the rows of W are those of gate and value in turn.

@group(0) @binding(4) var<storage, read_write> out: array<Input2>;  // [rows, width]: half of A · Wᵀ

fn silu(x: vec2f) -> vec2f {
    return x / (1.0 + exp(-x));
}

fn finish(row: u32, col: u32, value: vec4f) {
    let product = silu(value.xz) * value.yw;
    out[(uniforms.first_row + row) * uniforms.width + col] = to_input(vec4f(product, 0.0, 0.0)).xy;
}
