/* SPDX-License-Identifier: MIT
 * GroupNorm with optional scale and shift and SiLU, over one or two sources joined in the channels
 * (Wu and He, "Group Normalization", 2018). Template: included once per instruction set.
 *
 * Forward: per part of rows and channel the sums of x-K and (x-K)^2, K the channel's first element,
 * so that a large mean costs no digits; merged in double; then one pass y = act(x*a + b). */
#include "cpu_vec.h"

#include <math.h>

#include "cpu_scratch.h"
#include "k_quantize.h"

/* The piece of joined channel j (of a vector that may not cross from x0 to x1): where to read row r. */
typedef struct norm_source {
    const void *p;
    void *d;
    int64_t c, from; /* channels of this source; the joined channel of its first */
} norm_source;

INLINE void norm_split(const mdldm__cpu_norm *a, norm_source s[2])
{
    s[0] = (norm_source){a->x0, a->dx0, a->c0, 0};
    s[1] = (norm_source){a->x1, a->dx1, a->x1 != NULL ? a->c1 : 0, a->c0};
}

/* Rows that are taken together, so that a channel's coefficients are loaded once for all of them. */
#define NORM_ROWS 16
/* Vectors of a row that are taken together in sums, so that memory is read in longer pieces. */
#define NORM_WIDE 8

/* Rows begin..end-1, wide vectors from channel j on, the last of m channels; more: adds to the sums. */
INLINE void norm_moments_of(const norm_source *s, int64_t base, int64_t begin, int64_t end, int64_t j, int wide,
                            int64_t m, int more, float *sum, float *square, int32_t dtype)
{
    V shift[NORM_WIDE], s1[NORM_WIDE], s2[NORM_WIDE];
    for (int v = 0; v < wide; v++) {
        shift[v] = v_get(s->p, dtype, base * s->c + j + v * VL, v == wide - 1 ? m : VL);
        s1[v] = s2[v] = v_set(0.0f);
        if (more) {
            s1[v] = v_get(sum + s->from, MDLDM_F32, j + v * VL, v == wide - 1 ? m : VL);
            s2[v] = v_get(square + s->from, MDLDM_F32, j + v * VL, v == wide - 1 ? m : VL);
        }
    }
    for (int64_t r = begin; r < end; r++)
        for (int v = 0; v < wide; v++) {
            V d = v_get(s->p, dtype, (base + r) * s->c + j + v * VL, v == wide - 1 ? m : VL) - shift[v];
            s1[v] += d;
            s2[v] += d * d;
        }
    for (int v = 0; v < wide; v++) {
        v_put(sum + s->from, MDLDM_F32, j + v * VL, v == wide - 1 ? m : VL, s1[v]);
        v_put(square + s->from, MDLDM_F32, j + v * VL, v == wide - 1 ? m : VL, s2[v]);
    }
}

/* sum[C], square[C]: sums of x-K and (x-K)^2 over rows begin..end-1 of an image. dtype is a constant at
 * each call, and whole says that the channels fill whole vectors. */
INLINE void norm_moments_as(const norm_source *s, int64_t base, int64_t begin, int64_t end, float *sum,
                            float *square, int32_t dtype, int whole)
{
    for (int64_t block = begin; block < end; block += NORM_ROWS) {
        int64_t last = block + NORM_ROWS < end ? block + NORM_ROWS : end, j = 0;
        int more = block > begin;
        for (; whole && j + NORM_WIDE * VL <= s->c; j += NORM_WIDE * VL)
            norm_moments_of(s, base, block, last, j, NORM_WIDE, VL, more, sum, square, dtype);
        for (; j < s->c; j += VL)
            norm_moments_of(s, base, block, last, j, 1, whole ? VL : s->c - j, more, sum, square, dtype);
    }
}

static void norm_moments(const norm_source *s, int32_t dtype, int64_t base, int64_t begin, int64_t end,
                         float *sum, float *square)
{
    int whole = s->c % VL == 0;
    if (dtype == MDLDM_BF16 && whole)
        norm_moments_as(s, base, begin, end, sum, square, MDLDM_BF16, 1);
    else if (whole)
        norm_moments_as(s, base, begin, end, sum, square, MDLDM_F32, 1);
    else
        norm_moments_as(s, base, begin, end, sum, square, dtype, 0);
}

INLINE float norm_first(const norm_source s[2], int32_t dtype, int64_t base, int64_t c)
{
    const norm_source *of = c < s[0].c ? &s[0] : &s[1];
    return v_get(of->p, dtype, base * of->c + c - of->from, 1)[0];
}

#define NORM_MERGE 8 /* channels that are merged together */

/* Mean and 1/sqrt(var + eps) of a group from the parts' sums (Chan, Golub and LeVeque 1979): the channels
 * come one by one to those before. */
static void norm_merge(const mdldm__cpu_norm *a, const norm_source s[2], const float *partial,
                       int64_t parts, int64_t image, int64_t group, float *stats)
{
    int64_t c = a->c0 + s[1].c, width = c / a->groups, first = group * width;
    double count = (double)a->hw, mean = 0.0, square = 0.0;
    for (int64_t begin = 0; begin < width; begin += NORM_MERGE) {
        int64_t some = width - begin < NORM_MERGE ? width - begin : NORM_MERGE;
        double s1[NORM_MERGE] = {0.0}, s2[NORM_MERGE] = {0.0};
        for (int64_t part = 0; part < parts; part++) {
            const float *p = partial + (image * parts + part) * 2 * c + first + begin;
            for (int64_t j = 0; j < some; j++) {
                s1[j] += (double)p[j];
                s2[j] += (double)p[c + j];
            }
        }
        for (int64_t j = 0; j < some; j++) {
            double before = (double)(begin + j);
            double own = (double)norm_first(s, a->dtype, image * a->hw, first + begin + j) + s1[j] / count;
            double apart = own - mean;
            mean += apart / (before + 1.0);
            square += s2[j] - s1[j] * s1[j] / count + count * apart * apart * before / (before + 1.0);
        }
    }
    double var = square / (count * (double)width);
    stats[0] = (float)mean;
    stats[1] = (float)(1.0 / sqrt((var > 0.0 || isnan(var) ? var : 0.0) + (double)a->eps));
}

/* quantised: a->y8 takes the result, another constant at each call. */
INLINE void norm_apply_as(const mdldm__cpu_norm *a, const norm_source *s, int64_t image, int64_t begin,
                          int64_t end, const float *mul, const float *add, int64_t c, int32_t dtype,
                          int whole, int quantised)
{
    /* Copies, for a store to y might change what s and a hold, as far as the compiler knows. */
    const void *x = s->p;
    char *y = (char *)a->y + s->from * (dtype == MDLDM_BF16 ? 2 : 4);
    uint8_t *y8 = a->y8 + s->from;
    q8_quantizer q = {0.0f, 0};
    if (quantised)
        q = q8_quantizer_of(&a->range, image);
    V step = v_set(q.m), zero = v_set((float)q.z);
    int32_t silu = a->silu;
    int64_t width = s->c, size = dtype == MDLDM_BF16 ? 2 : 4;
    const char *ahead = (const char *)x + NORM_ROWS * width * size; /* the same place of the next rows */
    for (int64_t block = begin; block < end; block += NORM_ROWS) {
        int64_t last = block + NORM_ROWS < end ? block + NORM_ROWS : end;
        for (int64_t j = 0; j < width; j += VL) {
            int64_t m = whole ? VL : width - j;
            V times = v_get(mul + s->from, MDLDM_F32, j, m), plus = v_get(add + s->from, MDLDM_F32, j, m);
            for (int64_t r = block; r < last; r++) {
                int64_t row = image * a->hw + r;
                __builtin_prefetch(ahead + (row * width + j) * size);
                V g = v_get(x, dtype, row * width + j, m) * times + plus;
                if (silu)
                    g *= dtype == MDLDM_BF16 && !quantised ? v_sigmoid_bf16(g) : v_sigmoid(g);
                if (quantised)
                    q8_put(y8 + row * c + j, m, q8_level(g, step, zero));
                else
                    v_put(y, dtype, row * c + j, m, g);
            }
        }
    }
}

static void norm_apply(const mdldm__cpu_norm *a, const norm_source *s, int64_t image, int64_t begin,
                       int64_t end, const float *mul, const float *add, int64_t c)
{
    int whole = s->c % VL == 0;
    if (a->y8 != NULL && a->dtype == MDLDM_BF16 && whole)
        norm_apply_as(a, s, image, begin, end, mul, add, c, MDLDM_BF16, 1, 1);
    else if (a->y8 != NULL)
        norm_apply_as(a, s, image, begin, end, mul, add, c, a->dtype, 0, 1);
    else if (a->dtype == MDLDM_BF16 && whole)
        norm_apply_as(a, s, image, begin, end, mul, add, c, MDLDM_BF16, 1, 0);
    else if (whole)
        norm_apply_as(a, s, image, begin, end, mul, add, c, MDLDM_F32, 1, 0);
    else
        norm_apply_as(a, s, image, begin, end, mul, add, c, a->dtype, 0, 0);
}

static void k_group_norm(const mdldm__cpu_norm *a)
{
    norm_source s[2];
    norm_split(a, s);
    int64_t c = a->c0 + s[1].c, step = mdldm__cpu_part_rows(a->hw), parts = mdldm__cpu_parts(a->hw);
    float *partial = a->scratch;                /* [n][parts][2][c] */
    float *coef = partial + a->n * parts * 2 * c; /* [n][2][c] */
    int64_t width = c / a->groups;
#pragma omp parallel num_threads(a->threads)
    {
#pragma omp for schedule(static)
        for (int64_t part = 0; part < (a->known ? 0 : a->n * parts); part++) {
            int64_t base = part / parts * a->hw, begin = part % parts * step;
            int64_t end = begin + step < a->hw ? begin + step : a->hw;
            for (int k = 0; k < 2; k++)
                norm_moments(&s[k], a->dtype, base, begin, end, partial + part * 2 * c,
                             partial + part * 2 * c + c);
        }
#pragma omp for schedule(static)
        for (int64_t unit = 0; unit < a->n * a->groups; unit++) {
            int64_t image = unit / a->groups, group = unit % a->groups;
            float *stats = a->stats + 2 * unit;
            if (!a->known)
                norm_merge(a, s, partial, parts, image, group, stats);
            for (int64_t j = group * width; j < (group + 1) * width; j++) {
                float mul = a->gamma[j] * stats[1], add = a->beta[j] - stats[0] * mul;
                if (a->scale_shift != NULL) {
                    float scale = 1.0f + v_get(a->scale_shift, a->dtype, image * 2 * c + j, 1)[0];
                    mul *= scale;
                    add = add * scale + v_get(a->scale_shift, a->dtype, image * 2 * c + c + j, 1)[0];
                }
                coef[image * 2 * c + j] = mul;
                coef[image * 2 * c + c + j] = add;
            }
        }
#pragma omp for schedule(static)
        for (int64_t part = 0; part < a->n * parts; part++) {
            int64_t image = part / parts, begin = part % parts * step;
            int64_t end = begin + step < a->hw ? begin + step : a->hw;
            for (int k = 0; k < 2; k++)
                norm_apply(a, &s[k], image, begin, end, coef + image * 2 * c, coef + image * 2 * c + c,
                           c);
        }
    }
}

/* ---- Backward ----
 * xh = x*rstd - mean*rstd, g = xh*ga + be with ga = gamma*(1+scale), be = beta*(1+scale) + shift,
 * dg = dy*act'(g). Per image and channel A = sum dg, B = sum dg*xh; then
 * dx = rstd*(ga*dg - m1 - xh*m2), m1 and m2 the group's means of ga*dg and ga*dg*xh. */
enum { NORM_XS, NORM_XO, NORM_GA, NORM_BE, NORM_P, NORM_Q, NORM_R, NORM_COEFS };

INLINE V norm_dg(const mdldm__cpu_norm *a, V dy, V g)
{
    if (!a->silu)
        return dy;
    V sig = v_sigmoid(g);
    return dy * (sig * (1.0f + g * (1.0f - sig)));
}

INLINE void norm_bwd_sums_as(const mdldm__cpu_norm *a, const norm_source *s, int64_t image, int64_t begin,
                             int64_t end, const float *coef, int64_t c, float *sum_a, float *sum_b,
                             int32_t dtype, int whole)
{
    const float *co = coef + s->from;
    int64_t size = dtype == MDLDM_BF16 ? 2 : 4; /* ahead: the same place of the next rows */
    const char *ahead = (const char *)s->p + NORM_ROWS * s->c * size;
    const char *ahead_dy = (const char *)a->dy + (NORM_ROWS * c + s->from) * size;
    for (int64_t block = begin; block < end; block += NORM_ROWS) {
        int64_t last = block + NORM_ROWS < end ? block + NORM_ROWS : end;
        for (int64_t j = 0; j < s->c; j += VL) {
            int64_t m = whole ? VL : s->c - j;
            V xs = v_get(co + NORM_XS * c, MDLDM_F32, j, m), xo = v_get(co + NORM_XO * c, MDLDM_F32, j, m);
            V ga = v_get(co + NORM_GA * c, MDLDM_F32, j, m), be = v_get(co + NORM_BE * c, MDLDM_F32, j, m);
            V sa = v_set(0.0f), sb = v_set(0.0f);
            if (block > begin) {
                sa = v_get(sum_a + s->from, MDLDM_F32, j, m);
                sb = v_get(sum_b + s->from, MDLDM_F32, j, m);
            }
            for (int64_t r = block; r < last; r++) {
                int64_t row = image * a->hw + r;
                __builtin_prefetch(ahead + (row * s->c + j) * size);
                __builtin_prefetch(ahead_dy + (row * c + j) * size);
                V xh = v_get(s->p, dtype, row * s->c + j, m) * xs + xo;
                V dg = norm_dg(a, v_get(a->dy, dtype, row * c + s->from + j, m), xh * ga + be);
                sa += dg;
                sb += dg * xh;
            }
            v_put(sum_a + s->from, MDLDM_F32, j, m, sa);
            v_put(sum_b + s->from, MDLDM_F32, j, m, sb);
        }
    }
}

static void norm_bwd_sums(const mdldm__cpu_norm *a, const norm_source *s, int64_t image, int64_t begin,
                          int64_t end, const float *coef, int64_t c, float *sum_a, float *sum_b)
{
    int whole = s->c % VL == 0;
    if (a->dtype == MDLDM_BF16 && whole)
        norm_bwd_sums_as(a, s, image, begin, end, coef, c, sum_a, sum_b, MDLDM_BF16, 1);
    else if (whole)
        norm_bwd_sums_as(a, s, image, begin, end, coef, c, sum_a, sum_b, MDLDM_F32, 1);
    else
        norm_bwd_sums_as(a, s, image, begin, end, coef, c, sum_a, sum_b, a->dtype, 0);
}

INLINE void norm_bwd_data_as(const mdldm__cpu_norm *a, const norm_source *s, int64_t image, int64_t begin,
                             int64_t end, const float *coef, int64_t c, int32_t dtype, int whole)
{
    const float *co = coef + s->from;
    int64_t size = dtype == MDLDM_BF16 ? 2 : 4; /* ahead: the same place of the next rows */
    const char *ahead = (const char *)s->p + NORM_ROWS * s->c * size;
    const char *ahead_dy = (const char *)a->dy + (NORM_ROWS * c + s->from) * size;
    for (int64_t block = begin; block < end; block += NORM_ROWS) {
        int64_t last = block + NORM_ROWS < end ? block + NORM_ROWS : end;
        for (int64_t j = 0; j < s->c; j += VL) {
            int64_t m = whole ? VL : s->c - j;
            V xs = v_get(co + NORM_XS * c, MDLDM_F32, j, m), xo = v_get(co + NORM_XO * c, MDLDM_F32, j, m);
            V ga = v_get(co + NORM_GA * c, MDLDM_F32, j, m), be = v_get(co + NORM_BE * c, MDLDM_F32, j, m);
            V p = v_get(co + NORM_P * c, MDLDM_F32, j, m), q = v_get(co + NORM_Q * c, MDLDM_F32, j, m);
            V t = v_get(co + NORM_R * c, MDLDM_F32, j, m);
            for (int64_t r = block; r < last; r++) {
                int64_t row = image * a->hw + r;
                __builtin_prefetch(ahead + (row * s->c + j) * size);
                __builtin_prefetch(ahead_dy + (row * c + j) * size);
                V xh = v_get(s->p, dtype, row * s->c + j, m) * xs + xo;
                V dg = norm_dg(a, v_get(a->dy, dtype, row * c + s->from + j, m), xh * ga + be);
                v_put(s->d, dtype, row * s->c + j, m, dg * p - q - xh * t);
            }
        }
    }
}

static void norm_bwd_data(const mdldm__cpu_norm *a, const norm_source *s, int64_t image, int64_t begin,
                          int64_t end, const float *coef, int64_t c)
{
    int whole = s->c % VL == 0;
    if (s->d == NULL)
        return;
    if (a->dtype == MDLDM_BF16 && whole)
        norm_bwd_data_as(a, s, image, begin, end, coef, c, MDLDM_BF16, 1);
    else if (whole)
        norm_bwd_data_as(a, s, image, begin, end, coef, c, MDLDM_F32, 1);
    else
        norm_bwd_data_as(a, s, image, begin, end, coef, c, a->dtype, 0);
}

static void k_group_norm_bwd(const mdldm__cpu_norm *a)
{
    norm_source s[2];
    norm_split(a, s);
    int64_t c = a->c0 + s[1].c, step = mdldm__cpu_part_rows(a->hw), parts = mdldm__cpu_parts(a->hw);
    float *partial = a->scratch;                     /* [n][parts][2][c] */
    float *coefs = partial + a->n * parts * 2 * c;    /* [n][NORM_COEFS][c] */
    int64_t width = c / a->groups;
#pragma omp parallel num_threads(a->threads)
    {
#pragma omp for schedule(static)
        for (int64_t unit = 0; unit < a->n * a->groups; unit++) {
            int64_t image = unit / a->groups, group = unit % a->groups;
            float *co = coefs + image * NORM_COEFS * c;
            for (int64_t j = group * width; j < (group + 1) * width; j++) {
                float scale = 1.0f, shift = 0.0f;
                if (a->scale_shift != NULL) {
                    scale += v_get(a->scale_shift, a->dtype, image * 2 * c + j, 1)[0];
                    shift = v_get(a->scale_shift, a->dtype, image * 2 * c + c + j, 1)[0];
                }
                co[NORM_XS * c + j] = a->stats[2 * unit + 1];
                co[NORM_XO * c + j] = -a->stats[2 * unit] * a->stats[2 * unit + 1];
                co[NORM_GA * c + j] = a->gamma[j] * scale;
                co[NORM_BE * c + j] = a->beta[j] * scale + shift;
            }
        }
#pragma omp for schedule(static)
        for (int64_t part = 0; part < a->n * parts; part++) {
            int64_t image = part / parts, begin = part % parts * step;
            int64_t end = begin + step < a->hw ? begin + step : a->hw;
            for (int k = 0; k < 2; k++)
                norm_bwd_sums(a, &s[k], image, begin, end, coefs + image * NORM_COEFS * c, c,
                              partial + part * 2 * c, partial + part * 2 * c + c);
        }
        /* A channel belongs to one group: parallel over groups, images in order, so that dgamma and
         * dbeta are added without a race and always in the same order. */
#pragma omp for schedule(static)
        for (int64_t group = 0; group < a->groups; group++)
            for (int64_t image = 0; image < a->n; image++) {
                float *co = coefs + image * NORM_COEFS * c;
                double m1 = 0.0, m2 = 0.0, count = (double)(a->hw * width);
                for (int64_t j = group * width; j < (group + 1) * width; j++) {
                    double sa = 0.0, sb = 0.0, scale = 1.0;
                    for (int64_t part = 0; part < parts; part++) {
                        const float *p = partial + (image * parts + part) * 2 * c;
                        sa += (double)p[j];
                        sb += (double)p[c + j];
                    }
                    if (a->scale_shift != NULL)
                        scale += (double)v_get(a->scale_shift, a->dtype, image * 2 * c + j, 1)[0];
                    if (a->dscale_shift != NULL) {
                        float ds = (float)((double)a->gamma[j] * sb + (double)a->beta[j] * sa);
                        v_put(a->dscale_shift, a->dtype, image * 2 * c + j, 1, v_set(ds));
                        v_put(a->dscale_shift, a->dtype, image * 2 * c + c + j, 1, v_set((float)sa));
                    }
                    if (a->dgamma != NULL)
                        a->dgamma[j] += (float)(scale * sb);
                    if (a->dbeta != NULL)
                        a->dbeta[j] += (float)(scale * sa);
                    m1 += (double)co[NORM_GA * c + j] * sa;
                    m2 += (double)co[NORM_GA * c + j] * sb;
                }
                float rstd = a->stats[2 * (image * a->groups + group) + 1];
                for (int64_t j = group * width; j < (group + 1) * width; j++) {
                    co[NORM_P * c + j] = rstd * co[NORM_GA * c + j];
                    co[NORM_Q * c + j] = (float)((double)rstd * m1 / count);
                    co[NORM_R * c + j] = (float)((double)rstd * m2 / count);
                }
            }
#pragma omp for schedule(static)
        for (int64_t part = 0; part < a->n * parts; part++) {
            int64_t image = part / parts, begin = part % parts * step;
            int64_t end = begin + step < a->hw ? begin + step : a->hw;
            for (int k = 0; k < 2; k++)
                norm_bwd_data(a, &s[k], image, begin, end, coefs + image * NORM_COEFS * c, c);
        }
    }
}
