/* SPDX-License-Identifier: MIT
 * Nearest-neighbour doubling and 2x2 mean pooling. */
#include <string.h>

#include "ref_ops.h"

static inline int64_t at(const mdldm__ref_operand *x, int64_t n, int64_t y, int64_t column)
{
    return ((n * x->h + y) * x->w + column) * x->c;
}

/* to[2y+i][2x+j] = factor * from[y][x] */
static void spread(const mdldm__ref_operand *from, const mdldm__ref_operand *to, double factor)
{
    const float *source = from->data;
    float *target = to->data;
    for (int64_t n = 0; n < from->n; n++)
        for (int64_t y = 0; y < 2 * from->h; y++)
            for (int64_t x = 0; x < 2 * from->w; x++)
                for (int64_t c = 0; c < from->c; c++)
                    target[at(to, n, y, x) + c] = (float)(factor * source[at(from, n, y / 2, x / 2) + c]);
}

/* to[y][x] = factor * sum of from[2y+i][2x+j] */
static void gather(const mdldm__ref_operand *from, const mdldm__ref_operand *to, double factor)
{
    const float *source = from->data;
    float *target = to->data;
    for (int64_t n = 0; n < to->n; n++)
        for (int64_t y = 0; y < to->h; y++)
            for (int64_t x = 0; x < to->w; x++)
                for (int64_t c = 0; c < to->c; c++) {
                    double sum = (double)source[at(from, n, 2 * y, 2 * x) + c] +
                                 source[at(from, n, 2 * y, 2 * x + 1) + c] +
                                 source[at(from, n, 2 * y + 1, 2 * x) + c] +
                                 source[at(from, n, 2 * y + 1, 2 * x + 1) + c];
                    target[at(to, n, y, x) + c] = (float)(factor * sum);
                }
}

void mdldm__ref_upsample2(const mdldm__ref_call *call)
{
    spread(&call->in[0], &call->out[0], 1.0);
}

void mdldm__ref_upsample2_bwd(const mdldm__ref_call *call)
{
    gather(&call->in[0], &call->out[0], 1.0);
}

void mdldm__ref_avgpool2(const mdldm__ref_call *call)
{
    gather(&call->in[0], &call->out[0], 0.25);
}

void mdldm__ref_avgpool2_bwd(const mdldm__ref_call *call)
{
    /* An odd edge was dropped and gets no gradient. */
    memset(call->out[0].data, 0, (size_t)mdldm__ref_count(&call->out[0]) * sizeof(float));
    spread(&call->in[0], &call->out[0], 0.25);
}
