// What cooperative_matrices.wgsl has, for devices without matrix units: matrices of f16 are places in `tiles`, and each
// thread of 32 has eight of the sums. The test sets `lane`.

alias Left = u32;
alias Right = u32;
alias Sums = array<f32, 8>;

var<private> lane: u32;

fn left_at(at: u32) -> Left {
    return at;
}

fn right_at(at: u32) -> Right {
    return at;
}

fn add_product(sums: Sums, left: Left, right: Right) -> Sums {
    var out = sums;
    for (var i = 0u; i < 8u; i++) {
        let row = lane / 2u;
        let col = lane % 2u * 8u + i;
        for (var k = 0u; k < SIDE; k++) {
            out[i] += f32(tiles[left + row * STRIDE + k]) * f32(tiles[right + col * STRIDE + k]);
        }
    }
    return out;
}

fn write(sums: Sums, at: u32) {
    for (var i = 0u; i < 8u; i++) {
        results[at + lane * 8u + i] = sums[i];
    }
}
