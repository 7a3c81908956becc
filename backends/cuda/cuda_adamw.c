/* SPDX-License-Identifier: MIT
 * A step of the optimiser: three kernels, one read at the end. */
#include "cuda_args_adamw.h"
#include "cuda_store.h"

/* store->step: the result, then sums[chunk_count], then chunks[chunk_count]. */
static struct mdldm__cuda_adamw_result *result_of(const mdldm_store *store)
{
    return store->step;
}

static double *sums_of(const mdldm_store *store)
{
    return (double *)(void *)((char *)store->step + MDLDM__CUDA_ALIGN);
}

static struct mdldm__cuda_chunk *chunks_of(const mdldm_store *store)
{
    return (struct mdldm__cuda_chunk *)(void *)(sums_of(store) + (store->base.chunk_count + 1) / 2 * 2);
}

mdldm_status mdldm__cuda_adamw_open(mdldm_store *store)
{
    mdldm_device *device = store->device;
    const int64_t count = store->base.chunk_count;
    struct mdldm__cuda_chunk *chunks = mdldm__host_zalloc(device->host, (size_t)count, sizeof *chunks);
    if (chunks == NULL)
        return mdldm__host_oom(device->host, "parameter store");
    int64_t filled = 0;
    for (int32_t i = 0; i < store->base.count; i++) {
        if (!store->base.desc[i].trainable)
            continue;
        const int64_t elements = store->base.params[i].count;
        for (int64_t start = 0; start < elements; start += MDLDM__STORE_CHUNK)
            chunks[filled++] = (struct mdldm__cuda_chunk){
                .start = store->offsets[i] / (int64_t)sizeof(float) + start,
                .count = (int32_t)(elements - start < MDLDM__STORE_CHUNK ? elements - start : MDLDM__STORE_CHUNK),
                .param = i};
    }
    const size_t bytes = MDLDM__CUDA_ALIGN + (size_t)(count + 1) * sizeof(double) + (size_t)count * sizeof *chunks;
    mdldm_status status = mdldm__cuda_malloc(device, bytes, "the optimiser's sums", &store->step);
    if (status == MDLDM_OK && count > 0) /* copied as words */
        status = mdldm__cuda_upload(device, chunks_of(store), chunks, MDLDM_I32,
                                    count * (int64_t)(sizeof *chunks / sizeof(int32_t)));
    mdldm__host_free(device->host, chunks);
    return status;
}

static mdldm_status launch(mdldm_store *store, const char *name, int64_t blocks, void *args)
{
    const uint32_t grid[3] = {(uint32_t)blocks, 1, 1};
    mdldm__cuda_handle kernel = NULL;
    mdldm_status status = blocks > 0 ? mdldm__cuda_kernel(store->device, name, 0, &kernel) : MDLDM_OK;
    return status == MDLDM_OK && blocks > 0 ? mdldm__cuda_start(store->device, kernel, name, grid, 256, 0, args) : status;
}

static mdldm_status step(mdldm_store *store, const mdldm_adamw *args, struct mdldm__cuda_adamw_result *result)
{
    const int64_t chunks = store->base.chunk_count;
    const mdldm__adamw_constants c = mdldm__adamw_constants_of(args);
    struct mdldm__cuda_args_adamw_sums sums = {.grad = (const float *)(const void *)store->slots[MDLDM_SLOT_GRAD],
                                               .chunks = chunks_of(store),
                                               .sums = sums_of(store)};
    struct mdldm__cuda_args_adamw_clip clip = {.sums = sums.sums,
                                               .chunks = sums.chunks,
                                               .result = result_of(store),
                                               .chunk_count = chunks,
                                               .grad_scale = c.grad_scale,
                                               .max_norm = args->max_grad_norm};
    struct mdldm__cuda_args_adamw_step update = {
        .value = (float *)(void *)store->slots[MDLDM_SLOT_VALUE],
        .grad = (float *)(void *)store->slots[MDLDM_SLOT_GRAD],
        .mean = (float *)(void *)store->slots[MDLDM_SLOT_EXP_AVG],
        .square = (float *)(void *)store->slots[MDLDM_SLOT_EXP_AVG_SQ],
        .ema = args->ema_decay >= 0 ? (float *)(void *)store->slots[MDLDM_SLOT_EMA] : NULL,
        .chunks = sums.chunks,
        .result = clip.result,
        .grad_scale = c.grad_scale,
        .keep = c.keep,
        .beta2 = c.beta2,
        .w1 = c.w1,
        .w2 = c.w2,
        .step_size = c.step_size,
        .correction = c.correction,
        .eps = c.eps,
        .ema_decay = c.ema_decay,
        .ema_rest = c.ema_rest};
    mdldm_status status = launch(store, "mdldm_adamw_sums", chunks, &sums);
    if (status == MDLDM_OK)
        status = launch(store, "mdldm_adamw_clip", 1, &clip);
    if (status == MDLDM_OK)
        status = launch(store, "mdldm_adamw_step", chunks, &update);
    return status == MDLDM_OK ? mdldm__cuda_download(store->device, result, result_of(store), sizeof *result) : status;
}

mdldm_status mdldm__cuda_store_adamw(mdldm_store *store, mdldm_adamw *args)
{
    struct mdldm__cuda_adamw_result result = {.bad = -1};
    mdldm__cuda_guard guard;
    mdldm_status status = mdldm__adamw_check(&store->base, args);
    if (status == MDLDM_OK)
        status = mdldm__cuda_enter(store->device, &guard);
    if (status != MDLDM_OK)
        return status;
    status = step(store, args, &result);
    mdldm__cuda_leave(&guard);
    /* The step may have been made though its result could not be read: copies are stale in any case. */
    for (int32_t i = 0; i < store->base.count; i++)
        if (store->base.desc[i].trainable && result.bad < 0)
            store->base.params[i].version++;
    if (status != MDLDM_OK)
        return status;
    if (result.bad >= 0)
        return mdldm__adamw_bad(&store->base, args, result.bad);
    args->grad_norm = result.norm;
    return MDLDM_OK;
}
