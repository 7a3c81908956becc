/* SPDX-License-Identifier: MIT
 * Gait measures of a torso line whose envelope swings four times. */
#include "caller.h"

#include <math.h>
#include <string.h>

enum { GAIT_SIDE = 64, GAIT_MEASURES = 64 };

static int measure_index(const char *name)
{
    for (int i = 0; i < mdldm_gait_measure_count(); i++) {
        if (strcmp(mdldm_gait_measure_name(i), name) == 0)
            return i;
    }
    return 0;
}

static void say_measures(const char *call, const double *values)
{
    caller_say(call, "torso %.1f, steps %.2f", values[measure_index("torso_doppler")],
               values[measure_index("step_frequency")]);
}

void caller_gait(caller *c)
{
    static float db[GAIT_SIDE * GAIT_SIDE];
    static double values[1024 * GAIT_MEASURES], curves[3 * GAIT_SIDE];
    mdldm_options *o = NULL;

    for (int i = 0; i < GAIT_SIDE * GAIT_SIDE; i++) {
        int row = i / GAIT_SIDE;
        double top = 20.0 - 8.0 * sin(6.283185307179586 * 4.0 * (i % GAIT_SIDE + 0.5) / GAIT_SIDE);
        db[i] = row == 40 ? 0.0F : row > top && row < 40 ? -20.0F : -60.0F;
    }
    caller_say("mdldm_gait_measure_count", "%s", mdldm_gait_measure_count() >= 18 && mdldm_gait_measure_count() <= GAIT_MEASURES ? "no fewer than there were" : "FEWER THAN THERE WERE");
    caller_say("mdldm_gait_measure_name", "%s", mdldm_gait_measure_name(0));
    caller_say("mdldm_gait_measure_unit", "%s", mdldm_gait_measure_unit(0));
    caller_say("mdldm_gait_measure_help", "%s", mdldm_gait_measure_help(0)[0] != '\0' ? "some" : "NONE");
    TRY(mdldm_options_create(c->ctx, &o));
    TRY(mdldm_options_set_double(c->ctx, o, "picture_duration", 2.0));
    TRY(mdldm_gait_measure(c->ctx, db, 1, GAIT_SIDE, GAIT_SIDE, o, values, 1, NULL, 0));
    TRY(mdldm_gait_measure(c->ctx, db, 1, GAIT_SIDE, GAIT_SIDE, o, values, GAIT_MEASURES, curves, 3 * GAIT_SIDE));
    say_measures("mdldm_gait_measure", values);
    for (int i = 0; i < GAIT_SIDE * GAIT_SIDE; i++)
        db[i] = db[i] / 30.0F + 1.0F;
    TRY(mdldm_gait_measure_pixels(c->ctx, db, 1, 1, GAIT_SIDE, GAIT_SIDE, NULL, values, GAIT_MEASURES, NULL, 0));
    say_measures("mdldm_gait_measure_pixels", values);
    TRY(mdldm_gait_measure_dataset(c->ctx, c->data, NULL, values, 1));
    TRY(mdldm_gait_measure_dataset(c->ctx, c->data, NULL, values, sizeof values / sizeof *values));
    mdldm_options_free(o);
}
