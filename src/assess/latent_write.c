/* SPDX-License-Identifier: MIT
 * A latent report's tree: numbers by name, and sentences about what stage 2 will stumble over. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "assess/latent_job.h"
#include "report/findings.h"

/* What each sentence is said at; docs/LATENT_REPORT.md says where these come from. */
#define SCALE_OFF 0.2          /* standard deviation off 1 */
#define DIRECTION_DEAD 0.05    /* deviation of a principal direction over the largest */
#define TAILS 10.0             /* kurtosis */
#define USED_LEAST 0.9         /* share of the codes */
#define PERPLEXITY_LEAST 0.5   /* over the number of codes */
#define WHITE 0.05             /* denoising gain below it */
#define PROBE_LEAST 0.05       /* explained variance below it */
#define PATH_MOST 2.5          /* decoded path over the straight one */

typedef struct writer {
    json_t *root, *warnings;
    int failed;
} writer;

static void put(writer *w, json_t *object, const char *key, json_t *value)
{
    w->failed |= json_object_set_new(object, key, value) != 0;
}

/* value in its place under key (in an array NULL), to be filled; NULL, which jansson refuses to fill, when that fails. */
static json_t *place(writer *w, json_t *in, const char *key, json_t *value)
{
    const int failed = key != NULL ? json_object_set_new(in, key, value) : json_array_append_new(in, value);
    w->failed |= failed != 0;
    return failed ? NULL : value;
}

static json_t *open_object(writer *w, const char *key)
{
    return place(w, w->root, key, json_object());
}

static void put_real(writer *w, json_t *object, const char *key, double value)
{
    put(w, object, key, mdldm__findings_real(value));
}

__attribute__((format(printf, 2, 3))) static void warn(writer *w, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    w->failed |= json_array_append_new(w->warnings, json_string(text)) != 0;
}

/* ---- scale and channels ---- */

static double write_scale(writer *w, const mdldm__latent_job *j, const mdldm__latent_moments *moments)
{
    const int64_t channels = j->set.channels;
    const double stored = (double)j->m->autoencoder->ae.scaling_factor;
    double mean = 0.0, square = 0.0;
    for (int64_t k = 0; k < channels; k++) {
        mean += moments[k].mean / (double)channels;
        square += (moments[k].deviation * moments[k].deviation + moments[k].mean * moments[k].mean) / (double)channels;
    }
    const double deviation = sqrt(fmax(square - mean * mean, 0.0));
    json_t *scale = open_object(w, "scale");
    put_real(w, scale, "stored", stored);
    put_real(w, scale, "measured", stored / deviation);
    put_real(w, scale, "deviation", deviation);
    if (!(fabs(deviation - 1.0) <= SCALE_OFF))
        warn(w, "the latents' standard deviation is %.3g after scaling_factor %.4g; stage 2 wants 1, so a scaling_factor of "
             "%.4g: stage 1 measures it when it ends",
             deviation, stored, stored / deviation);
    return deviation;
}

static void warn_channel(writer *w, int64_t k, const mdldm__latent_moments *moments)
{
    if (moments->kurtosis > TAILS)
        warn(w, "channel %lld has a kurtosis of %.3g: rare values far out, which noise of one strength does not cover; "
             "an autoencoder trained longer, or at a lower learning_rate, has fewer", (long long)k, moments->kurtosis);
}

static void write_channels(writer *w, const mdldm__latent_job *j, const mdldm__latent_moments *moments,
                           const double *explained, const double *slopes)
{
    const double scaling = (double)j->m->autoencoder->ae.scaling_factor;
    const mdldm__latent_set rest = {j->rest, j->set.n, j->set.channels, j->set.h, j->set.w};
    json_t *list = place(w, w->root, "channels", json_array());
    json_t *matrix = place(w, w->root, "correlation", json_array());
    for (int64_t k = 0; k < j->set.channels; k++) {
        double time[MDLDM__LATENT_LAGS], doppler[MDLDM__LATENT_LAGS];
        json_t *channel = place(w, list, NULL, json_object()), *row = place(w, matrix, NULL, json_array());
        put_real(w, channel, "mean", moments[k].mean / scaling);
        put_real(w, channel, "deviation", moments[k].deviation / scaling);
        put_real(w, channel, "kurtosis", moments[k].kurtosis);
        put_real(w, channel, "fixed_share", moments[k].fixed_share);
        mdldm__latent_autocorrelation(&rest, k, time, doppler);
        put(w, channel, "correlation_time", mdldm__findings_reals(time, MDLDM__LATENT_LAGS));
        put(w, channel, "correlation_doppler", mdldm__findings_reals(doppler, MDLDM__LATENT_LAGS));
        put_real(w, channel, "slope", slopes[k]);
        put_real(w, channel, "explained", explained[k]);
        warn_channel(w, k, &moments[k]);
        for (int64_t i = 0; i < j->set.channels; i++)
            w->failed |= json_array_append_new(row, mdldm__findings_real(mdldm__latent_correlation(&j->set, k, i))) != 0;
    }
}

/* ---- spectrum, denoising, probe ---- */

static mdldm_status write_spectrum(writer *w, const mdldm__latent_job *j, double *power, double *slopes)
{
    const mdldm__latent_set rest = {j->rest, j->set.n, j->set.channels, j->set.h, j->set.w};
    const int64_t bins = (rest.h < rest.w ? rest.h : rest.w) / 2 + 1;
    double *all = power + rest.h * rest.w, *one = all + bins, high = 0.0;
    int64_t live = 0;
    for (int64_t k = 0; k < rest.channels; k++) {
        MDLDM__TRY(mdldm__latent_power(&j->ctx->env, &rest, k, power));
        for (int64_t b = 0; b < bins; b++)
            one[b] = 0.0;
        const double share = mdldm__latent_radial(power, rest.h, rest.w, one);
        slopes[k] = mdldm__latent_slope(one, bins);
        if (isnan(share))
            continue;
        for (int64_t b = 0; b < bins; b++)
            all[b] += one[b];
        high += share;
        live++;
    }
    for (int64_t b = 0; b < bins; b++)
        all[b] /= (double)live;
    json_t *spectrum = open_object(w, "spectrum");
    put(w, spectrum, "power", mdldm__findings_reals(all, bins));
    put_real(w, spectrum, "slope", mdldm__latent_slope(all, bins));
    put_real(w, spectrum, "high_share", high / (double)live);
    return MDLDM_OK;
}

static void write_principal(writer *w, const double *variances, int64_t channels)
{
    json_t *list = place(w, w->root, "principal", json_array());
    int64_t dead = 0;
    for (int64_t k = 0; k < channels; k++) {
        w->failed |= json_array_append_new(list, mdldm__findings_real(sqrt(variances[k]))) != 0;
        dead += !(sqrt(variances[k]) >= DIRECTION_DEAD * sqrt(variances[0]));
    }
    if (dead > 0)
        warn(w, "%lld of %lld channels carry next to nothing of their own: the least of the principal deviations is %.2g of "
             "the largest; %lld latent_channels would do", (long long)dead, (long long)channels,
             sqrt(variances[channels - 1] / variances[0]), (long long)(channels - dead));
}

/* What a linear filter gains that knows the mean picture and the spectrum along each principal direction, of latents
 * scaled to a deviation of 1; of white ones it knows the directions too. Rotates j->rest and j->latents.
 * room: [channels][channels], [channels], [cells] */
static mdldm_status write_denoising(writer *w, const mdldm__latent_job *j, double deviation, double *room)
{
    mdldm__env *env = &j->ctx->env;
    const mdldm__latent_set rest = {j->rest, j->set.n, j->set.channels, j->set.h, j->set.w};
    const int64_t cells = rest.h * rest.w;
    double errors[MDLDM__LATENT_TIMESTEPS] = {0}, white[MDLDM__LATENT_TIMESTEPS] = {0}, sums[2] = {0};
    double *directions = room, *variances = room + rest.channels * rest.channels, *power = variances + rest.channels;
    MDLDM__TRY(mdldm__latent_principal(env, &rest, directions, variances));
    MDLDM__TRY(mdldm__latent_rotate(env, &rest, directions, j->rest));
    MDLDM__TRY(mdldm__latent_rotate(env, &j->set, directions, j->latents));
    for (int64_t k = 0; k < rest.channels; k++) {
        const double whole = pow(mdldm__latent_moments_of(&j->set, k).deviation / deviation, 2.0);
        MDLDM__TRY(mdldm__latent_power(env, &rest, k, power));
        for (int64_t p = 0; p < cells; p++)
            power[p] /= deviation * deviation;
        mdldm__latent_denoising(power, cells, errors);
        mdldm__latent_denoising(&whole, 1, white);
    }
    write_principal(w, variances, rest.channels);
    json_t *denoising = open_object(w, "denoising"), *steps = place(w, denoising, "timesteps", json_array());
    for (int k = 0; k < MDLDM__LATENT_TIMESTEPS; k++) {
        w->failed |= json_array_append_new(steps, json_integer(mdldm__latent_timesteps[k])) != 0;
        errors[k] /= (double)rest.channels;
        white[k] /= (double)rest.channels;
        sums[0] += errors[k];
        sums[1] += white[k];
    }
    const double gain = 1.0 - sums[0] / sums[1];
    put(w, denoising, "error", mdldm__findings_reals(errors, MDLDM__LATENT_TIMESTEPS));
    put(w, denoising, "white", mdldm__findings_reals(white, MDLDM__LATENT_TIMESTEPS));
    put_real(w, denoising, "mean_error", sums[0] / MDLDM__LATENT_TIMESTEPS);
    put_real(w, denoising, "gain", gain);
    if (!(gain >= WHITE))
        warn(w, "to a linear filter the latents are nearly white (gain %.3g): stage 2 will find little to learn; fewer "
             "latent_channels, or an autoencoder with less freedom, make smoother ones", gain);
    return MDLDM_OK;
}

static void write_probe(writer *w, const mdldm__latent_job *j, const mdldm__latent_moments *moments,
                        const double *explained)
{
    double sum = 0.0, weight = 0.0;
    for (int64_t k = 0; k < j->set.channels; k++) {
        if (isnan(explained[k]))
            continue;
        const double own = moments[k].deviation * moments[k].deviation * (1.0 - moments[k].fixed_share);
        sum += own * explained[k];
        weight += own;
    }
    const double mean = weight > 0.0 ? sum / weight : NAN;
    put_real(w, open_object(w, "probe"), "explained", mean);
    if (mean < PROBE_LEAST)
        warn(w, "neighbours explain %.3g of a latent cell: each looks like noise to stage 2, however well the decoder reads "
             "it", mean);
}

/* ---- walks and codebook ---- */

static void write_walks(writer *w, const mdldm__latent_walks *walks)
{
    json_t *object = open_object(w, "interpolation");
    put(w, object, "pairs", json_integer(walks->pairs));
    put(w, object, "steps", json_integer(walks->steps));
    put_real(w, object, "distance", walks->distance);
    put_real(w, object, "path", walks->path);
    put_real(w, object, "largest_step", walks->largest_step);
    put_real(w, object, "return_end", walks->return_end);
    put_real(w, object, "return_middle", walks->return_middle);
    if (walks->path > PATH_MOST)
        warn(w, "the decoded path between neighbouring latents is %.3g times as long as the straight one: small errors of "
             "stage 2 will show", walks->path);
}

static void write_codebook(writer *w, const mdldm__latent_job *j)
{
    if (j->codes == 0)
        return;
    const double total = (double)(j->images * j->set.h * j->set.w), codes = (double)j->codes;
    double entropy = 0.0;
    int64_t used = 0;
    json_t *book = open_object(w, "codebook"), *counts = place(w, book, "counts", json_array());
    for (int64_t k = 0; k < j->codes; k++) {
        const double p = (double)j->counts[k] / total;
        entropy -= p > 0.0 ? p * log(p) : 0.0;
        used += j->counts[k] > 0;
        w->failed |= json_array_append_new(counts, json_integer(j->counts[k])) != 0;
    }
    put(w, book, "size", json_integer(j->codes));
    put(w, book, "used", json_integer(used));
    put_real(w, book, "perplexity", exp(entropy));
    put_real(w, book, "quantization_error", j->quantization_error);
    if ((double)used < USED_LEAST * codes || exp(entropy) < PERPLEXITY_LEAST * codes)
        warn(w, "%lld of %lld codes are used, with a perplexity of %.1f; ema_codebook, a smaller restart_dead_codes or a "
             "smaller num_vq_embeddings bring more of them to life", (long long)used, (long long)j->codes, exp(entropy));
}

/* room: twice the channels, then what write_spectrum and write_denoising need */
static mdldm_status write_all(writer *w, mdldm__latent_job *j, double *room)
{
    const int64_t channels = j->set.channels;
    mdldm__latent_moments moments[64];
    double *explained = room, *slopes = room + channels, *rest_room = slopes + channels;
    const mdldm__latent_set rest = {j->rest, j->set.n, channels, j->set.h, j->set.w};
    put(w, w->root, "images", json_integer(j->images));
    put(w, w->root, "latent", json_pack("[I, I, I]", channels, j->set.h, j->set.w));
    w->warnings = place(w, w->root, "warnings", json_array());
    for (int64_t k = 0; k < channels; k++)
        moments[k] = mdldm__latent_moments_of(&j->set, k);
    const double deviation = write_scale(w, j, moments);
    MDLDM__TRY(mdldm__latent_probe(&j->ctx->env, &rest, explained));
    MDLDM__TRY(write_spectrum(w, j, rest_room, slopes));
    write_channels(w, j, moments, explained, slopes);
    write_probe(w, j, moments, explained);
    MDLDM__TRY(write_denoising(w, j, deviation, rest_room));
    write_walks(w, &j->walks);
    write_codebook(w, j);
    return w->failed ? mdldm__oom(&j->ctx->env, "latent report") : MDLDM_OK;
}

mdldm_status mdldm__latent_report_write(mdldm__latent_job *j, json_t **out)
{
    mdldm__env *env = &j->ctx->env;
    const int64_t channels = j->set.channels;
    if (channels > 64)
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED, "the latents have %lld channels: at most 64 are expected",
                            (long long)channels);
    const int64_t cells = j->set.h * j->set.w, radii = j->set.h + 2; /* bins of the spectrum, twice */
    double *room = mdldm__calloc(env, (size_t)(3 * channels + channels * channels + cells + radii), sizeof *room);
    writer w = {.root = json_object()};
    mdldm_status status = room != NULL && w.root != NULL ? write_all(&w, j, room) : mdldm__oom(env, "latent report");
    mdldm__free(env, room);
    if (status == MDLDM_OK)
        *out = w.root;
    else
        json_decref(w.root);
    return status;
}
