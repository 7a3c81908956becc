/* SPDX-License-Identifier: MIT
 * libFuzzer target: any bytes as a JSON file. What parses must come back the same after it was written,
 * and every config parser must take or refuse it with a sentence. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/scheduler.h"
#include "io/json_util.h"
#include "models/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_sentence(const mdldm__env *env, mdldm_status status)
{
    if (status != MDLDM_OK && env->error[0] == '\0')
        abort();
}

/* A model of any config describes itself whole, or is refused. */
static void try_component(mdldm__env *env, const json_t *json)
{
    mdldm__component *component;
    mdldm_status status = mdldm__component_create(env, "fuzz", json_deep_copy(json), &component);
    check_sentence(env, status);
    if (status == MDLDM_OK)
        mdldm__component_free(env, component);
}

static void try_scheduler(mdldm__env *env, const json_t *json)
{
    mdldm__scheduler *scheduler;
    mdldm_status status = mdldm__scheduler_create(env, json, NULL, &scheduler);
    check_sentence(env, status);
    if (status != MDLDM_OK)
        return;
    float sample[4] = {1.0f, -2.0f, 0.5f, 0.0f}, output[4] = {0.25f}, noise[4] = {1.0f};
    status = mdldm__scheduler_set_timesteps(scheduler, 5);
    check_sentence(env, status);
    for (int64_t i = 0; status == MDLDM_OK && i < mdldm__scheduler_steps(scheduler) && i < 10; i++) {
        mdldm__scheduler_scale_input(scheduler, i, sample, sample, 4);
        status = mdldm__scheduler_step(scheduler, i, output, sample, noise, 1, 4);
    }
    mdldm__scheduler_free(scheduler);
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
    try_component(&env, json);
    try_scheduler(&env, json);
    json_decref(json);
    return 0;
}
