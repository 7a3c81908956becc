/* SPDX-License-Identifier: MIT */
#include "eval/sample_tests.h"

#include <math.h>
#include <stdlib.h>

#include "util/rng.h"

#define EXACT_STEPS 1e8 /* lattice points that are visited for an exact p-value */
#define EXACT_SMALLER 280 /* values in the smaller sample up to which it is exact anyhow */

typedef struct pooled_value {
    double value;
    int64_t of_a; /* 1: of sample a; after dealing: of the first sample */
} pooled_value;

static int ascending_values(const void *x, const void *y)
{
    const double p = ((const pooled_value *)x)->value, q = ((const pooled_value *)y)->value;
    return (p > q) - (p < q);
}

static mdldm_status pool(mdldm__env *env, const mdldm__samples *s, pooled_value **out)
{
    MDLDM__TRY(mdldm__sample_check(env, "a", s->a, s->na, 1));
    MDLDM__TRY(mdldm__sample_check(env, "b", s->b, s->nb, 1));
    pooled_value *v = mdldm__calloc(env, (size_t)(s->na + s->nb), sizeof *v);
    if (v == NULL)
        return mdldm__oom(env, "two samples");
    for (int64_t i = 0; i < s->na; i++)
        v[i] = (pooled_value){s->a[i], 1};
    for (int64_t i = 0; i < s->nb; i++)
        v[s->na + i] = (pooled_value){s->b[i], 0};
    qsort(v, (size_t)(s->na + s->nb), sizeof *v, ascending_values);
    *out = v;
    return MDLDM_OK;
}

static double area_between(const pooled_value *v, int64_t na, int64_t nb)
{
    double area = 0.0;
    int64_t i = 0, j = 0;
    for (int64_t k = 0; k + 1 < na + nb; k++) {
        i += v[k].of_a;
        j += !v[k].of_a;
        area += fabs((double)i / (double)na - (double)j / (double)nb) * (v[k + 1].value - v[k].value);
    }
    return area;
}

mdldm_status mdldm__wasserstein_distance(mdldm__env *env, const mdldm__samples *s, double *out)
{
    pooled_value *v = NULL;
    MDLDM__TRY(pool(env, s, &v));
    *out = area_between(v, s->na, s->nb);
    mdldm__free(env, v);
    return MDLDM_OK;
}

/* ---- Kolmogorov and Smirnov ---- */

/* The largest |i nb - j na| after each group of equal values: na nb times the statistic. */
static int64_t largest_gap(const pooled_value *v, int64_t na, int64_t nb)
{
    int64_t i = 0, j = 0, most = 0;
    for (int64_t k = 0; k < na + nb; k++) {
        i += v[k].of_a;
        j += !v[k].of_a;
        if (k + 1 == na + nb || v[k + 1].value > v[k].value) {
            const int64_t gap = llabs(i * nb - j * na);
            most = gap > most ? gap : most;
        }
    }
    return most;
}

/* The share of the lattice paths from (0, 0) to (m, n), all equally likely, that meet |i n - j m| >= gap: of those
 * to (i, j) the share i / (i + j) comes from (i - 1, j). Only positive terms, so small shares are exact too (Hodges
 * 1957, with probabilities for counts). touched [n + 1]: room. */
static mdldm_status paths_outside(mdldm__env *env, int64_t m, int64_t n, int64_t gap, double *touched, double *share)
{
    for (int64_t i = 0; i <= m; i++) {
        MDLDM__TRY(mdldm__check_cancel(env));
        for (int64_t j = 0; j <= n; j++) {
            if (llabs(i * n - j * m) >= gap)
                touched[j] = 1.0;
            else if (i == 0)
                touched[j] = j == 0 ? 0.0 : touched[j - 1];
            else if (j > 0)
                touched[j] = ((double)i * touched[j] + (double)j * touched[j - 1]) / (double)(i + j);
        }
    }
    *share = touched[n];
    return MDLDM_OK;
}

mdldm_status mdldm__ks_test(mdldm__env *env, const mdldm__samples *s, double *statistic, double *p)
{
    pooled_value *v = NULL;
    MDLDM__TRY(pool(env, s, &v));
    const int64_t gap = largest_gap(v, s->na, s->nb), smaller = s->na < s->nb ? s->na : s->nb;
    mdldm__free(env, v);
    const double product = (double)s->na * (double)s->nb, d = (double)gap / product;
    double share = 0.0;
    if (product <= EXACT_STEPS || smaller <= EXACT_SMALLER) {
        double *touched = mdldm__calloc(env, (size_t)s->nb + 1, sizeof *touched);
        if (touched == NULL)
            return mdldm__oom(env, "Kolmogorov-Smirnov test");
        const mdldm_status status = paths_outside(env, s->na, s->nb, gap, touched, &share);
        mdldm__free(env, touched);
        MDLDM__TRY(status);
    } else {
        share = mdldm__kolmogorov_survival(rint(product / (double)(s->na + s->nb)), d);
    }
    *statistic = d;
    *p = share;
    return MDLDM_OK;
}

/* ---- permutations ---- */

/* Ways to deal n values into a sample of k and the rest, or limit + 1 when there are more than limit. */
static int64_t ways(int64_t n, int64_t k, int64_t limit)
{
    double count = 1.0;
    for (int64_t i = 1; i <= k; i++) {
        count = count * (double)(n - k + i) / (double)i;
        if (count > (double)limit + 0.5)
            return limit + 1;
    }
    return (int64_t)llround(count);
}

/* The next choice of n after of_a, which are sorted by place; 0: it was the last. chosen[k]: places. */
static int next_choice(int64_t *chosen, int64_t k, int64_t n)
{
    int64_t i = k - 1;
    while (i >= 0 && chosen[i] == n - k + i)
        i--;
    if (i < 0)
        return 0;
    chosen[i]++;
    for (int64_t j = i + 1; j < k; j++)
        chosen[j] = chosen[j - 1] + 1;
    return 1;
}

static mdldm_status deal_all(mdldm__env *env, pooled_value *v, int64_t na, int64_t nb, double least, double *p)
{
    int64_t *chosen = mdldm__calloc(env, (size_t)na, sizeof *chosen), total = 0, far = 0;
    if (chosen == NULL)
        return mdldm__oom(env, "permutation test");
    for (int64_t i = 0; i < na; i++)
        chosen[i] = i;
    mdldm_status status = MDLDM_OK;
    do {
        for (int64_t i = 0; i < na + nb; i++)
            v[i].of_a = 0;
        for (int64_t i = 0; i < na; i++)
            v[chosen[i]].of_a = 1;
        far += area_between(v, na, nb) >= least;
        total++;
        if (total % 1024 == 0)
            status = mdldm__check_cancel(env);
    } while (status == MDLDM_OK && next_choice(chosen, na, na + nb));
    mdldm__free(env, chosen);
    *p = (double)far / (double)total;
    return status;
}

static mdldm_status deal_randomly(mdldm__env *env, pooled_value *v, int64_t na, int64_t nb, int64_t permutations,
                                  uint64_t seed, double least, double *p)
{
    const int64_t n = na + nb;
    int64_t far = 1; /* the samples as they are */
    for (int64_t r = 0; r < permutations; r++) {
        MDLDM__TRY(mdldm__check_cancel(env));
        for (int64_t i = n - 1; i > 0; i--) {
            const int64_t j = (int64_t)mdldm__rng_below(seed, MDLDM__RNG_EVAL_PERMUTE, (uint64_t)r, (uint32_t)i,
                                                        (uint32_t)(i + 1));
            const int64_t kept = v[i].of_a;
            v[i].of_a = v[j].of_a;
            v[j].of_a = kept;
        }
        far += area_between(v, na, nb) >= least;
    }
    *p = (double)far / (double)(permutations + 1);
    return MDLDM_OK;
}

mdldm_status mdldm__permutation_test(mdldm__env *env, const mdldm__samples *s, int64_t permutations, uint64_t seed,
                                     double *statistic, double *p)
{
    if (permutations < 1 || permutations > 100000000)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "there are %lld permutations; 1 to 100000000 would be right", (long long)permutations);
    pooled_value *v = NULL;
    MDLDM__TRY(pool(env, s, &v));
    if (s->na + s->nb > INT32_MAX) {
        mdldm__free(env, v);
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "both samples have %lld values; %d would be right",
                            (long long)(s->na + s->nb), INT32_MAX);
    }
    const double observed = area_between(v, s->na, s->nb);
    const double least = observed - 1e-13 * observed; /* equal ones, summed in another order */
    double share = 0.0;
    const mdldm_status status = ways(s->na + s->nb, s->na, permutations) <= permutations
                                    ? deal_all(env, v, s->na, s->nb, least, &share)
                                    : deal_randomly(env, v, s->na, s->nb, permutations, seed, least, &share);
    mdldm__free(env, v);
    MDLDM__TRY(status);
    *statistic = observed;
    *p = share;
    return MDLDM_OK;
}

/* ---- several tests ---- */

mdldm_status mdldm__adjust_p_values(mdldm__env *env, int holm, const double *p, int64_t n, double *adjusted)
{
    MDLDM__TRY(mdldm__sample_check(env, "p", p, n, 1));
    for (int64_t i = 0; i < n; i++)
        if (p[i] < 0.0 || p[i] > 1.0)
            return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "p-value %lld is %g; 0 to 1 would be right",
                                (long long)i, p[i]);
    pooled_value *v = mdldm__calloc(env, (size_t)n, sizeof *v); /* value: p; of_a: its place */
    if (v == NULL)
        return mdldm__oom(env, "p-values");
    for (int64_t i = 0; i < n; i++)
        v[i] = (pooled_value){p[i], i};
    qsort(v, (size_t)n, sizeof *v, ascending_values);
    if (holm) { /* (n - i) p, never falling */
        double last = 0.0;
        for (int64_t i = 0; i < n; i++) {
            last = fmax(last, fmin(1.0, (double)(n - i) * v[i].value));
            adjusted[v[i].of_a] = last;
        }
    } else { /* n / (i + 1) p, never rising from the largest down */
        double last = 1.0;
        for (int64_t i = n - 1; i >= 0; i--) {
            last = fmin(last, (double)n / (double)(i + 1) * v[i].value);
            adjusted[v[i].of_a] = last;
        }
    }
    mdldm__free(env, v);
    return MDLDM_OK;
}
