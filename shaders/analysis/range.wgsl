// The least and the greatest value of a map, excluded patches aside; both 0 where none is left.

// Keep in sync with `EXCLUDED` in engine/src/analysis/similarity/combined.rs.
const EXCLUDED = -8.0;
// Above any value of a map.
const NOTHING = 8.0;
const THREADS = 256u;

@group(0) @binding(0) var map: texture_2d<f32>;                        // [rows, cols] r32float
@group(0) @binding(1) var range: texture_storage_2d<r32float, write>;  // [1, 2]: least, greatest

// Least value and greatest value of each thread.
var<workgroup> extremes: array<vec2f, THREADS>;

@compute @workgroup_size(THREADS)
fn reduce(@builtin(local_invocation_index) thread: u32) {
    let size = textureDimensions(map);
    var least = NOTHING;
    var greatest = EXCLUDED;
    for (var i = thread; i < size.x * size.y; i += THREADS) {
        let value = textureLoad(map, vec2u(i % size.x, i / size.x), 0).r;
        if (value > EXCLUDED) {
            least = min(least, value);
            greatest = max(greatest, value);
        }
    }
    extremes[thread] = vec2f(least, greatest);
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            let mine = extremes[thread];
            let other = extremes[thread + half];
            extremes[thread] = vec2f(min(mine.x, other.x), max(mine.y, other.y));
        }
    }
    if (thread == 0u) {
        let found = extremes[0];
        let is_empty = found.x > found.y;
        textureStore(range, vec2u(0u, 0u), vec4f(select(found.x, 0.0, is_empty)));
        textureStore(range, vec2u(1u, 0u), vec4f(select(found.y, 0.0, is_empty)));
    }
}
