/* SPDX-License-Identifier: MIT
 * How much of a latent cell its neighbours tell, by ridge regression (Hoerl and Kennard 1970): next to nothing of latents
 * that look like noise, whatever the decoder makes of them. */
#include <math.h>

#include "eval/latent_numbers.h"

#define REACH 2         /* cells to each side */
#define NEIGHBOURS 24   /* (2 REACH + 1)^2 - 1 */
#define HELD_OUT 5      /* every so-manyth image is for testing */
#define MOST_PLACES 20000
#define RIDGE 1e-3      /* of the mean square of a regressor */

typedef struct probe {
    const mdldm__latent_set *rest;
    int64_t terms;  /* NEIGHBOURS * channels */
    double *x;      /* regressors of one place [terms] */
    double *gram;   /* [terms][terms], then its Cholesky factor below the diagonal */
    double *right;  /* [channels][terms], then the weights */
} probe;

/* The image of the k-th training (or, test, k-th testing) one. */
static int64_t image_of(int64_t k, int test)
{
    return test ? HELD_OUT * k + HELD_OUT - 1 : k / (HELD_OUT - 1) * HELD_OUT + k % (HELD_OUT - 1);
}

/* Neighbours of place `index` of image i, all channels; where the place is in a map. */
static int64_t gather(const probe *p, int64_t i, int64_t index)
{
    const mdldm__latent_set *s = p->rest;
    const int64_t inner = s->w - 2 * REACH, row = index / inner + REACH, column = index % inner + REACH;
    int64_t at = 0;
    for (int64_t k = 0; k < s->channels; k++) {
        const float *map = s->z + (i * s->channels + k) * s->h * s->w;
        for (int64_t r = row - REACH; r <= row + REACH; r++)
            for (int64_t c = column - REACH; c <= column + REACH; c++)
                if (r != row || c != column)
                    p->x[at++] = map[r * s->w + c];
    }
    return row * s->w + column;
}

static double target(const probe *p, int64_t i, int64_t channel, int64_t at)
{
    return p->rest->z[(i * p->rest->channels + channel) * p->rest->h * p->rest->w + at];
}

static void add_place(const probe *p, int64_t i, int64_t at)
{
    for (int64_t a = 0; a < p->terms; a++)
        for (int64_t b = 0; b <= a; b++)
            p->gram[a * p->terms + b] += p->x[a] * p->x[b];
    for (int64_t k = 0; k < p->rest->channels; k++) {
        const double y = target(p, i, k, at);
        for (int64_t a = 0; a < p->terms; a++)
            p->right[k * p->terms + a] += p->x[a] * y;
    }
}

static double predict(const probe *p, int64_t channel)
{
    double sum = 0.0;
    for (int64_t a = 0; a < p->terms; a++)
        sum += p->x[a] * p->right[channel * p->terms + a];
    return sum;
}

/* Calls per place of the training or testing images, MOST_PLACES of them evenly. */
static mdldm_status visit(mdldm__env *env, const probe *p, int test, double *error, double *square)
{
    const mdldm__latent_set *s = p->rest;
    const int64_t each = (s->h - 2 * REACH) * (s->w - 2 * REACH), tests = s->n / HELD_OUT;
    const int64_t total = (test ? tests : s->n - tests) * each, count = total < MOST_PLACES ? total : MOST_PLACES;
    for (int64_t j = 0; j < count; j++) {
        const int64_t place = j * total / count, i = image_of(place / each, test), at = gather(p, i, place % each);
        if (j % 256 == 0)
            MDLDM__TRY(mdldm__check_cancel(env));
        if (!test)
            add_place(p, i, at);
        for (int64_t k = 0; test && k < s->channels; k++) {
            const double y = target(p, i, k, at), e = y - predict(p, k);
            error[k] += e * e;
            square[k] += y * y;
        }
    }
    return MDLDM_OK;
}

/* gram + ridge to its Cholesky factor; 0: nothing varies. */
static int factor(const probe *p)
{
    const int64_t n = p->terms;
    double trace = 0.0;
    for (int64_t a = 0; a < n; a++)
        trace += p->gram[a * n + a];
    if (!(trace > 0.0))
        return 0;
    for (int64_t a = 0; a < n; a++) {
        p->gram[a * n + a] += RIDGE * trace / (double)n;
        for (int64_t b = 0; b <= a; b++) {
            double sum = p->gram[a * n + b];
            for (int64_t k = 0; k < b; k++)
                sum -= p->gram[a * n + k] * p->gram[b * n + k];
            p->gram[a * n + b] = a == b ? sqrt(sum) : sum / p->gram[b * n + b];
        }
    }
    return 1;
}

static void solve(const probe *p, double *x)
{
    const int64_t n = p->terms;
    for (int64_t a = 0; a < n; a++) {
        for (int64_t k = 0; k < a; k++)
            x[a] -= p->gram[a * n + k] * x[k];
        x[a] /= p->gram[a * n + a];
    }
    for (int64_t a = n - 1; a >= 0; a--) {
        for (int64_t k = a + 1; k < n; k++)
            x[a] -= p->gram[k * n + a] * x[k];
        x[a] /= p->gram[a * n + a];
    }
}

static mdldm_status run(mdldm__env *env, const probe *p, double *error, double *square)
{
    MDLDM__TRY(visit(env, p, 0, NULL, NULL));
    if (!factor(p))
        return MDLDM_OK;
    for (int64_t k = 0; k < p->rest->channels; k++)
        solve(p, p->right + k * p->terms);
    return visit(env, p, 1, error, square);
}

mdldm_status mdldm__latent_probe(mdldm__env *env, const mdldm__latent_set *rest, double *explained)
{
    const int64_t channels = rest->channels, terms = NEIGHBOURS * channels;
    for (int64_t k = 0; k < channels; k++)
        explained[k] = NAN;
    if (rest->n < HELD_OUT || rest->h < 2 * REACH + 1 || rest->w < 2 * REACH + 1)
        return MDLDM_OK;
    double *gram = mdldm__calloc(env, (size_t)terms, (size_t)terms * sizeof *gram);
    double *room = mdldm__calloc(env, (size_t)(terms + channels * terms + 2 * channels), sizeof *room);
    mdldm_status status = gram != NULL && room != NULL ? MDLDM_OK : mdldm__oom(env, "latent probe");
    if (status == MDLDM_OK) {
        const probe p = {rest, terms, room, gram, room + terms};
        double *error = p.right + channels * terms, *square = error + channels;
        status = run(env, &p, error, square);
        for (int64_t k = 0; status == MDLDM_OK && k < channels; k++)
            explained[k] = square[k] > 0.0 ? 1.0 - error[k] / square[k] : NAN;
    }
    mdldm__free(env, room);
    mdldm__free(env, gram);
    return status;
}
