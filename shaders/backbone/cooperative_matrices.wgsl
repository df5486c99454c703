// Matrices of 16 × 16 that a subgroup holds together: what gemm_cooperative.wgsl asks of the device's matrix units.

alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sums = coop_mat16x16<f32, C>;

// Sixteen rows of `tiles` as they lie there.
fn left_at(at: u32) -> Left {
    return coopLoadT<Left>(&tiles[at], STRIDE);
}

// Sixteen rows of `tiles` as columns.
fn right_at(at: u32) -> Right {
    return coopLoad<Right>(&tiles[at], STRIDE);
}

fn add_product(sums: Sums, left: Left, right: Right) -> Sums {
    return coopMultiplyAdd(left, right, sums);
}

// Row by row into `results`.
fn write(sums: Sums, at: u32) {
    coopStoreT(sums, &results[at], SIDE);
}
