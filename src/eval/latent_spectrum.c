/* SPDX-License-Identifier: MIT
 * The power spectrum of latents, and how well a linear filter that knows it tells them from noise. */
#include <math.h>
#include <string.h>

#include "eval/latent_numbers.h"

#define TAU 6.283185307179586

const int32_t mdldm__latent_timesteps[MDLDM__LATENT_TIMESTEPS] = {50, 150, 250, 350, 450, 550, 650, 750, 850, 950};

/* Room for one map's transform: latents have some dozens of cells a side, so sums over all of them are quick enough. */
typedef struct transform {
    int64_t h, w;
    double *wave_w, *wave_h; /* [w][2], [h][2]: cosine and sine of one turn */
    double *rows;            /* [h][w/2 + 1][2]: transformed along w */
} transform;

static void waves(double *out, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        out[2 * i] = cos(TAU * (double)i / (double)count);
        out[2 * i + 1] = -sin(TAU * (double)i / (double)count);
    }
}

/* power [h][w] += |DFT|^2; the half that a real map mirrors is mirrored. */
static void add_power(const transform *t, const float *map, double *power)
{
    const int64_t half = t->w / 2 + 1;
    for (int64_t r = 0; r < t->h; r++)
        for (int64_t k = 0; k < half; k++) {
            double re = 0.0, im = 0.0;
            for (int64_t c = 0, at = 0; c < t->w; c++, at = at + k < t->w ? at + k : at + k - t->w) {
                re += (double)map[r * t->w + c] * t->wave_w[2 * at];
                im += (double)map[r * t->w + c] * t->wave_w[2 * at + 1];
            }
            t->rows[2 * (r * half + k)] = re;
            t->rows[2 * (r * half + k) + 1] = im;
        }
    for (int64_t l = 0; l < t->h; l++)
        for (int64_t k = 0; k < half; k++) {
            double re = 0.0, im = 0.0;
            for (int64_t r = 0, at = 0; r < t->h; r++, at = at + l < t->h ? at + l : at + l - t->h) {
                const double x = t->rows[2 * (r * half + k)], y = t->rows[2 * (r * half + k) + 1];
                re += x * t->wave_h[2 * at] - y * t->wave_h[2 * at + 1];
                im += x * t->wave_h[2 * at + 1] + y * t->wave_h[2 * at];
            }
            power[l * t->w + k] += re * re + im * im;
            if (k > 0 && 2 * k < t->w)
                power[(t->h - l) % t->h * t->w + t->w - k] += re * re + im * im;
        }
}

mdldm_status mdldm__latent_power(mdldm__env *env, const mdldm__latent_set *rest, int64_t channel, double *power)
{
    const int64_t h = rest->h, w = rest->w, cells = h * w;
    double *room = mdldm__calloc(env, (size_t)(2 * (w + h) + 2 * h * (w / 2 + 1)), sizeof *room);
    if (room == NULL)
        return mdldm__oom(env, "latent spectrum");
    const transform t = {h, w, room, room + 2 * w, room + 2 * (w + h)};
    waves(t.wave_w, w);
    waves(t.wave_h, h);
    memset(power, 0, (size_t)cells * sizeof *power);
    mdldm_status status = MDLDM_OK;
    for (int64_t i = 0; status == MDLDM_OK && i < rest->n; i++) {
        add_power(&t, rest->z + (i * rest->channels + channel) * cells, power);
        status = mdldm__check_cancel(env);
    }
    for (int64_t p = 0; p < cells; p++)
        power[p] /= (double)cells * (double)(rest->n - 1);
    mdldm__free(env, room);
    return status;
}

/* Cycles per cell of place k of count: the upper half are negative frequencies. */
static double cycles(int64_t k, int64_t count)
{
    return (double)(2 * k <= count ? k : k - count) / (double)count;
}

double mdldm__latent_radial(const double *power, int64_t h, int64_t w, double *radial)
{
    const int64_t side = h < w ? h : w;
    double total = 0.0, high = 0.0;
    for (int64_t p = 0; p < h * w; p++)
        total += power[p];
    if (!(total > 0.0))
        return NAN;
    for (int64_t bin = 0; bin <= side / 2; bin++) {
        double sum = 0.0;
        int64_t count = 0;
        for (int64_t l = 0; l < h; l++)
            for (int64_t k = 0; k < w; k++)
                if (lround(hypot(cycles(l, h), cycles(k, w)) * (double)side) == bin) {
                    sum += power[l * w + k];
                    count++;
                }
        radial[bin] += count > 0 ? sum / (double)count / (total / (double)(h * w)) : 0.0;
    }
    for (int64_t l = 0; l < h; l++)
        for (int64_t k = 0; k < w; k++)
            high += hypot(cycles(l, h), cycles(k, w)) > 0.25 ? power[l * w + k] : 0.0;
    return high / total;
}

double mdldm__latent_slope(const double *radial, int64_t count)
{
    double n = 0.0, x = 0.0, y = 0.0, xx = 0.0, xy = 0.0;
    for (int64_t i = 1; i < count; i++) {
        if (!(radial[i] > 0.0))
            continue;
        const double u = log((double)i), v = log(radial[i]);
        n += 1.0;
        x += u;
        y += v;
        xx += u * u;
        xy += u * v;
    }
    return n >= 2.0 ? (n * xy - x * y) / (n * xx - x * x) : NAN;
}

/* alphas_cumprod of Ho, Jain and Abbeel 2020, section 4. */
static double signal_share(int32_t timestep)
{
    double share = 1.0;
    for (int32_t t = 0; t <= timestep; t++)
        share *= 1.0 - (1e-4 + (0.02 - 1e-4) * t / 999.0);
    return share;
}

/* x_t = sqrt(a) x_0 + sqrt(1 - a) e (their equation 4): of a frequency with power s, Wiener's filter leaves a s / (a s +
 * 1 - a) of e's variance. It is the best estimate there is for Gaussian latents, and grows with s ever more slowly, so that
 * among all spectra of one variance the white one is the worst. */
void mdldm__latent_denoising(const double *power, int64_t frequencies, double errors[MDLDM__LATENT_TIMESTEPS])
{
    for (int k = 0; k < MDLDM__LATENT_TIMESTEPS; k++) {
        const double a = signal_share(mdldm__latent_timesteps[k]);
        double sum = 0.0;
        for (int64_t p = 0; p < frequencies; p++)
            sum += a * power[p] / (a * power[p] + 1.0 - a);
        errors[k] += sum / (double)frequencies;
    }
}
