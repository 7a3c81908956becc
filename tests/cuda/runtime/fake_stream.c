/* SPDX-License-Identifier: MIT
 * Streams and events. Work waits in its stream until something demands it - a synchronisation, an event of another
 * stream that is being waited for, a free - and runs no earlier: a copy from pinned memory reads it only then. Copies
 * from and to pageable memory keep what CUDA promises of them: the source is taken at once, and a copy to the host
 * is there when the call returns. */
#include "tests/cuda/runtime/fake_calls.h"
#include "tests/cuda/runtime/fake_state.h"

#include <stdlib.h>
#include <string.h>

enum { TO_DEVICE = 1, TO_HOST = 2, ON_DEVICE = 3 };

fake_stream *fake_find_stream(const void *handle)
{
    for (fake_stream *s = fake.streams; s; s = s->next)
        if (s == handle && s->alive)
            return s;
    return NULL;
}

static fake_event *find_event(const void *handle)
{
    for (fake_event *e = fake.events; e; e = e->next)
        if (e == handle && e->alive)
            return e;
    return NULL;
}

bool fake_capturing(void)
{
    for (const fake_stream *s = fake.streams; s; s = s->next)
        if (s->capture && (pthread_equal(s->capture->thread, pthread_self()) ? s->capture->mode != 2 : s->capture->mode == 0))
            return true;
    return false;
}

fake_error fake_queue(fake_stream *s, const fake_task *task)
{
    fake_task **tasks = s->capture ? &s->capture->tasks : &s->tasks;
    size_t *n = s->capture ? &s->capture->n : &s->n, *cap = s->capture ? &s->capture->cap : &s->cap;
    if (*n == *cap) {
        const size_t more = *cap ? 2 * *cap : 16;
        fake_task *grown = realloc(*tasks, more * sizeof *grown);
        if (!grown) {
            free(task->own);
            return FAKE_MEMORY;
        }
        *tasks = grown;
        *cap = more;
    }
    (*tasks)[(*n)++] = *task;
    if (s->capture) {
        s->joined = false;
        return FAKE_OK;
    }
    return fake.eager ? fake_run_until(s, UINT64_MAX) : FAKE_OK;
}

fake_error fake_run_until(fake_stream *s, uint64_t until)
{
    fake_error e = FAKE_OK;
    size_t ran = 0;
    while (ran < s->n && s->done < until) {
        fake_task t = s->tasks[ran++];
        ++s->done;
        if (e == FAKE_OK && !fake.sticky) {
            e = t.kind == FAKE_WAIT ? fake_run_until(t.other, t.until) : fake_run_task(&t);
            if (e != FAKE_OK)
                fake.sticky = true;
        }
        free(t.own);
        if (t.graph)
            fake_drop_graph(t.graph);
    }
    if (ran) {
        s->n -= ran;
        memmove(s->tasks, s->tasks + ran, s->n * sizeof *s->tasks);
    }
    return fake.sticky ? FAKE_LAUNCH : e;
}

fake_error fake_run_all(void)
{
    fake_error e = FAKE_OK;
    for (fake_stream *s = fake.streams; s; s = s->next) {
        const fake_error now = fake_run_until(s, UINT64_MAX);
        if (e == FAKE_OK)
            e = now;
    }
    return e;
}

int cudaStreamCreateWithFlags(void **stream, unsigned flags)
{
    fake_error e = fake_enter("cudaStreamCreateWithFlags");
    if (e == FAKE_OK && flags > 1)
        e = FAKE_VALUE;
    if (e == FAKE_OK) {
        fake_stream *s = calloc(1, sizeof *s);
        if (s) {
            s->alive = true;
            s->next = fake.streams;
            fake.streams = s;
            *stream = s;
        } else {
            e = FAKE_MEMORY;
        }
    }
    return fake_leave(e);
}

int cudaStreamDestroy(void *stream)
{
    fake_error e = fake_enter("cudaStreamDestroy");
    fake_stream *s = fake_find_stream(stream);
    if (s) {
        const fake_error late = fake_run_until(s, UINT64_MAX);
        if (e == FAKE_OK)
            e = late;
        s->alive = false; /* events may still name it */
        s->capture = NULL;
    } else if (e == FAKE_OK) {
        e = FAKE_HANDLE;
    }
    return fake_leave(e);
}

static int synchronize(const char *name, fake_stream *s, uint64_t until, bool known)
{
    fake_error e = fake_enter(name);
    if (!known) {
        e = FAKE_HANDLE;
    } else if (s) {
        if (s->capture) {
            s->capture->broken = true;
            e = FAKE_CAPTURE;
        } else {
            const fake_error late = fake_run_until(s, until);
            if (e == FAKE_OK)
                e = late;
        }
    }
    return fake_leave(e);
}

int cudaStreamSynchronize(void *stream)
{
    fake_stream *s = fake_find_stream(stream);
    return synchronize("cudaStreamSynchronize", s, UINT64_MAX, s != NULL);
}

int cudaEventSynchronize(void *event)
{
    fake_event *v = find_event(event);
    return synchronize("cudaEventSynchronize", v ? v->stream : NULL, v ? v->until : 0, v != NULL);
}

int cudaEventCreateWithFlags(void **event, unsigned flags)
{
    fake_error e = fake_enter("cudaEventCreateWithFlags");
    if (e == FAKE_OK && flags > 7)
        e = FAKE_VALUE;
    if (e == FAKE_OK) {
        fake_event *v = calloc(1, sizeof *v);
        if (v) {
            v->alive = true;
            v->next = fake.events;
            fake.events = v;
            *event = v;
        } else {
            e = FAKE_MEMORY;
        }
    }
    return fake_leave(e);
}

int cudaEventDestroy(void *event)
{
    fake_error e = fake_enter("cudaEventDestroy");
    fake_event *v = find_event(event);
    if (v)
        v->alive = false;
    else if (e == FAKE_OK)
        e = FAKE_HANDLE;
    return fake_leave(e);
}

int cudaEventRecord(void *event, void *stream)
{
    fake_error e = fake_enter("cudaEventRecord");
    fake_event *v = find_event(event);
    fake_stream *s = fake_find_stream(stream);
    if (e == FAKE_OK && (!v || !s))
        e = FAKE_HANDLE;
    if (e == FAKE_OK) {
        v->stream = s;
        v->until = s->done + s->n;
        v->capture = s->capture;
    }
    return fake_leave(e);
}

int cudaStreamWaitEvent(void *stream, void *event, unsigned flags)
{
    fake_error e = fake_enter("cudaStreamWaitEvent");
    fake_event *v = find_event(event);
    fake_stream *s = fake_find_stream(stream);
    if (e == FAKE_OK && (!v || !s))
        e = FAKE_HANDLE;
    if (e == FAKE_OK && flags != 0)
        e = FAKE_VALUE;
    if (e == FAKE_OK && v->stream) {
        if (v->capture) { /* the stream joins the capture, or what it waits for is joined to it */
            if (s->capture && s->capture != v->capture) {
                e = FAKE_CAPTURE_INVALID;
            } else {
                s->capture = v->capture;
                v->stream->joined = true;
            }
        } else if (s->capture) { /* a capture cannot wait for what is outside of it */
            s->capture->broken = true;
            e = FAKE_CAPTURE_INVALID;
        } else {
            e = fake_queue(s, &(fake_task){.kind = FAKE_WAIT, .other = v->stream, .until = v->until});
        }
    }
    return fake_leave(e);
}

static bool in(const void *p, size_t size, sim_kind kind)
{
    const sim_allocation *a = sim_find((uint64_t)(uintptr_t)p, size);
    return a && a->kind == kind;
}

/* Sets up the copy; FAKE_VALUE with a sentence where an end is not what `kind` says. */
static fake_error prepare(fake_task *t, int kind)
{
    const bool to_device = kind == TO_DEVICE || kind == ON_DEVICE, from_device = kind == TO_HOST || kind == ON_DEVICE;
    if (kind < TO_DEVICE || kind > ON_DEVICE) {
        fake_say("cudaMemcpyAsync of kind %d; the test runtime wants the direction", kind);
        return FAKE_VALUE;
    }
    if (to_device != in(t->to, t->size, SIM_DEVICE_MEMORY) || from_device != in(t->from, t->size, SIM_DEVICE_MEMORY)) {
        fake_say("cudaMemcpyAsync of %zu bytes, kind %d: an end is not (wholly) where the kind says", t->size, kind);
        return FAKE_VALUE;
    }
    if (kind == TO_DEVICE && !in(t->from, t->size, SIM_PINNED_MEMORY)) {
        t->own = malloc(t->size);
        if (!t->own)
            return FAKE_MEMORY;
        memcpy(t->own, t->from, t->size);
    }
    return FAKE_OK;
}

int cudaMemcpyAsync(void *to, const void *from, size_t size, int kind, void *stream)
{
    fake_error e = fake_enter("cudaMemcpyAsync");
    fake_stream *s = fake_find_stream(stream);
    fake_task t = {.kind = FAKE_COPY, .to = to, .from = from, .size = size, .value = kind};
    if (e == FAKE_OK && !s)
        e = FAKE_HANDLE;
    if (e == FAKE_OK && size) {
        const bool pageable = kind == TO_HOST ? !in(to, size, SIM_PINNED_MEMORY)
                                              : kind == TO_DEVICE && !in(from, size, SIM_PINNED_MEMORY);
        if (s->capture && pageable) {
            fake_say("cudaMemcpyAsync with pageable host memory while the stream is captured");
            s->capture->broken = true;
            e = FAKE_CAPTURE;
        }
        if (e == FAKE_OK)
            e = prepare(&t, kind);
        if (e == FAKE_OK && kind != ON_DEVICE) {
            fake_cuda_copies *c = &fake.copied[kind == TO_DEVICE];
            c->count++;
            c->bytes += size;
            c->pageable += pageable;
        }
        if (e == FAKE_OK)
            e = fake_queue(s, &t);
        if (e == FAKE_OK && pageable && kind == TO_HOST)
            e = fake_run_until(s, UINT64_MAX);
    }
    return fake_leave(e);
}

int cudaMemsetAsync(void *to, int value, size_t size, void *stream)
{
    fake_error e = fake_enter("cudaMemsetAsync");
    fake_stream *s = fake_find_stream(stream);
    if (e == FAKE_OK && !s)
        e = FAKE_HANDLE;
    if (e == FAKE_OK && size && !in(to, size, SIM_DEVICE_MEMORY)) {
        fake_say("cudaMemsetAsync of %zu bytes that are not (wholly) device memory", size);
        e = FAKE_VALUE;
    }
    if (e == FAKE_OK && size)
        e = fake_queue(s, &(fake_task){.kind = FAKE_SET, .to = to, .size = size, .value = value});
    return fake_leave(e);
}

static fake_error run_copy(const fake_task *t)
{
    const uint64_t to = (uint64_t)(uintptr_t)t->to, from = (uint64_t)(uintptr_t)t->from;
    const size_t unwritten = t->value == TO_DEVICE ? t->size : sim_first_unwritten(from, t->size);
    sim_allocation *a = t->value == TO_DEVICE ? NULL : sim_find(from, t->size), *b = sim_find(to, t->size);
    if ((t->value != TO_DEVICE && !a) || (t->value != TO_HOST && !b)) {
        fake_say("a copy of %zu bytes ran when its device memory was free already", t->size);
        return FAKE_LAUNCH;
    }
    if (t->value == TO_HOST && unwritten < t->size) {
        fake_say("a copy of %zu bytes to the host: byte %zu was never written", t->size, unwritten);
        return FAKE_LAUNCH;
    }
    memmove(t->to, t->own ? t->own : t->from, t->size);
    if (t->value == TO_DEVICE || (t->value == ON_DEVICE && unwritten == t->size))
        sim_mark_written(to, t->size);
    else if (t->value == ON_DEVICE) /* what was not written stays so */
        memmove(b->wrote + (to - b->base), a->wrote + (from - a->base), t->size * sizeof *a->wrote);
    return FAKE_OK;
}

fake_error fake_run_task(const fake_task *t)
{
    fake_error e = FAKE_OK;
    switch (t->kind) {
    case FAKE_COPY: return run_copy(t);
    case FAKE_KERNEL: return fake_run_kernel(t);
    case FAKE_SET:
        if (!in(t->to, t->size, SIM_DEVICE_MEMORY)) {
            fake_say("a memset of %zu bytes ran when its memory was free already", t->size);
            return FAKE_LAUNCH;
        }
        memset(t->to, t->value, t->size);
        sim_mark_written((uint64_t)(uintptr_t)t->to, t->size);
        return FAKE_OK;
    case FAKE_GRAPH:
        for (size_t i = 0; i < t->graph->n && e == FAKE_OK; ++i)
            e = fake_run_task(&t->graph->tasks[i]);
        return e;
    default: return FAKE_UNKNOWN;
    }
}

void fake_forget_streams(void)
{
    while (fake.streams) {
        fake_stream *s = fake.streams;
        fake.streams = s->next;
        for (size_t i = 0; i < s->n; ++i) {
            free(s->tasks[i].own);
            if (s->tasks[i].graph)
                fake_drop_graph(s->tasks[i].graph);
        }
        free(s->tasks);
        free(s);
    }
    while (fake.events) {
        fake_event *e = fake.events;
        fake.events = e->next;
        free(e);
    }
}
