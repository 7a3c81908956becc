/* SPDX-License-Identifier: MIT
 * Weights in a mapped file, F32, F16 and BF16: they give what the same values in plain memory give, also
 * when other values of another type are bound to the same plan later, and they can be read back; and a
 * backend that has packed them leaves none of the file's pages resident. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../support/backend_list.h"
#include "../support/test_host.h"
#include "util/half.h"

enum { IN = 640, OUT = 512, SIDE = 8, COUNT = IN * OUT, RESULTS = SIDE * SIDE * OUT };

/* A 1x1 convolution on 64 pixels: enough rows for packing to be worth it. */
typedef struct session {
    const mdldm_backend *backend;
    test_host host;
    mdldm_device *device;
    mdldm_store *store;
    mdldm_plan *plan;
    float *x, *y; /* [1, SIDE, SIDE, IN], [1, SIDE, SIDE, OUT] */
} session;

static void must(session *s, mdldm_status status)
{
    if (status != MDLDM_OK)
        fail_msg("%s: %s", s->backend->name, s->host.error);
}

static void open_session(session *s, const mdldm_backend *backend)
{
    const mdldm_param_desc param = {.name = "w", .dims = {OUT, IN, 1, 1}, .rank = 4, .trainable = 1};
    memset(s, 0, sizeof *s);
    s->backend = backend;
    test_host_init(&s->host, NULL);
    must(s, backend->device_open(&s->host.host, "", 2, &s->device));
    must(s, backend->store_open(s->device, &param, 1, 0, &s->store));
    s->x = malloc(SIDE * SIDE * IN * sizeof *s->x);
    s->y = malloc(RESULTS * sizeof *s->y);
    assert_non_null(s->x);
    assert_non_null(s->y);
    for (int i = 0; i < SIDE * SIDE * IN; i++)
        s->x[i] = (float)(i * 7919 % 1000) / 500.0f - 1.0f;
}

static void compile(session *s)
{
    const mdldm_graph_tensor tensors[3] = {
        {MDLDM_F32, MDLDM_ROLE_INPUT, 0, -1, {1, SIDE, SIDE, IN}, "x"},
        {MDLDM_F32, MDLDM_ROLE_ACTIVATION, MDLDM_TENSOR_OUTPUT, -1, {1, SIDE, SIDE, OUT}, "y"},
        {MDLDM_F32, MDLDM_ROLE_PARAM, 0, 0, {OUT, IN, 1, 1}, "w"}};
    const mdldm_graph_op op = {.kind = MDLDM_OP_CONV,
                               .in = {0, -1, 2, -1},
                               .out = {1},
                               .name = "conv",
                               .attr.conv = {1, 1, 1, 1, 0, 0, 0, 0}};
    const mdldm_graph_desc graph = {sizeof graph, 3, 1, tensors, &op};
    must(s, s->backend->plan_compile(s->device, s->store, &graph, 0, &s->plan));
}

static void run(session *s)
{
    const mdldm_binding bindings[2] = {{0, MDLDM_F32, MDLDM_LAYOUT_NHWC, 0, s->x},
                                       {1, MDLDM_F32, MDLDM_LAYOUT_NHWC, 0, s->y}};
    must(s, s->backend->plan_run(s->plan, bindings, 2, 0));
}

static void close_session(session *s)
{
    s->backend->plan_close(s->plan);
    s->backend->store_close(s->store);
    s->backend->device_close(s->device);
    free(s->x);
    free(s->y);
}

/* ---- The same values three ways ---- */

static const int32_t dtypes[] = {MDLDM_F32, MDLDM_F16, MDLDM_BF16};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

typedef struct weights {
    const void *mapped;
    size_t bytes;
    float *plain;   /* what the mapped values are in float */
    float *results; /* of plain */
} weights;

/* Values that every type holds exactly differ by dtype, lest a plan that still has the old ones passes. */
static void make_weights(weights *w, const mdldm_backend *backend, int kind)
{
    int32_t dtype = dtypes[kind];
    w->bytes = (size_t)COUNT * (dtype == MDLDM_F32 ? 4 : 2);
    w->plain = malloc(COUNT * sizeof *w->plain);
    void *content = malloc(w->bytes);
    FILE *file = tmpfile();
    assert_non_null(w->plain);
    assert_non_null(content);
    assert_non_null(file);
    for (int i = 0; i < COUNT; i++) {
        w->plain[i] = (float)((i * 31 + kind * 5) % 97 - 48) / 64.0f;
        uint16_t bits = mdldm__float_to_bf16(w->plain[i]);
        if (dtype == MDLDM_F16) { /* of a multiple of 1/64 below 1 in magnitude */
            uint32_t f = mdldm__float_to_bits(w->plain[i]);
            bits = (f & 0x7fffffff) == 0 ? 0
                                         : (uint16_t)((f >> 16 & 0x8000) | ((f >> 23 & 0xff) - 112) << 10 |
                                                      (f >> 13 & 0x3ff));
            assert_true(mdldm__half_to_float(bits) == w->plain[i]);
        }
        if (dtype == MDLDM_F32)
            ((float *)content)[i] = w->plain[i];
        else
            ((uint16_t *)content)[i] = bits;
    }
    assert_int_equal(fwrite(content, 1, w->bytes, file), w->bytes);
    assert_int_equal(fflush(file), 0);
    w->mapped = mmap(NULL, w->bytes, PROT_READ, MAP_PRIVATE, fileno(file), 0);
    assert_true(w->mapped != MAP_FAILED);
    fclose(file);
    free(content);
    session s;
    open_session(&s, backend);
    must(&s, backend->store_bind(s.store, 0, w->plain, MDLDM_F32));
    compile(&s);
    run(&s);
    w->results = malloc(RESULTS * sizeof *w->results);
    assert_non_null(w->results);
    memcpy(w->results, s.y, RESULTS * sizeof *w->results);
    close_session(&s);
}

static void free_weights(weights *w)
{
    munmap((void *)(uintptr_t)w->mapped, w->bytes);
    free(w->plain);
    free(w->results);
}

/* Kilobytes of the mapping that are resident in this process, from /proc/self/smaps; -1: unknown. */
static long resident(const weights *w)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    if (file == NULL)
        return -1;
    char line[512];
    long found = -1;
    int inside = 0;
    while (found < 0 && fgets(line, sizeof line, file) != NULL) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = from <= (uintptr_t)w->mapped && (uintptr_t)w->mapped < to;
        else if (inside)
            sscanf(line, "Rss: %ld kB", &found);
    }
    fclose(file);
    return found;
}

static void bind_mapped(session *s, const weights *w, int kind)
{
    must(s, s->backend->store_bind(s->store, 0, w->mapped, dtypes[kind] + MDLDM_BIND_MAPPED));
}

static void expect(session *s, const weights *w)
{
    run(s);
    assert_memory_equal(s->y, w->results, RESULTS * sizeof *s->y);
}

static void mapped_weights_are_the_same(void **state)
{
    const mdldm_backend *backend = *state;
    weights w[DTYPES];
    float *back = malloc(COUNT * sizeof *back);
    assert_non_null(back);
    for (int kind = 0; kind < DTYPES; kind++)
        make_weights(&w[kind], backend, kind);
    for (int first = 0; first < DTYPES; first++) { /* what the plan knows when it is compiled */
        session s;
        open_session(&s, backend);
        bind_mapped(&s, &w[first], first);
        compile(&s);
        for (int turn = 0; turn <= DTYPES; turn++) {
            int kind = (first + turn) % DTYPES;
            if (turn > 0)
                bind_mapped(&s, &w[kind], kind);
            expect(&s, &w[kind]);
            expect(&s, &w[kind]);
            must(&s, backend->store_read(s.store, 0, MDLDM_SLOT_VALUE, back));
            assert_memory_equal(back, w[kind].plain, COUNT * sizeof *back);
        }
        close_session(&s);
    }
    for (int kind = 0; kind < DTYPES; kind++)
        free_weights(&w[kind]);
    free(back);
}

static void packed_weights_leave_no_pages(void **state)
{
    const mdldm_backend *backend = *state;
    for (int kind = 0; kind < DTYPES; kind++) {
        weights w;
        make_weights(&w, backend, kind);
        volatile const char *bytes = w.mapped;
        for (size_t i = 0; i < w.bytes; i += 512)
            (void)bytes[i];
        if (resident(&w) < (long)(w.bytes >> 10)) {
            free_weights(&w);
            skip(); /* this system does not tell */
        }
        session s;
        open_session(&s, backend);
        bind_mapped(&s, &w, kind);
        compile(&s);
        run(&s);
        assert_int_equal(resident(&w), 0);
        close_session(&s);
        free_weights(&w);
    }
}

int main(void)
{
    const mdldm_backend *list[MOST_BACKENDS];
    static struct CMUnitTest tests[2 * MOST_BACKENDS];
    static char names[2 * MOST_BACKENDS][80];
    backend_use_test_cuda();
    int backends = backend_list(list), count = 0;
    for (int b = 0; b < backends; b++) {
        int packs = strcmp(list[b]->name, "reference") != 0; /* the reference computes from the values as they are */
        for (int i = 0; i < 1 + packs; i++, count++) {
            snprintf(names[count], sizeof names[count], "%s: %s", list[b]->name,
                     i == 0 ? "mapped weights are the same" : "packed weights leave no pages");
            tests[count] = (struct CMUnitTest){
                .name = names[count],
                .test_func = i == 0 ? mapped_weights_are_the_same : packed_weights_leave_no_pages,
                .initial_state = (void *)(uintptr_t)list[b]};
        }
    }
    return _cmocka_run_group_tests("mapped weights", tests, (size_t)count, NULL, NULL);
}
