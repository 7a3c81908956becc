/* SPDX-License-Identifier: MIT */
#include "radar_echo.h"

#include <math.h>
#include <stdlib.h>

#define TAU 6.283185307179586
#define POSE_STRIDE 16 /* pulses between two poses; ranges between them by cubic interpolation */

#define ROUGHNESS 0.2   /* diffuse share of a part's broadside cross-section */
#define NEIGHBOURS 0.03 /* metres: unresolved scatterers lie this far from one */

/* Body parts: two joints, half axes across (a: shares of body height) and number of scatterers. The
 * half axis along is half the distance of the joints. */
typedef struct body_part {
    int from, to;
    double a, b;
    int scatterers;
} body_part;

static const body_part parts[] = {
    { GAIT_NECK, GAIT_HEAD, 0.055, 0.050, 3 },
    { GAIT_SPINE, GAIT_NECK, 0.075, 0.095, 9 },
    { GAIT_LEFT_SHOULDER, GAIT_LEFT_ELBOW, 0.030, 0.030, 6 },
    { GAIT_RIGHT_SHOULDER, GAIT_RIGHT_ELBOW, 0.030, 0.030, 6 },
    { GAIT_LEFT_ELBOW, GAIT_LEFT_HAND, 0.025, 0.025, 7 },
    { GAIT_RIGHT_ELBOW, GAIT_RIGHT_HAND, 0.025, 0.025, 7 },
    { GAIT_LEFT_HIP, GAIT_LEFT_KNEE, 0.042, 0.042, 8 },
    { GAIT_RIGHT_HIP, GAIT_RIGHT_KNEE, 0.042, 0.042, 8 },
    { GAIT_LEFT_KNEE, GAIT_LEFT_ANKLE, 0.033, 0.033, 10 },
    { GAIT_RIGHT_KNEE, GAIT_RIGHT_ANKLE, 0.033, 0.033, 10 },
    { GAIT_LEFT_ANKLE, GAIT_LEFT_TOE, 0.028, 0.028, 5 },
    { GAIT_RIGHT_ANKLE, GAIT_RIGHT_TOE, 0.028, 0.028, 5 },
};
#define PART_COUNT ((int)(sizeof parts / sizeof parts[0]))

void radar_body_init(radar_body *body, const gait_model *gait, small_rng *rng)
{
    body->gait = gait;
    body->count = 0;
    for (int p = 0; p < PART_COUNT; p++) {
        double power = 0.0;
        int first = body->count;

        for (int i = 0; i < parts[p].scatterers; i++) {
            radar_scatterer *s = &body->scatterer[body->count++];
            double strength, unused;

            small_rng_normal2(rng, &strength, &unused);
            s->part = p;
            s->along = (i + small_rng_uniform(rng)) / parts[p].scatterers;
            for (int k = 0; k < 3; k++) {
                s->shift[k] = small_rng_between(rng, -1.0, 1.0) * parts[p].a * gait->walker.height * 0.7;
            }
            for (int k = 0; k < 2; k++) {
                s->neighbour[k] = small_rng_between(rng, -1.0, 1.0) * NEIGHBOURS;
            }
            s->amplitude = 0.4 + fabs(strength);
            power += s->amplitude * s->amplitude;
        }
        for (int i = first; i < body->count; i++) {
            body->scatterer[i].amplitude /= sqrt(power);
        }
    }
}

double radar_ellipsoid_rcs(double a, double b, double c, double theta, double phi)
{
    double st = sin(theta), ct = cos(theta), sp = sin(phi), cp = cos(phi);
    double d = a * a * st * st * cp * cp + b * b * st * st * sp * sp + c * c * ct * ct;

    return TAU / 2.0 * a * a * b * b * c * c / (d * d);
}

/* Field of each part: root of its cross-section at the present aspect, and the cosine of the angle
 * between axis and sight. The walker faces the radar to within a few degrees, so phi, the angle around
 * a part's axis, is the bearing. A rough surface scatters aside as well: the cross-section does not fall
 * below a share of the broadside one. */
static void part_fields(const radar_body *body, double joints[GAIT_JOINTS][3], const double radar[3],
                        double *field, double *cosine)
{
    double height = body->gait->walker.height;

    for (int p = 0; p < PART_COUNT; p++) {
        const double *from = joints[parts[p].from], *to = joints[parts[p].to];
        double axis[3], sight[3], dot = 0.0, axis2 = 0.0, sight2 = 0.0;

        for (int k = 0; k < 3; k++) {
            axis[k] = to[k] - from[k];
            sight[k] = radar[k] - 0.5 * (from[k] + to[k]);
            dot += axis[k] * sight[k];
            axis2 += axis[k] * axis[k];
            sight2 += sight[k] * sight[k];
        }
        double c = 0.5 * sqrt(axis2), phi = atan2(sight[1], sight[0]);

        cosine[p] = fmax(-1.0, fmin(1.0, dot / sqrt(axis2 * sight2)));
        field[p] = sqrt(fmax(radar_ellipsoid_rcs(parts[p].a * height, parts[p].b * height, c, acos(cosine[p]), phi),
                             ROUGHNESS * TAU / 2.0 * c * c));
    }
}

/* Range and field of every scatterer at time t. The body walks towards the radar: its x is the
 * radar's -x. */
static void sample_body(const radar_site *site, const radar_body *body, const radar_track *track,
                        double t, double *range, double *amplitude)
{
    const gait_model *g = body->gait;
    double joints[GAIT_JOINTS][3], field[PART_COUNT], cosine[PART_COUNT];
    double wavenumber2 = 2.0 * TAU * site->carrier / RADAR_SPEED_OF_LIGHT; /* 4 pi / wavelength */
    double wander = track->sway / (TAU * track->sway_rate) *
                    (sin(TAU * track->sway_rate * t + track->sway_phase) - sin(track->sway_phase));
    double walked = g->walker.speed * (t + wander);
    double angle = asin(track->offset / track->start);
    double radar[3] = { track->start * cos(angle) - walked, track->start * sin(angle), site->height };
    double body_range = hypot(radar[0], radar[1]);

    gait_model_pose(g, track->phase + walked / g->cycle_length, joints);
    part_fields(body, joints, radar, field, cosine);
    for (int i = 0; i < body->count; i++) {
        const radar_scatterer *s = &body->scatterer[i];
        const double *from = joints[parts[s->part].from], *to = joints[parts[s->part].to];
        double r2 = 0.0;

        for (int k = 0; k < 3; k++) {
            double d = radar[k] - from[k] - s->along * (to[k] - from[k]) - s->shift[k];

            r2 += d * d;
        }
        range[i] = sqrt(r2);
        /* glint: unresolved neighbours along the part interfere, and differently as it turns */
        double turn = wavenumber2 * cosine[s->part];
        double p1 = turn * s->neighbour[0], p2 = turn * s->neighbour[1];
        double glint = hypot(1.0 + cos(p1) + cos(p2), sin(p1) + sin(p2)) / sqrt(3.0);
        amplitude[i] = s->amplitude * glint * field[s->part] * body_range * body_range / r2;
    }
}

typedef struct phasor {
    float re, im;
} phasor;

/* exp(-j phase), the phase reduced in double so that single is enough. */
static phasor phasor_of(double phase)
{
    double turns = phase / TAU;
    float rest = (float)(TAU * (turns - floor(turns)));

    return (phasor){ cosf(rest), -sinf(rest) };
}

static phasor phasor_turn(phasor a, phasor b)
{
    return (phasor){ a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re };
}

/* Adds the pulses between pose r[1] and pose r[2]; r[0] and r[3] are the neighbours. The range is the
 * cubic of Catmull and Rom, so the echo exp(-j 4 pi range / wavelength) follows from pulse to pulse by
 * a phasor's three finite differences. */
static void add_pulses(double wavenumber2, double *const r[4], double *const a[4], int scatterers,
                       size_t pulses, float *iq)
{
    const double h = 1.0 / POSE_STRIDE;

    for (int i = 0; i < scatterers; i++) {
        double c1 = 0.5 * (r[2][i] - r[0][i]) * h;
        double c2 = (r[0][i] - 2.5 * r[1][i] + 2.0 * r[2][i] - 0.5 * r[3][i]) * h * h;
        double c3 = (0.5 * (r[3][i] - r[0][i]) + 1.5 * (r[1][i] - r[2][i])) * h * h * h;
        phasor echo = phasor_of(wavenumber2 * r[1][i]), first = phasor_of(wavenumber2 * (c1 + c2 + c3));
        phasor second = phasor_of(wavenumber2 * (2.0 * c2 + 6.0 * c3)), third = phasor_of(wavenumber2 * 6.0 * c3);
        float strength = (float)a[1][i], slope = (float)((a[2][i] - a[1][i]) * h);

        for (size_t p = 0; p < pulses; p++) {
            iq[2 * p] += strength * echo.re;
            iq[2 * p + 1] += strength * echo.im;
            echo = phasor_turn(echo, first);
            first = phasor_turn(first, second);
            second = phasor_turn(second, third);
            strength += slope;
        }
    }
}

static void add_noise(const radar_site *site, const radar_body *body, const radar_track *track,
                      small_rng *rng, size_t count, float *iq)
{
    double power = 0.0;

    for (size_t i = 0; i < 2 * count; i++) {
        power += (double)iq[i] * iq[i];
    }
    double at_10m = sqrt(power / (double)count * pow(10.0, site->noise_db / 10.0) / 2.0);
    for (size_t i = 0; i < count; i++) {
        double range = fmax(1.0, track->start - body->gait->walker.speed * (double)i / site->prf);
        double scale = at_10m * (range / 10.0) * (range / 10.0), x, y;

        small_rng_normal2(rng, &x, &y);
        iq[2 * i] += (float)(scale * x);
        iq[2 * i + 1] += (float)(scale * y);
    }
}

int radar_echo(const radar_site *site, const radar_body *body, const radar_track *track,
               small_rng *noise, size_t count, float *iq)
{
    double *memory = malloc(sizeof *memory * 8 * RADAR_MAX_SCATTERERS);
    double *r[4], *a[4];
    double step = POSE_STRIDE / site->prf;
    double wavenumber2 = 2.0 * TAU * site->carrier / RADAR_SPEED_OF_LIGHT; /* 4 pi / wavelength */

    if (memory == NULL) {
        return 0;
    }
    for (int k = 0; k < 4; k++) {
        r[k] = memory + 2 * k * RADAR_MAX_SCATTERERS;
        a[k] = r[k] + RADAR_MAX_SCATTERERS;
        sample_body(site, body, track, (k - 1) * step, r[k], a[k]);
    }
    for (size_t i = 0; i < 2 * count; i++) {
        iq[i] = 0.0f;
    }
    for (size_t first = 0; first < count; first += POSE_STRIDE) {
        size_t pulses = count - first < POSE_STRIDE ? count - first : POSE_STRIDE;

        add_pulses(wavenumber2, r, a, body->count, pulses, iq + 2 * first);
        double *oldest_r = r[0], *oldest_a = a[0];
        for (int k = 0; k < 3; k++) {
            r[k] = r[k + 1];
            a[k] = a[k + 1];
        }
        r[3] = oldest_r;
        a[3] = oldest_a;
        sample_body(site, body, track, ((double)first / POSE_STRIDE + 3.0) * step, r[3], a[3]);
    }
    free(memory);
    add_noise(site, body, track, noise, count, iq);
    return 1;
}
