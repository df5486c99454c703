// What cooperative_matrices.wgsl has, for devices without matrix units: matrices of f16 are places in `tiles`, and every
// thread has all sums.

alias Left = u32;
alias Right = u32;
alias Sums = array<f32, SIDE * SIDE>;

fn left_at(at: u32) -> Left {
    return at;
}

fn right_at(at: u32) -> Right {
    return at;
}

fn add_product(sums: Sums, left: Left, right: Right) -> Sums {
    var out = sums;
    for (var i = 0u; i < SIDE * SIDE; i++) {
        for (var k = 0u; k < SIDE; k++) {
            out[i] += f32(tiles[left + i / SIDE * STRIDE + k]) * f32(tiles[right + i % SIDE * STRIDE + k]);
        }
    }
    return out;
}

fn write(sums: Sums, at: u32) {
    for (var i = 0u; i < SIDE * SIDE; i++) {
        results[at + i] = sums[i];
    }
}
