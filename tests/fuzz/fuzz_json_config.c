/* SPDX-License-Identifier: MIT
 * libFuzzer target: any bytes as a JSON file. What parses must come back the same after it was written,
 * and every config parser must take or refuse it with a sentence. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/json_util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_sentence(const mdldm__env *env, mdldm_status status)
{
    if (status != MDLDM_OK && env->error[0] == '\0')
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdldm__env env;
    json_t *json, *again;
    mdldm__env_init(&env, NULL);
    mdldm_status status = mdldm__json_parse(&env, "fuzz", (const char *)data, size, &json);
    check_sentence(&env, status);
    if (status != MDLDM_OK)
        return 0;
    char *text = mdldm__json_text(&env, json);
    if (text == NULL || mdldm__json_parse(&env, "written", text, strlen(text), &again) != MDLDM_OK ||
        !json_equal(json, again))
        abort();
    json_decref(again);
    mdldm__free(&env, text);
    json_decref(json);
    return 0;
}
