// Draws one picture with what lies over it: a map in colours, or colours per patch; then contour, patch grid.
//
// One triangle covers the view; each fragment finds its pixel of the picture. Values are mixed as they are shown
// (sRGB-encoded), as `engine/src/draw/overlay.rs` does for files.

// Keep in sync with `Uniforms` in app/src/gui/overlay/uniforms.rs.
struct View {
    // Pixel of the picture at the view's top left corner.
    origin: vec2f,
    // Pixels of the picture across the view.
    span: vec2f,
    // Width and height in pixels.
    picture: vec2f,
    // Width and height in pixels that the grid covers, from the top left.
    covered: vec2f,
    // Columns and rows.
    grid: vec2f,
    // Values of the first and the last colour, where the scale is not stretched.
    range: vec2f,
    // 0: the picture alone, 1: the layer alone.
    opacity: f32,
    // Values below are not drawn.
    threshold: f32,
    // Value of the contour line.
    contour: f32,
    // Pixels of the picture per pixel of the screen.
    scale: f32,
    // Sum of the constants below.
    flags: u32,
    // Pixels of the screen per point, for line widths.
    pixels_per_point: f32,
    // To a multiple of 16 bytes, which GL's layout needs.
    padding: vec2f,
}

const MAP = 1u;
const COLOURS = 2u;
const SMOOTH = 4u;
const GRID = 8u;
const CONTOUR = 16u;
const STRETCHED = 32u;
const GREY = 64u;
const SRGB_TARGET = 128u;
const THRESHOLD = 256u;

// Keep in sync with `EXCLUDED` in engine/src/analysis/similarity/combined.rs.
const EXCLUDED = -8.0;

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var picture: texture_2d<f32>;          // [height, width] sRGB
@group(0) @binding(2) var picture_sampler: sampler;
@group(0) @binding(3) var map: texture_2d<f32>;              // [rows, cols] r32float
@group(0) @binding(4) var map_range: texture_2d<f32>;        // [1, 2] r32float: least, greatest
@group(0) @binding(5) var colours: texture_2d<f32>;          // [rows, cols] rgba8unorm, sRGB-encoded
@group(0) @binding(6) var colour_map: texture_2d<f32>;       // [1, 256] rgba8unorm, sRGB-encoded
@group(0) @binding(7) var colour_map_sampler: sampler;

struct Fragment {
    @builtin(position) position: vec4f,
    // 0..1 across the view.
    @location(0) uv: vec2f,
}

@vertex
fn vertex(@builtin(vertex_index) index: u32) -> Fragment {
    let uv = vec2f(f32((index << 1u) & 2u), f32(index & 2u));
    return Fragment(vec4f(uv.x * 2.0 - 1.0, 1.0 - uv.y * 2.0, 0.0, 1.0), uv);
}

fn has(flag: u32) -> bool {
    return (view.flags & flag) != 0u;
}

fn encode(linear: vec3f) -> vec3f {
    let low = linear * 12.92;
    let high = 1.055 * pow(max(linear, vec3f(0.0031308)), vec3f(1.0 / 2.4)) - 0.055;
    return select(high, low, linear <= vec3f(0.0031308));
}

fn decode(encoded: vec3f) -> vec3f {
    let low = encoded / 12.92;
    let high = pow((encoded + 0.055) / 1.055, vec3f(2.4));
    return select(high, low, encoded <= vec3f(0.04045));
}

// The four patches around a place of the grid, and their weights; excluded patches weigh nothing.
struct Corners {
    first: vec2i,
    second: vec2i,
    fraction: vec2f,
}

fn corners(place: vec2f) -> Corners {
    let last = vec2i(view.grid) - 1;
    let shifted = place - 0.5;
    let base = floor(shifted);
    let first = clamp(vec2i(base), vec2i(0), last);
    let second = clamp(vec2i(base) + 1, vec2i(0), last);
    return Corners(first, second, shifted - base);
}

fn nearest(place: vec2f) -> vec2i {
    return clamp(vec2i(floor(place)), vec2i(0), vec2i(view.grid) - 1);
}

// The map's value at a place of the grid, and how much of it is not excluded.
fn map_at(place: vec2f) -> vec2f {
    if (!has(SMOOTH)) {
        let value = textureLoad(map, nearest(place), 0).r;
        return vec2f(value, select(1.0, 0.0, value <= EXCLUDED));
    }
    let c = corners(place);
    let values = vec4f(
        textureLoad(map, c.first, 0).r,
        textureLoad(map, vec2i(c.second.x, c.first.y), 0).r,
        textureLoad(map, vec2i(c.first.x, c.second.y), 0).r,
        textureLoad(map, c.second, 0).r,
    );
    let f = c.fraction;
    var weights = vec4f((1.0 - f.x) * (1.0 - f.y), f.x * (1.0 - f.y), (1.0 - f.x) * f.y, f.x * f.y);
    weights *= select(vec4f(1.0), vec4f(0.0), values <= vec4f(EXCLUDED));
    let total = dot(weights, vec4f(1.0));
    return vec2f(dot(weights, values) / max(total, 1e-6), total);
}

fn colours_at(place: vec2f) -> vec4f {
    if (!has(SMOOTH)) {
        return textureLoad(colours, nearest(place), 0);
    }
    let c = corners(place);
    let top = mix(textureLoad(colours, c.first, 0), textureLoad(colours, vec2i(c.second.x, c.first.y), 0), c.fraction.x);
    let bottom = mix(textureLoad(colours, vec2i(c.first.x, c.second.y), 0), textureLoad(colours, c.second, 0), c.fraction.x);
    return mix(top, bottom, c.fraction.y);
}

@fragment
fn fragment(in: Fragment) -> @location(0) vec4f {
    let pixel = view.origin + in.uv * view.span;
    // Taken before anything branches: levels of detail come from neighbouring fragments.
    let sampled = textureSample(picture, picture_sampler, pixel / view.picture).rgb;
    if (any(pixel < vec2f(0.0)) || any(pixel >= view.picture)) {
        return vec4f(0.0);
    }
    var colour = encode(sampled);

    if (all(pixel < view.covered)) {
        let place = pixel / view.covered * view.grid;
        if (has(MAP)) {
            colour = with_map(colour, place);
        } else if (has(COLOURS)) {
            let above = colours_at(place);
            colour = mix(colour, above.rgb, view.opacity * above.a);
        }
        if (has(GRID)) {
            colour = with_grid(colour, place);
        }
    }
    return vec4f(select(colour, decode(colour), has(SRGB_TARGET)), 1.0);
}

fn with_map(below: vec3f, place: vec2f) -> vec3f {
    let sample = map_at(place);
    let range = select(view.range, vec2f(textureLoad(map_range, vec2i(0, 0), 0).r, textureLoad(map_range, vec2i(1, 0), 0).r), has(STRETCHED));
    let span = range.y - range.x;
    let t = clamp((sample.x - range.x) / select(1.0, span, span > 0.0), 0.0, 1.0);
    let above = textureSampleLevel(colour_map, colour_map_sampler, vec2f((t * 255.0 + 0.5) / 256.0, 0.5), 0.0).rgb;
    let grey = vec3f(dot(below, vec3f(0.299, 0.587, 0.114)));
    let base = select(below, grey, has(GREY));
    var shown = view.opacity * min(sample.y, 1.0);
    if (has(THRESHOLD) && sample.x < view.threshold) {
        shown = 0.0;
    }
    var colour = mix(base, above, shown);
    if (has(CONTOUR) && sample.y > 0.0) {
        // Distance to the line in pixels of the screen, by the map's slope a pixel away on each side.
        let step = view.grid / view.covered * view.scale;
        let dx = map_at(place + vec2f(step.x, 0.0)).x - map_at(place - vec2f(step.x, 0.0)).x;
        let dy = map_at(place + vec2f(0.0, step.y)).x - map_at(place - vec2f(0.0, step.y)).x;
        let slope = max(length(vec2f(dx, dy)) * 0.5, 1e-9);
        let line = abs(sample.x - view.contour) / slope;
        let half_width = 0.75 * view.pixels_per_point;
        colour = mix(colour, vec3f(0.0), 0.6 * clamp(half_width + 1.5 - line, 0.0, 1.0));
        colour = mix(colour, vec3f(1.0), clamp(half_width + 0.5 - line, 0.0, 1.0));
    }
    return colour;
}

// Lines between patches, fading out where patches become smaller than a few pixels of the screen.
fn with_grid(below: vec3f, place: vec2f) -> vec3f {
    let patch_size = view.covered / view.grid / view.scale;
    let distance = abs(place - round(place)) * patch_size;
    let near = clamp(0.5 * view.pixels_per_point + 0.5 - min(distance.x, distance.y), 0.0, 1.0);
    let fade = smoothstep(3.0, 9.0, min(patch_size.x, patch_size.y));
    let light = dot(below, vec3f(0.299, 0.587, 0.114));
    return mix(below, vec3f(1.0 - smoothstep(0.45, 0.75, light)), 0.28 * near * fade);
}
