/* SPDX-License-Identifier: MIT
 * AdamW (Loshchilov and Hutter 2019) in the order of operations of torch.optim.AdamW: decoupled
 * decay, first moment, second moment, bias-corrected step. Element for element independent, so that
 * threads cannot change the result. */
#include <math.h>

#include "store_host.h"

typedef struct adamw_job {
    mdldm__store_host *store;
    mdldm__adamw_constants c;
} adamw_job;

void mdldm__adamw_update(const mdldm__adamw_constants *c, int64_t count, float *restrict p, float *restrict g,
                         float *restrict mean, float *restrict square, float *restrict ema)
{
    for (int64_t i = 0; i < count; i++) {
        float grad = g[i] * c->grad_scale * c->clip;
        float first = mean[i] + c->w1 * (grad - mean[i]);
        float second = square[i] * c->beta2 + c->w2 * grad * grad;
        float denominator = sqrtf(second) / c->correction + c->eps;
        p[i] = p[i] * c->keep - c->step_size * first / denominator;
        mean[i] = first;
        square[i] = second;
        g[i] = 0.0f;
    }
    if (ema != NULL)
        for (int64_t i = 0; i < count; i++)
            ema[i] = c->ema_decay * ema[i] + c->ema_rest * p[i];
}

double mdldm__adamw_sum_squares(const float *g, int64_t count)
{
    /* Eight sums, so that the loop is not one chain of additions; their order is fixed. */
    double sums[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (int lane = 0; lane < 8; lane++)
            sums[lane] += (double)g[i + lane] * (double)g[i + lane];
    for (; i < count; i++)
        sums[0] += (double)g[i] * (double)g[i];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/* The parameter that chunk belongs to: the last one whose first_chunk is not beyond it. */
static int32_t chunk_owner(const mdldm__store_host *store, int64_t chunk)
{
    int32_t low = 0, high = store->count - 1;
    while (low < high) {
        int32_t middle = low + (high - low + 1) / 2;
        if (store->params[middle].first_chunk <= chunk)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static void chunk_range(const mdldm__store_host *store, int64_t chunk, int32_t *index, int64_t *start,
                        int64_t *count)
{
    *index = chunk_owner(store, chunk);
    const mdldm__host_param *p = &store->params[*index];
    *start = (chunk - p->first_chunk) * MDLDM__STORE_CHUNK;
    *count = p->count - *start < MDLDM__STORE_CHUNK ? p->count - *start : MDLDM__STORE_CHUNK;
}

static void sum_chunk(void *arg, int64_t chunk)
{
    adamw_job *job = arg;
    int32_t index;
    int64_t start, count;
    chunk_range(job->store, chunk, &index, &start, &count);
    job->store->chunk_sums[chunk] = job->store->sum_squares(job->store->params[index].grad + start, count);
}

static void update_chunk(void *arg, int64_t chunk)
{
    adamw_job *job = arg;
    int32_t index;
    int64_t start, count;
    chunk_range(job->store, chunk, &index, &start, &count);
    mdldm__host_param *p = &job->store->params[index];
    float *ema = p->ema != NULL && job->c.ema_decay >= 0 ? p->ema + start : NULL;
    job->store->adamw(&job->c, count, p->owned_value + start, p->grad + start, p->exp_avg + start,
                      p->exp_avg_sq + start, ema);
}

static void for_chunks(adamw_job *job, mdldm__parallel_fn parallel, void *parallel_user,
                       void (*body)(void *arg, int64_t i))
{
    if (parallel != NULL)
        parallel(parallel_user, job->store->chunk_count, body, job);
    else
        for (int64_t i = 0; i < job->store->chunk_count; i++)
            body(job, i);
}

mdldm_status mdldm__adamw_check(const mdldm__store_host *store, mdldm_adamw *args)
{
    args->bad_param = -1;
    args->grad_norm = 0;
    if (!(store->flags & MDLDM_STORE_TRAIN))
        return mdldm__host_error(store->host, MDLDM_ERROR_INVALID_ARGUMENT,
                                 "store: it was not opened for training");
    if (args->step < 1)
        return mdldm__host_error(store->host, MDLDM_ERROR_INVALID_ARGUMENT,
                                 "store: the step of AdamW is %lld, it counts from 1",
                                 (long long)args->step);
    return MDLDM_OK;
}

mdldm__adamw_constants mdldm__adamw_constants_of(const mdldm_adamw *args)
{
    const double lr = args->lr, step = (double)args->step;
    return (mdldm__adamw_constants){
        .grad_scale = args->grad_scale,
        .clip = 1,
        .keep = (float)(1.0 - lr * (double)args->weight_decay),
        .beta2 = args->beta2,
        .w1 = (float)(1.0 - (double)args->beta1),
        .w2 = (float)(1.0 - (double)args->beta2),
        .step_size = (float)(lr / (1.0 - pow(args->beta1, step))),
        .correction = (float)sqrt(1.0 - pow(args->beta2, step)),
        .eps = args->eps,
        .ema_decay = args->ema_decay,
        .ema_rest = (float)(1.0 - (double)args->ema_decay),
    };
}

mdldm_status mdldm__adamw_bad(const mdldm__store_host *store, mdldm_adamw *args, int32_t index)
{
    args->bad_param = index;
    return mdldm__host_error(store->host, MDLDM_ERROR_NUMERIC, "the gradient of '%s' is not finite",
                             store->desc[index].name);
}

mdldm_status mdldm__store_host_adamw(mdldm__store_host *store, mdldm_adamw *args,
                                     mdldm__parallel_fn parallel, void *parallel_user)
{
    mdldm_status status = mdldm__adamw_check(store, args);
    if (status != MDLDM_OK)
        return status;
    adamw_job job = {.store = store, .c = mdldm__adamw_constants_of(args)};
    for_chunks(&job, parallel, parallel_user, sum_chunk);
    double sum = 0;
    for (int64_t i = 0; i < store->chunk_count; i++) {
        /* Squares of floats cannot overflow a double: a bad sum means a bad gradient. */
        if (!isfinite(store->chunk_sums[i]))
            return mdldm__adamw_bad(store, args, chunk_owner(store, i));
        sum += store->chunk_sums[i];
    }
    args->grad_norm = sqrt(sum) * (double)args->grad_scale;
    if (args->max_grad_norm > 0)
        job.c.clip = (float)fmin(1.0, (double)args->max_grad_norm / (args->grad_norm + 1e-6));
    for_chunks(&job, parallel, parallel_user, update_chunk);
    for (int32_t i = 0; i < store->count; i++)
        if (store->params[i].grad != NULL)
            store->params[i].version++;
    return MDLDM_OK;
}
