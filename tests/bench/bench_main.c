/* SPDX-License-Identifier: MIT */
#include "bench.h"

static int run_steps(const bench_options *o, bench_report *report, const bench_peaks *peaks,
                     const bench_peaks *single)
{
    bench_model m;
    int ok = bench_model_open(o, report, peaks, &m) && ((o->parts & BENCH_STEPS) == 0 || bench_steps(&m)) &&
             ((o->parts & BENCH_SCALING) == 0 || o->threads < 2 || bench_scaling(&m, single)) &&
             ((o->parts & BENCH_COLD) == 0 || bench_cold(&m)) && ((o->parts & BENCH_TRAIN) == 0 || bench_train(&m));
    bench_model_close(&m);
    return ok;
}

int main(int argc, char **argv)
{
    bench_options o;
    bench_peaks peaks = {.memory = 0.0}, single = {.memory = 0.0};
    int status;
    if (!bench_args(argc, argv, &o, &status))
        return status;
    bench_point_to_plugins();
    if (o.cold != NULL)
        return bench_cold_child(&o) ? 0 : 1;
    bench_report *report = bench_report_open(&o);
    if (report == NULL)
        return 1;
    bench_measure_peaks(&o, o.threads, &peaks);
    bench_report_peaks(report, o.threads, &peaks);
    if (o.threads > 1 && (o.parts & BENCH_SCALING)) {
        bench_measure_peaks(&o, 1, &single);
        bench_report_peaks(report, 1, &single);
    }
    int ok = (o.parts & BENCH_OPS) == 0 || bench_ops(&o, report, &peaks);
    if (ok && (o.parts & ~BENCH_OPS))
        ok = run_steps(&o, report, &peaks, &single);
    return bench_report_close(report) && ok ? 0 : 1;
}
