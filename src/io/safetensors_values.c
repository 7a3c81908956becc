/* SPDX-License-Identifier: MIT
 * The values of a tensor in a safetensors file. */
#include <math.h>
#include <string.h>

#include "io/safetensors.h"
#include "util/half.h"

int64_t mdldm__st_elements(const mdldm__st_tensor *tensor)
{
    int64_t elements = 1; /* the product was checked when the file was opened */
    for (int32_t i = 0; i < tensor->rank; i++)
        elements *= tensor->dims[i];
    return elements;
}

mdldm_status mdldm__st_read_f32(mdldm__env *env, const mdldm__st_tensor *tensor, float *out)
{
    int64_t n = mdldm__st_elements(tensor);
    switch (tensor->dtype) {
    case MDLDM_F32:
        if (n > 0)
            memcpy(out, tensor->data, (size_t)n * sizeof *out);
        return MDLDM_OK;
    case MDLDM_F16:
        for (int64_t i = 0; i < n; i++)
            out[i] = mdldm__half_to_float(((const uint16_t *)tensor->data)[i]);
        return MDLDM_OK;
    case MDLDM_BF16:
        for (int64_t i = 0; i < n; i++)
            out[i] = mdldm__bf16_to_float(((const uint16_t *)tensor->data)[i]);
        return MDLDM_OK;
    case MDLDM_I32:
        for (int64_t i = 0; i < n; i++)
            out[i] = (float)((const int32_t *)tensor->data)[i];
        return MDLDM_OK;
    default:
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                            "tensor \"%s\" is of type %s; F32, F16 or BF16 would be right", tensor->name,
                            tensor->dtype_name);
    }
}

/* Index of the first value whose exponent bits are all ones, -1 when there is none. */
static int64_t first_not_finite(const mdldm__st_tensor *tensor, int64_t n)
{
    if (tensor->dtype == MDLDM_F32) {
        const uint32_t *bits = tensor->data;
        for (int64_t i = 0; i < n; i++)
            if ((bits[i] & 0x7f800000u) == 0x7f800000u)
                return i;
    } else if (tensor->dtype == MDLDM_F16 || tensor->dtype == MDLDM_BF16) {
        const uint16_t *bits = tensor->data;
        const uint16_t mask = tensor->dtype == MDLDM_F16 ? 0x7c00u : 0x7f80u;
        for (int64_t i = 0; i < n; i++)
            if ((bits[i] & mask) == mask)
                return i;
    }
    return -1;
}

mdldm_status mdldm__st_check_finite(mdldm__env *env, const char *where, const mdldm__st_tensor *tensor)
{
    int64_t index = first_not_finite(tensor, mdldm__st_elements(tensor));
    if (index < 0)
        return MDLDM_OK;
    float value;
    if (tensor->dtype == MDLDM_F32)
        value = ((const float *)tensor->data)[index];
    else if (tensor->dtype == MDLDM_F16)
        value = mdldm__half_to_float(((const uint16_t *)tensor->data)[index]);
    else
        value = mdldm__bf16_to_float(((const uint16_t *)tensor->data)[index]);
    return mdldm__error(env, MDLDM_ERROR_NUMERIC, "%s: tensor \"%s\" holds %s at index %lld; all values must be "
                        "finite", where, tensor->name, isnan(value) ? "NaN" : value > 0 ? "Inf" : "-Inf",
                        (long long)index);
}
