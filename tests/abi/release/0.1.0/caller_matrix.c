/* SPDX-License-Identifier: MIT
 * Data sets from memory, and one channel. */
#include "caller.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MATRICES = 4, SIZE = CALLER_SIDE * CALLER_SIDE };

static void from_db(caller *c)
{
    static float db[MATRICES * SIZE], pixels[SIZE];
    const int64_t labels[MATRICES] = { 1, 0, 1, 0 };
    mdldm_options *o = NULL;
    mdldm_dataset *d = NULL;
    double low = 0, high = 0;

    for (int i = 0; i < MATRICES * SIZE; i++)
        db[i] = -70.0F + (float)(i % SIZE) / 16.0F; /* -70 to -6 dB */
    TRY(mdldm_options_create(c->ctx, &o));
    TRY(mdldm_options_set_int(c->ctx, o, "resolution", CALLER_SIDE));
    TRY(mdldm_options_set_double(c->ctx, o, "db_floor", -40.0));
    TRY(mdldm_options_set_double(c->ctx, o, "db_ceiling", -8.0));
    TRY(mdldm_dataset_from_db(c->ctx, db, MATRICES, -1, CALLER_SIDE, labels, "ID_1/ID_2", o, &d));
    TRY(mdldm_dataset_from_db(c->ctx, db, MATRICES, CALLER_SIDE, CALLER_SIDE, labels, "ID_1/ID_2", o, &d));
    caller_say("mdldm_dataset_from_db", "%d of %d classes, item 3 is %s", (int)mdldm_dataset_count(d),
               (int)mdldm_dataset_class_count(d), mdldm_dataset_item_name(d, 3));
    caller_say("mdldm_dataset_channels", "%d", (int)mdldm_dataset_channels(d));
    TRY(mdldm_dataset_db_range(c->ctx, d, &low, &high));
    caller_say("mdldm_dataset_db_range", "%g to %g", low, high);
    mdldm_dataset_read(c->ctx, d, 0, pixels, SIZE);
    caller_say("mdldm_dataset_from_db", "first pixel %g, last %g", (double)pixels[0], (double)pixels[SIZE - 1]);
    mdldm_dataset_free(d);
    db[5] = NAN;
    TRY(mdldm_dataset_from_db(c->ctx, db, MATRICES, CALLER_SIDE, CALLER_SIDE, NULL, NULL, o, &d));
    mdldm_options_free(o);
}

static void from_rgb8(caller *c)
{
    static uint8_t rgb[2 * CALLER_PIXELS], back[CALLER_PIXELS];
    mdldm_options *o = NULL;
    mdldm_dataset *d = NULL;
    double low = 0, high = 0;

    for (int i = 0; i < 2 * CALLER_PIXELS; i++)
        rgb[i] = (uint8_t)(i * 7 & 255);
    TRY(mdldm_options_create(c->ctx, &o));
    TRY(mdldm_options_set_int(c->ctx, o, "resolution", CALLER_SIDE));
    TRY(mdldm_dataset_from_rgb8(c->ctx, rgb, 2, CALLER_SIDE, CALLER_SIDE, NULL, NULL, o, &d));
    mdldm_dataset_read_rgb8(c->ctx, d, 1, back, sizeof back);
    caller_say("mdldm_dataset_from_rgb8", "%s", memcmp(rgb + CALLER_PIXELS, back, sizeof back) == 0 ? "what was given" : "SOMETHING ELSE");
    caller_say("mdldm_dataset_channels", "%d, none: %d", (int)mdldm_dataset_channels(d), (int)mdldm_dataset_channels(NULL));
    TRY(mdldm_dataset_db_range(c->ctx, d, &low, &high));
    mdldm_dataset_free(d);
    mdldm_options_free(o);
}

static void grey(caller *c)
{
    static uint8_t bytes[SIZE], back[SIZE];
    static float pixels[SIZE];
    int64_t height = 0, width = 0;
    char path[1024];

    for (int i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 11 & 255);
    snprintf(path, sizeof path, "%s/grey.png", c->folder);
    TRY(mdldm_image_write_grey8(c->ctx, path, bytes, CALLER_SIDE, CALLER_SIDE));
    TRY(mdldm_image_read_grey8(c->ctx, path, back, sizeof back, &height, &width));
    caller_say("mdldm_image_read_grey8", "%d x %d, %s", (int)height, (int)width, memcmp(bytes, back, SIZE) == 0 ? "what was written" : "SOMETHING ELSE");
    TRY(mdldm_image_read_grey8(c->ctx, path, back, 3, &height, &width));
    TRY(mdldm_grey8_to_pixels(c->ctx, bytes, 1, CALLER_SIDE, CALLER_SIDE, pixels, SIZE));
    caller_say("mdldm_grey8_to_pixels", "%s", fabsf(pixels[1] - ((float)bytes[1] / 127.5F - 1.0F)) < 1e-6F ? "x / 127.5 - 1" : "OTHER VALUES");
    TRY(mdldm_pixels_to_grey8(c->ctx, pixels, 1, CALLER_SIDE, CALLER_SIDE, back, SIZE));
    caller_say("mdldm_pixels_to_grey8", "%s", memcmp(bytes, back, SIZE) == 0 ? "the same again" : "SOMETHING ELSE");
}

void caller_matrix(caller *c)
{
    from_db(c);
    from_rgb8(c);
    grey(c);
}
