/* SPDX-License-Identifier: MIT
 * Up- and downsampling by two, embeddings, rotated weights. Template: included once per
 * instruction set. */
#include "cpu_vec.h"

#include "cpu_scratch.h"

/* y[n,2h,2w,c] <- x[n,h,w,c] */
static void k_upsample2(void *y, const void *x, int32_t dtype, int64_t n, int64_t h, int64_t w,
                        int64_t c, int32_t threads)
{
    size_t pixel = (size_t)c * (dtype == MDLDM_BF16 ? 2 : 4), line = 2 * (size_t)w * pixel;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t row = 0; row < n * h; row++) {
        const char *from = (const char *)x + (size_t)(row * w) * pixel;
        char *to = (char *)y + (size_t)row * 2 * line;
        for (int64_t i = 0; i < w; i++, from += pixel) {
            memcpy(to + (size_t)(2 * i) * pixel, from, pixel);
            memcpy(to + (size_t)(2 * i + 1) * pixel, from, pixel);
        }
        memcpy(to + line, to, line);
    }
}

/* dx[n,h,w,c] <- dy[n,2h,2w,c] */
static void k_upsample2_bwd(void *dx, const void *dy, int32_t dtype, int64_t n, int64_t h, int64_t w,
                            int64_t c, int32_t threads)
{
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t row = 0; row < n * h; row++)
        for (int64_t i = 0; i < w; i++) {
            int64_t a = (row * 4 * w + 2 * i) * c, b = a + 2 * w * c, to = (row * w + i) * c;
            for (int64_t j = 0; j < c; j += VL)
                v_put(dx, dtype, to + j, c - j,
                      (v_get(dy, dtype, a + j, c - j) + v_get(dy, dtype, a + c + j, c - j)) +
                          (v_get(dy, dtype, b + j, c - j) + v_get(dy, dtype, b + c + j, c - j)));
        }
}

/* y[n,h/2,w/2,c] <- x[n,h,w,c] */
static void k_avgpool2(void *y, const void *x, int32_t dtype, int64_t n, int64_t h, int64_t w,
                       int64_t c, int32_t threads)
{
    int64_t ho = h / 2, wo = w / 2;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t row = 0; row < n * ho; row++)
        for (int64_t i = 0; i < wo; i++) {
            int64_t a = ((row / ho * h + row % ho * 2) * w + 2 * i) * c, b = a + w * c;
            int64_t to = (row * wo + i) * c;
            for (int64_t j = 0; j < c; j += VL)
                v_put(y, dtype, to + j, c - j,
                      ((v_get(x, dtype, a + j, c - j) + v_get(x, dtype, a + c + j, c - j)) +
                       (v_get(x, dtype, b + j, c - j) + v_get(x, dtype, b + c + j, c - j))) *
                          0.25f);
        }
}

/* dx[n,h,w,c] <- dy[n,h/2,w/2,c] */
static void k_avgpool2_bwd(void *dx, const void *dy, int32_t dtype, int64_t n, int64_t h, int64_t w,
                           int64_t c, int32_t threads)
{
    int64_t ho = h / 2, wo = w / 2;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t row = 0; row < n * h; row++)
        for (int64_t i = 0; i < w; i++) {
            int64_t y = row % h / 2, x = i / 2, to = (row * w + i) * c;
            int64_t from = ((row / h * ho + y) * wo + x) * c;
            for (int64_t j = 0; j < c; j += VL) {
                V d = v_set(0.0f);
                if (y < ho && x < wo)
                    d = v_get(dy, dtype, from + j, c - j) * 0.25f;
                v_put(dx, dtype, to + j, c - j, d);
            }
        }
}

/* The core and the caller's checks keep indexes in range; a stray one reads as zeros. */
static void k_embedding(void *y, int32_t dtype, const float *table, const int32_t *index, int64_t n,
                        int64_t rows, int64_t c)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < c; j += VL) {
            V e = v_set(0.0f);
            if (index[i] >= 0 && index[i] < rows)
                e = v_get(table, MDLDM_F32, index[i] * c + j, c - j);
            v_put(y, dtype, i * c + j, c - j, e);
        }
}

static void k_embedding_bwd(float *dtable, const void *dy, int32_t dtype, const int32_t *index,
                            int64_t n, int64_t rows, int64_t c)
{
    for (int64_t i = 0; i < n; i++) {
        if (index[i] < 0 || index[i] >= rows)
            continue;
        for (int64_t j = 0; j < c; j += VL)
            v_put(dtable, MDLDM_F32, index[i] * c + j, c - j,
                  v_get(dtable, MDLDM_F32, index[i] * c + j, c - j) +
                      v_get(dy, dtype, i * c + j, c - j));
    }
}

static void k_rotate(float *out, const float *w, int64_t oc, int64_t in, int64_t i0, int64_t ic,
                     int64_t kh, int64_t kw, int32_t threads)
{
    int64_t taps = kh * kw;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t i = 0; i < ic; i++)
        for (int64_t o = 0; o < oc; o++) {
            const float *from = w + (o * in + i0 + i) * taps;
            float *to = out + (i * oc + o) * taps;
            for (int64_t t = 0; t < taps; t++)
                to[taps - 1 - t] = from[t];
        }
}
