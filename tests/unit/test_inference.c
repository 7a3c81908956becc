/* SPDX-License-Identifier: MIT
 * encode, quantize, predict, decode on the reference backend: arguments, parts of a batch, lifetimes,
 * cancelling, failing allocations. The numbers themselves are the golden tests' concern. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "api/inference.h"
#include "api/runtime.h"
#include "models/model.h"
#include "util/rng.h"
#include "../support/small_model.h"
#include "../support/temp_dir.h"
#include "../support/torture.h"

enum { SIDE = 16, CELLS = 8 * 8, PIXELS = 3 * SIDE * SIDE, LATENT = SMALL_CHANNELS * CELLS, MANY = 19 };

static mdldm_context *context(void)
{
    mdldm_context *ctx = NULL;
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    assert_int_equal(mdldm_context_use_backend(ctx, "reference"), MDLDM_OK);
    return ctx;
}

static mdldm_model *model(mdldm_context *ctx, const char *autoencoder, int classes)
{
    char *folder = temp_dir_make();
    mdldm_model *m;
    small_model_configs(folder, autoencoder);
    if (small_model_create(ctx, folder, classes, &m) != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(ctx));
    temp_dir_remove(folder);
    return m;
}

static float *noise(size_t count, uint64_t seed)
{
    float *x = malloc(count * sizeof *x);
    mdldm__rng_normal(seed, MDLDM__RNG_VALIDATION, 0, 0, x, count);
    return x;
}

static void near(const float *a, const float *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(a[i] - b[i] < 1e-5f && b[i] - a[i] < 1e-5f))
            fail_msg("element %zu: %g and %g", i, (double)a[i], (double)b[i]);
}

/* Image by image gives what the whole batch gives; 19 images are more than one part. */
static void a_batch_is_its_images(void **state)
{
    (void)state;
    const char *const kinds[] = {small_vq_config, small_kl_config};
    mdldm_context *ctx = context();
    float *pixels = noise(MANY * PIXELS, 1), *out = malloc(MANY * PIXELS * sizeof *out);
    float *latent = malloc(MANY * LATENT * sizeof *latent), one[PIXELS];
    assert_true(mdldm__images_per_part(MANY, SIDE * SIDE, 4) < MANY);
    for (int kind = 0; kind < 2; kind++) {
        mdldm_model *m = model(ctx, kinds[kind], 3);
        int64_t t[MANY], labels[MANY];
        for (int i = 0; i < MANY; i++) {
            t[i] = 50 * i;
            labels[i] = i % 4 - 1;
        }
        assert_int_equal(mdldm_encode(ctx, m, pixels, MANY, SIDE, SIDE, latent, MANY * LATENT), MDLDM_OK);
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(mdldm_encode(ctx, m, pixels + i * PIXELS, 1, SIDE, SIDE, one, LATENT), MDLDM_OK);
            near(latent + i * LATENT, one, LATENT);
        }
        assert_int_equal(mdldm_decode(ctx, m, latent, MANY, 8, 8, out, MANY * PIXELS), MDLDM_OK);
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(mdldm_decode(ctx, m, latent + i * LATENT, 1, 8, 8, one, PIXELS), MDLDM_OK);
            near(out + i * PIXELS, one, PIXELS);
        }
        assert_int_equal(mdldm_predict(ctx, m, latent, MANY, 8, 8, t, labels, out, MANY * LATENT), MDLDM_OK);
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(
                mdldm_predict(ctx, m, latent + i * LATENT, 1, 8, 8, t + i, labels + i, one, LATENT), MDLDM_OK);
            near(out + i * LATENT, one, LATENT);
        }
        mdldm_model_free(m);
    }
    free(latent);
    free(out);
    free(pixels);
    mdldm_context_free(ctx);
}

static void codes_and_latents_decode_alike(void **state)
{
    (void)state;
    mdldm_context *ctx = context();
    mdldm_model *m = model(ctx, small_vq_config, 0);
    /* A codebook as wide as the latents, so that more than one code is used. */
    int32_t index = mdldm__params_find(&m->autoencoder->params, "quantize.embedding.weight");
    float *book = noise(SMALL_CODES * SMALL_CHANNELS, 2), *latent = noise(MANY * LATENT, 3);
    assert_int_equal(mdldm__param_set(&m->autoencoder->params, index, book), MDLDM_OK);
    float *quantized = malloc(MANY * LATENT * sizeof *quantized);
    float *a = malloc(MANY * PIXELS * sizeof *a), *b = malloc(MANY * PIXELS * sizeof *b);
    int32_t *codes = malloc(MANY * CELLS * sizeof *codes);
    assert_int_equal(mdldm_quantize(ctx, m, latent, MANY, 8, 8, quantized, MANY * LATENT, codes, MANY * CELLS),
                     MDLDM_OK);
    int used[SMALL_CODES] = {0}, kinds = 0;
    for (int i = 0; i < MANY * CELLS; i++) {
        assert_in_range(codes[i], 0, SMALL_CODES - 1);
        kinds += used[codes[i]]++ == 0;
        for (int c = 0; c < SMALL_CHANNELS; c++) /* scaled back: times 0.5 */
            assert_float_equal(quantized[(i / CELLS * SMALL_CHANNELS + c) * CELLS + i % CELLS],
                               0.5f * book[codes[i] * SMALL_CHANNELS + c], 1e-6);
    }
    assert_true(kinds > 4);
    assert_int_equal(mdldm_decode(ctx, m, latent, MANY, 8, 8, a, MANY * PIXELS), MDLDM_OK);
    assert_int_equal(mdldm_decode_codes(ctx, m, codes, MANY, 8, 8, b, MANY * PIXELS), MDLDM_OK);
    near(a, b, MANY * PIXELS);
    /* Either output alone. */
    memset(quantized, 0, MANY * LATENT * sizeof *quantized);
    assert_int_equal(mdldm_quantize(ctx, m, latent, 1, 8, 8, quantized, LATENT, NULL, 0), MDLDM_OK);
    assert_int_equal(mdldm_quantize(ctx, m, latent, 1, 8, 8, NULL, 0, codes, CELLS), MDLDM_OK);
    assert_int_equal(mdldm_quantize(ctx, m, latent, 1, 8, 8, NULL, 0, NULL, 0), MDLDM_ERROR_INVALID_ARGUMENT);
    codes[5] = SMALL_CODES;
    assert_int_equal(mdldm_decode_codes(ctx, m, codes, 1, 8, 8, b, PIXELS), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_string_equal(mdldm_context_error(ctx), "codes[5] is 11, but must be in 0..10");
    free(codes), free(b), free(a), free(quantized), free(latent), free(book);
    mdldm_model_free(m);
    mdldm_context_free(ctx);
}

#define EXPECT(call, status, part)                                                                    \
    do {                                                                                              \
        mdldm_status got = (call);                                                                    \
        if (got != (status) || strstr(mdldm_context_error(ctx), part) == NULL)                        \
            fail_msg("%s: %s, \"%s\"", #call, mdldm_status_name(got), mdldm_context_error(ctx));      \
        for (size_t k = 0; k < PIXELS; k++)                                                           \
            assert_float_equal(out[k], 7.0f, 0);                                                      \
    } while (0)

/* Each wrong argument has its sentence, and the outputs stay as they were. */
static void wrong_arguments(void **state)
{
    (void)state;
    const mdldm_status invalid = MDLDM_ERROR_INVALID_ARGUMENT;
    mdldm_context *ctx = context();
    mdldm_model *m = model(ctx, small_vq_config, 3), *kl = model(ctx, small_kl_config, 0);
    float *in = noise(PIXELS, 1), out[PIXELS];
    int64_t t[1] = {5}, label[1] = {0};
    for (size_t k = 0; k < PIXELS; k++)
        out[k] = 7.0f;
    assert_int_equal(mdldm_encode(NULL, m, in, 1, 16, 16, out, PIXELS), invalid);
    EXPECT(mdldm_encode(ctx, NULL, in, 1, 16, 16, out, PIXELS), invalid, "the model is NULL");
    EXPECT(mdldm_encode(ctx, m, NULL, 1, 16, 16, out, PIXELS), invalid, "pixels is NULL");
    EXPECT(mdldm_encode(ctx, m, in, 1, 16, 16, NULL, PIXELS), invalid, "latent is NULL");
    EXPECT(mdldm_encode(ctx, m, in, 0, 16, 16, out, PIXELS), invalid, "n is 0");
    EXPECT(mdldm_encode(ctx, m, in, -1, 16, 16, out, PIXELS), invalid, "n is -1");
    EXPECT(mdldm_encode(ctx, m, in, 1, 0, 16, out, PIXELS), invalid, "height is 0");
    EXPECT(mdldm_encode(ctx, m, in, 1, 16, 70000, out, PIXELS), invalid, "width is 70000");
    EXPECT(mdldm_encode(ctx, m, in, 1, 15, 16, out, PIXELS), invalid, "multiples of 2");
    EXPECT(mdldm_encode(ctx, m, in, 1, 16, 16, out, LATENT - 1), MDLDM_ERROR_CAPACITY, "room for 191");
    EXPECT(mdldm_encode(ctx, m, in, 1 << 24, 65536, 65536, out, PIXELS), MDLDM_ERROR_CAPACITY, "latent");
    EXPECT(mdldm_decode(ctx, m, NULL, 1, 8, 8, out, PIXELS), invalid, "latent is NULL");
    EXPECT(mdldm_decode(ctx, m, in, 1, 8, 8, NULL, PIXELS), invalid, "pixels is NULL");
    EXPECT(mdldm_decode(ctx, m, in, 1, 8, 8, out, PIXELS - 1), MDLDM_ERROR_CAPACITY, "room for 767");
    EXPECT(mdldm_decode(ctx, m, in, 1, -8, 8, out, PIXELS), invalid, "h is -8");
    EXPECT(mdldm_quantize(ctx, m, NULL, 1, 8, 8, out, PIXELS, NULL, 0), invalid, "latent is NULL");
    EXPECT(mdldm_quantize(ctx, m, in, 1, 8, 8, out, 5, NULL, 0), MDLDM_ERROR_CAPACITY, "quantized");
    EXPECT(mdldm_quantize(ctx, kl, in, 1, 8, 8, out, PIXELS, NULL, 0), MDLDM_ERROR_UNSUPPORTED, "AutoencoderKL");
    EXPECT(mdldm_decode_codes(ctx, m, NULL, 1, 8, 8, out, PIXELS), invalid, "codes is NULL");
    EXPECT(mdldm_predict(ctx, m, NULL, 1, 8, 8, t, label, out, PIXELS), invalid, "latent is NULL");
    EXPECT(mdldm_predict(ctx, m, in, 1, 8, 8, NULL, label, out, PIXELS), invalid, "timesteps is NULL");
    EXPECT(mdldm_predict(ctx, m, in, 1, 8, 8, t, label, NULL, PIXELS), invalid, "output is NULL");
    EXPECT(mdldm_predict(ctx, m, in, 1, 7, 8, t, label, out, PIXELS), invalid, "multiples of 2");
    EXPECT(mdldm_predict(ctx, m, in, 1, 8, 8, t, label, out, 5), MDLDM_ERROR_CAPACITY, "output");
    EXPECT(mdldm_predict(ctx, m, in, 1, 8, 8, t, NULL, out, PIXELS), invalid, "labels is NULL");
    t[0] = 1000;
    EXPECT(mdldm_predict(ctx, m, in, 1, 8, 8, t, label, out, PIXELS), invalid, "timesteps[0] is 1000");
    t[0] = -1;
    EXPECT(mdldm_predict(ctx, m, in, 1, 8, 8, t, label, out, PIXELS), invalid, "timesteps[0] is -1");
    t[0] = 5;
    label[0] = 3;
    EXPECT(mdldm_predict(ctx, m, in, 1, 8, 8, t, label, out, PIXELS), invalid, "labels[0] is 3, but must be in -1..2");
    label[0] = -2;
    EXPECT(mdldm_predict(ctx, m, in, 1, 8, 8, t, label, out, PIXELS), invalid, "labels[0] is -2");
    label[0] = 0;
    EXPECT(mdldm_predict(ctx, kl, in, 1, 8, 8, t, label, out, PIXELS), invalid, "has no classes");
    json_object_del(m->extra, "null_class"); /* as a model trained without label dropout */
    label[0] = -1;
    EXPECT(mdldm_predict(ctx, m, in, 1, 8, 8, t, label, out, PIXELS), invalid, "without label dropout");
    /* A model of one part. */
    mdldm__component *unet = kl->unet;
    kl->unet = NULL;
    EXPECT(mdldm_predict(ctx, kl, in, 1, 8, 8, t, NULL, out, PIXELS), MDLDM_ERROR_NOT_FOUND, "no UNet");
    kl->unet = unet;
    free(in);
    mdldm_model_free(kl);
    mdldm_model_free(m);
    mdldm_context_free(ctx);
}

typedef struct stopper {
    int calls;
    int stop_at;
} stopper;

static int32_t stop_sometime(void *user, const char *stage, int64_t done, int64_t total)
{
    stopper *s = user;
    assert_string_equal(stage, "encode");
    assert_true(done >= 1 && done <= total && total == MANY);
    return ++s->calls == s->stop_at;
}

static void cancelling(void **state)
{
    (void)state;
    mdldm_context *ctx = context();
    mdldm_model *m = model(ctx, small_vq_config, 0);
    float *pixels = noise(MANY * PIXELS, 1), *latent = calloc(MANY * LATENT, sizeof *latent);
    stopper s = {0, 2};
    mdldm_context_set_progress(ctx, stop_sometime, &s);
    assert_int_equal(mdldm_encode(ctx, m, pixels, MANY, SIDE, SIDE, latent, MANY * LATENT),
                     MDLDM_ERROR_CANCELLED);
    assert_int_equal(s.calls, 2);
    for (int i = 0; i < MANY * LATENT; i++)
        assert_float_equal(latent[i], 0.0f, 0);
    mdldm_context_set_progress(ctx, NULL, NULL);
    mdldm_context_cancel(ctx);
    assert_int_equal(mdldm_encode(ctx, m, pixels, 1, SIDE, SIDE, latent, LATENT), MDLDM_ERROR_CANCELLED);
    assert_int_equal(mdldm_encode(ctx, m, pixels, 1, SIDE, SIDE, latent, LATENT), MDLDM_OK); /* asked once */
    free(latent);
    free(pixels);
    mdldm_model_free(m);
    mdldm_context_free(ctx);
}

/* Models and contexts go in any order; several of both share each other. */
static void lifetimes(void **state)
{
    (void)state;
    float *pixels = noise(PIXELS, 1), first[LATENT], second[LATENT];
    for (int order = 0; order < 4; order++) {
        mdldm_context *a = context(), *b = context();
        mdldm_model *m = model(a, small_vq_config, 0), *k = model(b, small_kl_config, 0);
        assert_int_equal(mdldm_encode(a, m, pixels, 1, SIDE, SIDE, first, LATENT), MDLDM_OK);
        assert_int_equal(mdldm_encode(b, m, pixels, 1, SIDE, SIDE, second, LATENT), MDLDM_OK);
        assert_memory_equal(first, second, sizeof first);
        assert_int_equal(mdldm_encode(a, k, pixels, 1, SIDE, SIDE, second, LATENT), MDLDM_OK);
        mdldm_model_retain(m);
        mdldm_model_free(m);
        /* Another device: what was made for the old one is gone. */
        assert_int_equal(mdldm_context_set_threads(a, 1 + order % 2), MDLDM_OK);
        assert_int_equal(mdldm_encode(a, m, pixels, 1, SIDE, SIDE, second, LATENT), MDLDM_OK);
        assert_memory_equal(first, second, sizeof first);
        if (order & 1)
            mdldm_context_free(a);
        mdldm_model_free(m);
        if (order & 2)
            mdldm_context_free(b);
        mdldm_model_free(k);
        if (!(order & 1))
            mdldm_context_free(a);
        if (!(order & 2))
            mdldm_context_free(b);
    }
    free(pixels);
}

/* Weights that change are seen after drop_component; more sizes than plans are kept still work. */
static void plans_follow_the_weights(void **state)
{
    (void)state;
    mdldm_context *ctx = context();
    mdldm_model *m = model(ctx, small_vq_config, 0);
    float *pixels = noise(24 * 24 * 3, 1), before[LATENT], after[24 * 24];
    assert_int_equal(mdldm_encode(ctx, m, pixels, 1, SIDE, SIDE, before, LATENT), MDLDM_OK);
    for (int side = 2; side <= 24; side += 2)
        assert_int_equal(mdldm_encode(ctx, m, pixels, 1, side, side, after, 24 * 24), MDLDM_OK);
    assert_int_equal(mdldm_encode(ctx, m, pixels, 1, SIDE, SIDE, after, LATENT), MDLDM_OK);
    assert_memory_equal(before, after, sizeof before);
    int32_t bias = mdldm__params_find(&m->autoencoder->params, "quant_conv.bias");
    float moved[SMALL_CHANNELS];
    mdldm__param_get(&m->autoencoder->params.items[bias], moved);
    for (int c = 0; c < SMALL_CHANNELS; c++)
        moved[c] += 2.0f;
    assert_int_equal(mdldm__param_set(&m->autoencoder->params, bias, moved), MDLDM_OK);
    mdldm__runtime_drop_component(m->autoencoder);
    assert_int_equal(mdldm_encode(ctx, m, pixels, 1, SIDE, SIDE, after, LATENT), MDLDM_OK);
    for (int i = 0; i < LATENT; i++) /* times the scale, 0.5 */
        assert_float_equal(after[i], before[i] + 1.0f, 1e-5);
    free(pixels);
    mdldm_model_free(m);
    mdldm_context_free(ctx);
}

typedef struct worker {
    mdldm_context *ctx;
    const mdldm_model *shared;
    const float *pixels, *expected;
    int wrong;
} worker;

static void *encode_many(void *argument)
{
    worker *w = argument;
    float latent[LATENT];
    for (int i = 0; i < 30; i++)
        w->wrong += mdldm_encode(w->ctx, w->shared, w->pixels, 1, SIDE, SIDE, latent, LATENT) != MDLDM_OK ||
                    memcmp(latent, w->expected, sizeof latent) != 0;
    return NULL;
}

/* A model shared by two threads while a third one's models come and go on the same contexts. */
static void threads_share_a_model(void **state)
{
    (void)state;
    mdldm_context *a = context(), *b = context();
    mdldm_model *m = model(a, small_vq_config, 0), *gone[8];
    float *pixels = noise(PIXELS, 1), expected[LATENT], latent[LATENT];
    assert_int_equal(mdldm_encode(a, m, pixels, 1, SIDE, SIDE, expected, LATENT), MDLDM_OK);
    for (int i = 0; i < 8; i++) {
        gone[i] = model(a, small_vq_config, 0);
        assert_int_equal(mdldm_encode(a, gone[i], pixels, 1, SIDE, SIDE, latent, LATENT), MDLDM_OK);
        assert_int_equal(mdldm_encode(b, gone[i], pixels, 1, SIDE, SIDE, latent, LATENT), MDLDM_OK);
    }
    worker w[2] = {{a, m, pixels, expected, 0}, {b, m, pixels, expected, 0}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, encode_many, &w[i]), 0);
    for (int i = 0; i < 8; i++)
        mdldm_model_free(gone[i]); /* waits for what runs just now on a and b */
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(w[i].wrong, 0);
    }
    free(pixels);
    mdldm_model_free(m);
    mdldm_context_free(b);
    mdldm_context_free(a);
}

/* What a torture scenario goes through; saving costs real fsyncs, so it has a run of its own. */
typedef struct torture_plan {
    const char *folder;
    int saves;
} torture_plan;

static mdldm_status save_and_load(mdldm_context *ctx, const char *folder, const mdldm_model *m)
{
    mdldm_model *again = NULL;
    mdldm_status status = mdldm_model_save(ctx, m, temp_path(folder, "saved"));
    if (status == MDLDM_OK)
        status = mdldm_model_load(ctx, temp_path(folder, "saved"), &again);
    mdldm_model_free(again);
    return status;
}

static mdldm_status encode_predict_decode(mdldm_context *ctx, const mdldm_model *m)
{
    float *pixels = noise(2 * PIXELS, 1), latent[2 * LATENT], out[2 * PIXELS];
    int64_t t[2] = {3, 700}, labels[2] = {1, -1};
    mdldm_status status = mdldm_encode(ctx, m, pixels, 2, SIDE, SIDE, latent, 2 * LATENT);
    if (status == MDLDM_OK)
        status = mdldm_predict(ctx, m, latent, 2, 8, 8, t, labels, out, 2 * LATENT);
    if (status == MDLDM_OK)
        status = mdldm_decode(ctx, m, latent, 1, 8, 8, out, PIXELS);
    free(pixels);
    return status;
}

static mdldm_status use_all(mdldm_context *ctx, const torture_plan *plan, char *sentence)
{
    mdldm_model *m = NULL;
    mdldm_status status = mdldm_context_use_backend(ctx, "reference");
    if (status == MDLDM_OK)
        status = small_model_create(ctx, plan->folder, 2, &m);
    if (status == MDLDM_OK)
        status = plan->saves ? save_and_load(ctx, plan->folder, m) : encode_predict_decode(ctx, m);
    if (status != MDLDM_OK)
        snprintf(sentence, 1024, "%s", mdldm_context_error(ctx));
    mdldm_model_free(m);
    return status;
}

static mdldm_status scenario(torture *t, void *user, char sentence[1024])
{
    mdldm_context *ctx = NULL;
    mdldm_status status = mdldm_context_create_with(torture_resize, t, &ctx);
    if (status == MDLDM_OK)
        status = use_all(ctx, user, sentence);
    else
        snprintf(sentence, 1024, "out of memory: there is no context to ask");
    mdldm_context_free(ctx);
    return status;
}

static void each_allocation_fails(void **state)
{
    (void)state;
    char *folder = temp_dir_make();
    small_model_configs(folder, small_vq_config);
    torture_plan run = {folder, 0}, save = {folder, 1};
    assert_true(torture_run("create and run", scenario, &run, 400) > 1000);
    assert_true(torture_run("create, save and load", scenario, &save, 60) > 1000);
    temp_dir_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_its_images),    cmocka_unit_test(codes_and_latents_decode_alike),
        cmocka_unit_test(wrong_arguments),          cmocka_unit_test(cancelling),
        cmocka_unit_test(lifetimes),                cmocka_unit_test(plans_follow_the_weights),
        cmocka_unit_test(threads_share_a_model),    cmocka_unit_test(each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
