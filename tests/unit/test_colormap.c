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

static void nonsense_is_refused(void **state)
{
    (void)state;
    const float values[2] = {0, NAN};
    uint8_t rgb[6] = {9, 9, 9, 9, 9, 9};
    assert_int_equal(mdldm_colormap_apply(ctx, "jett", values, 1, 0, 1, rgb, 6), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(mdldm_context_error(ctx), "jet, viridis, grey"));
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
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
