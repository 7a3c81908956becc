/* SPDX-License-Identifier: MIT */
#include "eval/kernel_distance.h"

#include <math.h>

#include "util/rng.h"

#define GRAM_MOST 4096 /* rows of both sets up to which all kernel values are computed once and kept: 134 MB */

typedef struct kid {
    mdldm__env *env;
    const mdldm__feature_set *a, *b;
    int64_t d;
    double *gram;                /* [a.n + b.n][a.n + b.n], NULL: too large */
    int64_t *order_a, *order_b;  /* [n] each: rows, those of the subset first */
    double *values;              /* [subsets] */
} kid;

static double kernel(const float *x, const float *y, int64_t d)
{
    const double base = mdldm__inner_product(x, y, d) / (double)d + 1.0;
    return base * base * base;
}

static const float *row(const kid *t, int64_t i)
{
    return i < t->a->n ? t->a->x + i * t->d : t->b->x + (i - t->a->n) * t->d;
}

/* i, j: rows of a, then those of b. */
static double value(const kid *t, int64_t i, int64_t j)
{
    return t->gram != NULL ? t->gram[i * (t->a->n + t->b->n) + j] : kernel(row(t, i), row(t, j), t->d);
}

static mdldm_status fill_gram(kid *t)
{
    const int64_t n = t->a->n + t->b->n;
    for (int64_t i = 0; i < n; i++) {
        MDLDM__TRY(mdldm__check_cancel(t->env));
        for (int64_t j = 0; j <= i; j++)
            t->gram[i * n + j] = t->gram[j * n + i] = kernel(row(t, i), row(t, j), t->d);
    }
    return MDLDM_OK;
}

/* The first size of order[n] become a random subset: that many steps of Fisher and Yates. */
static void draw(int64_t *order, int64_t n, int64_t size, uint64_t seed, uint64_t item)
{
    for (int64_t i = 0; i < size; i++) {
        const int64_t j = i + (int64_t)mdldm__rng_below(seed, MDLDM__RNG_EVAL_SUBSET, item, (uint32_t)i, (uint32_t)(n - i));
        const int64_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

static mdldm_status subset_estimate(kid *t, int64_t size, double *out)
{
    double within = 0.0, across = 0.0;
    for (int64_t i = 0; i < size; i++) {
        const int64_t p = t->order_a[i], q = t->a->n + t->order_b[i];
        MDLDM__TRY(mdldm__check_cancel(t->env));
        for (int64_t j = 0; j < size; j++) {
            if (j < i)
                within += value(t, p, t->order_a[j]) + value(t, q, t->a->n + t->order_b[j]);
            across += value(t, p, t->a->n + t->order_b[j]);
        }
    }
    const double n = (double)size;
    *out = 2.0 * within / (n * (n - 1.0)) - 2.0 * across / (n * n);
    return MDLDM_OK;
}

static mdldm_status estimate(kid *t, int64_t subsets, int64_t size, uint64_t seed, double *mean, double *error)
{
    double sum = 0.0, squares = 0.0;
    if (t->gram != NULL)
        MDLDM__TRY(fill_gram(t));
    for (int64_t i = 0; i < t->a->n; i++)
        t->order_a[i] = i;
    for (int64_t i = 0; i < t->b->n; i++)
        t->order_b[i] = i;
    for (int64_t s = 0; s < subsets; s++) {
        draw(t->order_a, t->a->n, size, seed, 2 * (uint64_t)s);
        draw(t->order_b, t->b->n, size, seed, 2 * (uint64_t)s + 1);
        MDLDM__TRY(subset_estimate(t, size, &t->values[s]));
        sum += t->values[s];
    }
    *mean = sum / (double)subsets;
    for (int64_t s = 0; s < subsets; s++)
        squares += (t->values[s] - *mean) * (t->values[s] - *mean);
    const int64_t smaller = t->a->n < t->b->n ? t->a->n : t->b->n;
    if (error != NULL)
        *error = sqrt(squares / (double)(subsets - 1) * (double)size / (double)(smaller - size));
    return MDLDM_OK;
}

mdldm_status mdldm__kernel_distance(mdldm__env *env, const mdldm__feature_set *a, const mdldm__feature_set *b,
                                    int64_t d, int64_t subsets, int64_t size, uint64_t seed, double *mean,
                                    double *error)
{
    MDLDM__TRY(mdldm__feature_check(env, a, d, 4));
    MDLDM__TRY(mdldm__feature_check(env, b, d, 4));
    const int64_t smaller = a->n < b->n ? a->n : b->n, n = a->n + b->n;
    const int64_t least = error != NULL ? 2 : 1, most = error != NULL ? smaller - 1 : smaller;
    if (subsets < least || subsets > 1000000)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "there are %lld subsets; %lld to 1000000 would be right",
                            (long long)subsets, (long long)least);
    if (size == 0)
        size = smaller / 2;
    if (size < 2 || size > most)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "subsets have %lld rows; 2 to %lld would be right, or 0 for half the smaller set",
                            (long long)size, (long long)most);
    kid t = {.env = env, .a = a, .b = b, .d = d};
    t.gram = n <= GRAM_MOST ? mdldm__calloc(env, (size_t)n, (size_t)n * sizeof *t.gram) : NULL;
    t.order_a = mdldm__calloc(env, (size_t)a->n, sizeof *t.order_a);
    t.order_b = mdldm__calloc(env, (size_t)b->n, sizeof *t.order_b);
    t.values = mdldm__calloc(env, (size_t)subsets, sizeof *t.values);
    mdldm_status status;
    if ((n <= GRAM_MOST && t.gram == NULL) || t.order_a == NULL || t.order_b == NULL || t.values == NULL)
        status = mdldm__oom(env, "kernel distance");
    else
        status = estimate(&t, subsets, size, seed, mean, error);
    mdldm__free(env, t.gram);
    mdldm__free(env, t.order_a);
    mdldm__free(env, t.order_b);
    mdldm__free(env, t.values);
    return status;
}
