/* SPDX-License-Identifier: MIT
 * The tables of the colour maps, and their names. */
#include "data/colormap.h"

#include <math.h>
#include <string.h>

#include "data/parula_like_table.h"
#include "data/turbo_table.h"
#include "data/viridis_table.h"

static const char *const NAMES[] = {"jet", "viridis", "parula-like", "turbo", "grey"};
enum { MAPS = sizeof NAMES / sizeof *NAMES };

int32_t mdldm_colormap_count(void)
{
    return MAPS;
}

const char *mdldm_colormap_name(int32_t index)
{
    return index >= 0 && index < MAPS ? NAMES[index] : NULL;
}

/* MATLAB's jet(256): one ramp u (up in 64 entries, flat for 63, down in 64), shifted for each channel. */
static uint8_t jet_ramp(int k)
{
    const double u = k < 1 || k > 191 ? 0.0 : k <= 64 ? k / 64.0 : k <= 127 ? 1.0 : (192 - k) / 64.0;
    return (uint8_t)lrint(255.0 * u);
}

mdldm_status mdldm__colormap_table(mdldm__env *env, const char *name, mdldm__colormap *map)
{
    const uint8_t(*ready)[3] = strcmp(name, "viridis") == 0       ? mdldm__viridis
                               : strcmp(name, "turbo") == 0       ? mdldm__turbo
                               : strcmp(name, "parula-like") == 0 ? mdldm__parula_like
                                                                  : NULL;
    const int jet = strcmp(name, "jet") == 0;
    if (ready != NULL) {
        memcpy(map->rgb, ready, sizeof map->rgb);
        return MDLDM_OK;
    }
    if (!jet && strcmp(name, "grey") != 0 && strcmp(name, "gray") != 0)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "no colour map '%s'; there are jet, viridis, parula-like, turbo, grey", name);
    for (int i = 0; i < 256; i++) {
        map->rgb[i][0] = jet ? jet_ramp(i + 1 - 96) : (uint8_t)i;
        map->rgb[i][1] = jet ? jet_ramp(i + 1 - 32) : (uint8_t)i;
        map->rgb[i][2] = jet ? jet_ramp(i + 1 + 32) : (uint8_t)i;
    }
    return MDLDM_OK;
}
