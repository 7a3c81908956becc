/* SPDX-License-Identifier: MIT */
#include "train/data_fits.h"

#include <math.h>

mdldm_status mdldm__check_data_channels(mdldm__env *env, const mdldm__component *autoencoder,
                                        const mdldm_dataset *d)
{
    const int32_t in = autoencoder->ae.in_channels, out = autoencoder->ae.out_channels;
    if ((in != 3 && in != 1) || out != in)
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                            "the autoencoder has %d input and %d output channels: 3 (RGB) or 1 (grey) of both are "
                            "expected",
                            (int)in, (int)out);
    if (in != d->channels)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the data set has %d channels, the autoencoder takes %d: image_mode %s is expected",
                            (int)d->channels, (int)in, in == 1 ? "L" : "RGB");
    return MDLDM_OK;
}

mdldm_status mdldm__check_data_range(mdldm__env *env, const mdldm_model *m, const mdldm_dataset *d)
{
    const json_t *low = json_object_get(m->extra, "db_floor"), *high = json_object_get(m->extra, "db_ceiling");
    if (!d->has_db || !json_is_number(low) || !json_is_number(high))
        return MDLDM_OK;
    const double a = json_number_value(low), b = json_number_value(high);
    /* Written with 17 digits and read back, a number may differ in its last. */
    if (fabs(a - d->floor_db) > 1e-9 * fabs(b - a) || fabs(b - d->ceiling_db) > 1e-9 * fabs(b - a))
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the data set's range is %g to %g dB, the autoencoder was trained on %g to %g dB: set "
                            "db_floor and db_ceiling to these",
                            d->floor_db, d->ceiling_db, a, b);
    return MDLDM_OK;
}
