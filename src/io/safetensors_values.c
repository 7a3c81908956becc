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

enum { BLOCK = 4096 };

/* Index of the first value whose exponent bits are all ones, -1 when there is none. Whole blocks first,
 * without a branch per value, so that the compiler makes vectors of it. */
#define DEFINE_FIRST(name, type)                                          \
    static int64_t name(const type *bits, int64_t n, type mask)           \
    {                                                                     \
        int64_t i = 0;                                                    \
        for (; i + BLOCK <= n; i += BLOCK) {                              \
            type found = 0;                                               \
            for (int k = 0; k < BLOCK; k++)                               \
                found |= (type)((bits[i + k] & mask) == mask ? 1 : 0);    \
            if (found)                                                    \
                break;                                                    \
        }                                                                 \
        for (; i < n; i++)                                                \
            if ((bits[i] & mask) == mask)                                 \
                return i;                                                 \
        return -1;                                                        \
    }
DEFINE_FIRST(first_in_32, uint32_t)
DEFINE_FIRST(first_in_16, uint16_t)

static int64_t first_not_finite(const mdldm__st_tensor *tensor, int64_t n)
{
    switch (tensor->dtype) {
    case MDLDM_F32: return first_in_32(tensor->data, n, 0x7f800000u);
    case MDLDM_F16: return first_in_16(tensor->data, n, 0x7c00u);
    case MDLDM_BF16: return first_in_16(tensor->data, n, 0x7f80u);
    default: return -1;
    }
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
