/* SPDX-License-Identifier: MIT
 * The bench program: measures the machine's peaks, then operations and whole steps against them.
 * A benchmark is not a test: nothing here judges a time. */
#ifndef MDLDM_BENCH_H
#define MDLDM_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "mdldm/mdldm_backend.h"

enum { BENCH_MAX_BATCHES = 8, BENCH_MAX_ROUNDS = 31 };

typedef enum bench_precision {
    BENCH_F32 = 0,
    BENCH_BF16 = 1,
    BENCH_INT8 = 2,
    BENCH_PRECISIONS = 3
} bench_precision;

typedef enum bench_part {
    BENCH_OPS = 1,
    BENCH_STEPS = 2,   /* encode, denoise step, decode */
    BENCH_TRAIN = 4,   /* one optimiser step of both stages */
    BENCH_COLD = 8,    /* a fresh process: model directory to the end of the first step */
    BENCH_SCALING = 16 /* one thread and all of them */
} bench_part;

typedef struct bench_options {
    int32_t threads, cpu_time;
    int32_t parts;      /* bench_part bits */
    int32_t precisions; /* 1 << bench_precision */
    int64_t batches[BENCH_MAX_BATCHES];
    int32_t batch_count;
    int64_t train_batch;
    int32_t backward; /* operations of the backward pass too */
    double seconds;   /* time for one row */
    const char *filter, *preset, *backend, *model, *int8_model, *json, *compare, *label;
    const char *cold; /* the child of BENCH_COLD: the model's directory */
    double born;      /* its birth, CLOCK_MONOTONIC */
} bench_options;

/* What the machine can do with these threads: GFLOP/s (a multiply-add is two), 0 where it has no such
 * instruction; GB/s read and written by a triad in memory and in the last cache. */
typedef struct bench_peaks {
    double compute[BENCH_PRECISIONS];
    double memory, cache;
} bench_peaks;

typedef struct bench_row {
    char part[16];   /* "peak", "op UNet", "op autoencoder", "step", "train", "cold", "scaling" */
    char name[112];
    int32_t precision; /* a bench_precision, -1: none */
    int64_t batch;
    int32_t threads, rounds;
    int64_t uses;             /* operations: how often the model's graph has it */
    double median, low, high; /* seconds; a peak's own value in its unit */
    double flops, bytes;      /* of one run, 0: not stated */
    double memory;            /* peak resident MiB of a process, 0: not measured */
} bench_row;

/* bench_args.c: 1 to go on; 0 with *status the exit status. */
int bench_args(int argc, char **argv, bench_options *o, int *status);

/* bench_clock.c */
double bench_now(const bench_options *o);
double bench_resident(void); /* peak resident MiB of this process (VmHWM) */
/* Median, least and most of times[count], which gets sorted, into the row. */
void bench_take(bench_row *row, double *times, int32_t count);
/* Calls function until the row's time is spent, at least 3 times, after one call that is not counted. */
int bench_repeat(const bench_options *o, bench_row *row, int (*function)(void *), void *user);

/* bench_peak.c */
void bench_measure_peaks(const bench_options *o, int32_t threads, bench_peaks *p);

/* bench_report.c. peaks: of the threads the rows run on. */
typedef struct bench_report bench_report;
bench_report *bench_report_open(const bench_options *o);
int bench_wanted(const bench_options *o, const char *name);
void bench_report_peaks(bench_report *r, int32_t threads, const bench_peaks *p);
void bench_report_row(bench_report *r, const bench_row *row, const bench_peaks *p);
void bench_report_heading(bench_report *r, const char *text);
void bench_report_note(bench_report *r, const char *text);
int bench_report_close(bench_report *r); /* writes the files; 0 when one could not be */
const char *bench_precision_name(int32_t precision);

/* bench_graph.c, bench_op.c: every distinct operation of the preset's graphs by itself. */
int bench_ops(const bench_options *o, bench_report *r, const bench_peaks *p);

#define MDLDM_BENCH_TRY(expression)                    \
    do {                                               \
        mdldm_status bench_try_status = (expression);  \
        if (bench_try_status != MDLDM_OK)              \
            return bench_try_status;                   \
    } while (0)

typedef struct bench_device {
    const mdldm_backend *backend;
    mdldm_device *device;
    mdldm_host host;
    char error[1024];
} bench_device;
int bench_device_open(const bench_options *o, bench_device *d);
void bench_device_close(bench_device *d);
/* Times op as it stands in graph; 0 with d->error when it failed. */
int bench_op(const bench_options *o, bench_device *d, const mdldm_graph_desc *graph, const mdldm_graph_op *op,
             bench_row *row);
/* bench_name.c: what stands before the numbers, and the work and traffic of one run. */
void bench_op_describe(const mdldm_graph_desc *graph, const mdldm_graph_op *op, bench_row *row);

/* bench_step.c, bench_train.c, bench_cold.c: through the public interface. folder: a model's. */
typedef struct bench_model {
    const bench_options *o;
    bench_report *report;
    const bench_peaks *peaks;
    char folder[256]; /* the model's */
    char scratch[128]; /* a folder of ours, "" when there is none */
    mdldm_context *ctx;
    mdldm_model *model;
    int64_t resolution, side, channels, classes;
    double macs_encode, macs_predict, macs_decode; /* of one image */
} bench_model;
int bench_model_open(const bench_options *o, bench_report *r, const bench_peaks *p, bench_model *m);
void bench_model_close(bench_model *m);
int bench_steps(bench_model *m);
int bench_train(bench_model *m);
int bench_cold(bench_model *m);
int bench_scaling(bench_model *m, const bench_peaks *single);
int bench_cold_child(const bench_options *o);
/* Runs the context's call; on failure prints its sentence and gives 0. */
int bench_ok(bench_model *m, mdldm_status status, const char *what);
/* A path that the backend search finds the build's plug-ins in. */
void bench_point_to_plugins(void);

#endif
