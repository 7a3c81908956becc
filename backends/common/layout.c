/* SPDX-License-Identifier: MIT */
#include "layout.h"

#include <math.h>
#include <string.h>

#include "util/half.h"

#define TILE 16 /* one cache line of floats each way */

static inline int32_t float_to_int(float value)
{
    if (!(value > -2147483648.0f)) /* NaN lands here too */
        return INT32_MIN;
    return value >= 2147483648.0f ? INT32_MAX : (int32_t)lrintf(value);
}

/* to[r][c] = from[c][r] for a matrix of rows x columns, in tiles so that both sides stay in cache;
 * and the plain copy. One pair per combination of element types. */
#define DEFINE_MOVE(name, from_type, to_type, convert)                                             \
    static void name##_transpose(const void *source, void *target, int64_t rows, int64_t columns)  \
    {                                                                                              \
        const from_type *from = source;                                                            \
        to_type *to = target;                                                                      \
        for (int64_t r0 = 0; r0 < rows; r0 += TILE)                                                \
            for (int64_t c0 = 0; c0 < columns; c0 += TILE) {                                       \
                int64_t r1 = r0 + TILE < rows ? r0 + TILE : rows;                                  \
                int64_t c1 = c0 + TILE < columns ? c0 + TILE : columns;                            \
                for (int64_t r = r0; r < r1; r++)                                                  \
                    for (int64_t c = c0; c < c1; c++)                                              \
                        to[r * columns + c] = convert(from[c * rows + r]);                         \
            }                                                                                      \
    }                                                                                              \
    static void name##_copy(const void *source, void *target, int64_t count)                       \
    {                                                                                              \
        const from_type *from = source;                                                            \
        to_type *to = target;                                                                      \
        for (int64_t i = 0; i < count; i++)                                                        \
            to[i] = convert(from[i]);                                                              \
    }

#define SAME(x) (x)
#define INT_TO_FLOAT(x) ((float)(x))
#define INT_TO_BF16(x) mdldm__float_to_bf16((float)(x))
#define BF16_TO_INT(x) float_to_int(mdldm__bf16_to_float(x))

DEFINE_MOVE(float_float, float, float, SAME)
DEFINE_MOVE(float_bf16, float, uint16_t, mdldm__float_to_bf16)
DEFINE_MOVE(float_int, float, int32_t, float_to_int)
DEFINE_MOVE(int_float, int32_t, float, INT_TO_FLOAT)
DEFINE_MOVE(int_bf16, int32_t, uint16_t, INT_TO_BF16)
DEFINE_MOVE(int_int, int32_t, int32_t, SAME)
DEFINE_MOVE(bf16_float, uint16_t, float, mdldm__bf16_to_float)
DEFINE_MOVE(bf16_int, uint16_t, int32_t, BF16_TO_INT)

typedef struct move_pair {
    void (*transpose)(const void *source, void *target, int64_t rows, int64_t columns);
    void (*copy)(const void *source, void *target, int64_t count);
} move_pair;

static move_pair choose(int32_t from, int32_t to)
{
    /* [from][to] with F32, BF16, I32 = 0, 1, 2. */
    static const move_pair table[3][3] = {
        {{float_float_transpose, float_float_copy},
         {float_bf16_transpose, float_bf16_copy},
         {float_int_transpose, float_int_copy}},
        {{bf16_float_transpose, bf16_float_copy}, {NULL, NULL}, {bf16_int_transpose, bf16_int_copy}},
        {{int_float_transpose, int_float_copy},
         {int_bf16_transpose, int_bf16_copy},
         {int_int_transpose, int_int_copy}}};
    return table[from][to];
}

void mdldm__layout_import(const mdldm_binding *binding, const mdldm_graph_tensor *tensor, void *memory)
{
    const int64_t *d = tensor->dims; /* n,h,w,c */
    int64_t pixels = d[1] * d[2], channels = d[3];
    if (binding->layout == MDLDM_LAYOUT_NHWC || channels == 1 || pixels == 1) {
        if (binding->dtype == tensor->dtype)
            memcpy(memory, binding->data, (size_t)mdldm__elements(d) * 4);
        else
            choose(binding->dtype, tensor->dtype).copy(binding->data, memory, mdldm__elements(d));
        return;
    }
    size_t from_step = (size_t)(pixels * channels) * 4;
    size_t to_step = (size_t)(pixels * channels) * mdldm__dtype_size(tensor->dtype);
    for (int64_t n = 0; n < d[0]; n++)
        choose(binding->dtype, tensor->dtype)
            .transpose((const char *)binding->data + (size_t)n * from_step,
                       (char *)memory + (size_t)n * to_step, pixels, channels);
}

void mdldm__layout_export(const mdldm_binding *binding, const mdldm_graph_tensor *tensor,
                          const void *memory)
{
    const int64_t *d = tensor->dims;
    int64_t pixels = d[1] * d[2], channels = d[3];
    if (binding->layout == MDLDM_LAYOUT_NHWC || channels == 1 || pixels == 1) {
        if (binding->dtype == tensor->dtype)
            memcpy(binding->data, memory, (size_t)mdldm__elements(d) * 4);
        else
            choose(tensor->dtype, binding->dtype).copy(memory, binding->data, mdldm__elements(d));
        return;
    }
    size_t from_step = (size_t)(pixels * channels) * mdldm__dtype_size(tensor->dtype);
    size_t to_step = (size_t)(pixels * channels) * 4;
    for (int64_t n = 0; n < d[0]; n++)
        choose(tensor->dtype, binding->dtype)
            .transpose((const char *)memory + (size_t)n * from_step,
                       (char *)binding->data + (size_t)n * to_step, channels, pixels);
}

void mdldm__convert_to_float(const void *from, int32_t dtype, float *to, int64_t count)
{
    if (dtype == MDLDM_F32) {
        memcpy(to, from, (size_t)count * sizeof *to);
        return;
    }
    /* Files give no promise of alignment, hence the byte copies. */
    const unsigned char *bytes = from;
    for (int64_t i = 0; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, bytes + 2 * i, sizeof bits);
        to[i] = dtype == MDLDM_F16 ? mdldm__half_to_float(bits) : mdldm__bf16_to_float(bits);
    }
}

void mdldm__convert_to_bf16(const float *from, uint16_t *to, int64_t count)
{
    float_bf16_copy(from, to, count);
}

mdldm_status mdldm__binding_check(const mdldm_host *host, const mdldm_graph_tensor *tensors,
                                  int32_t tensor_count, const mdldm_binding *binding)
{
    if (binding->tensor < 0 || binding->tensor >= tensor_count)
        return mdldm__host_error(host, MDLDM_ERROR_INVALID_ARGUMENT,
                                 "a binding names tensor %d, the graph has 0..%d", binding->tensor,
                                 tensor_count - 1);
    const mdldm_graph_tensor *t = &tensors[binding->tensor];
    const char *name = t->name != NULL ? t->name : "";
    if (t->role != MDLDM_ROLE_INPUT && !(t->flags & MDLDM_TENSOR_OUTPUT))
        return mdldm__host_error(host, MDLDM_ERROR_INVALID_ARGUMENT,
                                 "tensor %d '%s' is neither an input nor an output and cannot be bound",
                                 binding->tensor, name);
    if (binding->dtype != MDLDM_F32 && binding->dtype != MDLDM_I32)
        return mdldm__host_error(host, MDLDM_ERROR_INVALID_ARGUMENT,
                                 "the binding of tensor %d '%s' has dtype %d, it must be F32 or I32",
                                 binding->tensor, name, binding->dtype);
    if (binding->layout != MDLDM_LAYOUT_NHWC && binding->layout != MDLDM_LAYOUT_NCHW)
        return mdldm__host_error(host, MDLDM_ERROR_INVALID_ARGUMENT,
                                 "the binding of tensor %d '%s' has layout %d, it must be NHWC or NCHW",
                                 binding->tensor, name, binding->layout);
    if (binding->data == NULL)
        return mdldm__host_error(host, MDLDM_ERROR_INVALID_ARGUMENT,
                                 "the binding of tensor %d '%s' has no memory", binding->tensor, name);
    return MDLDM_OK;
}
