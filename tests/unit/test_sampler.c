/* SPDX-License-Identifier: MIT
 * The sampler on a tiny random model: noise by image index, guidance, refusals, NaN, cancelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mdldm/mdldm.h"
#include "models/model.h"
#include "../support/options_text.h"
#include "../support/torture.h"

enum { SIDE = 32, LATENT = 8, EACH = 3 * LATENT * LATENT, PIXELS = 3 * SIDE * SIDE };

static mdldm_context *ctx;
static mdldm_model *model; /* three persons and the unconditional row */

#define OK(expression)                                          \
    do {                                                        \
        if ((expression) != MDLDM_OK)                           \
            fail_msg("%s: %s", #expression, mdldm_context_error(ctx)); \
    } while (0)

static void assert_refused(mdldm_status got, mdldm_status wanted, const char *says)
{
    if (got != wanted || strstr(mdldm_context_error(ctx), says) == NULL)
        fail_msg("status %d, \"%s\", expected %d and \"%s\"", (int)got, mdldm_context_error(ctx), (int)wanted,
                 says);
}

/* settings: "key=value key=value ..." */
static mdldm_model *make_model(const char *settings)
{
    mdldm_options *options = options_from_text(ctx, settings);
    mdldm_model *m;
    OK(mdldm_model_create(ctx, options, &m));
    mdldm_options_free(options);
    return m;
}

static mdldm_status try_sampler(mdldm_model *m, const char *settings, mdldm_sampler **out)
{
    mdldm_options *options = options_from_text(ctx, settings);
    mdldm_status status = mdldm_sampler_create(ctx, m, options, out);
    mdldm_options_free(options);
    return status;
}

static mdldm_sampler *make_sampler(const char *settings)
{
    mdldm_sampler *s;
    OK(try_sampler(model, settings, &s));
    return s;
}

static double largest_difference(const float *a, const float *b, size_t count)
{
    double worst = 0.0;
    for (size_t i = 0; i < count; i++)
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    return worst;
}

static void noise_depends_on_the_image_index_alone(void **state)
{
    (void)state;
    float three[3 * EACH], one[EACH];
    mdldm_sampler *s = make_sampler("seed=7 scheduler=euler timestep_spacing=linspace num_inference_steps=3");
    OK(mdldm_sampler_noise(ctx, s, 3, LATENT, LATENT, 10, three, 3 * EACH));
    OK(mdldm_sampler_noise(ctx, s, 1, LATENT, LATENT, 12, one, EACH));
    assert_memory_equal(three + 2 * EACH, one, sizeof one);
    assert_true(largest_difference(three, one, EACH) > 1.0);
    /* Euler starts at its largest sigma: 157 for the linear schedule. */
    double square = 0.0;
    for (int i = 0; i < 3 * EACH; i++)
        square += (double)three[i] * three[i];
    assert_true(fabs(sqrt(square / (3 * EACH)) / 157.4 - 1.0) < 0.1);
    mdldm_sampler_free(s);
}

/* Observed: bit for bit with the reference backend. */
static void images_do_not_depend_on_their_batch(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "seed=3 scheduler=ddpm num_inference_steps=3",
        "seed=3 scheduler=dpmsolver-sde num_inference_steps=4 guidance_scale=2",
        "seed=3 scheduler=ddim num_inference_steps=3 eta=1",
        "seed=3 scheduler=pndm num_inference_steps=4",
    };
    const int64_t labels[3] = {2, 0, -1};
    float together[3 * PIXELS], alone[PIXELS];
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        mdldm_sampler *s = make_sampler(settings[i]);
        OK(mdldm_generate(ctx, s, 3, SIDE, SIDE, labels, 5, together, 3 * PIXELS));
        for (int k = 0; k < 3; k++) {
            OK(mdldm_generate(ctx, s, 1, SIDE, SIDE, &labels[k], 5 + k, alone, PIXELS));
            assert_true(largest_difference(together + k * PIXELS, alone, PIXELS) <= 1e-5);
        }
        mdldm_sampler_free(s);
    }
}

static void guidance_mixes_two_predictions(void **state)
{
    (void)state;
    const int64_t labels[2] = {1, 2}, none[2] = {-1, -1};
    float latent[2 * EACH], by_hand[2 * EACH], with[2 * EACH], without[2 * EACH];
    mdldm_sampler *s = make_sampler("scheduler=ddim num_inference_steps=5 guidance_scale=3.5");
    assert_int_equal(mdldm_sampler_steps(s), 5);
    OK(mdldm_sampler_noise(ctx, s, 2, LATENT, LATENT, 0, latent, 2 * EACH));
    memcpy(by_hand, latent, sizeof latent);
    const int64_t t[2] = {800, 800};
    assert_true(mdldm_sampler_timestep(s, 0) == 800.0);
    OK(mdldm_predict(ctx, model, latent, 2, LATENT, LATENT, t, labels, with, 2 * EACH));
    OK(mdldm_predict(ctx, model, latent, 2, LATENT, LATENT, t, none, without, 2 * EACH));
    assert_true(largest_difference(with, without, 2 * EACH) > 1e-6);
    for (int i = 0; i < 2 * EACH; i++)
        with[i] = without[i] + 3.5f * (with[i] - without[i]);
    OK(mdldm_denoise_step(ctx, s, latent, 2, LATENT, LATENT, labels, 0, 0));
    OK(mdldm_scheduler_step(ctx, s, with, by_hand, 2, LATENT, LATENT, 0, 0, NULL));
    assert_true(largest_difference(latent, by_hand, 2 * EACH) <= 1e-6);
    mdldm_sampler_free(s);
}

static void given_noise_takes_the_samplers_place(void **state)
{
    (void)state;
    float start[EACH], a[EACH], b[EACH], output[EACH], noise[EACH];
    mdldm_sampler *s = make_sampler("scheduler=ddpm num_inference_steps=5 clip_sample=no");
    OK(mdldm_sampler_noise(ctx, s, 1, LATENT, LATENT, 0, start, EACH));
    for (int i = 0; i < EACH; i++) {
        output[i] = 0.3f * start[i];
        noise[i] = 0.0f;
    }
    memcpy(a, start, sizeof a);
    memcpy(b, start, sizeof b);
    OK(mdldm_scheduler_step(ctx, s, output, a, 1, LATENT, LATENT, 0, 1, noise));
    OK(mdldm_scheduler_step(ctx, s, output, b, 1, LATENT, LATENT, 0, 1, NULL));
    double square = 0.0;
    for (int i = 0; i < EACH; i++)
        square += (double)(b[i] - a[i]) * (b[i] - a[i]);
    assert_true(sqrt(square / EACH) > 0.3); /* the deviation of step 1 of 5 is about 0.9 */
    /* Another image, another noise; the same image, the same. */
    float c[EACH], d[EACH];
    memcpy(c, start, sizeof c);
    memcpy(d, start, sizeof d);
    OK(mdldm_scheduler_step(ctx, s, output, c, 1, LATENT, LATENT, 1, 1, NULL));
    OK(mdldm_scheduler_step(ctx, s, output, d, 1, LATENT, LATENT, 0, 1, NULL));
    assert_true(largest_difference(b, c, EACH) > 0.1);
    assert_memory_equal(b, d, sizeof b);
    mdldm_sampler_free(s);
}

static void options_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *says;
    } bad[] = {
        {"scheduler=ddpm eta=0.5", "eta is 0.5"},
        {"scheduler=euler_ancestral use_karras_sigmas=yes", "use_karras_sigmas"},
        {"scheduler=euler clip_sample=yes", "clip_sample"},
        {"scheduler=ddim solver_order=2", "solver_order is 2"},
        {"scheduler=ddpm num_inference_steps=1001", "1..1000"},
        {"scheduler=dpmsolver++ num_inference_steps=1000", "twice"},
        {"scheduler=pndm num_inference_steps=2", "at least 4"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mdldm_sampler *s = (mdldm_sampler *)ctx;
        assert_refused(try_sampler(model, bad[i].settings, &s), MDLDM_ERROR_INVALID_ARGUMENT, bad[i].says);
        assert_null(s);
    }
    /* What does fit: "no" where there is nothing to switch off. */
    mdldm_sampler_free(make_sampler("scheduler=euler clip_sample=no num_inference_steps=10"));
    mdldm_sampler_free(make_sampler("scheduler=dpmsolver++ solver_order=3 use_karras_sigmas=yes "
                                    "timestep_spacing=trailing num_inference_steps=10"));
    mdldm_sampler *stored = make_sampler("scheduler=model num_inference_steps=10");
    assert_true(mdldm_sampler_timestep(stored, 0) == 900.0);
    assert_true(mdldm_sampler_timestep(stored, 10) == -1.0);
    mdldm_sampler_free(stored);
    assert_int_equal(mdldm_sampler_steps(NULL), 0);
    mdldm_sampler_free(NULL);
}

static void unfit_models_are_refused(void **state)
{
    (void)state;
    mdldm_sampler *s;
    mdldm_model *plain = make_model("preset=tiny resolution=32 num_classes=3 label_dropout=0");
    assert_refused(try_sampler(plain, "guidance_scale=2", &s), MDLDM_ERROR_INVALID_ARGUMENT, "guidance_scale is 2");
    mdldm_model_free(plain);
    mdldm_model *autoencoder = make_model("preset=tiny resolution=32 components=autoencoder");
    assert_refused(try_sampler(autoencoder, "", &s), MDLDM_ERROR_NOT_FOUND, "no UNet");
    mdldm_model_free(autoencoder);
    mdldm_model *unet = make_model("preset=tiny resolution=32 components=unet");
    /* Default steps, 1000, shrink to a shorter training; an explicit number does not. */
    assert_int_equal(json_object_set_new(unet->scheduler, "num_train_timesteps", json_integer(50)), 0);
    assert_refused(try_sampler(unet, "num_inference_steps=51", &s), MDLDM_ERROR_INVALID_ARGUMENT, "1..50");
    OK(try_sampler(unet, "", &s));
    assert_int_equal(mdldm_sampler_steps(s), 50);
    float pixels[PIXELS];
    assert_refused(mdldm_generate(ctx, s, 1, SIDE, SIDE, NULL, 0, pixels, PIXELS), MDLDM_ERROR_NOT_FOUND,
                   "autoencoder");
    mdldm_sampler_free(s);
    assert_int_equal(json_object_set_new(unet->scheduler, "beta_schedule", json_string("exp")), 0);
    assert_refused(try_sampler(unet, "", &s), MDLDM_ERROR_UNSUPPORTED, "'beta_schedule': 'exp'");
    mdldm_model_free(unet);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    static float latent[EACH], pixels[PIXELS];
    const int64_t label = 1, wrong = 3;
    mdldm_sampler *s = make_sampler("scheduler=lms num_inference_steps=4");
    const mdldm_status invalid = MDLDM_ERROR_INVALID_ARGUMENT;
    assert_refused(mdldm_sampler_noise(ctx, NULL, 1, 8, 8, 0, latent, EACH), invalid, "sampler is NULL");
    assert_refused(mdldm_sampler_noise(ctx, s, 1, 8, 8, 0, NULL, EACH), invalid, "latent is NULL");
    assert_refused(mdldm_sampler_noise(ctx, s, 1, 8, 8, -1, latent, EACH), invalid, "first_index is -1");
    assert_refused(mdldm_sampler_noise(ctx, s, 1, 8, 8, 0, latent, EACH - 1), MDLDM_ERROR_CAPACITY, "latent");
    assert_refused(mdldm_sampler_noise(ctx, s, 0, 8, 8, 0, latent, EACH), invalid, "n is 0");
    assert_refused(mdldm_sampler_noise(ctx, s, 1, 7, 8, 0, latent, EACH), invalid, "multiples");
    assert_refused(mdldm_denoise_step(ctx, s, latent, 1, 8, 8, NULL, 0, 0), invalid, "labels");
    assert_refused(mdldm_denoise_step(ctx, s, latent, 1, 8, 8, &wrong, 0, 0), invalid, "labels[0] is 3");
    assert_refused(mdldm_denoise_step(ctx, s, latent, 1, 8, 8, &label, 0, 4), invalid, "step_index is 4");
    OK(mdldm_denoise_step(ctx, s, latent, 1, 8, 8, &label, 0, 0));
    assert_refused(mdldm_denoise_step(ctx, s, latent, 1, 8, 8, &label, 0, 2), invalid, "step 1");
    assert_refused(mdldm_scheduler_step(ctx, s, NULL, latent, 1, 8, 8, 0, 0, NULL), invalid, "model_output");
    assert_refused(mdldm_generate(ctx, s, 1, 30, 32, &label, 0, pixels, PIXELS), invalid, "multiples");
    assert_refused(mdldm_generate(ctx, s, 1, 32, 32, &label, 0, pixels, PIXELS - 1), MDLDM_ERROR_CAPACITY, "pixels");
    assert_refused(mdldm_generate(ctx, s, 1, 32, 32, &label, 0, NULL, PIXELS), invalid, "pixels is NULL");
    assert_int_equal(mdldm_generate(NULL, s, 1, 32, 32, &label, 0, pixels, PIXELS), invalid);
    mdldm_sampler_free(s);
}

static void nan_stops_and_names_the_step(void **state)
{
    (void)state;
    float latent[EACH], before[EACH], output[EACH] = {0};
    mdldm_sampler *s = make_sampler("scheduler=ddim num_inference_steps=10 clip_sample=no");
    OK(mdldm_sampler_noise(ctx, s, 1, LATENT, LATENT, 0, latent, EACH));
    memcpy(before, latent, sizeof latent);
    output[17] = NAN;
    mdldm_status status = mdldm_scheduler_step(ctx, s, output, latent, 1, LATENT, LATENT, 0, 3, NULL);
    assert_refused(status, MDLDM_ERROR_NUMERIC, "step 3 (timestep 600)");
    assert_memory_equal(latent, before, sizeof latent);
    latent[5] = INFINITY;
    const int64_t label = 0;
    assert_refused(mdldm_denoise_step(ctx, s, latent, 1, LATENT, LATENT, &label, 0, 3), MDLDM_ERROR_NUMERIC,
                   "step 3 (timestep 600)");
    mdldm_sampler_free(s);
}

typedef struct watch {
    int64_t calls, last, stop_at;
} watch;

static int32_t on_progress(void *user, const char *stage, int64_t done, int64_t total)
{
    watch *w = user;
    if (strcmp(stage, "denoise") != 0)
        return 0;
    assert_int_equal(total, 6);
    w->calls++;
    w->last = done;
    return done == w->stop_at;
}

static void progress_is_told_and_can_cancel(void **state)
{
    (void)state;
    static float pixels[PIXELS];
    const int64_t label = 0;
    watch w = {0, -1, -1};
    mdldm_sampler *s = make_sampler("scheduler=euler num_inference_steps=6");
    mdldm_context_set_progress(ctx, on_progress, &w);
    OK(mdldm_generate(ctx, s, 1, SIDE, SIDE, &label, 0, pixels, PIXELS));
    assert_int_equal(w.calls, 7);
    assert_int_equal(w.last, 6);
    w = (watch){0, -1, 2};
    pixels[0] = 42.0f;
    assert_int_equal(mdldm_generate(ctx, s, 1, SIDE, SIDE, &label, 0, pixels, PIXELS), MDLDM_ERROR_CANCELLED);
    assert_int_equal(w.last, 2);
    assert_true(pixels[0] == 42.0f);
    mdldm_context_set_progress(ctx, NULL, NULL);
    /* The sampler is as good as new. */
    OK(mdldm_generate(ctx, s, 1, SIDE, SIDE, &label, 0, pixels, PIXELS));
    mdldm_sampler_free(s);
}

/* A sampler, and so its model, outlives the context it was made with. */
static void sampler_outlives_context_and_model(void **state)
{
    (void)state;
    float a[EACH], b[EACH];
    mdldm_context *other;
    assert_int_equal(mdldm_context_create(&other), MDLDM_OK);
    mdldm_sampler *s;
    assert_int_equal(mdldm_sampler_create(other, model, NULL, &s), MDLDM_OK);
    assert_int_equal(mdldm_sampler_noise(other, s, 1, LATENT, LATENT, 0, a, EACH), MDLDM_OK);
    mdldm_context_free(other);
    OK(mdldm_sampler_noise(ctx, s, 1, LATENT, LATENT, 0, b, EACH));
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(mdldm_sampler_steps(s), 1000);
    mdldm_sampler_free(s);
}

static mdldm_status scenario(torture *t, void *user, char sentence[1024])
{
    (void)user;
    static float latent[EACH];
    const int64_t label = 1;
    mdldm_context *c;
    mdldm_status status = mdldm_context_create_with(torture_resize, t, &c);
    if (status != MDLDM_OK)
        return status;
    mdldm_options *options = NULL;
    mdldm_sampler *s = NULL;
    status = mdldm_context_use_backend(c, "reference");
    if (status == MDLDM_OK)
        status = mdldm_options_create(c, &options);
    if (status == MDLDM_OK)
        status = mdldm_options_set_string(c, options, "scheduler", "dpmsolver-sde");
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(c, options, "num_inference_steps", 5);
    if (status == MDLDM_OK)
        status = mdldm_options_set_double(c, options, "guidance_scale", 2.0);
    if (status == MDLDM_OK)
        status = mdldm_sampler_create(c, model, options, &s);
    if (status == MDLDM_OK)
        status = mdldm_sampler_noise(c, s, 1, LATENT, LATENT, 0, latent, EACH);
    for (int64_t i = 0; i < 2 && status == MDLDM_OK; i++)
        status = mdldm_denoise_step(c, s, latent, 1, LATENT, LATENT, &label, 0, i);
    snprintf(sentence, 1024, "%s", mdldm_context_error(c));
    mdldm_sampler_free(s);
    mdldm_options_free(options);
    mdldm_context_free(c);
    return status;
}

static void failed_allocations_are_survived(void **state)
{
    (void)state;
    assert_true(torture_run("sampler", scenario, NULL, 150) > 20);
}

static int set_up(void **state)
{
    (void)state;
    if (mdldm_context_create(&ctx) != MDLDM_OK || mdldm_context_use_backend(ctx, "reference") != MDLDM_OK)
        return -1;
    model = make_model("preset=tiny resolution=32 num_classes=3 seed=1");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mdldm_model_free(model);
    mdldm_context_free(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_depends_on_the_image_index_alone),
        cmocka_unit_test(images_do_not_depend_on_their_batch),
        cmocka_unit_test(guidance_mixes_two_predictions),
        cmocka_unit_test(given_noise_takes_the_samplers_place),
        cmocka_unit_test(options_that_do_not_fit_are_refused),
        cmocka_unit_test(unfit_models_are_refused),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(nan_stops_and_names_the_step),
        cmocka_unit_test(progress_is_told_and_can_cancel),
        cmocka_unit_test(sampler_outlives_context_and_model),
        cmocka_unit_test(failed_allocations_are_survived),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
