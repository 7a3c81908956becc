/* SPDX-License-Identifier: MIT
 * Public life of a model: load, save, retain, free. */
#include "api/context.h"
#include "api/runtime.h"
#include "models/model.h"

mdldm_status mdldm_model_load(mdldm_context *ctx, const char *dir, mdldm_model **out)
{
    if (out != NULL)
        *out = NULL;
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    if (dir == NULL || dir[0] == '\0' || out == NULL)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "mdldm_model_load: %s is NULL or empty", out == NULL ? "out" : "dir");
    return mdldm__model_read(&ctx->env, dir, out);
}

mdldm_status mdldm_model_save(mdldm_context *ctx, const mdldm_model *m, const char *dir)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    if (m == NULL || dir == NULL || dir[0] == '\0')
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "mdldm_model_save: %s is NULL or empty", m == NULL ? "the model" : "dir");
    return mdldm__model_write(&ctx->env, m, dir);
}

void mdldm_model_retain(mdldm_model *m)
{
    if (m != NULL)
        __atomic_add_fetch(&m->references, 1, __ATOMIC_RELAXED);
}

void mdldm_model_free(mdldm_model *m)
{
    if (m == NULL || __atomic_sub_fetch(&m->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    mdldm__runtime_drop_component(m->autoencoder);
    mdldm__runtime_drop_component(m->unet);
    mdldm__model_destroy(m);
}
