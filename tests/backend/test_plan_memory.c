/* SPDX-License-Identifier: MIT
 * plan_run allocates nothing, in the first run (which packs the weights) or later: every operation
 * forward and backward, on every backend. The program counts what the whole process takes from the C
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
        if (!known || strstr(info.dli_fname, "mdldm") != NULL || strstr(info.dli_fname, "test_") != NULL) {
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
    if (!HEAP_IS_COUNTED)
        skip();
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
        if (use.their_largest > 4096 && strstr(s.c.name, "padding of all sizes") == NULL)
            fail_msg("%s, run %d: a library took %zu bytes at once", s.c.name, run, use.their_largest);
    }
    op_session_close(&s);
}

static void plan_run_allocates_nothing(void **state)
{
    for (int i = 0; i < op_case_count(); i++)
        check_case(*state, i);
}

int main(void)
{
    const mdldm_backend *list[MOST_BACKENDS];
    static struct CMUnitTest tests[1 + MOST_BACKENDS];
    static char names[MOST_BACKENDS][80];
    backend_divide_all();
    int backends = backend_list(list), count_of_tests = 0;
    tests[count_of_tests++] = (struct CMUnitTest)cmocka_unit_test(heap_is_counted);
    for (int b = 0; b < backends; b++) {
        snprintf(names[b], sizeof names[b], "%s: plan_run allocates nothing", list[b]->name);
        tests[count_of_tests++] = (struct CMUnitTest){
            .name = names[b], .test_func = plan_run_allocates_nothing, .initial_state = (void *)(uintptr_t)list[b]};
    }
    return _cmocka_run_group_tests("plan memory", tests, (size_t)count_of_tests, NULL, NULL);
}
