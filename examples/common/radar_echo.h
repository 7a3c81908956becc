/* SPDX-License-Identifier: MIT
 * What a radar receives from a walking person: slow-time I/Q of a pulse-Doppler radar (an FMCW radar
 * after range compression, range cells of the person summed), body parts as ellipsoids (Chen, The
 * Micro-Doppler Effect in Radar, 2011, section 4.1.5), each broken into scatterers because skin and
 * cloth are rough at millimetre waves. */
#ifndef RADAR_ECHO_H
#define RADAR_ECHO_H

#include <stddef.h>
#include <stdint.h>

#include "gait_model.h"
#include "small_rng.h"

#define RADAR_SPEED_OF_LIGHT 299792458.0
#define RADAR_MAX_SCATTERERS 160

typedef struct radar_site {
    double carrier;  /* Hz */
    double prf;      /* pulses per second */
    double height;   /* metres above the ground; the radar stands at x = y = 0 */
    double noise_db; /* receiver noise per pulse relative to the mean echo at 10 m, dB */
} radar_site;

/* A straight walk towards the radar. */
typedef struct radar_track {
    double start;     /* metres ahead of the radar */
    double offset;    /* metres to the side where the walk would pass the radar */
    double phase;     /* gait phase at the start */
    double sway;      /* relative speed variation */
    double sway_rate; /* Hz */
    double sway_phase;
} radar_track;

typedef struct radar_scatterer {
    int part;         /* index of the body part */
    double along;     /* place between the part's two joints, 0 .. 1 */
    double shift[3];  /* metres off that line */
    double neighbour[2]; /* metres along the part to two unresolved scatterers */
    double amplitude; /* share of the part's field */
} radar_scatterer;

typedef struct radar_body {
    const gait_model *gait;
    int count;
    radar_scatterer scatterer[RADAR_MAX_SCATTERERS];
} radar_body;

/* The scatterers of one person: the same generator state gives the same body. */
void radar_body_init(radar_body *body, const gait_model *gait, small_rng *rng);

/* Radar cross-section of an ellipsoid with half axes a, b, c (c along its axis) seen at the angle
 * theta from that axis and phi around it, m^2. */
double radar_ellipsoid_rcs(double a, double b, double c, double theta, double phi);

/* count pulses as interleaved I/Q, range loss made up for at the body (sensitivity time control), so
 * that noise grows with distance. 0: out of memory. */
int radar_echo(const radar_site *site, const radar_body *body, const radar_track *track,
               small_rng *noise, size_t count, float *iq);

#endif
