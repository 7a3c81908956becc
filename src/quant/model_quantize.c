/* SPDX-License-Identifier: MIT
 * Post-training quantisation: trajectories to calibrate on, then a new model with eight-bit layers. */
#include <math.h>
#include <string.h>

#include "api/inference.h"
#include "api/options_table.h"
#include "api/sampler.h"
#include "data/loader.h"
#include "diffusion/scheduler_config.h"
#include "quant/calibrator.h"
#include "util/rng.h"

typedef struct quantizing {
    mdldm_context *ctx;
    const mdldm_model *m;
    const mdldm_dataset *data; /* or NULL */
    int64_t images, steps, train_timesteps;
    int32_t groups;
    uint64_t seed;
    mdldm__range_method method;
    mdldm_sampler *sampler;
    mdldm__calibrator *calibrator;
    int64_t done, total; /* evaluations */
} quantizing;

/* ---- Calibration ---- */

static mdldm_status evaluate(quantizing *q, const float *latent, int64_t h, int64_t w, double timestep,
                             int64_t label, float *output)
{
    MDLDM__TRY(mdldm__calibrator_predict(q->calibrator, latent, h, w, timestep, label, output));
    return mdldm__progress(&q->ctx->env, "calibrate", ++q->done, q->total);
}

/* Image k's class: all in turn, with the unconditional row where there is one. */
static int64_t label_of(const quantizing *q, int64_t k)
{
    int64_t classes = mdldm__model_class_count(q->m), rows = classes + (mdldm__model_null_class(q->m) >= 0);
    if (rows == 0)
        return 0;
    return k % rows < classes ? k % rows : -1;
}

/* One denoising trajectory from the seed's noise of image k. work: [3][c,h,w] */
static mdldm_status trajectory(quantizing *q, int64_t k, int64_t side, float *work)
{
    size_t each = (size_t)q->m->unet->unet.in_channels * (size_t)side * (size_t)side;
    float *latent = work, *input = work + each, *output = work + 2 * each;
    mdldm__sampler_start(q->sampler, 1, each, k, latent);
    for (int64_t step = 0; step < mdldm__scheduler_steps(q->sampler->scheduler); step++) {
        mdldm__scheduler_scale_input(q->sampler->scheduler, step, latent, input, each);
        MDLDM__TRY(evaluate(q, input, side, side, mdldm__scheduler_timestep(q->sampler->scheduler, step),
                            label_of(q, k), output));
        MDLDM__TRY(mdldm__sampler_advance(q->ctx, q->sampler, output, latent, 1, each, k, step, NULL));
    }
    return MDLDM_OK;
}

static mdldm_status trajectories(quantizing *q)
{
    int64_t side;
    MDLDM__TRY(mdldm_model_get_int(q->ctx, q->m, "sample_size", &side));
    size_t each = (size_t)q->m->unet->unet.in_channels * (size_t)side * (size_t)side;
    float *work = mdldm__calloc(&q->ctx->env, 3 * each, sizeof *work);
    if (work == NULL)
        return mdldm__oom(&q->ctx->env, "a trajectory");
    mdldm_status status = MDLDM_OK;
    for (int64_t k = 0; k < q->images && status == MDLDM_OK; k++)
        status = trajectory(q, k, side, work);
    mdldm__free(&q->ctx->env, work);
    return status;
}

/* The model's label of an item: by the class' name where both have names. */
static int64_t item_label(const quantizing *q, int64_t item, int64_t k)
{
    int64_t classes = mdldm__model_class_count(q->m), label = mdldm_dataset_item_label(q->data, item);
    const char *name = label >= 0 ? mdldm_dataset_class_name(q->data, label) : NULL;
    for (int64_t i = 0; name != NULL && i < classes; i++) {
        const char *known = mdldm_model_class_name(q->m, i);
        if (known != NULL && strcmp(known, name) == 0)
            return i;
    }
    return label_of(q, k);
}

/* One image, noised to a timestep of each group. pixels [channels,r,r]; work: [3][c,h,w] */
static mdldm_status noised_image(quantizing *q, int64_t k, int64_t side, float *pixels, int64_t resolution,
                                 float *work)
{
    int64_t item = k * mdldm_dataset_count(q->data) / q->images;
    size_t each = (size_t)q->m->unet->unet.in_channels * (size_t)side * (size_t)side;
    float *clean = work, *noise = work + each, *noisy = work + 2 * each;
    size_t count = (size_t)(mdldm_dataset_channels(q->data) * resolution * resolution);
    MDLDM__TRY(mdldm_dataset_read(q->ctx, q->data, item, pixels, count));
    if (q->m->autoencoder != NULL)
        MDLDM__TRY(mdldm_encode(q->ctx, q->m, pixels, 1, resolution, resolution, clean, each));
    else
        memcpy(clean, pixels, each * sizeof *clean);
    for (int32_t g = 0; g < q->groups; g++) {
        int64_t first = g * q->train_timesteps / q->groups, end = (g + 1) * q->train_timesteps / q->groups;
        if (end <= first)
            continue;
        int64_t t = first + mdldm__rng_below(q->seed, MDLDM__RNG_CALIBRATION, (uint64_t)k, (uint32_t)(2 * g),
                                             (uint32_t)(end - first));
        t = t < 1 && q->m->unet->unet.fourier ? 1 : t; /* the output is divided by the timestep */
        mdldm__rng_normal(q->seed, MDLDM__RNG_CALIBRATION, (uint64_t)k, (uint32_t)(2 * g + 1), noise, each);
        MDLDM__TRY(mdldm__scheduler_add_noise(q->sampler->scheduler, clean, noise, &t, 1, each, noisy));
        const double time = mdldm__scheduler_train_time(q->sampler->scheduler, t);
        MDLDM__TRY(evaluate(q, noisy, side, side, time, item_label(q, item, k), NULL));
    }
    return MDLDM_OK;
}

static mdldm_status noised_images(quantizing *q, int64_t resolution)
{
    mdldm__env *env = &q->ctx->env;
    const mdldm__component *ae = q->m->autoencoder;
    int64_t side = ae != NULL ? resolution / mdldm__autoencoder_factor(&ae->ae) : resolution;
    size_t each = (size_t)q->m->unet->unet.in_channels * (size_t)side * (size_t)side;
    size_t count = (size_t)(mdldm_dataset_channels(q->data) * resolution * resolution);
    float *pixels = mdldm__calloc(env, count, sizeof *pixels);
    float *work = mdldm__calloc(env, 3 * each, sizeof *work);
    mdldm_status status = pixels != NULL && work != NULL ? MDLDM_OK : mdldm__oom(env, "noised images");
    for (int64_t k = 0; k < q->images && status == MDLDM_OK; k++)
        status = noised_image(q, k, side, pixels, resolution, work);
    mdldm__free(env, pixels);
    mdldm__free(env, work);
    return status;
}

static mdldm_status open_sampler(quantizing *q)
{
    mdldm_options *options;
    MDLDM__TRY(mdldm_options_create(q->ctx, &options));
    const json_t *stored = json_object_get(q->m->scheduler, "_class_name");
    const int flow = mdldm__scheduler_is_flow(json_string_value(stored));
    mdldm_status status = mdldm_options_set_string(q->ctx, options, "scheduler", flow ? "flow_euler" : "ddim");
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(q->ctx, options, "num_inference_steps",
                                       q->steps < q->train_timesteps ? q->steps : q->train_timesteps);
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(q->ctx, options, "seed", (int64_t)q->seed);
    if (status == MDLDM_OK) /* the model is only read; its count of references changes */
        status = mdldm_sampler_create(q->ctx, (mdldm_model *)q->m, options, &q->sampler);
    mdldm_options_free(options);
    return status;
}

static mdldm_status calibrate(quantizing *q, int64_t resolution)
{
    MDLDM__TRY(mdldm__context_device(q->ctx));
    MDLDM__TRY(open_sampler(q));
    MDLDM__TRY(mdldm__calibrator_open(q->ctx, q->m, q->groups, &q->calibrator));
    q->total = q->images * mdldm__scheduler_steps(q->sampler->scheduler);
    if (q->data != NULL)
        q->total += q->images * (q->groups < q->train_timesteps ? q->groups : q->train_timesteps);
    MDLDM__TRY(mdldm__progress(&q->ctx->env, "calibrate", 0, q->total));
    MDLDM__TRY(trajectories(q));
    return q->data != NULL ? noised_images(q, resolution) : MDLDM_OK;
}

/* ---- The new model ---- */

/* weight [O][terms] to rows of -127..127 times scale[O]: the largest of a row becomes 127. */
static void quantize_rows(const float *weight, int64_t rows, int64_t terms, int8_t *q8, float *scale)
{
    for (int64_t o = 0; o < rows; o++) {
        const float *w = weight + o * terms;
        float top = 0.0f;
        for (int64_t i = 0; i < terms; i++)
            top = fabsf(w[i]) > top ? fabsf(w[i]) : top;
        scale[o] = top / 127.0f > 1e-30f ? top / 127.0f : 1e-30f; /* a row of zeros has a scale too */
        for (int64_t i = 0; i < terms; i++)
            q8[o * terms + i] = (int8_t)lrintf(w[i] / scale[o]);
    }
}

/* The parameter from which `name` of a quantised component comes: "x.weight" of "x.weight_scale". */
static int32_t source_of(mdldm__env *env, const mdldm__params *from, const char *name)
{
    size_t length = strlen(name), tail = strlen("_scale");
    if (length <= tail || strcmp(name + length - tail, "_scale") != 0)
        return mdldm__params_find(from, name);
    char *weight = mdldm__strndup(env, name, length - tail);
    int32_t index = weight != NULL ? mdldm__params_find(from, weight) : -1;
    mdldm__free(env, weight);
    return index;
}

static mdldm_status set_range(const quantizing *q, mdldm__params *to, int32_t index)
{
    mdldm__env *env = &q->ctx->env;
    const char *name = to->items[index].name;
    const mdldm__range_histogram *h = mdldm__calibrator_find(q->calibrator, name);
    if (h == NULL)
        return mdldm__error(env, MDLDM_ERROR_INTERNAL, "nothing was observed for %s", name);
    float *ranges = mdldm__calloc(env, 2 * (size_t)q->groups, sizeof *ranges);
    if (ranges == NULL)
        return mdldm__oom(env, "ranges");
    for (int32_t g = 0; g < q->groups; g++) {
        int32_t seen = g; /* a group without a step of the trajectories takes the nearest that has one */
        for (int32_t far = 1; h[seen].reach == 0.0 && far < q->groups; far++)
            seen = g + far < q->groups && h[g + far].reach > 0.0 ? g + far
                   : g - far >= 0 && h[g - far].reach > 0.0      ? g - far
                                                                 : g;
        mdldm__histogram_range(&h[seen], q->method, ranges + 2 * g);
    }
    mdldm_status status = mdldm__param_set(to, index, ranges);
    mdldm__free(env, ranges);
    return status;
}

static mdldm_status set_weight(mdldm__env *env, const mdldm__param *from, mdldm__params *to, int32_t index)
{
    mdldm__param *p = &to->items[index];
    int64_t count = mdldm__param_elements(from), rows = from->dims[0];
    int is_scale = p->rank != from->rank;
    float *values = mdldm__calloc(env, (size_t)count, sizeof *values);
    int8_t *q8 = mdldm__calloc(env, (size_t)count, 1);
    float *scale = mdldm__calloc(env, (size_t)rows, sizeof *scale);
    mdldm_status status =
        values != NULL && q8 != NULL && scale != NULL ? MDLDM_OK : mdldm__oom(env, "quantised weights");
    if (status == MDLDM_OK) {
        mdldm__param_get(from, values);
        if (p->integer || is_scale)
            quantize_rows(values, rows, count / rows, q8, scale);
        status = p->integer ? mdldm__param_set_i8(to, index, q8)
                            : mdldm__param_set(to, index, is_scale ? scale : values);
    }
    mdldm__free(env, values);
    mdldm__free(env, q8);
    mdldm__free(env, scale);
    return status;
}

/* q NULL: a plain copy. */
static mdldm_status copy_params(mdldm__env *env, const quantizing *q, const mdldm__params *from, mdldm__params *to)
{
    for (int32_t i = 0; i < to->count; i++) {
        MDLDM__TRY(mdldm__check_cancel(env));
        int32_t source = source_of(env, from, to->items[i].name);
        if (source >= 0)
            MDLDM__TRY(set_weight(env, &from->items[source], to, i));
        else if (q != NULL)
            MDLDM__TRY(set_range(q, to, i));
        else
            return mdldm__error(env, MDLDM_ERROR_INTERNAL, "parameter %s has no source", to->items[i].name);
    }
    return MDLDM_OK;
}

/* A component like c in the environment of a new model; q: with eight-bit layers. */
static mdldm_status copy_component(mdldm_model *to, const quantizing *q, const mdldm__component *c,
                                   mdldm__component **out)
{
    json_t *config = json_deep_copy(c->config);
    int failed = config == NULL;
    if (!failed && q != NULL)
        failed = json_object_set_new(config, "quantization_config",
                                     json_pack("{s:s, s:i, s:i}", "quant_method", "mdldm_int8", "format", 1,
                                               "timestep_groups", (int)q->groups)) != 0;
    if (failed) {
        json_decref(config);
        return mdldm__oom(&to->env, "a component's config");
    }
    MDLDM__TRY(mdldm__component_create(&to->env, "the copy's config", config, out));
    (*out)->ae.scaling_factor = c->ae.scaling_factor;
    return copy_params(&to->env, q, &c->params, &(*out)->params);
}

static mdldm_status build(const quantizing *q, mdldm_model *to)
{
    const mdldm_model *m = q->m;
    json_decref(to->extra);
    to->extra = json_deep_copy(m->extra);
    to->index = m->index != NULL ? json_deep_copy(m->index) : NULL;
    to->scheduler = m->scheduler != NULL ? json_deep_copy(m->scheduler) : NULL;
    if (m->autoencoder_folder != NULL)
        to->autoencoder_folder = mdldm__strdup(&to->env, m->autoencoder_folder);
    if (to->extra == NULL || (m->index != NULL && to->index == NULL) ||
        (m->scheduler != NULL && to->scheduler == NULL) ||
        (m->autoencoder_folder != NULL && to->autoencoder_folder == NULL))
        return mdldm__oom(&to->env, "a model");
    if (m->autoencoder != NULL)
        MDLDM__TRY(copy_component(to, NULL, m->autoencoder, &to->autoencoder));
    return copy_component(to, q, m->unet, &to->unet);
}

static mdldm_status run(quantizing *q, int64_t resolution, mdldm_model **out)
{
    mdldm_model *to;
    MDLDM__TRY(calibrate(q, resolution));
    MDLDM__TRY(mdldm__model_new(&q->ctx->env, &to));
    mdldm_status status = build(q, to);
    mdldm__model_release_callbacks(to, &q->ctx->env);
    if (status != MDLDM_OK) {
        mdldm__model_destroy(to);
        return status;
    }
    *out = to;
    return MDLDM_OK;
}

static mdldm_status check(mdldm_context *ctx, const mdldm_model *m, const mdldm_dataset *d, int64_t resolution)
{
    mdldm__env *env = &ctx->env;
    if (m->unet == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "the model has no UNet to quantise");
    if (m->unet->unet.q8_groups > 0)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the model's UNet is quantised already; the model that it was made from is expected");
    if (d == NULL)
        return MDLDM_OK;
    int64_t factor = m->autoencoder != NULL ? mdldm__autoencoder_factor(&m->autoencoder->ae) : 1;
    int64_t multiple = factor * ((int64_t)1 << (m->unet->unet.levels - 1));
    const int32_t wanted = m->autoencoder != NULL ? m->autoencoder->ae.in_channels : m->unet->unet.in_channels;
    if (wanted != mdldm_dataset_channels(d))
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "images of %d channels cannot calibrate a model that takes %d; image_mode L gives one, "
                            "RGB three",
                            (int)mdldm_dataset_channels(d), (int)wanted);
    if (resolution % multiple != 0)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the calibration images have %lld x %lld pixels: multiples of %lld are expected",
                            (long long)resolution, (long long)resolution, (long long)multiple);
    return MDLDM_OK;
}

mdldm_status mdldm_model_quantize(mdldm_context *ctx, const mdldm_model *m, const mdldm_dataset *d,
                                  const mdldm_options *options, mdldm_model **out)
{
    static const char *const methods[] = {"minmax", "percentile", "mse"};
    if (out != NULL)
        *out = NULL;
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    if (m == NULL || out == NULL)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "mdldm_model_quantize: %s is NULL",
                            m == NULL ? "the model" : "out");
    int64_t resolution = d != NULL ? mdldm__dataset_resolution(d) : 0;
    MDLDM__TRY(check(ctx, m, d, resolution));
    quantizing q = {.ctx = ctx,
                    .m = m,
                    .data = d,
                    .images = mdldm__option_int(options, "calibration_images"),
                    .steps = mdldm__option_int(options, "calibration_steps"),
                    .train_timesteps = mdldm__model_train_timesteps(m),
                    .groups = (int32_t)mdldm__option_int(options, "timestep_groups"),
                    .seed = (uint64_t)mdldm__option_int(options, "seed")};
    const char *method = mdldm__option_string(options, "range_method");
    while (strcmp(methods[q.method], method) != 0)
        q.method++;
    mdldm_status status = run(&q, resolution, out);
    mdldm__calibrator_close(q.calibrator);
    mdldm_sampler_free(q.sampler);
    return status;
}
