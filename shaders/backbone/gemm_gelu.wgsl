// out = gelu(A · Wᵀ + bias)

@group(0) @binding(4) var<storage, read_write> out: array<Input4>;  // [rows, width]

// x · Φ(x). The polynomial is 7.1.26 of Abramowitz and Stegun: erf within 1.5e-7.
fn gelu(x: vec4f) -> vec4f {
    let z = abs(x) * 0.70710678;
    let t = 1.0 / (1.0 + 0.3275911 * z);
    let series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    let upper = 0.5 * series * exp(-z * z);
    return x * select(upper, 1.0 - upper, x > vec4f(0.0));
}

fn finish(row: u32, col: u32, value: vec4f) {
    out[(uniforms.first_row + row) * uniforms.width + col] = to_input(gelu(value));
}
