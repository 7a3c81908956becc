/* SPDX-License-Identifier: MIT
 * Running a component's graphs on a context's device. Per context and component there is one store of
 * parameters and a few compiled plans, made on demand and dropped when context or component go, when the
 * device changes or when the weights do; the order of these does not matter. */
#ifndef MDLDM_API_RUNTIME_H
#define MDLDM_API_RUNTIME_H

#include "api/context.h"
#include "models/model.h"

typedef enum mdldm__graph_kind {
    MDLDM__GRAPH_ENCODE = 0,
    MDLDM__GRAPH_QUANTIZE = 1,
    MDLDM__GRAPH_DECODE = 2,          /* latents as they are */
    MDLDM__GRAPH_DECODE_QUANTIZED = 3, /* quantised first where there is a codebook */
    MDLDM__GRAPH_UNET = 4
} mdldm__graph_kind;

/* An input or output of a graph by its name (models/model.h). data NULL: not wanted. */
typedef struct mdldm__named_binding {
    const char *name;
    int32_t dtype, layout;
    void *data;
} mdldm__named_binding;

/* Runs one graph at [n,h,w] (pixels for encode, latent cells otherwise). */
mdldm_status mdldm__runtime_run(mdldm_context *ctx, const mdldm__component *c, mdldm__graph_kind kind,
                                int64_t n, int64_t h, int64_t w, const mdldm__named_binding *bindings,
                                int32_t count);
/* What a plan costs; compiles it when needed. */
mdldm_status mdldm__runtime_cost(mdldm_context *ctx, const mdldm__component *c, mdldm__graph_kind kind,
                                 int64_t n, int64_t h, int64_t w, mdldm_plan_info *info);

/* Closes everything ctx holds; its device is still open. */
void mdldm__runtime_drop_context(mdldm_context *ctx);
/* Closes everything any context holds for c: its weights changed or it goes. NULL is fine. Waits for a
 * context that is just running something on another thread. */
void mdldm__runtime_drop_component(const mdldm__component *c);

/* Brackets around other uses of ctx's device (training), so that drop_component from another thread
 * waits for them. They do not nest and no callback of the application may run inside. */
void mdldm__runtime_enter(mdldm_context *ctx);
void mdldm__runtime_leave(mdldm_context *ctx);

#endif
