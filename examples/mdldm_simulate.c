/* SPDX-License-Identifier: MIT
 * mdldm-simulate: folders of micro-Doppler spectrograms of walking persons, one per person. */
#include <errno.h>
#include <kissfft/kiss_fft.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/paths.h"
#include "common/progress.h"
#include "common/radar_echo.h"

#define TAU 6.283185307179586
#define PRF 6400.0          /* pulses per second: unambiguous to +-6.2 m/s at 77 GHz */
#define WINDOW_SECONDS 0.05 /* of the short-time Fourier transform, Hann */
#define FFT_LENGTH 512
#define VELOCITY_LOW (-2.0) /* bottom and top of a picture, m/s towards the radar, at 77 GHz */
#define VELOCITY_HIGH 6.0
#define WALK_START 14.0     /* metres from the radar */
#define WALK_END 4.0

static const cli_flag flags[] = {
    { "output_dir", MDLDM_OPTION_STRING, "", 0, 0, "", "path", "the persons' folders ID_1, ID_2, ... go here; needed" },
    { "persons", MDLDM_OPTION_INT, "8", 1, 1000, "", "persons", "how many persons" },
    { "images_per_person", MDLDM_OPTION_INT, "120", 1, 1000000, "", "images", "pictures of each person" },
    { "resolution", MDLDM_OPTION_INT, "256", 16, 2048, "", "pixels", "side of a picture" },
    { "seed", MDLDM_OPTION_INT, "0", 0, 9e15, "", "", "persons, walks and noise follow from it" },
    { "duration", MDLDM_OPTION_DOUBLE, "2.2", 0.5, 6, "", "seconds", "time a picture shows" },
    { "overlap", MDLDM_OPTION_DOUBLE, "0.75", 0, 0.99, "", "", "share of time that a picture has in common with the next of the same walk" },
    { "dynamic_range", MDLDM_OPTION_DOUBLE, "38", 5, 120, "", "dB", "from the colour map's top (the strongest echo of a picture) to its bottom" },
    { "noise", MDLDM_OPTION_DOUBLE, "-20", -100, 60, "", "dB", "receiver noise per pulse relative to the echo at 10 m" },
    { "carrier", MDLDM_OPTION_DOUBLE, "77e9", 1e9, 300e9, "", "Hz", "carrier frequency; the pulse rate follows it, so that the velocity axis stays" },
    { "colormap", MDLDM_OPTION_STRING, "jet", 0, 0, "jet|viridis|parula-like|turbo|grey", "", "colours" },
};

static const cli_program program = {
    .name = "mdldm-simulate",
    .summary = "Writes micro-Doppler spectrograms of simulated walking persons: the gait model of Boulic, "
               "Thalmann and Thalmann (1990), body parts as ellipsoid scatterers, a pulse-Doppler radar with "
               "noise, a short-time Fourier transform, a colour map. Time runs to the right, velocity towards "
               "the radar from -2 m/s at the bottom to 6 m/s at the top. Persons differ in height, speed, "
               "cadence, arm swing and build; their walks vary by a few percent.",
    .own = flags,
    .own_count = (int)(sizeof flags / sizeof flags[0]),
    .needed = " output_dir ",
};

typedef struct person {
    gait_walker walker;
    uint64_t build; /* seed of the scatterers on the body */
} person;

typedef struct stft {
    kiss_fft_cfg fft;
    int window_length, columns, rows;
    float window[FFT_LENGTH];
    double prf, velocity_per_bin;
    double hop; /* pulses from column to column */
} stft;

/* Place of person i among n in a feature's range: each feature divides its range into n slots and
 * deals them by a permutation of its own (a Latin hypercube), so that no two persons are alike. */
static double feature(uint64_t seed, int i, int n, int which, double low, double high)
{
    small_rng r = small_rng_stream(seed, 1, (uint64_t)which);
    int *slot = malloc(sizeof *slot * (size_t)n);

    if (slot == NULL) {
        return 0.5 * (low + high);
    }
    for (int k = 0; k < n; k++) {
        int j = (int)(small_rng_uniform(&r) * (k + 1)); /* Fisher and Yates, inside out */

        slot[k] = slot[j];
        slot[j] = k;
    }
    double place = (slot[i] + 0.2 + 0.6 * small_rng_uniform(&r)) / n;
    free(slot);
    return low + (high - low) * place;
}

static person make_person(uint64_t seed, int i, int n)
{
    person p;

    p.walker.height = feature(seed, i, n, 0, 1.55, 1.95);
    p.walker.speed = feature(seed, i, n, 1, 0.95, 1.5);
    p.walker.cadence = feature(seed, i, n, 2, 0.90, 1.14);
    p.walker.arm_swing = feature(seed, i, n, 3, 0.3, 2.0);
    p.build = seed + 1000003u * (uint64_t)(i + 1);
    return p;
}

static int stft_init(stft *t, int resolution, double duration, double carrier)
{
    t->prf = PRF * carrier / 77e9;
    t->fft = kiss_fft_alloc(FFT_LENGTH, 0, NULL, NULL);
    t->window_length = (int)(WINDOW_SECONDS * PRF);
    t->columns = t->rows = resolution;
    t->hop = duration * t->prf / resolution;
    t->velocity_per_bin = RADAR_SPEED_OF_LIGHT / carrier / 2.0 * t->prf / FFT_LENGTH;
    for (int i = 0; i < t->window_length; i++) {
        t->window[i] = (float)(0.5 - 0.5 * cos(TAU * (i + 0.5) / t->window_length));
    }
    return t->fft != NULL;
}

/* Mean power of the bins in [low, high), a fraction of a bin counted as such; bins wrap around. */
static float mean_power(const float *power, double low, double high)
{
    double sum = 0.0;

    for (int b = (int)floor(low); b < high; b++) {
        double part = fmin(high, b + 1.0) - fmax(low, b);

        sum += part * power[(b % FFT_LENGTH + FFT_LENGTH) % FFT_LENGTH];
    }
    return (float)(sum / (high - low));
}

/* One column of the spectrogram in dB, the highest velocity first: out[row * stride]. */
static void stft_column(const stft *t, const float *iq, float *out, size_t stride)
{
    kiss_fft_cpx in[FFT_LENGTH], spectrum[FFT_LENGTH];
    float power[FFT_LENGTH];

    memset(in, 0, sizeof in);
    for (int i = 0; i < t->window_length; i++) {
        in[i].r = iq[2 * i] * t->window[i];
        in[i].i = iq[2 * i + 1] * t->window[i];
    }
    kiss_fft(t->fft, in, spectrum);
    for (int b = 0; b < FFT_LENGTH; b++) {
        power[b] = spectrum[b].r * spectrum[b].r + spectrum[b].i * spectrum[b].i;
    }
    for (int row = 0; row < t->rows; row++) { /* an approaching scatterer has positive Doppler */
        double top = VELOCITY_HIGH - (VELOCITY_HIGH - VELOCITY_LOW) * row / t->rows;
        double bottom = VELOCITY_HIGH - (VELOCITY_HIGH - VELOCITY_LOW) * (row + 1) / t->rows;

        out[(size_t)row * stride] = 10.0f * log10f(1e-20f + mean_power(power, bottom / t->velocity_per_bin + 0.5,
                                                                       top / t->velocity_per_bin + 0.5));
    }
}

typedef struct walk {
    stft transform;
    double range_db;
    const char *colormap;
    float *db;
    uint8_t *rgb;
} walk;

/* The picture that begins with pulse iq. */
static mdldm_status write_picture(const cli *c, const walk *w, const float *iq, const char *path)
{
    const stft *t = &w->transform;
    size_t pixels = (size_t)t->rows * (size_t)t->columns;
    float highest = -1e30f;

    for (int column = 0; column < t->columns; column++) {
        stft_column(t, iq + 2 * (size_t)(column * t->hop), w->db + column, (size_t)t->columns);
    }
    for (size_t i = 0; i < pixels; i++) {
        highest = fmaxf(highest, w->db[i]);
    }
    mdldm_status s = mdldm_colormap_apply(c->ctx, w->colormap, w->db, pixels, highest - (float)w->range_db,
                                          highest, w->rgb, pixels * 3);
    return s == MDLDM_OK ? mdldm_image_write(c->ctx, path, w->rgb, t->rows, t->columns) : s;
}

/* A walk of person p: small differences from walk to walk. */
static void make_walk(const person *p, uint64_t seed, int index, int number, gait_walker *walker, radar_track *track)
{
    small_rng r = small_rng_stream(seed, 100 + (uint64_t)index, (uint64_t)number);

    *walker = p->walker;
    walker->speed *= 1.0 + 0.025 * small_rng_normal(&r);
    walker->cadence *= 1.0 + 0.01 * small_rng_normal(&r);
    walker->arm_swing *= 1.0 + 0.08 * small_rng_normal(&r);
    track->start = WALK_START + small_rng_between(&r, -1.0, 1.0);
    track->offset = small_rng_between(&r, -1.2, 1.2);
    track->phase = small_rng_uniform(&r);
    track->sway = 0.02;
    track->sway_rate = small_rng_between(&r, 0.15, 0.4);
    track->sway_phase = TAU * small_rng_uniform(&r);
}

/* What the workers share. A worker takes person after person and has a context of its own. */
typedef struct crew {
    const cli *c;
    radar_site site;
    pthread_mutex_t lock;
    int next_person, code; /* code: the first failure's exit status, 0 so far */
    progress bar;
    int64_t done;
} crew;

static int crew_code(crew *all)
{
    pthread_mutex_lock(&all->lock);
    int code = all->code;
    pthread_mutex_unlock(&all->lock);
    return code;
}

/* Reports a failure unless another worker did: one message is enough. */
static int first_failure(crew *all, const cli *c, mdldm_status status)
{
    pthread_mutex_lock(&all->lock);
    if (all->code == 0) {
        progress_break(&all->bar);
        all->code = cli_failed(c, status);
    }
    pthread_mutex_unlock(&all->lock);
    return CLI_EXIT_FAILED;
}

static void one_more(crew *all)
{
    pthread_mutex_lock(&all->lock);
    progress_update(&all->bar, ++all->done, "");
    pthread_mutex_unlock(&all->lock);
}

/* The pictures of one walk, numbered from *written + 1 on. */
static int write_walk(crew *all, const cli *c, walk *w, const person *p, int index, int number, int64_t *written)
{
    const int64_t images = cli_integer(c, "images_per_person");
    const double duration = cli_number(c, "duration");
    const size_t shift = (size_t)fmax(1.0, (1.0 - cli_number(c, "overlap")) * duration * w->transform.prf);
    const size_t span = (size_t)(duration * w->transform.prf) + (size_t)w->transform.window_length;
    small_rng build = small_rng_stream(p->build, 2, 0), noise = small_rng_stream(p->build, 3, (uint64_t)number);
    gait_walker walker;
    radar_track track;
    gait_model gait;
    radar_body body;
    char path[4096];
    int code = 0;

    make_walk(p, (uint64_t)cli_integer(c, "seed"), index, number, &walker, &track);
    gait_model_init(&gait, &walker);
    radar_body_init(&body, &gait, &build);
    size_t pulses = (size_t)((track.start - WALK_END) / walker.speed * w->transform.prf);
    if (pulses < span) {
        pulses = span; /* a long picture: the walk goes on a little nearer */
    }
    float *iq = malloc(sizeof *iq * 2 * pulses);
    if (iq == NULL || !radar_echo(&all->site, &body, &track, &noise, pulses, iq)) {
        code = cli_error(c, "no memory for a walk of %.0f pulses", (double)pulses);
    }
    for (size_t first = 0; code == 0 && first + span <= pulses && *written < images; first += shift) {
        snprintf(path, sizeof path, "%s/ID_%d/ID%d_walk%d_%lld.png", cli_text(c, "output_dir"), index + 1, index + 1,
                 number + 1, (long long)*written + 1);
        mdldm_status s = MDLDM_OK;
        if (cli_interrupted()) {
            code = CLI_EXIT_INTERRUPTED;
        } else if ((s = write_picture(c, w, iq + 2 * first, path)) != MDLDM_OK) {
            code = first_failure(all, c, s);
        } else {
            ++*written;
            one_more(all);
        }
    }
    free(iq);
    return code;
}

static int simulate_person(crew *all, const cli *c, walk *w, int index)
{
    const person p = make_person((uint64_t)cli_integer(c, "seed"), index, (int)cli_integer(c, "persons"));
    char path[4096];
    int64_t written = 0;
    int code = 0;

    snprintf(path, sizeof path, "%s/ID_%d", cli_text(c, "output_dir"), index + 1);
    if (!paths_make_folder(path)) {
        return cli_error(c, "cannot make the folder %s: %s", path, strerror(errno));
    }
    for (int number = 0; code == 0 && crew_code(all) == 0 && written < cli_integer(c, "images_per_person"); number++) {
        code = write_walk(all, c, w, &p, index, number, &written);
    }
    return code;
}

static int take_persons(crew *all, const cli *c)
{
    const int resolution = (int)cli_integer(c, "resolution");
    const size_t pixels = (size_t)resolution * (size_t)resolution;
    walk w = { .range_db = cli_number(c, "dynamic_range"), .colormap = cli_text(c, "colormap") };
    int code = 0;

    w.db = malloc(sizeof *w.db * pixels);
    w.rgb = malloc(pixels * 3);
    if (w.db == NULL || w.rgb == NULL ||
        !stft_init(&w.transform, resolution, cli_number(c, "duration"), all->site.carrier)) {
        code = cli_error(c, "no memory for a picture of %d pixels", resolution);
    }
    while (code == 0) {
        pthread_mutex_lock(&all->lock);
        int index = all->code == 0 && all->next_person < cli_integer(c, "persons") ? all->next_person++ : -1;
        pthread_mutex_unlock(&all->lock);
        if (index < 0) {
            break;
        }
        code = simulate_person(all, c, &w, index);
    }
    kiss_fft_free(w.transform.fft);
    free(w.rgb);
    free(w.db);
    return code;
}

static void *work(void *argument)
{
    crew *all = argument;
    cli own = *all->c;
    mdldm_status s = mdldm_context_create(&own.ctx);
    int code = s == MDLDM_OK ? take_persons(all, &own) : cli_error(&own, "no context: %s", mdldm_status_name(s));

    mdldm_context_free(own.ctx);
    pthread_mutex_lock(&all->lock);
    all->code = all->code == 0 ? code : all->code;
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

static int simulate(const cli *c)
{
    enum { MOST_WORKERS = 64 };
    pthread_t threads[MOST_WORKERS];
    crew all = { .c = c, .site = { .carrier = cli_number(c, "carrier"), .prf = PRF * cli_number(c, "carrier") / 77e9,
                                   .height = 1.0, .noise_db = cli_number(c, "noise") } };
    int workers = cli_threads(c), started = 0;

    workers = workers > MOST_WORKERS ? MOST_WORKERS : workers;
    pthread_mutex_init(&all.lock, NULL);
    progress_start(&all.bar, "simulate", "images", 0,
                   cli_integer(c, "persons") * cli_integer(c, "images_per_person"), c->quiet);
    while (started < workers && pthread_create(&threads[started], NULL, work, &all) == 0) {
        started++;
    }
    if (started == 0) {
        work(&all);
    }
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    progress_break(&all.bar);
    pthread_mutex_destroy(&all.lock);
    if (all.code == CLI_EXIT_INTERRUPTED) {
        cli_error(c, "interrupted after %lld images", (long long)all.done);
    }
    return all.code;
}

int main(int argc, char **argv)
{
    cli c;
    int code = cli_start(&c, &program, argc, argv);

    if (code >= 0) {
        return code;
    }
    cli_catch_interrupt(&c, 0);
    code = simulate(&c);
    cli_end(&c);
    return code;
}
