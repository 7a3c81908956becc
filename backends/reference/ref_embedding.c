/* SPDX-License-Identifier: MIT
 * Rows of a table by index. An index outside the table reads as zeros and gets no gradient: callers
 * check labels, a backend must not read beyond its memory. */
#include <string.h>

#include "ref_ops.h"

void mdldm__ref_embedding(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *table = &call->in[0], *index = &call->in[1]; /* [K,c], [n] */
    int64_t rows = table->n, c = table->h;
    float *y = call->out[0].data; /* [n,c] */
    for (int64_t n = 0; n < index->n; n++) {
        int32_t row = ((const int32_t *)index->data)[n];
        if (row >= 0 && row < rows)
            memcpy(y + n * c, (const float *)table->data + row * c, (size_t)c * sizeof *y);
        else
            memset(y + n * c, 0, (size_t)c * sizeof *y);
    }
}

void mdldm__ref_embedding_bwd(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *dtable = &call->out[0], *index = &call->in[1];
    int64_t rows = dtable->n, c = dtable->h;
    const float *dy = call->in[0].data;
    for (int64_t n = 0; n < index->n; n++) {
        int32_t row = ((const int32_t *)index->data)[n];
        if (row < 0 || row >= rows)
            continue;
        float *target = (float *)dtable->data + row * c;
        for (int64_t i = 0; i < c; i++)
            target[i] += dy[n * c + i];
    }
}
