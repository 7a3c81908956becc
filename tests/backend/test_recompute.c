/* SPDX-License-Identifier: MIT
 * What the backward pass computes again instead of keeping: gradients are the same bits, on every
 * backend, and the memory that is promised is saved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../backends/common/arena.h"
#include "../support/backend_list.h"
#include "../support/op_cases.h"
#include "../support/small_model.h"
#include "../support/test_host.h"
#include "models/model.h"
#include "util/rng.h"

enum { MODES = 3, MOST_INPUTS = 8 };

static const mdldm_backend *backends[MOST_BACKENDS];
static int backend_count;

/* ---- One component's training graph ---- */

typedef struct training {
    mdldm__env env;
    mdldm__component *c;
    mdldm__graph g;
    mdldm__tensor loss;
} training;

static void open_component(training *t, json_t *config)
{
    memset(t, 0, sizeof *t);
    mdldm__env_init(&t->env, NULL);
    assert_non_null(config);
    if (mdldm__component_create(&t->env, "test", config, &t->c) != MDLDM_OK)
        fail_msg("%s", t->env.error);
}

static void open_text(training *t, const char *text)
{
    open_component(t, json_loads(text, 0, NULL));
}

static void open_preset(training *t, const char *preset, int unet)
{
    mdldm__env env;
    json_t *config[2] = {NULL, NULL};
    mdldm__env_init(&env, NULL);
    assert_int_equal(mdldm__preset_configs(&env, preset, 256, 9, &config[0], &config[1]), MDLDM_OK);
    json_decref(config[!unet]);
    open_component(t, config[unet]);
}

/* The graph of a training step on n images of side x side (latents for a UNet, else pixels). */
static void describe(training *t, int64_t n, int64_t side, int32_t act, mdldm__keep keep)
{
    mdldm__graph *g = &t->g;
    mdldm__graph_init(g, &t->env, &t->c->params, 0, act);
    g->training = 1;
    mdldm__tensor y;
    if (t->c->kind == MDLDM__UNET_2D) {
        y = mdldm__unet_describe(g, t->c, n, side, side);
    } else {
        mdldm__tensor x = mdldm__graph_input(g, "pixels", MDLDM_F32, n, side, side, 3);
        mdldm__tensor z = mdldm__autoencoder_encode(g, t->c, x);
        y = mdldm__autoencoder_decode(
            g, t->c, mdldm__graph_vq(g, z, mdldm__autoencoder_codebook(g, t->c), 0.25f, 1.0f).quantized);
    }
    mdldm__tensor target = mdldm__graph_input(g, "target", MDLDM_F32, n, side, side, 3);
    t->loss = mdldm__graph_loss(g, y, target, MDLDM__NONE, MDLDM_LOSS_L2, 1.0f);
    mdldm__graph_output(g, t->loss);
    mdldm__graph_backward(g, NULL, 0, NULL);
    if (mdldm__graph_recompute(g, keep) != MDLDM_OK)
        fail_msg("%s", t->env.error);
}

static void close_training(training *t)
{
    mdldm__graph_free(&t->g);
    mdldm__component_free(&t->env, t->c);
}

/* ---- Gradients ---- */

/* Loss and all gradients after one run, one after another; NULL: only the size. */
static size_t run(training *t, const mdldm_backend *backend, float *out, int64_t *arena)
{
    test_host h;
    mdldm_device *device = NULL;
    mdldm_store *store = NULL;
    mdldm_plan *plan = NULL;
    const mdldm__params *params = &t->c->params;
    size_t size = 1;
    for (int32_t i = 0; i < params->count; i++)
        size += (size_t)mdldm__param_elements(&params->items[i]);
    if (out == NULL)
        return size;
    test_host_init(&h, NULL);
    mdldm_param_desc *desc = mdldm__params_desc(params);
    mdldm_graph_desc graph = mdldm__graph_desc(&t->g);
    mdldm_binding bindings[MOST_INPUTS];
    int32_t count = 0, seed[2] = {7, 8}, labels[2] = {1, 0};
    bindings[count++] = (mdldm_binding){t->loss, MDLDM_F32, MDLDM_LAYOUT_NHWC, 0, out};
    for (int32_t i = 0; i < t->g.tensor_count; i++) {
        const mdldm_graph_tensor *x = &t->g.tensors[i];
        if (x->role != MDLDM_ROLE_INPUT)
            continue;
        assert_true(count < MOST_INPUTS);
        mdldm_binding *b = &bindings[count++];
        *b = (mdldm_binding){i, x->dtype, MDLDM_LAYOUT_NHWC, 0, x->dims[3] == 2 ? seed : labels};
        if (x->dtype == MDLDM_I32)
            continue;
        size_t elements = (size_t)(x->dims[0] * x->dims[1] * x->dims[2] * x->dims[3]);
        b->data = malloc(elements * sizeof(float));
        assert_non_null(b->data);
        mdldm__rng_normal(3, MDLDM__RNG_TRAIN_NOISE, (uint64_t)i, 0, b->data, elements);
    }
    mdldm_status status = backend->device_open(&h.host, "", 2, &device);
    if (status == MDLDM_OK)
        status = backend->store_open(device, desc, params->count, MDLDM_STORE_TRAIN, &store);
    for (int32_t i = 0; status == MDLDM_OK && i < params->count; i++)
        status = backend->store_bind(store, i, params->items[i].data, params->items[i].dtype);
    if (status == MDLDM_OK)
        status = backend->plan_compile(device, store, &graph, 0, &plan);
    if (status == MDLDM_OK)
        status = backend->plan_run(plan, bindings, count, 0);
    float *at = out + 1;
    for (int32_t i = 0; status == MDLDM_OK && i < params->count; i++) {
        if (params->items[i].trainable)
            status = backend->store_read(store, i, MDLDM_SLOT_GRAD, at);
        at += mdldm__param_elements(&params->items[i]);
    }
    if (status != MDLDM_OK)
        fail_msg("%s: %s", backend->name, h.error);
    mdldm_plan_info info = {.struct_size = sizeof info};
    backend->plan_info(plan, &info);
    *arena = info.arena_bytes;
    assert_int_equal(info.packed_bytes, 0); /* weights that change each step have no lasting copies */
    backend->plan_close(plan);
    backend->store_close(store);
    backend->device_close(device);
    assert_int_equal(h.own.live, 0);
    mdldm__free(params->env, desc);
    for (int32_t i = 0; i < count; i++)
        if (t->g.tensors[bindings[i].tensor].role == MDLDM_ROLE_INPUT && bindings[i].dtype == MDLDM_F32)
            free(bindings[i].data);
    return size;
}

static const char *const dropout_unet =
    "{\"_class_name\": \"UNet2DModel\", \"block_out_channels\": [8, 16], \"norm_num_groups\": 4, "
    "\"down_block_types\": [\"AttnDownBlock2D\", \"DownBlock2D\"], \"layers_per_block\": 1, "
    "\"up_block_types\": [\"UpBlock2D\", \"AttnUpBlock2D\"], \"attention_head_dim\": 8, \"dropout\": 0.2}";
static const char *const resampling_unet =
    "{\"_class_name\": \"UNet2DModel\", \"block_out_channels\": [8, 16], \"norm_num_groups\": 4, "
    "\"down_block_types\": [\"ResnetDownsampleBlock2D\", \"DownBlock2D\"], \"layers_per_block\": 1, "
    "\"up_block_types\": [\"UpBlock2D\", \"ResnetUpsampleBlock2D\"], \"attention_head_dim\": 8, "
    "\"resnet_time_scale_shift\": \"scale_shift\", \"num_class_embeds\": 3}";

static void models_have_the_same_gradients(void **state)
{
    (void)state;
    const char *const configs[] = {dropout_unet, resampling_unet, small_vq_config};
    for (size_t k = 0; k < sizeof configs / sizeof configs[0]; k++)
        for (int variant = 0; variant < 4 * backend_count; variant++) {
            const mdldm_backend *backend = backends[variant / 4];
            const int32_t act = variant & 1 ? MDLDM_BF16 : MDLDM_F32, n = variant & 2 ? 1 : 2;
            float *results[MODES];
            int64_t arena[MODES];
            size_t size = 0;
            for (int mode = 0; mode < MODES; mode++) {
                training t;
                open_text(&t, configs[k]);
                assert_int_equal(mdldm__params_randomize(&t.c->params, 5), MDLDM_OK);
                describe(&t, n, 16, act, (mdldm__keep)mode);
                size = run(&t, NULL, NULL, NULL);
                results[mode] = calloc(size, sizeof(float));
                assert_non_null(results[mode]);
                run(&t, backend, results[mode], &arena[mode]);
                close_training(&t);
            }
            assert_true(results[0][0] > 0.0f);
            for (int mode = 1; mode < MODES; mode++) {
                assert_memory_equal(results[0], results[mode], size * sizeof(float));
                assert_true(arena[mode] < arena[mode - 1]);
            }
            for (int mode = 0; mode < MODES; mode++)
                free(results[mode]);
        }
}

/* Each operation of the list of cases, one by one and in blocks. */
static void operations_have_the_same_gradients(void **state)
{
    (void)state;
    for (int b = 0; b < backend_count; b++)
        for (int index = 0; index < op_case_count(); index++) {
            op_case kept, redone;
            test_host h;
            mdldm_device *device = NULL;
            test_host_init(&h, NULL);
            op_case_open(&kept, index);
            op_case_open(&redone, index);
            const int32_t before = redone.graph.op_count;
            assert_int_equal(mdldm__graph_recompute(&redone.graph, MDLDM__KEEP_COSTLY), MDLDM_OK);
            assert_true(redone.graph.op_count >= before);
            if (backends[b]->device_open(&h.host, "", 2, &device) != MDLDM_OK ||
                op_case_run(&kept, backends[b], device) != MDLDM_OK ||
                op_case_run(&redone, backends[b], device) != MDLDM_OK)
                fail_msg("%s on %s: %s", kept.name, backends[b]->name, h.error);
            for (int r = 0; r < kept.read_count; r++)
                if (memcmp(kept.reads[r].values, redone.reads[r].values,
                           (size_t)kept.reads[r].count * sizeof(float)) != 0)
                    fail_msg("%s on %s: %s has other bits when activations are computed again", kept.name,
                             backends[b]->name, kept.reads[r].name);
            backends[b]->device_close(device);
            op_case_close(&kept);
            op_case_close(&redone);
        }
}

/* ---- Memory ---- */

/* Bytes of the arena that a graph gets, and the least it could: the most that lives at one time. */
static size_t arena_of(const mdldm__graph *g, size_t *bound)
{
    test_host h;
    test_host_init(&h, NULL);
    mdldm__arena_item *items = calloc((size_t)g->tensor_count, sizeof *items);
    assert_non_null(items);
    for (int32_t i = 0; i < g->tensor_count; i++) {
        const mdldm_graph_tensor *x = &g->tensors[i];
        items[i] = (mdldm__arena_item){.first = g->op_count, .last = -1};
        if (x->role == MDLDM_ROLE_ACTIVATION || x->role == MDLDM_ROLE_INPUT)
            items[i].size = (size_t)(x->dims[0] * x->dims[1] * x->dims[2] * x->dims[3]) *
                            (x->dtype == MDLDM_BF16 ? 2 : 4);
    }
    for (int32_t i = 0; i < g->op_count; i++)
        for (int k = 0; k < MDLDM_OP_INPUTS + MDLDM_OP_OUTPUTS; k++) {
            int32_t id = k < MDLDM_OP_INPUTS ? g->ops[i].in[k] : g->ops[i].out[k - MDLDM_OP_INPUTS];
            if (id < 0)
                continue;
            items[id].first = i < items[id].first ? i : items[id].first;
            items[id].last = i;
        }
    *bound = 0;
    for (int32_t step = 0; step < g->op_count; step++) {
        size_t live = 0;
        for (int32_t i = 0; i < g->tensor_count; i++)
            if (items[i].first <= step && step <= items[i].last)
                live += mdldm__align_up(items[i].size);
        *bound = live > *bound ? live : *bound;
    }
    size_t total = 0;
    assert_int_equal(mdldm__arena_plan(&h.host, items, g->tensor_count, &total), MDLDM_OK);
    free(items);
    return total;
}

static void recomputing_saves_memory(void **state)
{
    (void)state;
    for (int unet = 0; unet < 2; unet++)
        for (int32_t act = MDLDM_F32; act <= MDLDM_BF16; act++) {
            size_t arena[MODES], bound[MODES];
            for (int mode = 0; mode < MODES; mode++) {
                training t;
                open_preset(&t, "ldm-256", unet);
                describe(&t, 2, unet ? 64 : 256, act, (mdldm__keep)mode);
                arena[mode] = arena_of(&t.g, &bound[mode]);
                print_message("%s, batch 2, %s, mode %d: arena %.1f MiB, at least %.1f\n",
                              unet ? "UNet" : "VQModel", act == MDLDM_BF16 ? "bf16" : "f32", mode,
                              (double)arena[mode] / 1048576.0, (double)bound[mode] / 1048576.0);
                close_training(&t);
            }
            for (int mode = 0; mode < MODES; mode++)
                assert_true((double)arena[mode] <= 1.02 * (double)bound[mode]);
            assert_true((double)arena[1] < 0.75 * (double)arena[0]);
            assert_true((double)arena[2] < 0.65 * (double)arena[1]);
        }
}

int main(void)
{
    backend_count = backend_list(backends);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_have_the_same_gradients),
        cmocka_unit_test(models_have_the_same_gradients),
        cmocka_unit_test(recomputing_saves_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
