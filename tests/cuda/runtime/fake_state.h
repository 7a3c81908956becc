/* SPDX-License-Identifier: MIT
 * The state behind the test runtime's calls, and how each call begins and ends. */
#ifndef MDLDM_TESTS_FAKE_STATE_H
#define MDLDM_TESTS_FAKE_STATE_H

#include <pthread.h>

#include "tests/cuda/runtime/fake_cuda.h"
#include "tests/cuda/sim/sim.h"
#include "tests/cuda/sim/sim_memory.h"

typedef enum fake_error { /* cudaError_t, with its numbers (driver_types.h of CUDA 13) */
    FAKE_OK = 0, FAKE_VALUE = 1, FAKE_MEMORY = 2, FAKE_CONFIGURATION = 9, FAKE_DRIVER = 35, FAKE_FUNCTION = 98,
    FAKE_NO_DEVICE = 100, FAKE_DEVICE = 101, FAKE_IMAGE = 200, FAKE_NO_IMAGE = 209, FAKE_PTX = 218,
    FAKE_HANDLE = 400, FAKE_SYMBOL = 500, FAKE_RESOURCES = 701, FAKE_LAUNCH = 719, FAKE_CAPTURE = 900,
    FAKE_CAPTURE_INVALID = 901, FAKE_CAPTURE_UNMATCHED = 903, FAKE_CAPTURE_UNJOINED = 904, FAKE_UNKNOWN = 999
} fake_error;

typedef enum fake_task_kind { FAKE_COPY, FAKE_SET, FAKE_KERNEL, FAKE_WAIT, FAKE_GRAPH } fake_task_kind;

struct fake_stream;
struct fake_graph;

typedef struct fake_task {
    fake_task_kind kind;
    void *to;
    const void *from;
    unsigned char *own; /* what `from` held when it was queued; or a kernel's parameters */
    size_t size;
    int value;
    sim_kernel *kernel;
    uint32_t grid[3], threads[3], dynamic;
    struct fake_stream *other; /* wait until it has come to `until` */
    uint64_t until;
    struct fake_graph *graph;
} fake_task;

typedef struct fake_graph {
    fake_task *tasks;
    size_t n, cap;
    int uses; /* handles and queued launches */
    bool is_exec, alive, broken;
    int mode; /* of the capture: 0 global, 1 thread-local, 2 relaxed; and the thread that began it */
    pthread_t thread;
    struct fake_graph *next;
} fake_graph;

typedef struct fake_stream {
    fake_task *tasks; /* waiting, first come first */
    size_t n, cap;
    uint64_t done; /* tasks run so far; the first waiting has this number */
    fake_graph *capture;
    bool origin, joined, alive;
    struct fake_stream *next;
} fake_stream;

typedef struct fake_event {
    fake_stream *stream; /* NULL: never recorded */
    uint64_t until;
    fake_graph *capture;
    bool alive;
    struct fake_event *next;
} fake_event;

typedef struct fake_library {
    sim_module *module;
    struct fake_library *next;
} fake_library;

typedef struct fake_state {
    int devices, major, minor, driver;
    uint64_t memory, most, max_steps;
    bool eager, counting;
    char fail_name[64], log[512], finding[2048], described[2300];
    uint64_t fail_at;
    fake_cuda_copies copied[2]; /* down, up */
    fake_stream *streams;
    fake_event *events;
    fake_graph *graphs;
    fake_library *libraries;
    bool sticky;
} fake_state;
extern fake_state fake;
extern _Thread_local int fake_device;

/* A call begins: takes the lock, counts it. Returns the error that it must return; a call that gives something back
 * does that all the same, as real calls that report an earlier error do. */
fake_error fake_enter(const char *name);
/* A call ends: keeps the error for cudaGetLastError, gives the lock back. */
int fake_leave(fake_error error);
/* Remembers the first, writes all to the log. */
void fake_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Queues a copy of `task`, or adds it to the graph being captured; takes task->own over, also when it fails. */
fake_error fake_queue(fake_stream *s, const fake_task *task);
/* Runs what waits in the stream before its task number `until`. */
fake_error fake_run_until(fake_stream *s, uint64_t until);
fake_error fake_run_all(void);
/* Is this thread kept from calls that a capture does not bear: by its own, unless relaxed, or another's global one? */
bool fake_capturing(void);
fake_stream *fake_find_stream(const void *handle);
fake_error fake_run_task(const fake_task *t);
fake_error fake_run_kernel(const fake_task *t);
void fake_drop_graph(fake_graph *g);
void fake_forget_streams(void);
void fake_forget_graphs(void);
void fake_forget_libraries(void);

#endif
