/* SPDX-License-Identifier: MIT
 * Times one operation of a graph by itself, on the plug-in's own interface. A plan with 1 + COPIES of it
 * runs against one with a single copy; a COPIES-th of the difference is the time, so that filling the inputs and
 * entering the plug-in are not in it. */
#include <dlfcn.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

enum { COPIES = 4, LEAST = 5, SLOTS = MDLDM_OP_INPUTS + MDLDM_OP_OUTPUTS };

/* The operation with tensors of its own. */
typedef struct single {
    mdldm_graph_tensor tensors[SLOTS];
    int32_t count;
    mdldm_graph_op op;
    mdldm_param_desc params[SLOTS];
    float *values[SLOTS];
    int32_t param_count;
    mdldm_binding bindings[SLOTS];
    int32_t inputs;
    mdldm_store *store;
    mdldm_plan *one, *many;
} single;

static void *resize(const mdldm_host *host, void *pointer, size_t size)
{
    (void)host;
    if (size == 0) {
        free(pointer);
        return NULL;
    }
    return realloc(pointer, size);
}

static mdldm_status set_error(const mdldm_host *host, mdldm_status status, const char *text)
{
    bench_device *d = host->user;
    snprintf(d->error, sizeof d->error, "%s", text);
    return status;
}

static void log_line(const mdldm_host *host, int32_t level, const char *text)
{
    (void)host;
    (void)level;
    (void)text;
}

static int32_t cancelled(const mdldm_host *host)
{
    (void)host;
    return 0;
}

void bench_point_to_plugins(void)
{
    char self[1024], path[1100];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = '\0';
    snprintf(path, sizeof path, "%s/../../backends", dirname(self));
    setenv("MDLDM_BACKEND_DIR", path, 0);
}

extern const mdldm_backend mdldm__backend_reference;

static const mdldm_backend *find_backend(bench_device *d, const char *name)
{
    char path[1200];
    if (strcmp(name, "reference") == 0)
        return &mdldm__backend_reference;
    snprintf(path, sizeof path, "%s/mdldm_backend_%s.so", getenv("MDLDM_BACKEND_DIR"), name);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = handle != NULL ? dlsym(handle, MDLDM_BACKEND_ENTRY) : NULL;
    mdldm_backend_entry_fn entry;
    if (symbol == NULL) {
        snprintf(d->error, sizeof d->error, "%s", dlerror());
        return NULL;
    }
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from object to function pointer */
    return entry(MDLDM_BACKEND_ABI);
}

int bench_device_open(const bench_options *o, bench_device *d)
{
    memset(d, 0, sizeof *d);
    d->host = (mdldm_host){sizeof d->host, d, resize, set_error, log_line, cancelled};
    d->backend = find_backend(d, o->backend);
    return d->backend != NULL && d->backend->device_open(&d->host, "", o->threads, &d->device) == MDLDM_OK;
}

void bench_device_close(bench_device *d)
{
    if (d->device != NULL)
        d->backend->device_close(d->device);
    d->device = NULL;
}

static size_t elements(const int64_t dims[4])
{
    return (size_t)(dims[0] * dims[1] * dims[2] * dims[3]);
}

/* Values that look random: the same every time, no subnormals. */
static float *values(size_t count, float scale)
{
    float *v = malloc(count * sizeof *v);
    for (size_t i = 0; v != NULL && i < count; i++)
        v[i] = (float)((i * 7919) % 2003) * (2.0f * scale / 2003.0f) - scale;
    return v;
}

static int32_t add_tensor(single *s, const mdldm_graph_desc *g, int32_t id, int output)
{
    mdldm_graph_tensor *t = &s->tensors[s->count];
    *t = g->tensors[id];
    t->flags = 0;
    t->name = "t";
    if (t->role == MDLDM_ROLE_PARAM || t->role == MDLDM_ROLE_PARAM_GRAD) {
        mdldm_param_desc *p = &s->params[s->param_count];
        *p = (mdldm_param_desc){.name = "p", .rank = 1, .trainable = 1};
        for (int32_t i = 0; i < 4; i++) {
            p->dims[i] = t->dims[i];
            p->rank = t->dims[i] > 1 ? i + 1 : p->rank;
        }
        if (p->rank == 3)
            p->rank = 4;
        s->values[s->param_count] = values(elements(t->dims), 0.05f);
        t->param = s->param_count++;
    } else if (output) {
        t->role = MDLDM_ROLE_ACTIVATION;
    } else {
        t->role = MDLDM_ROLE_INPUT;
        const int whole = t->dtype == MDLDM_I32;
        s->bindings[s->inputs++] =
            (mdldm_binding){s->count, whole ? MDLDM_I32 : MDLDM_F32, MDLDM_LAYOUT_NHWC, 0,
                            whole ? calloc(elements(t->dims), 4) : values(elements(t->dims), 1.0f)};
    }
    return s->count++;
}

static void make_single(single *s, const mdldm_graph_desc *g, const mdldm_graph_op *op)
{
    memset(s, 0, sizeof *s);
    s->op = *op;
    for (int i = 0; i < SLOTS; i++) {
        const int32_t id = i < MDLDM_OP_INPUTS ? op->in[i] : op->out[i - MDLDM_OP_INPUTS];
        int32_t *slot = i < MDLDM_OP_INPUTS ? &s->op.in[i] : &s->op.out[i - MDLDM_OP_INPUTS];
        int first = 0; /* a tensor that comes twice stays one */
        while (first < i && (first < MDLDM_OP_INPUTS ? op->in[first] : op->out[first - MDLDM_OP_INPUTS]) != id)
            first++;
        if (id >= 0)
            *slot = first < i ? (first < MDLDM_OP_INPUTS ? s->op.in[first] : s->op.out[first - MDLDM_OP_INPUTS])
                              : add_tensor(s, g, id, i >= MDLDM_OP_INPUTS);
    }
}

static mdldm_status open_store(single *s, bench_device *d)
{
    mdldm_status status =
        d->backend->store_open(d->device, s->params, s->param_count, MDLDM_STORE_TRAIN, &s->store);
    for (int32_t i = 0; status == MDLDM_OK && i < s->param_count; i++)
        status = d->backend->store_bind(s->store, i, s->values[i], MDLDM_F32);
    return status;
}

static mdldm_status compile(single *s, bench_device *d, int32_t copies, mdldm_plan **plan)
{
    mdldm_graph_tensor tensors[SLOTS + COPIES * MDLDM_OP_OUTPUTS];
    mdldm_graph_op ops[COPIES + 1];
    int32_t count = s->count;
    memcpy(tensors, s->tensors, sizeof s->tensors);
    for (int32_t i = 0; i < copies; i++) {
        ops[i] = s->op;
        for (int slot = 0; slot < MDLDM_OP_OUTPUTS && i > 0; slot++)
            if (s->op.out[slot] >= 0 && tensors[s->op.out[slot]].role == MDLDM_ROLE_ACTIVATION) {
                tensors[count] = tensors[s->op.out[slot]];
                ops[i].out[slot] = count++;
            }
    }
    mdldm_graph_desc graph = {sizeof graph, count, copies, tensors, ops};
    return d->backend->plan_compile(d->device, s->store, &graph, 0, plan);
}

static mdldm_status time_single(const bench_options *o, single *s, bench_device *d, bench_row *row)
{
    double times[BENCH_MAX_ROUNDS], spent = 0.0;
    int32_t count = -1; /* the first round warms up */
    while (count < BENCH_MAX_ROUNDS && (count < LEAST || spent < o->seconds)) {
        double t0 = bench_now(o);
        MDLDM_BENCH_TRY(d->backend->plan_run(s->one, s->bindings, s->inputs, 0));
        double t1 = bench_now(o);
        MDLDM_BENCH_TRY(d->backend->plan_run(s->many, s->bindings, s->inputs, 0));
        double t2 = bench_now(o);
        if (count >= 0)
            times[count] = (t2 - t1 - (t1 - t0)) / COPIES;
        spent += count >= 0 ? t2 - t0 : 0.0;
        count++;
    }
    bench_take(row, times, count);
    return MDLDM_OK;
}

int bench_op(const bench_options *o, bench_device *d, const mdldm_graph_desc *graph, const mdldm_graph_op *op,
             bench_row *row)
{
    static single s;
    make_single(&s, graph, op);
    mdldm_status status = open_store(&s, d);
    if (status == MDLDM_OK)
        status = compile(&s, d, 1, &s.one);
    if (status == MDLDM_OK)
        status = compile(&s, d, 1 + COPIES, &s.many);
    if (status == MDLDM_OK)
        status = time_single(o, &s, d, row);
    if (s.one != NULL)
        d->backend->plan_close(s.one);
    if (s.many != NULL)
        d->backend->plan_close(s.many);
    if (s.store != NULL)
        d->backend->store_close(s.store);
    for (int32_t i = 0; i < s.param_count; i++)
        free(s.values[i]);
    for (int32_t i = 0; i < s.inputs; i++)
        free(s.bindings[i].data);
    return status == MDLDM_OK;
}
