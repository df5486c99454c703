// Sums over a workgroup on devices without subgroups.

struct Place {
    thread: u32,
}

// The sum of all threads' values, the same in every thread.
fn sum_of_threads(value: f32, place: Place) -> f32 {
    workgroupBarrier();
    partial_sums[place.thread] = value;
    for (var stride = THREADS / 2u; stride > 0u; stride /= 2u) {
        workgroupBarrier();
        if (place.thread < stride) {
            partial_sums[place.thread] += partial_sums[place.thread + stride];
        }
    }
    workgroupBarrier();
    return partial_sums[0];
}

@compute @workgroup_size(THREADS)
fn layer_norm(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    normalise(group, groups, Place(thread));
}
