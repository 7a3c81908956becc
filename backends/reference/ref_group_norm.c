/* SPDX-License-Identifier: MIT
 * Group normalisation (Wu and He 2018) over one or two sources, with an optional scale and shift per
 * image and channel and an optional SiLU. */
#include <math.h>
#include <string.h>

#include "ref_ops.h"

typedef struct norm_input {
    const float *x0, *x1;      /* [n,h,w,c0], [n,h,w,c1] or NULL */
    int64_t n, pixels, c0, c1, channels;
    int64_t groups, size;      /* size: channels of a group */
    const float *gamma, *beta; /* [channels] */
    const float *scale_shift;  /* [n,2*channels] or NULL */
    int silu;
} norm_input;

static norm_input norm_of(const mdldm__ref_call *call, int first)
{
    const mdldm__ref_operand *x0 = &call->in[first], *x1 = &call->in[first + 1];
    int64_t channels = x0->c + (x1->data != NULL ? x1->c : 0);
    int64_t groups = call->op->attr.norm.groups;
    return (norm_input){.x0 = x0->data,
                        .x1 = x1->data,
                        .n = x0->n,
                        .pixels = x0->h * x0->w,
                        .c0 = x0->c,
                        .c1 = channels - x0->c,
                        .channels = channels,
                        .groups = groups,
                        .size = channels / groups,
                        .gamma = call->in[first + 2].data,
                        .beta = call->in[first + 3].data,
                        .scale_shift = call->in[first + 4].data,
                        .silu = call->op->attr.norm.silu};
}

/* Channel c of the joined input at pixel p of image n. */
static inline float input_at(const norm_input *in, int64_t n, int64_t p, int64_t c)
{
    int64_t pixel = n * in->pixels + p;
    return c < in->c0 ? in->x0[pixel * in->c0 + c] : in->x1[pixel * in->c1 + (c - in->c0)];
}

static inline double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static void group_stats(const norm_input *in, int64_t n, int64_t group, double eps, float *stats)
{
    double count = (double)(in->pixels * in->size), sum = 0, squares = 0;
    for (int64_t p = 0; p < in->pixels; p++)
        for (int64_t c = group * in->size; c < (group + 1) * in->size; c++)
            sum += input_at(in, n, p, c);
    double mean = sum / count;
    for (int64_t p = 0; p < in->pixels; p++)
        for (int64_t c = group * in->size; c < (group + 1) * in->size; c++) {
            double d = input_at(in, n, p, c) - mean;
            squares += d * d;
        }
    stats[0] = (float)mean;
    stats[1] = (float)(1.0 / sqrt(squares / count + eps));
}

/* y [n,h,w,C] from stats [n,groups,2] */
static void apply(const norm_input *in, const float *stats, float *y)
{
    for (int64_t n = 0; n < in->n; n++)
        for (int64_t c = 0; c < in->channels; c++) {
            const float *s = stats + (n * in->groups + c / in->size) * 2;
            double mean = s[0], rstd = s[1];
            for (int64_t p = 0; p < in->pixels; p++) {
                double g = in->gamma[c] * (input_at(in, n, p, c) - mean) * rstd + in->beta[c];
                if (in->scale_shift != NULL) {
                    const float *e = in->scale_shift + n * 2 * in->channels;
                    g = g * (1.0 + e[c]) + e[in->channels + c];
                }
                y[(n * in->pixels + p) * in->channels + c] = (float)(in->silu ? g * sigmoid(g) : g);
            }
        }
}

void mdldm__ref_group_norm(const mdldm__ref_call *call)
{
    norm_input in = norm_of(call, 0);
    float *stats = call->out[1].data; /* [n,groups,2] */
    for (int64_t n = 0; n < in.n; n++)
        for (int64_t group = 0; group < in.groups; group++)
            group_stats(&in, n, group, call->op->attr.norm.eps, stats + (n * in.groups + group) * 2);
    apply(&in, stats, call->out[0].data);
}

void mdldm__ref_group_norm_apply(const mdldm__ref_call *call)
{
    norm_input in = norm_of(call, 0);
    apply(&in, call->in[5].data, call->out[0].data);
}

/* Per channel sums of one image, as doubles. */
typedef struct norm_sums {
    double *dgamma, *dbeta;  /* [channels], over all images */
    double *scale, *shift;   /* [channels], of one image */
} norm_sums;

size_t mdldm__ref_group_norm_bwd_scratch(const mdldm__ref_call *call)
{
    return (size_t)call->in[0].c * 4 * sizeof(double);
}

/* What reaches the normalised value xhat = (x-mean)*rstd of one element: d loss / d xhat. Adds the
 * element's share to the sums of its channel when they are given. */
static inline double element_bwd(const norm_input *in, int64_t n, int64_t c, double xhat, double dy,
                                 const norm_sums *sums)
{
    double affine = in->gamma[c] * xhat + in->beta[c], factor = 1.0, g = affine;
    if (in->scale_shift != NULL) {
        const float *e = in->scale_shift + n * 2 * in->channels;
        factor = 1.0 + e[c];
        g = affine * factor + e[in->channels + c];
    }
    if (in->silu) {
        double s = sigmoid(g);
        dy *= s * (1.0 + g * (1.0 - s));
    }
    if (sums != NULL) {
        sums->scale[c] += dy * affine;
        sums->shift[c] += dy;
        sums->dgamma[c] += dy * factor * xhat;
        sums->dbeta[c] += dy * factor;
    }
    return dy * factor * in->gamma[c];
}

/* dx = rstd * (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)), means over the group. */
static void group_bwd(const norm_input *in, const float *dy, const float *stats, int64_t n, int64_t group,
                      const norm_sums *sums, float *dx0, float *dx1)
{
    double mean = stats[0], rstd = stats[1], count = (double)(in->pixels * in->size);
    double sum = 0, product = 0;
    int64_t first = group * in->size, end = first + in->size;
    for (int64_t p = 0; p < in->pixels; p++)
        for (int64_t c = first; c < end; c++) {
            double xhat = (input_at(in, n, p, c) - mean) * rstd;
            double d = element_bwd(in, n, c, xhat, dy[(n * in->pixels + p) * in->channels + c], sums);
            sum += d;
            product += d * xhat;
        }
    if (dx0 == NULL && dx1 == NULL)
        return;
    for (int64_t p = 0; p < in->pixels; p++)
        for (int64_t c = first; c < end; c++) {
            int64_t pixel = n * in->pixels + p;
            float *target = c < in->c0 ? (dx0 != NULL ? &dx0[pixel * in->c0 + c] : NULL)
                                       : (dx1 != NULL ? &dx1[pixel * in->c1 + c - in->c0] : NULL);
            if (target == NULL)
                continue;
            double xhat = (input_at(in, n, p, c) - mean) * rstd;
            double d = element_bwd(in, n, c, xhat, dy[pixel * in->channels + c], NULL);
            *target = (float)(rstd * (d - sum / count - xhat * product / count));
        }
}

void mdldm__ref_group_norm_bwd(const mdldm__ref_call *call)
{
    norm_input in = norm_of(call, 1);
    const float *dy = call->in[0].data, *stats = call->in[6].data;
    float *dgamma = call->out[2].data, *dbeta = call->out[3].data;
    float *dscale_shift = call->out[4].data; /* [n,2*channels] */
    double *scratch = call->scratch;
    int64_t channels = in.channels;
    norm_sums sums = {scratch, scratch + channels, scratch + 2 * channels, scratch + 3 * channels};
    memset(scratch, 0, (size_t)channels * 2 * sizeof *scratch);
    for (int64_t n = 0; n < in.n; n++) {
        memset(sums.scale, 0, (size_t)channels * 2 * sizeof *scratch);
        for (int64_t group = 0; group < in.groups; group++)
            group_bwd(&in, dy, stats + (n * in.groups + group) * 2, n, group, &sums, call->out[0].data,
                      call->out[1].data);
        for (int64_t c = 0; dscale_shift != NULL && c < 2 * channels; c++)
            dscale_shift[n * 2 * channels + c] = (float)sums.scale[c]; /* shift follows scale */
    }
    for (int64_t c = 0; dgamma != NULL && c < channels; c++)
        dgamma[c] = (float)(dgamma[c] + sums.dgamma[c]);
    for (int64_t c = 0; dbeta != NULL && c < channels; c++)
        dbeta[c] = (float)(dbeta[c] + sums.dbeta[c]);
}
