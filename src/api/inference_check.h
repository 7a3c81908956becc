/* SPDX-License-Identifier: MIT */
#ifndef MDLDM_API_INFERENCE_CHECK_H
#define MDLDM_API_INFERENCE_CHECK_H

#include "api/context.h"
#include "models/model.h"

mdldm_status mdldm__check_pointer(mdldm_context *ctx, const char *what, const void *pointer);
mdldm_status mdldm__check_sizes(mdldm_context *ctx, int64_t n, const char *h_name, int64_t h,
                                const char *w_name, int64_t w);
/* Room for [n,c,h,w] in an array of capacity elements. */
mdldm_status mdldm__check_capacity(mdldm_context *ctx, const char *what, size_t capacity, int64_t n, int64_t c,
                                   int64_t h, int64_t w);
/* The model is there and has an autoencoder, with a codebook when asked for. */
mdldm_status mdldm__check_autoencoder(mdldm_context *ctx, const mdldm_model *m, int codebook);

#endif
