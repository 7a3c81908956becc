/* SPDX-License-Identifier: MIT */
#include "api/unet_inputs.h"

void mdldm__unet_inputs_free(mdldm__env *env, mdldm__unet_inputs *c)
{
    mdldm__free(env, c->time_proj);
    mdldm__free(env, c->class_proj);
    mdldm__free(env, c->rows);
    mdldm__free(env, c->inverse);
    mdldm__free(env, c->groups);
}

static mdldm_status project_labels(mdldm__env *env, const mdldm__component *unet, const int64_t *labels,
                                   int64_t n, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        double label = (double)labels[i];
        MDLDM__TRY(mdldm__unet_time_proj(env, unet, &label, 1, out + i * mdldm__unet_time_width(unet)));
    }
    return MDLDM_OK;
}

mdldm_status mdldm__unet_inputs_make(mdldm__env *env, const mdldm_model *m, const double *timesteps,
                                     const int64_t *labels, int64_t n, mdldm__unet_inputs *c)
{
    const mdldm__component *unet = m->unet;
    size_t width = (size_t)mdldm__unet_time_width(unet), count = (size_t)n;
    int by_projection = unet->unet.class_embed_timestep, by_row = unet->unet.num_class_embeds > 0;
    c->time_proj = mdldm__calloc(env, count * width, sizeof(float));
    if (by_projection)
        c->class_proj = mdldm__calloc(env, count * width, sizeof(float));
    if (by_row)
        c->rows = mdldm__calloc(env, count, sizeof(int32_t));
    if (unet->unet.fourier)
        c->inverse = mdldm__calloc(env, count, sizeof(float));
    if (unet->unet.q8_groups > 0)
        c->groups = mdldm__calloc(env, count, sizeof(int32_t));
    if (c->time_proj == NULL || (unet->unet.q8_groups > 0 && c->groups == NULL) || (by_projection && c->class_proj == NULL) || (by_row && c->rows == NULL) ||
        (unet->unet.fourier && c->inverse == NULL))
        return mdldm__oom(env, "the UNet's inputs");
    MDLDM__TRY(mdldm__unet_time_proj(env, unet, timesteps, n, c->time_proj));
    if (by_projection)
        MDLDM__TRY(project_labels(env, unet, labels, n, c->class_proj));
    int64_t null_class = mdldm__model_null_class(m), train_timesteps = mdldm__model_train_timesteps(m);
    for (int64_t i = 0; i < n; i++) {
        if (by_row)
            c->rows[i] = (int32_t)(labels[i] >= 0 ? labels[i] : null_class);
        if (unet->unet.fourier)
            c->inverse[i] = 1.0f / (float)timesteps[i];
        if (c->groups != NULL)
            c->groups[i] = mdldm__unet_q8_group(unet->unet.q8_groups, timesteps[i], train_timesteps);
    }
    return MDLDM_OK;
}
