/* SPDX-License-Identifier: MIT
 * VQModel and AutoencoderKL against diffusers: encode, codes, quantised latents, decode, and every
 * parameter gradient of one training step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/golden.h"

/* Observed on reference and cpu: f32 outputs 1.7e-6, gradients 1.6e-6, losses 4.1e-7 (torch from its own
 * double: 1e-6); bf16 outputs 3.1e-2, gradients 2.3e-2, losses 3.2e-3 (torch in bf16: outputs 1.8e-2). */
static double tolerance(const golden *g, double f32, double bf16)
{
    return strcmp(g->run->precision, "bf16") == 0 ? bf16 : f32;
}

static float *array(int64_t count)
{
    float *out = malloc(sizeof *out * (size_t)count);
    assert_non_null(out);
    return out;
}

/* Golden latents are unscaled; the public boundary is diffusion space, (x - shift) * scale. */
static float *to_diffusion_space(const golden *g, const char *name)
{
    const mdldm__autoencoder_config *ae = &g->model->autoencoder->ae;
    int64_t count = golden_elements(g, name);
    float *out = array(count);
    for (int64_t i = 0; i < count; i++)
        out[i] = (golden_f32(g, name)[i] - ae->shift_factor) * ae->scaling_factor;
    return out;
}

static void from_diffusion_space(const golden *g, float *values, int64_t count)
{
    const mdldm__autoencoder_config *ae = &g->model->autoencoder->ae;
    for (int64_t i = 0; i < count; i++)
        values[i] = values[i] / ae->scaling_factor + ae->shift_factor;
}

static void check_encode(golden *g, const char *name)
{
    const int64_t *dims = golden_tensor(g, "pixels")->dims;
    int64_t count = golden_elements(g, name);
    float *latent = array(count);
    golden_ok(g, mdldm_encode(g->ctx, g->model, golden_f32(g, "pixels"), dims[0], dims[2], dims[3], latent,
                              (size_t)count), "encode");
    from_diffusion_space(g, latent, count);
    golden_compare(g, name, latent, dims[0], tolerance(g, 1e-5, 3e-2),
                   strcmp(name, "mean") == 0 ? "moments" : "latent");
    free(latent);
}

static void check_decode(golden *g)
{
    const int64_t *dims = golden_tensor(g, "latent")->dims;
    int64_t count = golden_elements(g, "decoded");
    float *latent = to_diffusion_space(g, "latent"), *pixels = array(count);
    golden_ok(g, mdldm_decode(g->ctx, g->model, latent, dims[0], dims[2], dims[3], pixels, (size_t)count),
              "decode");
    golden_compare(g, "decoded", pixels, dims[0], tolerance(g, 1e-5, 6e-2), "decoded");
    free(pixels);
    free(latent);
}

static void check_quantize(golden *g)
{
    const int64_t *dims = golden_tensor(g, "latent")->dims; /* [n, d, h, w] */
    int64_t count = golden_elements(g, "quantized"), code_count = golden_elements(g, "codes");
    float *latent = to_diffusion_space(g, "latent"), *quantized = array(count);
    int32_t *codes = malloc(sizeof *codes * (size_t)code_count);
    assert_non_null(codes);
    golden_ok(g, mdldm_quantize(g->ctx, g->model, latent, dims[0], dims[2], dims[3], quantized,
                                (size_t)count, codes, (size_t)code_count), "quantize");
    assert_memory_equal(codes, golden_i32(g, "codes"), sizeof *codes * (size_t)code_count);
    from_diffusion_space(g, quantized, count);
    golden_compare(g, "quantized", quantized, 1, 1e-6, NULL);
    memset(codes, 0xff, sizeof *codes * (size_t)code_count);
    golden_ok(g, mdldm_quantize(g->ctx, g->model, latent, dims[0], dims[2], dims[3], NULL, 0, codes,
                                (size_t)code_count), "quantize codes only");
    assert_memory_equal(codes, golden_i32(g, "codes"), sizeof *codes * (size_t)code_count);
    free(codes);
    free(quantized);
    free(latent);
}

static void check_decode_codes(golden *g)
{
    const int64_t *dims = golden_tensor(g, "other_codes")->dims; /* [n, h, w] */
    int64_t count = golden_elements(g, "other_decoded");
    float *pixels = array(count);
    golden_ok(g, mdldm_decode_codes(g->ctx, g->model, golden_i32(g, "other_codes"), dims[0], dims[1], dims[2],
                                    pixels, (size_t)count), "decode_codes");
    golden_compare(g, "other_decoded", pixels, dims[0], tolerance(g, 1e-5, 6e-2), "decoded");
    free(pixels);
}

static void test_forward(void **state)
{
    golden g;
    golden_open(&g, *state);
    int vq = golden_has(&g, "codes");
    check_encode(&g, vq ? "latent" : "mean");
    check_decode(&g);
    if (vq) {
        check_quantize(&g);
        check_decode_codes(&g);
    }
    golden_close(&g);
}

static mdldm_binding bind(mdldm__graph *graph, const char *name, const void *data, int32_t dtype)
{
    mdldm_binding b = {.tensor = mdldm__graph_find(graph, name), .dtype = dtype,
                       .layout = MDLDM_LAYOUT_NCHW, .data = (void *)(uintptr_t)data};
    assert_true(b.tensor >= 0);
    return b;
}

static mdldm__tensor input_like(mdldm__graph *graph, const golden *g, const char *name)
{
    const int64_t *d = golden_tensor(g, name)->dims; /* [n, c, h, w] */
    return mdldm__graph_input(graph, name, MDLDM_F32, d[0], d[2], d[3], d[1]);
}

static void named_output(mdldm__graph *graph, mdldm__tensor t, const char *name)
{
    mdldm__graph_name(graph, t, name);
    mdldm__graph_output(graph, t);
}

static void train_vq(golden *g)
{
    mdldm__component *c = g->model->autoencoder;
    mdldm__graph graph;
    mdldm__graph_init(&graph, &g->ctx->env, &c->params, 0, g->ctx->precision);
    float l1_weight = (float)golden_fact(g, "loss.l1"), l2_weight = (float)golden_fact(g, "loss.l2");
    float commitment = (float)golden_fact(g, "loss.commitment");
    float codebook_weight = (float)golden_fact(g, "loss.codebook");
    mdldm__tensor pixels = input_like(&graph, g, "pixels");
    mdldm__tensor z = mdldm__autoencoder_encode(&graph, c, pixels);
    mdldm__tensor codebook = mdldm__graph_param(&graph, "quantize.embedding.weight", 2,
                                                c->ae.num_vq_embeddings, c->ae.vq_embed_dim, 1, 1,
                                                MDLDM__INIT_ZEROS, 0);
    mdldm__vq_result vq = mdldm__graph_vq(&graph, z, codebook, commitment, codebook_weight);
    mdldm__tensor decoded = mdldm__autoencoder_decode(&graph, c, vq.quantized);
    named_output(&graph, mdldm__graph_loss(&graph, decoded, pixels, MDLDM__NONE, MDLDM_LOSS_L1, l1_weight),
                 "l1");
    named_output(&graph, mdldm__graph_loss(&graph, decoded, pixels, MDLDM__NONE, MDLDM_LOSS_L2, l2_weight),
                 "l2");
    named_output(&graph, vq.loss, "vq_loss");
    mdldm__graph_backward(&graph, NULL, 0, NULL);
    float losses[4]; /* l1, l2, mean((zq-z)^2), total */
    mdldm_binding bindings[] = {bind(&graph, "pixels", golden_f32(g, "pixels"), MDLDM_F32),
                                bind(&graph, "l1", &losses[0], MDLDM_F32),
                                bind(&graph, "l2", &losses[1], MDLDM_F32),
                                bind(&graph, "vq_loss", &losses[2], MDLDM_F32)};
    golden_training t;
    golden_train_open(g, c, &graph, &t);
    golden_train_run(g, &t, bindings, 4);
    losses[3] = l1_weight * losses[0] + l2_weight * losses[1] + (commitment + codebook_weight) * losses[2];
    golden_compare(g, "losses", losses, 1, tolerance(g, 2e-6, 1e-2), NULL);
    golden_compare_gradients(g, &t, c, 1, tolerance(g, 1e-5, 6e-2));
    golden_train_run(g, &t, bindings, 4); /* gradients add up */
    golden_compare_gradients(g, &t, c, 2, tolerance(g, 1e-5, 6e-2));
    golden_train_close(&t);
    mdldm__graph_free(&graph);
}

static void train_kl(golden *g)
{
    mdldm__component *c = g->model->autoencoder;
    mdldm__graph graph;
    mdldm__graph_init(&graph, &g->ctx->env, &c->params, 0, g->ctx->precision);
    mdldm__tensor pixels = input_like(&graph, g, "pixels"), latent = input_like(&graph, g, "latent");
    mdldm__tensor target = input_like(&graph, g, "moments_target");
    mdldm__tensor moments = mdldm__autoencoder_encode(&graph, c, pixels);
    mdldm__tensor decoded = mdldm__autoencoder_decode(&graph, c, latent);
    named_output(&graph, mdldm__graph_loss(&graph, moments, target, MDLDM__NONE, MDLDM_LOSS_L2, 1), "a");
    named_output(&graph, mdldm__graph_loss(&graph, decoded, pixels, MDLDM__NONE, MDLDM_LOSS_L2, 1), "b");
    mdldm__graph_backward(&graph, NULL, 0, NULL);
    float losses[2];
    mdldm_binding bindings[] = {bind(&graph, "pixels", golden_f32(g, "pixels"), MDLDM_F32),
                                bind(&graph, "latent", golden_f32(g, "latent"), MDLDM_F32),
                                bind(&graph, "moments_target", golden_f32(g, "moments_target"), MDLDM_F32),
                                bind(&graph, "a", &losses[0], MDLDM_F32),
                                bind(&graph, "b", &losses[1], MDLDM_F32)};
    golden_training t;
    golden_train_open(g, c, &graph, &t);
    golden_train_run(g, &t, bindings, 5);
    losses[0] += losses[1];
    golden_compare(g, "losses", losses, 1, tolerance(g, 2e-6, 1e-2), NULL);
    golden_compare_gradients(g, &t, c, 1, tolerance(g, 1e-5, 6e-2));
    golden_train_close(&t);
    mdldm__graph_free(&graph);
}

static void test_gradients(void **state)
{
    golden g;
    golden_open(&g, *state);
    if (golden_has(&g, "codes"))
        train_vq(&g);
    else
        train_kl(&g);
    golden_close(&g);
}

#define RUNS(name) \
    {name, "reference", "f32"}, {name, "reference", "bf16"}, {name, "cpu", "f32"}, {name, "cpu", "bf16"}, \
        {name, "cuda", "f32"}, {name, "cuda", "bf16"}
static golden_run runs[] = {RUNS("vq_plain"), RUNS("vq_attention"), RUNS("vq_one_level"),
                            RUNS("kl_default"), RUNS("kl_no_quant_conv")};
#define RUN_COUNT (sizeof runs / sizeof runs[0])

int main(void)
{
    struct CMUnitTest tests[2 * RUN_COUNT];
    for (size_t i = 0; i < RUN_COUNT; i++) {
        tests[2 * i] = (struct CMUnitTest)cmocka_unit_test_prestate(test_forward, &runs[i]);
        tests[2 * i + 1] = (struct CMUnitTest)cmocka_unit_test_prestate(test_gradients, &runs[i]);
        tests[2 * i].name = "forward";
        tests[2 * i + 1].name = "gradients";
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
