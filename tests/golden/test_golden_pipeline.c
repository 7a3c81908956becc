/* SPDX-License-Identifier: MIT
 * A whole LDMPipeline directory: from given noise to latents after each DDIM step and pixels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/golden.h"

static void test_pipeline(void **state)
{
    golden g;
    golden_open(&g, *state);
    int bf16 = strcmp(g.run->precision, "bf16") == 0;
    const int64_t *dims = golden_tensor(&g, "noise")->dims; /* [n, c, h, w] */
    int64_t n = dims[0], h = dims[2], w = dims[3], count = golden_elements(&g, "noise");
    int64_t steps = (int64_t)golden_fact(&g, "steps"), pixel_count = golden_elements(&g, "pixels");
    mdldm_options *options = NULL;
    mdldm_sampler *sampler = NULL;
    golden_ok(&g, mdldm_options_create(g.ctx, &options), "options_create");
    golden_ok(&g, mdldm_options_set_string(g.ctx, options, "scheduler", "model"), "scheduler");
    golden_ok(&g, mdldm_options_set_int(g.ctx, options, "num_inference_steps", steps), "steps");
    golden_ok(&g, mdldm_sampler_create(g.ctx, g.model, options, &sampler), "sampler_create");
    assert_int_equal(mdldm_sampler_steps(sampler), steps);
    float *latents = malloc(sizeof *latents * (size_t)(count * (steps + 1)));
    float *pixels = malloc(sizeof *pixels * (size_t)pixel_count);
    assert_non_null(latents);
    assert_non_null(pixels);
    memcpy(latents, golden_f32(&g, "noise"), sizeof *latents * (size_t)count);
    for (int64_t i = 0; i < steps; i++) { /* latents[1 + i]: after step i */
        float *latent = latents + (i + 1) * count;
        memcpy(latent, latent - count, sizeof *latents * (size_t)count);
        golden_ok(&g, mdldm_denoise_step(g.ctx, sampler, latent, n, h, w, NULL, 0, i), "denoise_step");
    }
    golden_compare(&g, "latents", latents + count, steps, bf16 ? 4e-2 : 1e-5, "latents");
    golden_ok(&g, mdldm_decode(g.ctx, g.model, golden_f32(&g, "latents") + (steps - 1) * count, n, h, w,
                               pixels, (size_t)pixel_count), "decode");
    golden_compare(&g, "pixels", pixels, n, bf16 ? 6e-2 : 1e-5, "pixels");
    if (!bf16) { /* bfloat16 may choose another code on the way */
        golden_ok(&g, mdldm_decode(g.ctx, g.model, latents + steps * count, n, h, w, pixels,
                                   (size_t)pixel_count), "decode");
        golden_compare(&g, "pixels", pixels, n, 1e-5, "pixels");
    }
    free(pixels);
    free(latents);
    mdldm_sampler_free(sampler);
    mdldm_options_free(options);
    golden_close(&g);
}

static golden_run runs[] = {{"pipeline", "reference", "f32"}, {"pipeline", "reference", "bf16"},
                            {"pipeline", "cpu", "f32"}, {"pipeline", "cpu", "bf16"},
                            {"pipeline", "cuda", "f32"}, {"pipeline", "cuda", "bf16"}};
#define RUN_COUNT (sizeof runs / sizeof runs[0])

int main(void)
{
    struct CMUnitTest tests[RUN_COUNT];
    for (size_t i = 0; i < RUN_COUNT; i++)
        tests[i] = (struct CMUnitTest)cmocka_unit_test_prestate(test_pipeline, &runs[i]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
