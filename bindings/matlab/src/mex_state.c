/* SPDX-License-Identifier: MIT
 * What lasts from call to call: the context, the table of handles, and what a call must not leave behind.
 *
 * A handle is slot + 2^20 * serial. Serials start at the time of loading in microseconds, so a handle from
 * before a "clear mex" is known to be gone and never taken for a new object. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mdldm_mex.h"

#define SLOTS ((uint64_t)1 << 20)
#define KEPT 8

static struct {
    mdldm_context *ctx;
    struct slot {
        void *object;
        mex_kind kind;
        int doomed;
        uint64_t serial;
    } *slots;
    uint64_t count, serial;
    struct {
        void *object;
        mex_release release;
    } kept[KEPT];
    int kept_count;
} state;

static const char *const kind_names[] = { "", "model", "sampler", "data set", "trainer" };

mdldm_context *mex_context(void)
{
    if (state.ctx == NULL && mdldm_context_create(&state.ctx) != MDLDM_OK) {
        state.ctx = NULL;
    }
    return state.ctx;
}

static void release(struct slot *s)
{
    void *object = s->object;

    s->object = NULL;
    switch (s->kind) {
    case MEX_MODEL: mdldm_model_free(object); break;
    case MEX_SAMPLER: mdldm_sampler_free(object); break;
    case MEX_DATASET: mdldm_dataset_free(object); break;
    case MEX_TRAINER: mdldm_trainer_free(object); break;
    }
}

void mex_release_all(void)
{
    mex_drop_kept();
    for (uint64_t i = state.count; i-- > 0;) {
        release(&state.slots[i]);
    }
    free(state.slots);
    mdldm_context_free(state.ctx);
    memset(&state, 0, sizeof state);
}

/* A free slot, from a table that grows. */
static struct slot *find_slot(void)
{
    for (uint64_t i = 0; i < state.count; i++) {
        if (state.slots[i].object == NULL) {
            return &state.slots[i];
        }
    }
    uint64_t used = state.count, wanted = used > 0 ? 2 * used : 16;
    struct slot *larger = wanted <= SLOTS ? realloc(state.slots, wanted * sizeof *larger) : NULL;
    if (larger == NULL) {
        return NULL;
    }
    memset(larger + used, 0, (wanted - used) * sizeof *larger);
    state.slots = larger;
    state.count = wanted;
    return &larger[used];
}

mdldm_status mex_handle_new(mex_call *c, mex_kind kind, void *object, mxArray **out)
{
    struct slot fresh = { .object = object, .kind = kind };
    struct slot *s = find_slot();
    uint64_t handle;

    if (s == NULL) {
        release(&fresh);
        return mex_fail(c, MDLDM_ERROR_OUT_OF_MEMORY, "no room for another %s: free what is not needed",
                        kind_names[kind]);
    }
    if (state.serial == 0) {
        struct timespec now = { 0 };

        timespec_get(&now, TIME_UTC);
        state.serial = ((uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000) % ((uint64_t)1 << 42);
    }
    *s = fresh;
    s->serial = ++state.serial;
    handle = (uint64_t)(s - state.slots) + SLOTS * s->serial;
    *out = mxCreateNumericMatrix(1, 1, mxUINT64_CLASS, mxREAL);
    memcpy(mxGetData(*out), &handle, sizeof handle);
    c->made = 1;
    return MDLDM_OK;
}

static struct slot *slot_of(const mxArray *a)
{
    uint64_t handle;

    if (!mxIsUint64(a) || mxGetNumberOfElements(a) != 1) {
        return NULL;
    }
    memcpy(&handle, mxGetData(a), sizeof handle);
    if (handle % SLOTS >= state.count) {
        return NULL;
    }
    struct slot *s = &state.slots[handle % SLOTS];
    return s->object != NULL && s->serial == handle / SLOTS ? s : NULL;
}

void *mex_handle_get(mex_call *c, int index, mex_kind kind)
{
    struct slot *s = slot_of(c->prhs[index]);

    if (s == NULL || s->kind != kind) {
        mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, s == NULL ? "the %s is gone: it was freed, or \"clear mex\" released "
                                                              "it; make or load it anew"
                                                            : "a %s is expected here", kind_names[kind]);
        return NULL;
    }
    return s->object;
}

void mex_handle_free(const mxArray *handle)
{
    struct slot *s = slot_of(handle);

    if (s != NULL) {
        release(s);
    }
}

void mex_handle_doom(const mxArray *handle)
{
    struct slot *s = slot_of(handle);

    if (s != NULL) {
        s->doomed = 1;
    }
}

void mex_bury_doomed(void)
{
    for (uint64_t i = 0; i < state.count; i++) {
        if (state.slots[i].object != NULL && state.slots[i].doomed) {
            release(&state.slots[i]);
        }
    }
}

int32_t mex_handle_count(void)
{
    int32_t live = 0;

    for (uint64_t i = 0; i < state.count; i++) {
        live += state.slots[i].object != NULL;
    }
    return live;
}

mdldm_status mex_keep(mex_call *c, void *object, mex_release release_it)
{
    if (state.kept_count == KEPT) {
        release_it(object);
        return mex_fail(c, MDLDM_ERROR_INTERNAL, "%s keeps more than %d objects", c->command, KEPT);
    }
    state.kept[state.kept_count].object = object;
    state.kept[state.kept_count++].release = release_it;
    return MDLDM_OK;
}

void mex_drop_kept(void)
{
    while (state.kept_count > 0) {
        state.kept_count--;
        state.kept[state.kept_count].release(state.kept[state.kept_count].object);
    }
}
