// One level of a picture from the level above, each texel the mean of the area it covers. The formats of both are
// sRGB, so means are taken in linear light.

@group(0) @binding(0) var larger: texture_2d<f32>;   // [height, width]

@vertex
fn vertex(@builtin(vertex_index) index: u32) -> @builtin(position) vec4f {
    // One triangle covers the level.
    return vec4f(f32((index << 2u) & 4u) - 1.0, f32((index << 1u) & 4u) - 1.0, 0.0, 1.0);
}

// Weights of the texels 2i, 2i + 1 and 2i + 2 in texel i of a side that had `size` texels.
fn weights(i: u32, size: u32) -> vec3f {
    if (size == 1u) {
        return vec3f(1.0, 0.0, 0.0);
    }
    if (size % 2u == 0u) {
        return vec3f(0.5, 0.5, 0.0);
    }
    let half = size / 2u;
    return vec3f(f32(half - i), f32(half), f32(i + 1u)) / f32(size);
}

@fragment
fn fragment(@builtin(position) position: vec4f) -> @location(0) vec4f {
    let size = textureDimensions(larger);
    let texel = vec2u(position.xy);
    let wx = weights(texel.x, size.x);
    let wy = weights(texel.y, size.y);
    var mean = vec4f(0.0);
    for (var y = 0u; y < 3u; y++) {
        for (var x = 0u; x < 3u; x++) {
            let weight = wx[x] * wy[y];
            if (weight > 0.0) {
                mean += weight * textureLoad(larger, 2u * texel + vec2u(x, y), 0);
            }
        }
    }
    return mean;
}
