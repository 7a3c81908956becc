/* SPDX-License-Identifier: MIT
 * Boulic, Magnenat-Thalmann and Thalmann 1990. Lengths in the paper are relative to the thigh height
 * (hip to ground), time is a share of the cycle, rv = speed / thigh height, angles are degrees.
 * Where printed signs of the slow branch (rv < 0.5) and the other do not meet at 0.5, the branches
 * are joined so that the body leans over the standing leg and is fastest in double support, as
 * measured walkers are. */
#include "gait_model.h"

#include <math.h>

#define TAU 6.283185307179586
#define RADIANS (TAU / 360.0)

/* Segment lengths as shares of body height (Chen 2011, after Winter). */
#define HEAD 0.130
#define SHOULDER (0.259 / 2)
#define TORSO 0.288
#define HIP (0.191 / 2)
#define UPPER_LEG 0.245
#define LOWER_LEG 0.246
#define FOOT 0.143
#define UPPER_ARM 0.188
#define LOWER_ARM 0.152
#define ANKLE_HEIGHT 0.039

/* Slopes that keep each piece monotone (Fritsch and Carlson 1980, weighted harmonic mean), with the
 * neighbours taken around the cycle; x is ascending within one cycle. */
static void curve_finish(gait_curve *c)
{
    int n = c->points;

    for (int i = 0; i < n; i++) {
        int before = (i + n - 1) % n, after = (i + 1) % n;
        double left = c->x[i] - c->x[before] + (i == 0 ? 1.0 : 0.0);
        double right = c->x[after] - c->x[i] + (i == n - 1 ? 1.0 : 0.0);
        double d_left = (c->y[i] - c->y[before]) / left;
        double d_right = (c->y[after] - c->y[i]) / right;

        if (d_left * d_right <= 0.0) {
            c->slope[i] = 0.0;
        } else {
            double w1 = 2.0 * right + left, w2 = right + 2.0 * left;

            c->slope[i] = (w1 + w2) / (w1 / d_left + w2 / d_right);
        }
    }
}

static void curve_set(gait_curve *c, int points, const double *x, const double *y)
{
    c->points = points;
    for (int i = 0; i < points; i++) {
        c->x[i] = x[i];
        c->y[i] = y[i];
    }
    curve_finish(c);
}

static double curve_at(const gait_curve *c, double phase)
{
    double t = phase - floor(phase - c->x[0]); /* in [x0, x0 + 1) */
    int i = c->points - 1;

    while (i > 0 && t < c->x[i]) {
        i--;
    }
    int j = (i + 1) % c->points;
    double width = c->x[j] - c->x[i] + (j == 0 ? 1.0 : 0.0);
    double s = (t - c->x[i]) / width, r = 1.0 - s;

    return r * r * (1.0 + 2.0 * s) * c->y[i] + s * s * (3.0 - 2.0 * s) * c->y[j] +
           s * r * width * (r * c->slope[i] - s * c->slope[j]);
}

/* The control points of the paper's flexion curves in its three ranges of velocity. */
static void set_curves(gait_model *g)
{
    double rv = g->relative_velocity;
    double slow = rv < 0.5 ? rv / 0.5 : 1.0;           /* grows to 1 at rv = 0.5 */
    double fast = rv > 1.3 ? (rv - 1.3) / 1.7 : 0.0;   /* grows from 0 at rv = 1.3 to 1 at rv = 3 */
    double middle = rv < 0.5 ? 0.0 : rv > 1.3 ? 1.0 : (rv - 0.5) / 0.8;

    if (fast > 0.0) {
        curve_set(&g->hip, 3, (double[]){ -0.1 + 0.2 * fast, 0.5, 0.9 },
                  (double[]){ 25 + 5 * fast, -15, 25 + 6 * fast });
    } else { /* the first and the last point are one and the same, a cycle apart */
        curve_set(&g->hip, 2, (double[]){ -0.1, 0.5 }, (double[]){ 25 * slow, -15 * slow });
    }
    curve_set(&g->knee, 4, (double[]){ 0.17 - 0.05 * fast, 0.4, 0.75 - 0.05 * fast, 1 - 0.03 * fast },
              (double[]){ 3 + 22 * fast, 3, 70 * slow - 5 * fast, 3 + 3 * fast });
    curve_set(&g->ankle, 5, (double[]){ 0, 0.08, 0.5 - 0.1 * fast, g->support_share, 0.85 },
              (double[]){ -3 + 5 * fast, -3 - 15 * slow + 4 * fast, -3 + 11 * slow - 3 * fast,
                          -3 - 17 * slow - 8 * fast, -3 + 5 * fast });
    curve_set(&g->thorax, 4, (double[]){ 0.1, 0.4, 0.6, 0.9 },
              (double[]){ 4.0 / 3 * rv, -4.5 / 3 * rv, -4.0 / 3 * rv, 4.5 / 3 * rv });
    curve_set(&g->elbow, 3, (double[]){ 0.05, 0.5 + 0.01 * middle + 0.04 * fast, 0.9 - 0.1 * fast },
              (double[]){ 3 + 3 * slow + 8 * middle - 6 * fast, 3 + 17 * slow + 24 * middle + 26 * fast,
                          3 + 5 * slow + 9 * middle - 6 * fast });
}

void gait_model_init(gait_model *g, const gait_walker *walker)
{
    g->walker = *walker;
    g->leg = (UPPER_LEG + LOWER_LEG) * walker->height;
    g->relative_velocity = walker->speed / g->leg;
    /* relative cycle length 1.346 sqrt(rv); a quicker cadence at the same speed shortens it */
    g->cycle_length = 1.346 * sqrt(g->relative_velocity) * g->leg / walker->cadence;
    g->cycle_duration = g->cycle_length / walker->speed;
    g->support_share = (0.752 * g->cycle_duration - 0.143) / g->cycle_duration;
    set_curves(g);
}

/* The pelvis falls on the side of the swinging leg: four half waves, degrees. */
static double pelvis_roll(double rv, double phase)
{
    double a = 1.66 * rv, t = phase - floor(phase);

    if (t < 0.15) {
        return -a + a * cos(TAU * 10.0 * t / 3.0);
    }
    if (t < 0.50) {
        return -a - a * cos(TAU * 10.0 * (t - 0.15) / 7.0);
    }
    if (t < 0.65) {
        return a - a * cos(TAU * 10.0 * (t - 0.5) / 3.0);
    }
    return a + a * cos(TAU * 10.0 * (t - 0.65) / 7.0);
}

static void rotate_z(double v[3], double angle)
{
    double c = cos(angle), s = sin(angle), x = v[0];

    v[0] = c * x - s * v[1];
    v[1] = s * x + c * v[1];
}

static void rotate_x(double v[3], double angle)
{
    double c = cos(angle), s = sin(angle), y = v[1];

    v[1] = c * y - s * v[2];
    v[2] = s * y + c * v[2];
}

/* Leans v forward. */
static void lean(double v[3], double angle)
{
    double c = cos(angle), s = sin(angle), x = v[0];

    v[0] = c * x + s * v[2];
    v[2] = -s * x + c * v[2];
}

static void add_limb(const double from[3], double length, double angle, double to[3])
{
    to[0] = from[0] + length * sin(angle); /* angle 0 hangs down, positive swings forward */
    to[1] = from[1];
    to[2] = from[2] - length * cos(angle);
}

/* Leg of one side in the pelvis' frame; phase is that side's own. */
static void pose_leg(const gait_model *g, double phase, double y, double *hip, double *knee,
                     double *ankle, double *toe)
{
    double h = g->walker.height;
    double thigh = curve_at(&g->hip, phase) * RADIANS;
    double shank = thigh - curve_at(&g->knee, phase) * RADIANS;
    double foot = shank + curve_at(&g->ankle, phase) * RADIANS;

    hip[0] = 0.0;
    hip[1] = y;
    hip[2] = 0.0;
    add_limb(hip, UPPER_LEG * h, thigh, knee);
    add_limb(knee, LOWER_LEG * h, shank, ankle);
    add_limb(ankle, FOOT * h, foot + TAU / 4.0, toe);
}

static void pose_arm(const gait_model *g, double phase, double y, double *shoulder, double *elbow,
                     double *hand)
{
    double h = g->walker.height;
    double swing = 9.88 * g->relative_velocity;
    double upper = (3.0 - swing / 2.0 - swing * g->walker.arm_swing * cos(TAU * phase)) * RADIANS;
    double bend = curve_at(&g->elbow, phase) * RADIANS;
    double lower = upper + bend * (0.5 + 0.5 * g->walker.arm_swing);

    shoulder[0] = 0.0;
    shoulder[1] = y;
    shoulder[2] = TORSO * h;
    add_limb(shoulder, UPPER_ARM * h, upper, elbow);
    add_limb(elbow, LOWER_ARM * h, lower, hand);
}

void gait_model_pose(const gait_model *g, double phase, double joints[GAIT_JOINTS][3])
{
    static const int lower[] = { GAIT_LEFT_HIP,   GAIT_RIGHT_HIP,   GAIT_LEFT_KNEE, GAIT_RIGHT_KNEE,
                                 GAIT_LEFT_ANKLE, GAIT_RIGHT_ANKLE, GAIT_LEFT_TOE,  GAIT_RIGHT_TOE };
    static const int upper[] = { GAIT_NECK,       GAIT_HEAD,        GAIT_LEFT_SHOULDER,
                                 GAIT_RIGHT_SHOULDER, GAIT_LEFT_ELBOW, GAIT_RIGHT_ELBOW,
                                 GAIT_LEFT_HAND,  GAIT_RIGHT_HAND };
    double rv = g->relative_velocity, h = g->walker.height;
    double slow = rv < 0.5 ? 4.0 * rv * (1.0 - rv) : 1.0; /* the paper's -4 rv^2 + 4 rv */
    double lift = 0.015 * rv;
    double origin[3]; /* translation of the spine */

    origin[0] = g->leg * 0.021 * slow * sin(TAU * 2.0 * (phase + 0.625 - g->support_share));
    origin[1] = g->leg * -0.032 * slow * sin(TAU * (phase - 0.1));
    origin[2] = g->leg * (1.0 + lift * (sin(TAU * (2.0 * phase - 0.35)) - 1.0)) + ANKLE_HEIGHT * h;

    pose_leg(g, phase + 0.5, HIP * h, joints[GAIT_LEFT_HIP], joints[GAIT_LEFT_KNEE],
             joints[GAIT_LEFT_ANKLE], joints[GAIT_LEFT_TOE]);
    pose_leg(g, phase, -HIP * h, joints[GAIT_RIGHT_HIP], joints[GAIT_RIGHT_KNEE],
             joints[GAIT_RIGHT_ANKLE], joints[GAIT_RIGHT_TOE]);
    double roll = pelvis_roll(rv, phase) * RADIANS;
    double turn = 4.0 * rv * cos(TAU * phase) * RADIANS; /* the swinging hip goes forward */
    for (int i = 0; i < 8; i++) {
        rotate_x(joints[lower[i]], roll);
        rotate_z(joints[lower[i]], turn);
    }

    pose_arm(g, phase + 0.5, SHOULDER * h, joints[GAIT_LEFT_SHOULDER], joints[GAIT_LEFT_ELBOW],
             joints[GAIT_LEFT_HAND]);
    pose_arm(g, phase, -SHOULDER * h, joints[GAIT_RIGHT_SHOULDER], joints[GAIT_RIGHT_ELBOW],
             joints[GAIT_RIGHT_HAND]);
    for (int k = 0; k < 3; k++) {
        joints[GAIT_SPINE][k] = 0.0;
        joints[GAIT_NECK][k] = k == 2 ? TORSO * h : 0.0;
        joints[GAIT_HEAD][k] = k == 2 ? (TORSO + HEAD) * h : 0.0;
    }
    double forward = 2.0 * slow * (1.0 - sin(TAU * (2.0 * phase - 0.1))) * RADIANS;
    double torsion = -curve_at(&g->thorax, phase) * RADIANS; /* against the pelvis */
    for (int i = 0; i < 8; i++) {
        lean(joints[upper[i]], forward);
        rotate_z(joints[upper[i]], torsion);
    }

    for (int j = 0; j < GAIT_JOINTS; j++) {
        for (int k = 0; k < 3; k++) {
            joints[j][k] += origin[k];
        }
    }
}
