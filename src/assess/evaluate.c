/* SPDX-License-Identifier: MIT
 * mdldm_evaluate: the sections of its report, one after the other. */
#include "api/options_table.h"
#include "assess/assessment.h"
#include "data/dataset.h"
#include "report/findings.h"

#define LEAST 4 /* images of each set */

static mdldm_status check(mdldm_context *ctx, const mdldm__assessment *a)
{
    const mdldm__image_set *const sets[3] = {&a->real, &a->fake, &a->train};
    for (int s = 0; s < 3; s++) {
        if (s == 2 && sets[s]->data == NULL)
            continue;
        if (sets[s]->data == NULL)
            return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "mdldm_evaluate: the %s set is NULL",
                                sets[s]->name);
        if (mdldm_dataset_count(sets[s]->data) < LEAST)
            return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                                "the %s set has %lld images; %d at least are right, and 100 a person for numbers to go by",
                                sets[s]->name, (long long)mdldm_dataset_count(sets[s]->data), LEAST);
    }
    return MDLDM_OK;
}

static mdldm_status fill(mdldm__assessment *a)
{
    mdldm__feature_space space = {0};
    MDLDM__TRY(mdldm__report_title(a->report, "Generated spectrograms against real ones"));
    MDLDM__TRY(mdldm__assess_sets(a));
    mdldm_status status = mdldm__assess_fixed(a, &space);
    if (status == MDLDM_OK)
        status = mdldm__assess_distances(a, &space);
    if (status == MDLDM_OK && a->train.data != NULL)
        status = mdldm__assess_copies(a, &space);
    mdldm__assess_space_free(a, &space);
    MDLDM__TRY(status);
    if (mdldm__option_int(a->options, "pairs"))
        MDLDM__TRY(mdldm__assess_pairs(a));
    return mdldm__assess_gait(a);
}

mdldm_status mdldm_evaluate(mdldm_context *ctx, const mdldm_dataset *real, const mdldm_dataset *fake,
                            const mdldm_dataset *train, const mdldm_options *options, mdldm_report **out)
{
    if (out != NULL)
        *out = NULL;
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    if (out == NULL)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "mdldm_evaluate: an output is NULL");
    mdldm__report report = {.env = &ctx->env};
    mdldm__assessment a = {.ctx = ctx, .env = &ctx->env, .options = options, .report = &report,
                           .real = {.data = real, .name = "real"}, .fake = {.data = fake, .name = "generated"},
                           .train = {.data = train, .name = "training"},
                           .seed = (uint64_t)mdldm__option_int(options, "seed"),
                           .neighbours = mdldm__option_int(options, "neighbours")};
    MDLDM__TRY(check(ctx, &a));
    char *html = NULL;
    size_t size;
    mdldm_status status = fill(&a);
    if (status == MDLDM_OK)
        status = mdldm__report_html(&report, &html, &size);
    if (status == MDLDM_OK)
        status = mdldm__findings_create(&ctx->env, mdldm__report_tree(&report), html, out);
    mdldm__report_free(&report);
    mdldm__assess_free(&a);
    return status;
}
