/* SPDX-License-Identifier: MIT
 * Host arrays to tensors and back: every pair of types and layouts against an index formula. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "../../backends/common/layout.h"
#include "../support/test_host.h"
#include "util/half.h"

enum { MOST = 2 * 21 * 18 * 35 };

static const int64_t shapes[][4] = {{1, 1, 1, 1}, {2, 5, 7, 3}, {1, 16, 16, 16}, {2, 21, 18, 35}, {3, 1, 1, 33},
                                    {2, 9, 4, 1}};

static size_t index_of(const int64_t d[4], int layout, int64_t n, int64_t h, int64_t w, int64_t c)
{
    return (size_t)(layout == MDLDM_LAYOUT_NHWC ? ((n * d[1] + h) * d[2] + w) * d[3] + c
                                                : ((n * d[3] + c) * d[1] + h) * d[2] + w);
}

/* Values that every type can hold. */
static float value_at(int64_t n, int64_t h, int64_t w, int64_t c)
{
    return (float)((n * 31 + h * 17 + w * 5 + c) % 127 - 60);
}

static float host_value(int32_t dtype, const void *data, size_t i)
{
    return dtype == MDLDM_I32 ? (float)((const int32_t *)data)[i] : ((const float *)data)[i];
}

static float tensor_value(int32_t dtype, const void *data, size_t i)
{
    return dtype == MDLDM_BF16 ? mdldm__bf16_to_float(((const uint16_t *)data)[i]) : host_value(dtype, data, i);
}

static void round_trip(const int64_t d[4], int32_t host_type, int32_t tensor_type, int32_t layout)
{
    static float host[MOST], tensor[MOST], back[MOST]; /* 4 bytes each, whatever the type */
    mdldm_graph_tensor t = {.dtype = tensor_type, .dims = {d[0], d[1], d[2], d[3]}};
    mdldm_binding binding = {.dtype = host_type, .layout = layout, .data = host};
    for (int64_t n = 0; n < d[0]; n++)
        for (int64_t h = 0; h < d[1]; h++)
            for (int64_t w = 0; w < d[2]; w++)
                for (int64_t c = 0; c < d[3]; c++) {
                    size_t i = index_of(d, layout, n, h, w, c);
                    if (host_type == MDLDM_I32)
                        ((int32_t *)(void *)host)[i] = (int32_t)value_at(n, h, w, c);
                    else
                        host[i] = value_at(n, h, w, c);
                }
    mdldm__layout_import(&binding, &t, tensor);
    for (int64_t n = 0; n < d[0]; n++)
        for (int64_t h = 0; h < d[1]; h++)
            for (int64_t w = 0; w < d[2]; w++)
                for (int64_t c = 0; c < d[3]; c++)
                    assert_float_equal(
                        tensor_value(tensor_type, tensor, index_of(d, MDLDM_LAYOUT_NHWC, n, h, w, c)),
                        value_at(n, h, w, c), 0);
    memset(back, 0x5A, sizeof back);
    binding.data = back;
    mdldm__layout_export(&binding, &t, tensor);
    assert_memory_equal(back, host, (size_t)mdldm__elements(d) * 4);
}

static void all_types_and_layouts(void **state)
{
    (void)state;
    const int32_t host_types[] = {MDLDM_F32, MDLDM_I32}, tensor_types[] = {MDLDM_F32, MDLDM_BF16, MDLDM_I32};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
        for (int h = 0; h < 2; h++)
            for (int t = 0; t < 3; t++)
                for (int layout = 0; layout < 2; layout++)
                    round_trip(shapes[s], host_types[h], tensor_types[t], layout);
}

static void rounding(void **state)
{
    (void)state;
    /* bf16 keeps 8 bits: 257 lies between 256 and 258, halfway goes to the even one. */
    const float in[] = {257.0f, 259.0f, -257.0f, 1.0f + 0x1p-7f, 1.0f + 0x1p-8f, 1.0f + 0x1.8p-8f, INFINITY};
    const float expected[] = {256.0f, 260.0f, -256.0f, 1.0f + 0x1p-7f, 1.0f, 1.0f + 0x1p-7f, INFINITY};
    uint16_t out[7];
    mdldm__convert_to_bf16(in, out, 7);
    for (int i = 0; i < 7; i++)
        assert_float_equal(mdldm__bf16_to_float(out[i]), expected[i], 0);
    const float nan = NAN;
    mdldm__convert_to_bf16(&nan, out, 1);
    assert_true(isnan(mdldm__bf16_to_float(out[0])));

    /* To integers: nearest, halfway to even, clamped. */
    const float reals[] = {0.5f, 1.5f, -2.5f, 2.6f, 3e9f, -3e9f};
    const int32_t integers[] = {0, 2, -2, 3, INT32_MAX, INT32_MIN};
    int32_t got[6];
    mdldm_graph_tensor t = {.dtype = MDLDM_I32, .dims = {6, 1, 1, 1}};
    float copy[6];
    memcpy(copy, reals, sizeof copy);
    mdldm_binding binding = {.dtype = MDLDM_F32, .layout = MDLDM_LAYOUT_NHWC, .data = copy};
    mdldm__layout_import(&binding, &t, got);
    assert_memory_equal(got, integers, sizeof got);
}

static void halves(void **state)
{
    (void)state;
    const uint16_t bits[] = {0x0000, 0x8000, 0x3C00, 0xC000, 0x7BFF, 0x0400, 0x0001, 0x83FF, 0x7C00, 0xFC00};
    const float values[] = {0.0f,      -0.0f,    1.0f,     -2.0f,           65504.0f,
                            0x1p-14f, 0x1p-24f, -0x1.ff8p-15f, INFINITY, -INFINITY};
    float got[10];
    mdldm__convert_to_float(bits, MDLDM_F16, got, 10);
    assert_memory_equal(got, values, sizeof got);
}

static void bad_bindings_are_refused(void **state)
{
    (void)state;
    test_host h;
    test_host_init(&h, NULL);
    float data[4];
    const mdldm_graph_tensor tensors[2] = {{.role = MDLDM_ROLE_INPUT, .name = "x"},
                                           {.role = MDLDM_ROLE_ACTIVATION, .name = "hidden"}};
    const mdldm_binding good = {.tensor = 0, .dtype = MDLDM_F32, .layout = MDLDM_LAYOUT_NCHW, .data = data};
    mdldm_binding bad[5] = {good, good, good, good, good};
    bad[0].tensor = 2;
    bad[1].tensor = 1;
    bad[2].dtype = MDLDM_BF16;
    bad[3].layout = 7;
    bad[4].data = NULL;
    assert_int_equal(mdldm__binding_check(&h.host, tensors, 2, &good), MDLDM_OK);
    for (int i = 0; i < 5; i++) {
        h.error[0] = '\0';
        assert_int_equal(mdldm__binding_check(&h.host, tensors, 2, &bad[i]), MDLDM_ERROR_INVALID_ARGUMENT);
        assert_true(strlen(h.error) > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_types_and_layouts),
        cmocka_unit_test(rounding),
        cmocka_unit_test(halves),
        cmocka_unit_test(bad_bindings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
