/* SPDX-License-Identifier: MIT
 * A codebook's update: operations that write what a store keeps. */
#include "graph/graph_internal.h"

mdldm__tensor mdldm__graph_stored(mdldm__graph *g, const char *name, int32_t role, int32_t index, int64_t d0, int64_t d1)
{
    mdldm__tensor t = mdldm__graph_new_tensor(g, MDLDM_F32, role, d0, d1, 1, 1);
    if (t >= 0) {
        g->tensors[t].param = index;
        mdldm__graph_name(g, t, name);
    }
    return t;
}

void mdldm__graph_vq_collect(mdldm__graph *g, mdldm__tensor z, mdldm__tensor codes, mdldm__tensor place,
                             mdldm__tensor counts, mdldm__tensor sums, mdldm__tensor tally, float keep, float take)
{
    mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_VQ_COLLECT, NULL);
    if (op == NULL)
        return;
    op->in[0] = z;
    op->in[1] = codes;
    op->in[2] = place;
    op->in[3] = counts;
    op->in[4] = sums;
    op->out[0] = tally;
    op->attr.codebook.keep = keep;
    op->attr.codebook.take = take;
}

mdldm__tensor mdldm__graph_vq_update(mdldm__graph *g, mdldm__tensor tally, const mdldm__codebook_state *state,
                                     int32_t follow, int32_t restart_after)
{
    mdldm__tensor report = mdldm__graph_new_tensor(g, MDLDM_F32, MDLDM_ROLE_ACTIVATION, 1, 1, 1, 3);
    mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_VQ_UPDATE, NULL);
    if (op == NULL)
        return MDLDM__NONE;
    op->in[0] = tally;
    op->out[0] = state->codebook;
    op->out[1] = state->counts;
    op->out[2] = state->sums;
    op->out[3] = state->age;
    op->out[4] = report;
    op->attr.codebook.follow = follow;
    op->attr.codebook.restart_after = restart_after;
    return report;
}
