/* SPDX-License-Identifier: MIT */
#include "options_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

mdldm_options *options_from_text(mdldm_context *ctx, const char *settings)
{
    mdldm_options *options = NULL;
    char text[256], *rest;
    assert_in_range(snprintf(text, sizeof text, "%s", settings), 0, sizeof text - 1);
    assert_int_equal(mdldm_options_create(ctx, &options), MDLDM_OK);
    for (char *item = strtok_r(text, " ", &rest); item != NULL; item = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(item, '=');
        assert_non_null(value);
        *value++ = '\0';
        if (mdldm_options_parse(ctx, options, item, value) != MDLDM_OK)
            fail_msg("%s", mdldm_context_error(ctx));
    }
    return options;
}
