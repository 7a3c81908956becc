/* SPDX-License-Identifier: MIT
 * From radar samples to pictures and back. */
#include "caller.h"

#include <math.h>
#include <string.h>

enum { SAMPLES = 1024, WINDOW = 64, FRAMES = 1 + (SAMPLES - WINDOW) / (WINDOW / 4) };

static void spectrogram(caller *c)
{
    static float iq[2 * SAMPLES], db[WINDOW * FRAMES], small[16 * 16];
    static double frequency[WINDOW], time[FRAMES];
    mdldm_options *o = NULL;
    int64_t rows = 0, columns = 0;
    int peak = 0;

    for (int i = 0; i < SAMPLES; i++) { /* amplitude 1 at an eighth of the rate */
        iq[2 * i] = (float)cos(0.785398163397448 * i);
        iq[2 * i + 1] = (float)sin(0.785398163397448 * i);
    }
    TRY(mdldm_options_create(c->ctx, &o));
    TRY(mdldm_options_set_int(c->ctx, o, "win_length", WINDOW));
    TRY(mdldm_spectrogram(c->ctx, NULL, SAMPLES, 1000.0, o, NULL, 0, &rows, &columns));
    caller_say("mdldm_spectrogram", "%d x %d", (int)rows, (int)columns);
    TRY(mdldm_spectrogram(c->ctx, iq, SAMPLES, 1000.0, o, db, WINDOW * FRAMES - 1, NULL, NULL));
    TRY(mdldm_spectrogram(c->ctx, iq, SAMPLES, -1.0, o, db, WINDOW * FRAMES, NULL, NULL));
    TRY(mdldm_spectrogram(c->ctx, iq, SAMPLES, 1000.0, o, db, WINDOW * FRAMES, &rows, &columns));
    TRY(mdldm_spectrogram_axes(c->ctx, SAMPLES, 1000.0, o, frequency, WINDOW, time, FRAMES));
    for (int r = 0; r < WINDOW; r++)
        peak = db[r * FRAMES] > db[peak * FRAMES] ? r : peak;
    caller_say("mdldm_spectrogram", "%.1f dB", fabs((double)db[peak * FRAMES]) < 0.05 ? 0.0 : (double)db[peak * FRAMES]);
    caller_say("mdldm_spectrogram_axes", "%.1f Hz, every %.1f ms", frequency[peak], 1e3 * (time[1] - time[0]));
    TRY(mdldm_matrix_resize(c->ctx, db, WINDOW, FRAMES, 16, 16, small, 256));
    caller_say("mdldm_matrix_resize", "%s", caller_finite(small, 256));
    TRY(mdldm_matrix_resize(c->ctx, db, WINDOW, FRAMES, 16, 16, small, 255));
    mdldm_options_free(o);
}

static void decibels(caller *c)
{
    const float db[4] = { -70.0F, -40.0F, -20.0F, 0.0F };
    float unit[4], back[4];
    double low = 0, high = 0;

    TRY(mdldm_db_range(c->ctx, db, 4, 40.0, &low, &high));
    caller_say("mdldm_db_range", "%g to %g", low, high);
    TRY(mdldm_db_range(c->ctx, db, 4, -40.0, &low, &high));
    TRY(mdldm_db_to_unit(c->ctx, db, 4, -40.0, 0.0, unit, 4));
    caller_say("mdldm_db_to_unit", "%g %g %g %g", (double)unit[0], (double)unit[1], (double)unit[2], (double)unit[3]);
    TRY(mdldm_unit_to_db(c->ctx, unit, 4, -40.0, 0.0, back, 4));
    caller_say("mdldm_unit_to_db", "%g %g %g %g", (double)back[0], (double)back[1], (double)back[2], (double)back[3]);
    TRY(mdldm_db_to_pixels(c->ctx, db, 4, -40.0, 0.0, unit, 4));
    caller_say("mdldm_db_to_pixels", "%g %g %g %g", (double)unit[0], (double)unit[1], (double)unit[2], (double)unit[3]);
    TRY(mdldm_pixels_to_db(c->ctx, unit, 4, -40.0, 0.0, back, 4));
    caller_say("mdldm_pixels_to_db", "%g %g %g %g", (double)back[0], (double)back[1], (double)back[2], (double)back[3]);
    TRY(mdldm_db_to_pixels(c->ctx, db, 4, -40.0, 0.0, unit, 3));
}

static void colours(caller *c)
{
    const float ramp[3] = { -40.0F, -20.0F, 0.0F };
    float values[3], residuals[3];
    double mean = -1, most = -1;
    uint8_t rgb[9];
    int known = 0;

    for (int32_t i = 0; i < mdldm_colormap_count(); i++)
        known += strcmp(mdldm_colormap_name(i), "jet") == 0 || strcmp(mdldm_colormap_name(i), "viridis") == 0;
    caller_say("mdldm_colormap_count", "%s", mdldm_colormap_count() >= 5 ? "no fewer than there were" : "FEWER THAN THERE WERE");
    caller_say("mdldm_colormap_name", "%d of 2, %s out of range", known, mdldm_colormap_name(-1) == NULL ? "NULL" : "SOMETHING");
    for (int32_t i = 0; i < mdldm_colormap_count(); i++) {
        mdldm_status s = mdldm_colormap_apply(c->ctx, mdldm_colormap_name(i), ramp, 3, -40.0F, 0.0F, rgb, sizeof rgb);
        mdldm_status b = mdldm_colormap_invert(c->ctx, mdldm_colormap_name(i), rgb, 3, -40.0F, 0.0F, values, 3, residuals, 3, &mean, &most);
        if (s != MDLDM_OK || b != MDLDM_OK || fabsf(values[1] + 20.0F) > 0.2F || most > 0.01 || mean > most)
            caller_say("mdldm_colormap_invert", "%s DOES NOT COME BACK", mdldm_colormap_name(i));
    }
    TRY(mdldm_colormap_apply(c->ctx, "jet", ramp, 3, -40.0F, 0.0F, rgb, sizeof rgb));
    caller_say("mdldm_colormap_apply", "%s", rgb[2] > 100 && rgb[0] == 0 && rgb[6] > 100 && rgb[8] == 0 ? "blue to red" : "OTHER COLOURS");
    TRY(mdldm_colormap_apply(c->ctx, "no-such-map", ramp, 3, -40.0F, 0.0F, rgb, sizeof rgb));
    TRY(mdldm_colormap_invert(c->ctx, "jet", rgb, 3, -40.0F, 0.0F, values, 3, NULL, 0, NULL, NULL));
    caller_say("mdldm_colormap_invert", "%.0f %.0f %.0f", (double)values[0], (double)values[1], (double)values[2]);
    TRY(mdldm_colormap_invert(c->ctx, "jet", rgb, 3, -40.0F, 0.0F, values, 2, NULL, 0, NULL, NULL));
}

void caller_signal(caller *c)
{
    spectrogram(c);
    decibels(c);
    colours(c);
}
