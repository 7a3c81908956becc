/* SPDX-License-Identifier: MIT
 * Models with eight-bit layers: made, saved, loaded again, run; and refused where they are broken. On the
 * reference backend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "models/model.h"
#include "quant/range_histogram.h"
#include "../support/small_model.h"
#include "../support/temp_dir.h"
#include "../support/train_setup.h"
#include "util/rng.h"

enum { SIDE = 8, EACH = SMALL_CHANNELS * SIDE * SIDE, GROUPS = 4 };

typedef struct fixture {
    char *folder;
    mdldm_context *ctx;
    mdldm_model *m, *q;
} fixture;

static mdldm_options *options_of(mdldm_context *ctx)
{
    mdldm_options *options;
    assert_int_equal(mdldm_options_create(ctx, &options), MDLDM_OK);
    assert_int_equal(mdldm_options_set_int(ctx, options, "timestep_groups", GROUPS), MDLDM_OK);
    assert_int_equal(mdldm_options_set_int(ctx, options, "calibration_images", 2), MDLDM_OK);
    assert_int_equal(mdldm_options_set_int(ctx, options, "calibration_steps", 8), MDLDM_OK);
    return options;
}

static void quantise(fixture *f)
{
    mdldm_options *options = options_of(f->ctx);
    /* nobody trained this UNet: unclamped, its trajectories run away, and their ranges with them */
    assert_int_equal(json_object_set_new(f->m->scheduler, "clip_sample", json_true()), 0);
    if (mdldm_model_quantize(f->ctx, f->m, NULL, options, &f->q) != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(f->ctx));
    mdldm_options_free(options);
}

static fixture make(void)
{
    fixture f = {.folder = temp_dir_make(), .ctx = train_context(NULL)};
    small_model_configs(f.folder, small_vq_config);
    assert_int_equal(small_model_create(f.ctx, f.folder, 3, &f.m), MDLDM_OK);
    quantise(&f);
    return f;
}

static void drop(fixture *f)
{
    mdldm_model_free(f->q);
    mdldm_model_free(f->m);
    mdldm_context_free(f->ctx);
    temp_dir_remove(f->folder);
}

static int64_t times[3] = {990, 400, 10};
static const int64_t labels[3] = {0, 2, -1};

static void predict(mdldm_context *ctx, const mdldm_model *m, int64_t first, int64_t n, float *out)
{
    float x[3 * EACH];
    mdldm__rng_normal(5, MDLDM__RNG_SAMPLE_INIT, 0, 0, x, 3 * EACH);
    if (mdldm_predict(ctx, m, x + first * EACH, n, SIDE, SIDE, times + first, labels + first, out + first * EACH,
                      (size_t)(n * EACH)) != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(ctx));
}

static double distance(const float *a, const float *b, size_t count)
{
    double d = 0.0, s = 0.0;
    for (size_t i = 0; i < count; i++) {
        d += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        s += (double)b[i] * b[i];
    }
    return sqrt(d / s);
}

static void stays_near_the_original(void **state)
{
    (void)state;
    fixture f = make();
    float exact[3 * EACH], q8[3 * EACH], one[3 * EACH], bf16[3 * EACH];
    /* Noise is what trajectories begin with; at other times it lies outside the ranges. */
    times[1] = times[2] = times[0];
    predict(f.ctx, f.m, 0, 3, exact);
    predict(f.ctx, f.q, 0, 3, q8);
    times[1] = 400;
    times[2] = 10;
    double d = distance(q8, exact, 3 * EACH);
    print_message("distance of one prediction %.2g\n", d);
    assert_true(d > 1e-5 && d < 4e-2); /* observed: 2.4e-2 */
    /* Each image of a batch by its own group. */
    predict(f.ctx, f.q, 0, 3, q8);
    for (int64_t i = 0; i < 3; i++)
        predict(f.ctx, f.q, i, 1, one);
    assert_memory_equal(one, q8, sizeof one);
    assert_int_equal(mdldm_context_set_precision(f.ctx, "bf16"), MDLDM_OK);
    predict(f.ctx, f.q, 0, 3, bf16);
    d = distance(bf16, q8, 3 * EACH);
    print_message("of its bf16 run from its f32 run %.2g\n", d);
    assert_true(d > 0.0 && d < 4e-2); /* observed: 1.8e-2 */
    int64_t groups = 0;
    assert_int_equal(mdldm_model_get_int(f.ctx, f.q, "timestep_groups", &groups), MDLDM_OK);
    assert_int_equal(groups, GROUPS);
    assert_int_equal(mdldm_model_get_int(f.ctx, f.m, "timestep_groups", &groups), MDLDM_OK);
    assert_int_equal(groups, 0);
    int64_t bytes[2];
    assert_int_equal(mdldm_model_get_int(f.ctx, f.m, "weight_bytes", &bytes[0]), MDLDM_OK);
    assert_int_equal(mdldm_model_get_int(f.ctx, f.q, "weight_bytes", &bytes[1]), MDLDM_OK);
    assert_true(bytes[1] < bytes[0]);
    drop(&f);
}

static void is_saved_and_loads_again(void **state)
{
    (void)state;
    fixture f = make();
    mdldm_model *again;
    float before[3 * EACH], after[3 * EACH];
    assert_int_equal(mdldm_model_save(f.ctx, f.q, temp_path(f.folder, "q")), MDLDM_OK);
    if (mdldm_model_load(f.ctx, temp_path(f.folder, "q"), &again) != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(f.ctx));
    predict(f.ctx, f.q, 0, 3, before);
    predict(f.ctx, again, 0, 3, after);
    assert_memory_equal(before, after, sizeof before);
    assert_true(json_equal(f.q->extra, again->extra));
    assert_null(temp_read(temp_path(f.folder, "q/unet/diffusion_pytorch_model.safetensors"), NULL));
    /* Once more, from the mapped file. */
    assert_int_equal(mdldm_model_save(f.ctx, again, temp_path(f.folder, "q")), MDLDM_OK);
    mdldm_model_free(again);
    assert_int_equal(mdldm_model_load(f.ctx, temp_path(f.folder, "q"), &again), MDLDM_OK);
    predict(f.ctx, again, 0, 3, after);
    assert_memory_equal(before, after, sizeof before);
    mdldm_model_free(again);
    drop(&f);
}

static void the_data_set_counts(void **state)
{
    (void)state;
    fixture f = {.folder = temp_dir_make(), .ctx = train_context(NULL)};
    train_make_images(f.ctx, temp_path(f.folder, "images"), 2);
    mdldm_dataset *d = train_dataset(f.ctx, temp_path(f.folder, "images"));
    small_model_configs(f.folder, small_vq_config);
    assert_int_equal(small_model_create(f.ctx, f.folder, 2, &f.m), MDLDM_OK);
    quantise(&f);
    mdldm_options *options = options_of(f.ctx);
    mdldm_model *with;
    if (mdldm_model_quantize(f.ctx, f.m, d, options, &with) != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(f.ctx));
    int32_t i = mdldm__params_find(&with->unet->params, "mid_block.resnets.0.conv1.input_range");
    assert_true(i >= 0);
    assert_memory_not_equal(with->unet->params.items[i].data, f.q->unet->params.items[i].data,
                            2 * GROUPS * sizeof(float));
    mdldm_options_free(options);
    mdldm_model_free(with);
    mdldm_dataset_free(d);
    drop(&f);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    fixture f = make();
    mdldm_model *out = f.m;
    assert_int_equal(mdldm_model_quantize(NULL, f.m, NULL, NULL, &out), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_null(out);
    assert_int_equal(mdldm_model_quantize(f.ctx, NULL, NULL, NULL, &out), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_model_quantize(f.ctx, f.m, NULL, NULL, NULL), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_model_quantize(f.ctx, f.q, NULL, NULL, &out), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(mdldm_context_error(f.ctx), "quantised already"));
    train_make_images(f.ctx, temp_path(f.folder, "images"), 2);
    mdldm_dataset *d = train_dataset(f.ctx, temp_path(f.folder, "images"));
    mdldm_trainer *t;
    assert_int_equal(mdldm_trainer_create(f.ctx, MDLDM_STAGE_DIFFUSION, f.q, d, NULL, &t),
                     MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(mdldm_context_error(f.ctx), "cannot be trained"));
    mdldm_dataset_free(d);
    mdldm_context_cancel(f.ctx);
    assert_int_equal(mdldm_model_quantize(f.ctx, f.m, NULL, NULL, &out), MDLDM_ERROR_CANCELLED);
    assert_null(out);
    drop(&f);
}

/* ---- Broken files ---- */

static float *values_of(const fixture *f, const char *name)
{
    int32_t i = mdldm__params_find(&f->q->unet->params, name);
    assert_true(i >= 0);
    return f->q->unet->params.items[i].owned;
}

static void broken_values_are_refused(void **state)
{
    (void)state;
    static const char scale[] = "mid_block.resnets.0.conv1.weight_scale", range[] = "mid_block.attentions.0.to_q.input_range";
    static const struct {
        const char *name;
        int index;
        float value;
        mdldm_status status;
        const char *words;
    } damage[] = {
        {scale, 1, 0.0f, MDLDM_ERROR_FORMAT, "scales are above 0"},
        {scale, 1, -1.0f, MDLDM_ERROR_FORMAT, "holds -1 at index 1"},
        {scale, 2, NAN, MDLDM_ERROR_NUMERIC, "NaN at index 2"},
        {range, 2, 0.5f, MDLDM_ERROR_FORMAT, "group 1 has the range 0.5 to"},
        {range, 3, -0.1f, MDLDM_ERROR_FORMAT, "group 1 has the range"},
        {range, 1, INFINITY, MDLDM_ERROR_NUMERIC, "Inf at index 1"},
        {range, 1, 3e38f, MDLDM_ERROR_FORMAT, "neither empty nor boundless"},
    };
    fixture f = make();
    for (size_t i = 0; i < sizeof damage / sizeof damage[0]; i++) {
        float *value = values_of(&f, damage[i].name) + damage[i].index, right = *value;
        mdldm_model *again = f.q;
        *value = damage[i].value;
        assert_int_equal(mdldm_model_save(f.ctx, f.q, temp_path(f.folder, "q")), MDLDM_OK);
        mdldm_status status = mdldm_model_load(f.ctx, temp_path(f.folder, "q"), &again);
        if (status != damage[i].status || strstr(mdldm_context_error(f.ctx), damage[i].words) == NULL ||
            strstr(mdldm_context_error(f.ctx), damage[i].name) == NULL)
            fail_msg("damage %zu: status %d, '%s'", i, (int)status, mdldm_context_error(f.ctx));
        assert_null(again);
        *value = right;
    }
    float *both = values_of(&f, range); /* an empty range */
    both[0] = both[1] = 0.0f;
    mdldm_model *again;
    assert_int_equal(mdldm_model_save(f.ctx, f.q, temp_path(f.folder, "q")), MDLDM_OK);
    assert_int_equal(mdldm_model_load(f.ctx, temp_path(f.folder, "q"), &again), MDLDM_ERROR_FORMAT);
    drop(&f);
}

/* The saved config with a text in it replaced. */
static void replace(const char *path, const char *from, const char *to)
{
    char *text = temp_read(path, NULL), *at = text != NULL ? strstr(text, from) : NULL;
    assert_non_null(at);
    size_t length = strlen(text) + strlen(to) + 1;
    char *changed = malloc(length);
    assert_non_null(changed);
    snprintf(changed, length, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    temp_write(path, changed, strlen(changed));
    free(changed);
    free(text);
}

static void broken_configs_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *words;
    } damage[] = {
        {"\"timestep_groups\": 4", "\"timestep_groups\": 3", "but the config asks for [3,2]"},
        {"\"timestep_groups\": 4", "\"timestep_groups\": 0", "timestep_groups"},
        {"\"timestep_groups\": 4", "\"timestep_groups\": 1001", "timestep_groups"},
        {"\"timestep_groups\": 4", "\"timestep_groups\": \"x\"", "timestep_groups"},
        {"\"timestep_groups\": 4", "\"other\": 4", "timestep_groups"},
        {"\"format\": 1", "\"format\": 2", "quantization_config"},
        {"mdldm_int8", "gguf", "quantization_config"},
        /* Read as floats: there is no such file. */
        {"\"quantization_config\"", "\"_nothing\"", "diffusion_pytorch_model"},
    };
    fixture f = make();
    for (size_t i = 0; i < sizeof damage / sizeof damage[0]; i++) {
        mdldm_model *again = f.q;
        assert_int_equal(mdldm_model_save(f.ctx, f.q, temp_path(f.folder, "q")), MDLDM_OK);
        replace(temp_path(f.folder, "q/unet/config.json"), damage[i].from, damage[i].to);
        mdldm_status status = mdldm_model_load(f.ctx, temp_path(f.folder, "q"), &again);
        if (status == MDLDM_OK || strstr(mdldm_context_error(f.ctx), damage[i].words) == NULL)
            fail_msg("damage %zu: status %d, '%s'", i, (int)status, mdldm_context_error(f.ctx));
        assert_null(again);
    }
    /* Nor does renaming the file make floats of it. */
    mdldm_model *again;
    rename(temp_path(f.folder, "q/unet/mdldm_int8_model.safetensors"),
           temp_path(f.folder, "q/unet/diffusion_pytorch_model.safetensors"));
    assert_int_equal(mdldm_model_load(f.ctx, temp_path(f.folder, "q"), &again), MDLDM_ERROR_UNSUPPORTED);
    assert_non_null(strstr(mdldm_context_error(f.ctx), "has type I8; supported: F32|F16|BF16"));
    drop(&f);
}

/* ---- Ranges ---- */

static void ranges(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    static mdldm__range_histogram h;
    float *x = malloc(COUNT * sizeof *x), r[2];
    assert_non_null(x);
    mdldm__rng_normal(9, MDLDM__RNG_SAMPLE_INIT, 0, 0, x, COUNT);
    for (int i = 0; i < COUNT; i += 1000) /* in pieces, the reach grows with them */
        mdldm__histogram_add(&h, x + i, 1000);
    const float outlier = 100.0f, low = h.low, high = h.high;
    uint64_t total = 0;
    mdldm__histogram_range(&h, MDLDM__RANGE_MINMAX, r);
    assert_true(r[0] == low && r[1] == high && low < -3.9f && high > 3.9f);
    /* Eight bits of a normal distribution lose least near 4 standard deviations. */
    mdldm__histogram_range(&h, MDLDM__RANGE_MSE, r);
    assert_true(r[0] > -4.5f && r[0] < -3.3f && r[1] > 3.3f && r[1] < 4.5f);
    mdldm__histogram_range(&h, MDLDM__RANGE_PERCENTILE, r);
    assert_true(fabsf(r[0] + 3.72f) < 0.2f && fabsf(r[1] - 3.72f) < 0.2f);
    /* One value far out moves the extremes alone. */
    mdldm__histogram_add(&h, &outlier, 1);
    for (int i = 0; i < MDLDM__HISTOGRAM_BINS; i++)
        total += h.bins[i];
    assert_int_equal(total, COUNT + 1);
    mdldm__histogram_range(&h, MDLDM__RANGE_MINMAX, r);
    assert_true(r[1] == outlier);
    mdldm__histogram_range(&h, MDLDM__RANGE_MSE, r);
    assert_true(r[1] < 95.0f && r[1] > 80.0f); /* the sum 1e5 r^2/(12*255^2) + (100-r)^2 is least at 88 */
    /* Values on one side: 0 is in the range, for padding is 0. */
    memset(&h, 0, sizeof h);
    for (int i = 0; i < COUNT; i++)
        x[i] = 2.0f + 0.001f * x[i];
    mdldm__histogram_add(&h, x, COUNT);
    for (int method = MDLDM__RANGE_MINMAX; method <= MDLDM__RANGE_MSE; method++) {
        mdldm__histogram_range(&h, (mdldm__range_method)method, r);
        assert_true(r[0] == 0.0f && r[1] > 1.9f && r[1] < 2.1f);
    }
    memset(&h, 0, sizeof h);
    memset(x, 0, COUNT * sizeof *x);
    mdldm__histogram_add(&h, x, COUNT);
    mdldm__histogram_range(&h, MDLDM__RANGE_MSE, r);
    assert_true(r[0] <= 0.0f && r[1] > r[0]);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stays_near_the_original), cmocka_unit_test(is_saved_and_loads_again),
        cmocka_unit_test(the_data_set_counts),     cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(broken_values_are_refused), cmocka_unit_test(broken_configs_are_refused),
        cmocka_unit_test(ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
