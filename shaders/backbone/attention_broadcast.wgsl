// Attention without workgroup memory: a subgroup has 16 queries of a head, its threads have four keys each, and tell each
// other the queries and the softmax's powers. For software, as gemm_broadcast.wgsl. Behind attention_operands.wgsl and
// broadcast.wgsl.

// The program sets LANES, threads of a subgroup, at least 8; HEAD is at most 2 * LANES.
const THREADS = 64u;
const QUERIES = 16u;

// Four queries: rows of the scores, or of the result.
struct Softmax {
    greatest: vec4f,
    // Of this thread's powers.
    sum: vec4f,
    // Columns belong to queries; the thread has these four numbers of the head, and those 4 * LANES further on.
    result0: mat4x4f,
    result1: mat4x4f,
}

// Scores of four queries from `query` on with four keys from `key` on become powers by key.
fn take(softmax: ptr<function, Softmax>, scores: mat4x4f, key: u32, query: u32) -> mat4x4f {
    let by_key = transpose(mat4x4f(
        seen(scores[0], key, query),
        seen(scores[1], key, query + 1u),
        seen(scores[2], key, query + 2u),
        seen(scores[3], key, query + 3u),
    ));
    let mine = max(max(by_key[0], by_key[1]), max(by_key[2], by_key[3]));
    let greatest = max((*softmax).greatest, subgroupMax(mine));
    let shrink = exp2((*softmax).greatest - greatest);
    let powers = mat4x4f(
        exp2(by_key[0] - greatest),
        exp2(by_key[1] - greatest),
        exp2(by_key[2] - greatest),
        exp2(by_key[3] - greatest),
    );
    (*softmax).greatest = greatest;
    (*softmax).sum = (*softmax).sum * shrink + (powers[0] + powers[1]) + (powers[2] + powers[3]);
    (*softmax).result0 = scale_rows((*softmax).result0, shrink);
    (*softmax).result1 = scale_rows((*softmax).result1, shrink);
    return powers;
}

// Powers and values of the four keys that thread `owner` has.
fn add_values(softmax: ptr<function, Softmax>, mine: mat4x4f, owner: u32, values0: mat4x4f, values1: mat4x4f) {
    let powers = transpose(mat4x4f(
        subgroupShuffle(mine[0], owner),
        subgroupShuffle(mine[1], owner),
        subgroupShuffle(mine[2], owner),
        subgroupShuffle(mine[3], owner),
    ));
    (*softmax).result0 = add_product((*softmax).result0, powers, values0);
    if (HEAD > LANES) {
        (*softmax).result1 = add_product((*softmax).result1, powers, values1);
    }
}

fn add_product(sums: mat4x4f, rows: mat4x4f, cols: mat4x4f) -> mat4x4f {
    return mat4x4f(
        add_row(sums[0], rows[0], cols),
        add_row(sums[1], rows[1], cols),
        add_row(sums[2], rows[2], cols),
        add_row(sums[3], rows[3], cols),
    );
}

fn four_at(token: u32, start: u32, depth: u32) -> mat4x4f {
    return mat4x4f(
        part_at(token, start, depth),
        part_at(token + 1u, start, depth),
        part_at(token + 2u, start, depth),
        part_at(token + 3u, start, depth),
    );
}

fn store_result(softmax: Softmax, query: u32, head: u32, lane: u32) {
    let scale = 1.0 / subgroupAdd(softmax.sum);
    store_square(query, head, lane, scale_rows(softmax.result0, scale));
    if (HEAD > LANES) {
        store_square(query, head, lane + LANES, scale_rows(softmax.result1, scale));
    }
}

@compute @workgroup_size(THREADS)
fn attention(
    @builtin(workgroup_id) group: vec3u,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    first_token = group.z * uniforms.tokens;
    let first_query = uniforms.first_query + (group.x * (THREADS / LANES) + subgroup) * QUERIES;
    let head = group.y;
    let query_start = head * HEAD;
    let key_start = uniforms.width + head * HEAD;
    let value_start = 2u * uniforms.width + head * HEAD;
    // Beyond a narrow head a thread computes the last numbers again.
    let depth0 = min(lane, HEAD - 1u);
    let depth1 = min(lane + LANES, HEAD - 1u);
    var queries0 = Softmax(vec4f(LOWEST), vec4f(), mat4x4f(), mat4x4f());
    var queries4 = queries0;
    var queries8 = queries0;
    var queries12 = queries0;
    for (var first_key = 0u; first_key < uniforms.tokens; first_key += 4u * LANES) {
        let key = first_key + 4u * lane;
        var scores0 = mat4x4f();
        var scores4 = mat4x4f();
        var scores8 = mat4x4f();
        var scores12 = mat4x4f();
        for (var depth = 0u; depth < HEAD; depth++) {
            let query0 = part_at(first_query + lane, query_start, depth);
            let query8 = part_at(first_query + lane + 8u, query_start, depth);
            let keys = transpose(four_at(key, key_start, depth));
            scores0 = add_rows_0_to_3(scores0, query0, keys);
            scores4 = add_rows_4_to_7(scores4, query0, keys);
            scores8 = add_rows_0_to_3(scores8, query8, keys);
            scores12 = add_rows_4_to_7(scores12, query8, keys);
        }
        let powers0 = take(&queries0, scores0, key, first_query);
        let powers4 = take(&queries4, scores4, key, first_query + 4u);
        let powers8 = take(&queries8, scores8, key, first_query + 8u);
        let powers12 = take(&queries12, scores12, key, first_query + 12u);
        let owners = min(LANES, (uniforms.tokens - first_key + 3u) / 4u);
        for (var owner = 0u; owner < owners; owner++) {
            let token = first_key + 4u * owner;
            let values0 = four_at(token, value_start, depth0);
            let values1 = four_at(token, value_start, depth1);
            add_values(&queries0, powers0, owner, values0, values1);
            add_values(&queries4, powers4, owner, values0, values1);
            add_values(&queries8, powers8, owner, values0, values1);
            add_values(&queries12, powers12, owner, values0, values1);
        }
    }
    store_result(queries0, first_query, head, lane);
    store_result(queries4, first_query + 4u, head, lane);
    store_result(queries8, first_query + 8u, head, lane);
    store_result(queries12, first_query + 12u, head, lane);
}
