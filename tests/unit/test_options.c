/* SPDX-License-Identifier: MIT */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mdldm/mdldm.h"

static mdldm_context *ctx;
static mdldm_options *options;

static int setup(void **state)
{
    (void)state;
    return mdldm_context_create(&ctx) != MDLDM_OK || mdldm_options_create(ctx, &options) != MDLDM_OK;
}

static int teardown(void **state)
{
    (void)state;
    mdldm_options_free(options);
    mdldm_context_free(ctx);
    return 0;
}

static void defaults_hold_until_set(void **state)
{
    (void)state;
    int64_t batch;
    double rate;
    const char *text;
    assert_int_equal(mdldm_options_get_int(ctx, options, "train_batch_size", &batch), MDLDM_OK);
    assert_int_equal(batch, 16);
    assert_int_equal(mdldm_options_get_double(ctx, options, "learning_rate", &rate), MDLDM_OK);
    assert_true(rate == 1e-4);
    assert_int_equal(mdldm_options_get_string(ctx, options, "scheduler", &text), MDLDM_OK);
    assert_string_equal(text, "ddpm");
    assert_false(mdldm_options_is_set(options, "train_batch_size"));
    assert_int_equal(mdldm_options_set_int(ctx, options, "train-batch-size", 3), MDLDM_OK);
    assert_true(mdldm_options_is_set(options, "train_batch_size"));
    assert_int_equal(mdldm_options_get_int(ctx, options, "train_batch_size", &batch), MDLDM_OK);
    assert_int_equal(batch, 3);
}

static void whole_numbers_serve_as_reals(void **state)
{
    (void)state;
    double scale;
    assert_int_equal(mdldm_options_set_int(ctx, options, "guidance_scale", 3), MDLDM_OK);
    assert_int_equal(mdldm_options_get_double(ctx, options, "guidance_scale", &scale), MDLDM_OK);
    assert_true(scale == 3.0);
}

static void refuses(const char *key, const char *text, const char *word)
{
    assert_int_equal(mdldm_options_parse(ctx, options, key, text), MDLDM_ERROR_INVALID_ARGUMENT);
    if (strstr(mdldm_context_error(ctx), word) == NULL)
        fail_msg("\"%s\" does not mention %s", mdldm_context_error(ctx), word);
    assert_false(mdldm_options_is_set(options, key));
}

static void bad_values_are_named(void **state)
{
    (void)state;
    refuses("train_batch_size", "0", "1 to 65536");
    refuses("train_batch_size", "two", "two");
    refuses("train_batch_size", "", "empty");
    refuses("train_batch_size", "1.5", "whole number");
    refuses("train_batch_size", "99999999999999999999", "whole number");
    refuses("learning_rate", "nan", "learning_rate");
    refuses("learning_rate", "1e-4x", "1e-4x");
    refuses("eta", "1.5", "0 to 1");
    refuses("mixed_precision", "fp16", "no|bf16");
    refuses("use_ema", "maybe", "0 or 1");
    assert_int_equal(mdldm_options_set_string(ctx, options, "seed", "1"), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_options_set_double(ctx, options, "seed", 1.0), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_options_set_int(ctx, options, "scheduler", 1), MDLDM_ERROR_INVALID_ARGUMENT);
}

static void unknown_keys_get_a_suggestion(void **state)
{
    (void)state;
    assert_int_equal(mdldm_options_set_int(ctx, options, "train_batchsize", 4), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(mdldm_context_error(ctx), "did you mean train_batch_size?"));
    assert_int_equal(mdldm_options_set_int(ctx, options, "xyzzy", 4), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_null(strstr(mdldm_context_error(ctx), "did you mean"));
    assert_int_equal(mdldm_options_set_int(ctx, options, NULL, 4), MDLDM_ERROR_INVALID_ARGUMENT);
}

static void flags_take_the_usual_words(void **state)
{
    (void)state;
    static const char *const yes[] = {"1", "true", "yes", "on"}, *const no[] = {"0", "false", "no", "off"};
    int64_t value;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(mdldm_options_parse(ctx, options, "use_ema", yes[i]), MDLDM_OK);
        assert_int_equal(mdldm_options_get_int(ctx, options, "use_ema", &value), MDLDM_OK);
        assert_int_equal(value, 1);
        assert_int_equal(mdldm_options_parse(ctx, options, "use_ema", no[i]), MDLDM_OK);
        assert_int_equal(mdldm_options_get_int(ctx, options, "use_ema", &value), MDLDM_OK);
        assert_int_equal(value, 0);
    }
}

/* The table itself: each default is acceptable to its own checks, keys are unique, nothing is empty. */
static void the_table_is_sound(void **state)
{
    (void)state;
    for (int32_t i = 0; i < mdldm_option_count(); i++) {
        const char *key = mdldm_option_key(i), *text = mdldm_option_default(i);
        assert_int_equal(mdldm_option_index(key), i);
        assert_true(strlen(mdldm_option_help(i)) > 5);
        assert_true(mdldm_option_scopes(i) != 0);
        if (mdldm_option_type_of(i) == MDLDM_OPTION_STRING && mdldm_option_choices(i)[0] == '\0')
            continue;
        if (mdldm_options_parse(ctx, options, key, text) != MDLDM_OK)
            fail_msg("default of %s: %s", key, mdldm_context_error(ctx));
    }
    assert_null(mdldm_option_key(-1));
    assert_null(mdldm_option_key(mdldm_option_count()));
}

/* A host with a decimal comma must not change what "0.1" means. */
static void the_locale_does_not_matter(void **state)
{
    (void)state;
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL && setlocale(LC_NUMERIC, "fr_FR.UTF-8") == NULL)
        skip();
    double value = 0.0;
    mdldm_status status = mdldm_options_parse(ctx, options, "label_dropout", "0.25");
    mdldm_options_get_double(ctx, options, "label_dropout", &value);
    setlocale(LC_NUMERIC, "C");
    assert_int_equal(status, MDLDM_OK);
    assert_true(value == 0.25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(defaults_hold_until_set, setup, teardown),
        cmocka_unit_test_setup_teardown(whole_numbers_serve_as_reals, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_values_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_keys_get_a_suggestion, setup, teardown),
        cmocka_unit_test_setup_teardown(flags_take_the_usual_words, setup, teardown),
        cmocka_unit_test_setup_teardown(the_table_is_sound, setup, teardown),
        cmocka_unit_test_setup_teardown(the_locale_does_not_matter, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
