/* SPDX-License-Identifier: MIT
 * Data sets from folders and zip archives: what is listed, in which order, under which labels; what is
 * broken; the split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#include <cmocka.h>

#include "../support/image_files.h"
#include "../support/temp_dir.h"
#include "../support/torture.h"
#include "data/image.h"
#include "data/loader.h"
#include "data/natural_order.h"

static mdldm_context *ctx;
static mdldm_options *options;
static char *folder;
static char logged[4096];

static void log_all(void *user, int32_t level, const char *text)
{
    (void)user;
    if (level <= 1)
        snprintf(logged + strlen(logged), sizeof logged - strlen(logged), "%s\n", text);
}

static int setup(void **state)
{
    (void)state;
    logged[0] = '\0';
    folder = temp_dir_make();
    if (mdldm_context_create(&ctx) != MDLDM_OK || mdldm_options_create(ctx, &options) != MDLDM_OK)
        return -1;
    mdldm_context_set_log(ctx, log_all, NULL);
    return mdldm_options_set_int(ctx, options, "resolution", 8) == MDLDM_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    mdldm_options_free(options);
    mdldm_context_free(ctx);
    temp_dir_remove(folder);
    return 0;
}

static mdldm_dataset *open_ok(const char *path)
{
    mdldm_dataset *d = NULL;
    if (mdldm_dataset_open(ctx, path, options, &d) != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(ctx));
    assert_non_null(d);
    assert_string_equal(mdldm_context_error(ctx), "");
    return d;
}

static void open_fails(const char *path, mdldm_status status, const char *a, const char *b)
{
    mdldm_dataset *d = (mdldm_dataset *)folder;
    assert_int_equal(mdldm_dataset_open(ctx, path, options, &d), status);
    assert_null(d);
    if (strstr(mdldm_context_error(ctx), a) == NULL || strstr(mdldm_context_error(ctx), b) == NULL)
        fail_msg("\"%s\" should name \"%s\" and say \"%s\"", mdldm_context_error(ctx), a, b);
}

/* Items as "label:name label:name". */
static void assert_items(const mdldm_dataset *d, const char *expected)
{
    char text[2048] = "";
    for (int64_t i = 0; i < mdldm_dataset_count(d); i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%lld:%s", i > 0 ? " " : "",
                 (long long)mdldm_dataset_item_label(d, i), mdldm_dataset_item_name(d, i));
    assert_string_equal(text, expected);
}

static void picture(const char *name, uint8_t red)
{
    image_file(temp_path(folder, name), 8, 8, red, 10, 20);
}

/* ---- order ---- */

static void natural_order(void **state)
{
    (void)state;
    static const char *const sorted[] = {"",    "1",    "01",        "1a",  "2",       "10",      "10a2",
                                         "10a10", "A",  "ID_1/10.png", "ID_1/a/b", "ID_1a/0", "ID_2/1",  "ID_10/1",
                                         "a",   "a0",   "a00",       "a1",  "a99999999999999999999998",
                                         "a99999999999999999999999",  "b"};
    const int count = (int)(sizeof sorted / sizeof *sorted);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++) {
            const int order = mdldm__natural_compare(sorted[i], sorted[j]);
            /* "1" and "01", "a0" and "a00": equal numbers, told apart by their bytes ("01" first) */
            if (strcmp(sorted[i], "1") == 0 && strcmp(sorted[j], "01") == 0)
                assert_true(order > 0);
            else if (strcmp(sorted[i], "01") == 0 && strcmp(sorted[j], "1") == 0)
                assert_true(order < 0);
            else if ((order > 0) - (order < 0) != (i > j) - (i < j))
                fail_msg("\"%s\" against \"%s\" gives %d", sorted[i], sorted[j], order);
        }
}

/* ---- folders ---- */

static void flat_folder_has_no_classes(void **state)
{
    (void)state;
    picture("f10.png", 1);
    picture("f2.PNG", 2);
    picture(".hidden.png", 3);
    temp_write(temp_path(folder, "notes.txt"), "x", 1);
    assert_int_equal(mkdir(temp_path(folder, "empty"), 0777), 0);
    mdldm_dataset *d = open_ok(folder);
    assert_items(d, "-1:f2.PNG -1:f10.png");
    assert_int_equal(mdldm_dataset_class_count(d), 0);
    assert_null(mdldm_dataset_class_name(d, 0));
    assert_int_equal(mdldm_dataset_skipped(d), 0);
    assert_null(mdldm_dataset_item_name(d, 2));
    assert_null(mdldm_dataset_item_name(d, -1));
    assert_int_equal(mdldm_dataset_item_label(d, 2), -1);
    assert_string_equal(logged, "");
    mdldm_dataset_free(d);
}

static void sub_folders_are_classes(void **state)
{
    (void)state;
    picture("ID_10/a.png", 1);
    picture("ID_2/b10.png", 2);
    picture("ID_2/b9.png", 3);
    picture("ID_2/deep/er/a.png", 4);
    picture("x.png/inside.png", 5); /* a folder under an image's name */
    picture("__MACOSX/no.png", 6);
    picture(".git/no.png", 6);
    mdldm_dataset *d = open_ok(folder);
    assert_items(d, "0:ID_2/b9.png 0:ID_2/b10.png 0:ID_2/deep/er/a.png 1:ID_10/a.png 2:x.png/inside.png");
    assert_int_equal(mdldm_dataset_class_count(d), 3);
    assert_string_equal(mdldm_dataset_class_name(d, 0), "ID_2");
    assert_string_equal(mdldm_dataset_class_name(d, 1), "ID_10");
    assert_string_equal(mdldm_dataset_class_name(d, 2), "x.png");
    assert_null(mdldm_dataset_class_name(d, 3));
    assert_null(mdldm_dataset_class_name(d, -1));

    uint8_t rgb[192];
    float pixels[192];
    assert_int_equal(mdldm_dataset_read_rgb8(ctx, d, 3, rgb, 192), MDLDM_OK);
    assert_int_equal(rgb[0], 1);
    assert_int_equal(rgb[191], 20);
    assert_int_equal(mdldm_dataset_read(ctx, d, 3, pixels, 192), MDLDM_OK);
    assert_true(pixels[0] == (1 / 255.0f - 0.5f) / 0.5f && pixels[191] == (20 / 255.0f - 0.5f) / 0.5f);
    assert_int_equal(mdldm_dataset_read(ctx, d, 5, pixels, 192), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_dataset_read(ctx, d, 0, pixels, 191), MDLDM_ERROR_CAPACITY);
    assert_int_equal(mdldm_dataset_read_rgb8(ctx, d, 0, rgb, 191), MDLDM_ERROR_CAPACITY);
    assert_int_equal(mdldm_dataset_read_rgb8(ctx, NULL, 0, rgb, 192), MDLDM_ERROR_INVALID_ARGUMENT);

    /* A handle outlives the context it was opened with. */
    mdldm_context *other = NULL;
    assert_int_equal(mdldm_context_create(&other), MDLDM_OK);
    mdldm_dataset *second = NULL;
    assert_int_equal(mdldm_dataset_open(other, folder, options, &second), MDLDM_OK);
    mdldm_context_free(other);
    assert_int_equal(mdldm_dataset_read_rgb8(ctx, second, 0, rgb, 192), MDLDM_OK);
    mdldm_dataset_free(second);
    mdldm_dataset_free(d);
}

static void max_samples_counts_per_class(void **state)
{
    (void)state;
    picture("a/1.png", 1);
    picture("a/2.png", 1);
    picture("a/10.png", 1);
    picture("b/5.png", 1);
    image_file_broken(temp_path(folder, "b/3.png"));
    picture("b/7.png", 1);
    picture("b/8.png", 1);
    assert_int_equal(mdldm_options_set_int(ctx, options, "max_samples", 2), MDLDM_OK);
    mdldm_dataset *d = open_ok(folder);
    assert_items(d, "0:a/1.png 0:a/2.png 1:b/5.png 1:b/7.png");
    assert_int_equal(mdldm_dataset_skipped(d), 1);
    mdldm_dataset_free(d);
}

static void broken_files_are_named_and_skipped(void **state)
{
    (void)state;
    picture("a/1.png", 1);
    image_file_broken(temp_path(folder, "a/2.png"));
    temp_write(temp_path(folder, "a/3.jpg"), "", 0);
    temp_write(temp_path(folder, "a/4.jpeg"), "no image", 8);
    assert_int_equal(symlink("nowhere", temp_path(folder, "a/5.png")), 0);
    mdldm_dataset *d = open_ok(folder);
    assert_items(d, "0:a/1.png");
    assert_int_equal(mdldm_dataset_skipped(d), 4);
    for (int i = 2; i <= 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "a/%d.", i);
        assert_non_null(strstr(logged, name));
    }
    assert_non_null(strstr(logged, "4 unreadable images skipped, 1 read"));
    mdldm_dataset_free(d);

    assert_int_equal(mdldm_options_set_int(ctx, options, "strict", 1), MDLDM_OK);
    open_fails(folder, MDLDM_ERROR_FORMAT, "a/2.png", "broken PNG");
}

static void useless_folders_are_refused(void **state)
{
    (void)state;
    open_fails(temp_path(folder, "none"), MDLDM_ERROR_NOT_FOUND, "none", "No such file");
    open_fails(folder, MDLDM_ERROR_FORMAT, folder, "holds no images");
    image_file_broken(temp_path(folder, "c/2.png"));
    open_fails(folder, MDLDM_ERROR_FORMAT, "none of the 1 images", "c/2.png");
    picture("top.png", 1);
    open_fails(folder, MDLDM_ERROR_FORMAT, "top.png", "c/2.png");
    assert_int_equal(mkfifo(temp_path(folder, "pipe"), 0600), 0);
    open_fails(temp_path(folder, "pipe"), MDLDM_ERROR_INVALID_ARGUMENT, "pipe", "neither a folder nor");
    open_fails(temp_path(folder, "top.png"), MDLDM_ERROR_FORMAT, "top.png", "no readable zip archive");
    mdldm_dataset *d = NULL;
    assert_int_equal(mdldm_dataset_open(ctx, NULL, options, &d), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_dataset_open(ctx, folder, options, NULL), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_dataset_open(NULL, folder, options, &d), MDLDM_ERROR_INVALID_ARGUMENT);
    mdldm_dataset_free(NULL);
    assert_int_equal(mdldm_dataset_count(NULL), 0);
}

static void a_link_to_the_folder_above_ends(void **state)
{
    (void)state;
    picture("a/1.png", 1);
    assert_int_equal(symlink("..", temp_path(folder, "a/up")), 0);
    open_fails(folder, MDLDM_ERROR_FORMAT, "a/up", "nested more than 32");
}

static void threads_do_not_change_what_opening_finds(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        char name[32];
        snprintf(name, sizeof name, "%c/%d.png", 'a' + i / 20, i);
        if (i % 7 == 3 || i == 40 || i == 41)
            image_file_broken(temp_path(folder, name));
        else
            picture(name, (uint8_t)i);
    }
    for (int64_t most = 0; most <= 6; most += 6) {
        char first[sizeof logged] = "";
        int64_t count = 0, skipped = 0;
        assert_int_equal(mdldm_options_set_int(ctx, options, "max_samples", most), MDLDM_OK);
        for (int32_t threads = 1; threads <= 6; threads++) {
            assert_int_equal(mdldm_context_set_threads(ctx, threads), MDLDM_OK);
            logged[0] = '\0';
            mdldm_dataset *d = open_ok(folder);
            if (threads == 1) {
                memcpy(first, logged, sizeof first);
                count = mdldm_dataset_count(d);
                skipped = mdldm_dataset_skipped(d);
            }
            assert_string_equal(logged, first);
            assert_int_equal(mdldm_dataset_count(d), count);
            assert_int_equal(mdldm_dataset_skipped(d), skipped);
            mdldm_dataset_free(d);
        }
        assert_int_equal(count, most == 0 ? 60 - 11 : 18);
        assert_int_equal(skipped, most == 0 ? 11 : 5); /* 3; 24; 40, 41, 45 */
    }
    assert_int_equal(mdldm_options_set_int(ctx, options, "strict", 1), MDLDM_OK);
    open_fails(folder, MDLDM_ERROR_FORMAT, "a/3.png", "broken PNG");
}

static int32_t refuse(void *user, const char *stage, int64_t done, int64_t total)
{
    (void)user;
    assert_string_equal(stage, "check");
    assert_int_equal(total, 3);
    return done == 2;
}

static void opening_can_be_cancelled(void **state)
{
    (void)state;
    picture("1.png", 1);
    picture("2.png", 1);
    picture("3.png", 1);
    mdldm_context_set_progress(ctx, refuse, NULL);
    open_fails(folder, MDLDM_ERROR_CANCELLED, "cancelled", "progress");
}

static void a_file_lost_later_is_an_error(void **state)
{
    (void)state;
    picture("1.png", 1);
    picture("2.png", 1);
    mdldm_dataset *d = open_ok(folder);
    assert_int_equal(remove(temp_path(folder, "2.png")), 0);
    uint8_t rgb[192];
    memset(rgb, 3, sizeof rgb);
    assert_int_equal(mdldm_dataset_read_rgb8(ctx, d, 1, rgb, 192), MDLDM_ERROR_NOT_FOUND);
    assert_non_null(strstr(mdldm_context_error(ctx), "2.png"));
    assert_int_equal(rgb[0], 3);
    mdldm_dataset_free(d);
}

/* Root may read everything: the test lays its rights down for a while. */
static void files_without_permission(void **state)
{
    (void)state;
    picture("a/1.png", 1);
    picture("a/2.png", 1);
    picture("b/1.png", 1);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chmod(temp_path(folder, "a/2.png"), 0), 0);
    const int root = geteuid() == 0;
    if (root)
        assert_int_equal(seteuid(65534), 0);
    mdldm_dataset *d = open_ok(folder);
    assert_items(d, "0:a/1.png 1:b/1.png");
    assert_non_null(strstr(logged, "Permission denied"));
    mdldm_dataset_free(d);
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(temp_path(folder, "b"), 0), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    open_fails(folder, MDLDM_ERROR_IO, "/b'", "Permission denied"); /* a class would be missing */
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(temp_path(folder, "b"), 0755), 0);
}

/* ---- zip ---- */

typedef struct zipped {
    const char *name;
    uint8_t red; /* the colour of its pixels; in larger pictures, of some */
} zipped;

static int zip_side = 8;

static const char *make_zip(const char *name, const zipped *files, int count)
{
    const char *path = temp_path(folder, name);
    int code = 0;
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    assert_non_null(zip);
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    for (int i = 0; i < count; i++) {
        static uint8_t rgb[160 * 160 * 3];
        if (zip_side == 8)
            memset(rgb, files[i].red, 192);
        else
            image_noise(zip_side, zip_side, rgb);
        for (int k = 0; zip_side > 8 && k < zip_side * 40; k++)
            rgb[k] = (uint8_t)(files[i].red * 9);
        char *png = NULL;
        size_t size = 0;
        assert_int_equal(mdldm__png_encode(&env, "x", rgb, 3, zip_side, zip_side, &png, &size), MDLDM_OK);
        char *kept = malloc(size); /* libzip frees it */
        assert_non_null(kept);
        memcpy(kept, png, size);
        mdldm__free(&env, png);
        zip_source_t *source = zip_source_buffer(zip, kept, size, 1);
        assert_non_null(source);
        assert_true(zip_file_add(zip, files[i].name, source, ZIP_FL_ENC_UTF_8) >= 0);
    }
    assert_int_equal(zip_close(zip), 0);
    return path;
}

static void zip_is_listed_like_a_folder(void **state)
{
    (void)state;
    static const zipped files[] = {{"ID_10/1.png", 10}, {"ID_2/2.png", 22}, {"ID_2/sub/1.png", 23},
                                   {"__MACOSX/ID_2/._2.png", 9}, {"ID_2/.x.png", 9}, {"readme.txt", 9}};
    mdldm_dataset *d = open_ok(make_zip("a.zip", files, 6));
    assert_items(d, "0:ID_2/2.png 0:ID_2/sub/1.png 1:ID_10/1.png");
    assert_string_equal(mdldm_dataset_class_name(d, 1), "ID_10");
    uint8_t rgb[192];
    assert_int_equal(mdldm_dataset_read_rgb8(ctx, d, 2, rgb, 192), MDLDM_OK);
    assert_int_equal(rgb[100], 10);
    assert_int_equal(mdldm_dataset_read_rgb8(ctx, d, 1, rgb, 192), MDLDM_OK);
    assert_int_equal(rgb[100], 23);
    mdldm_dataset_free(d);
}

/* Noise does not compress: long entries, so that readers without a lock would meet in the file. */
static void threads_share_a_zip(void **state)
{
    (void)state;
    enum { COUNT = 20, SIDE = 160, BATCH = 5 };
    zipped files[COUNT];
    char names[COUNT][16];
    int64_t all[COUNT];
    float expected[COUNT][192], images[BATCH * 192];
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "%d.png", i);
        files[i] = (zipped){names[i], (uint8_t)i};
        all[i] = i;
    }
    zip_side = SIDE;
    mdldm_dataset *d = open_ok(make_zip("m.zip", files, COUNT));
    zip_side = 8;
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(mdldm__dataset_item(&env, d, i, -1, expected[i]), MDLDM_OK);
        assert_true(i == 0 || memcmp(expected[i], expected[i - 1], sizeof expected[i]) != 0);
    }
    mdldm__loader *l = NULL;
    assert_int_equal(mdldm__loader_create(&env, d, all, COUNT, BATCH, 3, 0, 4, &l), MDLDM_OK);
    for (int b = 0; b < 40; b++) {
        int64_t items[BATCH];
        uint8_t rgb[192];
        if (mdldm__loader_next(&env, l, images, NULL, items) != MDLDM_OK)
            fail_msg("%s", env.error);
        for (int i = 0; i < BATCH; i++)
            assert_memory_equal(images + i * 192, expected[items[i]], sizeof expected[0]);
        /* and the caller reads beside them */
        assert_int_equal(mdldm_dataset_read_rgb8(ctx, d, b % COUNT, rgb, 192), MDLDM_OK);
    }
    mdldm__loader_free(l);
    mdldm_dataset_free(d);
}

static void outer_folder_of_a_zip_is_no_class(void **state)
{
    (void)state;
    static const zipped wrapped[] = {{"gait/ID_1/1.png", 1}, {"gait/ID_2/1.png", 2}};
    mdldm_dataset *d = open_ok(make_zip("w.zip", wrapped, 2));
    assert_items(d, "0:ID_1/1.png 1:ID_2/1.png");
    mdldm_dataset_free(d);
    static const zipped single[] = {{"ID_1/1.png", 1}, {"ID_1/s/1.png", 2}};
    d = open_ok(make_zip("s.zip", single, 2));
    assert_items(d, "0:ID_1/1.png 0:ID_1/s/1.png");
    mdldm_dataset_free(d);
    static const zipped flat[] = {{"1.png", 1}, {"2.png", 2}};
    d = open_ok(make_zip("f.zip", flat, 2));
    assert_items(d, "-1:1.png -1:2.png");
    mdldm_dataset_free(d);
    static const zipped windows[] = {{"A\\1.png", 1}, {"B\\2.png", 2}};
    d = open_ok(make_zip("b.zip", windows, 2));
    assert_items(d, "0:A/1.png 1:B/2.png");
    mdldm_dataset_free(d);
}

static void hostile_zips_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"../x.png", "/etc/x.png", "a/../../x.png", "a/./x.png", "a//x.png",
                                        "..\\x.png"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const zipped files[] = {{"a/1.png", 1}, {names[i], 2}};
        open_fails(make_zip("h.zip", files, 2), MDLDM_ERROR_FORMAT, "x.png", "leads out of the archive");
    }
    static const zipped twice[] = {{"a/1.png", 1}, {"a\\1.png", 2}};
    open_fails(make_zip("t.zip", twice, 2), MDLDM_ERROR_FORMAT, "a/1.png", "twice");
    static const zipped none[] = {{"a.txt", 1}};
    open_fails(make_zip("n.zip", none, 1), MDLDM_ERROR_FORMAT, "n.zip", "no images");
}

static void broken_zips_are_refused(void **state)
{
    (void)state;
    static const zipped files[] = {{"a/1.png", 1}, {"a/2.png", 2}};
    size_t size = 0;
    char *data = temp_read(make_zip("g.zip", files, 2), &size);
    assert_non_null(data);
    const char *cut = temp_path(folder, "cut.zip");
    for (size_t keep = 0; keep < size; keep += 7) {
        temp_write(cut, data, keep);
        open_fails(cut, MDLDM_ERROR_FORMAT, "cut.zip", "no readable zip archive");
    }
    /* A damaged entry is a broken file among others: its checksum tells. */
    const size_t at = 30 + strlen("a/1.png") + 20;
    data[at] ^= 0x10;
    temp_write(cut, data, size);
    mdldm_dataset *d = open_ok(cut);
    assert_items(d, "0:a/2.png");
    assert_int_equal(mdldm_dataset_skipped(d), 1);
    mdldm_dataset_free(d);
    free(data);
}

static void encrypted_zip_is_refused(void **state)
{
    (void)state;
    static const zipped files[] = {{"a/1.png", 1}};
    const char *path = make_zip("e.zip", files, 1);
    int code = 0;
    zip_t *zip = zip_open(path, 0, &code);
    assert_non_null(zip);
    assert_int_equal(zip_file_set_encryption(zip, 0, ZIP_EM_AES_256, "secret"), 0);
    assert_int_equal(zip_close(zip), 0);
    open_fails(path, MDLDM_ERROR_UNSUPPORTED, "a/1.png", "encrypted");
}

/* ---- crops, flips, split ---- */

static void crops_and_flips_follow_the_seed(void **state)
{
    (void)state;
    /* Twice as wide as high: the crop has 9 places. The columns' colours differ, so places show. */
    uint8_t wide[8 * 16 * 3];
    image_noise(8, 16, wide);
    assert_int_equal(mdldm_image_write(ctx, temp_path(folder, "w.png"), wide, 8, 16), MDLDM_OK);
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    float centre[192], item[192], again[192];

    assert_int_equal(mdldm_options_set_int(ctx, options, "center_crop", 1), MDLDM_OK);
    mdldm_dataset *d = open_ok(folder);
    assert_int_equal(mdldm__dataset_augments(d), 0);
    assert_int_equal(mdldm__dataset_item(&env, d, 0, -1, centre), MDLDM_OK);
    assert_true(centre[0] == (wide[4 * 3] / 255.0f - 0.5f) / 0.5f);
    assert_int_equal(mdldm__dataset_item(&env, d, 0, 17, item), MDLDM_OK);
    assert_memory_equal(centre, item, sizeof item);
    mdldm_dataset_free(d);

    assert_int_equal(mdldm_options_set_int(ctx, options, "center_crop", 0), MDLDM_OK);
    assert_int_equal(mdldm_options_set_int(ctx, options, "random_flip", 1), MDLDM_OK);
    d = open_ok(folder);
    assert_int_equal(mdldm__dataset_augments(d), 1);
    int places[9][2] = {{0}};
    for (int64_t epoch = 0; epoch < 400; epoch++) {
        assert_int_equal(mdldm__dataset_item(&env, d, 0, epoch, item), MDLDM_OK);
        assert_int_equal(mdldm__dataset_item(&env, d, 0, epoch, again), MDLDM_OK);
        assert_memory_equal(item, again, sizeof item);
        int found = 0;
        for (int left = 0; left < 9 && !found; left++)
            for (int flip = 0; flip < 2 && !found; flip++) {
                found = 1;
                for (int i = 0; i < 192; i++) {
                    const int y = i / 24, x = i / 3 % 8, from = left + (flip ? 7 - x : x);
                    found &= item[i] == ((float)wide[(y * 16 + from) * 3 + i % 3] / 255.0f - 0.5f) / 0.5f;
                }
                places[left][flip] += found;
            }
        assert_true(found);
    }
    for (int left = 0; left < 9; left++)
        assert_true(places[left][0] > 5 && places[left][1] > 5); /* 22 expected of each */
    assert_int_equal(mdldm__dataset_item(&env, d, 0, -1, item), MDLDM_OK);
    assert_memory_equal(centre, item, sizeof item);
    mdldm_dataset_free(d);
}

static void square_images_are_not_augmented_by_cropping(void **state)
{
    (void)state;
    picture("1.png", 1);
    mdldm_dataset *d = open_ok(folder);
    assert_int_equal(mdldm__dataset_augments(d), 0);
    mdldm_dataset_free(d);
}

static void split_holds_out_blocks(void **state)
{
    (void)state;
    char name[32];
    for (int i = 1; i <= 20; i++) {
        snprintf(name, sizeof name, "a/%d.png", i);
        picture(name, 1);
    }
    for (int i = 1; i <= 3; i++) {
        snprintf(name, sizeof name, "b/%d.png", i);
        picture(name, 1);
    }
    picture("c/1.png", 1);
    mdldm_dataset *d = open_ok(folder);
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    int64_t *train = NULL, *held = NULL, trained = 0, held_count = 0;
    assert_int_equal(mdldm__dataset_split(&env, d, 0.1, 4, &train, &trained, &held, &held_count), MDLDM_OK);
    /* a: 14 train, 4 gap, 2 held out; b: 1, 1, 1; c: its only item trains */
    assert_int_equal(trained, 14 + 1 + 1);
    assert_int_equal(held_count, 2 + 1);
    assert_int_equal(train[13], 13);
    assert_int_equal(train[14], 20);
    assert_int_equal(train[15], 23);
    assert_int_equal(held[0], 18);
    assert_int_equal(held[1], 19);
    assert_int_equal(held[2], 22);
    mdldm__free(&env, train);
    mdldm__free(&env, held);
    assert_int_equal(mdldm__dataset_split(&env, d, 0, 4, &train, &trained, &held, &held_count), MDLDM_OK);
    assert_int_equal(trained, 24); /* nothing held out: no gap either */
    assert_int_equal(held_count, 0);
    mdldm__free(&env, train);
    mdldm__free(&env, held);
    mdldm_dataset_free(d);
}

/* ---- failing allocations ---- */

static mdldm_status open_and_read(torture *t, void *user, char sentence[1024])
{
    mdldm_context *own = NULL;
    mdldm_status status = mdldm_context_create_with(torture_resize, t, &own);
    if (status != MDLDM_OK)
        return status;
    mdldm_options *o = NULL;
    mdldm_dataset *d = NULL;
    float pixels[192];
    status = mdldm_options_create(own, &o);
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(own, o, "resolution", 8);
    if (status == MDLDM_OK)
        status = mdldm_dataset_open(own, user, o, &d);
    if (status == MDLDM_OK)
        status = mdldm_dataset_read(own, d, 0, pixels, 192);
    snprintf(sentence, 1024, "%s", mdldm_context_error(own));
    mdldm_dataset_free(d);
    mdldm_options_free(o);
    mdldm_context_free(own);
    return status;
}

static void failing_allocations(void **state)
{
    (void)state;
    picture("set/a/1.png", 1);
    picture("set/b/1.png", 1);
    char set[4096];
    snprintf(set, sizeof set, "%s", temp_path(folder, "set"));
    assert_true(torture_run("folder", open_and_read, set, 200) > 30);
    static const zipped files[] = {{"o/a/1.png", 1}, {"o/b/2.png", 2}};
    snprintf(set, sizeof set, "%s", make_zip("t.zip", files, 2));
    assert_true(torture_run("zip", open_and_read, set, 200) > 30);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(natural_order),
        TEST(flat_folder_has_no_classes),
        TEST(sub_folders_are_classes),
        TEST(max_samples_counts_per_class),
        TEST(broken_files_are_named_and_skipped),
        TEST(useless_folders_are_refused),
        TEST(a_link_to_the_folder_above_ends),
        TEST(threads_do_not_change_what_opening_finds),
        TEST(opening_can_be_cancelled),
        TEST(a_file_lost_later_is_an_error),
        TEST(files_without_permission),
        TEST(zip_is_listed_like_a_folder),
        TEST(threads_share_a_zip),
        TEST(outer_folder_of_a_zip_is_no_class),
        TEST(hostile_zips_are_refused),
        TEST(broken_zips_are_refused),
        TEST(encrypted_zip_is_refused),
        TEST(crops_and_flips_follow_the_seed),
        TEST(square_images_are_not_augmented_by_cropping),
        TEST(split_holds_out_blocks),
        TEST(failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
