/* SPDX-License-Identifier: MIT
 * A codebook over the steps of a training run, on each backend that can run here, against the definition of
 * VQ_COLLECT and VQ_UPDATE written out in double: steps of several batches, codes that die and start anew, with
 * moments and an average where the codebook also learns by gradients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../support/backend_list.h"
#include "../support/test_host.h"
#include "graph/graph.h"
#include "util/rng.h"

enum { CODES = 37, WIDTH = 3, HEIGHT = 5, BATCHES = 2, VECTORS = 4 * HEIGHT, STEPS = 9, LIMIT = 3, ROW = 2 * WIDTH + 2 };
enum { BOOK, COUNTS, SUMS, AGE, TALLY, ENTRIES };
enum { MOMENT1, MOMENT2, EMA, EXTRAS };

/* Relative to the largest value of an array. Observed: 4.9e-7, in sums that decay. */
#define TOLERANCE 1.5e-6

static const float decay = 0.9f;
static double observed;

static const mdldm_param_desc entries[ENTRIES] = {
    {.name = "book", .dims = {CODES, WIDTH, 1, 1}, .rank = 2, .trainable = 1},
    {.name = "counts", .dims = {CODES, 1, 1, 1}, .rank = 1},
    {.name = "sums", .dims = {CODES, WIDTH, 1, 1}, .rank = 2},
    {.name = "age", .dims = {CODES, 1, 1, 1}, .rank = 1},
    {.name = "tally", .dims = {CODES, ROW, 1, 1}, .rank = 2},
};

typedef struct codebook_run {
    const mdldm_backend *backend;
    test_host host;
    mdldm_device *device;
    mdldm_store *store;
    mdldm_plan *collect, *update;
    mdldm__tensor z, codes, place, report;
    int trainable, follow;
} codebook_run;

static void ok(const codebook_run *r, mdldm_status status)
{
    if (status != MDLDM_OK)
        fail_msg("%s: %s", r->backend->name, r->host.error);
}

static mdldm__tensor entry(mdldm__graph *g, int index, int32_t role)
{
    return mdldm__graph_stored(g, entries[index].name, role, index, entries[index].dims[0], entries[index].dims[1]);
}

static void compile(codebook_run *r)
{
    mdldm__env env;
    mdldm__params none;
    mdldm__graph g;
    mdldm__env_init(&env, NULL);
    mdldm__params_init(&none, &env);
    mdldm__graph_init(&g, &env, &none, 0, MDLDM_F32);
    r->z = mdldm__graph_input(&g, "z", MDLDM_F32, 4, HEIGHT, 1, WIDTH);
    r->codes = mdldm__graph_input(&g, "codes", MDLDM_I32, 4, HEIGHT, 1, 1);
    r->place = mdldm__graph_input(&g, "place", MDLDM_I32, 1, 1, 1, 6);
    mdldm__tensor counts = entry(&g, COUNTS, MDLDM_ROLE_PARAM), sums = entry(&g, SUMS, MDLDM_ROLE_PARAM);
    mdldm__graph_vq_collect(&g, r->z, r->codes, r->place, counts, sums, entry(&g, TALLY, MDLDM_ROLE_STATE),
                            decay, 1.0f - decay);
    mdldm_graph_desc desc = mdldm__graph_desc(&g);
    ok(r, r->backend->plan_compile(r->device, r->store, &desc, 0, &r->collect));
    mdldm__graph_free(&g);
    mdldm__graph_init(&g, &env, &none, 0, MDLDM_F32);
    mdldm__tensor tally = entry(&g, TALLY, MDLDM_ROLE_PARAM);
    const mdldm__codebook_state state = {.codebook = entry(&g, BOOK, MDLDM_ROLE_STATE),
                                         .counts = entry(&g, COUNTS, MDLDM_ROLE_STATE),
                                         .sums = entry(&g, SUMS, MDLDM_ROLE_STATE),
                                         .age = entry(&g, AGE, MDLDM_ROLE_STATE)};
    r->report = mdldm__graph_vq_update(&g, tally, &state, r->follow, LIMIT);
    mdldm__graph_output(&g, r->report);
    desc = mdldm__graph_desc(&g);
    ok(r, r->backend->plan_compile(r->device, r->store, &desc, 0, &r->update));
    mdldm__graph_free(&g);
    mdldm__params_free(&none);
}

static size_t count_of(int index)
{
    return (size_t)(entries[index].dims[0] * entries[index].dims[1]);
}

static void normal(float *out, size_t count, uint64_t item)
{
    mdldm__rng_normal(11, MDLDM__RNG_TRAIN_NOISE, item, 0, out, count);
}

/* The same arrays in double, and what is expected of them. */
typedef struct model {
    double value[ENTRIES][CODES * ROW], extra[EXTRAS][CODES * WIDTH];
    double used, entropy, dead;
} model;

static void open_run(codebook_run *r, model *m)
{
    static const int32_t slots[EXTRAS] = {MDLDM_SLOT_EXP_AVG, MDLDM_SLOT_EXP_AVG_SQ, MDLDM_SLOT_EMA};
    float values[CODES * ROW];
    mdldm_param_desc table[ENTRIES];
    memcpy(table, entries, sizeof table);
    table[BOOK].trainable = r->trainable;
    test_host_init(&r->host, NULL);
    ok(r, r->backend->device_open(&r->host.host, "", 1, &r->device));
    ok(r, r->backend->store_open(r->device, table, ENTRIES, MDLDM_STORE_TRAIN | MDLDM_STORE_EMA, &r->store));
    memset(m, 0, sizeof *m);
    for (int i = 0; i < ENTRIES; i++) {
        const size_t count = count_of(i);
        memset(values, 0, sizeof values);
        if (i != AGE && i != TALLY)
            normal(values, count, (uint64_t)i);
        for (size_t k = 0; k < count; k++) {
            values[k] = i == COUNTS ? fabsf(values[k]) : values[k];
            m->value[i][k] = (double)values[k];
        }
        ok(r, r->backend->store_bind(r->store, i, values, MDLDM_F32));
    }
    for (int x = 0; x < EXTRAS && r->trainable; x++) {
        normal(values, CODES * WIDTH, (uint64_t)(100 + x));
        for (int k = 0; k < CODES * WIDTH; k++)
            m->extra[x][k] = (double)values[k];
        ok(r, r->backend->store_write(r->store, BOOK, slots[x], values));
    }
    compile(r);
}

static void close_run(codebook_run *r)
{
    r->backend->plan_close(r->collect);
    r->backend->plan_close(r->update);
    r->backend->store_close(r->store);
    r->backend->device_close(r->device);
    assert_int_equal(r->host.own.live, 0);
}

typedef struct step_data {
    float z[BATCHES][VECTORS][WIDTH];
    int32_t codes[BATCHES][VECTORS];
} step_data;

/* Codes 0..CODES/2 are in use, which ones changes from step to step. */
static void draw_step(step_data *d, int step)
{
    normal(&d->z[0][0][0], sizeof d->z / sizeof(float), (uint64_t)(1000 + step));
    for (int b = 0; b < BATCHES; b++)
        for (int i = 0; i < VECTORS; i++)
            d->codes[b][i] = (int32_t)mdldm__rng_below(5, MDLDM__RNG_TIMESTEP, (uint64_t)(step / 2), (uint32_t)(b * VECTORS + i),
                                                       CODES / 2);
}

static void run_step(codebook_run *r, step_data *d, int step, float report[3])
{
    for (int b = 0; b < BATCHES; b++) {
        uint32_t key[2];
        mdldm__rng_key(77, MDLDM__RNG_CODEBOOK, key);
        int32_t place[6] = {0, 0, step, 0, b * VECTORS, BATCHES * VECTORS};
        memcpy(place, key, sizeof key);
        const mdldm_binding in[3] = {{.tensor = r->z, .dtype = MDLDM_F32, .data = d->z[b]},
                                     {.tensor = r->codes, .dtype = MDLDM_I32, .data = d->codes[b]},
                                     {.tensor = r->place, .dtype = MDLDM_I32, .data = place}};
        ok(r, r->backend->plan_run(r->collect, in, 3, 0));
    }
    const mdldm_binding out = {.tensor = r->report, .dtype = MDLDM_F32, .data = report};
    ok(r, r->backend->plan_run(r->update, &out, 1, 0));
}

/* van den Oord et al. 2017, appendix A.1, and the restart of codes without a use for LIMIT steps. */
static void expect_step(model *m, const codebook_run *r, const step_data *d, int step)
{
    double uses[CODES] = {0}, *book = m->value[BOOK];
    m->used = m->entropy = m->dead = 0;
    for (int k = 0; k < CODES; k++) {
        double sums[WIDTH] = {0};
        for (int i = 0; i < BATCHES * VECTORS; i++)
            if (d->codes[i / VECTORS][i % VECTORS] == k) {
                uses[k] += 1;
                for (int c = 0; c < WIDTH; c++)
                    sums[c] += (double)d->z[i / VECTORS][i % VECTORS][c];
            }
        m->value[COUNTS][k] = (double)decay * m->value[COUNTS][k] + (double)(1.0f - decay) * uses[k];
        m->value[AGE][k] = uses[k] > 0 ? 0 : m->value[AGE][k] + 1;
        for (int c = 0; c < WIDTH; c++) {
            double *sum = &m->value[SUMS][k * WIDTH + c];
            *sum = (double)decay * *sum + (double)(1.0f - decay) * sums[c];
            if (r->follow)
                book[k * WIDTH + c] = *sum / m->value[COUNTS][k];
        }
        if (uses[k] > 0) {
            const double share = uses[k] / (BATCHES * VECTORS);
            m->used += 1;
            m->entropy -= share * log(share);
        }
        if (m->value[AGE][k] < LIMIT)
            continue;
        const uint32_t pick =
            mdldm__rng_below(77, MDLDM__RNG_CODEBOOK, (uint64_t)step, (uint32_t)k, BATCHES * VECTORS);
        m->dead += 1;
        m->value[AGE][k] = 0;
        m->value[COUNTS][k] = 1;
        for (int c = 0; c < WIDTH; c++) {
            const int at = k * WIDTH + c;
            book[at] = m->value[SUMS][at] = (double)d->z[pick / VECTORS][pick % VECTORS][c];
            m->extra[MOMENT1][at] = m->extra[MOMENT2][at] = 0;
            m->extra[EMA][at] = book[at];
        }
    }
}

static void compare(const codebook_run *r, int index, int32_t slot, const double *expected)
{
    float got[CODES * ROW];
    double top = 1e-6, worst = 0;
    ok(r, r->backend->store_read(r->store, index, slot, got));
    for (size_t k = 0; k < count_of(index); k++) {
        top = fmax(top, fabs(expected[k]));
        worst = fmax(worst, fabs((double)got[k] - expected[k]));
    }
    observed = fmax(observed, worst / top);
    if (!(worst <= TOLERANCE * top))
        fail_msg("%s: %s, slot %d, differs by %.3g of its largest value", r->backend->name, entries[index].name,
                 (int)slot, worst / top);
}

static void follow_steps(const mdldm_backend *backend, int trainable)
{
    codebook_run r = {.backend = backend, .trainable = trainable, .follow = !trainable};
    static model m;
    static step_data d;
    double restarted = 0;
    open_run(&r, &m);
    for (int step = 1; step <= STEPS; step++) {
        float report[3];
        draw_step(&d, step);
        run_step(&r, &d, step, report);
        expect_step(&m, &r, &d, step);
        restarted += m.dead;
        assert_true((double)report[0] == m.used);
        assert_true(fabs((double)report[1] - m.entropy) <= TOLERANCE * m.entropy);
        assert_true((double)report[2] == m.dead);
        for (int i = BOOK; i <= AGE; i++)
            compare(&r, i, MDLDM_SLOT_VALUE, m.value[i]);
        compare(&r, BOOK, MDLDM_SLOT_EMA, trainable ? m.extra[EMA] : m.value[BOOK]);
        if (trainable) {
            compare(&r, BOOK, MDLDM_SLOT_EXP_AVG, m.extra[MOMENT1]);
            compare(&r, BOOK, MDLDM_SLOT_EXP_AVG_SQ, m.extra[MOMENT2]);
        }
    }
    assert_true(restarted > CODES);
    close_run(&r);
}

static const mdldm_backend *list[MOST_BACKENDS];
static int backends;

static void codes_follow_their_latents(void **state)
{
    (void)state;
    for (int i = 0; i < backends; i++)
        follow_steps(list[i], 0);
}

static void codes_that_learn_restart_without_a_past(void **state)
{
    (void)state;
    for (int i = 0; i < backends; i++)
        follow_steps(list[i], 1);
    print_message("largest difference %.2g\n", observed);
}

int main(void)
{
    backend_use_test_cuda();
    backends = backend_list(list);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_follow_their_latents),
        cmocka_unit_test(codes_that_learn_restart_without_a_past),
    };
    return cmocka_run_group_tests_name("codebook", tests, NULL, NULL);
}
