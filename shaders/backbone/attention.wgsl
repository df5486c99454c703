// Attention in tiles that lie in workgroup memory. One workgroup has 64 queries of a head and goes through the keys 64 at a
// time; a thread owns 4 queries by 4 keys of the scores, and 4 queries by 4 or 8 numbers of the result. Behind
// attention_operands.wgsl.
//
// The program sets TILE_DEPTH (by four, at most 8); HEAD is at most 32. Behind this file stands attention_plain.wgsl or
// attention_subgroup.wgsl with the entry point, `Place`, `greatest_of_rows` and `sum_of_rows`: what threads with the same
// queries have in common.
const SIDE = 16u;
const STRIDE = SIDE + 1u;

// Queries and keys of a tile, [4 * TILE_DEPTH, 16] one behind the other; once the scores are there, their powers
// [4, 16, 16]: component j of [i, key quad, query quad] belongs to query j and key i of their quads.
var<workgroup> tiles: array<vec4f, 4u * SIDE * STRIDE>;
// What a row's threads, or parts of them, have found.
var<workgroup> reduced: array<vec4f, SIDE * STRIDE>;

fn load_square(tile: u32, quad: u32, depth: u32, tile_depth: u32, first: u32, start: u32) {
    var square = mat4x4f();
    if (depth < HEAD) {
        let token = first + 4u * quad;
        square = transpose(mat4x4f(
            part_at(token, start, depth),
            part_at(token + 1u, start, depth),
            part_at(token + 2u, start, depth),
            part_at(token + 3u, start, depth),
        ));
    }
    let at = (4u * TILE_DEPTH * tile + 4u * tile_depth) * STRIDE + quad;
    tiles[at] = square[0];
    tiles[at + STRIDE] = square[1];
    tiles[at + 2u * STRIDE] = square[2];
    tiles[at + 3u * STRIDE] = square[3];
}

fn attend(group: vec3u, place: Place) {
    first_token = group.z * uniforms.tokens;
    let first_query = uniforms.first_query + 4u * SIDE * group.x;
    let head = group.y;
    let query_start = head * HEAD;
    let key_start = uniforms.width + head * HEAD;
    let value_start = 2u * uniforms.width + head * HEAD;
    let row = place.thread / SIDE;
    let col = place.thread % SIDE;
    // The numbers of the result that this thread owns; beyond a narrow head it computes the last ones again.
    let depth0 = min(col, HEAD - 1u);
    let depth1 = min(col + SIDE, HEAD - 1u);

    var greatest = vec4f(LOWEST);
    var sum = vec4f(0.0);
    var result0 = mat4x4f();
    var result1 = mat4x4f();
    for (var first_key = 0u; first_key < uniforms.tokens; first_key += 4u * SIDE) {
        var scores = mat4x4f();
        for (var depth = 0u; depth < HEAD; depth += TILE_DEPTH) {
            workgroupBarrier();
            for (var i = place.thread; i < 2u * SIDE * TILE_DEPTH; i += SIDE * SIDE) {
                let tile_depth = i % TILE_DEPTH;
                let quad = i / TILE_DEPTH;
                if (quad < SIDE) {
                    load_square(0u, quad, depth + tile_depth, tile_depth, first_query, query_start);
                } else {
                    load_square(1u, quad - SIDE, depth + tile_depth, tile_depth, first_key, key_start);
                }
            }
            workgroupBarrier();
            for (var k = 0u; k < 4u * TILE_DEPTH; k++) {
                scores = add_outer(scores, tiles[k * STRIDE + row], tiles[(4u * TILE_DEPTH + k) * STRIDE + col]);
            }
        }
        let key = first_key + 4u * col;
        // By keys, each a vector over the queries.
        let by_key = transpose(mat4x4f(
            seen(scores[0], key, first_query + 4u * row),
            seen(scores[1], key, first_query + 4u * row + 1u),
            seen(scores[2], key, first_query + 4u * row + 2u),
            seen(scores[3], key, first_query + 4u * row + 3u),
        ));
        let mine = max(max(by_key[0], by_key[1]), max(by_key[2], by_key[3]));
        let greatest_now = max(greatest, greatest_of_rows(mine, place));
        let shrink = exp2(greatest - greatest_now);
        greatest = greatest_now;
        let power0 = exp2(by_key[0] - greatest);
        let power1 = exp2(by_key[1] - greatest);
        let power2 = exp2(by_key[2] - greatest);
        let power3 = exp2(by_key[3] - greatest);
        sum = sum * shrink + (power0 + power1) + (power2 + power3);
        tiles[col * STRIDE + row] = power0;
        tiles[(SIDE + col) * STRIDE + row] = power1;
        tiles[(2u * SIDE + col) * STRIDE + row] = power2;
        tiles[(3u * SIDE + col) * STRIDE + row] = power3;
        workgroupBarrier();
        result0 = scale_rows(result0, shrink);
        result1 = scale_rows(result1, shrink);
        let quads = min(SIDE, (uniforms.tokens - first_key + 3u) / 4u);
        for (var quad = 0u; quad < quads; quad++) {
            for (var i = 0u; i < 4u; i++) {
                let weights = tiles[(i * SIDE + quad) * STRIDE + row];
                let token = first_key + 4u * quad + i;
                result0 = add_outer(result0, weights, part_at(token, value_start, depth0));
                if (HEAD > SIDE) {
                    result1 = add_outer(result1, weights, part_at(token, value_start, depth1));
                }
            }
        }
    }
    let scale = 1.0 / sum_of_rows(sum, place);
    let query = first_query + 4u * row;
    store_square(query, head, col, scale_rows(result0, scale));
    if (HEAD > SIDE) {
        store_square(query, head, col + SIDE, scale_rows(result1, scale));
    }
}
