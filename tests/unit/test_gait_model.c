/* SPDX-License-Identifier: MIT
 * The simulator's gait model against the paper's numbers, and its radar echo against the walk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../examples/common/gait_model.c"
#undef TAU
#include "../../examples/common/radar_echo.c"

#define WAVELENGTH (RADAR_SPEED_OF_LIGHT / 77e9)
#define PRF 6400.0

static const gait_walker average = { .height = 1.75, .speed = 1.3, .cadence = 1.0, .arm_swing = 1.0 };

static double length(const double a[3], const double b[3])
{
    return sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) + (a[2] - b[2]) * (a[2] - b[2]));
}

/* A walker with relative velocity rv. */
static gait_model model_at(double rv)
{
    gait_walker w = average;
    gait_model g;

    w.speed = rv * (UPPER_LEG + LOWER_LEG) * w.height;
    gait_model_init(&g, &w);
    return g;
}

/* Boulic et al. 1990: cycle length 1.346 sqrt(rv), support 0.752 Tc - 0.143. */
static void test_cycle(void **state)
{
    (void)state;
    gait_model g = model_at(1.0);

    assert_float_equal(g.relative_velocity, 1.0, 1e-12);
    assert_float_equal(g.cycle_duration, 1.346, 1e-12);
    assert_float_equal(g.cycle_length, 1.346 * g.leg, 1e-12);
    assert_float_equal(g.support_share, 0.752 - 0.143 / 1.346, 1e-12);
    g = model_at(2.25);
    assert_float_equal(g.cycle_duration, 1.346 / 1.5, 1e-12);

    gait_walker quick = average;
    quick.cadence = 1.1;
    gait_model q, a;
    gait_model_init(&q, &quick);
    gait_model_init(&a, &average);
    assert_float_equal(a.cycle_duration / q.cycle_duration, 1.1, 1e-12);
}

/* Control points of the flexion curves in the paper's three ranges, and their joints at 0.5 and 1.3. */
static void test_curves(void **state)
{
    (void)state;
    gait_model g = model_at(1.0);

    assert_float_equal(curve_at(&g.hip, 0.9), 25.0, 1e-9);
    assert_float_equal(curve_at(&g.hip, 0.5), -15.0, 1e-9);
    assert_float_equal(curve_at(&g.knee, 0.75), 70.0, 1e-9);
    assert_float_equal(curve_at(&g.knee, 0.17), 3.0, 1e-9);
    assert_float_equal(curve_at(&g.ankle, 0.08), -18.0, 1e-9);
    assert_float_equal(curve_at(&g.ankle, 0.5), 8.0, 1e-9);
    assert_float_equal(curve_at(&g.ankle, g.support_share), -20.0, 1e-9);
    assert_float_equal(curve_at(&g.thorax, 0.1), 4.0 / 3.0, 1e-9);
    assert_float_equal(curve_at(&g.elbow, 0.05), 8.0 * 0.5 / 0.8 + 6.0, 1e-9);
    g = model_at(0.25);
    assert_float_equal(curve_at(&g.hip, 0.9), 50.0 * 0.25, 1e-9);
    assert_float_equal(curve_at(&g.knee, 0.75), 140.0 * 0.25, 1e-9);
    g = model_at(3.0);
    assert_float_equal(curve_at(&g.hip, 0.1), 30.0, 1e-9);
    assert_float_equal(curve_at(&g.hip, 0.9), 31.0, 1e-9);
    assert_float_equal(curve_at(&g.knee, 0.70), 65.0, 1e-9);
    assert_float_equal(curve_at(&g.ankle, 0.08), -14.0, 1e-9);
    for (int k = 0; k < 2; k++) {
        double rv = k == 0 ? 0.5 : 1.3;
        gait_model below = model_at(rv - 1e-9), above = model_at(rv + 1e-9);

        for (double t = 0.0; t < 1.0; t += 0.01) {
            /* at 1.3 the hip's third control point appears, with a slope of its own: 0.7 degrees */
            assert_float_equal(curve_at(&below.hip, t), curve_at(&above.hip, t), k == 0 ? 1e-3 : 0.8);
            assert_float_equal(curve_at(&below.knee, t), curve_at(&above.knee, t), 1e-3);
            assert_float_equal(curve_at(&below.elbow, t), curve_at(&above.elbow, t), 1e-3);
        }
    }
}

/* Segments keep their lengths, the walk is periodic, left is right half a cycle later. */
static void test_pose(void **state)
{
    (void)state;
    static const int pair[][2] = { { GAIT_LEFT_HIP, GAIT_RIGHT_HIP },     { GAIT_LEFT_KNEE, GAIT_RIGHT_KNEE },
                                   { GAIT_LEFT_ANKLE, GAIT_RIGHT_ANKLE }, { GAIT_LEFT_TOE, GAIT_RIGHT_TOE },
                                   { GAIT_LEFT_HAND, GAIT_RIGHT_HAND } };
    gait_model g;
    double a[GAIT_JOINTS][3], b[GAIT_JOINTS][3];

    gait_model_init(&g, &average);
    for (double t = 0.0; t < 1.0; t += 0.037) {
        gait_model_pose(&g, t, a);
        assert_float_equal(length(a[GAIT_LEFT_HIP], a[GAIT_LEFT_KNEE]), UPPER_LEG * 1.75, 1e-9);
        assert_float_equal(length(a[GAIT_RIGHT_KNEE], a[GAIT_RIGHT_ANKLE]), LOWER_LEG * 1.75, 1e-9);
        assert_float_equal(length(a[GAIT_LEFT_ELBOW], a[GAIT_LEFT_HAND]), LOWER_ARM * 1.75, 1e-9);
        assert_float_equal(length(a[GAIT_SPINE], a[GAIT_NECK]), TORSO * 1.75, 1e-9);
        gait_model_pose(&g, t + 7.0, b);
        for (int j = 0; j < GAIT_JOINTS; j++) {
            assert_float_equal(length(a[j], b[j]), 0.0, 1e-9);
        }
        gait_model_pose(&g, t + 0.5, b);
        for (size_t p = 0; p < sizeof pair / sizeof pair[0]; p++) {
            assert_float_equal(a[pair[p][0]][0], b[pair[p][1]][0], 2e-3);
            assert_float_equal(a[pair[p][0]][1], -b[pair[p][1]][1], 2e-3);
            assert_float_equal(a[pair[p][0]][2], b[pair[p][1]][2], 2e-3);
        }
    }
}

/* The standing foot does not slide fast, the swinging one overtakes the body; arms swing against legs. */
static void test_feet(void **state)
{
    (void)state;
    gait_model g;
    double a[GAIT_JOINTS][3], b[GAIT_JOINTS][3];
    double dt = 1e-4;

    gait_model_init(&g, &average);
    gait_model_pose(&g, 0.30, a);
    gait_model_pose(&g, 0.30 + dt, b);
    double rate = 1.0 / (dt * g.cycle_duration);
    double standing = average.speed + (b[GAIT_RIGHT_ANKLE][0] - a[GAIT_RIGHT_ANKLE][0]) * rate;
    double swinging = average.speed + (b[GAIT_LEFT_ANKLE][0] - a[GAIT_LEFT_ANKLE][0]) * rate;
    assert_true(fabs(standing) < 0.35 * average.speed);
    assert_true(swinging > 2.0 * average.speed);
    gait_model_pose(&g, 0.0, a); /* the right heel strikes: the left hand is ahead */
    assert_true(a[GAIT_RIGHT_ANKLE][0] > a[GAIT_LEFT_ANKLE][0] + 0.3);
    assert_true(a[GAIT_LEFT_HAND][0] > a[GAIT_RIGHT_HAND][0] + 0.1);
    assert_true(a[GAIT_RIGHT_ANKLE][2] > 0.0 && a[GAIT_RIGHT_ANKLE][2] < 0.2);
}

static void test_cross_section(void **state)
{
    (void)state;
    const double pi = 3.14159265358979;

    assert_float_equal(radar_ellipsoid_rcs(0.1, 0.1, 0.1, 0.7, 0.3), pi * 0.01, 1e-12);
    assert_float_equal(radar_ellipsoid_rcs(0.05, 0.05, 0.2, pi / 2, 0.0), pi * 0.04, 1e-9);
    assert_float_equal(radar_ellipsoid_rcs(0.05, 0.08, 0.2, 0.0, 0.0), pi * 0.0025 * 0.0064 / 0.04, 1e-9);
    assert_float_equal(radar_ellipsoid_rcs(0.05, 0.08, 0.2, pi / 2, pi / 2), pi * 0.0025 * 0.04 / 0.0064, 1e-9);
}

/* I/Q of a straight walk at the radar; count pulses, to be freed. */
static float *echo_of(const gait_model *g, double noise_db, uint64_t seed, size_t count)
{
    const radar_site site = { .carrier = 77e9, .prf = PRF, .height = 1.0, .noise_db = noise_db };
    const radar_track track = { .start = 14.0, .phase = 0.2, .sway_rate = 0.3 };
    radar_body *body = malloc(sizeof *body);
    float *iq = malloc(2 * count * sizeof *iq);
    small_rng build = small_rng_stream(seed, 1, 0), noise = small_rng_stream(seed, 2, 0);

    assert_non_null(body);
    assert_non_null(iq);
    radar_body_init(body, g, &build);
    assert_true(radar_echo(&site, body, &track, &noise, count, iq));
    free(body);
    return iq;
}

/* Power at velocity v (m/s towards the radar) in a Hann window of n pulses. */
static double power_at(const float *iq, int n, double v)
{
    double step = 2.0 * 3.14159265358979 * 2.0 * v / WAVELENGTH / PRF, re = 0.0, im = 0.0;

    for (int i = 0; i < n; i++) {
        double w = 0.5 - 0.5 * cos(2.0 * 3.14159265358979 * (i + 0.5) / n), c = cos(step * i), s = sin(step * i);

        re += w * (iq[2 * i] * c + iq[2 * i + 1] * s);
        im += w * (iq[2 * i + 1] * c - iq[2 * i] * s);
    }
    return re * re + im * im;
}

/* The strongest line is the torso's: Doppler + 2 v / wavelength for a walk towards the radar. */
static void test_torso_doppler(void **state)
{
    (void)state;
    enum { COUNT = 3 * 6400, WINDOW = 640, STEPS = 161 };
    gait_model g;
    double power[STEPS] = { 0 };
    int best = 0;

    gait_model_init(&g, &average);
    float *iq = echo_of(&g, -20.0, 5, COUNT);
    for (int first = 0; first + WINDOW <= COUNT; first += WINDOW) {
        for (int i = 0; i < STEPS; i++) { /* -4 .. 4 m/s */
            power[i] += power_at(iq + 2 * first, WINDOW, -4.0 + 0.05 * i);
        }
    }
    for (int i = 1; i < STEPS; i++) {
        best = power[i] > power[best] ? i : best;
    }
    /* the body's own forward swing is +-0.2 m/s about its speed */
    assert_float_equal(-4.0 + 0.05 * best, average.speed, 0.2);
    free(iq);
}

/* The limbs' band above twice the speed lights up once a step. */
static void test_step_frequency(void **state)
{
    (void)state;
    enum { COLUMNS = 300, WINDOW = 320, HOP = 96 };
    for (int k = 0; k < 2; k++) {
        gait_walker w = average;
        gait_model g;
        double envelope[COLUMNS], mean = 0.0, best = -1e300;
        int best_lag = 0;

        w.cadence = k == 0 ? 0.9 : 1.12;
        gait_model_init(&g, &w);
        float *iq = echo_of(&g, -30.0, 7, COLUMNS * HOP + WINDOW);
        for (int c = 0; c < COLUMNS; c++) {
            envelope[c] = 0.0;
            for (double v = 2.0 * w.speed; v < 4.0 * w.speed; v += 0.1) {
                envelope[c] += power_at(iq + 2 * c * HOP, WINDOW, v);
            }
            envelope[c] = log10(envelope[c]);
            mean += envelope[c] / COLUMNS;
        }
        double seconds = HOP / PRF;
        for (int lag = (int)(0.3 / seconds); lag < (int)(0.85 / seconds); lag++) {
            double sum = 0.0;

            for (int c = 0; c + lag < COLUMNS; c++) {
                sum += (envelope[c] - mean) * (envelope[c + lag] - mean) / (COLUMNS - lag);
            }
            if (sum > best) {
                best = sum;
                best_lag = lag;
            }
        }
        assert_float_equal(best_lag * seconds, 0.5 * g.cycle_duration, 1.5 * seconds);
        free(iq);
    }
}

static void test_seed(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    gait_model g;

    gait_model_init(&g, &average);
    float *a = echo_of(&g, -20.0, 1, COUNT), *b = echo_of(&g, -20.0, 1, COUNT), *c = echo_of(&g, -20.0, 2, COUNT);
    assert_memory_equal(a, b, 2 * COUNT * sizeof *a);
    assert_true(memcmp(a, c, 2 * COUNT * sizeof *a) != 0);
    free(a);
    free(b);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cycle),         cmocka_unit_test(test_curves),
        cmocka_unit_test(test_pose),          cmocka_unit_test(test_feet),
        cmocka_unit_test(test_cross_section), cmocka_unit_test(test_torso_doppler),
        cmocka_unit_test(test_step_frequency), cmocka_unit_test(test_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
