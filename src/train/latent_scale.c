/* SPDX-License-Identifier: MIT */
#include "train/latent_scale.h"

#include <math.h>

#include "data/dataset.h"
#include "data/loader.h"

mdldm_status mdldm__measure_latent_scale(mdldm_trainer *t)
{
    enum { MOST = 2048, MOST_CHANNELS = 64 }; /* images looked at; channels of the statistics */
    mdldm__env *env = &t->ctx->env;
    mdldm__component *c = t->component;
    const int64_t resolution = mdldm__dataset_resolution(t->dataset), image = resolution * resolution * c->ae.in_channels;
    const int64_t side = resolution / mdldm__autoencoder_factor(&c->ae), cells = side * side;
    const int64_t width = mdldm__autoencoder_latent_channels(c);
    const int64_t stride = (t->train_count + MOST - 1) / MOST;
    const size_t size = (size_t)(width * cells);
    double sum[MOST_CHANNELS] = {0}, square[MOST_CHANNELS] = {0}, total = 0.0, total_square = 0.0;
    int64_t items = 0;
    if (width > MOST_CHANNELS)
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED, "the latents have %lld channels: at most %d are expected",
                            (long long)width, (int)MOST_CHANNELS);
    float *pixels = mdldm__alloc(&t->env, (size_t)image * sizeof *pixels);
    float *latent = mdldm__alloc(&t->env, size * sizeof *latent);
    mdldm_status status = pixels != NULL && latent != NULL ? MDLDM_OK : mdldm__oom(env, "latent statistics");
    for (int64_t i = 0; status == MDLDM_OK && i < t->train_count; i += stride, items++) {
        status = mdldm__progress(env, "measure", i, t->train_count);
        if (status == MDLDM_OK)
            status = mdldm_dataset_read(t->ctx, t->dataset, t->train_items[i], pixels, (size_t)image);
        if (status == MDLDM_OK)
            status = mdldm_encode(t->ctx, t->model, pixels, 1, resolution, resolution, latent, size);
        for (int64_t k = 0; status == MDLDM_OK && k < width; k++)
            for (int64_t p = 0; p < cells; p++) {
                const double v = (double)latent[k * cells + p] / (double)c->ae.scaling_factor;
                sum[k] += v;
                square[k] += v * v;
            }
    }
    mdldm__free(&t->env, pixels);
    mdldm__free(&t->env, latent);
    MDLDM__TRY(status);
    json_t *means = json_array(), *stds = json_array();
    const double n = (double)(items * cells);
    for (int64_t k = 0; k < width; k++) {
        total += sum[k];
        total_square += square[k];
        const double mean = sum[k] / n, variance = square[k] / n - mean * mean;
        json_array_append_new(means, json_real(mean));
        json_array_append_new(stds, json_real(sqrt(variance > 0.0 ? variance : 0.0)));
    }
    const double all = n * (double)width, mean = total / all;
    const double deviation = sqrt(fmax(total_square / all - mean * mean, 0.0));
    double scale = t->options.scaling_factor > 0.0 ? t->options.scaling_factor : 1.0 / deviation;
    if (!isfinite(scale)) {
        json_decref(means);
        json_decref(stds);
        return mdldm__error(env, MDLDM_ERROR_NUMERIC,
                            "the latents of the training images have a standard deviation of %g: the encoder "
                            "has collapsed; train again with a lower learning_rate",
                            deviation);
    }
    json_t *extra = t->model->extra;
    const mdldm_dataset *d = t->dataset;
    int failed = json_object_set_new(extra, "latent_mean", means) != 0;
    failed |= json_object_set_new(extra, "latent_std", stds) != 0;
    if (d->has_db) {
        failed |= json_object_set_new(extra, "db_floor", json_real(d->floor_db)) != 0;
        failed |= json_object_set_new(extra, "db_ceiling", json_real(d->ceiling_db)) != 0;
    }
    if (d->has_map)
        failed |= json_object_set_new(extra, "colormap", json_string(d->map_name)) != 0;
    if (failed || mdldm__component_set_scaling_factor(env, c, scale) != MDLDM_OK)
        return mdldm__oom(env, "latent statistics");
    mdldm__trainer_metric_set(t, "scaling_factor", scale);
    mdldm__log(env, 2, "latents: standard deviation %.4g, scaling_factor %.5g", deviation, scale);
    return MDLDM_OK;
}
