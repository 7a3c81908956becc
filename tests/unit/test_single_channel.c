/* SPDX-License-Identifier: MIT
 * Data sets from memory, and models of one channel: from matrices in dB to matrices in dB. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../support/temp_dir.h"
#include "../support/torture.h"
#include "../support/train_setup.h"

enum { SIDE = TRAIN_RESOLUTION, AREA = SIDE * SIDE, EACH = 8, COUNT = 2 * EACH };
static mdldm_context *ctx;
static char *folder;
static float db[COUNT * AREA];
static int64_t labels[COUNT];

static void must(mdldm_status status)
{
    if (status != MDLDM_OK)
        fail_msg("%s: %s", mdldm_status_name(status), mdldm_context_error(ctx));
}

/* Persons take turns; a stripe of -10 dB whose place and slope tell them apart, on -50 dB. */
static int setup(void **state)
{
    (void)state;
    folder = temp_dir_make();
    ctx = train_context(NULL);
    for (int i = 0; i < COUNT; i++) {
        labels[i] = i % 2;
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                const int middle = i % 2 ? 4 + x / 4 + i / 4 : 12 - x / 2;
                db[i * AREA + y * SIDE + x] = abs(y - middle) < 2 ? -10.0f : -50.0f + (float)((x + i) % 3);
            }
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mdldm_context_free(ctx);
    temp_dir_remove(folder);
    return 0;
}

static mdldm_dataset *from_db(const char *const *pairs)
{
    mdldm_dataset *d = NULL;
    mdldm_options *o = train_options(ctx, pairs);
    must(mdldm_dataset_from_db(ctx, db, COUNT, SIDE, SIDE, labels, "A/B", o, &d));
    mdldm_options_free(o);
    return d;
}

static void matrices_become_pixels(void **state)
{
    (void)state;
    float pixels[AREA];
    double low, high;
    mdldm_dataset *d = from_db((const char *const[]){"db_floor", "-48.5", "db_ceiling", "-10", NULL});
    assert_int_equal(mdldm_dataset_count(d), COUNT);
    assert_int_equal(mdldm_dataset_channels(d), 1);
    assert_int_equal(mdldm_dataset_class_count(d), 2);
    assert_string_equal(mdldm_dataset_class_name(d, 1), "B");
    assert_string_equal(mdldm_dataset_item_name(d, 0), "A/0");
    assert_string_equal(mdldm_dataset_item_name(d, EACH + 3), "B/7");
    assert_int_equal(mdldm_dataset_item_label(d, EACH + 3), 1);
    must(mdldm_dataset_db_range(ctx, d, &low, &high));
    assert_true(low == -48.5 && high == -10.0);
    must(mdldm_dataset_read(ctx, d, EACH + 3, pixels, AREA));
    for (int i = 0; i < AREA; i++) {
        const double u = fmax(((double)db[7 * AREA + i] + 48.5) / 38.5, 0.0);
        assert_true(fabs((double)pixels[i] - (2.0 * u - 1.0)) < 1e-6);
    }
    uint8_t rgb[AREA * 3];
    must(mdldm_dataset_read_rgb8(ctx, d, 0, rgb, sizeof rgb));
    assert_true(rgb[3 * 12 * SIDE] == 255 && rgb[3 * 12 * SIDE + 2] == 255 && rgb[0] == 0);
    mdldm_dataset_free(d);
    d = from_db(NULL); /* the range of the data */
    must(mdldm_dataset_db_range(ctx, d, &low, &high));
    assert_true(low == -70.0 && high == -10.0);
    mdldm_dataset_free(d);
    d = from_db((const char *const[]){"max_samples", "3", NULL});
    assert_int_equal(mdldm_dataset_count(d), 6);
    assert_string_equal(mdldm_dataset_item_name(d, 5), "B/5");
    mdldm_dataset_free(d);
    must(mdldm_dataset_from_db(ctx, db, COUNT, SIDE, SIDE, labels, NULL, NULL, &d));
    assert_string_equal(mdldm_dataset_class_name(d, 1), "1");
    mdldm_dataset_free(d);
    must(mdldm_dataset_from_db(ctx, db, COUNT, SIDE, SIDE, NULL, NULL, NULL, &d));
    assert_int_equal(mdldm_dataset_class_count(d), 0);
    assert_int_equal(mdldm_dataset_item_label(d, 2), -1);
    assert_string_equal(mdldm_dataset_item_name(d, 2), "2");
    mdldm_dataset_free(d);
}

/* Pictures from memory are those that a folder would have given, oblong ones too. */
static void memory_equals_files(void **state)
{
    (void)state;
    enum { H = 20, W = 31 };
    static uint8_t rgb[3 * H * W * 3];
    char path[700];
    snprintf(path, sizeof path, "%s/p", folder);
    mkdir(path, 0777);
    for (int i = 0; i < 3 * H * W * 3; i++)
        rgb[i] = (uint8_t)(i * 2654435761u >> 24);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/p/%d.png", folder, i);
        must(mdldm_image_write(ctx, path, rgb + i * H * W * 3, H, W));
    }
    snprintf(path, sizeof path, "%s/p", folder);
    static const char *const modes[][3] = {{"RGB", "none"}, {"L", "none"}, {"L", "turbo"}};
    for (int m = 0; m < 3; m++) {
        mdldm_options *o = train_options(ctx, (const char *const[]){"image_mode", modes[m][0], "colormap", modes[m][1],
                                                                    NULL});
        mdldm_dataset *a, *b;
        must(mdldm_dataset_open(ctx, path, o, &a));
        must(mdldm_dataset_from_rgb8(ctx, rgb, 3, H, W, NULL, NULL, o, &b));
        const size_t values = (size_t)(AREA * mdldm_dataset_channels(a));
        assert_int_equal(values, m == 0 ? 3 * AREA : AREA);
        for (int i = 0; i < 3; i++) {
            float x[3 * AREA], y[3 * AREA];
            uint8_t p[3 * AREA], q[3 * AREA];
            must(mdldm_dataset_read(ctx, a, i, x, values));
            must(mdldm_dataset_read(ctx, b, i, y, values));
            assert_memory_equal(x, y, values * sizeof *x);
            must(mdldm_dataset_read_rgb8(ctx, a, i, p, sizeof p));
            must(mdldm_dataset_read_rgb8(ctx, b, i, q, sizeof q));
            assert_memory_equal(p, q, sizeof p);
        }
        mdldm_dataset_free(a);
        mdldm_dataset_free(b);
        mdldm_options_free(o);
    }
}

/* Coloured pictures of a known range come back as the pixels that their dB would have been. */
static void a_colour_map_is_undone(void **state)
{
    (void)state;
    static uint8_t rgb[COUNT * AREA * 3];
    float pixels[AREA], expected[AREA];
    must(mdldm_colormap_apply(ctx, "jet", db, COUNT * AREA, -50, -10, rgb, sizeof rgb));
    mdldm_options *o = train_options(ctx, (const char *const[]){"image_mode", "L", "colormap", "jet", "db_floor", "-50",
                                                                "db_ceiling", "-10", NULL});
    mdldm_dataset *d;
    double low, high;
    must(mdldm_dataset_from_rgb8(ctx, rgb, COUNT, SIDE, SIDE, labels, NULL, o, &d));
    must(mdldm_dataset_db_range(ctx, d, &low, &high));
    assert_true(low == -50.0 && high == -10.0);
    must(mdldm_dataset_read(ctx, d, 1, pixels, AREA));
    must(mdldm_db_to_pixels(ctx, db + 2 * AREA, AREA, -50, -10, expected, AREA));
    for (int i = 0; i < AREA; i++)
        assert_true(fabsf(pixels[i] - expected[i]) <= 1.001f / 256.0f); /* half a colour */
    mdldm_dataset_free(d);
    mdldm_options_free(o);
}

static double learn(mdldm_stage stage, mdldm_model *m, mdldm_dataset *d, int steps)
{
    mdldm_trainer *t;
    mdldm_options *o = train_options(ctx, NULL);
    must(mdldm_trainer_create(ctx, stage, m, d, o, &t));
    for (int i = 0; i < steps; i++)
        must(mdldm_trainer_step(ctx, t));
    must(mdldm_trainer_validate(ctx, t));
    must(mdldm_trainer_update_model(ctx, t));
    const double psnr = mdldm_trainer_metric(t, "val_psnr");
    mdldm_trainer_free(t);
    mdldm_options_free(o);
    return psnr;
}

static void from_decibels_to_decibels(void **state)
{
    (void)state;
    mdldm_dataset *d = from_db((const char *const[]){"db_floor", "-50", "db_ceiling", "-10", NULL});
    mdldm_model *vq = train_autoencoder_of(ctx, folder, 0, "L"), *m;
    int64_t channels = 0;
    double low = 0.0, high = 0.0;
    assert_int_equal(mdldm_model_get_double(ctx, vq, "db_floor", &low), MDLDM_ERROR_NOT_FOUND);
    const double psnr = learn(MDLDM_STAGE_AUTOENCODER, vq, d, 150);
    print_message("one channel: validation PSNR %.1f dB\n", psnr);
    assert_true(psnr > 20.0); /* seen: 26.9 */
    char vae[700], whole[700];
    snprintf(vae, sizeof vae, "%s/vae1", folder);
    snprintf(whole, sizeof whole, "%s/whole1", folder);
    must(mdldm_model_save(ctx, vq, vae));
    mdldm_model_free(vq);

    m = train_unet(ctx, folder, vae, 4);
    must(mdldm_model_get_int(ctx, m, "image_channels", &channels));
    assert_int_equal(channels, 1);
    learn(MDLDM_STAGE_DIFFUSION, m, d, 3);
    must(mdldm_model_save(ctx, m, whole));
    mdldm_model_free(m);
    must(mdldm_model_load(ctx, whole, &m));
    must(mdldm_model_get_double(ctx, m, "db_floor", &low));
    must(mdldm_model_get_double(ctx, m, "db_ceiling", &high));
    assert_true(low == -50.0 && high == -10.0);

    mdldm_options *o = train_options(ctx, (const char *const[]){"num_inference_steps", "3", "scheduler", "ddim", NULL});
    mdldm_sampler *s;
    float made[2 * AREA];
    uint8_t grey[2 * AREA];
    must(mdldm_sampler_create(ctx, m, o, &s));
    assert_int_equal(mdldm_generate(ctx, s, 2, SIDE, SIDE, labels, 0, made, 2 * AREA - 1), MDLDM_ERROR_CAPACITY);
    must(mdldm_generate(ctx, s, 2, SIDE, SIDE, labels, 0, made, 2 * AREA));
    must(mdldm_pixels_to_grey8(ctx, made, 2, SIDE, SIDE, grey, sizeof grey));
    must(mdldm_pixels_to_db(ctx, made, 2 * AREA, low, high, made, 2 * AREA));
    for (int i = 0; i < 2 * AREA; i++) {
        assert_true(made[i] >= -50.0f && made[i] <= -10.0f);
        assert_true(fabs((double)grey[i] - ((double)made[i] + 50.0) / 40.0 * 255.0) < 0.501);
    }
    mdldm_sampler_free(s);
    mdldm_options_free(o);
    mdldm_model_free(m);

    /* Another range than the autoencoder's is refused in stage 2. */
    mdldm_trainer *t;
    mdldm_dataset *other = from_db((const char *const[]){"db_floor", "-60", "db_ceiling", "-10", NULL});
    m = train_unet(ctx, folder, vae, 4);
    assert_int_equal(mdldm_trainer_create(ctx, MDLDM_STAGE_DIFFUSION, m, other, NULL, &t),
                     MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(mdldm_context_error(ctx), "-60 to -10 dB"));
    mdldm_model_free(m);
    mdldm_dataset_free(other);
    mdldm_dataset_free(d);
}

static void channels_must_agree(void **state)
{
    (void)state;
    static uint8_t rgb[COUNT * AREA * 3];
    mdldm_options *o = train_options(ctx, NULL);
    mdldm_dataset *grey = from_db(NULL), *colour;
    must(mdldm_dataset_from_rgb8(ctx, rgb, COUNT, SIDE, SIDE, labels, NULL, o, &colour));
    mdldm_model *one = train_autoencoder_of(ctx, folder, 0, "L"), *three = train_autoencoder_of(ctx, folder, 0, "RGB");
    mdldm_trainer *t;
    assert_int_equal(mdldm_trainer_create(ctx, MDLDM_STAGE_AUTOENCODER, one, colour, o, &t),
                     MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(mdldm_context_error(ctx), "image_mode L is expected"));
    assert_int_equal(mdldm_trainer_create(ctx, MDLDM_STAGE_AUTOENCODER, three, grey, o, &t),
                     MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(mdldm_context_error(ctx), "image_mode RGB is expected"));
    mdldm_model_free(one);
    mdldm_model_free(three);
    mdldm_dataset_free(grey);
    mdldm_dataset_free(colour);
    mdldm_options_free(o);
}

static void refused(const float *matrices, int64_t n, int64_t rows, const int64_t *with, const char *names,
                    const char *const *pairs, mdldm_status status, const char *word)
{
    mdldm_options *o = train_options(ctx, pairs);
    mdldm_dataset *d = (mdldm_dataset *)folder;
    assert_int_equal(mdldm_dataset_from_db(ctx, matrices, n, rows, SIDE, with, names, o, &d), status);
    assert_null(d);
    if (strstr(mdldm_context_error(ctx), word) == NULL)
        fail_msg("\"%s\" does not mention %s", mdldm_context_error(ctx), word);
    mdldm_options_free(o);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    static float bad[2 * AREA];
    const int64_t negative[2] = {0, -1}, ok[2] = {0, 1};
    bad[AREA + 5] = NAN;
    refused(NULL, 2, SIDE, ok, NULL, NULL, MDLDM_ERROR_INVALID_ARGUMENT, "NULL");
    refused(db, 0, SIDE, ok, NULL, NULL, MDLDM_ERROR_INVALID_ARGUMENT, "0 images");
    refused(db, 2, 0, ok, NULL, NULL, MDLDM_ERROR_INVALID_ARGUMENT, "16 x 0");
    refused(db, 2, SIDE, negative, NULL, NULL, MDLDM_ERROR_INVALID_ARGUMENT, "label 1 is -1");
    refused(db, 2, SIDE, ok, "a", NULL, MDLDM_ERROR_INVALID_ARGUMENT, "only 1 classes");
    refused(db, 2, SIDE, ok, "a//b", NULL, MDLDM_ERROR_INVALID_ARGUMENT, "single '/'");
    refused(db, 2, SIDE, NULL, "a/b", NULL, MDLDM_ERROR_INVALID_ARGUMENT, "no labels");
    refused(bad, 2, SIDE, ok, NULL, NULL, MDLDM_ERROR_NUMERIC, "value 5 of matrix 1");
    refused(db, 2, SIDE, ok, NULL, (const char *const[]){"db_floor", "5", NULL}, MDLDM_ERROR_INVALID_ARGUMENT,
            "db_floor is 5");
    refused(db, 2, SIDE, ok, NULL, (const char *const[]){"colormap", "jet", NULL}, MDLDM_ERROR_INVALID_ARGUMENT,
            "image_mode");
    refused(db, 2, SIDE, ok, NULL, (const char *const[]){"image_mode", "L", "colormap", "jet", NULL},
            MDLDM_ERROR_INVALID_ARGUMENT, "have no colours");
    for (int i = 0; i < 2 * AREA; i++)
        bad[i] = -INFINITY;
    refused(bad, 2, SIDE, ok, NULL, NULL, MDLDM_ERROR_NUMERIC, "-inf");
    assert_int_equal(mdldm_dataset_from_db(ctx, db, 2, SIDE, SIDE, ok, NULL, NULL, NULL), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_dataset_channels(NULL), 0);
    double low;
    assert_int_equal(mdldm_dataset_db_range(ctx, NULL, &low, &low), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_dataset_db_range(NULL, NULL, &low, &low), MDLDM_ERROR_INVALID_ARGUMENT);
    uint8_t grey[4];
    float pixels[4] = {0};
    int64_t h, w;
    assert_int_equal(mdldm_pixels_to_grey8(ctx, pixels, 1, 2, 2, grey, 3), MDLDM_ERROR_CAPACITY);
    assert_int_equal(mdldm_grey8_to_pixels(ctx, NULL, 1, 2, 2, pixels, 4), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_image_read_grey8(ctx, NULL, grey, 4, &h, &w), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_image_write_grey8(ctx, "x.png", NULL, 2, 2), MDLDM_ERROR_INVALID_ARGUMENT);
}

static void grey_files_keep_their_bytes(void **state)
{
    (void)state;
    uint8_t grey[6] = {0, 1, 77, 128, 254, 255}, back[6];
    float pixels[6];
    int64_t h, w;
    const char *path = temp_path(folder, "grey.png");
    must(mdldm_image_write_grey8(ctx, path, grey, 2, 3));
    must(mdldm_image_read_grey8(ctx, path, back, 6, &h, &w));
    assert_true(h == 2 && w == 3);
    assert_memory_equal(grey, back, 6);
    char head[26]; /* byte 25 is the colour type: 0, grey */
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(head, 1, sizeof head, f), sizeof head);
    fclose(f);
    assert_int_equal(head[25], 0);
    must(mdldm_grey8_to_pixels(ctx, grey, 1, 2, 3, pixels, 6));
    must(mdldm_pixels_to_grey8(ctx, pixels, 1, 2, 3, back, 6));
    assert_memory_equal(grey, back, 6);
}

static mdldm_status memory_scenario(torture *t, void *user, char sentence[1024])
{
    (void)user;
    static uint8_t rgb[3 * AREA * 3];
    static float pixels[AREA];
    mdldm_context *own;
    mdldm_options *o = NULL;
    mdldm_dataset *a = NULL, *b = NULL;
    mdldm_status status = mdldm_context_create_with(torture_resize, t, &own);
    if (status != MDLDM_OK)
        return status;
    status = mdldm_options_create(own, &o);
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(own, o, "resolution", 8);
    if (status == MDLDM_OK)
        status = mdldm_options_set_string(own, o, "image_mode", "L");
    if (status == MDLDM_OK)
        status = mdldm_dataset_from_db(own, db, 3, SIDE, SIDE, labels, "a/b", o, &a);
    if (status == MDLDM_OK)
        status = mdldm_options_set_string(own, o, "colormap", "jet");
    if (status == MDLDM_OK)
        status = mdldm_dataset_from_rgb8(own, rgb, 3, SIDE, SIDE, labels, NULL, o, &b);
    if (status == MDLDM_OK)
        status = mdldm_dataset_read(own, a, 0, pixels, 64);
    if (status == MDLDM_OK)
        status = mdldm_dataset_read_rgb8(own, b, 2, rgb, 192);
    if (status != MDLDM_OK)
        snprintf(sentence, 1024, "%s", mdldm_context_error(own));
    mdldm_dataset_free(a);
    mdldm_dataset_free(b);
    mdldm_options_free(o);
    mdldm_context_free(own);
    return status;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    assert_true(torture_run("data sets from memory", memory_scenario, NULL, 1000) > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(matrices_become_pixels, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_equals_files, setup, teardown),
        cmocka_unit_test_setup_teardown(a_colour_map_is_undone, setup, teardown),
        cmocka_unit_test_setup_teardown(from_decibels_to_decibels, setup, teardown),
        cmocka_unit_test_setup_teardown(channels_must_agree, setup, teardown),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(grey_files_keep_their_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_may_run_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
