/* SPDX-License-Identifier: MIT */
#include "train/vq_codebook.h"

#include <math.h>
#include <string.h>

#include "api/runtime.h"
#include "util/rng.h"

enum { COUNTS, SUMS, AGE, TALLY, STATES };

static const int64_t most_places = (int64_t)1 << 24; /* uses are counted in floats */

static mdldm_param_desc entry(const char *name, int32_t rank, int64_t d0, int64_t d1)
{
    return (mdldm_param_desc){.name = name, .dims = {d0, d1, 1, 1}, .rank = rank};
}

mdldm_status mdldm__vq_codebook_open(mdldm_trainer *t, mdldm__vq_codebook *cb, int64_t places)
{
    const mdldm__component *c = t->component;
    const int64_t codes = c->ae.num_vq_embeddings, width = c->ae.vq_embed_dim;
    cb->param = mdldm__params_find(&c->params, "quantize.embedding.weight");
    if (places > most_places / t->options.accumulation)
        return mdldm__error(&t->ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "a step of %lld batches with %lld latents each has more than the %lld that a codebook's "
                            "update counts: a smaller train_batch_size is expected",
                            (long long)t->options.accumulation, (long long)places, (long long)most_places);
    cb->places = places * t->options.accumulation;
    cb->state[COUNTS] = entry("codebook.counts", 1, codes, 1);
    cb->state[SUMS] = entry("codebook.sums", 2, codes, width);
    cb->state[AGE] = entry("codebook.age", 1, codes, 1);
    cb->state[TALLY] = entry("codebook.tally", 2, codes, 2 * width + 2);
    t->state = cb->state;
    t->state_count = STATES;
    t->fixed_param = t->options.ema_codebook ? cb->param : -1;
    return mdldm__codebook_open(&t->env, codes, width, &cb->host) == MDLDM_OK ? MDLDM_OK
                                                                              : mdldm__oom(&t->ctx->env, "codebook");
}

void mdldm__vq_codebook_close(mdldm__vq_codebook *cb)
{
    mdldm__codebook_close(&cb->host);
}

static int32_t index_of(const mdldm_trainer *t, int state)
{
    return t->component->params.count + state;
}

static mdldm__tensor stored(const mdldm_trainer *t, const mdldm__vq_codebook *cb, mdldm__graph *g, int state, int32_t role)
{
    const mdldm_param_desc *d = &cb->state[state];
    return mdldm__graph_stored(g, d->name, role, index_of(t, state), d->dims[0], d->dims[1]);
}

mdldm__tensor mdldm__vq_codebook_collect(mdldm_trainer *t, const mdldm__vq_codebook *cb, mdldm__graph *g, mdldm__tensor z,
                                         mdldm__tensor codes)
{
    const mdldm__train_options *o = &t->options;
    const double decay = o->ema_codebook ? o->ema_codebook_decay : 1.0;
    mdldm__tensor place = mdldm__graph_input(g, "place", MDLDM_I32, 1, 1, 1, MDLDM__PLACE_WORDS);
    mdldm__tensor counts = stored(t, cb, g, COUNTS, MDLDM_ROLE_PARAM), sums = stored(t, cb, g, SUMS, MDLDM_ROLE_PARAM);
    mdldm__tensor tally = stored(t, cb, g, TALLY, MDLDM_ROLE_STATE);
    mdldm__graph_vq_collect(g, z, codes, place, counts, sums, tally, (float)decay, (float)(1.0 - decay));
    return place;
}

void mdldm__vq_codebook_place(const mdldm_trainer *t, const mdldm__vq_codebook *cb, int64_t micro,
                              int32_t place[MDLDM__PLACE_WORDS])
{
    const uint64_t step = (uint64_t)t->global_step + 1;
    uint32_t words[4];
    mdldm__rng_key((uint64_t)t->options.seed, MDLDM__RNG_CODEBOOK, words);
    words[2] = (uint32_t)step;
    words[3] = (uint32_t)(step >> 32);
    memcpy(place, words, sizeof words);
    place[4] = (int32_t)(micro * (cb->places / t->options.accumulation));
    place[5] = (int32_t)cb->places;
}

/* Averages from cb->host. */
static mdldm_status write_averages(mdldm_trainer *t, const mdldm__vq_codebook *cb)
{
    const mdldm_backend *backend = t->ctx->backend;
    MDLDM__TRY(backend->store_write(t->store, index_of(t, COUNTS), MDLDM_SLOT_VALUE, cb->host.counts));
    return backend->store_write(t->store, index_of(t, SUMS), MDLDM_SLOT_VALUE, cb->host.sums);
}

mdldm_status mdldm__vq_codebook_prepare(mdldm_trainer *t, mdldm__vq_codebook *cb)
{
    const mdldm__train_options *o = &t->options;
    mdldm__graph g;
    mdldm__graph_init(&g, &t->ctx->env, &t->component->params, 0, MDLDM_F32);
    mdldm__tensor tally = stored(t, cb, &g, TALLY, MDLDM_ROLE_PARAM);
    const mdldm__codebook_state state = {
        .codebook = mdldm__graph_stored(&g, "codebook", MDLDM_ROLE_STATE, cb->param, cb->host.size, cb->host.width),
        .counts = stored(t, cb, &g, COUNTS, MDLDM_ROLE_STATE),
        .sums = stored(t, cb, &g, SUMS, MDLDM_ROLE_STATE),
        .age = stored(t, cb, &g, AGE, MDLDM_ROLE_STATE)};
    cb->report = mdldm__graph_vq_update(&g, tally, &state, o->ema_codebook, (int32_t)o->restart_dead_codes);
    mdldm__graph_output(&g, cb->report);
    mdldm_status status = mdldm__trainer_compile(t, &g, 0, &t->step_plan);
    mdldm__graph_free(&g);
    MDLDM__TRY(status);
    MDLDM__TRY(t->ctx->backend->store_read(t->store, cb->param, MDLDM_SLOT_VALUE, cb->host.values));
    mdldm__codebook_ema_reset(&cb->host);
    return write_averages(t, cb);
}

mdldm_status mdldm__vq_codebook_set(mdldm_trainer *t, mdldm__vq_codebook *cb)
{
    const mdldm_backend *backend = t->ctx->backend;
    mdldm__codebook_ema_reset(&cb->host);
    MDLDM__TRY(backend->store_write(t->store, cb->param, MDLDM_SLOT_VALUE, cb->host.values));
    if (t->options.use_ema && !t->options.ema_codebook)
        MDLDM__TRY(backend->store_write(t->store, cb->param, MDLDM_SLOT_EMA, cb->host.values));
    return write_averages(t, cb);
}

mdldm_status mdldm__vq_codebook_step(mdldm_trainer *t, mdldm__vq_codebook *cb)
{
    float report[3] = {0};
    const mdldm_binding b = {.tensor = cb->report, .dtype = MDLDM_F32, .layout = MDLDM_LAYOUT_NHWC, .data = report};
    MDLDM__TRY(mdldm__trainer_run(t, t->step_plan, &b, 1, 0));
    mdldm__trainer_metric_set(t, "codes_used", (double)report[0]);
    mdldm__trainer_metric_set(t, "perplexity", exp((double)report[1]));
    mdldm__trainer_metric_set(t, "dead_codes", (double)report[2]);
    return MDLDM_OK;
}

/* ---- Checkpoints ---- */

mdldm_status mdldm__vq_codebook_save_declare(const mdldm__vq_codebook *cb, mdldm__st_writer *w)
{
    MDLDM__TRY(mdldm__st_writer_declare(w, "codebook.counts", MDLDM_F32, 1, cb->state[COUNTS].dims));
    MDLDM__TRY(mdldm__st_writer_declare(w, "codebook.sums", MDLDM_F32, 2, cb->state[SUMS].dims));
    return mdldm__st_writer_declare(w, "codebook.age", MDLDM_I32, 1, cb->state[AGE].dims);
}

mdldm_status mdldm__vq_codebook_save_data(mdldm_trainer *t, mdldm__vq_codebook *cb, mdldm__st_writer *w)
{
    const mdldm_backend *backend = t->ctx->backend;
    mdldm__codebook *h = &cb->host;
    MDLDM__TRY(backend->store_read(t->store, index_of(t, AGE), MDLDM_SLOT_VALUE, h->counts));
    for (int64_t k = 0; k < h->size; k++)
        h->age[k] = (int32_t)h->counts[k];
    MDLDM__TRY(backend->store_read(t->store, index_of(t, COUNTS), MDLDM_SLOT_VALUE, h->counts));
    MDLDM__TRY(backend->store_read(t->store, index_of(t, SUMS), MDLDM_SLOT_VALUE, h->sums));
    MDLDM__TRY(mdldm__st_writer_data(w, h->counts, (size_t)h->size * sizeof *h->counts));
    MDLDM__TRY(mdldm__st_writer_data(w, h->sums, (size_t)(h->size * h->width) * sizeof *h->sums));
    return mdldm__st_writer_data(w, h->age, (size_t)h->size * sizeof *h->age);
}

static mdldm_status load_array(mdldm_trainer *t, const mdldm__safetensors *st, const char *name, int32_t dtype,
                               void *out, size_t bytes)
{
    const mdldm__st_tensor *x = mdldm__safetensors_find(st, name);
    if (x == NULL || x->dtype != dtype || x->bytes != bytes)
        return mdldm__error(&t->ctx->env, MDLDM_ERROR_FORMAT,
                            "the checkpoint's %s is missing or of another size than this model's codebook", name);
    memcpy(out, x->data, bytes);
    return MDLDM_OK;
}

mdldm_status mdldm__vq_codebook_load(mdldm_trainer *t, mdldm__vq_codebook *cb, const mdldm__safetensors *st)
{
    mdldm__codebook *h = &cb->host;
    const size_t codes = (size_t)h->size;
    MDLDM__TRY(load_array(t, st, "codebook.age", MDLDM_I32, h->age, codes * sizeof *h->age));
    for (size_t k = 0; k < codes; k++)
        h->counts[k] = (float)h->age[k];
    MDLDM__TRY(t->ctx->backend->store_write(t->store, index_of(t, AGE), MDLDM_SLOT_VALUE, h->counts));
    MDLDM__TRY(load_array(t, st, "codebook.counts", MDLDM_F32, h->counts, codes * sizeof *h->counts));
    MDLDM__TRY(load_array(t, st, "codebook.sums", MDLDM_F32, h->sums, codes * (size_t)h->width * sizeof *h->sums));
    return write_averages(t, cb);
}
