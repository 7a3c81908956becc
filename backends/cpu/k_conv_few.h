/* SPDX-License-Identifier: MIT
 * Convolutions of stride 1 with a few output channels, which would leave most lanes of a vector of them
 * empty: taps and output channels together are the columns of one matrix product,
 *     z[pixel][tap, o] = sum over i of x[pixel][i] w[o][i][tap],
 * row of the map by row, and a pixel of the result is the sum of its neighbours' z, each of its own tap.
 * A thread keeps the rows of z that it still needs. Template: included once per instruction set. */
#include "cpu_scratch.h"
#include "k_gemm.h"

typedef float few_quad __attribute__((vector_size(16)));
typedef float few_load __attribute__((vector_size(16), aligned(4), may_alias));

/* packed[i][column] or, in bf16, pairs of rows [i/2][column]; what is no tap is 0. */
static void few_pack(const mdldm__cpu_few *a, int64_t columns, float *packed)
{
    int64_t taps = a->kernel_h * a->kernel_w;
    float row[2][MDLDM__CPU_FEW_COLUMNS] = {{0}};
    int64_t pair = a->dtype == MDLDM_BF16 ? 2 : 1;
    for (int64_t i = 0; i < a->ic; i += pair) {
        for (int64_t half = 0; half < pair; half++)
            for (int64_t tap = 0; tap < taps; tap++)
                for (int64_t o = 0; o < a->oc; o++)
                    row[half][tap * a->oc + o] =
                        a->turned ? a->weights[(i + half) * a->row + o * taps + taps - 1 - tap]
                                  : a->weights[o * a->row + (i + half) * taps + tap];
        for (int64_t j = 0; j < columns; j += VL) {
            V low = v_load(row[0] + j);
            if (pair == 2)
                low = v_pair_bf16(low, v_load(row[1] + j));
            v_store(packed + i / pair * columns + j, low);
        }
    }
}

/* One row of the result, in floats: sums of rows y - pad_t and on of z, in a ring of kernel_h rows.
 * kernel_h, kernel_w and quads, of output channels, are constants where that pays. */
INLINE void few_row(const mdldm__cpu_few *a, int64_t kernel_h, int64_t kernel_w, int64_t quads, int64_t y,
                    int64_t columns, const float *ring, const few_quad *bias, float *out)
{
    for (int64_t x = 0; x < a->wo; x++) {
        few_quad sum[MDLDM__CPU_FEW / 4];
        for (int64_t q = 0; q < quads; q++)
            sum[q] = bias[q];
        for (int64_t ty = 0; ty < kernel_h; ty++) {
            int64_t from = y + ty - a->pad_t;
            if (from < 0 || from >= a->h)
                continue;
            const float *z = ring + from % kernel_h * a->w * columns + ty * kernel_w * a->oc;
            for (int64_t tx = 0; tx < kernel_w; tx++) {
                int64_t at = x + tx - a->pad_l;
                if (at < 0 || at >= a->w)
                    continue;
                for (int64_t q = 0; q < quads; q++)
                    sum[q] += *(const few_load *)(z + at * columns + tx * a->oc + 4 * q);
            }
        }
        for (int64_t q = 0; q < quads; q++) /* lanes beyond oc fall where the next pixel comes */
            *(few_load *)(out + x * a->oc + 4 * q) = sum[q];
    }
}

/* Rows [begin, end) of all images. */
static void few_rows(const mdldm__cpu_few *a, int64_t columns, const float *packed, int64_t begin,
                     int64_t end, float *ring, float *out)
{
    int64_t size = a->dtype == MDLDM_BF16 ? 2 : 4, width = a->ic * size / 4, next = 0;
    few_quad bias[MDLDM__CPU_FEW / 4] = {{0}};
    if (a->bias != NULL)
        memcpy(bias, a->bias, (size_t)a->oc * sizeof(float));
    for (int64_t row = begin; row < end; row++) {
        int64_t image = row / a->ho, y = row % a->ho, first = y - a->pad_t, last = first + a->kernel_h;
        if (row == begin || y == 0)
            next = first > 0 ? first : 0;
        for (; next < last && next < a->h; next++) {
            mdldm__cpu_gemm g = {.m = a->w,
                                 .n = columns,
                                 .k = width,
                                 .a_m = width,
                                 .a_k = 1,
                                 .b_k = columns,
                                 .c_m = columns,
                                 .a = (const char *)a->x + (image * a->h + next) * a->w * a->ic * size,
                                 .b = packed,
                                 .c = ring + next % a->kernel_h * a->w * columns,
                                 .dtype = a->dtype};
            k_gemm(&g);
        }
        if (a->kernel_h == 3 && a->kernel_w == 3 && a->oc <= 4)
            few_row(a, 3, 3, 1, y, columns, ring, bias, out);
        else
            few_row(a, a->kernel_h, a->kernel_w, (a->oc + 3) / 4, y, columns, ring, bias, out);
        for (int64_t j = 0; j < a->wo * a->oc; j += VL)
            v_put(a->y, a->dtype, row * a->wo * a->oc + j, a->wo * a->oc - j, v_load(out + j));
    }
}

static void k_conv_few(const mdldm__cpu_few *a)
{
    mdldm__few_sizes z = mdldm__cpu_few_sizes(a, VL);
    int64_t rows = a->n * a->ho;
    few_pack(a, z.columns, a->scratch);
#pragma omp parallel num_threads(a->threads)
    {
        int64_t thread = omp_get_thread_num(), team = omp_get_num_threads();
        float *own = a->scratch + z.packed + thread * (z.ring + z.out);
        few_rows(a, z.columns, a->scratch, rows * thread / team, rows * (thread + 1) / team, own,
                 own + z.ring);
    }
}
