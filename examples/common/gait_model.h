/* SPDX-License-Identifier: MIT
 * How a person walks: the global human walking model of Boulic, Magnenat-Thalmann and Thalmann
 * (The Visual Computer 6, 1990, pp. 344-358), body proportions as in Chen, The Micro-Doppler
 * Effect in Radar (2011), section 4.1. */
#ifndef GAIT_MODEL_H
#define GAIT_MODEL_H

typedef struct gait_walker {
    double height;    /* metres */
    double speed;     /* metres per second, 0.2 .. 3 times the thigh height */
    double cadence;   /* steps per second over the model's own at that speed: 1 is the average person */
    double arm_swing; /* amplitude of shoulder and elbow: 1 is the average person */
} gait_walker;

typedef enum gait_joint {
    GAIT_SPINE, /* the origin Os of the paper */
    GAIT_NECK,
    GAIT_HEAD,
    GAIT_LEFT_SHOULDER,
    GAIT_RIGHT_SHOULDER,
    GAIT_LEFT_ELBOW,
    GAIT_RIGHT_ELBOW,
    GAIT_LEFT_HAND,
    GAIT_RIGHT_HAND,
    GAIT_LEFT_HIP,
    GAIT_RIGHT_HIP,
    GAIT_LEFT_KNEE,
    GAIT_RIGHT_KNEE,
    GAIT_LEFT_ANKLE,
    GAIT_RIGHT_ANKLE,
    GAIT_LEFT_TOE,
    GAIT_RIGHT_TOE,
    GAIT_JOINTS
} gait_joint;

/* One angle over a cycle: control points joined by cubic Hermite pieces, periodic. */
typedef struct gait_curve {
    int points;
    double x[5], y[5], slope[5]; /* share of the cycle, degrees, degrees per cycle */
} gait_curve;

typedef struct gait_model {
    gait_walker walker;
    double relative_velocity; /* speed over thigh height */
    double leg;               /* "thigh height": hip to ground */
    double cycle_length;      /* metres per cycle (two steps) */
    double cycle_duration;    /* seconds */
    double support_share;     /* share of the cycle with the foot on the ground */
    gait_curve hip, knee, ankle, thorax, elbow;
} gait_model;

void gait_model_init(gait_model *g, const gait_walker *walker);

/* Joints at a phase of the cycle (0: the right heel strikes; any real number), in metres: x forward,
 * y to the left, z up; forward progress is left out, the ground is z = 0. */
void gait_model_pose(const gait_model *g, double phase, double joints[GAIT_JOINTS][3]);

#endif
