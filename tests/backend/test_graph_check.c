/* SPDX-License-Identifier: MIT
 * Bad graphs are refused with a sentence; and what is accepted can be run: random damage to every case
 * either is refused, or runs within its memory (for which this test is run under ASan and valgrind). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../backends/common/graph_check.h"
#include "../../backends/common/graph_cost.h"
#include "../../backends/common/op_info.h"
#include "../../backends/reference/reference_backend.h"
#include "../support/op_cases.h"
#include "../support/test_host.h"
#include "util/rng.h"

static mdldm_status check(test_host *h, const op_case *c, int32_t store_flags)
{
    mdldm_param_desc *params = mdldm__params_desc(&c->params);
    assert_non_null(params);
    mdldm_graph_desc desc = mdldm__graph_desc(&c->graph);
    mdldm_status status = mdldm__graph_check(&h->host, &desc, params, c->params.count, store_flags);
    mdldm__free(c->params.env, params);
    return status;
}

static mdldm_graph_op *op_of(op_case *c, int32_t kind)
{
    for (int32_t i = 0; i < c->graph.op_count; i++)
        if (c->graph.ops[i].kind == kind)
            return &c->graph.ops[i];
    fail_msg("no operation %s in %s", mdldm__op_name(kind), c->name);
    return NULL;
}

static mdldm_graph_tensor *input(op_case *c, mdldm_graph_op *op, int slot)
{
    return &c->graph.tensors[op->in[slot]];
}

static mdldm_graph_tensor *output(op_case *c, mdldm_graph_op *op, int slot)
{
    return &c->graph.tensors[op->out[slot]];
}

/* ---- One mistake each ---- */

static void conv_pad(op_case *c, mdldm_graph_op *op) { (void)c; op->attr.conv.pad_l = -1; }
static void conv_stride(op_case *c, mdldm_graph_op *op) { (void)c; op->attr.conv.stride_h = 0; }
static void conv_kernel(op_case *c, mdldm_graph_op *op) { (void)c; op->attr.conv.kernel_w = 1; }
static void conv_output(op_case *c, mdldm_graph_op *op) { output(c, op, 0)->dims[1]++; }
static void conv_source(op_case *c, mdldm_graph_op *op) { input(c, op, 1)->dims[2]++; }
static void conv_no_weight(op_case *c, mdldm_graph_op *op) { (void)c; op->in[2] = -1; }
static void conv_activation_weight(op_case *c, mdldm_graph_op *op) { (void)c; op->in[2] = op->in[0]; }
static void conv_unknown_tensor(op_case *c, mdldm_graph_op *op) { op->in[0] = c->graph.tensor_count; }
static void conv_reads_itself(op_case *c, mdldm_graph_op *op) { (void)c; op->in[0] = op->out[0]; }
static void conv_writes_input(op_case *c, mdldm_graph_op *op) { (void)c; op->out[0] = op->in[0]; }
static void conv_mixed_types(op_case *c, mdldm_graph_op *op) { input(c, op, 1)->dtype = MDLDM_BF16; }
static void conv_integer(op_case *c, mdldm_graph_op *op) { input(c, op, 0)->dtype = MDLDM_I32; }
static void conv_half(op_case *c, mdldm_graph_op *op) { input(c, op, 0)->dtype = MDLDM_F16; }
static void conv_weight_shape(op_case *c, mdldm_graph_op *op) { input(c, op, 2)->dims[0]++; }
static void conv_param_index(op_case *c, mdldm_graph_op *op) { input(c, op, 2)->param = 99; }
static void conv_role(op_case *c, mdldm_graph_op *op) { input(c, op, 0)->role = 9; }
static void conv_kind(op_case *c, mdldm_graph_op *op) { (void)c; op->kind = MDLDM__OP_LAST + 1; }
static void conv_empty_tensor(op_case *c, mdldm_graph_op *op) { input(c, op, 0)->dims[1] = 0; }
static void conv_huge_tensor(op_case *c, mdldm_graph_op *op) { input(c, op, 0)->dims[1] = INT64_MAX / 2; }
static void conv_frozen(op_case *c, mdldm_graph_op *op) { c->params.items[input(c, op, 2)->param].trainable = 0; }
static void norm_groups(op_case *c, mdldm_graph_op *op) { (void)c; op->attr.norm.groups = 7; }
static void norm_no_groups(op_case *c, mdldm_graph_op *op) { (void)c; op->attr.norm.groups = 0; }
static void norm_eps(op_case *c, mdldm_graph_op *op) { (void)c; op->attr.norm.eps = -1; }
static void norm_stats(op_case *c, mdldm_graph_op *op) { output(c, op, 1)->dims[3] = 3; }
static void norm_scale_shift(op_case *c, mdldm_graph_op *op) { input(c, op, 4)->dims[3]--; }
static void norm_no_x1(op_case *c, mdldm_graph_op *op) { (void)c; op->in[2] = -1; }
static void apply_from(mdldm_graph_op *op, int32_t stats)
{
    op->kind = MDLDM_OP_GROUP_NORM_APPLY;
    op->in[5] = stats;
}
static void apply_no_stats(op_case *c, mdldm_graph_op *op) { (void)c; apply_from(op, -1); }
static void apply_early(op_case *c, mdldm_graph_op *op) { (void)c; apply_from(op, op->out[1]); }
static void apply_stats(op_case *c, mdldm_graph_op *op) { (void)c; apply_from(op, op->in[4]); }
static void attention_heads(op_case *c, mdldm_graph_op *op) { (void)c; op->attr.attention.heads = 3; }
static void attention_lse(op_case *c, mdldm_graph_op *op) { output(c, op, 1)->dims[2]--; }
static void attention_k(op_case *c, mdldm_graph_op *op) { input(c, op, 1)->dims[0]++; }
static void pool_size(op_case *c, mdldm_graph_op *op) { output(c, op, 0)->dims[2]++; }
static void embedding_index(op_case *c, mdldm_graph_op *op) { input(c, op, 1)->dtype = MDLDM_F32; }
static void vq_width(op_case *c, mdldm_graph_op *op) { input(c, op, 0)->dims[3]++; }
static void vq_bf16(op_case *c, mdldm_graph_op *op) { input(c, op, 0)->dtype = MDLDM_BF16; }
static void entropy_temperature(op_case *c, mdldm_graph_op *op) { (void)c; op->attr.vq.temperature = 0; }
static void loss_kind(op_case *c, mdldm_graph_op *op) { (void)c; op->attr.loss.kind = 5; }
static void loss_weight(op_case *c, mdldm_graph_op *op) { input(c, op, 2)->dims[0]++; }
static void entropy_label(op_case *c, mdldm_graph_op *op) { input(c, op, 1)->dims[2]++; }
static void entropy_label_type(op_case *c, mdldm_graph_op *op) { input(c, op, 1)->dtype = MDLDM_F32; }
static void entropy_smoothing(op_case *c, mdldm_graph_op *op) { (void)c; op->attr.cross_entropy.smoothing = 1; }
static void dropout_p(op_case *c, mdldm_graph_op *op) { (void)c; op->attr.dropout.p = 1; }
static void dropout_seed(op_case *c, mdldm_graph_op *op) { input(c, op, 1)->dims[3] = 1; }

static void collect_place(op_case *c, mdldm_graph_op *op) { input(c, op, 2)->dims[3] = 5; }
static void collect_keep(op_case *c, mdldm_graph_op *op) { (void)c; op->attr.codebook.keep = 1.5f; }
static void collect_sums(op_case *c, mdldm_graph_op *op) { (void)c; op->in[4] = op->in[3]; }
static void collect_tally(op_case *c, mdldm_graph_op *op) { output(c, op, 0)->role = MDLDM_ROLE_ACTIVATION; }
static void update_output(op_case *c, mdldm_graph_op *op) { output(c, op, 3)->flags = MDLDM_TENSOR_OUTPUT; }
static void update_twice(op_case *c, mdldm_graph_op *op) { output(c, op, 3)->param = output(c, op, 1)->param; }
static void update_report(op_case *c, mdldm_graph_op *op) { output(c, op, 4)->dims[3] = 2; }
static void update_reads_state(op_case *c, mdldm_graph_op *op) { input(c, op, 0)->role = MDLDM_ROLE_STATE; }

static void q8_range(op_case *c, mdldm_graph_op *op)
{
    mdldm_graph_tensor *t = input(c, op, 1);
    t->dims[1] = c->params.items[t->param].dims[1] = 3;
}
static void q8_group(op_case *c, mdldm_graph_op *op) { input(c, op, 2)->dims[0]++; }
static void q8_float_result(op_case *c, mdldm_graph_op *op) { output(c, op, 0)->dtype = MDLDM_F32; }
static void q8_output(op_case *c, mdldm_graph_op *op) { output(c, op, 0)->flags = MDLDM_TENSOR_OUTPUT; }
static void q8_float_source(op_case *c, mdldm_graph_op *op) { (void)c; op->in[0] = 0; }
static void q8_float_weight(op_case *c, mdldm_graph_op *op) { input(c, op, 2)->dtype = MDLDM_F32; }
static void q8_scale(op_case *c, mdldm_graph_op *op)
{
    mdldm_graph_tensor *t = input(c, op, 3);
    t->dims[0] = c->params.items[t->param].dims[0] = 5;
}
static void q8_scale_type(op_case *c, mdldm_graph_op *op) { input(c, op, 3)->dtype = MDLDM_I8; }
static void q8_stride(op_case *c, mdldm_graph_op *op) { (void)c; op->attr.conv.stride_w = 0; }
static void q8_integer_source(op_case *c, mdldm_graph_op *op) { input(c, op, 0)->dtype = MDLDM_I8; }
static void q8_terms(op_case *c, mdldm_graph_op *op)
{
    mdldm_graph_tensor *t = input(c, op, 2);
    t->dims[1] = c->params.items[t->param].dims[1] = 7300; /* times 9 */
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const char conv[] = "conv 3x3, two sources", norm[] = "group norm, two sources, scale and shift",
                      q8[] = "q8 conv 3x3";
    static const struct {
        const char *name;
        int32_t kind;
        void (*damage)(op_case *c, mdldm_graph_op *op);
        const char *words;
    } mistakes[] = {
        {conv, MDLDM_OP_CONV, conv_pad, "padding"},
        {conv, MDLDM_OP_CONV, conv_stride, "stride"},
        {conv, MDLDM_OP_CONV, conv_kernel, "the weight has shape [20,41,3,3], it must be [20,41,3,1]"},
        {conv, MDLDM_OP_CONV, conv_output, "it must be [2,8,6,20]"},
        {conv, MDLDM_OP_CONV, conv_source, "second source"},
        {conv, MDLDM_OP_CONV, conv_no_weight, "input slot 2 is empty"},
        {conv, MDLDM_OP_CONV, conv_activation_weight, "must be a parameter"},
        {conv, MDLDM_OP_CONV, conv_unknown_tensor, "the graph has 0.."},
        {conv, MDLDM_OP_CONV, conv_reads_itself, "which nothing has written"},
        {conv, MDLDM_OP_CONV, conv_writes_input, "must be an activation"},
        {conv, MDLDM_OP_CONV, conv_mixed_types, "is BF16, the ones before it F32"},
        {conv, MDLDM_OP_CONV, conv_integer, "is I32, it must be F32 or BF16"},
        {conv, MDLDM_OP_CONV, conv_half, "none of F32, BF16, I32, I8 and U8"},
        {conv, MDLDM_OP_CONV, conv_weight_shape, "its parameter 'conv.weight'"},
        {conv, MDLDM_OP_CONV, conv_param_index, "the store does not have"},
        {conv, MDLDM_OP_CONV, conv_role, "unknown role"},
        {conv, MDLDM_OP_CONV, conv_kind, "kind 35 is unknown"},
        {conv, MDLDM_OP_CONV, conv_empty_tensor, "size below 1"},
        {conv, MDLDM_OP_CONV, conv_huge_tensor, "beyond 2^40"},
        {conv, MDLDM_OP_CONV, conv_frozen, "not trainable"},
        {norm, MDLDM_OP_GROUP_NORM, norm_groups, "groups divide"},
        {norm, MDLDM_OP_GROUP_NORM, norm_no_groups, "groups divide"},
        {norm, MDLDM_OP_GROUP_NORM, norm_eps, "eps"},
        {norm, MDLDM_OP_GROUP_NORM, norm_stats, "stats has shape"},
        {norm, MDLDM_OP_GROUP_NORM, norm_scale_shift, "scale_shift has shape"},
        {norm, MDLDM_OP_GROUP_NORM_BWD, norm_no_x1, "group_norm_bwd"},
        {norm, MDLDM_OP_GROUP_NORM, apply_no_stats, "input slot 5 is empty"},
        {norm, MDLDM_OP_GROUP_NORM, apply_early, "which nothing has written"},
        {norm, MDLDM_OP_GROUP_NORM, apply_stats, "stats has shape"},
        {"attention, heads of 8", MDLDM_OP_ATTENTION, attention_heads, "heads divide"},
        {"attention, heads of 8", MDLDM_OP_ATTENTION, attention_lse, "lse has shape"},
        {"attention, heads of 8", MDLDM_OP_ATTENTION, attention_k, "k or v has shape"},
        {"pool, odd map", MDLDM_OP_AVGPOOL2, pool_size, "it must be [2,3,4,5]"},
        {"embedding", MDLDM_OP_EMBEDDING, embedding_index, "is F32, it must be I32"},
        {"vq", MDLDM_OP_VQ, vq_width, "the codebook has shape"},
        {"vq", MDLDM_OP_VQ, vq_bf16, "is BF16, it must be F32"},
        {"vq entropy", MDLDM_OP_VQ_ENTROPY, entropy_temperature, "temperature"},
        {"l2 loss", MDLDM_OP_LOSS, loss_kind, "kind L1 or L2"},
        {"l2 loss, weight per image", MDLDM_OP_LOSS, loss_weight, "weight has shape"},
        {"cross entropy", MDLDM_OP_CROSS_ENTROPY, entropy_label, "label has shape"},
        {"cross entropy", MDLDM_OP_CROSS_ENTROPY, entropy_label_type, "is F32, it must be I32"},
        {"cross entropy", MDLDM_OP_CROSS_ENTROPY, entropy_smoothing, "0 <= smoothing < 1"},
        {"dropout", MDLDM_OP_DROPOUT, dropout_p, "p < 1"},
        {"dropout", MDLDM_OP_DROPOUT, dropout_seed, "seed has shape"},
        {"vq collect", MDLDM_OP_VQ_COLLECT, collect_place, "place has shape"},
        {"vq collect", MDLDM_OP_VQ_COLLECT, collect_keep, "keep and take between 0 and 1"},
        {"vq collect", MDLDM_OP_VQ_COLLECT, collect_sums, "the codebook has shape"},
        {"vq collect", MDLDM_OP_VQ_COLLECT, collect_tally, "output slot 0 must be state"},
        {"vq update", MDLDM_OP_VQ_UPDATE, update_output, "is state and cannot be an output"},
        {"vq update", MDLDM_OP_VQ_UPDATE, update_twice, "another tensor names the same parameter"},
        {"vq update", MDLDM_OP_VQ_UPDATE, update_report, "the report has shape"},
        {"vq update", MDLDM_OP_VQ_UPDATE, update_reads_state, "input slot 0 must be a parameter"},
        {q8, MDLDM_OP_QUANTIZE, q8_range, "the range has shape"},
        {q8, MDLDM_OP_QUANTIZE, q8_group, "group has shape"},
        {q8, MDLDM_OP_QUANTIZE, q8_float_result, "is F32, it must be U8"},
        {q8, MDLDM_OP_QUANTIZE, q8_output, "can be neither an input nor an output"},
        {q8, MDLDM_OP_CONV_Q8, q8_float_source, "is F32, it must be U8"},
        {q8, MDLDM_OP_CONV_Q8, q8_float_weight, "is F32, it must be I8"},
        {q8, MDLDM_OP_CONV_Q8, q8_scale, "the weight's scale has shape"},
        {q8, MDLDM_OP_CONV_Q8, q8_scale_type, "is I8, it must be F32"},
        {q8, MDLDM_OP_CONV_Q8, q8_stride, "stride"},
        {q8, MDLDM_OP_CONV_Q8, q8_integer_source, "is I8 and must be a parameter"},
        {q8, MDLDM_OP_CONV_Q8, q8_terms, "65535 products"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        op_case c;
        test_host h;
        test_host_init(&h, NULL);
        op_case_open(&c, op_case_find(mistakes[i].name, MDLDM_F32));
        if (check(&h, &c, MDLDM_STORE_TRAIN) != MDLDM_OK)
            fail_msg("%s: %s", c.name, h.error);
        mistakes[i].damage(&c, op_of(&c, mistakes[i].kind));
        mdldm_status status = check(&h, &c, MDLDM_STORE_TRAIN);
        if (status != MDLDM_ERROR_INVALID_ARGUMENT || strstr(h.error, mistakes[i].words) == NULL)
            fail_msg("mistake %zu in %s: status %d, '%s', expected '%s'", i, c.name, (int)status, h.error,
                     mistakes[i].words);
        assert_int_equal(h.own.live, 0);
        op_case_close(&c);
    }
}

static void gradients_need_a_training_store(void **state)
{
    (void)state;
    op_case c;
    test_host h;
    test_host_init(&h, NULL);
    op_case_open(&c, op_case_find("conv 3x3", MDLDM_F32));
    assert_int_equal(check(&h, &c, 0), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(h.error, "not opened for training"));
    c.graph.op_count = 0;
    assert_int_equal(check(&h, &c, MDLDM_STORE_TRAIN), MDLDM_ERROR_INVALID_ARGUMENT);
    op_case_close(&c);
    op_case_open(&c, op_case_find("vq update", MDLDM_F32));
    assert_int_equal(check(&h, &c, 0), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(h.error, "is state, but the store was not opened for training"));
    op_case_close(&c);
}

/* Changes one number of the graph by a little. */
static void damage(op_case *c, uint64_t round)
{
    uint32_t r[6];
    mdldm__rng_words(2, MDLDM__RNG_SHUFFLE, round, 0, r, 6);
    mdldm_graph_op *op = &c->graph.ops[r[0] % (uint32_t)c->graph.op_count];
    mdldm_graph_tensor *t = &c->graph.tensors[r[1] % (uint32_t)c->graph.tensor_count];
    int32_t tensor = (int32_t)(r[2] % (uint32_t)(c->graph.tensor_count + 2)) - 1;
    switch (r[3] % 9) {
    case 0:
        op->in[r[4] % 7] = tensor;
        break;
    case 1:
        op->out[r[4] % MDLDM_OP_OUTPUTS] = tensor;
        break;
    case 2:
        op->kind = 1 + (int32_t)(r[4] % MDLDM__OP_LAST);
        break;
    case 3: { /* each attribute is a row of 32-bit numbers */
        int32_t *number = (int32_t *)(void *)op->attr.reserved + r[4] % 8;
        *number += (int32_t)(r[5] % 5) - 2;
        break;
    }
    case 4:
        t->dims[r[4] % 4] += (int64_t)(r[5] % 5) - 2;
        break;
    case 5:
        t->dtype = (int32_t)(r[4] % 7);
        break;
    case 6:
        t->role = (int32_t)(r[4] % 5);
        break;
    case 7:
        t->param = (int32_t)(r[4] % 4) - 1;
        break;
    default:
        t->flags ^= MDLDM_TENSOR_OUTPUT;
        break;
    }
}

/* Runs the graph with every input and output bound to memory of its own size. */
static void run_damaged(op_case *c, mdldm_device *device)
{
    const mdldm_backend *backend = &mdldm__backend_reference;
    mdldm_graph_desc desc = mdldm__graph_desc(&c->graph);
    mdldm_param_desc *params = mdldm__params_desc(&c->params);
    mdldm_store *store = NULL;
    mdldm_plan *plan = NULL;
    mdldm_binding bindings[64];
    int count = 0;
    assert_non_null(params);
    int32_t flags = op_case_store_flags(c, MDLDM_STORE_TRAIN);
    assert_int_equal(backend->store_open(device, params, c->params.count, flags, &store), MDLDM_OK);
    for (int32_t i = 0; i < c->params.count; i++)
        assert_int_equal(backend->store_bind(store, i, c->params.items[i].data, c->params.items[i].dtype), MDLDM_OK);
    if (backend->plan_compile(device, store, &desc, 0, &plan) == MDLDM_OK) {
        for (int32_t i = 0; i < desc.tensor_count && count < 64; i++) {
            const mdldm_graph_tensor *t = &desc.tensors[i];
            if (t->role == MDLDM_ROLE_INPUT || (t->flags & MDLDM_TENSOR_OUTPUT)) {
                bindings[count] = (mdldm_binding){.tensor = i, .layout = MDLDM_LAYOUT_NCHW};
                bindings[count++].data = calloc((size_t)mdldm__elements(t->dims), 4);
            }
        }
        mdldm_status status = backend->plan_run(plan, bindings, count, 0);
        assert_true(status == MDLDM_OK || status == MDLDM_ERROR_INVALID_ARGUMENT);
        for (int i = 0; i < count; i++)
            free(bindings[i].data);
        backend->plan_close(plan);
    }
    backend->store_close(store);
    mdldm__free(c->params.env, params);
}

static int small_cases(int *list)
{
    int count = 0;
    for (int i = 0; i < op_case_count(); i++) {
        op_case c;
        op_case_open(&c, i);
        mdldm_graph_desc desc = mdldm__graph_desc(&c.graph);
        if (mdldm__graph_macs(&desc) < 200000)
            list[count++] = i;
        op_case_close(&c);
    }
    return count;
}

static void damaged_graphs_are_safe(void **state)
{
    (void)state;
    enum { ROUNDS = 800 };
    int list[1024], refused = 0, accepted = 0;
    assert_true(op_case_count() <= 1024);
    int cases = small_cases(list);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        op_case c;
        test_host h;
        mdldm_device *device = NULL;
        test_host_init(&h, NULL);
        op_case_open(&c, list[round % (uint64_t)cases]);
        damage(&c, round);
        assert_int_equal(mdldm__backend_reference.device_open(&h.host, "", 1, &device), MDLDM_OK);
        if (check(&h, &c, op_case_store_flags(&c, MDLDM_STORE_TRAIN)) == MDLDM_OK) {
            run_damaged(&c, device);
            accepted++;
        } else {
            assert_true(strlen(h.error) > 20);
            refused++;
        }
        mdldm__backend_reference.device_close(device);
        assert_int_equal(h.own.live, 0);
        op_case_close(&c);
    }
    assert_true(refused > ROUNDS / 4 && accepted > ROUNDS / 10);
    print_message("%d damaged graphs refused, %d harmless\n", refused, accepted);
}

/* The cases of op_cases.c, and with them the comparisons of all backends, leave no operation out. */
static void every_operation_has_a_case(void **state)
{
    (void)state;
    int seen[2][MDLDM__OP_LAST + 1] = {{0}}; /* F32, BF16 */
    for (int i = 0; i < op_case_count(); i++) {
        op_case c;
        op_case_open(&c, i);
        for (int32_t k = 0; k < c.graph.op_count; k++)
            seen[c.act == MDLDM_BF16][c.graph.ops[k].kind]++;
        op_case_close(&c);
    }
    for (int kind = 1; kind <= MDLDM__OP_LAST; kind++) {
        int only_f32 = (kind >= MDLDM_OP_VQ && kind <= MDLDM_OP_VQ_ENTROPY_BWD) || kind == MDLDM_OP_VQ_COLLECT ||
                       kind == MDLDM_OP_VQ_UPDATE;
        if (seen[0][kind] == 0 || (seen[1][kind] == 0 && !only_f32))
            fail_msg("no case has %s", mdldm__op_name(kind));
    }
}

static void costs(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t macs; /* with backward */
    } cases[] = {
        {"conv 3x3", 3 * 2 * 64 * 32 * 16 * 9},
        {"linear", 3 * 4 * 96 * 160},
        {"attention, heads of 8", 7 * 2 * 64 * 64 * 32},
        {"vq", 2 * 5 * 7 * 3 * 64},
        {"silu", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        op_case c;
        op_case_open(&c, op_case_find(cases[i].name, MDLDM_F32));
        mdldm_graph_desc desc = mdldm__graph_desc(&c.graph);
        assert_int_equal(mdldm__graph_macs(&desc), cases[i].macs);
        op_case_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(gradients_need_a_training_store),
        cmocka_unit_test(damaged_graphs_are_safe),
        cmocka_unit_test(every_operation_has_a_case),
        cmocka_unit_test(costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
