// Threads with the same queries on devices with subgroups, which hold a part of a row, or one row or more.

struct Place {
    thread: u32,
    // Threads of a row that are in one subgroup: a power of two.
    together: u32,
}

// The greatest over all threads of the row. Everybody is past what came before.
fn greatest_of_rows(value: vec4f, place: Place) -> vec4f {
    var greatest = value;
    for (var step = 1u; step < place.together; step *= 2u) {
        greatest = max(greatest, subgroupShuffleXor(greatest, step));
    }
    let row = place.thread / SIDE;
    if (place.thread % place.together == 0u) {
        reduced[place.thread % SIDE / place.together * STRIDE + row] = greatest;
    }
    workgroupBarrier();
    for (var i = 0u; i < SIDE / place.together; i++) {
        greatest = max(greatest, reduced[i * STRIDE + row]);
    }
    return greatest;
}

fn sum_of_rows(value: vec4f, place: Place) -> vec4f {
    var part = value;
    for (var step = 1u; step < place.together; step *= 2u) {
        part += subgroupShuffleXor(part, step);
    }
    let row = place.thread / SIDE;
    workgroupBarrier();
    if (place.thread % place.together == 0u) {
        reduced[place.thread % SIDE / place.together * STRIDE + row] = part;
    }
    workgroupBarrier();
    var sum = vec4f(0.0);
    for (var i = 0u; i < SIDE / place.together; i++) {
        sum += reduced[i * STRIDE + row];
    }
    return sum;
}

@compute @workgroup_size(256)
fn attention(
    @builtin(workgroup_id) group: vec3u,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_size) size: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    // Nobody says in which order a workgroup's threads lie in subgroups: they are counted along those.
    attend(group, Place(subgroup * size + lane, min(size, SIDE)));
}
