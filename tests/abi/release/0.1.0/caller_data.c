/* SPDX-License-Identifier: MIT
 * Images and data sets. */
#include "caller.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void caller_images(caller *c)
{
    static uint8_t rgb[CALLER_PIXELS], back[CALLER_PIXELS]; /* [32][32][3] */
    static float pixels[CALLER_PIXELS];                     /* [1,3,32,32] */
    int64_t height = 0, width = 0;
    char path[1024], folder[900];
    int written = 0;

    snprintf(folder, sizeof folder, "%s/data", c->folder);
    mkdir(folder, 0777);
    for (int i = 0; i < 12; i++) {
        for (int k = 0; k < CALLER_PIXELS; k++)
            rgb[k] = (uint8_t)((k * (i + 3) + 40 * (i / 6)) & 255);
        snprintf(path, sizeof path, "%s/ID_%d", folder, i / 6 + 1);
        mkdir(path, 0777);
        snprintf(path, sizeof path, "%s/ID_%d/%d.png", folder, i / 6 + 1, i);
        written += mdldm_image_write(c->ctx, path, rgb, CALLER_SIDE, CALLER_SIDE) == MDLDM_OK;
    }
    caller_say("mdldm_image_write", "%d files", written);
    TRY(mdldm_image_write(c->ctx, "/no/such/folder/x.png", rgb, CALLER_SIDE, CALLER_SIDE));
    TRY(mdldm_image_read(c->ctx, path, NULL, 0, &height, &width));
    caller_say("mdldm_image_read", "%d x %d", (int)height, (int)width);
    TRY(mdldm_image_read(c->ctx, path, back, 1, &height, &width));
    TRY(mdldm_image_read(c->ctx, path, back, sizeof back, &height, &width));
    caller_say("mdldm_image_read", "%s", memcmp(rgb, back, sizeof rgb) == 0 ? "what was written" : "SOMETHING ELSE");
    TRY(mdldm_rgb8_to_pixels(c->ctx, rgb, 1, CALLER_SIDE, CALLER_SIDE, pixels, CALLER_PIXELS));
    caller_say("mdldm_rgb8_to_pixels", "%s", fabsf(pixels[1] - ((float)rgb[3] / 127.5F - 1.0F)) < 1e-6F ? "x / 127.5 - 1, planes" : "OTHER VALUES");
    TRY(mdldm_pixels_to_rgb8(c->ctx, pixels, 1, CALLER_SIDE, CALLER_SIDE, back, sizeof back));
    caller_say("mdldm_pixels_to_rgb8", "%s", memcmp(rgb, back, sizeof rgb) == 0 ? "the same again" : "SOMETHING ELSE");
    snprintf(path, sizeof path, "%s/ID_1/broken.png", folder);
    FILE *broken = fopen(path, "w");
    if (broken != NULL) {
        fputs("not a picture", broken);
        fclose(broken);
    }
}

void caller_dataset(caller *c)
{
    static float pixels[CALLER_PIXELS];
    static uint8_t rgb[CALLER_PIXELS];
    mdldm_options *o = NULL;
    char path[1024];

    snprintf(path, sizeof path, "%s/data", c->folder);
    TRY(mdldm_options_create(c->ctx, &o));
    TRY(mdldm_options_set_int(c->ctx, o, "resolution", CALLER_SIDE));
    TRY(mdldm_dataset_open(c->ctx, "/no/such/folder", o, &c->data));
    if (!TRY(mdldm_dataset_open(c->ctx, path, o, &c->data)))
        printf("%s\n", mdldm_context_error(c->ctx));
    mdldm_options_free(o);
    caller_say("mdldm_dataset_count", "%d", (int)mdldm_dataset_count(c->data));
    caller_say("mdldm_dataset_skipped", "%d", (int)mdldm_dataset_skipped(c->data));
    caller_say("mdldm_dataset_class_count", "%d", (int)mdldm_dataset_class_count(c->data));
    caller_say("mdldm_dataset_class_name", "%s %s", mdldm_dataset_class_name(c->data, 0), mdldm_dataset_class_name(c->data, 1));
    caller_say("mdldm_dataset_item_name", "%s", mdldm_dataset_item_name(c->data, 11));
    caller_say("mdldm_dataset_item_name", "%s", mdldm_dataset_item_name(c->data, 12) == NULL ? "NULL out of range" : "SOMETHING OUT OF RANGE");
    caller_say("mdldm_dataset_item_label", "%d", (int)mdldm_dataset_item_label(c->data, 11));
    TRY(mdldm_dataset_read(c->ctx, c->data, 11, pixels, CALLER_PIXELS));
    TRY(mdldm_dataset_read(c->ctx, c->data, 11, pixels, 5));
    TRY(mdldm_dataset_read_rgb8(c->ctx, c->data, 11, rgb, sizeof rgb));
    caller_say("mdldm_dataset_read_rgb8", "%s", fabsf(pixels[1] - ((float)rgb[3] / 127.5F - 1.0F)) < 1e-6F ? "the same picture" : "ANOTHER PICTURE");
}
