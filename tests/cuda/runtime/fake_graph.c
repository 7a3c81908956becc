/* SPDX-License-Identifier: MIT
 * Captured work. A graph's tasks run in the order in which they were captured, which is one that its edges allow. */
#include "tests/cuda/runtime/fake_calls.h"
#include "tests/cuda/runtime/fake_state.h"

#include <stdlib.h>
#include <string.h>

static void free_graph(fake_graph *g)
{
    for (size_t i = 0; i < g->n; ++i)
        free(g->tasks[i].own);
    free(g->tasks);
    free(g);
}

void fake_drop_graph(fake_graph *g)
{
    if (--g->uses)
        return;
    fake_graph **at = &fake.graphs;
    while (*at && *at != g)
        at = &(*at)->next;
    if (*at)
        *at = g->next;
    free_graph(g);
}

static fake_graph *new_graph(void)
{
    fake_graph *g = calloc(1, sizeof *g);
    if (g) {
        g->uses = 1;
        g->next = fake.graphs;
        fake.graphs = g;
    }
    return g;
}

static fake_graph *find_graph(const void *handle, bool is_exec)
{
    for (fake_graph *g = fake.graphs; g; g = g->next)
        if (g == handle && g->alive && g->is_exec == is_exec)
            return g;
    return NULL;
}

int cudaStreamBeginCapture(void *stream, int mode)
{
    fake_error e = fake_enter("cudaStreamBeginCapture");
    fake_stream *s = fake_find_stream(stream);
    if (e == FAKE_OK && !s)
        e = FAKE_HANDLE;
    if (e == FAKE_OK && (mode < 0 || mode > 2 || s->capture))
        e = FAKE_VALUE;
    if (e == FAKE_OK) {
        s->capture = new_graph();
        s->origin = true;
        if (s->capture) {
            s->capture->mode = mode;
            s->capture->thread = pthread_self();
        } else {
            e = FAKE_MEMORY;
        }
    }
    return fake_leave(e);
}

int cudaStreamEndCapture(void *stream, void **graph)
{
    fake_error e = fake_enter("cudaStreamEndCapture");
    fake_stream *s = fake_find_stream(stream);
    fake_graph *g = s ? s->capture : NULL;
    if (g && !s->origin) {
        e = FAKE_CAPTURE_UNMATCHED;
    } else if (g) {
        for (fake_stream *x = fake.streams; x; x = x->next) {
            if (x->capture != g)
                continue;
            if (x != s && !x->joined && e == FAKE_OK)
                e = FAKE_CAPTURE_UNJOINED;
            x->capture = NULL;
            x->origin = x->joined = false;
        }
        for (fake_event *v = fake.events; v; v = v->next)
            if (v->capture == g) {
                v->capture = NULL;
                v->stream = NULL;
            }
        if (g->broken && e == FAKE_OK)
            e = FAKE_CAPTURE_INVALID;
        if (e == FAKE_OK) {
            g->alive = true;
            *graph = g;
        } else {
            fake_drop_graph(g);
            *graph = NULL;
        }
    } else if (e == FAKE_OK) {
        e = s ? FAKE_VALUE : FAKE_HANDLE;
    }
    return fake_leave(e);
}

static fake_error instantiate(void **exec, fake_graph *from)
{
    fake_graph *g = from ? new_graph() : NULL;
    if (!from)
        return FAKE_VALUE;
    if (!g)
        return FAKE_MEMORY;
    g->is_exec = true;
    g->tasks = malloc((from->n + 1) * sizeof *g->tasks);
    for (size_t i = 0; g->tasks && i < from->n; ++i) {
        fake_task t = from->tasks[i];
        if (t.own) {
            t.own = malloc(t.size ? t.size : 1);
            if (!t.own)
                break;
            memcpy(t.own, from->tasks[i].own, t.size);
        }
        g->tasks[g->n++] = t;
    }
    if (g->n < from->n || !g->tasks) {
        fake_drop_graph(g);
        return FAKE_MEMORY;
    }
    g->alive = true;
    *exec = g;
    return FAKE_OK;
}

int cudaGraphInstantiate(void **exec, void *graph, unsigned long long flags)
{
    fake_error e = fake_enter("cudaGraphInstantiate");
    if (e == FAKE_OK && flags != 0)
        e = FAKE_VALUE;
    return fake_leave(e == FAKE_OK ? instantiate(exec, find_graph(graph, false)) : e);
}

int cudaGraphInstantiateWithFlags(void **exec, void *graph, unsigned long long flags)
{
    fake_error e = fake_enter("cudaGraphInstantiateWithFlags");
    if (e == FAKE_OK && flags != 0)
        e = FAKE_VALUE;
    return fake_leave(e == FAKE_OK ? instantiate(exec, find_graph(graph, false)) : e);
}

int cudaGraphLaunch(void *exec, void *stream)
{
    fake_error e = fake_enter("cudaGraphLaunch");
    fake_graph *g = find_graph(exec, true);
    fake_stream *s = fake_find_stream(stream);
    if (e == FAKE_OK && (!g || !s))
        e = FAKE_HANDLE;
    if (e == FAKE_OK && s->capture)
        e = FAKE_CAPTURE;
    if (e == FAKE_OK) {
        ++g->uses;
        e = fake_queue(s, &(fake_task){.kind = FAKE_GRAPH, .graph = g});
    }
    return fake_leave(e);
}

static int destroy(const char *name, void *handle, bool is_exec)
{
    fake_error e = fake_enter(name);
    fake_graph *g = find_graph(handle, is_exec);
    if (g) {
        g->alive = false;
        fake_drop_graph(g);
    } else if (e == FAKE_OK) {
        e = FAKE_VALUE;
    }
    return fake_leave(e);
}

int cudaGraphExecDestroy(void *exec)
{
    return destroy("cudaGraphExecDestroy", exec, true);
}

int cudaGraphDestroy(void *graph)
{
    return destroy("cudaGraphDestroy", graph, false);
}

void fake_forget_graphs(void)
{
    while (fake.graphs) {
        fake_graph *g = fake.graphs;
        fake.graphs = g->next;
        free_graph(g);
    }
}
