/* SPDX-License-Identifier: MIT
 * plan_run allocates nothing, in the first run (which packs the weights) or later: every operation
 * forward and backward, and whole models, on every backend. The program counts what the whole process takes from the C
 * library's heap, by standing in for malloc and its kin, and looks who asked: nothing of ours may. OpenMP
 * makes its threads in the first run, and oneDNN keeps the arguments of each call in small objects; that
 * these stay small shows that no scratch memory of theirs is among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/backend_list.h"
#include "../support/op_session.h"
#include "../support/temp_dir.h"
#include "../support/train_setup.h"
#include "api/context.h"

enum { MOST_CALLS = 1 << 16 };
static int counting;
static int64_t call_count;
static struct {
    void *caller;
    size_t size;
} calls[MOST_CALLS];

/* The sanitizers want to stand there themselves. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)
#define HEAP_IS_COUNTED 1
#define FOR_ALL __attribute__((visibility("default"))) /* else only this program would call these */
#define NOTE(size) note(__builtin_return_address(0), size)
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t number, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *pointer);

static void note(void *caller, size_t size)
{
    if (!__atomic_load_n(&counting, __ATOMIC_RELAXED))
        return;
    int64_t i = __atomic_fetch_add(&call_count, 1, __ATOMIC_RELAXED);
    if (i < MOST_CALLS) {
        calls[i].caller = caller;
        calls[i].size = size;
    }
}

FOR_ALL void *malloc(size_t size)
{
    NOTE(size);
    return __libc_malloc(size);
}

FOR_ALL void *calloc(size_t number, size_t size)
{
    NOTE(number * size);
    return __libc_calloc(number, size);
}

FOR_ALL void *realloc(void *pointer, size_t size)
{
    NOTE(size);
    return __libc_realloc(pointer, size);
}

FOR_ALL void *aligned_alloc(size_t alignment, size_t size)
{
    NOTE(size);
    return __libc_memalign(alignment, size);
}

FOR_ALL int posix_memalign(void **pointer, size_t alignment, size_t size)
{
    NOTE(size);
    *pointer = __libc_memalign(alignment, size);
    return *pointer != NULL ? 0 : ENOMEM;
}
/* So that under valgrind all of the heap is of one kind. */
FOR_ALL void free(void *pointer)
{
    __libc_free(pointer);
}
#else
#define HEAP_IS_COUNTED 0
#endif

/* What was asked for since the calls were cleared, by our own code (this program, which holds the core and
 * the reference backend, and plug-ins) and by libraries. */
typedef struct heap_use {
    int64_t ours, theirs;
    size_t their_largest;
} heap_use;

static heap_use sum_calls(void)
{
    heap_use use = {0, 0, 0};
    assert_true(call_count <= MOST_CALLS);
    for (int64_t i = 0; i < call_count; i++) {
        Dl_info info;
        int known = dladdr(calls[i].caller, &info) != 0 && info.dli_fname != NULL;
        const char *file = known ? strrchr(info.dli_fname, '/') : NULL; /* folders may be called anything */
        file = file != NULL ? file : known ? info.dli_fname : "";
        if (!known || strstr(file, "mdldm") != NULL || strstr(file, "test_") != NULL) {
            use.ours++;
        } else {
            use.theirs++;
            use.their_largest = calls[i].size > use.their_largest ? calls[i].size : use.their_largest;
        }
    }
    call_count = 0;
    return use;
}

static void heap_is_counted(void **state)
{
    (void)state;
    const char *preload = getenv("LD_PRELOAD");
    if (!HEAP_IS_COUNTED || (preload != NULL && strstr(preload, "vgpreload") != NULL))
        skip(); /* a sanitizer or valgrind stands there */
    counting = 1;
    void *volatile block = malloc(10);
    free(block);
    char *volatile copy = strdup("allocated inside the C library");
    free(copy);
    counting = 0;
    heap_use use = sum_calls();
    assert_int_equal(use.ours, 1);
    assert_int_equal(use.theirs, 1);
    assert_int_equal(use.their_largest, sizeof "allocated inside the C library");
}

/* What cuda calls here is the test runtime, which allocates as it likes; the first run makes a CUDA graph. */
static int is_library(const mdldm_backend *backend)
{
    return strcmp(backend->name, "cuda") != 0;
}

static void check_case(const mdldm_backend *backend, int index)
{
    op_session s;
    op_session_expect_ok(&s, op_session_open(&s, backend, index, 2, MDLDM_STORE_TRAIN, 0, NULL));
    for (int run = 1; run <= 2; run++) {
        int64_t by_hook = s.host.memory->allocations;
        counting = 1;
        mdldm_status status = backend->plan_run(s.plan, s.bindings, s.binding_count, 0);
        counting = 0;
        op_session_expect_ok(&s, status);
        by_hook = s.host.memory->allocations - by_hook;
        heap_use use = sum_calls();
        if (by_hook != 0 || use.ours != 0)
            fail_msg("%s, run %d: %lld allocations through the hook, %lld from the heap", s.c.name, run,
                     (long long)by_hook, (long long)use.ours);
        /* Observed: up to 152 bytes at once, 1040 where OpenMP makes its threads. For paddings of 3 and
         * more oneDNN has but its convolution by GEMM, which takes 74 KB itself. */
        if (use.their_largest > 4096 && is_library(backend) && strstr(s.c.name, "padding of all sizes") == NULL)
            fail_msg("%s, run %d: a library took %zu bytes at once", s.c.name, run, use.their_largest);
    }
    op_session_close(&s);
}

static void plan_run_allocates_nothing(void **state)
{
    for (int i = 0; i < op_case_count(); i += backend_case_step(*state))
        check_case(*state, i);
}

/* ---- Whole models: encode, predict, decode and steps of both stages ---- */

static const mdldm_backend *real;
static int64_t runs;

static mdldm_status counted_run(mdldm_plan *plan, const mdldm_binding *bindings, int32_t count, int32_t flags)
{
    counting = 1;
    mdldm_status status = real->plan_run(plan, bindings, count, flags);
    counting = 0;
    runs++;
    heap_use use = sum_calls();
    if (use.ours != 0 || (use.their_largest > 4096 && is_library(real)))
        fail_msg("%s, run %lld: %lld allocations of ours, %zu bytes at once by a library", real->name,
                 (long long)runs, (long long)use.ours, use.their_largest);
    return status;
}

static void must(mdldm_context *ctx, mdldm_status status)
{
    if (status != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(ctx));
}

static void train_two_steps(mdldm_context *ctx, mdldm_stage stage, mdldm_model *m, mdldm_dataset *data,
                            const char *precision)
{
    const char *const pairs[] = {"mixed_precision", precision, NULL};
    mdldm_options *options = train_options(ctx, pairs);
    mdldm_trainer *t = NULL;
    must(ctx, mdldm_trainer_create(ctx, stage, m, data, options, &t));
    for (int i = 0; i < 2; i++)
        must(ctx, mdldm_trainer_step(ctx, t));
    mdldm_trainer_free(t);
    mdldm_options_free(options);
}

static void infer(mdldm_context *ctx, const mdldm_model *autoencoder, const mdldm_model *unet)
{
    enum { SIDE = TRAIN_RESOLUTION, CELL = SIDE / 2, PIXELS = 3 * SIDE * SIDE, LATENT = 3 * CELL * CELL };
    float pixels[PIXELS], latent[LATENT], output[LATENT];
    const int64_t timestep = 500, label = 1;
    for (int i = 0; i < PIXELS; i++)
        pixels[i] = (float)(i % 17) / 8.0f - 1.0f;
    for (int round = 0; round < 2; round++) {
        must(ctx, mdldm_encode(ctx, autoencoder, pixels, 1, SIDE, SIDE, latent, LATENT));
        must(ctx, mdldm_predict(ctx, unet, latent, 1, CELL, CELL, &timestep, &label, output, LATENT));
        must(ctx, mdldm_decode(ctx, autoencoder, output, 1, CELL, CELL, pixels, PIXELS));
    }
}

static void models_allocate_nothing_when_they_run(void **state)
{
    real = *state;
    runs = 0;
    mdldm_context *ctx = train_context(real->name);
    mdldm_backend counted = *real;
    counted.plan_run = counted_run;
    ctx->backend = &counted;
    char *folder = temp_dir_make(), images[600], saved[600];
    snprintf(images, sizeof images, "%s/images", folder);
    snprintf(saved, sizeof saved, "%s/saved", folder);
    train_make_images(ctx, images, 8);
    mdldm_dataset *data = train_dataset(ctx, images);
    mdldm_model *autoencoder = train_autoencoder(ctx, folder, 3);
    must(ctx, mdldm_model_save(ctx, autoencoder, saved));
    mdldm_model *unet = train_unet(ctx, folder, saved, 4);
    static const char *const precisions[] = {"no", "bf16"};
    for (int p = 0; p < 2; p++) {
        must(ctx, mdldm_context_set_precision(ctx, precisions[p]));
        infer(ctx, autoencoder, unet);
        train_two_steps(ctx, MDLDM_STAGE_AUTOENCODER, autoencoder, data, precisions[p]);
        train_two_steps(ctx, MDLDM_STAGE_DIFFUSION, unet, data, precisions[p]);
    }
    assert_true(runs >= 2 * (2 * 3 + 2 * 2));
    mdldm_model_free(unet);
    mdldm_model_free(autoencoder);
    mdldm_dataset_free(data);
    mdldm_context_free(ctx);
    temp_dir_remove(folder);
}

int main(void)
{
    const mdldm_backend *list[MOST_BACKENDS];
    static struct CMUnitTest tests[1 + 2 * MOST_BACKENDS];
    static char names[2 * MOST_BACKENDS][80];
    backend_divide_all();
    backend_use_test_cuda();
    int backends = backend_list(list), count = 0;
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(heap_is_counted);
    for (int b = 0; b < backends; b++)
        for (int i = 0; i < 2; i++, count++) {
            snprintf(names[count - 1], sizeof names[0], "%s: %s allocate nothing", list[b]->name,
                     i == 0 ? "operations" : "models");
            tests[count] = (struct CMUnitTest){
                .name = names[count - 1],
                .test_func = i == 0 ? plan_run_allocates_nothing : models_allocate_nothing_when_they_run,
                .initial_state = (void *)(uintptr_t)list[b]};
        }
    return _cmocka_run_group_tests("plan memory", tests, (size_t)count, NULL, NULL);
}
