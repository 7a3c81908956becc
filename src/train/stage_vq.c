/* SPDX-License-Identifier: MIT
 * Stage 1: VQModel. pixels -> encoder -> z -> nearest codes -> decoder -> reconstruction;
 * loss = l1*|x-r| + l2*(x-r)^2 + codebook_weight*(|sg(z)-e|^2 + beta*|z-sg(e)|^2) (+ entropy),
 * van den Oord et al. 2017, eq. 3. legacy_beta puts beta on the first term and 1 on the second. */
#include <math.h>
#include <string.h>

#include "api/runtime.h"
#include "eval/image_metrics.h"
#include "train/data_fits.h"
#include "train/latent_scale.h"
#include "train/vq_codebook.h"
#include "util/rng.h"

enum { SSIM_WINDOW = 11 }; /* smaller images have no SSIM */

typedef struct vq_graph {
    mdldm__tensor pixels, z, codes, reconstruction, l1, l2, vq, entropy, seed, place;
} vq_graph;

typedef struct vq_state {
    mdldm__vq_codebook codebook;
    int64_t resolution, side, width; /* pixels, latent cells per side, latent width */
    vq_graph train, validation;
    float *images;   /* [batch][res][res][channels] */
    float *latents;  /* [batch][side][side][width], for the start */
    int32_t *codes;  /* validation: [batch][side][side] */
    float *rebuilt;  /* validation: as images */
} vq_state;

static int64_t cells(const vq_state *s)
{
    return s->side * s->side;
}

static void describe(mdldm_trainer *t, vq_state *s, mdldm__graph *g, vq_graph *ids, int64_t n, int training)
{
    const mdldm__train_options *o = &t->options;
    const mdldm__component *c = t->component;
    g->training = training;
    ids->pixels = mdldm__graph_input(g, "pixels", MDLDM_F32, n, s->resolution, s->resolution,
                                     c->ae.in_channels);
    ids->z = mdldm__graph_cast(g, mdldm__autoencoder_encode(g, c, ids->pixels), MDLDM_F32);
    mdldm__graph_name(g, ids->z, "z");
    mdldm__tensor book = mdldm__graph_param(g, "quantize.embedding.weight", 2, c->ae.num_vq_embeddings,
                                            c->ae.vq_embed_dim, 1, 1, MDLDM__INIT_UNIFORM, 0.0f);
    double commitment = o->codebook_weight * (o->legacy_beta ? 1.0 : o->commitment_beta);
    double to_codes = o->codebook_weight * (o->legacy_beta ? o->commitment_beta : 1.0);
    mdldm__vq_result q = mdldm__graph_vq(g, ids->z, book, (float)commitment,
                                         o->ema_codebook ? 0.0f : (float)to_codes);
    mdldm__graph_name(g, q.loss, "vq_loss");
    ids->codes = q.codes;
    ids->vq = q.loss;
    ids->reconstruction =
        mdldm__graph_cast(g, mdldm__autoencoder_decode(g, c, q.quantized), MDLDM_F32);
    ids->l1 = mdldm__graph_loss(g, ids->reconstruction, ids->pixels, MDLDM__NONE, MDLDM_LOSS_L1,
                                (float)o->l1_weight);
    ids->l2 = mdldm__graph_loss(g, ids->reconstruction, ids->pixels, MDLDM__NONE, MDLDM_LOSS_L2,
                                (float)o->l2_weight);
    ids->entropy = MDLDM__NONE;
    if (training && o->entropy_weight > 0.0)
        ids->entropy = mdldm__graph_vq_entropy(g, ids->z, book, (float)o->entropy_temperature,
                                               (float)o->entropy_weight, (float)-o->entropy_weight);
    const mdldm__tensor kept[] = {ids->l1, ids->l2, ids->vq, ids->entropy};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        mdldm__graph_output(g, kept[i]);
    mdldm__graph_output(g, training ? ids->z : ids->codes); /* for the start; for the report */
    if (!training)
        mdldm__graph_output(g, ids->reconstruction);
    ids->place = MDLDM__NONE;
    if (training) {
        mdldm__graph_backward(g, NULL, 0, NULL);
        mdldm__graph_recompute(g, t->options.gradient_checkpointing ? MDLDM__KEEP_SEGMENT_INPUTS
                                                                    : MDLDM__KEEP_COSTLY);
        ids->place = mdldm__vq_codebook_collect(t, &s->codebook, g, ids->z, ids->codes);
    }
    ids->seed = g->dropout_seed;
}

static mdldm_status compile(mdldm_trainer *t, vq_state *s, vq_graph *ids, int64_t n, int training,
                            mdldm_plan **plan)
{
    mdldm__graph g;
    mdldm__param *book = &t->component->params.items[s->codebook.param];
    const int32_t trainable = book->trainable;
    if (t->options.ema_codebook)
        book->trainable = 0; /* moved by its averages, not by gradients */
    mdldm__graph_init(&g, &t->ctx->env, &t->component->params, 0, t->options.bf16 ? MDLDM_BF16 : MDLDM_F32);
    describe(t, s, &g, ids, n, training);
    book->trainable = trainable;
    mdldm_status status = mdldm__trainer_compile(
        t, &g, !training && t->options.use_ema ? MDLDM_PLAN_EMA : 0, plan);
    mdldm__graph_free(&g);
    return status;
}

static mdldm_status prepare(mdldm_trainer *t)
{
    mdldm__env *env = &t->ctx->env;
    mdldm__component *c = t->component;
    if (c->kind != MDLDM__VQ_MODEL)
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                            "stage 1 trains a VQModel; this model's autoencoder is an AutoencoderKL, which is "
                            "loaded and run but not trained");
    const int64_t factor = mdldm__autoencoder_factor(&c->ae), resolution = mdldm__dataset_resolution(t->dataset);
    MDLDM__TRY(mdldm__check_data_channels(env, c, t->dataset));
    if (resolution % factor != 0)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "resolution is %lld: a multiple of the autoencoder's factor %lld is expected",
                            (long long)resolution, (long long)factor);
    vq_state *s = mdldm__calloc(&t->env, 1, sizeof *s);
    if (s == NULL)
        return mdldm__oom(env, "stage 1");
    t->stage_state = s;
    s->resolution = resolution;
    s->side = resolution / factor;
    s->width = c->ae.vq_embed_dim;
    MDLDM__TRY(mdldm__vq_codebook_open(t, &s->codebook, t->options.batch * cells(s)));
    const int64_t most = t->options.batch > t->options.eval_batch ? t->options.batch : t->options.eval_batch;
    const size_t pixels = (size_t)(most * resolution * resolution * c->ae.in_channels);
    s->images = mdldm__alloc(&t->env, pixels * sizeof *s->images);
    s->rebuilt = mdldm__alloc(&t->env, pixels * sizeof *s->rebuilt);
    s->latents = mdldm__alloc(&t->env, (size_t)(t->options.batch * cells(s) * s->width) * sizeof *s->latents);
    s->codes = mdldm__alloc(&t->env, (size_t)(t->options.eval_batch * cells(s)) * sizeof *s->codes);
    if (s->images == NULL || s->rebuilt == NULL || s->latents == NULL || s->codes == NULL)
        return mdldm__oom(env, "stage 1 buffers");
    MDLDM__TRY(mdldm__trainer_open_store(t));
    MDLDM__TRY(compile(t, s, &s->train, t->options.batch, 1, &t->train_plan));
    if (t->validation_count > 0)
        MDLDM__TRY(compile(t, s, &s->validation, t->options.eval_batch, 0, &t->validation_plan));
    MDLDM__TRY(mdldm__vq_codebook_prepare(t, &s->codebook));
    t->loader_workers = (int32_t)t->options.workers;
    return MDLDM_OK;
}

static void release(mdldm_trainer *t)
{
    vq_state *s = t->stage_state;
    if (s == NULL)
        return;
    mdldm__vq_codebook_close(&s->codebook);
    mdldm__free(&t->env, s->images);
    mdldm__free(&t->env, s->rebuilt);
    mdldm__free(&t->env, s->latents);
    mdldm__free(&t->env, s->codes);
    mdldm__free(&t->env, s);
    t->stage_state = NULL;
}

static mdldm_binding bind(mdldm__tensor tensor, int32_t dtype, void *data)
{
    return (mdldm_binding){.tensor = tensor, .dtype = dtype, .layout = MDLDM_LAYOUT_NHWC, .data = data};
}

typedef struct vq_losses {
    float l1, l2, vq, entropy[2];
} vq_losses;

/* Runs ids' plan on s->images as micro batch `micro` of the present step; latents: those of the batch, or NULL.
 * Validation gives s->codes and s->rebuilt. */
static mdldm_status run(mdldm_trainer *t, vq_state *s, const vq_graph *ids, mdldm_plan *plan, int64_t micro,
                        float *latents, vq_losses *losses)
{
    const uint64_t sample = (uint64_t)(t->global_step * t->options.accumulation + micro);
    mdldm_binding b[9];
    int32_t count = 0, seed[2], place[MDLDM__PLACE_WORDS];
    uint32_t words[2];
    mdldm__rng_words((uint64_t)t->options.seed, MDLDM__RNG_DROPOUT, sample, 0, words, 2);
    memcpy(seed, words, sizeof seed);
    memset(losses, 0, sizeof *losses);
    b[count++] = bind(ids->pixels, MDLDM_F32, s->images);
    if (ids->seed >= 0)
        b[count++] = bind(ids->seed, MDLDM_I32, seed);
    if (ids->place >= 0) {
        mdldm__vq_codebook_place(t, &s->codebook, micro, place);
        b[count++] = bind(ids->place, MDLDM_I32, place);
    }
    if (latents != NULL)
        b[count++] = bind(ids->z, MDLDM_F32, latents);
    b[count++] = bind(ids->l1, MDLDM_F32, &losses->l1);
    b[count++] = bind(ids->l2, MDLDM_F32, &losses->l2);
    b[count++] = bind(ids->vq, MDLDM_F32, &losses->vq);
    if (ids->entropy >= 0)
        b[count++] = bind(ids->entropy, MDLDM_F32, losses->entropy);
    if (ids->place < 0) {
        b[count++] = bind(ids->codes, MDLDM_I32, s->codes);
        b[count++] = bind(ids->reconstruction, MDLDM_F32, s->rebuilt);
    }
    MDLDM__TRY(mdldm__trainer_run(t, plan, b, count, 0));
    if (!isfinite(losses->l1) || !isfinite(losses->l2) || !isfinite(losses->vq) ||
        !isfinite(losses->entropy[0]) || !isfinite(losses->entropy[1]))
        return mdldm__trainer_name_layer(t, plan, b, count, "the loss");
    return MDLDM_OK;
}

/* k-means over the latents of the first batches, at least 4 a code, at most 16. */
static mdldm_status start(mdldm_trainer *t)
{
    vq_state *s = t->stage_state;
    mdldm__env *env = &t->ctx->env;
    if (!t->options.kmeans_start)
        return MDLDM_OK;
    const int64_t per_batch = t->options.batch * cells(s);
    const int64_t wanted = 4 * s->codebook.host.size;
    int64_t batches = (wanted + per_batch - 1) / per_batch;
    const int64_t epoch = (t->train_count + t->options.batch - 1) / t->options.batch;
    batches = batches > epoch ? epoch : batches;
    const int64_t all = batches * per_batch, most = 16 * s->codebook.host.size;
    const int64_t stride = all > most ? (all + most - 1) / most : 1;
    const int64_t kept = (all + stride - 1) / stride;
    float *points = mdldm__alloc(&t->env, (size_t)(kept * s->width) * sizeof *points);
    if (points == NULL)
        return mdldm__oom(env, "k-means start");
    mdldm_status status = MDLDM_OK;
    int64_t filled = 0, seen = 0;
    for (int64_t i = 0; status == MDLDM_OK && i < batches; i++) {
        vq_losses losses;
        status = mdldm__progress(env, "codebook", i, batches);
        if (status == MDLDM_OK)
            status = mdldm__loader_next(env, t->loader, s->images, NULL, NULL);
        if (status == MDLDM_OK)
            status = run(t, s, &s->train, t->train_plan, 0, s->latents, &losses);
        for (int64_t p = 0; status == MDLDM_OK && p < per_batch; p++, seen++)
            if (seen % stride == 0)
                memcpy(points + s->width * filled++, s->latents + p * s->width,
                       (size_t)s->width * sizeof *points);
    }
    if (status == MDLDM_OK)
        status = t->ctx->backend->store_zero_grad(t->store);
    if (status == MDLDM_OK &&
        mdldm__codebook_kmeans(&s->codebook.host, points, filled, 8, (uint64_t)t->options.seed) != MDLDM_OK)
        status = mdldm__oom(env, "k-means start");
    mdldm__free(&t->env, points);
    MDLDM__TRY(status);
    MDLDM__TRY(mdldm__vq_codebook_set(t, &s->codebook));
    mdldm__log(env, 2, "codebook started at %lld k-means centres of %lld latents", (long long)s->codebook.host.size,
               (long long)filled);
    return MDLDM_OK;
}

static mdldm_status micro(mdldm_trainer *t, int64_t index)
{
    vq_state *s = t->stage_state;
    const mdldm__train_options *o = &t->options;
    MDLDM__TRY(mdldm__loader_next(&t->ctx->env, t->loader, s->images, NULL, NULL));
    vq_losses l;
    MDLDM__TRY(run(t, s, &s->train, t->train_plan, index, NULL, &l));
    const double codebook = o->codebook_weight * (o->legacy_beta ? o->commitment_beta : 1.0);
    const double commitment = o->codebook_weight * (o->legacy_beta ? 1.0 : o->commitment_beta);
    double total = o->l1_weight * (double)l.l1 + o->l2_weight * (double)l.l2 + commitment * (double)l.vq +
                   (o->ema_codebook ? 0.0 : codebook * (double)l.vq) +
                   o->entropy_weight * ((double)l.entropy[0] - (double)l.entropy[1]);
    mdldm__trainer_metric_add(t, "loss", total);
    mdldm__trainer_metric_add(t, "loss_l1", (double)l.l1);
    mdldm__trainer_metric_add(t, "loss_l2", (double)l.l2);
    mdldm__trainer_metric_add(t, "loss_commitment", (double)l.vq);
    if (!o->ema_codebook)
        mdldm__trainer_metric_add(t, "loss_codebook", (double)l.vq);
    if (s->train.entropy >= 0) {
        mdldm__trainer_metric_add(t, "entropy_sample", (double)l.entropy[0]);
        mdldm__trainer_metric_add(t, "entropy_mean", (double)l.entropy[1]);
    }
    return MDLDM_OK;
}

static mdldm_status after_step(mdldm_trainer *t)
{
    return mdldm__vq_codebook_step(t, &((vq_state *)t->stage_state)->codebook);
}

static mdldm_status validate(mdldm_trainer *t)
{
    vq_state *s = t->stage_state;
    mdldm__env *env = &t->ctx->env;
    const int64_t batch = t->options.eval_batch, channels = t->component->ae.in_channels;
    const int64_t image = s->resolution * s->resolution * channels;
    double psnr = 0.0, ssim = 0.0, l1 = 0.0;
    mdldm__codebook_usage_clear(&s->codebook.host);
    for (int64_t first = 0; first < t->validation_count; first += batch) {
        const int64_t left = t->validation_count - first, n = left < batch ? left : batch;
        MDLDM__TRY(mdldm__progress(env, "validate", first, t->validation_count));
        for (int64_t i = 0; i < batch; i++) /* a short last batch is filled with its first image */
            MDLDM__TRY(mdldm__dataset_item(env, t->dataset, t->validation_items[first + (i < n ? i : 0)], -1,
                                           s->images + i * image));
        vq_losses losses;
        MDLDM__TRY(run(t, s, &s->validation, t->validation_plan, 0, NULL, &losses));
        mdldm__codebook_usage_add(&s->codebook.host, s->codes, n * cells(s));
        for (int64_t i = 0; i < n; i++) {
            double value;
            const float *a = s->images + i * image, *b = s->rebuilt + i * image;
            psnr += mdldm__psnr(a, b, (size_t)image, 2.0);
            if (s->resolution >= SSIM_WINDOW) {
                MDLDM__TRY(mdldm__ssim(env, a, b, s->resolution, s->resolution, channels, 2.0, &value));
                ssim += value;
            }
            double sum = 0.0;
            for (int64_t k = 0; k < image; k++)
                sum += fabs((double)a[k] - (double)b[k]);
            l1 += sum / (double)image;
        }
    }
    const double count = (double)t->validation_count;
    int64_t used;
    double perplexity;
    mdldm__codebook_usage_report(&s->codebook.host, &used, &perplexity);
    mdldm__trainer_metric_set(t, "val_psnr", psnr / count);
    if (s->resolution >= SSIM_WINDOW)
        mdldm__trainer_metric_set(t, "val_ssim", ssim / count);
    mdldm__trainer_metric_set(t, "val_l1", l1 / count);
    mdldm__trainer_metric_set(t, "val_codes_used", (double)used);
    mdldm__trainer_metric_set(t, "val_perplexity", perplexity);
    return MDLDM_OK;
}

static mdldm_status save_declare(mdldm_trainer *t, mdldm__st_writer *w)
{
    return mdldm__vq_codebook_save_declare(&((const vq_state *)t->stage_state)->codebook, w);
}

static mdldm_status save_data(mdldm_trainer *t, mdldm__st_writer *w)
{
    return mdldm__vq_codebook_save_data(t, &((vq_state *)t->stage_state)->codebook, w);
}

static mdldm_status load(mdldm_trainer *t, const mdldm__safetensors *st)
{
    return mdldm__vq_codebook_load(t, &((vq_state *)t->stage_state)->codebook, st);
}

const mdldm__stage_ops mdldm__stage_vq = {.name = "autoencoder",
                                          .prepare = prepare,
                                          .start = start,
                                          .micro = micro,
                                          .after_step = after_step,
                                          .validate = validate,
                                          .update_model = mdldm__measure_latent_scale,
                                          .save_declare = save_declare,
                                          .save_data = save_data,
                                          .load = load,
                                          .release = release};
