/* SPDX-License-Identifier: MIT
 * Times single operations of the cpu plug-in at the shapes of the preset models. Not a test.
 *
 *   bench_ops [--threads N] [--bf16] [--batch N] [--cpu-time] [FILTER]
 *
 * --cpu-time counts processor time, for one thread on a busy machine.
 *
 * A plan with 1 + R copies of the operation runs against one with a single copy; the median of the
 * difference over R is the time printed, so that filling inputs is not in it. */
#include <dlfcn.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../support/test_host.h"

enum { COPIES = 4, ROUNDS = 9, MAX_SLOTS = 13 };

typedef struct bench_op {
    mdldm_graph_tensor tensors[MAX_SLOTS];
    int count;
    mdldm_graph_op op;
    double work; /* multiply-accumulates, or 0 */
} bench_op;

static const mdldm_backend *backend;
static mdldm_device *device;
static test_host host;
static int32_t act = MDLDM_F32;
static int64_t batch = 1;
static const char *filter = "";
static clockid_t clock_id = CLOCK_MONOTONIC;

static double now(void)
{
    struct timespec t;
    clock_gettime(clock_id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int32_t add_tensor(bench_op *b, int32_t dtype, int32_t role, int64_t d0, int64_t d1, int64_t d2,
                          int64_t d3)
{
    mdldm_graph_tensor *t = &b->tensors[b->count];
    *t = (mdldm_graph_tensor){
        .dtype = dtype, .role = role, .param = -1, .dims = {d0, d1, d2, d3}, .name = "t"};
    return b->count++;
}

static int32_t input(bench_op *b, int64_t h, int64_t w, int64_t c)
{
    return add_tensor(b, act, MDLDM_ROLE_INPUT, batch, h, w, c);
}

static int32_t output(bench_op *b, int64_t h, int64_t w, int64_t c)
{
    return add_tensor(b, act, MDLDM_ROLE_ACTIVATION, batch, h, w, c);
}

static bench_op new_op(int32_t kind)
{
    bench_op b = {.op.kind = kind, .op.name = "bench"};
    memset(b.op.in, -1, sizeof b.op.in);
    memset(b.op.out, -1, sizeof b.op.out);
    return b;
}

static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, host.error);
    exit(1);
}

/* Fills a store for the parameters of the operation; a gradient goes with the parameter of its shape. */
static mdldm_store *make_store(bench_op *b, float ***values)
{
    mdldm_param_desc params[MAX_SLOTS] = {{0}};
    int32_t count = 0;
    for (int i = 0; i < b->count; i++)
        if (b->tensors[i].role == MDLDM_ROLE_PARAM || b->tensors[i].role == MDLDM_ROLE_PARAM_GRAD) {
            const int64_t *d = b->tensors[i].dims;
            params[count] = (mdldm_param_desc){.name = "p", .rank = d[1] == 1 ? 1 : 4, .trainable = 1};
            memcpy(params[count].dims, d, sizeof params[count].dims);
            b->tensors[i].param = count++;
        }
    mdldm_store *store = NULL;
    if (backend->store_open(device, params, count, MDLDM_STORE_TRAIN, &store) != MDLDM_OK)
        die("store");
    *values = calloc((size_t)count + 1, sizeof **values);
    for (int32_t i = 0; i < count; i++) {
        const int64_t *d = params[i].dims;
        size_t n = (size_t)(d[0] * d[1] * d[2] * d[3]);
        float *v = malloc(n * sizeof *v);
        for (size_t j = 0; j < n; j++)
            v[j] = (float)((j * 7919) % 1000) * 1e-4f - 0.05f;
        (*values)[i] = v;
        if (backend->store_bind(store, i, v, MDLDM_F32) != MDLDM_OK)
            die("bind");
    }
    return store;
}

static mdldm_plan *compile(const bench_op *b, mdldm_store *store, int copies)
{
    mdldm_graph_tensor tensors[MAX_SLOTS * (COPIES + 1)];
    mdldm_graph_op ops[COPIES + 1];
    int32_t count = b->count;
    memcpy(tensors, b->tensors, sizeof b->tensors);
    for (int i = 0; i < copies; i++) {
        ops[i] = b->op;
        for (int slot = 0; slot < MDLDM_OP_OUTPUTS && i > 0; slot++)
            if (b->op.out[slot] >= 0 && tensors[b->op.out[slot]].role == MDLDM_ROLE_ACTIVATION) {
                tensors[count] = tensors[b->op.out[slot]];
                ops[i].out[slot] = count++;
            }
    }
    mdldm_graph_desc graph = {sizeof graph, count, copies, tensors, ops};
    mdldm_plan *plan = NULL;
    if (backend->plan_compile(device, store, &graph, 0, &plan) != MDLDM_OK)
        die("compile");
    return plan;
}

static void run(const char *name, bench_op *b)
{
    if (strstr(name, filter) == NULL)
        return;
    mdldm_binding bindings[MAX_SLOTS];
    void *data[MAX_SLOTS];
    float **values = NULL;
    int inputs = 0;
    mdldm_store *store = make_store(b, &values);
    for (int i = 0; i < b->count; i++) {
        if (b->tensors[i].role != MDLDM_ROLE_INPUT)
            continue;
        const int64_t *d = b->tensors[i].dims;
        size_t n = (size_t)(d[0] * d[1] * d[2] * d[3]);
        int whole = b->tensors[i].dtype == MDLDM_I32;
        float *v = calloc(n, sizeof *v);
        for (size_t j = 0; j < n && !whole; j++)
            v[j] = (float)((j * 104729) % 2000) * 1e-3f - 1.0f;
        data[inputs] = v;
        bindings[inputs++] = (mdldm_binding){i, whole ? MDLDM_I32 : MDLDM_F32, MDLDM_LAYOUT_NHWC, 0, v};
    }
    mdldm_plan *one = compile(b, store, 1), *many = compile(b, store, 1 + COPIES);
    double times[ROUNDS];
    for (int i = -1; i < ROUNDS; i++) {
        double t0 = now();
        if (backend->plan_run(one, bindings, inputs, 0) != MDLDM_OK)
            die("run");
        double t1 = now();
        if (backend->plan_run(many, bindings, inputs, 0) != MDLDM_OK)
            die("run");
        if (i >= 0)
            times[i] = (now() - t1 - (t1 - t0)) / COPIES;
    }
    qsort(times, ROUNDS, sizeof *times, compare_doubles);
    double median = times[ROUNDS / 2];
    printf("%-46s %9.3f ms (%.3f..%.3f)", name, median * 1e3, times[1] * 1e3, times[ROUNDS - 2] * 1e3);
    if (b->work > 0)
        printf(" %8.1f GFLOP/s", 2e-9 * b->work / median);
    printf("\n");
    fflush(stdout);
    backend->plan_close(one);
    backend->plan_close(many);
    for (int i = 0; i < inputs; i++)
        free(data[i]);
    for (int i = 0; values[i] != NULL; i++)
        free(values[i]);
    free(values);
    backend->store_close(store);
}

static void conv(int64_t size, int64_t ic, int64_t oc, int32_t kernel, int32_t stride)
{
    char name[128];
    int32_t pad = kernel / 2;
    int64_t out = (size + 2 * pad - kernel) / stride + 1;
    double work = (double)batch * (double)(out * out * ic * oc) * kernel * kernel;
    mdldm_conv_attr attr = {kernel, kernel, stride, stride, pad, pad, pad, pad};
    for (int part = 0; part < 3; part++) {
        bench_op b = new_op(MDLDM_OP_CONV + part);
        static const char *const part_names[3] = {"forward", "data", "weights"};
        int32_t x, y, w, bias;
        if (part == 0) {
            x = input(&b, size, size, ic);
            y = output(&b, out, out, oc);
        } else {
            x = part == 1 ? output(&b, size, size, ic) : input(&b, size, size, ic);
            y = input(&b, out, out, oc);
        }
        int32_t role = part == 2 ? MDLDM_ROLE_PARAM_GRAD : MDLDM_ROLE_PARAM;
        w = add_tensor(&b, MDLDM_F32, role, oc, ic, kernel, kernel);
        bias = add_tensor(&b, MDLDM_F32, role, oc, 1, 1, 1);
        const int32_t in[3][4] = {{x, -1, w, bias}, {y, w, -1, -1}, {x, -1, y, -1}};
        memcpy(b.op.in, in[part], sizeof in[part]);
        b.op.out[0] = part == 0 ? y : part == 1 ? x : w;
        if (part == 2)
            b.op.out[1] = bias;
        b.op.attr.conv = attr;
        b.work = work;
        snprintf(name, sizeof name, "conv %dx%d/%d %lldx%lld %lld->%lld %s", kernel, kernel, stride,
                 (long long)size, (long long)size, (long long)ic, (long long)oc, part_names[part]);
        run(name, &b);
    }
}

static void linear(int64_t in, int64_t out)
{
    char name[128];
    bench_op b = new_op(MDLDM_OP_CONV);
    int32_t x = input(&b, 1, 1, in), y = output(&b, 1, 1, out);
    int32_t w = add_tensor(&b, MDLDM_F32, MDLDM_ROLE_PARAM, out, in, 1, 1);
    int32_t bias = add_tensor(&b, MDLDM_F32, MDLDM_ROLE_PARAM, out, 1, 1, 1);
    memcpy(b.op.in, (int32_t[4]){x, -1, w, bias}, 4 * sizeof x);
    b.op.out[0] = y;
    b.op.attr.conv = (mdldm_conv_attr){1, 1, 1, 1, 0, 0, 0, 0};
    b.work = (double)batch * (double)(in * out);
    snprintf(name, sizeof name, "linear %lld->%lld", (long long)in, (long long)out);
    run(name, &b);
}

static void group_norm(int64_t size, int64_t c, int backward)
{
    char name[128];
    bench_op b = new_op(backward ? MDLDM_OP_GROUP_NORM_BWD : MDLDM_OP_GROUP_NORM);
    int32_t x = input(&b, size, size, c), y = backward ? input(&b, size, size, c) : output(&b, size, size, c);
    int32_t groups = c % 32 == 0 ? 32 : 8;
    int32_t stats = add_tensor(&b, MDLDM_F32, backward ? MDLDM_ROLE_INPUT : MDLDM_ROLE_ACTIVATION, batch, 1,
                               groups, 2);
    int32_t gamma = add_tensor(&b, MDLDM_F32, MDLDM_ROLE_PARAM, c, 1, 1, 1);
    int32_t beta = add_tensor(&b, MDLDM_F32, MDLDM_ROLE_PARAM, c, 1, 1, 1);
    if (backward) {
        memcpy(b.op.in, (int32_t[7]){y, x, -1, gamma, beta, -1, stats}, 7 * sizeof x);
        b.op.out[0] = output(&b, size, size, c);
        b.op.out[2] = add_tensor(&b, MDLDM_F32, MDLDM_ROLE_PARAM_GRAD, c, 1, 1, 1);
        b.op.out[3] = add_tensor(&b, MDLDM_F32, MDLDM_ROLE_PARAM_GRAD, c, 1, 1, 1);
    } else {
        memcpy(b.op.in, (int32_t[5]){x, -1, gamma, beta, -1}, 5 * sizeof x);
        b.op.out[0] = y;
        b.op.out[1] = stats;
    }
    b.op.attr.norm = (mdldm_norm_attr){groups, 1, 1e-5f};
    snprintf(name, sizeof name, "group norm + silu %lldx%lldx%lld %s", (long long)size, (long long)size,
             (long long)c, backward ? "backward" : "forward");
    run(name, &b);
}

static void attention(int64_t size, int64_t c, int32_t heads, int backward)
{
    char name[128];
    bench_op b = new_op(backward ? MDLDM_OP_ATTENTION_BWD : MDLDM_OP_ATTENTION);
    int32_t q = input(&b, size, size, c), k = input(&b, size, size, c), v = input(&b, size, size, c);
    int32_t role = backward ? MDLDM_ROLE_INPUT : MDLDM_ROLE_ACTIVATION;
    int32_t o = add_tensor(&b, act, role, batch, size, size, c);
    int32_t lse = add_tensor(&b, MDLDM_F32, role, batch, heads, size * size, 1);
    if (backward) {
        int32_t d = input(&b, size, size, c);
        memcpy(b.op.in, (int32_t[6]){d, q, k, v, o, lse}, 6 * sizeof q);
        for (int i = 0; i < 3; i++)
            b.op.out[i] = output(&b, size, size, c);
    } else {
        memcpy(b.op.in, (int32_t[3]){q, k, v}, 3 * sizeof q);
        b.op.out[0] = o;
        b.op.out[1] = lse;
    }
    b.op.attr.attention = (mdldm_attention_attr){heads, 0.3f};
    b.work = (double)batch * (double)(size * size) * (double)(size * size) * (double)c * (backward ? 5 : 2);
    snprintf(name, sizeof name, "attention %lld tokens, %d heads of %lld %s", (long long)(size * size), heads,
             (long long)(c / heads), backward ? "backward" : "forward");
    run(name, &b);
}

static void vq(int64_t size, int64_t codes, int64_t dim)
{
    char name[128];
    bench_op b = new_op(MDLDM_OP_VQ);
    b.op.in[0] = add_tensor(&b, MDLDM_F32, MDLDM_ROLE_INPUT, batch, size, size, dim);
    b.op.in[1] = add_tensor(&b, MDLDM_F32, MDLDM_ROLE_PARAM, codes, dim, 1, 1);
    b.op.out[0] = add_tensor(&b, MDLDM_F32, MDLDM_ROLE_ACTIVATION, batch, size, size, dim);
    b.op.out[1] = add_tensor(&b, MDLDM_I32, MDLDM_ROLE_ACTIVATION, batch, size, size, 1);
    b.op.out[2] = add_tensor(&b, MDLDM_F32, MDLDM_ROLE_ACTIVATION, 1, 1, 1, 1);
    b.work = (double)batch * (double)(size * size * codes * dim);
    snprintf(name, sizeof name, "vq %lld rows, %lld codes of %lld", (long long)(size * size),
             (long long)codes, (long long)dim);
    run(name, &b);
}

static void open_plugin(int32_t threads)
{
    char self[1024], path[1200];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = '\0';
    const char *folder = getenv("MDLDM_BACKEND_DIR");
    if (folder != NULL)
        snprintf(path, sizeof path, "%s/mdldm_backend_cpu.so", folder);
    else
        snprintf(path, sizeof path, "%s/../../backends/mdldm_backend_cpu.so", dirname(self));
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = handle != NULL ? dlsym(handle, MDLDM_BACKEND_ENTRY) : NULL;
    if (symbol == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    mdldm_backend_entry_fn entry;
    memcpy(&entry, &symbol, sizeof entry);
    backend = entry(MDLDM_BACKEND_ABI);
    test_host_init(&host, NULL);
    if (backend == NULL || backend->device_open(&host.host, "", threads, &device) != MDLDM_OK)
        die("device");
}

int main(int argc, char **argv)
{
    int32_t threads = (int32_t)sysconf(_SC_NPROCESSORS_ONLN);
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--bf16") == 0)
            act = MDLDM_BF16;
        else if (strcmp(argv[i], "--cpu-time") == 0)
            clock_id = CLOCK_PROCESS_CPUTIME_ID;
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            threads = atoi(argv[++i]);
        else if (strcmp(argv[i], "--batch") == 0 && i + 1 < argc)
            batch = atoi(argv[++i]);
        else
            filter = argv[i];
    open_plugin(threads);
    /* UNet */
    conv(64, 3, 224, 3, 1);
    conv(64, 224, 224, 3, 1);
    conv(64, 448, 224, 3, 1);
    conv(64, 224, 224, 3, 2);
    conv(32, 448, 448, 3, 1);
    conv(16, 672, 672, 3, 1);
    conv(8, 896, 896, 3, 1);
    conv(8, 1792, 896, 3, 1);
    conv(64, 224, 3, 3, 1);
    conv(32, 448, 448, 1, 1);
    conv(8, 896, 896, 1, 1);
    linear(896, 896);
    linear(896, 224);
    group_norm(64, 224, 0);
    group_norm(64, 224, 1);
    group_norm(8, 1792, 0);
    for (int backward = 0; backward < 2; backward++) {
        attention(32, 448, 56, backward);
        attention(16, 672, 84, backward);
        attention(8, 896, 112, backward);
    }
    /* VQ-f4 */
    conv(256, 3, 128, 3, 1);
    conv(256, 128, 128, 3, 1);
    conv(128, 256, 256, 3, 1);
    conv(64, 512, 512, 3, 1);
    conv(256, 128, 3, 3, 1);
    group_norm(256, 128, 0);
    group_norm(256, 128, 1);
    attention(64, 512, 1, 0);
    attention(64, 512, 1, 1);
    vq(64, 8192, 3);
    vq(64, 1024, 64);
    /* presets small and tiny */
    conv(256, 3, 16, 3, 1);
    conv(256, 16, 16, 3, 1);
    conv(256, 16, 16, 3, 2);
    conv(256, 16, 3, 3, 1);
    conv(128, 16, 32, 3, 1);
    conv(128, 32, 32, 3, 1);
    conv(128, 32, 16, 1, 1);
    conv(64, 48, 48, 3, 1);
    conv(32, 64, 64, 3, 1);
    conv(16, 128, 128, 3, 1);
    conv(8, 192, 192, 3, 1);
    conv(4, 256, 256, 3, 1);
    attention(16, 128, 4, 0);
    attention(16, 128, 4, 1);
    group_norm(256, 16, 0);
    group_norm(256, 16, 1);
    backend->device_close(device);
    return 0;
}
