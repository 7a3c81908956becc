/* SPDX-License-Identifier: MIT
 * The latent report of a small model: its numbers against the latents themselves, what it warns of, what is refused, no
 * memory. The numbers of latents alone: tests/golden/test_golden_latents.c. Run from the root of the source tree. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/options_text.h"
#include "../support/torture.h"
#include "eval/latent_numbers.h"

enum { IMAGES = 12, SIDE = 32, AREA = SIDE * SIDE, CHANNELS = 3, CELLS = 8 * 8 };
static const char pipeline[] = "tests/golden/data/pipeline"; /* f = 4, 3 channels, 8 codes, scaling_factor 1.3 */

static mdldm_context *ctx;
static mdldm_model *model;
static mdldm_dataset *data;

static void must(mdldm_status status)
{
    if (status != MDLDM_OK)
        fail_msg("%s: %s", mdldm_status_name(status), mdldm_context_error(ctx));
}

/* Stripes of differing slope in colours that differ. */
static mdldm_status open_data(mdldm_context *own, const mdldm_options *o, mdldm_dataset **out)
{
    static uint8_t rgb[IMAGES][SIDE][SIDE][3];
    static const int64_t labels[IMAGES] = {0};
    for (int i = 0; i < IMAGES; i++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                for (int c = 0; c < 3; c++)
                    rgb[i][y][x][c] = (uint8_t)(128 + 100 * sin(0.3 * (y + (i % 5 - 2) * 0.2 * x) + c + i * i));
    return mdldm_dataset_from_rgb8(own, &rgb[0][0][0][0], IMAGES, SIDE, SIDE, labels, NULL, o, out);
}

static int setup(void **state)
{
    (void)state;
    if (mdldm_context_create(&ctx) != MDLDM_OK || mdldm_context_use_backend(ctx, "reference") != MDLDM_OK)
        return -1;
    mdldm_options *o = options_from_text(ctx, "resolution=32");
    must(mdldm_model_load(ctx, pipeline, &model));
    must(open_data(ctx, o, &data));
    mdldm_options_free(o);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mdldm_dataset_free(data);
    mdldm_model_free(model);
    mdldm_context_free(ctx);
    return 0;
}

static mdldm_report *report_of(const char *settings)
{
    mdldm_report *r = NULL;
    mdldm_options *o = options_from_text(ctx, settings);
    must(mdldm_latent_report(ctx, model, data, o, &r));
    mdldm_options_free(o);
    assert_non_null(r);
    return r;
}

static void close_to(const mdldm_report *r, const char *path, double expected, double tolerance)
{
    const double value = mdldm_report_value(r, path);
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%s is %.9g, expected %.9g", path, value, expected);
}

/* What mdldm_encode and mdldm_quantize give, counted here. */
static void numbers_are_the_latents(void **state)
{
    (void)state;
    static float pixels[3 * AREA], latent[IMAGES][CHANNELS][CELLS], nearest[CHANNELS * CELLS];
    int32_t codes[CELLS];
    int64_t counts[8] = {0};
    double all = 0.0, square = 0.0, error = 0.0, own = 0.0;
    for (int i = 0; i < IMAGES; i++) {
        must(mdldm_dataset_read(ctx, data, i, pixels, 3 * AREA));
        must(mdldm_encode(ctx, model, pixels, 1, SIDE, SIDE, &latent[i][0][0], CHANNELS * CELLS));
        must(mdldm_quantize(ctx, model, &latent[i][0][0], 1, 8, 8, nearest, CHANNELS * CELLS, codes, CELLS));
        for (int p = 0; p < CELLS; p++)
            counts[codes[p]]++;
        for (int p = 0; p < CHANNELS * CELLS; p++)
            error += pow((double)nearest[p] - (double)(&latent[i][0][0])[p], 2);
    }
    mdldm_report *r = report_of("latent_pairs=2 latent_steps=3");
    close_to(r, "images", IMAGES, 0);
    close_to(r, "latent.0", CHANNELS, 0);
    close_to(r, "latent.2", 8, 0);
    for (int k = 0; k < CHANNELS; k++) {
        char path[40];
        double sum = 0.0, sum_square = 0.0;
        for (int i = 0; i < IMAGES; i++)
            for (int p = 0; p < CELLS; p++) {
                sum += latent[i][k][p];
                sum_square += (double)latent[i][k][p] * (double)latent[i][k][p];
            }
        const double mean = sum / (IMAGES * CELLS), variance = sum_square / (IMAGES * CELLS) - mean * mean;
        snprintf(path, sizeof path, "channels.%d.mean", k);
        close_to(r, path, mean / 1.3, 1e-6);
        snprintf(path, sizeof path, "channels.%d.deviation", k);
        close_to(r, path, sqrt(variance) / 1.3, 1e-6);
        all += mean / CHANNELS;
        square += sum_square / (IMAGES * CELLS * CHANNELS);
        own += variance * IMAGES * CELLS;
    }
    const double deviation = sqrt(square - all * all);
    close_to(r, "scale.deviation", deviation, 1e-6);
    close_to(r, "scale.stored", 1.3, 1e-6);
    close_to(r, "scale.measured", 1.3 / deviation, 1e-5);
    int used = 0;
    double entropy = 0.0;
    for (int k = 0; k < 8; k++) {
        char path[40];
        snprintf(path, sizeof path, "codebook.counts.%d", k);
        close_to(r, path, (double)counts[k], 0);
        used += counts[k] > 0;
        const double p = (double)counts[k] / (IMAGES * CELLS);
        entropy -= p > 0.0 ? p * log(p) : 0.0;
    }
    close_to(r, "codebook.size", 8, 0);
    close_to(r, "codebook.used", used, 0);
    close_to(r, "codebook.perplexity", exp(entropy), 1e-9);
    close_to(r, "codebook.quantization_error", error / own, 1e-6);
    assert_true(mdldm_report_value(r, "probe.explained") <= 1.0);
    assert_int_equal(mdldm_report_length(r, "spectrum.power"), 5);
    assert_int_equal(mdldm_report_length(r, "denoising.error"), 10);
    mdldm_report_free(r);
}

/* By hand, between the first pair, of a model without a codebook: with random weights all codes are one. */
static void walks_are_the_decoders(void **state)
{
    (void)state;
    mdldm_model *vq = model;
    must(mdldm_model_load(ctx, "tests/golden/data/kl_default", &model));
    enum { LATENT_SIDE = SIDE / 2, EACH = 4 * LATENT_SIDE * LATENT_SIDE, STEPS = 4 };
    static float pixels[3 * AREA], latent[IMAGES][EACH], made[STEPS + 1][3 * AREA], z[EACH], back[EACH];
    double path = 0.0, largest = 0.0, whole = 0.0, returned[2] = {0.0};
    for (int i = 0; i < IMAGES; i++) {
        must(mdldm_dataset_read(ctx, data, i, pixels, 3 * AREA));
        must(mdldm_encode(ctx, model, pixels, 1, SIDE, SIDE, latent[i], EACH));
    }
    int near = 1;
    double least = INFINITY;
    for (int i = 1; i < IMAGES; i++) {
        double d = 0.0;
        for (int p = 0; p < EACH; p++)
            d += pow((double)latent[i][p] - (double)latent[0][p], 2);
        if (d < least) {
            least = d;
            near = i;
        }
    }
    for (int k = 0; k <= STEPS; k++) {
        double step = 0.0;
        for (int p = 0; p < EACH; p++)
            z[p] = latent[0][p] + (float)k / STEPS * (latent[near][p] - latent[0][p]);
        must(mdldm_decode(ctx, model, z, 1, LATENT_SIDE, LATENT_SIDE, made[k], 3 * AREA));
        if (k % 2 == 0 && k < STEPS) {
            must(mdldm_encode(ctx, model, made[k], 1, SIDE, SIDE, back, EACH));
            for (int p = 0; p < EACH; p++)
                returned[k / 2] += pow((double)back[p] - (double)z[p], 2) / EACH;
        }
        for (int p = 0; k > 0 && p < 3 * AREA; p++)
            step += pow((double)made[k][p] - (double)made[k - 1][p], 2);
        path += sqrt(step);
        largest = fmax(largest, sqrt(step));
    }
    for (int p = 0; p < 3 * AREA; p++)
        whole += pow((double)made[STEPS][p] - (double)made[0][p], 2);
    mdldm_report *r = report_of("latent_pairs=1 latent_steps=4");
    double variance = 0.0;
    for (int k = 0; k < 4; k++) {
        char name[40];
        snprintf(name, sizeof name, "channels.%d.deviation", k);
        variance += pow(mdldm_report_value(r, "scale.stored") * mdldm_report_value(r, name), 2) / 4;
    }
    close_to(r, "interpolation.pairs", 1, 0);
    close_to(r, "interpolation.path", path / sqrt(whole), 1e-5);
    close_to(r, "interpolation.largest_step", largest * STEPS / path, 1e-5);
    close_to(r, "interpolation.distance", sqrt(least / EACH / (2.0 * variance)), 1e-5);
    close_to(r, "interpolation.return_end", sqrt(returned[0] / variance), 1e-5);
    close_to(r, "interpolation.return_middle", sqrt(returned[1] / variance), 1e-5);
    mdldm_report_free(r);
    r = report_of("latent_pairs=0");
    assert_true(isnan(mdldm_report_value(r, "interpolation.path")));
    assert_non_null(strstr(mdldm_report_json(r), "\"path\": null"));
    assert_int_equal(mdldm_report_length(r, "codebook"), 0);
    mdldm_report_free(r);
    mdldm_model_free(model);
    model = vq;
}

static int warns(const mdldm_report *r, const char *part)
{
    char path[40];
    int found = 0;
    for (int64_t i = 0; i < mdldm_report_length(r, "warnings"); i++) {
        snprintf(path, sizeof path, "warnings.%d", (int)i);
        assert_non_null(mdldm_report_text(r, path));
        found |= strstr(mdldm_report_text(r, path), part) != NULL;
    }
    return found;
}

/* The model has never seen these images: its scale does not fit them, and few of its codes are used. */
static void warnings(void **state)
{
    (void)state;
    mdldm_report *r = report_of("latent_pairs=0");
    const double deviation = mdldm_report_value(r, "scale.deviation");
    assert_true(fabs(deviation - 1.0) > 0.2); /* else the next line tests nothing */
    assert_true(warns(r, "a scaling_factor of"));
    assert_int_equal(warns(r, "codes are used"), mdldm_report_value(r, "codebook.used") < 8 ||
                                                     mdldm_report_value(r, "codebook.perplexity") < 4.0);
    assert_int_equal(warns(r, "nearly white"), mdldm_report_value(r, "denoising.gain") < 0.05);
    mdldm_report_free(r);
}

static void paths(void **state)
{
    (void)state;
    mdldm_report *r = report_of("latent_images=5 latent_pairs=0");
    close_to(r, "images", 5, 0);
    assert_true(mdldm_report_length(r, "") > 5);
    assert_int_equal(mdldm_report_length(r, "channels"), CHANNELS);
    assert_int_equal(mdldm_report_length(r, "correlation.2"), CHANNELS);
    close_to(r, "correlation.1.1", 1.0, 1e-12);
    static const char *const none[] = {"", "channels", "channels.3.mean", "channels.x", "channels.-1", "channels..mean",
                                       "channels.99999999999999999999999", "images.0", "nothing", "."};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        if (!isnan(mdldm_report_value(r, none[i])))
            fail_msg("\"%s\" has a value", none[i]);
        assert_null(mdldm_report_text(r, none[i]));
    }
    assert_true(isnan(mdldm_report_value(NULL, "images")) && isnan(mdldm_report_value(r, NULL)));
    assert_null(mdldm_report_text(NULL, "images"));
    assert_null(mdldm_report_json(NULL));
    assert_int_equal(mdldm_report_length(NULL, ""), 0);
    assert_int_equal(mdldm_report_length(r, NULL), 0);
    mdldm_report_free(r);
    mdldm_report_free(NULL);
}

/* Noise, a plane wave, nothing: what they must give. */
static void known_latents(void **state)
{
    (void)state;
    enum { N = 40, S = 16 };
    static float z[N * S * S], rest[N * S * S];
    static double power[S * S], none[S * S];
    double rings[S / 2 + 1] = {0}, errors[10] = {0}, white[10] = {0}, explained;
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    const mdldm__latent_set s = {z, N, 1, S, S}, r = {rest, N, 1, S, S};
    uint32_t x = 7;
    for (int i = 0; i < N * S * S; i++) {
        x = x * 1664525u + 1013904223u;
        z[i] = (float)(x >> 8) / 8388608.0f - 1.0f;
    }
    mdldm__latent_rest(&s, rest);
    must(mdldm__latent_power(&env, &r, 0, power));
    const double high = mdldm__latent_radial(power, S, S, rings);
    const double third = 1.0 / 3.0; /* the variance */
    mdldm__latent_denoising(power, S * S, errors);
    mdldm__latent_denoising(&third, 1, white);
    must(mdldm__latent_probe(&env, &r, &explained));
    print_message("  noise: share of high frequencies %.3f, denoising %.4f of white's, probe %.4f\n", high,
                  errors[3] / white[3], explained);
    assert_float_equal(high, 0.809, 0.004);     /* 207 of the 256 frequencies; observed: 0.810 */
    assert_true(errors[3] / white[3] > 0.99);  /* observed: 0.998; 40 images' spectrum has noise of its own */
    assert_true(fabs(explained) < 0.002);      /* observed: 0.0005 */
    for (int i = 0; i < N; i++) /* one frequency, its phase drawn: neighbours tell all */
        for (int p = 0; p < S * S; p++)
            z[i * S * S + p] = (float)sin(0.7853981633974483 * (p % S) + 2.399963 * i);
    mdldm__latent_rest(&s, rest);
    must(mdldm__latent_power(&env, &r, 0, power));
    must(mdldm__latent_probe(&env, &r, &explained));
    double total = 0.0;
    for (int p = 0; p < S * S; p++)
        total += power[p];
    assert_float_equal((power[2] + power[14]) / total, 1.0, 1e-6);
    assert_true(explained > 0.999);
    for (int i = 0; i < N / 2; i++) /* two channels, one of them minus half the other: one direction */
        for (int q = 0; q < S * S; q++)
            z[(2 * i + 1) * S * S + q] = -0.5f * z[2 * i * S * S + q];
    const mdldm__latent_set twins = {z, N / 2, 2, S, S}, apart = {rest, N / 2, 2, S, S};
    double variances[2], directions[4], own = 0.0;
    mdldm__latent_rest(&twins, rest);
    for (int i = 0; i < N * S * S; i++)
        own += (double)rest[i] * (double)rest[i] / ((N / 2 - 1) * S * S);
    must(mdldm__latent_principal(&env, &apart, directions, variances));
    must(mdldm__latent_rotate(&env, &apart, directions, rest));
    assert_float_equal(variances[0], own, 1e-6 * own);
    assert_true(variances[1] < 1e-12 * own);
    for (int i = 0; i < N / 2 * S * S; i++)
        assert_true(fabsf(rest[(i / (S * S) * 2 + 1) * S * S + i % (S * S)]) < 1e-6f);
    memset(rest, 0, sizeof rest);
    must(mdldm__latent_power(&env, &r, 0, power));
    must(mdldm__latent_probe(&env, &r, &explained));
    assert_true(isnan(explained) && isnan(mdldm__latent_radial(power, S, S, none)));
    assert_true(isnan(mdldm__latent_slope(none, S / 2 + 1)));
}

static void refuses(const mdldm_model *m, const mdldm_dataset *d, mdldm_status status, const char *part)
{
    mdldm_report *r = (mdldm_report *)&status;
    assert_int_equal(mdldm_latent_report(ctx, m, d, NULL, &r), status);
    assert_null(r);
    if (strstr(mdldm_context_error(ctx), part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", mdldm_context_error(ctx), part);
}

static int32_t stop(void *user, const char *stage, int64_t done, int64_t total)
{
    (void)user;
    if (strcmp(stage, "measure") != 0) /* the calls that this one is made of */
        return 0;
    assert_int_equal(total, IMAGES + 1);
    return done == total;
}

static void refusals(void **state)
{
    (void)state;
    mdldm_report *r;
    mdldm_dataset *other;
    mdldm_model *grey;
    const float db[256] = {0.0f};
    static const int64_t label = 0;
    assert_int_equal(mdldm_latent_report(NULL, model, data, NULL, &r), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_latent_report(ctx, model, data, NULL, NULL), MDLDM_ERROR_INVALID_ARGUMENT);
    refuses(NULL, data, MDLDM_ERROR_INVALID_ARGUMENT, "the model is NULL");
    refuses(model, NULL, MDLDM_ERROR_INVALID_ARGUMENT, "the data set is NULL");
    mdldm_options *o = options_from_text(ctx, "resolution=16 image_mode=L");
    must(mdldm_dataset_from_db(ctx, db, 1, 16, 16, &label, NULL, o, &other));
    refuses(model, other, MDLDM_ERROR_INVALID_ARGUMENT, "takes 3 channels and the data set has 1");
    mdldm_dataset_free(other);
    mdldm_options_free(o);
    o = options_from_text(ctx, "resolution=30");
    must(open_data(ctx, o, &other));
    refuses(model, other, MDLDM_ERROR_INVALID_ARGUMENT, "30 pixels a side; a multiple of 4");
    mdldm_dataset_free(other);
    mdldm_options_free(o);
    o = options_from_text(ctx, "resolution=32 max_samples=1");
    must(open_data(ctx, o, &other));
    refuses(model, other, MDLDM_ERROR_INVALID_ARGUMENT, "has 1 images; 2 at least");
    mdldm_dataset_free(other);
    mdldm_options_free(o);
    must(mdldm_model_load(ctx, "tests/golden/data/unet_plain", &grey));
    refuses(grey, data, MDLDM_ERROR_UNSUPPORTED, "no autoencoder");
    mdldm_model_free(grey);
    o = options_from_text(ctx, "latent_pairs=1");
    mdldm_context_set_progress(ctx, stop, NULL);
    assert_int_equal(mdldm_latent_report(ctx, model, data, o, &r), MDLDM_ERROR_CANCELLED);
    mdldm_context_set_progress(ctx, NULL, NULL);
    assert_null(r);
    mdldm_options_free(o);
}

static mdldm_status memory_body(mdldm_context *own)
{
    mdldm_model *m = NULL;
    mdldm_dataset *d = NULL;
    mdldm_options *o = NULL;
    mdldm_report *r = NULL;
    mdldm_status status = mdldm_options_create(own, &o);
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(own, o, "resolution", SIDE);
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(own, o, "latent_images", 5);
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(own, o, "latent_pairs", 1);
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(own, o, "latent_steps", 2);
    if (status == MDLDM_OK)
        status = mdldm_model_load(own, pipeline, &m);
    if (status == MDLDM_OK)
        status = open_data(own, o, &d);
    if (status == MDLDM_OK)
        status = mdldm_latent_report(own, m, d, o, &r);
    if (status == MDLDM_OK)
        assert_int_equal(mdldm_report_length(r, "channels"), CHANNELS);
    else
        assert_null(r);
    mdldm_report_free(r);
    mdldm_dataset_free(d);
    mdldm_model_free(m);
    mdldm_options_free(o);
    return status;
}

static mdldm_status memory_scenario(torture *t, void *user, char sentence[1024])
{
    (void)user;
    mdldm_context *own;
    mdldm_status status = mdldm_context_create_with(torture_resize, t, &own);
    if (status != MDLDM_OK)
        return status;
    status = mdldm_context_use_backend(own, "reference");
    if (status == MDLDM_OK)
        status = memory_body(own);
    if (status != MDLDM_OK)
        snprintf(sentence, 1024, "%s", mdldm_context_error(own));
    mdldm_context_free(own);
    return status;
}

static void no_memory(void **state)
{
    (void)state;
    assert_true(torture_run("latent report", memory_scenario, NULL, 80) > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_the_latents),
        cmocka_unit_test(walks_are_the_decoders),
        cmocka_unit_test(warnings),
        cmocka_unit_test(paths),
        cmocka_unit_test(known_latents),
        cmocka_unit_test(refusals),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
