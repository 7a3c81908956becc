/* SPDX-License-Identifier: MIT
 * Libraries of kernels, and launches. Only PTX text is taken; a fatbin has no code for this device. */
#include "tests/cuda/runtime/fake_calls.h"
#include "tests/cuda/runtime/fake_state.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DYNAMIC = 8, PLAIN_SHARED = 48 << 10 };

typedef struct launches {
    char name[512];
    uint64_t n;
    struct launches *next;
} launches;
static launches *launched;
static uint64_t all_launches;

static sim_kernel *find_kernel(const void *handle)
{
    for (fake_library *l = fake.libraries; l; l = l->next)
        for (size_t i = 0; i < l->module->n_kernels; ++i)
            if (l->module->kernels[i] == handle)
                return l->module->kernels[i];
    return NULL;
}

int cudaLibraryLoadData(void **library, const void *code, int *jit_options, void **jit_values, unsigned n_jit,
                        int *options, void **values, unsigned n_options)
{
    fake_error e = fake_enter("cudaLibraryLoadData");
    const unsigned char *text = code;
    (void)jit_options;
    (void)jit_values;
    (void)options;
    (void)values;
    if (e == FAKE_OK && (n_jit || n_options || !text))
        e = FAKE_VALUE;
    if (e == FAKE_OK && text[0] == 0x50 && text[1] == 0xed && text[2] == 0x55 && text[3] == 0xba)
        e = FAKE_NO_IMAGE;
    else if (e == FAKE_OK && text[0] != '.' && text[0] != '/' && !isspace(text[0]))
        e = FAKE_IMAGE;
    if (e == FAKE_OK) {
        char why[1024] = "";
        fake_library *l = calloc(1, sizeof *l);
        if (l)
            l->module = sim_module_load(code, why, sizeof why);
        if (l && l->module) {
            l->next = fake.libraries;
            fake.libraries = l;
            *library = l;
        } else {
            free(l);
            fake_say("%s", why[0] ? why : "out of memory");
            e = FAKE_PTX;
        }
    }
    return fake_leave(e);
}

static bool queued(const sim_module *m)
{
    for (const fake_stream *s = fake.streams; s; s = s->next)
        for (size_t i = 0; i < s->n; ++i) {
            const fake_task *t = &s->tasks[i];
            if (t->kind == FAKE_KERNEL && t->kernel->module == m)
                return true;
            for (size_t k = 0; t->graph && k < t->graph->n; ++k)
                if (t->graph->tasks[k].kind == FAKE_KERNEL && t->graph->tasks[k].kernel->module == m)
                    return true;
        }
    return false;
}

int cudaLibraryUnload(void *library)
{
    fake_error e = fake_enter("cudaLibraryUnload");
    fake_library **at = &fake.libraries;
    while (*at && *at != library)
        at = &(*at)->next;
    if (*at) {
        fake_library *l = *at;
        if (queued(l->module)) {
            fake_say("cudaLibraryUnload while kernels of the library wait to run");
            (void)fake_run_all();
            e = FAKE_VALUE;
        }
        *at = l->next;
        sim_module_free(l->module);
        free(l);
    } else if (e == FAKE_OK) {
        e = FAKE_HANDLE;
    }
    return fake_leave(e);
}

int cudaLibraryGetKernel(void **kernel, void *library, const char *name)
{
    fake_error e = fake_enter("cudaLibraryGetKernel");
    fake_library *l = fake.libraries;
    while (l && l != library)
        l = l->next;
    if (e == FAKE_OK && !l)
        e = FAKE_HANDLE;
    if (e == FAKE_OK) {
        sim_kernel *k = sim_module_find(l->module, name);
        if (k)
            *kernel = k;
        else
            e = FAKE_SYMBOL;
    }
    return fake_leave(e);
}

int cudaFuncSetAttribute(const void *kernel, int attribute, int value)
{
    fake_error e = fake_enter("cudaFuncSetAttribute");
    sim_kernel *k = find_kernel(kernel);
    if (e == FAKE_OK && !k)
        e = FAKE_FUNCTION;
    if (e == FAKE_OK &&
        (attribute != MAX_DYNAMIC || value < 0 || (int64_t)value + k->shared_bytes > fake_shared_limit()))
        e = FAKE_VALUE;
    if (e == FAKE_OK)
        k->max_dynamic = value;
    return fake_leave(e);
}

static fake_error check_config(const sim_kernel *k, const fake_launch_config *c)
{
    const uint64_t threads = (uint64_t)c->threads[0] * c->threads[1] * c->threads[2];
    if (threads == 0 || threads > 1024 || c->threads[2] > 64 || c->grid[0] == 0 || c->grid[1] == 0 || c->grid[2] == 0 ||
        c->grid[0] > INT32_MAX || c->grid[1] > 65535 || c->grid[2] > 65535) {
        fake_say("kernel %s launched with a grid of (%u, %u, %u) blocks of (%u, %u, %u) threads", k->name, c->grid[0],
                 c->grid[1], c->grid[2], c->threads[0], c->threads[1], c->threads[2]);
        return FAKE_CONFIGURATION;
    }
    if (k->max_threads && threads > (uint64_t)k->max_threads) {
        fake_say("kernel %s launched with %u threads; it was compiled for at most %d", k->name, (unsigned)threads,
                 k->max_threads);
        return FAKE_RESOURCES;
    }
    const size_t leave = k->max_dynamic > 0 ? (size_t)k->max_dynamic
                         : k->shared_bytes < PLAIN_SHARED ? PLAIN_SHARED - k->shared_bytes
                                                          : 0;
    if (c->dynamic > leave) {
        fake_say("kernel %s launched with %zu bytes of dynamic shared memory; it has leave for %zu", k->name, c->dynamic,
                 leave);
        return FAKE_VALUE;
    }
    if (c->n_attributes) {
        fake_say("kernel %s launched with attributes, which the test runtime does not know", k->name);
        return FAKE_VALUE;
    }
    return FAKE_OK;
}

int cudaLaunchKernelExC(const fake_launch_config *config, const void *kernel, void **args)
{
    fake_error e = fake_enter("cudaLaunchKernelExC");
    sim_kernel *k = find_kernel(kernel);
    fake_stream *s = fake_find_stream(config->stream);
    if (e == FAKE_OK && !k)
        e = FAKE_FUNCTION;
    if (e == FAKE_OK && !s)
        e = FAKE_HANDLE;
    if (e == FAKE_OK)
        e = check_config(k, config);
    if (e == FAKE_OK) {
        fake_task t = {.kind = FAKE_KERNEL, .kernel = k, .size = k->param_bytes, .dynamic = (uint32_t)config->dynamic};
        memcpy(t.grid, config->grid, sizeof t.grid);
        memcpy(t.threads, config->threads, sizeof t.threads);
        t.own = calloc(1, (size_t)k->param_bytes + 1);
        for (size_t i = 0; t.own && i < k->n_params; ++i)
            memcpy(t.own + k->params[i].address, args[i], k->params[i].size);
        e = t.own ? fake_queue(s, &t) : FAKE_MEMORY;
    }
    return fake_leave(e);
}

static void note_launch(const char *name)
{
    launches *x = launched;
    while (x && strcmp(x->name, name) != 0)
        x = x->next;
    if (!x) {
        x = calloc(1, sizeof *x);
        if (!x)
            return;
        snprintf(x->name, sizeof x->name, "%s", name);
        x->next = launched;
        launched = x;
    }
    ++x->n;
    ++all_launches;
}

fake_error fake_run_kernel(const fake_task *t)
{
    char finding[1536] = "";
    if (!find_kernel(t->kernel)) {
        fake_say("a kernel runs whose library is unloaded");
        return FAKE_LAUNCH;
    }
    sim_launch launch = {.kernel = t->kernel, .dynamic = t->dynamic, .params = t->own, .max_steps = fake.max_steps,
                         .counting = fake.counting, .finding = finding, .room = sizeof finding};
    memcpy(launch.grid, t->grid, sizeof launch.grid);
    memcpy(launch.threads, t->threads, sizeof launch.threads);
    note_launch(t->kernel->name);
    if (sim_run(&launch))
        return FAKE_OK;
    fake_say("%s", finding);
    return FAKE_LAUNCH;
}

int fake_cuda_cost_of(const char *kernel, size_t at, fake_cuda_cost *cost)
{
    for (fake_library *l = fake.libraries; l; l = l->next) {
        const sim_kernel *k = sim_module_find(l->module, kernel);
        if (!k || at >= k->n_ops)
            continue;
        const sim_count *c = &k->counts[at];
        *cost = (fake_cuda_cost){c->runs, c->wavefronts, c->sectors, k->ops[at].line, k->ops[at].source};
        return 1;
    }
    return 0;
}

fake_cuda_cost fake_cuda_total(const char *kernel, const char *name)
{
    fake_cuda_cost sum = {0};
    for (fake_library *l = fake.libraries; l; l = l->next) {
        const sim_kernel *k = sim_module_find(l->module, kernel);
        for (size_t i = 0; k && i < k->n_ops; ++i) {
            if (strncmp(k->ops[i].name, name, strlen(name)) != 0)
                continue;
            sum.runs += k->counts[i].runs;
            sum.wavefronts += k->counts[i].wavefronts;
            sum.sectors += k->counts[i].sectors;
        }
    }
    return sum;
}

uint64_t fake_cuda_launches(const char *kernel)
{
    const launches *x = launched;
    if (!kernel)
        return all_launches;
    while (x && strcmp(x->name, kernel) != 0)
        x = x->next;
    return x ? x->n : 0;
}

void fake_forget_libraries(void)
{
    while (fake.libraries) {
        fake_library *l = fake.libraries;
        fake.libraries = l->next;
        sim_module_free(l->module);
        free(l);
    }
    while (launched) {
        launches *x = launched;
        launched = x->next;
        free(x);
    }
    all_launches = 0;
}
