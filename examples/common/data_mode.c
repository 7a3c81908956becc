/* SPDX-License-Identifier: MIT */
#include "data_mode.h"

#include <string.h>

#include "samples.h"

static mdldm_status set_text(const cli *c, mdldm_options *o, const char *key, const char *value)
{
    return mdldm_options_is_set(o, key) ? MDLDM_OK : mdldm_options_set_string(c->ctx, o, key, value);
}

static int wants_colours(const cli *c, const mdldm_options *o)
{
    const char *mode = "L";

    return mdldm_options_is_set(o, "image_mode") &&
           mdldm_options_get_string(c->ctx, o, "image_mode", &mode) == MDLDM_OK && strcmp(mode, "L") != 0;
}

mdldm_status data_mode_follow(const cli *c, const mdldm_model *m, mdldm_options *o)
{
    const char *map = "none";
    double low = 0.0, high = 0.0;

    if (samples_fact(c, m, "image_channels") != 1 || wants_colours(c, o)) {
        return MDLDM_OK;
    }
    mdldm_status s = set_text(c, o, "image_mode", "L");
    if (s == MDLDM_OK) {
        s = mdldm_model_get_string(c->ctx, m, "colormap", &map);
    }
    if (s == MDLDM_OK) {
        s = set_text(c, o, "colormap", map);
    }
    if (s != MDLDM_OK || mdldm_options_is_set(o, "db_floor") || mdldm_options_is_set(o, "db_ceiling") ||
        mdldm_model_get_double(c->ctx, m, "db_floor", &low) != MDLDM_OK ||
        mdldm_model_get_double(c->ctx, m, "db_ceiling", &high) != MDLDM_OK) {
        return s; /* a model need not know its range */
    }
    s = mdldm_options_set_double(c->ctx, o, "db_floor", low);
    return s == MDLDM_OK ? mdldm_options_set_double(c->ctx, o, "db_ceiling", high) : s;
}
