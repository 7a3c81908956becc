/* SPDX-License-Identifier: MIT */
#include "preprocess.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "paths.h"
#include "progress.h"

/* PATH of a picture: the item's own with the extension .png; when the picture before it differs in the
 * extension only, the whole name is kept (a.jpg, a.png -> a.png, a.png.png). */
static int target_of(const char *folder, const char *item, const char *previous, char *path, size_t size)
{
    const char *slash = strrchr(item, '/'), *dot = strrchr(item, '.');
    int stem = dot != NULL && (slash == NULL || dot > slash) ? (int)(dot - item) : (int)strlen(item);
    int length = snprintf(path, size, "%s/%.*s.png", folder, stem, item);

    if (strcmp(path, previous) == 0) {
        length = snprintf(path, size, "%s/%s.png", folder, item);
    }
    return length > 0 && (size_t)length < size;
}

static int convert_all(const cli *c, const mdldm_dataset *d, const char *processed, uint8_t *rgb, int64_t side)
{
    char path[4096], previous[4096] = "";
    int64_t count = mdldm_dataset_count(d);
    progress bar;

    progress_start(&bar, "preprocess", "images", 0, count, c->quiet);
    for (int64_t i = 0; i < count; i++) {
        const char *item = mdldm_dataset_item_name(d, i);

        if (!target_of(processed, item, previous, path, sizeof path)) {
            progress_break(&bar);
            return cli_error(c, "the path of %s in %s is too long", item, processed);
        }
        if (!paths_make_parents(path)) {
            progress_break(&bar);
            return cli_error(c, "cannot make the folder of %s: %s", path, strerror(errno));
        }
        mdldm_status s = mdldm_dataset_read_rgb8(c->ctx, d, i, rgb, (size_t)(side * side * 3));
        if (s == MDLDM_OK) {
            s = mdldm_image_write(c->ctx, path, rgb, side, side);
        }
        if (s == MDLDM_OK && cli_interrupted()) {
            s = MDLDM_ERROR_CANCELLED;
        }
        if (s != MDLDM_OK) {
            progress_break(&bar);
            return cli_failed(c, s);
        }
        memcpy(previous, path, sizeof path);
        progress_update(&bar, i + 1, "");
    }
    cli_say(c, "%lld images of %lld x %lld pixels are in %s; %lld unreadable ones were skipped", (long long)count,
            (long long)side, (long long)side, processed, (long long)mdldm_dataset_skipped(d));
    return 0;
}

/* 1 when folder is the same as the other or lies within it. */
static int lies_within(const char *folder, const char *other)
{
    char *a = realpath(folder, NULL), *b = realpath(other, NULL);
    size_t length = b != NULL ? strlen(b) : 0;
    int within = a != NULL && b != NULL && strncmp(a, b, length) == 0 && (a[length] == '\0' || a[length] == '/');

    free(a);
    free(b);
    return within;
}

/* Pictures keep their colours here: training on one channel takes them away, once. So of the options only those
 * about which pictures, and how large, are taken along. */
static mdldm_status open_raw(const cli *c, const char *raw, mdldm_dataset **d)
{
    static const char *const keys[] = { "resolution", "max_samples", "strict" };
    mdldm_options *o = NULL;
    mdldm_status s = mdldm_options_create(c->ctx, &o);

    for (size_t i = 0; s == MDLDM_OK && i < sizeof keys / sizeof keys[0]; i++) {
        s = mdldm_options_set_int(c->ctx, o, keys[i], cli_option_integer(c, keys[i]));
    }
    if (s == MDLDM_OK) {
        s = mdldm_dataset_open(c->ctx, raw, o, d);
    }
    mdldm_options_free(o);
    return s;
}

int preprocess_run(const cli *c, const char *raw, const char *processed)
{
    mdldm_dataset *d = NULL;
    int64_t side = cli_option_integer(c, "resolution");
    mdldm_status s = open_raw(c, raw, &d);

    if (s != MDLDM_OK) {
        return cli_failed(c, s);
    }
    uint8_t *rgb = malloc((size_t)(side * side * 3));
    int code;
    if (rgb == NULL) {
        code = cli_error(c, "no memory for an image of %lld pixels", (long long)side);
    } else if (!paths_make_folder(processed)) {
        code = cli_error(c, "cannot make the folder %s: %s", processed, strerror(errno));
    } else if (lies_within(processed, raw)) {
        code = cli_error(c, "processed_data_dir %s lies in raw_data_dir %s: name a folder outside it", processed, raw);
    } else {
        code = convert_all(c, d, processed, rgb, side);
    }
    free(rgb);
    mdldm_dataset_free(d);
    return code;
}
