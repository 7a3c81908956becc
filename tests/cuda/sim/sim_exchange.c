/* SPDX-License-Identifier: MIT
 * Lanes of a warp exchange values: shfl, vote, redux, activemask. All lanes that the member mask names, and that
 * have not ended, must be there. */
#include "tests/cuda/sim/lane_ops.h"
#include "tests/cuda/sim/ptx_decode.h"
#include "tests/cuda/sim/sim_ops.h"

#include <string.h>

enum { UP, DOWN, BFLY, IDX, ALL, ANY, UNI, BALLOT, ADD, MIN_U, MAX_U, MIN_S, MAX_S, AND_, OR_, XOR_ };

static bool together(sim_warp *w, const sim_op *op, sim_reg members, uint32_t mask)
{
    if (!sim_need_written(w, op, members, mask, "the member mask"))
        return false;
    const uint32_t *m = sim_lanes(w, members);
    const uint32_t first = m[__builtin_ctz(mask)], here = first & w->lanes & ~w->exited;
    for (int l = 0; l < SIM_LANES; ++l)
        if (mask >> l & 1 && m[l] != first) {
            sim_found(w, op, l, "lanes of one warp name different member masks, 0x%x and 0x%x", first, m[l]);
            return false;
        }
    if (here != mask) {
        sim_found(w, op, -1, "the member mask is 0x%x, but the lanes that are here are 0x%x", first, mask);
        return false;
    }
    return true;
}

static void shuffle(sim_warp *w, const sim_op *op, uint32_t mask)
{
    const sim_reg *src = op->r + op->n_dst;
    if (!together(w, op, src[3], mask) || !sim_need_written(w, op, src[1], mask, "the lane to read") ||
        !sim_need_written(w, op, src[2], mask, "the clamp"))
        return;
    uint32_t *d = sim_lanes(w, op->r[0]), a[SIM_LANES], good = 0;
    memcpy(a, sim_lanes(w, src[0]), sizeof a);
    const uint32_t *b = sim_lanes(w, src[1]), *c = sim_lanes(w, src[2]), have = w->written[src[0].id];
    uint32_t set = 0;
    for (int l = 0; l < SIM_LANES; ++l) {
        if (!(mask >> l & 1))
            continue;
        const int by = (int)(b[l] & 31), clamp = (int)(c[l] & 31), segment = (int)(c[l] >> 8 & 31);
        const int most = (l & segment) | (clamp & ~segment), least = l & segment;
        int j = op->arg == UP     ? l - by
                : op->arg == DOWN ? l + by
                : op->arg == BFLY ? l ^ by
                                  : least | (by & ~segment);
        const bool ok = op->arg == UP ? j >= most : j <= most;
        if (!ok)
            j = l;
        good |= (uint32_t)ok << l;
        d[l] = a[j];
        set |= (mask & have) >> j << 31 >> (31 - l); /* a lane that is not here has nothing to give */
    }
    sim_set_written(w, op->r[0], mask, set);
    if (op->n_dst == 2) {
        uint32_t *p = sim_pred(w, op->r[1]);
        *p = (*p & ~mask) | (good & mask);
        sim_set_written(w, op->r[1], mask, mask);
    }
}

static void vote(sim_warp *w, const sim_op *op, uint32_t mask)
{
    if (!together(w, op, op->r[2], mask) || !sim_need_written(w, op, op->r[1], mask, "the vote"))
        return;
    uint32_t yes = *sim_pred(w, op->r[1]);
    yes = (op->offset ? ~yes : yes) & mask;
    if (op->arg == BALLOT) {
        uint32_t *d = sim_lanes(w, op->r[0]);
        for (int l = 0; l < SIM_LANES; ++l)
            if (mask >> l & 1)
                d[l] = yes;
    } else {
        const bool got = op->arg == ALL ? yes == mask : op->arg == ANY ? yes != 0 : yes == mask || yes == 0;
        uint32_t *p = sim_pred(w, op->r[0]);
        *p = (*p & ~mask) | (got ? mask : 0);
    }
    sim_set_written(w, op->r[0], mask, mask);
}

static uint32_t combine(uint32_t how, uint32_t x, uint32_t y)
{
    switch (how) {
    case ADD: return x + y;
    case MIN_U: return x < y ? x : y;
    case MAX_U: return x > y ? x : y;
    case MIN_S: return (int32_t)x < (int32_t)y ? x : y;
    case MAX_S: return (int32_t)x > (int32_t)y ? x : y;
    case AND_: return x & y;
    case OR_: return x | y;
    default: return x ^ y;
    }
}

static void redux(sim_warp *w, const sim_op *op, uint32_t mask)
{
    if (!together(w, op, op->r[2], mask) || !sim_need_written(w, op, op->r[1], mask, "a lane's part"))
        return;
    const uint32_t *a = sim_lanes(w, op->r[1]);
    uint32_t *d = sim_lanes(w, op->r[0]);
    int l = __builtin_ctz(mask);
    uint32_t got = a[l];
    for (++l; l < SIM_LANES; ++l)
        if (mask >> l & 1)
            got = combine(op->arg, got, a[l]);
    for (l = 0; l < SIM_LANES; ++l)
        if (mask >> l & 1)
            d[l] = got;
    sim_set_written(w, op->r[0], mask, mask);
}

static void active(sim_warp *w, const sim_op *op, uint32_t mask)
{
    uint32_t *d = sim_lanes(w, op->r[0]);
    for (int l = 0; l < SIM_LANES; ++l)
        if (mask >> l & 1)
            d[l] = mask;
}

const sim_entry sim_exchange_entries[] = {
    {"activemask.b32", "i ", active, 0},
    {NULL, NULL, NULL, 0},
};

static const struct {
    const char *name;
    uint32_t how;
} kinds[] = {
    {"shfl.sync.up.b32", UP}, {"shfl.sync.down.b32", DOWN}, {"shfl.sync.bfly.b32", BFLY}, {"shfl.sync.idx.b32", IDX},
    {"vote.sync.all.pred", ALL}, {"vote.sync.any.pred", ANY}, {"vote.sync.uni.pred", UNI},
    {"vote.sync.ballot.b32", BALLOT}, {"redux.sync.add.u32", ADD}, {"redux.sync.add.s32", ADD},
    {"redux.sync.min.u32", MIN_U}, {"redux.sync.max.u32", MAX_U}, {"redux.sync.min.s32", MIN_S},
    {"redux.sync.max.s32", MAX_S}, {"redux.sync.and.b32", AND_}, {"redux.sync.or.b32", OR_},
    {"redux.sync.xor.b32", XOR_},
};

bool ptx_decode_exchange(ptx_body *b, ptx_statement *s, sim_op *op)
{
    size_t k = 0;
    unsigned bytes;
    while (k < sizeof kinds / sizeof *kinds && strcmp(kinds[k].name, s->name) != 0)
        ++k;
    if (k == sizeof kinds / sizeof *kinds)
        return false;
    op->arg = kinds[k].how;
    op->own_written = 1;
    const bool shuffles = op->arg <= IDX, votes = !shuffles && op->arg <= BALLOT;
    ptx_want_operands(b, s, shuffles ? 5 : 3);
    char *second = strchr(s->operand[0], '|');
    if (second)
        *second++ = 0;
    op->r[op->n_dst++] = ptx_destination(b, s->operand[0], &bytes);
    if (bytes != (votes && op->arg != BALLOT ? 0 : 4) && strcmp(s->operand[0], "_") != 0)
        ptx_refuse(b->r, "'%s' into '%s'", s->name, s->operand[0]);
    if (second)
        op->r[op->n_dst++] = ptx_destination(b, second, &bytes);
    const int n = op->n_dst;
    if (votes) {
        const bool inverted = s->operand[1][0] == '!';
        op->offset = inverted;
        op->r[n] = ptx_source(b, s->operand[1] + inverted, SIM_PRED);
    } else {
        op->r[n] = ptx_source(b, s->operand[1], SIM_B32);
    }
    for (int i = 2; i < s->n_operands; ++i)
        op->r[n + i - 1] = ptx_source(b, s->operand[i], SIM_B32);
    op->n_src = (uint8_t)(s->n_operands - 1);
    op->run = shuffles ? shuffle : votes ? vote : redux;
    return true;
}
