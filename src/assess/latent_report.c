/* SPDX-License-Identifier: MIT
 * mdldm_latent_report: images to latents and codes. */
#include <math.h>

#include "api/options_table.h"
#include "assess/latent_job.h"
#include "report/findings.h"

mdldm_status mdldm__latent_job_progress(mdldm__latent_job *j)
{
    return mdldm__progress(&j->ctx->env, "measure", ++j->done, j->total);
}

static mdldm_status check(mdldm_context *ctx, const mdldm_model *m, const mdldm_dataset *d)
{
    mdldm__env *env = &ctx->env;
    if (m == NULL || d == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "mdldm_latent_report: %s is NULL",
                            m == NULL ? "the model" : "the data set");
    if (m->autoencoder == NULL)
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED, "the model has no autoencoder, so it has no latents");
    if (m->autoencoder->ae.in_channels != m->autoencoder->ae.out_channels)
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                            "the autoencoder makes pictures of %d channels from ones of %d: these cannot be compared",
                            m->autoencoder->ae.out_channels, m->autoencoder->ae.in_channels);
    if (m->autoencoder->ae.in_channels != d->channels)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the autoencoder takes %d channels and the data set has %d; image_mode %s is right",
                            m->autoencoder->ae.in_channels, d->channels,
                            m->autoencoder->ae.in_channels == 1 ? "L" : "RGB");
    if (d->resolution % mdldm__autoencoder_factor(&m->autoencoder->ae) != 0)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "the images have %lld pixels a side; a multiple of %lld "
                            "is right for this autoencoder", (long long)d->resolution,
                            (long long)mdldm__autoencoder_factor(&m->autoencoder->ae));
    if (mdldm_dataset_count(d) < 2)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the data set has %lld images; 2 at least are right, and 100 for numbers to go by",
                            (long long)mdldm_dataset_count(d));
    return MDLDM_OK;
}

static mdldm_status start(mdldm__latent_job *j, const mdldm_options *options)
{
    mdldm__env *env = &j->ctx->env;
    const int64_t count = mdldm_dataset_count(j->d), most = mdldm__option_int(options, "latent_images");
    const mdldm__component *ae = j->m->autoencoder;
    j->images = most < count ? most : count;
    j->resolution = j->d->resolution;
    const int64_t side = j->resolution / mdldm__autoencoder_factor(&ae->ae);
    j->set = (mdldm__latent_set){NULL, j->images, mdldm__autoencoder_latent_channels(ae), side, side};
    j->codes = ae->kind == MDLDM__VQ_MODEL ? ae->ae.num_vq_embeddings : 0;
    const int64_t pairs = mdldm__option_int(options, "latent_pairs");
    j->walks.pairs = pairs < j->images ? pairs : j->images;
    j->walks.steps = mdldm__option_int(options, "latent_steps");
    j->total = j->images + j->walks.pairs;
    const size_t each = (size_t)(j->set.channels * side * side);
    j->latents = mdldm__calloc(env, (size_t)j->images, each * sizeof *j->latents);
    j->rest = mdldm__calloc(env, (size_t)j->images, each * sizeof *j->rest);
    j->counts = mdldm__calloc(env, (size_t)(j->codes > 0 ? j->codes : 1), sizeof *j->counts);
    j->set.z = j->latents;
    return j->latents != NULL && j->rest != NULL && j->counts != NULL ? MDLDM_OK : mdldm__oom(env, "latents");
}

static mdldm_status encode_all(mdldm__latent_job *j)
{
    mdldm__env *env = &j->ctx->env;
    const size_t image = (size_t)(j->d->channels * j->resolution * j->resolution);
    const size_t each = (size_t)(j->set.channels * j->set.h * j->set.w);
    float *pixels = mdldm__calloc(env, image, sizeof *pixels);
    mdldm_status status = pixels != NULL ? MDLDM_OK : mdldm__oom(env, "image");
    for (int64_t i = 0; status == MDLDM_OK && i < j->images; i++) {
        status = mdldm_dataset_read(j->ctx, j->d, i * mdldm_dataset_count(j->d) / j->images, pixels, image);
        if (status == MDLDM_OK)
            status = mdldm_encode(j->ctx, j->m, pixels, 1, j->resolution, j->resolution,
                                  j->latents + (size_t)i * each, each);
        if (status == MDLDM_OK)
            status = mdldm__latent_job_progress(j);
    }
    mdldm__free(env, pixels);
    for (size_t i = 0; status == MDLDM_OK && i < (size_t)j->images * each; i++)
        if (!isfinite(j->latents[i]))
            return mdldm__error(env, MDLDM_ERROR_NUMERIC, "the latents of image %lld have a value of %g",
                                (long long)(i / each), (double)j->latents[i]);
    return status;
}

/* counts, and how far the codes are from the latents. */
static mdldm_status quantize_all(mdldm__latent_job *j)
{
    mdldm__env *env = &j->ctx->env;
    const size_t cells = (size_t)(j->set.h * j->set.w), each = cells * (size_t)j->set.channels;
    double error = 0.0, square = 0.0;
    j->quantization_error = NAN;
    if (j->codes == 0)
        return MDLDM_OK;
    float *nearest = mdldm__calloc(env, each, sizeof *nearest);
    int32_t *codes = mdldm__calloc(env, cells, sizeof *codes);
    mdldm_status status = nearest != NULL && codes != NULL ? MDLDM_OK : mdldm__oom(env, "codes");
    for (int64_t i = 0; status == MDLDM_OK && i < j->images; i++) {
        const float *latent = j->latents + (size_t)i * each;
        status = mdldm_quantize(j->ctx, j->m, latent, 1, j->set.h, j->set.w, nearest, each, codes, cells);
        for (size_t p = 0; status == MDLDM_OK && p < cells; p++)
            j->counts[codes[p]]++;
        for (size_t p = 0; status == MDLDM_OK && p < each; p++)
            error += ((double)nearest[p] - (double)latent[p]) * ((double)nearest[p] - (double)latent[p]);
    }
    for (int64_t k = 0; k < j->set.channels; k++) {
        const mdldm__latent_moments moments = mdldm__latent_moments_of(&j->set, k);
        square += moments.deviation * moments.deviation * (double)cells * (double)j->images;
    }
    j->quantization_error = square > 0.0 ? error / square : NAN;
    mdldm__free(env, codes);
    mdldm__free(env, nearest);
    return status;
}

mdldm_status mdldm_latent_report(mdldm_context *ctx, const mdldm_model *m, const mdldm_dataset *d,
                                 const mdldm_options *options, mdldm_report **out)
{
    if (out != NULL)
        *out = NULL;
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    if (out == NULL)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "mdldm_latent_report: out is NULL");
    MDLDM__TRY(check(ctx, m, d));
    mdldm__latent_job j = {.ctx = ctx, .m = m, .d = d};
    json_t *root = NULL;
    mdldm_status status = start(&j, options);
    if (status == MDLDM_OK)
        status = encode_all(&j);
    if (status == MDLDM_OK)
        status = quantize_all(&j);
    if (status == MDLDM_OK)
        mdldm__latent_rest(&j.set, j.rest);
    if (status == MDLDM_OK)
        status = mdldm__latent_walk(&j);
    if (status == MDLDM_OK)
        status = mdldm__latent_report_write(&j, &root);
    if (status == MDLDM_OK)
        status = mdldm__findings_create(&ctx->env, root, NULL, out);
    mdldm__free(&ctx->env, j.counts);
    mdldm__free(&ctx->env, j.rest);
    mdldm__free(&ctx->env, j.latents);
    return status;
}
