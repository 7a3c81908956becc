/* SPDX-License-Identifier: MIT */
#include "train/lr_schedule.h"

#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;
static const double polynomial_lr_end = 1e-7;

static double at_least_one(int64_t count)
{
    return count > 1 ? (double)count : 1.0;
}

static double polynomial(int64_t step, int64_t warmup, int64_t total, double power, double lr_init)
{
    if (step > total)
        return polynomial_lr_end / lr_init;
    /* total == warmup leaves nothing to decay over (diffusers divides by zero there). */
    double remaining = total > warmup ? 1.0 - (double)(step - warmup) / (double)(total - warmup) : 0.0;
    return ((lr_init - polynomial_lr_end) * pow(remaining, power) + polynomial_lr_end) / lr_init;
}

double mdldm__lr_multiplier(const char *name, int64_t step, int64_t warmup, int64_t total,
                            double num_cycles, double power, double lr_init)
{
    int is_polynomial = strcmp(name, "polynomial") == 0;
    if (is_polynomial && !(lr_init > polynomial_lr_end))
        return NAN;
    if (strcmp(name, "constant") == 0)
        return 1.0;
    int known = is_polynomial || strcmp(name, "constant_with_warmup") == 0 || strcmp(name, "linear") == 0 ||
                strcmp(name, "cosine") == 0 || strcmp(name, "cosine_with_restarts") == 0;
    if (!known)
        return NAN;
    if (step < warmup)
        return (double)step / at_least_one(warmup);
    if (strcmp(name, "constant_with_warmup") == 0)
        return 1.0;
    if (is_polynomial)
        return polynomial(step, warmup, total, power, lr_init);

    double span = at_least_one(total - warmup);
    if (strcmp(name, "linear") == 0)
        return fmax(0.0, (double)(total - step) / span);
    double progress = (double)(step - warmup) / span;
    if (strcmp(name, "cosine") == 0) {
        double cycles = num_cycles > 0 ? num_cycles : 0.5;
        return fmax(0.0, 0.5 * (1.0 + cos(pi * cycles * 2.0 * progress)));
    }
    if (progress >= 1.0)
        return 0.0;
    double cycles = num_cycles > 0 ? num_cycles : 1.0;
    return fmax(0.0, 0.5 * (1.0 + cos(pi * fmod(cycles * progress, 1.0))));
}
