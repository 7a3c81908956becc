/* SPDX-License-Identifier: MIT
 * A model in memory: up to two components (autoencoder, UNet) with their configs and parameters, the
 * scheduler's config, class names. Its own environment, so that it outlives its context. */
#ifndef MDLDM_MODELS_MODEL_H
#define MDLDM_MODELS_MODEL_H

#include <jansson.h>

#include "graph/graph.h"
#include "io/safetensors.h"

#define MDLDM__MAX_LEVELS 16
#define MDLDM__MAX_Q8_GROUPS 1000

typedef enum mdldm__component_kind {
    MDLDM__VQ_MODEL = 0,
    MDLDM__AUTOENCODER_KL = 1,
    MDLDM__UNET_2D = 2
} mdldm__component_kind;

/* VQModel and AutoencoderKL, fully resolved from config.json (defaults are diffusers'). */
typedef struct mdldm__autoencoder_config {
    int32_t in_channels, out_channels, levels, layers_per_block, latent_channels, norm_num_groups;
    int32_t block_out_channels[MDLDM__MAX_LEVELS];
    int32_t down_attention[MDLDM__MAX_LEVELS], up_attention[MDLDM__MAX_LEVELS];
    int32_t mid_block_add_attention;
    int32_t num_vq_embeddings, vq_embed_dim; /* VQModel */
    int32_t lookup_from_codebook;
    int32_t use_quant_conv, use_post_quant_conv; /* AutoencoderKL */
    int32_t sample_size;
    float scaling_factor, shift_factor;
} mdldm__autoencoder_config;

typedef struct mdldm__unet_config {
    int32_t sample_h, sample_w; /* 0: not stated */
    int32_t in_channels, out_channels, levels, layers_per_block;
    int32_t block_out_channels[MDLDM__MAX_LEVELS];
    int32_t down_attention[MDLDM__MAX_LEVELS], up_attention[MDLDM__MAX_LEVELS];
    int32_t center_input_sample, flip_sin_to_cos, downsample_padding;
    int32_t fourier;         /* time_embedding_type fourier */
    int32_t time_embedding_dim; /* 0: 4 * block_out_channels[0] */
    int32_t downsample_resnet, upsample_resnet; /* downsample_type, upsample_type "resnet" */
    int32_t down_resnet[MDLDM__MAX_LEVELS], up_resnet[MDLDM__MAX_LEVELS]; /* resolved per block */
    int32_t mid_block;       /* 0: mid_block_type null */
    int32_t scale_shift;     /* resnet_time_scale_shift scale_shift */
    int32_t add_attention, attention_head_dim /* 0: one head */;
    int32_t norm_num_groups, attn_norm_num_groups /* 0: as the block's default */;
    int32_t num_class_embeds, class_embed_timestep;
    float freq_shift, mid_block_scale_factor, dropout, norm_eps;
    int32_t q8_groups; /* quantization_config: groups of timesteps with ranges of their own; 0: floats */
} mdldm__unet_config;

typedef struct mdldm__component {
    mdldm__component_kind kind;
    uint64_t uid;   /* unique in the process: the key of plan caches */
    json_t *config; /* as read, unknown keys kept */
    mdldm__params params;
    mdldm__safetensors *files; /* mapped weights; NULL when all values are owned */
    int32_t file_count;
    mdldm__autoencoder_config ae;
    mdldm__unet_config unet;
} mdldm__component;

struct mdldm_model {
    mdldm__env env;
    int32_t references; /* atomic */
    mdldm__component *autoencoder, *unet;
    json_t *scheduler; /* scheduler_config.json, never NULL once a UNet is there */
    json_t *index;     /* model_index.json as read, or NULL */
    char *autoencoder_folder; /* "vqvae" or "vae" */
    /* What diffusers has no place for, kept in model_index.json under "_mdldm": */
    json_t *extra;     /* {"class_names":[...], "null_class":int|absent, "latent_mean":[..],
                          "latent_std":[..], "resolution":int, "training":{...}, of pictures of one channel
                          "colormap":str, "db_floor":real, "db_ceiling":real} */
    struct mdldm__text *texts; /* strings handed out by queries; they live as long as the model */
};

typedef struct mdldm__text {
    struct mdldm__text *next;
    char text[];
} mdldm__text;

/* ---- Graphs of the components (inputs and outputs found by these names) ----
 * encode: "pixels" [n,H,W,in] F32 -> "latent" [n,h,w,latent] F32 for VQModel (after quant_conv,
 *         unscaled), "moments" [n,h,w,2*latent] F32 for AutoencoderKL.
 * quantize: "latent" [n,h,w,d] F32 -> "quantized" [n,h,w,d] F32, "codes" I32.
 * decode: "latent" [n,h,w,latent] F32 (unscaled), quantized inside when quantize is 1 -> "pixels" F32.
 * unet: "sample" [n,h,w,c] F32, "time_proj" [n,1,1,time dim] F32 (mdldm__unet_time_proj), "label" I32
 *       [n,1,1,1] when num_class_embeds, or "class_proj" F32 when class_embed_type is timestep,
 *       "timestep" F32 [n,1,1,1] when fourier (1/t), "group" I32 [n,1,1,1] when its layers are in eight
 *       bits (mdldm__unet_q8_group) -> "output" [n,h,w,out] F32.
 * They return the output's id and leave errors in g->status. */
mdldm__tensor mdldm__autoencoder_encode(mdldm__graph *g, const mdldm__component *c, mdldm__tensor pixels);
mdldm__tensor mdldm__autoencoder_decode(mdldm__graph *g, const mdldm__component *c, mdldm__tensor latent);
mdldm__tensor mdldm__unet_describe(mdldm__graph *g, const mdldm__component *c, int64_t n, int64_t h,
                                   int64_t w);
/* Channels of a latent on the public boundary: vq_embed_dim of a VQModel, else latent_channels. */
int32_t mdldm__autoencoder_latent_channels(const mdldm__component *c);
/* The parameter quantize.embedding.weight [num_vq_embeddings, vq_embed_dim] of a VQModel. */
mdldm__tensor mdldm__autoencoder_codebook(mdldm__graph *g, const mdldm__component *c);
void mdldm__autoencoder_encode_graph(mdldm__graph *g, const mdldm__component *c, int64_t n, int64_t h,
                                     int64_t w);
void mdldm__autoencoder_quantize_graph(mdldm__graph *g, const mdldm__component *c, int64_t n, int64_t h,
                                       int64_t w);
void mdldm__autoencoder_decode_graph(mdldm__graph *g, const mdldm__component *c, int64_t n, int64_t h,
                                     int64_t w, int32_t quantize);
/* Width of the time projection, and the projection itself on the host in double:
 * out[n*width]. Fourier reads the component's time_proj.weight. */
int32_t mdldm__unet_time_width(const mdldm__component *c);
mdldm_status mdldm__unet_time_proj(mdldm__env *env, const mdldm__component *c, const double *timesteps,
                                   int64_t n, float *out);

/* Group of a timestep 0..train_timesteps-1, which may be fractional or outside. */
int32_t mdldm__unet_q8_group(int32_t groups, double timestep, int64_t train_timesteps);

/* ---- Configs and components (models/autoencoder_config.c, unet_config.c, component.c) ---- */
/* Resolves config.json of the class; every key is honoured or refused by name. where: for messages. */
mdldm_status mdldm__autoencoder_config_parse(mdldm__env *env, const char *where, const json_t *config,
                                             mdldm__component_kind kind, mdldm__autoencoder_config *out);
mdldm_status mdldm__unet_config_parse(mdldm__env *env, const char *where, const json_t *config,
                                      mdldm__unet_config *out);
/* Makes a component from a config (reference stolen): parameters declared, not yet valued. */
mdldm_status mdldm__component_create(mdldm__env *env, const char *where, json_t *config,
                                     mdldm__component **out);
mdldm_status mdldm__component_load(mdldm__env *env, const char *folder, mdldm__component **out);
mdldm_status mdldm__component_save(mdldm__env *env, const mdldm__component *c, const char *folder);
void mdldm__component_free(mdldm__env *env, mdldm__component *c);
/* Parameters first..first+count-1 will not be read soon: pages of the mapped file go from memory, and come
 * back by themselves when they are read after all. */
void mdldm__component_forget(const mdldm__component *c, int32_t first, int32_t count);
const char *mdldm__component_class(const mdldm__component *c);
int64_t mdldm__component_parameters(const mdldm__component *c); /* 0 for NULL */
/* Sets an autoencoder's scale, in use and in the config that is saved. */
mdldm_status mdldm__component_set_scaling_factor(mdldm__env *env, mdldm__component *c, double factor);
/* Configs of the presets ldm-256, small, tiny (new references): models/presets.c. NULL kind parts are
 * not wanted. num_embeds: rows of the class embedding incl. the unconditional one, 0 for none. */
mdldm_status mdldm__preset_configs(mdldm__env *env, const char *preset, int32_t resolution,
                                   int32_t num_embeds, json_t **autoencoder, json_t **unet);

/* ---- The model itself (models/model_object.c, model_load.c, model_save.c). While a model is made, its
 * environment borrows from's callbacks; release_callbacks ends that and copies the error text back. */
mdldm_status mdldm__model_new(mdldm__env *from, mdldm_model **out);
void mdldm__model_release_callbacks(mdldm_model *m, mdldm__env *from);
void mdldm__model_destroy(mdldm_model *m); /* whatever its references */
mdldm_status mdldm__model_read(mdldm__env *env, const char *dir, mdldm_model **out);
mdldm_status mdldm__model_write(mdldm__env *env, const mdldm_model *m, const char *dir);
/* Whether autoencoder, UNet, class names and unconditional row fit together. where: for messages. */
mdldm_status mdldm__model_check(mdldm__env *env, const char *where, const mdldm_model *m);
/* The component folder of dir that holds its autoencoder or UNet (new string), dir itself for a lone
 * component; *extra: a new reference to the "_mdldm" object of its model_index.json, or NULL. */
mdldm_status mdldm__model_find_component(mdldm__env *env, const char *dir, int unet, char **folder,
                                         json_t **extra);

/* Factor between pixels and latents, 2^(levels-1). */
int32_t mdldm__autoencoder_factor(const mdldm__autoencoder_config *config);
/* Persons, not counting the unconditional row; and that row's index or -1. */
int64_t mdldm__model_class_count(const mdldm_model *m);
int64_t mdldm__model_null_class(const mdldm_model *m);
int64_t mdldm__model_train_timesteps(const mdldm_model *m);

#endif
