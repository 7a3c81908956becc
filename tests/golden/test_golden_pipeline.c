/* SPDX-License-Identifier: MIT
 * A whole LDMPipeline directory as diffusers saves it: given noise through the stored DDIM scheduler and
 * the UNet to latents, and on to pixels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "../support/golden.h"

enum { IMAGES = 2, LATENT = 4, SIDE = 16, STEPS = 4, COUNT = IMAGES * 3 * LATENT * LATENT };

/* Observed: latents 2.2e-7, pixels 4.9e-7 (torch's own against float64: 1.4e-7, 4.2e-7). */
static void pipeline_gives_the_same_images(void **state)
{
    golden g;
    golden_open(&g, *state);
    mdldm_options *options;
    mdldm_sampler *s;
    golden_ok(&g, mdldm_options_create(g.ctx, &options), "options");
    golden_ok(&g, mdldm_options_set_string(g.ctx, options, "scheduler", "model"), "scheduler");
    golden_ok(&g, mdldm_options_set_int(g.ctx, options, "num_inference_steps", STEPS), "steps");
    golden_ok(&g, mdldm_sampler_create(g.ctx, g.model, options, &s), "sampler");
    assert_int_equal(mdldm_sampler_steps(s), (int64_t)golden_fact(&g, "steps"));
    float latent[COUNT], latents[STEPS * COUNT], pixels[IMAGES * 3 * SIDE * SIDE];
    assert_int_equal(golden_elements(&g, "noise"), COUNT);
    memcpy(latent, golden_f32(&g, "noise"), sizeof latent); /* DDIM's initial sigma is 1 */
    for (int64_t i = 0; i < STEPS; i++) {
        golden_ok(&g, mdldm_denoise_step(g.ctx, s, latent, IMAGES, LATENT, LATENT, NULL, 0, i), "denoise step");
        memcpy(latents + i * COUNT, latent, sizeof latent);
    }
    golden_compare(&g, "latents", latents, STEPS, 1e-5, "latents");
    golden_ok(&g, mdldm_decode(g.ctx, g.model, latent, IMAGES, LATENT, LATENT, pixels, sizeof pixels / sizeof *pixels),
              "decode");
    golden_compare(&g, "pixels", pixels, IMAGES, 1e-5, "pixels");
    mdldm_sampler_free(s);
    mdldm_options_free(options);
    golden_close(&g);
}

int main(void)
{
    static golden_run reference = {"pipeline", "reference", "f32"}, cpu = {"pipeline", "cpu", "f32"};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(pipeline_gives_the_same_images, &reference),
        cmocka_unit_test_prestate(pipeline_gives_the_same_images, &cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
