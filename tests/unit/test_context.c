/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/context.h"
#include "util/rng.h"

static void null_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mdldm_context_create(NULL), MDLDM_ERROR_INVALID_ARGUMENT);
    mdldm_context_free(NULL);
    mdldm_context_cancel(NULL);
    assert_int_equal(mdldm_context_use_backend(NULL, "auto"), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_true(strlen(mdldm_context_error(NULL)) > 0);
    assert_int_equal(mdldm_backend_count(NULL), 0);
}

static void backends_are_listed_with_reasons(void **state)
{
    (void)state;
    mdldm_context *ctx;
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    const int32_t count = mdldm_backend_count(ctx);
    assert_true(count >= 3);
    int reference = 0;
    for (int32_t i = 0; i < count; i++) {
        const char *name = mdldm_backend_name(ctx, i), *reason = mdldm_backend_reason(ctx, i);
        assert_true(strlen(mdldm_backend_description(ctx, i)) > 0);
        if (strcmp(name, "reference") == 0) {
            reference = 1;
            assert_null(reason);
        }
        if (reason != NULL) {
            assert_true(strlen(reason) > 10);
            assert_int_equal(mdldm_context_use_backend(ctx, name), MDLDM_ERROR_UNAVAILABLE);
            assert_non_null(strstr(mdldm_context_error(ctx), name));
        }
    }
    assert_true(reference);
    assert_null(mdldm_backend_name(ctx, count));
    assert_null(mdldm_backend_name(ctx, -1));
    mdldm_context_free(ctx);
}

static void a_bad_name_keeps_the_backend(void **state)
{
    (void)state;
    mdldm_context *ctx;
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    assert_string_equal(mdldm_context_backend(ctx), "");
    assert_int_equal(mdldm_context_use_backend(ctx, "reference"), MDLDM_OK);
    assert_int_equal(mdldm_context_use_backend(ctx, "abacus"), MDLDM_ERROR_NOT_FOUND);
    assert_non_null(strstr(mdldm_context_error(ctx), "abacus"));
    assert_int_equal(mdldm_context_use_backend(ctx, NULL), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_string_equal(mdldm_context_backend(ctx), "reference");
    assert_int_equal(mdldm_context_set_threads(ctx, -1), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_context_set_threads(ctx, 1), MDLDM_OK);
    assert_int_equal(mdldm_context_set_precision(ctx, "f64"), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_context_set_precision(ctx, "tf32"), MDLDM_OK);
    assert_int_equal(ctx->precision, MDLDM_F32);
    assert_int_equal(ctx->plan_flags, MDLDM_PLAN_TF32);
    assert_int_equal(mdldm_context_set_winograd(ctx, 0), MDLDM_OK);
    assert_int_equal(ctx->plan_flags, MDLDM_PLAN_TF32 | MDLDM_PLAN_DIRECT);
    assert_int_equal(mdldm_context_set_precision(ctx, "bf16"), MDLDM_OK);
    assert_int_equal(ctx->plan_flags, MDLDM_PLAN_DIRECT);
    assert_int_equal(mdldm_context_set_winograd(ctx, 1), MDLDM_OK);
    assert_int_equal(ctx->plan_flags, 0);
    assert_int_equal(mdldm_context_set_winograd(ctx, 2), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(mdldm_context_error(ctx), "2"));
    assert_int_equal(mdldm_context_set_winograd(ctx, 0), MDLDM_OK);
    mdldm_context_free(ctx);
}

static void auto_takes_one_and_says_so(void **state)
{
    (void)state;
    mdldm_context *ctx;
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    assert_int_equal(mdldm_context_use_backend(ctx, "auto"), MDLDM_OK);
    assert_true(strlen(mdldm_context_backend(ctx)) > 0);
    assert_string_equal(mdldm_context_error(ctx), "");
    mdldm_context_free(ctx);
}

static void statuses_have_names(void **state)
{
    (void)state;
    for (int i = 0; i <= MDLDM_ERROR_INTERNAL; i++)
        assert_true(strncmp(mdldm_status_name((mdldm_status)i), "MDLDM_", 6) == 0 &&
                    strcmp(mdldm_status_name((mdldm_status)i), "MDLDM_ERROR_UNKNOWN") != 0);
    assert_string_equal(mdldm_status_name((mdldm_status)99), "MDLDM_ERROR_UNKNOWN");
    assert_string_equal(mdldm_version(), "0.1.0");
}

/* Known answers of Philox4x32-10 (Random123's kat_vectors), and the moments of our normals. */
static void random_numbers_are_philox(void **state)
{
    (void)state;
    uint32_t words[8];
    /* seed 0 and stream 0 give key 0 and counter {index, sub, item}: the vector of all zeros. */
    mdldm__rng_words(0, (mdldm__rng_stream)0, 0, 0, words, 4);
    assert_int_equal(words[0], 0x6627e8d5u);
    assert_int_equal(words[1], 0xe169c58du);
    assert_int_equal(words[2], 0xbc57ac4cu);
    assert_int_equal(words[3], 0x9b00dbd8u);
    float n[4000];
    mdldm__rng_normal(7, MDLDM__RNG_SAMPLE_INIT, 3, 0, n, 4000);
    double sum = 0.0, square = 0.0;
    for (int i = 0; i < 4000; i++) {
        sum += (double)n[i];
        square += (double)n[i] * (double)n[i];
    }
    assert_true(sum / 4000 > -0.05 && sum / 4000 < 0.05);
    assert_true(square / 4000 > 0.93 && square / 4000 < 1.07);
    float again[10];
    mdldm__rng_normal(7, MDLDM__RNG_SAMPLE_INIT, 3, 0, again, 10);
    assert_memory_equal(n, again, sizeof again);
    mdldm__rng_normal(7, MDLDM__RNG_SAMPLE_INIT, 4, 0, again, 10);
    assert_memory_not_equal(n, again, sizeof again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_is_refused),
        cmocka_unit_test(backends_are_listed_with_reasons),
        cmocka_unit_test(a_bad_name_keeps_the_backend),
        cmocka_unit_test(auto_takes_one_and_says_so),
        cmocka_unit_test(statuses_have_names),
        cmocka_unit_test(random_numbers_are_philox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
