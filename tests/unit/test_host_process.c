/* SPDX-License-Identifier: MIT
 * Inside a host that uses OpenMP and OpenBLAS itself, before, between and at the same time as calls here, and that
 * forks: results do not change on either side, nor do the host's numbers of threads; after fork() the parent goes on. */
#include <dlfcn.h>
#include <omp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/backend_list.h"
#include "../support/small_model.h"
#include "../support/temp_dir.h"

enum { SIDE = 16, PIXELS = 3 * SIDE * SIDE, N = 96 };

/* CBLAS's values for row major and no transposition. */
enum { ROW_MAJOR = 101, AS_IT_IS = 111 };
typedef void (*sgemm_fn)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *,
                         int);
typedef int (*count_fn)(void);

static sgemm_fn sgemm;
static count_fn blas_threads;
static char *folder;
static float a[N * N], b[N * N];

static int setup(void **state)
{
    (void)state;
    void *blas = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_GLOBAL); /* stays for the whole run, as in a host */
    if (blas == NULL)
        fail_msg("%s; .ci/deps installs it", dlerror());
    *(void **)&sgemm = dlsym(blas, "cblas_sgemm");
    *(void **)&blas_threads = dlsym(blas, "openblas_get_num_threads");
    assert_true(sgemm != NULL && blas_threads != NULL);
    for (int i = 0; i < N * N; i++) {
        a[i] = (float)(i % 13) - 6.0f;
        b[i] = (float)(i % 7) - 3.0f;
    }
    mdldm_context *ctx;
    mdldm_model *m;
    folder = temp_dir_make();
    small_model_configs(folder, small_vq_config);
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    assert_int_equal(small_model_create(ctx, folder, 2, &m), MDLDM_OK);
    assert_int_equal(mdldm_model_save(ctx, m, temp_path(folder, "model")), MDLDM_OK);
    mdldm_model_free(m);
    mdldm_context_free(ctx);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_dir_remove(folder);
    return 0;
}

/* A product of small whole numbers, exact in float, and a parallel sum. */
static double host_work(void)
{
    static _Thread_local float c[N * N];
    double sum = 0.0;
    sgemm(ROW_MAJOR, AS_IT_IS, AS_IT_IS, N, N, N, 1.0f, a, N, b, N, 0.0f, c, N);
#pragma omp parallel for reduction(+ : sum)
    for (int i = 0; i < N * N; i++)
        sum += (double)c[i] * (i % 5);
    return sum;
}

typedef struct session {
    mdldm_context *ctx;
    mdldm_model *m;
    mdldm_sampler *s;
} session;

static session open_session(const char *backend)
{
    session s;
    mdldm_options *o = NULL;
    assert_int_equal(mdldm_context_create(&s.ctx), MDLDM_OK);
    if (mdldm_context_use_backend(s.ctx, backend) || mdldm_context_set_threads(s.ctx, 2) ||
        mdldm_model_load(s.ctx, temp_path(folder, "model"), &s.m) || mdldm_options_create(s.ctx, &o) ||
        mdldm_options_set_int(s.ctx, o, "num_inference_steps", 3) || mdldm_sampler_create(s.ctx, s.m, o, &s.s))
        fail_msg("%s", mdldm_context_error(s.ctx));
    mdldm_options_free(o);
    return s;
}

static void close_session(session *s)
{
    mdldm_sampler_free(s->s);
    mdldm_model_free(s->m);
    mdldm_context_free(s->ctx);
}

static void generate(session *s, float *pixels)
{
    const int64_t label = 1;
    if (mdldm_generate(s->ctx, s->s, 1, SIDE, SIDE, &label, 7, pixels, PIXELS) != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(s->ctx));
}

/* In a thread of the host's, until told to stop. */
typedef struct busy_host {
    double expected;
    int stop, wrong, rounds;
} busy_host;

static void *keep_busy(void *argument)
{
    busy_host *h = argument;
    while (!__atomic_load_n(&h->stop, __ATOMIC_RELAXED)) {
        h->wrong += host_work() != h->expected;
        h->rounds++;
    }
    return NULL;
}

static void openmp_and_openblas(void **state)
{
    (void)state;
    const mdldm_backend *list[MOST_BACKENDS];
    const int count = backend_list(list), threads = omp_get_max_threads(), of_blas = blas_threads();
    const double expected = host_work();
    assert_true(expected != 0.0);
    for (int k = 0; k < count; k++) {
        session s = open_session(list[k]->name);
        float alone[PIXELS], between[PIXELS], beside[PIXELS];
        generate(&s, alone);
        for (int i = 0; i < 3; i++) {
            assert_true(host_work() == expected);
            generate(&s, between);
            assert_memory_equal(alone, between, sizeof alone);
            assert_int_equal(omp_get_max_threads(), threads);
            assert_int_equal(blas_threads(), of_blas);
        }
        busy_host host = {.expected = expected};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, keep_busy, &host), 0);
        for (int i = 0; i < 5 || __atomic_load_n(&host.rounds, __ATOMIC_RELAXED) < 2; i++) {
            generate(&s, beside);
            assert_memory_equal(alone, beside, sizeof alone);
        }
        __atomic_store_n(&host.stop, 1, __ATOMIC_RELAXED);
        pthread_join(thread, NULL);
        print_message("%s: the host's thread made %d rounds meanwhile\n", list[k]->name, host.rounds);
        assert_int_equal(host.wrong, 0);
        close_session(&s);
    }
}

/* The child does what a child may: leave, or become another program. The parent's contexts work on. */
static void the_parent_goes_on_after_fork(void **state)
{
    (void)state;
    const mdldm_backend *list[MOST_BACKENDS];
    const int count = backend_list(list);
    for (int k = 0; k < count; k++) {
        session s = open_session(list[k]->name);
        float before[PIXELS], after[PIXELS];
        generate(&s, before);
        for (int i = 0; i < 4; i++) {
            const pid_t child = fork();
            int status = -1;
            assert_true(child >= 0);
            if (child == 0) {
                if (i % 2 == 0)
                    _exit(5);
                execl("/bin/sh", "sh", "-c", "exit 5", (char *)NULL);
                _exit(6);
            }
            generate(&s, after); /* while the child lives or not */
            assert_memory_equal(before, after, sizeof before);
            assert_int_equal(waitpid(child, &status, 0), child);
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 5);
        }
        close_session(&s);
        session fresh = open_session(list[k]->name);
        generate(&fresh, after);
        assert_memory_equal(before, after, sizeof before);
        close_session(&fresh);
    }
}

int main(void)
{
    backend_divide_all();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openmp_and_openblas),
        cmocka_unit_test(the_parent_goes_on_after_fork),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
