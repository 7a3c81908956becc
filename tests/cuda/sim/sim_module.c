/* SPDX-License-Identifier: MIT
 * Modules. Each text is decoded once in a process, however often it is loaded: that takes most of a second for all
 * kernels of the plug-in, and contexts come and go. */
#include "tests/cuda/sim/ptx_decode.h"
#include "tests/cuda/sim/sim_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct decoded {
    char *text;
    sim_module *module;
    struct decoded *next;
} decoded;
static decoded *kept;

static bool has_memory(const sim_module *m)
{
    for (size_t i = 0; i < m->n_globals; ++i)
        if (m->globals[i].space != SIM_SHARED)
            return true;
    return false;
}

/* The same code with counters and attributes of its own. */
static sim_module *share(const sim_module *code)
{
    sim_module *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->shares = true;
    m->kernels = calloc(code->n_kernels + 1, sizeof *m->kernels);
    for (size_t i = 0; m->kernels && i < code->n_kernels; ++i) {
        sim_kernel *k = malloc(sizeof *k);
        if (!k)
            break;
        *k = *code->kernels[i];
        k->module = m;
        m->kernels[m->n_kernels++] = k;
        k->counts = calloc(k->n_ops, sizeof *k->counts);
        if (!k->counts)
            break;
    }
    if (m->kernels && m->n_kernels == code->n_kernels &&
        (m->n_kernels == 0 || m->kernels[m->n_kernels - 1]->counts))
        return m;
    sim_module_free(m);
    return NULL;
}

static bool keep(const char *text, sim_module *m)
{
    decoded *d = malloc(sizeof *d);
    if (d)
        *d = (decoded){strdup(text), m, kept};
    if (!d || !d->text) {
        free(d);
        return false;
    }
    kept = d;
    return true;
}

sim_module *sim_module_load(const char *text, char *why, size_t room)
{
    const decoded *d = kept;
    while (d && strcmp(d->text, text) != 0)
        d = d->next;
    sim_module *m = d ? d->module : ptx_decode_module(text, why, room);
    if (!m || (!d && (has_memory(m) || !keep(text, m)))) /* memory belongs to one load alone */
        return m;
    m = share(m);
    if (!m)
        snprintf(why, room, "out of memory");
    return m;
}

void sim_module_free(sim_module *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n_kernels; ++i) {
        sim_kernel *k = m->kernels[i];
        free(k->counts);
        if (!m->shares) {
            for (size_t n = 0; n < k->n_names; ++n)
                free(k->names[n]);
            free(k->names);
            free(k->ops);
            free(k->params);
            free(k->constants);
        }
        free(k);
    }
    for (size_t i = 0; i < m->n_globals; ++i)
        if (m->globals[i].space != SIM_SHARED)
            (void)sim_release((void *)(uintptr_t)m->globals[i].address, SIM_MODULE_MEMORY);
    free(m->globals);
    free(m->kernels);
    free(m);
}

sim_kernel *sim_module_find(sim_module *m, const char *name)
{
    for (size_t i = 0; i < m->n_kernels; ++i)
        if (strcmp(m->kernels[i]->name, name) == 0)
            return m->kernels[i];
    return NULL;
}
