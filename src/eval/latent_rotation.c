/* SPDX-License-Identifier: MIT
 * Latents by their principal directions: channels that say the same are one direction and a rest of nothing. */
#include <math.h>

#include "eval/latent_numbers.h"

#define SWEEPS 60

/* One of the rotations of Jacobi's method (Golub and Van Loan, Matrix Computations, section 8.5): makes a[p][q] zero. */
static void rotate_pair(double *a, double *directions, int64_t n, int64_t p, int64_t q)
{
    const double theta = (a[q * n + q] - a[p * n + p]) / (2.0 * a[p * n + q]);
    const double t = (theta >= 0.0 ? 1.0 : -1.0) / (fabs(theta) + sqrt(theta * theta + 1.0));
    const double c = 1.0 / sqrt(t * t + 1.0), s = t * c;
    for (int64_t k = 0; k < n; k++) {
        const double x = a[k * n + p], y = a[k * n + q];
        a[k * n + p] = c * x - s * y;
        a[k * n + q] = s * x + c * y;
    }
    for (int64_t k = 0; k < n; k++) {
        const double x = a[p * n + k], y = a[q * n + k];
        a[p * n + k] = c * x - s * y;
        a[q * n + k] = s * x + c * y;
        const double u = directions[p * n + k], v = directions[q * n + k];
        directions[p * n + k] = c * u - s * v;
        directions[q * n + k] = s * u + c * v;
    }
}

static void diagonalise(double *a, double *directions, int64_t n)
{
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        double off = 0.0, diagonal = 0.0;
        for (int64_t p = 0; p < n; p++) {
            diagonal += a[p * n + p] * a[p * n + p];
            for (int64_t q = p + 1; q < n; q++)
                off += a[p * n + q] * a[p * n + q];
        }
        if (!(off > 1e-32 * diagonal))
            return;
        for (int64_t p = 0; p < n; p++)
            for (int64_t q = p + 1; q < n; q++)
                if (a[p * n + q] != 0.0)
                    rotate_pair(a, directions, n, p, q);
    }
}

static void covariance(const mdldm__latent_set *rest, double *out)
{
    const int64_t n = rest->channels, cells = rest->h * rest->w;
    for (int64_t i = 0; i < rest->n; i++) {
        const float *z = rest->z + i * n * cells;
        for (int64_t a = 0; a < n; a++)
            for (int64_t b = 0; b <= a; b++) {
                double sum = 0.0;
                for (int64_t p = 0; p < cells; p++)
                    sum += (double)z[a * cells + p] * (double)z[b * cells + p];
                out[a * n + b] += sum / ((double)(rest->n - 1) * (double)cells);
            }
    }
    for (int64_t a = 0; a < n; a++)
        for (int64_t b = 0; b < a; b++)
            out[b * n + a] = out[a * n + b];
}

static void sort_down(double *variances, double *directions, int64_t n)
{
    for (int64_t a = 0; a < n; a++) {
        int64_t most = a;
        for (int64_t b = a + 1; b < n; b++)
            most = variances[b] > variances[most] ? b : most;
        const double kept = variances[a];
        variances[a] = variances[most];
        variances[most] = kept;
        for (int64_t k = 0; k < n; k++) {
            const double x = directions[a * n + k];
            directions[a * n + k] = directions[most * n + k];
            directions[most * n + k] = x;
        }
    }
}

mdldm_status mdldm__latent_principal(mdldm__env *env, const mdldm__latent_set *rest, double *directions,
                                     double *variances)
{
    const int64_t n = rest->channels;
    double *matrix = mdldm__calloc(env, (size_t)(n * n), sizeof *matrix);
    if (matrix == NULL)
        return mdldm__oom(env, "principal directions of latents");
    covariance(rest, matrix);
    for (int64_t a = 0; a < n; a++)
        for (int64_t b = 0; b < n; b++)
            directions[a * n + b] = a == b;
    diagonalise(matrix, directions, n);
    for (int64_t a = 0; a < n; a++)
        variances[a] = fmax(matrix[a * n + a], 0.0);
    sort_down(variances, directions, n);
    mdldm__free(env, matrix);
    return MDLDM_OK;
}

mdldm_status mdldm__latent_rotate(mdldm__env *env, const mdldm__latent_set *s, const double *directions, float *z)
{
    const int64_t n = s->channels, cells = s->h * s->w;
    double *cell = mdldm__calloc(env, (size_t)n, sizeof *cell);
    if (cell == NULL)
        return mdldm__oom(env, "latents by their principal directions");
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t p = 0; p < cells; p++) {
            float *at = z + i * n * cells + p;
            for (int64_t a = 0; a < n; a++)
                cell[a] = at[a * cells];
            for (int64_t a = 0; a < n; a++) {
                double sum = 0.0;
                for (int64_t k = 0; k < n; k++)
                    sum += directions[a * n + k] * cell[k];
                at[a * cells] = (float)sum;
            }
        }
    mdldm__free(env, cell);
    return MDLDM_OK;
}
