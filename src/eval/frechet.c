/* SPDX-License-Identifier: MIT
 * tr (Ca Cb)^(1/2) without a square root of a matrix. With Ca = A A^T and Cb = B B^T the non-zero eigenvalues of
 * Ca Cb are those of (A^T B)(A^T B)^T, so the trace is the sum of the singular values of A^T B. These come out
 * with an absolute error of some 1e-16 of the largest, where roots of eigenvalues that ought to be 0 (fewer rows
 * than features) would be off by 1e-8 each. A is the centred rows themselves or, where there are more than d, the
 * triangle of their LQ factorisation, taken a block of rows at a time. */
#include "eval/frechet.h"

#include <math.h>
#include <string.h>

#include "eval/lapack_library.h"

typedef struct factor {
    double *mean;   /* [d] */
    double *f;      /* column-major [d][columns], leading dimension d: f f^T is the covariance */
    int32_t columns;
    double trace;   /* of the covariance */
} factor;

typedef struct frechet {
    mdldm__env *env;
    mdldm__lapack lapack;
    int32_t d;
    factor a, b;
    double *work, *tau; /* of LAPACK */
    double *product;    /* column-major [a.columns][b.columns] */
    double *singular;
    int32_t *integers;
} frechet;

static void release(frechet *t)
{
    void *const all[] = {t->a.mean, t->a.f, t->b.mean, t->b.f, t->work, t->tau, t->product, t->singular, t->integers};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        mdldm__free(t->env, all[i]);
    mdldm__lapack_close(&t->lapack);
}

/* Replaces the d x columns of f by the triangle L of f = L Q, d x d. */
static mdldm_status shrink(frechet *t, factor *c)
{
    const int32_t d = t->d, ask = -1;
    int32_t info = 0;
    double best = 0.0;
    t->lapack.gelqf(&d, &c->columns, c->f, &d, t->tau, &best, &ask, &info);
    const int32_t size = (int32_t)best;
    t->work = mdldm__calloc(t->env, (size_t)size, sizeof *t->work);
    if (t->work == NULL)
        return mdldm__oom(t->env, "Frechet distance");
    t->lapack.gelqf(&d, &c->columns, c->f, &d, t->tau, t->work, &size, &info);
    mdldm__free(t->env, t->work);
    t->work = NULL;
    if (info != 0)
        return mdldm__error(t->env, MDLDM_ERROR_INTERNAL, "LAPACK's dgelqf says %d", info);
    c->columns = d;
    for (int64_t j = 1; j < d; j++) /* above the diagonal stand the reflectors of Q */
        memset(c->f + j * d, 0, (size_t)j * sizeof *c->f);
    return MDLDM_OK;
}

static mdldm_status factorize(frechet *t, const mdldm__feature_set *s, factor *c)
{
    const int64_t d = t->d, n = s->n, room = n <= d ? n : 2 * d;
    const double scale = 1.0 / sqrt((double)(n - 1));
    c->mean = mdldm__calloc(t->env, (size_t)d, sizeof *c->mean);
    c->f = mdldm__calloc(t->env, (size_t)room, (size_t)d * sizeof *c->f);
    if (c->mean == NULL || c->f == NULL)
        return mdldm__oom(t->env, "Frechet distance");
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < d; k++)
            c->mean[k] += (double)s->x[i * d + k];
    for (int64_t k = 0; k < d; k++)
        c->mean[k] /= (double)n;
    for (int64_t i = 0; i < n; i++) {
        if (c->columns == room) {
            MDLDM__TRY(mdldm__check_cancel(t->env));
            MDLDM__TRY(shrink(t, c));
        }
        double *column = c->f + (int64_t)c->columns++ * d;
        for (int64_t k = 0; k < d; k++) {
            column[k] = ((double)s->x[i * d + k] - c->mean[k]) * scale;
            c->trace += column[k] * column[k];
        }
    }
    return c->columns > d ? shrink(t, c) : MDLDM_OK;
}

/* Sum of the singular values of a.f^T b.f. */
static mdldm_status nuclear_norm(frechet *t, double *sum)
{
    const int32_t d = t->d, m = t->a.columns, n = t->b.columns, least = m < n ? m : n, ask = -1, one = 1;
    const double alpha = 1.0, beta = 0.0;
    int32_t info = 0;
    double best = 0.0, unused = 0.0;
    t->product = mdldm__calloc(t->env, (size_t)m, (size_t)n * sizeof *t->product);
    t->singular = mdldm__calloc(t->env, (size_t)least, sizeof *t->singular);
    t->integers = mdldm__calloc(t->env, (size_t)least, 8 * sizeof *t->integers);
    if (t->product == NULL || t->singular == NULL || t->integers == NULL)
        return mdldm__oom(t->env, "Frechet distance");
    t->lapack.gemm("T", "N", &m, &n, &d, &alpha, t->a.f, &d, t->b.f, &d, &beta, t->product, &m, 1, 1);
    t->lapack.gesdd("N", &m, &n, t->product, &m, t->singular, &unused, &one, &unused, &one, &best, &ask, t->integers,
                    &info, 1);
    const int32_t size = (int32_t)best;
    t->work = mdldm__calloc(t->env, (size_t)size, sizeof *t->work);
    if (t->work == NULL)
        return mdldm__oom(t->env, "Frechet distance");
    MDLDM__TRY(mdldm__check_cancel(t->env));
    t->lapack.gesdd("N", &m, &n, t->product, &m, t->singular, &unused, &one, &unused, &one, t->work, &size,
                    t->integers, &info, 1);
    if (info != 0)
        return mdldm__error(t->env, MDLDM_ERROR_NUMERIC, "the singular values of the Frechet distance do not converge");
    *sum = 0.0;
    for (int32_t i = least - 1; i >= 0; i--) /* they fall: the small ones first */
        *sum += t->singular[i];
    return MDLDM_OK;
}

static mdldm_status distance(frechet *t, const mdldm__feature_set *a, const mdldm__feature_set *b, double *out)
{
    double means = 0.0, sum = 0.0;
    MDLDM__TRY(mdldm__lapack_open(t->env, &t->lapack));
    t->tau = mdldm__calloc(t->env, (size_t)t->d, sizeof *t->tau);
    if (t->tau == NULL)
        return mdldm__oom(t->env, "Frechet distance");
    MDLDM__TRY(factorize(t, a, &t->a));
    MDLDM__TRY(factorize(t, b, &t->b));
    MDLDM__TRY(nuclear_norm(t, &sum));
    for (int32_t k = 0; k < t->d; k++) {
        const double difference = t->a.mean[k] - t->b.mean[k];
        means += difference * difference;
    }
    *out = fmax(0.0, means + (t->a.trace + t->b.trace - 2.0 * sum)); /* below 0 by rounding only */
    return MDLDM_OK;
}

mdldm_status mdldm__frechet_distance(mdldm__env *env, const mdldm__feature_set *a, const mdldm__feature_set *b,
                                     int64_t d, double *out)
{
    frechet t = {.env = env, .d = (int32_t)d};
    MDLDM__TRY(mdldm__feature_check(env, a, d, 2));
    MDLDM__TRY(mdldm__feature_check(env, b, d, 2));
    const mdldm_status status = distance(&t, a, b, out);
    release(&t);
    return status;
}
