/* SPDX-License-Identifier: MIT
 * Eight-bit inference: quantising activations by their group's range, and the convolution of what came
 * out of that with eight-bit weights, summed in integers. */
#include <math.h>

#include "ref_ops.h"

/* m and z of one image (mdldm_backend.h, QUANTIZE). */
typedef struct quantizer {
    float m;
    int32_t z;
} quantizer;

static int32_t clamp_byte(float value)
{
    return value > 0.0f ? value < 255.0f ? (int32_t)value : 255 : 0; /* NaN gives 0 */
}

static quantizer quantizer_of(const mdldm__ref_operand *range, const mdldm__ref_operand *group, int64_t image)
{
    int64_t g = ((const int32_t *)group->data)[image]; /* range [G,2] */
    g = g < 0 ? 0 : g >= range->n ? range->n - 1 : g;
    const float *row = (const float *)range->data + 2 * g;
    float m = 255.0f / (row[1] - row[0]);
    return (quantizer){m, clamp_byte(rintf(-row[0] * m))};
}

/* y U8 [n,h,w,c] <- x, range, group */
void mdldm__ref_quantize(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *x = &call->in[0];
    const float *from = x->data;
    uint8_t *to = call->out[0].data;
    int64_t each = x->h * x->w * x->c;
    for (int64_t n = 0; n < x->n; n++) {
        quantizer q = quantizer_of(&call->in[1], &call->in[2], n);
        for (int64_t i = n * each; i < (n + 1) * each; i++)
            to[i] = (uint8_t)clamp_byte(rintf(from[i] * q.m) + (float)q.z);
    }
}

/* A source: channels first..first+c-1 of the joined input. */
typedef struct source {
    const uint8_t *data; /* [n,h,w,c] */
    int64_t c, first;
} source;

size_t mdldm__ref_conv_q8_scratch(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *w = &call->in[2];
    return (size_t)w->n * sizeof(int32_t) + (size_t)mdldm__ref_count(w);
}

/* acc[0..count) += v * w[0..count) */
MDLDM__REF_CLONES
static void accumulate(int32_t *restrict acc, int64_t count, int32_t v, const int8_t *restrict w)
{
    for (int64_t o = 0; o < count; o++)
        acc[o] += v * w[o];
}

/* The sums of one output pixel; packed: [kh,kw,I,O] */
static void q8_pixel(const mdldm__ref_call *call, const source *sources, int source_count,
                     const int8_t *packed, int64_t n, int64_t oy, int64_t ox, int32_t z, int32_t *acc)
{
    const mdldm_conv_attr *a = &call->op->attr.conv;
    const mdldm__ref_operand *x = &call->in[0];
    int64_t channels = call->in[2].h, outputs = call->in[2].n;
    for (int64_t ky = 0; ky < a->kernel_h; ky++) {
        int64_t iy = oy * a->stride_h - a->pad_t + ky;
        if (iy < 0 || iy >= x->h)
            continue; /* padding is z, and z - z is nothing */
        for (int64_t kx = 0; kx < a->kernel_w; kx++) {
            int64_t ix = ox * a->stride_w - a->pad_l + kx;
            if (ix < 0 || ix >= x->w)
                continue;
            const int8_t *tap = packed + (ky * a->kernel_w + kx) * channels * outputs;
            for (int s = 0; s < source_count; s++) {
                const uint8_t *pixel = sources[s].data + ((n * x->h + iy) * x->w + ix) * sources[s].c;
                for (int64_t i = 0; i < sources[s].c; i++)
                    accumulate(acc, outputs, (int32_t)pixel[i] - z, tap + (sources[s].first + i) * outputs);
            }
        }
    }
}

/* y <- x0, x1|-1, w, w_scale, b|-1, range, group */
void mdldm__ref_conv_q8(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *x0 = &call->in[0], *x1 = &call->in[1], *weight = &call->in[2];
    const mdldm__ref_operand *y = &call->out[0];
    const int8_t *w = weight->data;
    const float *w_scale = call->in[3].data, *bias = call->in[4].data;
    int64_t outputs = weight->n, channels = weight->h, taps = weight->w * weight->c;
    int32_t *acc = call->scratch;                    /* [O] */
    int8_t *packed = (int8_t *)(acc + outputs);      /* [kh,kw,I,O] */
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t i = 0; i < channels; i++)
            for (int64_t t = 0; t < taps; t++)
                packed[(t * channels + i) * outputs + o] = w[(o * channels + i) * taps + t];
    const source sources[2] = {{x0->data, x0->c, 0}, {x1->data, x1->c, x0->c}};
    float *out = y->data;
    for (int64_t n = 0; n < y->n; n++) {
        quantizer q = quantizer_of(&call->in[5], &call->in[6], n);
        float step = 1.0f / q.m;
        for (int64_t oy = 0; oy < y->h; oy++)
            for (int64_t ox = 0; ox < y->w; ox++) {
                for (int64_t o = 0; o < outputs; o++)
                    acc[o] = 0;
                q8_pixel(call, sources, x1->data != NULL ? 2 : 1, packed, n, oy, ox, q.z, acc);
                for (int64_t o = 0; o < outputs; o++)
                    *out++ = (float)acc[o] * (step * w_scale[o]) + (bias != NULL ? bias[o] : 0.0f);
            }
    }
}
