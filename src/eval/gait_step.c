/* SPDX-License-Identifier: MIT
 * The step frequency. A picture shows a few steps, so the envelopes' spectrum is not a Fourier transform, whose bins
 * would be 1 / duration apart and whose window would blur them further, but the share of variance that a sinusoid of
 * each frequency explains beside a constant and a trend, fitted together by least squares (the generalised
 * periodogram of Lomb 1976 and Zechmeister and Kuerster 2009, with a floating trend). It bears gaps as well. */
#include <math.h>

#include "eval/gait.h"

#define GRID 0.05     /* cycles per picture between two frequencies that are tried */
#define FEWEST 8      /* places that a curve must have */
#define SURE 1e-12    /* of the variance stays unexplained at least: a logarithm needs it */

/* One curve's normal equations at one frequency: 1, time, cosine, sine. */
typedef struct fit {
    double explained; /* share of the variance about the trend */
    double amplitude;
} fit;

/* Time of column c, from -1/2 to 1/2 over the picture: keeps the equations well conditioned. */
static double when(int64_t c, int64_t columns)
{
    return ((double)c + 0.5) / (double)columns - 0.5;
}

/* Cholesky factor of a [n][n], in place; 0: not positive definite to rounding. */
static int factor(double a[4][4], int n)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            double sum = a[i][j];
            for (int k = 0; k < j; k++)
                sum -= a[i][k] * a[j][k];
            if (i == j) {
                if (!(sum > 1e-12 * a[i][i]))
                    return 0;
                a[i][i] = sqrt(sum);
            } else {
                a[i][j] = sum / a[j][j];
            }
        }
    return 1;
}

/* f in cycles per picture. A curve with few places or no variance: {0, NaN}. */
static fit fit_curve(const double *curve, int64_t columns, double f)
{
    double a[4][4] = {{0}}, b[4] = {0}, mean = 0.0, square = 0.0, x[4] = {0};
    int64_t places = 0;
    for (int64_t c = 0; c < columns; c++)
        if (isfinite(curve[c])) {
            mean += curve[c];
            places++;
        }
    if (places < FEWEST)
        return (fit){0.0, NAN};
    mean /= (double)places;
    for (int64_t c = 0; c < columns; c++) {
        if (!isfinite(curve[c]))
            continue;
        const double t = when(c, columns), turn = 6.283185307179586 * f * t, y = curve[c] - mean;
        const double base[4] = {1.0, t, cos(turn), sin(turn)};
        for (int i = 0; i < 4; i++) {
            for (int j = 0; j <= i; j++)
                a[i][j] += base[i] * base[j];
            b[i] += base[i] * y;
        }
        square += y * y;
    }
    if (!factor(a, 4))
        return (fit){0.0, NAN};
    double projected[4], share[2] = {0.0, 0.0}; /* squares explained by the trend and by the sinusoid beyond it */
    for (int i = 0; i < 4; i++) {
        projected[i] = b[i];
        for (int k = 0; k < i; k++)
            projected[i] -= a[i][k] * projected[k];
        projected[i] /= a[i][i];
        share[i / 2] += projected[i] * projected[i];
    }
    const double rest = square - share[0];
    if (!(rest > 1e-12 * square && rest > 1e-20 * (double)places * mean * mean)) /* flat, or a trend, to rounding */
        return (fit){0.0, NAN};
    for (int i = 3; i >= 0; i--) {
        x[i] = projected[i];
        for (int k = i + 1; k < 4; k++)
            x[i] -= a[k][i] * x[k];
        x[i] /= a[i][i];
    }
    return (fit){fmin(share[1] / rest, 1.0 - SURE), hypot(x[2], x[3])};
}

/* The curves share the frequency and have noise of their own each: the likelihood is greatest where the product of the
 * unexplained shares is least. Gives the mean of their negative logarithms. */
static double likelihood(const double *curves, int64_t columns, double f)
{
    double sum = 0.0;
    for (int k = 0; k < MDLDM__GAIT_CURVES; k++)
        sum -= log(1.0 - fit_curve(curves + k * columns, columns, f).explained);
    return sum / MDLDM__GAIT_CURVES;
}

/* The highest peak inside the range; a maximum at its end belongs to something beyond it. */
mdldm_status mdldm__gait_step_find(mdldm__env *env, const mdldm__gait_setup *s, const double *curves,
                                   mdldm__gait_step *out)
{
    const double low = s->step_low * s->duration, high = s->step_high * s->duration;
    const int64_t count = high > low ? (int64_t)floor((high - low) / GRID + 1e-9) + 1 : 0;
    *out = (mdldm__gait_step){NAN, 0.0, {NAN, NAN, NAN}};
    double before = 0.0, here = 0.0, best = 0.0, best_place = -1.0;
    for (int64_t i = 0; i < count; i++) {
        MDLDM__TRY(mdldm__check_cancel(env));
        const double after = likelihood(curves, s->columns, low + GRID * (double)i);
        if (i >= 2 && here >= before && here > after && here > best) {
            /* the top of the parabola through the three */
            best = here;
            best_place = (double)(i - 1) + 0.5 * (before - after) / (before - 2.0 * here + after);
        }
        before = here;
        here = after;
    }
    if (best_place < 0.0)
        return MDLDM_OK;
    const double f = low + GRID * best_place;
    out->frequency = f / s->duration;
    out->strength = 1.0 - exp(-likelihood(curves, s->columns, f));
    for (int k = 0; k < MDLDM__GAIT_CURVES; k++)
        out->amplitude[k] = fit_curve(curves + k * s->columns, s->columns, f).amplitude;
    return MDLDM_OK;
}
