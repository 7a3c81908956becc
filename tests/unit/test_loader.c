/* SPDX-License-Identifier: MIT
 * The loader: the same batches for any number of workers, every item once an epoch, resuming, errors
 * from workers, freeing at any moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/image_files.h"
#include "../support/temp_dir.h"
#include "../support/torture.h"
#include "data/loader.h"

enum { ITEMS = 13, BATCH = 4, SIDE = 8, PIXELS = SIDE * SIDE * 3, BATCHES = 12 };

static mdldm_context *ctx;
static mdldm_options *options;
static mdldm_dataset *dataset;
static mdldm__env env;
static char *folder;
static int64_t all[ITEMS];

static int setup(void **state)
{
    (void)state;
    folder = temp_dir_make();
    mdldm__env_init(&env, NULL);
    for (int i = 0; i < ITEMS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%c/%d.png", i < 7 ? 'a' : 'b', i);
        image_file(temp_path(folder, name), SIDE, 2 * SIDE, (uint8_t)i, 100, 200);
        all[i] = i;
    }
    if (mdldm_context_create(&ctx) != MDLDM_OK || mdldm_options_create(ctx, &options) != MDLDM_OK ||
        mdldm_options_set_int(ctx, options, "resolution", SIDE) != MDLDM_OK ||
        mdldm_options_set_int(ctx, options, "random_flip", 1) != MDLDM_OK)
        return -1;
    return mdldm_dataset_open(ctx, folder, options, &dataset) == MDLDM_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    mdldm_dataset_free(dataset);
    mdldm_options_free(options);
    mdldm_context_free(ctx);
    temp_dir_remove(folder);
    return 0;
}

typedef struct run {
    float images[BATCHES][BATCH * PIXELS];
    int64_t labels[BATCHES][BATCH], items[BATCHES][BATCH];
} run;

static run *take(uint64_t seed, int64_t start, int32_t workers, int batches)
{
    run *r = calloc(1, sizeof *r);
    assert_non_null(r);
    mdldm__loader *l = NULL;
    assert_int_equal(mdldm__loader_create(&env, dataset, all, ITEMS, BATCH, seed, start, workers, &l), MDLDM_OK);
    for (int b = 0; b < batches; b++)
        if (mdldm__loader_next(&env, l, r->images[b], r->labels[b], r->items[b]) != MDLDM_OK)
            fail_msg("batch %d: %s", b, env.error);
    mdldm__loader_free(l);
    return r;
}

static void order_does_not_depend_on_workers(void **state)
{
    (void)state;
    run *alone = take(5, 0, 0, BATCHES);
    for (int32_t workers = 1; workers <= 5; workers += 2) {
        run *many = take(5, 0, workers, BATCHES);
        assert_memory_equal(alone, many, sizeof *alone);
        free(many);
    }
    run *other = take(6, 0, 0, BATCHES);
    assert_memory_not_equal(alone->items, other->items, sizeof alone->items);
    free(other);
    free(alone);
}

static void an_epoch_has_every_item_once(void **state)
{
    (void)state;
    run *r = take(5, 0, 2, BATCHES);
    const int64_t *items = &r->items[0][0];
    int64_t orders[3][ITEMS];
    for (int epoch = 0; epoch < 3; epoch++) {
        int seen[ITEMS] = {0};
        for (int i = 0; i < ITEMS; i++) {
            const int64_t item = items[epoch * ITEMS + i];
            assert_int_equal(seen[item]++, 0);
            orders[epoch][i] = item;
        }
    }
    assert_memory_not_equal(orders[0], orders[1], sizeof orders[0]);
    assert_memory_not_equal(orders[1], orders[2], sizeof orders[0]);
    assert_memory_not_equal(orders[0], all, sizeof all);
    for (int b = 0; b < BATCHES; b++)
        for (int i = 0; i < BATCH; i++) {
            const int64_t item = r->items[b][i];
            assert_int_equal(r->labels[b][i], mdldm_dataset_item_label(dataset, item));
            float expected[PIXELS];
            assert_int_equal(mdldm__dataset_item(&env, dataset, item, (b * BATCH + i) / ITEMS, expected), MDLDM_OK);
            assert_memory_equal(expected, r->images[b] + i * PIXELS, sizeof expected);
        }
    free(r);
}

static void a_resumed_loader_goes_on(void **state)
{
    (void)state;
    run *whole = take(9, 0, 0, BATCHES);
    for (int64_t start = 1; start < BATCHES; start += 3)
        for (int32_t workers = 0; workers <= 2; workers += 2) {
            run *rest = take(9, start, workers, BATCHES - (int)start);
            const size_t batches = (size_t)(BATCHES - start);
            assert_memory_equal(whole->items[start], rest->items[0], batches * sizeof rest->items[0]);
            assert_memory_equal(whole->images[start], rest->images[0], batches * sizeof rest->images[0]);
            free(rest);
        }
    free(whole);
}

static void a_subset_smaller_than_the_batch(void **state)
{
    (void)state;
    const int64_t some[2] = {11, 4};
    int64_t items[7], labels[7];
    mdldm__loader *l = NULL;
    assert_int_equal(mdldm__loader_create(&env, dataset, some, 2, 7, 1, 0, 2, &l), MDLDM_OK);
    assert_int_equal(mdldm__loader_next(&env, l, NULL, labels, items), MDLDM_OK);
    for (int i = 0; i + 1 < 7; i += 2)
        assert_int_equal(items[i] + items[i + 1], 15);
    for (int i = 0; i < 7; i++)
        assert_int_equal(labels[i], items[i] == 11);
    mdldm__loader_free(l);
    l = (mdldm__loader *)folder;
    assert_int_equal(mdldm__loader_create(&env, dataset, some, 0, 7, 1, 0, 2, &l), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_null(l);
}

static void the_order_alone_needs_no_files(void **state)
{
    (void)state;
    run *whole = take(5, 0, 0, BATCHES);
    mdldm__loader *l = NULL;
    assert_int_equal(mdldm__loader_create(&env, dataset, all, ITEMS, BATCH, 5, 0, 0, &l), MDLDM_OK);
    for (int i = 0; i < ITEMS; i++) { /* gone for this test */
        char from[4096], name[40];
        snprintf(name, sizeof name, "%c/%d.png", i < 7 ? 'a' : 'b', i);
        snprintf(from, sizeof from, "%s", temp_path(folder, name));
        snprintf(name, sizeof name, "%c/%d.gone", i < 7 ? 'a' : 'b', i);
        assert_int_equal(rename(from, temp_path(folder, name)), 0);
    }
    int64_t items[BATCH];
    for (int b = 0; b < BATCHES; b++) {
        assert_int_equal(mdldm__loader_next(&env, l, NULL, NULL, items), MDLDM_OK);
        assert_memory_equal(items, whole->items[b], sizeof items);
    }
    mdldm__loader_free(l);
    for (int i = 0; i < ITEMS; i++) {
        char from[4096], name[40];
        snprintf(name, sizeof name, "%c/%d.gone", i < 7 ? 'a' : 'b', i);
        snprintf(from, sizeof from, "%s", temp_path(folder, name));
        snprintf(name, sizeof name, "%c/%d.png", i < 7 ? 'a' : 'b', i);
        assert_int_equal(rename(from, temp_path(folder, name)), 0);
    }
    free(whole);
}

static void a_workers_error_reaches_the_caller(void **state)
{
    (void)state;
    run *whole = take(5, 0, 0, BATCHES);
    /* The last item of the third batch is lost: two batches come, then the error, again and again. */
    const int64_t lost = whole->items[2][BATCH - 1];
    char path[4096], aside[4096 + 8];
    snprintf(path, sizeof path, "%s", temp_path(folder, mdldm_dataset_item_name(dataset, lost)));
    snprintf(aside, sizeof aside, "%s.gone", path);
    assert_int_equal(rename(path, aside), 0);
    for (int32_t workers = 0; workers <= 3; workers += 3) {
        mdldm__loader *l = NULL;
        float images[BATCH * PIXELS];
        int64_t items[BATCH];
        assert_int_equal(mdldm__loader_create(&env, dataset, all, ITEMS, BATCH, 5, 0, workers, &l), MDLDM_OK);
        for (int b = 0; b < 2; b++) {
            assert_int_equal(mdldm__loader_next(&env, l, images, NULL, items), MDLDM_OK);
            assert_memory_equal(images, whole->images[b], sizeof images);
        }
        items[0] = -77;
        for (int again = 0; again < 2; again++) {
            env.error[0] = '\0';
            assert_int_equal(mdldm__loader_next(&env, l, images, NULL, items), MDLDM_ERROR_NOT_FOUND);
            assert_non_null(strstr(env.error, mdldm_dataset_item_name(dataset, lost)));
            assert_int_equal(items[0], -77);
        }
        mdldm__loader_free(l);
    }
    assert_int_equal(rename(aside, path), 0);
    free(whole);
}

static void freeing_at_any_moment(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        mdldm__loader *l = NULL;
        assert_int_equal(mdldm__loader_create(&env, dataset, all, ITEMS, BATCH, 5, 0, 1 + round % 4, &l), MDLDM_OK);
        for (int b = 0; b < round % 5; b++)
            assert_int_equal(mdldm__loader_next(&env, l, NULL, NULL, NULL), MDLDM_OK);
        if (round % 3 == 0)
            usleep((useconds_t)(round * 50));
        mdldm__loader_free(l);
    }
    mdldm__loader_free(NULL);
}

/* The loader holds the data set: its owner may let go first. */
static void the_data_set_outlives_its_owner(void **state)
{
    (void)state;
    mdldm_dataset *own = NULL;
    assert_int_equal(mdldm_dataset_open(ctx, folder, options, &own), MDLDM_OK);
    mdldm__loader *l = NULL;
    assert_int_equal(mdldm__loader_create(&env, own, all, ITEMS, BATCH, 5, 0, 2, &l), MDLDM_OK);
    mdldm_dataset_free(own);
    float images[BATCH * PIXELS];
    for (int b = 0; b < 6; b++)
        assert_int_equal(mdldm__loader_next(&env, l, images, NULL, NULL), MDLDM_OK);
    mdldm__loader_free(l);
}

static mdldm_status load(torture *t, void *user, char sentence[1024])
{
    mdldm__env own;
    mdldm__env_init(&own, NULL);
    own.resize = torture_resize;
    own.resize_user = t;
    mdldm__loader *l = NULL;
    float images[BATCH * PIXELS];
    mdldm_status status = mdldm__loader_create(&own, dataset, all, ITEMS, BATCH, 5, 0, *(int32_t *)user, &l);
    for (int b = 0; b < 2 && status == MDLDM_OK; b++)
        status = mdldm__loader_next(&own, l, images, NULL, NULL);
    mdldm__loader_free(l);
    memcpy(sentence, own.error, sizeof own.error);
    return status;
}

static void failing_allocations(void **state)
{
    (void)state;
    int32_t workers = 0;
    assert_true(torture_run("loader", load, &workers, 100) > 50);
    workers = 2; /* with threads an allocation of a batch nobody takes may be the one that fails */
    assert_true(torture_run("loader threads", load, &workers, 60) > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_does_not_depend_on_workers),
        cmocka_unit_test(an_epoch_has_every_item_once),
        cmocka_unit_test(a_resumed_loader_goes_on),
        cmocka_unit_test(a_subset_smaller_than_the_batch),
        cmocka_unit_test(the_order_alone_needs_no_files),
        cmocka_unit_test(a_workers_error_reaches_the_caller),
        cmocka_unit_test(freeing_at_any_moment),
        cmocka_unit_test(the_data_set_outlives_its_owner),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
