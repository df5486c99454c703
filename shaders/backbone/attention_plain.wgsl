// Threads with the same queries on devices without subgroups.

struct Place {
    thread: u32,
}

// The greatest over all threads of the row. Everybody is past what came before.
fn greatest_of_rows(value: vec4f, place: Place) -> vec4f {
    let row = place.thread / SIDE;
    reduced[place.thread % SIDE * STRIDE + row] = value;
    workgroupBarrier();
    var greatest = reduced[row];
    for (var i = 1u; i < SIDE; i++) {
        greatest = max(greatest, reduced[i * STRIDE + row]);
    }
    return greatest;
}

fn sum_of_rows(value: vec4f, place: Place) -> vec4f {
    let row = place.thread / SIDE;
    workgroupBarrier();
    reduced[place.thread % SIDE * STRIDE + row] = value;
    workgroupBarrier();
    var sum = reduced[row];
    for (var i = 1u; i < SIDE; i++) {
        sum += reduced[i * STRIDE + row];
    }
    return sum;
}

@compute @workgroup_size(256)
fn attention(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    attend(group, Place(thread));
}
