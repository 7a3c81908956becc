/* SPDX-License-Identifier: MIT
 * Layers and blocks of diffusers on the graph builder. Each pushes its own name, so that parameters
 * carry diffusers' names; activations are NHWC. Initial values are torch's defaults. A convolution or
 * linear layer on what mdldm__graph_quantize made U8 is one in eight bits: the blocks quantise before their
 * large layers, and it does nothing in graphs that have none. */
#ifndef MDLDM_NN_LAYERS_H
#define MDLDM_NN_LAYERS_H

#include "graph/graph.h"

/* Conv2d with bias, square kernel: weight [out, c0+c1, k, k]. x1 may be MDLDM__NONE; the channels of
 * both are read side by side, without a concatenated copy. */
mdldm__tensor mdldm__nn_conv(mdldm__graph *g, const char *name, mdldm__tensor x0, mdldm__tensor x1,
                             int64_t out_channels, int32_t kernel);
/* Linear with bias on the channels of [n,h,w,c]: weight [out, c]. */
mdldm__tensor mdldm__nn_linear(mdldm__graph *g, const char *name, mdldm__tensor x, int64_t out_features);
/* GroupNorm over x0's and x1's joined channels, optionally modulated (scale_shift [n,1,1,2c]) and
 * followed by SiLU. */
mdldm__tensor mdldm__nn_group_norm(mdldm__graph *g, const char *name, mdldm__tensor x0, mdldm__tensor x1,
                                   mdldm__tensor scale_shift, int32_t groups, float eps, int32_t silu);

/* Downsample2D(use_conv=True): 3x3, stride 2; padding 0 pads one row below and one column right. */
mdldm__tensor mdldm__nn_downsample(mdldm__graph *g, const char *name, mdldm__tensor x, int32_t padding);
/* Upsample2D(use_conv=True): nearest neighbour times two, then 3x3. */
mdldm__tensor mdldm__nn_upsample(mdldm__graph *g, const char *name, mdldm__tensor x);

typedef enum mdldm__resample {
    MDLDM__RESAMPLE_NONE = 0,
    MDLDM__RESAMPLE_UP = 1,
    MDLDM__RESAMPLE_DOWN = 2
} mdldm__resample;

/* What all resnets of a model share. */
typedef struct mdldm__resnet_spec {
    int32_t groups;
    float eps;
    int32_t scale_shift; /* resnet_time_scale_shift: 0 default, 1 scale_shift */
    float output_scale_factor;
    float dropout;
} mdldm__resnet_spec;

/* ResnetBlock2D. temb: SiLU of the time embedding [n,1,1,d], or MDLDM__NONE. With resampling the
 * output has twice or half the height and width and x1 must be MDLDM__NONE. */
mdldm__tensor mdldm__nn_resnet(mdldm__graph *g, const char *name, mdldm__tensor x0, mdldm__tensor x1,
                               mdldm__tensor temb, int64_t out_channels, const mdldm__resnet_spec *spec,
                               mdldm__resample resample);

typedef struct mdldm__attention_spec {
    int32_t head_dim; /* 0: one head over all channels */
    int32_t groups;   /* of group_norm; 0: there is none */
    float eps;
    float rescale_output_factor;
} mdldm__attention_spec;

/* Attention over the h*w tokens with residual connection, as the blocks here use it. */
mdldm__tensor mdldm__nn_attention(mdldm__graph *g, const char *name, mdldm__tensor x,
                                  const mdldm__attention_spec *spec);

/* TimestepEmbedding: linear_1, SiLU, linear_2. x: [n,1,1,c]. */
mdldm__tensor mdldm__nn_timestep_embedding(mdldm__graph *g, const char *name, mdldm__tensor x, int64_t dim);

/* UNetMidBlock2D with one attention (attention NULL: none) between two resnets. */
mdldm__tensor mdldm__nn_mid_block(mdldm__graph *g, const char *name, mdldm__tensor x, mdldm__tensor temb,
                                  const mdldm__resnet_spec *resnet, const mdldm__attention_spec *attention);

#endif
