/* SPDX-License-Identifier: MIT
 * Colour maps at published entries, at the limits and between them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mdldm/mdldm.h"

static mdldm_context *ctx;

static int setup(void **state)
{
    (void)state;
    return mdldm_context_create(&ctx) == MDLDM_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    mdldm_context_free(ctx);
    return 0;
}

/* The middle of entry i of 256 over [-40, 0]. */
static float value_of(int entry)
{
    return -40.0f + 40.0f * ((float)entry + 0.5f) / 256.0f;
}

static void expect(const char *name, int entry, uint8_t r, uint8_t g, uint8_t b)
{
    const float value = value_of(entry);
    uint8_t rgb[3];
    assert_int_equal(mdldm_colormap_apply(ctx, name, &value, 1, -40, 0, rgb, 3), MDLDM_OK);
    if (rgb[0] != r || rgb[1] != g || rgb[2] != b)
        fail_msg("%s[%d] is %d %d %d, not %d %d %d", name, entry, rgb[0], rgb[1], rgb[2], r, g, b);
}

static void jet_is_matlabs(void **state)
{
    (void)state;
    /* jet(256) times 255: 1-based rows 1, 32, 33, 96, 97, 128, 160, 224, 225, 256 */
    expect("jet", 0, 0, 0, 131);
    expect("jet", 31, 0, 0, 255);
    expect("jet", 32, 0, 4, 255);
    expect("jet", 95, 0, 255, 255);
    expect("jet", 96, 4, 255, 251);
    expect("jet", 127, 128, 255, 128);
    expect("jet", 159, 255, 255, 0);
    expect("jet", 223, 255, 0, 0);
    expect("jet", 224, 251, 0, 0);
    expect("jet", 255, 128, 0, 0);
}

static void viridis_is_matplotlibs(void **state)
{
    (void)state;
    expect("viridis", 0, 68, 1, 84);
    expect("viridis", 64, 59, 82, 139);
    expect("viridis", 128, 33, 145, 140);
    expect("viridis", 192, 94, 201, 98);
    expect("viridis", 255, 253, 231, 37);
}

static void grey_is_the_index(void **state)
{
    (void)state;
    for (int i = 0; i < 256; i++)
        expect("grey", i, (uint8_t)i, (uint8_t)i, (uint8_t)i);
}

static void values_beyond_the_limits_are_clamped(void **state)
{
    (void)state;
    const float values[6] = {-1e30f, -INFINITY, -40.0f, 0.0f, 1e30f, INFINITY};
    uint8_t rgb[18];
    assert_int_equal(mdldm_colormap_apply(ctx, "grey", values, 6, -40, 0, rgb, sizeof rgb), MDLDM_OK);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(rgb[i], 0);
        assert_int_equal(rgb[9 + i], 255);
    }
}

/* Every colour of every map comes back as the middle of the values that it stands for, and again as itself. */
static void colours_come_back(void **state)
{
    (void)state;
    assert_int_equal(mdldm_colormap_count(), 5);
    for (int32_t m = 0; m < mdldm_colormap_count(); m++) {
        const char *name = mdldm_colormap_name(m);
        float values[256], back[256], residuals[256];
        uint8_t rgb[256 * 3], again[256 * 3];
        double mean, most;
        int moved = 0;
        for (int i = 0; i < 256; i++)
            values[i] = value_of(i);
        assert_int_equal(mdldm_colormap_apply(ctx, name, values, 256, -40, 0, rgb, sizeof rgb), MDLDM_OK);
        assert_int_equal(mdldm_colormap_invert(ctx, name, rgb, 256, -40, 0, back, 256, residuals, 256, &mean, &most),
                         MDLDM_OK);
        assert_int_equal(mdldm_colormap_apply(ctx, name, back, 256, -40, 0, again, sizeof again), MDLDM_OK);
        assert_memory_equal(rgb, again, sizeof rgb);
        assert_true(mean == 0.0 && most == 0.0 && residuals[100] == 0.0f);
        for (int i = 0; i < 256; i++)
            moved += fabsf(back[i] - values[i]) > 1e-5f;
        print_message("  %s: %d colours occur twice\n", name, moved);
        assert_true(moved <= 6); /* seen: 6 (parula-like), 2 (viridis), 0 */
    }
}

/* A colour beside the map, against a search among 255 * 256 points of its lines. */
static void the_nearest_point_is_found(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (int32_t m = 0; m < mdldm_colormap_count(); m++) {
        const char *name = mdldm_colormap_name(m);
        float entries[256];
        uint8_t map[256][3];
        for (int i = 0; i < 256; i++)
            entries[i] = value_of(i);
        assert_int_equal(mdldm_colormap_apply(ctx, name, entries, 256, -40, 0, &map[0][0], sizeof map), MDLDM_OK);
        for (int trial = 0; trial < 60; trial++) {
            uint8_t rgb[3];
            for (int c = 0; c < 3; c++) {
                random = random * 1664525u + 1013904223u; /* Numerical Recipes */
                const int near = map[trial * 4][c] + (int)(random >> 28) - 8;
                rgb[c] = (uint8_t)(trial % 3 == 0 ? (int)(random >> 24) : near < 0 ? 0 : near > 255 ? 255 : near);
            }
            float value, residual;
            double best = 1e9, at_value = 1e9;
            assert_int_equal(mdldm_colormap_invert(ctx, name, rgb, 1, 0, 1, &value, 1, &residual, 1, NULL, NULL),
                             MDLDM_OK);
            for (int i = 0; i <= 255 * 256; i++) {
                const int from = i < 255 * 256 ? i / 256 : 254;
                const double t = i / 256.0 - from, place = (i / 256.0 + 0.5) / 256.0;
                double square = 0.0;
                for (int c = 0; c < 3; c++) {
                    const double p = map[from][c] + t * (map[from + 1][c] - map[from][c]);
                    square += (p - rgb[c]) * (p - rgb[c]);
                }
                best = fmin(best, square);
                if (fabs(place - (double)value) < 0.6 / 65536.0)
                    at_value = fmin(at_value, square);
            }
            /* The grid is at most 1/512 of a segment (10 steps) off. */
            if (fabs((double)residual - sqrt(best)) > 2e-2 || fabs(sqrt(at_value) - sqrt(best)) > 2e-2)
                fail_msg("%s: %d %d %d: residual %g, at the value %g, nearest %g", name, rgb[0], rgb[1], rgb[2],
                         (double)residual, sqrt(at_value), sqrt(best));
        }
    }
}

static void residuals_are_summed_up(void **state)
{
    (void)state;
    const uint8_t rgb[9] = {10, 10, 10, 13, 10, 10, 0, 0, 255}; /* the last: 255 * sqrt(2/3) from grey */
    float values[3], residuals[3];
    double mean, most;
    assert_int_equal(mdldm_colormap_invert(ctx, "grey", rgb, 3, 0, 1, values, 3, residuals, 3, &mean, &most), MDLDM_OK);
    assert_true(residuals[0] == 0.0f && fabsf(residuals[1] - sqrtf(6.0f)) < 1e-5f);
    assert_true(fabsf(values[1] - 11.5f / 256.0f) < 1e-6f);
    assert_true(fabs(most - 255.0 * sqrt(2.0 / 3.0)) < 1e-4);
    assert_true(fabs(mean - ((double)residuals[1] + (double)residuals[2]) / 3.0) < 1e-6);
    assert_int_equal(mdldm_colormap_invert(ctx, "grey", rgb, 3, 0, 1, values, 2, NULL, 0, NULL, NULL),
                     MDLDM_ERROR_CAPACITY);
    assert_int_equal(mdldm_colormap_invert(ctx, "grey", rgb, 3, 0, 1, values, 3, residuals, 2, NULL, NULL),
                     MDLDM_ERROR_CAPACITY);
    assert_int_equal(mdldm_colormap_invert(ctx, "gray", rgb, 0, 0, 1, values, 3, NULL, 0, NULL, NULL),
                     MDLDM_ERROR_INVALID_ARGUMENT);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    const float values[2] = {0, NAN};
    uint8_t rgb[6] = {9, 9, 9, 9, 9, 9};
    assert_int_equal(mdldm_colormap_apply(ctx, "jett", values, 1, 0, 1, rgb, 6), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(mdldm_context_error(ctx), "jet, viridis, parula-like, turbo, grey"));
    assert_int_equal(mdldm_colormap_apply(ctx, "jet", values, 1, 1, 1, rgb, 6), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(mdldm_context_error(ctx), "[1, 1]"));
    assert_int_equal(mdldm_colormap_apply(ctx, "jet", values, 1, NAN, 1, rgb, 6), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_colormap_apply(ctx, "jet", values, 2, 0, 1, rgb, 5), MDLDM_ERROR_CAPACITY);
    assert_int_equal(mdldm_colormap_apply(ctx, "jet", values, 2, 0, 1, rgb, 6), MDLDM_ERROR_NUMERIC);
    assert_int_equal(mdldm_colormap_apply(ctx, NULL, values, 1, 0, 1, rgb, 6), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_colormap_apply(NULL, "jet", values, 1, 0, 1, rgb, 6), MDLDM_ERROR_INVALID_ARGUMENT);
    for (int i = 0; i < 6; i++)
        assert_int_equal(rgb[i], 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jet_is_matlabs),
        cmocka_unit_test(viridis_is_matplotlibs),
        cmocka_unit_test(grey_is_the_index),
        cmocka_unit_test(values_beyond_the_limits_are_clamped),
        cmocka_unit_test(colours_come_back),
        cmocka_unit_test(the_nearest_point_is_found),
        cmocka_unit_test(residuals_are_summed_up),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
