/* SPDX-License-Identifier: MIT
 * Walks between neighbouring latents: does the decoder follow, and lie the places between on what it knows? A sampler's
 * outputs are never exactly latents of images, so where the decoder jumps or the encoder does not find back, small errors of
 * stage 2 become large ones. (The path length is that of Karras et al. 2019, section 4.1, by pixels, between
 * neighbours.) */
#include <math.h>
#include <string.h>

#include "assess/latent_job.h"

typedef struct walk_room {
    size_t each, image;  /* values of a latent and of a picture */
    float *z, *back;     /* [each] */
    float *first, *before, *here; /* [image] */
} walk_room;

static double rms(const float *a, const float *b, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(sum / (double)count);
}

/* The latent nearest to latent a. */
static int64_t nearest(const mdldm__latent_set *s, int64_t a, size_t each)
{
    int64_t best = -1;
    double least = INFINITY;
    for (int64_t i = 0; i < s->n; i++) {
        const double distance = i != a ? rms(s->z + (size_t)a * each, s->z + (size_t)i * each, each) : INFINITY;
        if (distance < least) {
            least = distance;
            best = i;
        }
    }
    return best;
}

static mdldm_status decode(const mdldm__latent_job *j, const walk_room *w, float *pixels)
{
    return mdldm_decode(j->ctx, j->m, w->z, 1, j->set.h, j->set.w, pixels, w->image);
}

/* *out += how far encoding the picture lands from z. */
static mdldm_status come_back(const mdldm__latent_job *j, const walk_room *w, const float *pixels, double *out)
{
    MDLDM__TRY(mdldm_encode(j->ctx, j->m, pixels, 1, j->resolution, j->resolution, w->back, w->each));
    *out += rms(w->back, w->z, w->each);
    return MDLDM_OK;
}

static mdldm_status walk(mdldm__latent_job *j, walk_room *w, int64_t a, int64_t b, mdldm__latent_walks *sum)
{
    const int64_t steps = j->walks.steps;
    const float *from = j->latents + (size_t)a * w->each, *to = j->latents + (size_t)b * w->each;
    double path = 0.0, largest = 0.0;
    for (int64_t k = 0; k <= steps; k++) {
        for (size_t p = 0; p < w->each; p++)
            w->z[p] = from[p] + (float)k / (float)steps * (to[p] - from[p]);
        MDLDM__TRY(decode(j, w, w->here));
        if (k == 0) {
            memcpy(w->first, w->here, w->image * sizeof *w->here);
            MDLDM__TRY(come_back(j, w, w->here, &sum->return_end));
        } else {
            const double step = rms(w->here, w->before, w->image);
            path += step;
            largest = fmax(largest, step);
        }
        if (k == steps / 2)
            MDLDM__TRY(come_back(j, w, w->here, &sum->return_middle));
        memcpy(w->before, w->here, w->image * sizeof *w->here);
    }
    const double whole = rms(w->here, w->first, w->image);
    sum->distance += rms(from, to, w->each);
    if (whole > 0.0 && path > 0.0) {
        sum->path += path / whole;
        sum->largest_step += largest * (double)steps / path;
        sum->pairs++;
    }
    return mdldm__latent_job_progress(j);
}

static mdldm_status walk_all(mdldm__latent_job *j, walk_room *w)
{
    mdldm__latent_walks sum = {0};
    const int64_t pairs = j->walks.pairs;
    double variance = 0.0;
    for (int64_t k = 0; k < pairs; k++) {
        const int64_t a = k * j->images / pairs;
        MDLDM__TRY(walk(j, w, a, nearest(&j->set, a, w->each), &sum));
    }
    for (int64_t k = 0; k < j->set.channels; k++) {
        const mdldm__latent_moments moments = mdldm__latent_moments_of(&j->set, k);
        variance += moments.deviation * moments.deviation / (double)j->set.channels;
    }
    const double each = 1.0 / (double)pairs, deviation = sqrt(variance);
    j->walks.distance = sum.distance * each / (deviation * sqrt(2.0));
    j->walks.return_end = sum.return_end * each / deviation;
    j->walks.return_middle = sum.return_middle * each / deviation;
    j->walks.path = sum.pairs > 0 ? sum.path / (double)sum.pairs : NAN; /* pairs whose pictures differ */
    j->walks.largest_step = sum.pairs > 0 ? sum.largest_step / (double)sum.pairs : NAN;
    return MDLDM_OK;
}

mdldm_status mdldm__latent_walk(mdldm__latent_job *j)
{
    mdldm__env *env = &j->ctx->env;
    if (j->walks.pairs == 0) {
        j->walks.distance = j->walks.path = j->walks.largest_step = NAN;
        j->walks.return_end = j->walks.return_middle = NAN;
        return MDLDM_OK;
    }
    walk_room w = {.each = (size_t)(j->set.channels * j->set.h * j->set.w),
                   .image = (size_t)(j->m->autoencoder->ae.out_channels * j->resolution * j->resolution)};
    float *room = mdldm__calloc(env, 2 * w.each + 3 * w.image, sizeof *room);
    if (room == NULL)
        return mdldm__oom(env, "walks between latents");
    w.z = room;
    w.back = w.z + w.each;
    w.first = w.back + w.each;
    w.before = w.first + w.image;
    w.here = w.before + w.image;
    const mdldm_status status = walk_all(j, &w);
    mdldm__free(env, room);
    return status;
}
