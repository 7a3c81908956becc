/* SPDX-License-Identifier: MIT
 * Two threads, each with a context of its own, and one model: encoding, predicting, decoding and generating at the
 * same time gives to the bit what one thread alone gets. `make tsan` runs this under ThreadSanitizer. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../support/backend_list.h"
#include "../support/small_model.h"
#include "../support/temp_dir.h"

enum { SIDE = 16, PIXELS = 3 * SIDE * SIDE, LATENT = SMALL_CHANNELS * 8 * 8, ROUNDS = 6 };

typedef struct results {
    float latent[LATENT], noise[LATENT], decoded[PIXELS], generated[PIXELS];
    char scale[40], name[40];
} results;

typedef struct worker {
    const char *backend;
    mdldm_model *m;
    const results *expected;
    results got;
    char failure[1200];
    int wrong;
} worker;

static mdldm_status use(mdldm_context *ctx, mdldm_model *m, results *r)
{
    mdldm_sampler *s = NULL;
    mdldm_options *o = NULL;
    float pixels[PIXELS];
    const int64_t timestep = 500, label = 1;
    const char *text = "";
    double scale = 0.0;
    for (int i = 0; i < PIXELS; i++)
        pixels[i] = (float)(i % 23) / 11.0f - 1.0f;
    mdldm_status status = mdldm_encode(ctx, m, pixels, 1, SIDE, SIDE, r->latent, LATENT);
    if (status == MDLDM_OK)
        status = mdldm_predict(ctx, m, r->latent, 1, 8, 8, &timestep, &label, r->noise, LATENT);
    if (status == MDLDM_OK)
        status = mdldm_decode(ctx, m, r->latent, 1, 8, 8, r->decoded, PIXELS);
    if (status == MDLDM_OK)
        status = mdldm_options_create(ctx, &o);
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(ctx, o, "num_inference_steps", 2);
    if (status == MDLDM_OK)
        status = mdldm_sampler_create(ctx, m, o, &s);
    if (status == MDLDM_OK)
        status = mdldm_generate(ctx, s, 1, SIDE, SIDE, &label, 3, r->generated, PIXELS);
    if (status == MDLDM_OK)
        status = mdldm_model_get_double(ctx, m, "scaling_factor", &scale);
    if (status == MDLDM_OK)
        status = mdldm_model_get_string(ctx, m, "unet_class", &text);
    snprintf(r->scale, sizeof r->scale, "%.9g", scale);
    snprintf(r->name, sizeof r->name, "%s", text);
    mdldm_sampler_free(s);
    mdldm_options_free(o);
    return status;
}

static void *work(void *argument)
{
    worker *w = argument;
    mdldm_context *ctx = NULL;
    if (mdldm_context_create(&ctx) != MDLDM_OK || mdldm_context_use_backend(ctx, w->backend) != MDLDM_OK ||
        mdldm_context_set_threads(ctx, 2) != MDLDM_OK)
        snprintf(w->failure, sizeof w->failure, "%s", mdldm_context_error(ctx));
    for (int i = 0; i < ROUNDS && w->failure[0] == '\0'; i++) {
        memset(&w->got, 0, sizeof w->got);
        if (use(ctx, w->m, &w->got) != MDLDM_OK)
            snprintf(w->failure, sizeof w->failure, "%s", mdldm_context_error(ctx));
        else
            w->wrong += memcmp(&w->got, w->expected, sizeof w->got) != 0;
    }
    mdldm_context_free(ctx);
    mdldm_model_free(w->m);
    return NULL;
}

static void two_contexts_and_one_model(void **state)
{
    (void)state;
    const mdldm_backend *list[MOST_BACKENDS];
    const int count = backend_list(list);
    char *folder = temp_dir_make();
    for (int b = 0; b < count; b++) {
        static results expected;
        mdldm_context *ctx;
        mdldm_model *m;
        assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
        assert_int_equal(mdldm_context_use_backend(ctx, list[b]->name), MDLDM_OK);
        small_model_configs(folder, small_vq_config);
        assert_int_equal(small_model_create(ctx, folder, 2, &m), MDLDM_OK);
        memset(&expected, 0, sizeof expected);
        if (use(ctx, m, &expected) != MDLDM_OK)
            fail_msg("%s", mdldm_context_error(ctx));
        static worker w[2];
        pthread_t threads[2];
        for (int i = 0; i < 2; i++) {
            mdldm_model_retain(m); /* for the thread */
            w[i] = (worker){.backend = list[b]->name, .m = m, .expected = &expected};
            assert_int_equal(pthread_create(&threads[i], NULL, work, &w[i]), 0);
        }
        mdldm_model_free(m);
        mdldm_context_free(ctx);
        for (int i = 0; i < 2; i++) {
            pthread_join(threads[i], NULL);
            if (w[i].failure[0] != '\0')
                fail_msg("%s: %s", list[b]->name, w[i].failure);
            assert_int_equal(w[i].wrong, 0);
        }
    }
    temp_dir_remove(folder);
}

int main(void)
{
    backend_divide_all();
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_contexts_and_one_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
