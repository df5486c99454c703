// out += scale · (A · Wᵀ + bias), in f32.

@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;  // [rows, width]
@group(0) @binding(5) var<storage, read> scale: array<vec4f>;      // [width]

fn finish(row: u32, col: u32, value: vec4f) {
    let at = (uniforms.first_row + row) * uniforms.width + col;
    out[at] = fma(scale[col], value, out[at]);
}
