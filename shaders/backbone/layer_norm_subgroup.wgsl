// Sums over a workgroup on devices with subgroups.

struct Place {
    thread: u32,
    subgroup: u32,
    subgroups: u32,
    // In the subgroup.
    lane: u32,
}

// The sum of all threads' values, the same in every thread.
fn sum_of_threads(value: f32, place: Place) -> f32 {
    let subgroup_sum = subgroupAdd(value);
    workgroupBarrier();
    if (place.lane == 0u) {
        partial_sums[place.subgroup] = subgroup_sum;
    }
    workgroupBarrier();
    var sum = 0.0;
    for (var i = 0u; i < place.subgroups; i++) {
        sum += partial_sums[i];
    }
    return sum;
}

@compute @workgroup_size(THREADS)
fn layer_norm(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) thread: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    normalise(group, groups, Place(thread, subgroup, subgroups, lane));
}
