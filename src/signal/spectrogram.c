/* SPDX-License-Identifier: MIT
 * Short-time Fourier transform of complex samples, as a matrix in dB: the micro-Doppler spectrogram of
 * Chen, Li, Ho and Wechsler 2006. */
#include <math.h>
#include <string.h>

#include "api/context.h"
#include "api/options_table.h"
#include "signal/fft_library.h"
#include "signal/signal.h"
#include "util/choice.h"

#define LEAST_POWER 1e-20 /* -200 dB: what is below counts as this */

typedef struct stft {
    mdldm__env *env;
    int64_t count, rows, columns, length, hop; /* samples; n_fft; frames; win_length; samples */
    double rate, beta, cutoff;                 /* Hz; -; fraction of the rate */
    mdldm__window window;
    mdldm__clutter clutter;
    int relative_to_peak;
    mdldm__fft_library fft;
    void *plan; /* of fft */
    float *taper;              /* [length] */
    kiss_fft_cpx *in, *out;    /* [rows] */
    float *filtered;           /* [count][2], NULL without clutter removal */
} stft;

static int32_t choice(const mdldm_options *options, const char *key)
{
    return mdldm__choice_index(mdldm_option_choices(mdldm_option_index(key)), mdldm__option_string(options, key));
}

/* 1: 2, 3 and 5 are its only factors, so that kissfft needs no memory of its own. */
static int is_smooth(int64_t n)
{
    for (int64_t f = 2; f <= 5; f++)
        while (n % f == 0)
            n /= f;
    return n == 1;
}

static mdldm_status read_options(stft *t, int64_t count, double rate, const mdldm_options *options)
{
    mdldm__env *env = t->env;
    t->count = count;
    t->rate = rate;
    t->length = mdldm__option_int(options, "win_length");
    t->hop = mdldm__option_int(options, "hop_length");
    t->rows = mdldm__option_int(options, "n_fft");
    t->window = (mdldm__window)choice(options, "window");
    t->clutter = (mdldm__clutter)choice(options, "clutter_removal");
    t->relative_to_peak = strcmp(mdldm__option_string(options, "db_reference"), "peak") == 0;
    t->beta = mdldm__option_double(options, "kaiser_beta");
    if (!isfinite(rate) || rate <= 0.0)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "sample_rate is %g Hz; more than 0 is right", rate);
    if (t->hop == 0)
        t->hop = t->length >= 4 ? t->length / 4 : 1;
    if (t->rows == 0)
        for (t->rows = 1; t->rows < t->length;)
            t->rows *= 2;
    if (t->rows < t->length)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "n_fft is %lld, less than win_length, which is %lld; 0 takes the next power of two",
                            (long long)t->rows, (long long)t->length);
    if (!is_smooth(t->rows)) {
        int64_t next = t->rows;
        while (!is_smooth(next))
            next++;
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "n_fft is %lld, which has other factors than 2, 3 and 5; the next that has not is %lld",
                            (long long)t->rows, (long long)next);
    }
    if (count > INT64_MAX / 16)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "%lld samples exceed the address space",
                            (long long)count);
    if (count < t->length)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "%lld samples are less than one window of %lld; give more or set win_length",
                            (long long)count, (long long)t->length);
    const double hertz = mdldm__option_double(options, "clutter_cutoff");
    t->cutoff = hertz > 0.0 ? hertz / rate : 0.0075 / 2.0;
    if (t->cutoff >= 0.5)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "clutter_cutoff is %g Hz; less than half the sample rate of %g Hz is right", hertz, rate);
    t->columns = 1 + (count - t->length) / t->hop;
    return MDLDM_OK;
}

static mdldm_status reserve(stft *t, const float *iq, double *scale)
{
    mdldm__env *env = t->env;
    size_t bytes = 0;
    MDLDM__TRY(mdldm__fft_open(env, &t->fft));
    t->fft.plan((int)t->rows, 0, NULL, &bytes);
    void *memory = mdldm__alloc(env, bytes);
    t->plan = memory;
    t->taper = mdldm__alloc(env, (size_t)t->length * sizeof *t->taper);
    t->in = mdldm__calloc(env, (size_t)t->rows, sizeof *t->in);
    t->out = mdldm__calloc(env, (size_t)t->rows, sizeof *t->out);
    t->filtered = t->clutter != MDLDM__CLUTTER_NONE ? mdldm__calloc(env, (size_t)t->count, 2 * sizeof *iq) : NULL;
    if (memory == NULL || t->taper == NULL || t->in == NULL || t->out == NULL ||
        (t->clutter != MDLDM__CLUTTER_NONE && t->filtered == NULL))
        return mdldm__oom(env, "spectrogram");
    t->fft.plan((int)t->rows, 0, memory, &bytes);
    const double sum = mdldm__window_fill(t->window, t->beta, t->length, t->taper);
    *scale = 1.0 / (sum * sum);
    if (t->filtered != NULL) {
        memcpy(t->filtered, iq, (size_t)t->count * 2 * sizeof *iq);
        mdldm__clutter_remove(t->clutter, t->cutoff, t->filtered, t->count);
    }
    return MDLDM_OK;
}

static void release(stft *t)
{
    mdldm__fft_close(&t->fft);
    mdldm__free(t->env, t->plan);
    mdldm__free(t->env, t->taper);
    mdldm__free(t->env, t->in);
    mdldm__free(t->env, t->out);
    mdldm__free(t->env, t->filtered);
}

/* db [rows][columns], the highest frequency first. */
static void transform(stft *t, const float *iq, double scale, float *db)
{
    double highest = -HUGE_VAL;
    for (int64_t j = 0; j < t->columns; j++) {
        const float *frame = iq + 2 * j * t->hop;
        for (int64_t i = 0; i < t->length; i++) { /* beyond length, in stays 0 */
            t->in[i].r = frame[2 * i] * t->taper[i];
            t->in[i].i = frame[2 * i + 1] * t->taper[i];
        }
        t->fft.transform(t->plan, t->in, t->out);
        for (int64_t i = 0; i < t->rows; i++) {
            /* Row i holds frequency (rows - 1) / 2 - i in bins; negative ones follow after the positive. */
            const kiss_fft_cpx *x = &t->out[((t->rows - 1) / 2 - i + t->rows) % t->rows];
            const double power = scale * ((double)x->r * (double)x->r + (double)x->i * (double)x->i);
            const float value = (float)(10.0 * log10(fmax(power, LEAST_POWER)));
            highest = fmax(highest, (double)value);
            db[i * t->columns + j] = value;
        }
    }
    if (t->relative_to_peak)
        for (int64_t i = 0; i < t->rows * t->columns; i++)
            db[i] = (float)((double)db[i] - highest);
}

mdldm_status mdldm_spectrogram(mdldm_context *ctx, const float *iq, int64_t count, double sample_rate,
                               const mdldm_options *options, float *db, size_t capacity, int64_t *rows,
                               int64_t *columns)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    mdldm__env *env = &ctx->env;
    stft t = {.env = env};
    MDLDM__TRY(read_options(&t, count, sample_rate, options));
    if (db != NULL) {
        if (iq == NULL)
            return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "mdldm_spectrogram: iq is NULL");
        if (capacity / (size_t)t.rows < (size_t)t.columns)
            return mdldm__error(env, MDLDM_ERROR_CAPACITY,
                                "the spectrogram has %lld x %lld values, the array has room for %zu",
                                (long long)t.rows, (long long)t.columns, capacity);
        for (int64_t i = 0; i < 2 * count; i++)
            if (!isfinite(iq[i]))
                return mdldm__error(env, MDLDM_ERROR_NUMERIC, "%s of sample %lld is %g; finite samples are right",
                                    i % 2 ? "Q" : "I", (long long)(i / 2), (double)iq[i]);
        double scale = 1.0;
        mdldm_status status = reserve(&t, iq, &scale);
        if (status == MDLDM_OK)
            transform(&t, t.filtered != NULL ? t.filtered : iq, scale, db);
        release(&t);
        MDLDM__TRY(status);
    }
    if (rows != NULL)
        *rows = t.rows;
    if (columns != NULL)
        *columns = t.columns;
    return MDLDM_OK;
}

mdldm_status mdldm_spectrogram_axes(mdldm_context *ctx, int64_t count, double sample_rate,
                                    const mdldm_options *options, double *frequency, size_t frequency_capacity,
                                    double *time, size_t time_capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    mdldm__env *env = &ctx->env;
    stft t = {.env = env};
    MDLDM__TRY(read_options(&t, count, sample_rate, options));
    if ((frequency != NULL && frequency_capacity < (size_t)t.rows) ||
        (time != NULL && time_capacity < (size_t)t.columns))
        return mdldm__error(env, MDLDM_ERROR_CAPACITY,
                            "the axes have %lld frequencies and %lld times, the arrays have room for %zu and %zu",
                            (long long)t.rows, (long long)t.columns, frequency_capacity, time_capacity);
    for (int64_t i = 0; frequency != NULL && i < t.rows; i++)
        frequency[i] = (double)((t.rows - 1) / 2 - i) * t.rate / (double)t.rows;
    for (int64_t j = 0; time != NULL && j < t.columns; j++)
        time[j] = ((double)(j * t.hop) + 0.5 * (double)t.length) / t.rate;
    return MDLDM_OK;
}
