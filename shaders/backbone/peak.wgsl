// As many fused multiply-adds as the device does in a given time, for measurements: nothing is read on the way.

// Keep in sync with `PeakUniforms` in engine/src/backend/wgpu/kernels/peak.rs.
struct Uniforms {
    rounds: u32,
    // Such that numbers stay what they are.
    factor: f32,
    summand: f32,
    // To 16 bytes.
    padding: u32,
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;  // [threads]

@compute @workgroup_size(256)
fn peak(@builtin(global_invocation_id) id: vec3u) {
    let factor = vec4f(uniforms.factor);
    let summand = vec4f(uniforms.summand);
    var a = vec4f(f32(id.x));
    var b = a + 1.0;
    var c = a + 2.0;
    var d = a + 3.0;
    for (var round = 0u; round < uniforms.rounds; round++) {
        // 4 × 4 numbers that do not wait for each other, 8 times.
        a = fma(a, factor, summand); b = fma(b, factor, summand); c = fma(c, factor, summand); d = fma(d, factor, summand);
        a = fma(a, factor, summand); b = fma(b, factor, summand); c = fma(c, factor, summand); d = fma(d, factor, summand);
        a = fma(a, factor, summand); b = fma(b, factor, summand); c = fma(c, factor, summand); d = fma(d, factor, summand);
        a = fma(a, factor, summand); b = fma(b, factor, summand); c = fma(c, factor, summand); d = fma(d, factor, summand);
        a = fma(a, factor, summand); b = fma(b, factor, summand); c = fma(c, factor, summand); d = fma(d, factor, summand);
        a = fma(a, factor, summand); b = fma(b, factor, summand); c = fma(c, factor, summand); d = fma(d, factor, summand);
        a = fma(a, factor, summand); b = fma(b, factor, summand); c = fma(c, factor, summand); d = fma(d, factor, summand);
        a = fma(a, factor, summand); b = fma(b, factor, summand); c = fma(c, factor, summand); d = fma(d, factor, summand);
    }
    out[id.x] = a + b + c + d;
}
