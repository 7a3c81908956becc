/* SPDX-License-Identifier: MIT
 * A host that loads the shared library, uses it and unloads it, again and again, from one thread or from threads
 * that end. Nothing stays: no thread, no descriptor, no memory; but that a plug-in stays mapped, once. */
#include <dlfcn.h>
#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/resident.h"
#include "../support/small_model.h"
#include "../support/temp_dir.h"

enum { SIDE = 16, PIXELS = 3 * SIDE * SIDE, THREADS = 2 };

/* The calls a round makes, by their names. */
#define CALLS(X)                                                                                        \
    X(mdldm_context_create) X(mdldm_context_free) X(mdldm_context_error) X(mdldm_context_use_backend)   \
    X(mdldm_context_set_threads) X(mdldm_model_load) X(mdldm_model_free) X(mdldm_sampler_create)        \
    X(mdldm_sampler_free) X(mdldm_generate) X(mdldm_options_create) X(mdldm_options_set_int) X(mdldm_options_free)
#define FIELD(name) __typeof__(name) *name;
typedef struct library {
    CALLS(FIELD)
} library;

typedef struct round_job {
    const char *library, *backend, *model;
    float pixels[PIXELS];
    char failure[1200];
} round_job;

/* Threads ("task") or open descriptors ("fd", one more than there are) of this process. */
static int entries(const char *of)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/%s", of);
    DIR *d = opendir(path);
    int n = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* Mappings whose line in the table contains name. */
static int mapped(const char *name)
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[1024];
    int found = 0;
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL)
        found += strstr(line, name) != NULL;
    fclose(f);
    return found;
}

static void use(const library *l, round_job *r)
{
    mdldm_context *ctx = NULL;
    mdldm_model *m = NULL;
    mdldm_sampler *s = NULL;
    mdldm_options *o = NULL;
    if (l->mdldm_context_create(&ctx) != MDLDM_OK) {
        snprintf(r->failure, sizeof r->failure, "no context");
        return;
    }
    if (l->mdldm_context_use_backend(ctx, r->backend) || l->mdldm_context_set_threads(ctx, THREADS) ||
        l->mdldm_model_load(ctx, r->model, &m) || l->mdldm_options_create(ctx, &o) ||
        l->mdldm_options_set_int(ctx, o, "num_inference_steps", 2) || l->mdldm_sampler_create(ctx, m, o, &s) ||
        l->mdldm_generate(ctx, s, 1, SIDE, SIDE, NULL, 0, r->pixels, PIXELS))
        snprintf(r->failure, sizeof r->failure, "%s", l->mdldm_context_error(ctx));
    l->mdldm_sampler_free(s);
    l->mdldm_options_free(o);
    l->mdldm_model_free(m);
    l->mdldm_context_free(ctx);
}

static void *one_round(void *argument)
{
    round_job *r = argument;
    library l;
    void *handle = dlopen(r->library, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        snprintf(r->failure, sizeof r->failure, "%s", dlerror());
        return NULL;
    }
#define LOOK_UP(name)                                                    \
    *(void **)&l.name = dlsym(handle, #name);                            \
    if (l.name == NULL)                                                  \
        snprintf(r->failure, sizeof r->failure, "no %s", #name);
    CALLS(LOOK_UP)
    if (r->failure[0] == '\0')
        use(&l, r);
    dlclose(handle);
    return NULL;
}

static void rounds(const char *backend, int in_threads)
{
    enum { ROUNDS = 40, SETTLED = 10, STRETCH = 9 };
    const char *path = getenv("MDLDM_LIB") != NULL ? getenv("MDLDM_LIB") : "lib/libmdldm.so.0";
    char *folder = temp_dir_make();
    mdldm_context *ctx;
    mdldm_model *m;
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    small_model_configs(folder, small_vq_config);
    assert_int_equal(small_model_create(ctx, folder, 0, &m), MDLDM_OK);
    assert_int_equal(mdldm_model_save(ctx, m, temp_path(folder, "model")), MDLDM_OK);
    mdldm_model_free(m);
    mdldm_context_free(ctx);
    char model[700];
    snprintf(model, sizeof model, "%s/model", folder);

    static round_job first, r;
    const int threads = entries("task"), descriptors = entries("fd");
    int mappings = 0, most_mappings = 0;
    long settled = 0, growth = LONG_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        r = (round_job){.library = path, .backend = backend, .model = model};
        pthread_t thread;
        if (in_threads) {
            assert_int_equal(pthread_create(&thread, NULL, one_round, &r), 0);
            pthread_join(thread, NULL);
        } else {
            one_round(&r);
        }
        for (int wait = 0; wait < 500 && entries("task") > threads; wait++)
            usleep(2000); /* a thread that was joined may be listed a moment longer */
        if (r.failure[0] != '\0')
            fail_msg("round %d: %s", i, r.failure);
        if (mapped("/libmdldm.so"))
            fail_msg("the library is still mapped after round %d", i);
        assert_int_equal(entries("task"), threads);
        assert_int_equal(entries("fd"), descriptors);
        first = i == 0 ? r : first;
        const int now_mapped = mapped("");
        if (i < SETTLED)
            mappings = now_mapped > mappings ? now_mapped : mappings;
        most_mappings = now_mapped > most_mappings ? now_mapped : most_mappings;
        if (i >= SETTLED && (i - SETTLED) % STRETCH == 0) { /* a leak grows in each stretch, chance in some */
            const long now = resident_kib();
            growth = i > SETTLED && now - settled < growth ? now - settled : growth;
            settled = now;
        }
        assert_memory_equal(first.pixels, r.pixels, sizeof r.pixels);
    }
    print_message("%s, %s: %d mappings in the first rounds, %d at most; %d rounds grow memory by %ld KiB or more\n",
                  backend, in_threads ? "thread by thread" : "one thread", mappings, most_mappings, STRETCH, growth);
    assert_true(most_mappings - mappings < (ROUNDS - SETTLED) / 2); /* one a round would be twice that; observed: 0 */
    assert_true(growth < 36); /* a page a round would be that; observed: at most 8 */
    temp_dir_remove(folder);
}

static void reference(void **state)
{
    (void)state;
    rounds("reference", 0);
}

static void cpu_of_ending_threads(void **state)
{
    (void)state;
    if (getenv("MDLDM_BACKEND_DIR") != NULL && access(getenv("MDLDM_BACKEND_DIR"), F_OK) != 0)
        skip(); /* a run without plug-ins */
    rounds("cpu", 1);
    assert_true(mapped("/mdldm_backend_cpu.so"));
}

static void cpu(void **state)
{
    (void)state;
    if (getenv("MDLDM_BACKEND_DIR") != NULL && access(getenv("MDLDM_BACKEND_DIR"), F_OK) != 0)
        skip();
    rounds("cpu", 0);
}

int main(void)
{
    setenv("MDLDM_CPU_DIVIDE_ALL", "1", 1); /* small kernels take all threads too */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference),
        cmocka_unit_test(cpu_of_ending_threads),
        cmocka_unit_test(cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
