/* SPDX-License-Identifier: MIT
 * UNet2DModel against diffusers: outputs at several timesteps and labels, the noised sample and target of
 * a training step, and every parameter gradient. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "diffusion/scheduler.h"
#include "diffusion/scheduler_new.h"
#include "../support/golden.h"

/* Observed on reference and cpu: f32 outputs 1.2e-6, gradients 2.0e-6, losses 1e-7 (torch from its own
 * double: 8e-7, with Fourier features 2.5e-5); bf16 outputs 2.1e-2, gradients 2.2e-2, losses 1.5e-3 (torch
 * in bf16: outputs 1.5e-2, with Fourier features 2.3e-1). */
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

static void read_integers(const golden *g, const char *name, int64_t *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = golden_i32(g, name)[i];
}

static void test_predict(void **state)
{
    golden g;
    golden_open(&g, *state);
    const int64_t *dims = golden_tensor(&g, "sample")->dims; /* [n, c, h, w] */
    int64_t n = dims[0], count = golden_elements(&g, "output"), timesteps[8], labels[8];
    float *output = array(count);
    int labelled = golden_has(&g, "labels");
    read_integers(&g, "timesteps", timesteps, n);
    if (labelled)
        read_integers(&g, "labels", labels, n);
    golden_ok(&g, mdldm_predict(g.ctx, g.model, golden_f32(&g, "sample"), n, dims[2], dims[3], timesteps,
                                labelled ? labels : NULL, output, (size_t)count), "predict");
    golden_compare(&g, "output", output, n, tolerance(&g, 1e-5, 4e-2), "output");
    free(output);
    golden_close(&g);
}

static mdldm_binding bind(mdldm__graph *graph, const char *name, const void *data, int32_t dtype)
{
    mdldm_binding b = {.tensor = mdldm__graph_find(graph, name), .dtype = dtype,
                       .layout = MDLDM_LAYOUT_NCHW, .data = (void *)(uintptr_t)data};
    assert_true(b.tensor >= 0);
    return b;
}

static void test_gradients(void **state)
{
    golden g;
    golden_open(&g, *state);
    mdldm__component *c = g.model->unet;
    mdldm__graph graph;
    mdldm__graph_init(&graph, &g.ctx->env, &c->params, 0, g.ctx->precision);
    const int64_t *dims = golden_tensor(&g, "sample")->dims, *out = golden_tensor(&g, "target")->dims;
    int64_t n = dims[0];
    mdldm__tensor output = mdldm__unet_describe(&graph, c, n, dims[2], dims[3]);
    mdldm__tensor target = mdldm__graph_input(&graph, "target", MDLDM_F32, n, out[2], out[3], out[1]);
    mdldm__tensor weight = mdldm__graph_input(&graph, "weight", MDLDM_F32, n, 1, 1, 1);
    mdldm__tensor loss = mdldm__graph_loss(&graph, output, target, weight, MDLDM_LOSS_L2, 1);
    mdldm__graph_name(&graph, loss, "loss");
    mdldm__graph_output(&graph, loss);
    mdldm__graph_backward(&graph, NULL, 0, NULL);

    double times[8], class_times[8];
    float inverse[8], loss_value;
    for (int64_t i = 0; i < n; i++) {
        times[i] = golden_i32(&g, "timesteps")[i];
        inverse[i] = (float)(1.0 / times[i]);
        class_times[i] = golden_has(&g, "labels") ? golden_i32(&g, "labels")[i] : 0;
    }
    int32_t width = mdldm__unet_time_width(c);
    float *time_proj = array(n * width), *class_proj = array(n * width);
    golden_ok(&g, mdldm__unet_time_proj(&g.ctx->env, c, times, n, time_proj), "time_proj");
    mdldm_binding bindings[8] = {bind(&graph, "sample", golden_f32(&g, "sample"), MDLDM_F32),
                                 bind(&graph, "time_proj", time_proj, MDLDM_F32),
                                 bind(&graph, "target", golden_f32(&g, "target"), MDLDM_F32),
                                 bind(&graph, "weight", golden_f32(&g, "weights"), MDLDM_F32),
                                 bind(&graph, "loss", &loss_value, MDLDM_F32)};
    int32_t bound = 5;
    if (c->unet.class_embed_timestep) {
        golden_ok(&g, mdldm__unet_time_proj(&g.ctx->env, c, class_times, n, class_proj), "class_proj");
        bindings[bound++] = bind(&graph, "class_proj", class_proj, MDLDM_F32);
    } else if (golden_has(&g, "labels")) {
        bindings[bound++] = bind(&graph, "label", golden_i32(&g, "labels"), MDLDM_I32);
    }
    if (c->unet.fourier)
        bindings[bound++] = bind(&graph, "timestep", inverse, MDLDM_F32);

    golden_training t;
    golden_train_open(&g, c, &graph, &t);
    for (int pass = 1; pass <= 2; pass++) { /* the second pass adds to the first one's gradients */
        golden_train_run(&g, &t, bindings, bound);
        golden_compare(&g, "losses", &loss_value, 1, tolerance(&g, 2e-6, 1e-2), NULL);
        golden_compare_gradients(&g, &t, c, pass, tolerance(&g, 1e-5, 6e-2));
    }
    golden_train_close(&t);
    mdldm__graph_free(&graph);
    free(class_proj);
    free(time_proj);
    golden_close(&g);
}

/* What the trainer feeds the UNet: x_t and, for v-prediction, its target. */
static void test_forward_process(void **state)
{
    golden g;
    golden_open(&g, *state);
    const char *prediction = json_string_value(json_object_get(g.facts, "prediction"));
    const char *schedule = json_string_value(json_object_get(g.facts, "beta_schedule"));
    int64_t n = golden_tensor(&g, "clean")->dims[0], count = golden_elements(&g, "clean"), timesteps[8];
    read_integers(&g, "timesteps", timesteps, n);
    json_t *config = mdldm__scheduler_new_config(&(mdldm__scheduler_new){
        .num_train_timesteps = 1000, .beta_schedule = schedule, .prediction_type = prediction });
    assert_non_null(config);
    mdldm__scheduler *s = NULL;
    assert_int_equal(mdldm__scheduler_create(&g.env, config, NULL, &s), MDLDM_OK);
    float *out = array(count);
    const float *clean = golden_f32(&g, "clean"), *noise = golden_f32(&g, "noise");
    assert_int_equal(mdldm__scheduler_add_noise(s, clean, noise, timesteps, n, (size_t)count, out), MDLDM_OK);
    golden_compare(&g, "sample", out, n, 1e-6, NULL);
    if (strcmp(prediction, "v_prediction") == 0) {
        assert_int_equal(mdldm__scheduler_velocity(s, clean, noise, timesteps, n, (size_t)count, out),
                         MDLDM_OK);
        golden_compare(&g, "target", out, n, 1e-6, NULL);
    }
    free(out);
    mdldm__scheduler_free(s);
    json_decref(config);
    golden_close(&g);
}

#define RUNS(name) \
    {name, "reference", "f32"}, {name, "reference", "bf16"}, {name, "cpu", "f32"}, {name, "cpu", "bf16"}, \
        {name, "cuda", "f32"}, {name, "cuda", "bf16"}
static golden_run runs[] = {RUNS("unet_default"), RUNS("unet_fourier"), RUNS("unet_class_timestep"),
                            RUNS("unet_plain"), RUNS("unet_one_level")};
static golden_run processes[] = {{"unet_default", NULL, "f32"}, {"unet_fourier", NULL, "f32"},
                                 {"unet_class_timestep", NULL, "f32"}, {"unet_one_level", NULL, "f32"}};
#define RUN_COUNT (sizeof runs / sizeof runs[0])
#define PROCESS_COUNT (sizeof processes / sizeof processes[0])

int main(void)
{
    struct CMUnitTest tests[2 * RUN_COUNT + PROCESS_COUNT];
    for (size_t i = 0; i < RUN_COUNT; i++) {
        tests[2 * i] = (struct CMUnitTest)cmocka_unit_test_prestate(test_predict, &runs[i]);
        tests[2 * i + 1] = (struct CMUnitTest)cmocka_unit_test_prestate(test_gradients, &runs[i]);
    }
    for (size_t i = 0; i < PROCESS_COUNT; i++)
        tests[2 * RUN_COUNT + i] =
            (struct CMUnitTest)cmocka_unit_test_prestate(test_forward_process, &processes[i]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
