/* SPDX-License-Identifier: MIT */
#include "eval/mean_interval.h"

#include <math.h>

#include "util/rng.h"

typedef struct moments {
    double mean, squares, cubes; /* sums of the powers of the deviations */
    double n;
} moments;

static moments moments_of(const double *x, int64_t n)
{
    moments m = {.n = (double)n};
    for (int64_t i = 0; i < n; i++)
        m.mean += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++) {
        const double deviation = x[i] - m.mean;
        m.squares += deviation * deviation;
        m.cubes += deviation * deviation * deviation;
    }
    return m;
}

static double half_width(const moments *a, const moments *b, double confidence)
{
    const double va = a->squares / (a->n - 1.0) / a->n;
    double variance = va, freedom = a->n - 1.0;
    if (b != NULL) {
        const double vb = b->squares / (b->n - 1.0) / b->n;
        variance = va + vb;
        freedom = variance * variance / (va * va / (a->n - 1.0) + vb * vb / (b->n - 1.0)); /* Welch, Satterthwaite */
    }
    return variance > 0.0 ? mdldm__student_quantile(0.5 + 0.5 * confidence, freedom) * sqrt(variance) : 0.0;
}

/* Mean of n values drawn with repetition. item: of the random numbers. */
static double resampled_mean(const double *x, int64_t n, uint64_t seed, uint64_t item)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += x[mdldm__rng_below(seed, MDLDM__RNG_EVAL_RESAMPLE, item, (uint32_t)i, (uint32_t)n)];
    return sum / (double)n;
}

/* Which quantiles of the bootstrap distribution bound the interval: Efron 1987, equations 2.3, 6.6 and 7.3 with the
 * jackknife's influences, which for means are the deviations themselves. */
static void bca_quantiles(const moments *a, const moments *b, const double *sorted, int64_t resamples, double estimate,
                          double tail, double q[2])
{
    double below = 0.0;
    for (int64_t r = 0; r < resamples; r++)
        below += sorted[r] < estimate ? 1.0 : sorted[r] > estimate ? 0.0 : 0.5;
    const double least = 0.5 / (double)resamples;
    const double z0 = mdldm__normal_quantile(fmin(1.0 - least, fmax(least, below / (double)resamples)));
    double cubes = a->cubes / (a->n * a->n * a->n), squares = a->squares / (a->n * a->n);
    if (b != NULL) {
        cubes -= b->cubes / (b->n * b->n * b->n);
        squares += b->squares / (b->n * b->n);
    }
    const double skew = squares > 0.0 ? cubes / (6.0 * pow(squares, 1.5)) : 0.0;
    for (int side = 0; side < 2; side++) {
        const double z = z0 + (side ? -1.0 : 1.0) * mdldm__normal_quantile(tail);
        q[side] = 0.5 * erfc(-(z0 + z / (1.0 - skew * z)) * M_SQRT1_2);
    }
}

static mdldm_status bootstrap(mdldm__env *env, int corrected, const mdldm__samples *s, const moments *a,
                              const moments *b, double confidence, int64_t resamples, uint64_t seed, double estimate,
                              double *low, double *high)
{
    double *means = mdldm__calloc(env, (size_t)resamples, sizeof *means);
    if (means == NULL)
        return mdldm__oom(env, "bootstrap");
    mdldm_status status = MDLDM_OK;
    for (int64_t r = 0; r < resamples && status == MDLDM_OK; r++) {
        means[r] = resampled_mean(s->a, s->na, seed, 2 * (uint64_t)r);
        if (b != NULL)
            means[r] -= resampled_mean(s->b, s->nb, seed, 2 * (uint64_t)r + 1);
        status = mdldm__check_cancel(env);
    }
    if (status == MDLDM_OK) {
        const double tail = 0.5 - 0.5 * confidence;
        double q[2] = {tail, 1.0 - tail};
        mdldm__sort(means, resamples);
        if (corrected)
            bca_quantiles(a, b, means, resamples, estimate, tail, q);
        *low = mdldm__quantile(means, resamples, q[0]);
        *high = mdldm__quantile(means, resamples, q[1]);
    }
    mdldm__free(env, means);
    return status;
}

mdldm_status mdldm__mean_interval(mdldm__env *env, mdldm_interval kind, const mdldm__samples *s, double confidence,
                                  int64_t resamples, uint64_t seed, double *estimate, double *low, double *high)
{
    MDLDM__TRY(mdldm__sample_check(env, "a", s->a, s->na, 2));
    if (s->b != NULL)
        MDLDM__TRY(mdldm__sample_check(env, "b", s->b, s->nb, 2));
    if (!(confidence > 0.0 && confidence < 1.0))
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the confidence is %g; more than 0 and less than 1 would be right", confidence);
    if (kind != MDLDM_INTERVAL_T && kind != MDLDM_INTERVAL_PERCENTILE && kind != MDLDM_INTERVAL_BCA)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "%d is no kind of interval", (int)kind);
    if (kind != MDLDM_INTERVAL_T && (resamples < 100 || resamples > 10000000))
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "there are %lld resamples; 100 to 10000000 would be right", (long long)resamples);
    const moments a = moments_of(s->a, s->na), b = s->b != NULL ? moments_of(s->b, s->nb) : (moments){0};
    const double difference = a.mean - b.mean;
    double bound[2] = {0.0, 0.0};
    if (kind == MDLDM_INTERVAL_T) {
        const double half = half_width(&a, s->b != NULL ? &b : NULL, confidence);
        bound[0] = difference - half;
        bound[1] = difference + half;
    } else {
        MDLDM__TRY(bootstrap(env, kind == MDLDM_INTERVAL_BCA, s, &a, s->b != NULL ? &b : NULL, confidence, resamples,
                             seed, difference, &bound[0], &bound[1]));
    }
    *estimate = difference;
    *low = bound[0];
    *high = bound[1];
    return MDLDM_OK;
}
