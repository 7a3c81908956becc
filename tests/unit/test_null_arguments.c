/* SPDX-License-Identifier: MIT
 * NULL wherever the public interface takes a pointer: a status or a neutral value, never a crash. With a
 * context there is a sentence too. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mdldm/mdldm.h"

/* The call with ctx NULL, then with a context, which must know what was wrong. */
#define REFUSES(call)                                                                            \
    do {                                                                                         \
        mdldm_context *ctx = NULL;                                                               \
        assert_int_equal((call), MDLDM_ERROR_INVALID_ARGUMENT);                                  \
        ctx = context;                                                                           \
        assert_int_equal(mdldm_context_set_precision(ctx, "f32"), MDLDM_OK); /* an empty sentence */ \
        assert_string_equal(mdldm_context_error(ctx), "");                                       \
        assert_int_equal((call), MDLDM_ERROR_INVALID_ARGUMENT);                                  \
        if (mdldm_context_error(ctx)[0] == '\0')                                                 \
            fail_msg("no sentence after %s", #call);                                             \
    } while (0)

static mdldm_context *context;

static void contexts(void **state)
{
    (void)state;
    assert_int_equal(mdldm_context_create(NULL), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_context_create_with(NULL, NULL, NULL), MDLDM_ERROR_INVALID_ARGUMENT);
    mdldm_context_free(NULL);
    mdldm_context_cancel(NULL);
    mdldm_context_set_log(NULL, NULL, NULL);
    mdldm_context_set_progress(NULL, NULL, NULL);
    assert_true(mdldm_context_error(NULL)[0] != '\0');
    assert_string_equal(mdldm_context_backend(NULL), "");
    assert_non_null(mdldm_status_name((mdldm_status)12345));
    assert_int_equal(mdldm_context_use_backend(NULL, "reference"), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_context_set_threads(NULL, 1), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_context_set_winograd(NULL, 1), MDLDM_ERROR_INVALID_ARGUMENT);
    REFUSES(mdldm_context_use_backend(ctx, NULL));
    REFUSES(mdldm_context_set_threads(ctx, -1));
    REFUSES(mdldm_context_set_precision(ctx, NULL));
    REFUSES(mdldm_context_set_winograd(ctx, -1));
    assert_int_equal(mdldm_backend_count(NULL), 0);
    assert_null(mdldm_backend_name(NULL, 0));
    assert_null(mdldm_backend_description(NULL, 0));
    assert_null(mdldm_backend_name(context, -1));
    assert_null(mdldm_backend_name(context, 1000));
    assert_null(mdldm_backend_description(context, 1000));
    mdldm_backend_reason(NULL, 0);
    mdldm_backend_reason(context, 1000);
}

static void options(void **state)
{
    (void)state;
    mdldm_options *o;
    int64_t i;
    double d;
    const char *s;
    REFUSES(mdldm_options_create(ctx, NULL));
    assert_int_equal(mdldm_options_create(NULL, &o), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_options_create(context, &o), MDLDM_OK);
    mdldm_options_free(NULL);
    REFUSES(mdldm_options_set_int(ctx, NULL, "seed", 1));
    REFUSES(mdldm_options_set_int(ctx, o, NULL, 1));
    REFUSES(mdldm_options_set_double(ctx, NULL, "eta", 1));
    REFUSES(mdldm_options_set_double(ctx, o, NULL, 1));
    REFUSES(mdldm_options_set_string(ctx, NULL, "preset", "tiny"));
    REFUSES(mdldm_options_set_string(ctx, o, NULL, "tiny"));
    REFUSES(mdldm_options_set_string(ctx, o, "preset", NULL));
    REFUSES(mdldm_options_parse(ctx, NULL, "seed", "1"));
    REFUSES(mdldm_options_parse(ctx, o, NULL, "1"));
    REFUSES(mdldm_options_parse(ctx, o, "seed", NULL));
    REFUSES(mdldm_options_get_int(ctx, o, NULL, &i));
    REFUSES(mdldm_options_get_int(ctx, o, "seed", NULL));
    REFUSES(mdldm_options_get_double(ctx, o, NULL, &d));
    REFUSES(mdldm_options_get_double(ctx, o, "eta", NULL));
    REFUSES(mdldm_options_get_string(ctx, o, NULL, &s));
    REFUSES(mdldm_options_get_string(ctx, o, "preset", NULL));
    assert_int_equal(mdldm_options_is_set(NULL, "seed"), 0);
    assert_int_equal(mdldm_options_is_set(o, NULL), 0);
    assert_int_equal(mdldm_option_index(NULL), -1);
    const int32_t outside[] = {-1, INT32_MIN, INT32_MAX, mdldm_option_count()};
    for (size_t k = 0; k < sizeof outside / sizeof outside[0]; k++) {
        assert_null(mdldm_option_key(outside[k]));
        assert_null(mdldm_option_default(outside[k]));
        assert_null(mdldm_option_choices(outside[k]));
        assert_null(mdldm_option_unit(outside[k]));
        assert_null(mdldm_option_help(outside[k]));
        assert_null(mdldm_option_since(outside[k]));
        assert_int_equal(mdldm_option_scopes(outside[k]), 0);
        assert_int_equal(mdldm_option_type_of(outside[k]), 0);
        assert_true(mdldm_option_min(outside[k]) == 0.0 && mdldm_option_max(outside[k]) == 0.0);
    }
    mdldm_options_free(o);
}

static void models(void **state)
{
    (void)state;
    mdldm_model *m;
    int64_t i, shape[4];
    double d;
    const char *s;
    float f[4];
    int32_t codes[4];
    REFUSES(mdldm_model_load(ctx, NULL, &m));
    REFUSES(mdldm_model_load(ctx, "x", NULL));
    REFUSES(mdldm_model_create(ctx, NULL, NULL));
    REFUSES(mdldm_model_save(ctx, NULL, "x"));
    mdldm_model_retain(NULL);
    mdldm_model_free(NULL);
    REFUSES(mdldm_model_get_int(ctx, NULL, "parameters", &i));
    REFUSES(mdldm_model_get_double(ctx, NULL, "scaling_factor", &d));
    REFUSES(mdldm_model_get_string(ctx, NULL, "unet_config", &s));
    assert_null(mdldm_model_class_name(NULL, 0));
    assert_int_equal(mdldm_model_tensor_count(NULL, "unet"), 0);
    assert_null(mdldm_model_tensor_name(NULL, "unet", 0));
    assert_int_equal(mdldm_model_tensor_shape(NULL, "unet", 0, shape), 0);
    REFUSES(mdldm_model_cost(ctx, NULL, "encode", 8, 8, &i, &i));
    REFUSES(mdldm_encode(ctx, NULL, f, 1, 1, 1, f, 4));
    REFUSES(mdldm_quantize(ctx, NULL, f, 1, 1, 1, f, 4, codes, 4));
    REFUSES(mdldm_predict(ctx, NULL, f, 1, 1, 1, &i, NULL, f, 4));
    REFUSES(mdldm_decode(ctx, NULL, f, 1, 1, 1, f, 4));
    REFUSES(mdldm_decode_codes(ctx, NULL, codes, 1, 1, 1, f, 4));
}

static void arrays_of_a_model(void **state)
{
    (void)state;
    static float f[3 * 16 * 16];
    int32_t codes[16] = {0};
    int64_t i = 0;
    mdldm_model *m;
    const char *s;
    assert_int_equal(mdldm_model_load(context, "tests/golden/data/pipeline", &m), MDLDM_OK);
    REFUSES(mdldm_model_save(ctx, m, NULL));
    REFUSES(mdldm_model_get_int(ctx, m, NULL, &i));
    REFUSES(mdldm_model_get_int(ctx, m, "parameters", NULL));
    REFUSES(mdldm_model_get_string(ctx, m, NULL, &s));
    REFUSES(mdldm_model_get_string(ctx, m, "unet_config", NULL));
    assert_int_equal(mdldm_model_tensor_count(m, NULL), 0);
    assert_null(mdldm_model_tensor_name(m, NULL, 0));
    assert_null(mdldm_model_tensor_name(m, "unet", -1));
    assert_null(mdldm_model_tensor_name(m, "unet", INT64_MAX));
    assert_int_equal(mdldm_model_tensor_shape(m, "unet", 0, NULL), 0);
    REFUSES(mdldm_encode(ctx, m, NULL, 1, 16, 16, f, 768));
    REFUSES(mdldm_encode(ctx, m, f, 1, 16, 16, NULL, 768));
    REFUSES(mdldm_encode(ctx, m, f, 0, 16, 16, f, 768));
    REFUSES(mdldm_encode(ctx, m, f, -1, 16, 16, f, 768));
    REFUSES(mdldm_encode(ctx, m, f, 1, 15, 16, f, 768));
    REFUSES(mdldm_encode(ctx, m, f, INT64_MAX, 16, 16, f, 768));
    REFUSES(mdldm_encode(ctx, m, f, 1, INT64_MAX - 3, 16, f, 768));
    REFUSES(mdldm_quantize(ctx, m, NULL, 1, 4, 4, f, 768, codes, 16));
    REFUSES(mdldm_predict(ctx, m, NULL, 1, 4, 4, &i, NULL, f, 768));
    REFUSES(mdldm_predict(ctx, m, f, 1, 4, 4, NULL, NULL, f, 768));
    REFUSES(mdldm_predict(ctx, m, f, 1, 4, 4, &i, NULL, NULL, 768));
    REFUSES(mdldm_decode(ctx, m, NULL, 1, 4, 4, f, 768));
    REFUSES(mdldm_decode(ctx, m, f, 1, 4, 4, NULL, 768));
    REFUSES(mdldm_decode(ctx, m, f, INT64_C(1) << 40, INT64_C(1) << 20, INT64_C(1) << 20, f, 768));
    REFUSES(mdldm_decode_codes(ctx, m, NULL, 1, 4, 4, f, 768));
    REFUSES(mdldm_decode_codes(ctx, m, codes, 1, 4, 4, NULL, 768));
    codes[3] = 8; /* of 0..7 */
    REFUSES(mdldm_decode_codes(ctx, m, codes, 1, 4, 4, f, 768));
    codes[3] = -1;
    REFUSES(mdldm_decode_codes(ctx, m, codes, 1, 4, 4, f, 768));
    mdldm_sampler *sampler;
    REFUSES(mdldm_sampler_create(ctx, m, NULL, NULL));
    assert_int_equal(mdldm_sampler_create(context, m, NULL, &sampler), MDLDM_OK);
    REFUSES(mdldm_sampler_noise(ctx, sampler, 1, 4, 4, 0, NULL, 768));
    REFUSES(mdldm_sampler_noise(ctx, sampler, -1, 4, 4, 0, f, 768));
    REFUSES(mdldm_denoise_step(ctx, sampler, NULL, 1, 4, 4, NULL, 0, 0));
    REFUSES(mdldm_denoise_step(ctx, sampler, f, 1, 4, 4, NULL, 0, -1));
    REFUSES(mdldm_denoise_step(ctx, sampler, f, 1, 4, 4, NULL, 0, INT64_MAX));
    REFUSES(mdldm_scheduler_step(ctx, sampler, NULL, f, 1, 4, 4, 0, 0, NULL));
    REFUSES(mdldm_scheduler_step(ctx, sampler, f, NULL, 1, 4, 4, 0, 0, NULL));
    REFUSES(mdldm_generate(ctx, sampler, 1, 16, 16, NULL, 0, NULL, 768));
    REFUSES(mdldm_generate(ctx, sampler, 1, 17, 16, NULL, 0, f, 768));
    REFUSES(mdldm_generate(ctx, sampler, INT64_MAX, 16, 16, NULL, 0, f, 768));
    assert_true(mdldm_sampler_timestep(sampler, -1) == -1.0);
    assert_true(mdldm_sampler_timestep(sampler, INT64_MAX) == -1.0);
    mdldm_sampler_free(sampler);
    mdldm_model_free(m);
}

static void samplers(void **state)
{
    (void)state;
    mdldm_sampler *sampler;
    float f[4];
    REFUSES(mdldm_sampler_create(ctx, NULL, NULL, &sampler));
    mdldm_sampler_free(NULL);
    assert_int_equal(mdldm_sampler_steps(NULL), 0);
    assert_true(mdldm_sampler_timestep(NULL, 0) == -1.0);
    REFUSES(mdldm_sampler_noise(ctx, NULL, 1, 1, 1, 0, f, 4));
    REFUSES(mdldm_denoise_step(ctx, NULL, f, 1, 1, 1, NULL, 0, 0));
    REFUSES(mdldm_scheduler_step(ctx, NULL, f, f, 1, 1, 1, 0, 0, NULL));
    REFUSES(mdldm_generate(ctx, NULL, 1, 1, 1, NULL, 0, f, 4));
}

static void data_sets_and_images(void **state)
{
    (void)state;
    mdldm_dataset *d;
    float f[12] = {0};
    uint8_t rgb[12] = {0};
    int64_t height, width;
    REFUSES(mdldm_dataset_open(ctx, NULL, NULL, &d));
    REFUSES(mdldm_dataset_open(ctx, "x", NULL, NULL));
    mdldm_dataset_free(NULL);
    assert_int_equal(mdldm_dataset_count(NULL), 0);
    assert_int_equal(mdldm_dataset_skipped(NULL), 0);
    assert_int_equal(mdldm_dataset_class_count(NULL), 0);
    assert_null(mdldm_dataset_class_name(NULL, 0));
    assert_null(mdldm_dataset_item_name(NULL, 0));
    assert_int_equal(mdldm_dataset_item_label(NULL, 0), -1);
    REFUSES(mdldm_dataset_read(ctx, NULL, 0, f, 12));
    REFUSES(mdldm_dataset_read_rgb8(ctx, NULL, 0, rgb, 12));
    REFUSES(mdldm_image_read(ctx, NULL, rgb, 12, &height, &width));
    REFUSES(mdldm_image_write(ctx, NULL, rgb, 2, 2));
    REFUSES(mdldm_image_write(ctx, "x.png", NULL, 2, 2));
    REFUSES(mdldm_image_write(ctx, "x.png", rgb, 0, 2));
    REFUSES(mdldm_image_write(ctx, "x.png", rgb, 2, -2));
    REFUSES(mdldm_image_write(ctx, "x.png", rgb, INT64_MAX, INT64_MAX));
    REFUSES(mdldm_pixels_to_rgb8(ctx, NULL, 1, 2, 2, rgb, 12));
    REFUSES(mdldm_pixels_to_rgb8(ctx, f, 1, 2, 2, NULL, 12));
    REFUSES(mdldm_pixels_to_rgb8(ctx, f, INT64_MAX, 2, 2, rgb, 12));
    REFUSES(mdldm_rgb8_to_pixels(ctx, NULL, 1, 2, 2, f, 12));
    REFUSES(mdldm_rgb8_to_pixels(ctx, rgb, 1, 2, 2, NULL, 12));
    REFUSES(mdldm_rgb8_to_pixels(ctx, rgb, -1, 2, 2, f, 12));
    REFUSES(mdldm_colormap_apply(ctx, NULL, f, 4, 0, 1, rgb, 12));
    REFUSES(mdldm_colormap_apply(ctx, "jet", NULL, 4, 0, 1, rgb, 12));
    REFUSES(mdldm_colormap_apply(ctx, "jet", f, 4, 0, 1, NULL, 12));
    REFUSES(mdldm_colormap_apply(ctx, "jet", f, 4, 1, 0, rgb, 12));
    REFUSES(mdldm_colormap_apply(ctx, "jet", f, 4, NAN, 1, rgb, 12));
    REFUSES(mdldm_colormap_invert(ctx, NULL, rgb, 4, 0, 1, f, 12, NULL, 0, NULL, NULL));
    REFUSES(mdldm_colormap_invert(ctx, "jet", NULL, 4, 0, 1, f, 12, NULL, 0, NULL, NULL));
    REFUSES(mdldm_colormap_invert(ctx, "jet", rgb, 4, 0, 1, NULL, 12, NULL, 0, NULL, NULL));
    assert_null(mdldm_colormap_name(-1));
    assert_null(mdldm_colormap_name(mdldm_colormap_count()));
}

static void radar_samples(void **state)
{
    (void)state;
    float f[12] = {0};
    double low, high;
    REFUSES(mdldm_spectrogram(ctx, NULL, 300, 1000, NULL, f, 1 << 20, NULL, NULL));
    REFUSES(mdldm_spectrogram(ctx, f, 6, 1000, NULL, f, 12, NULL, NULL));
    REFUSES(mdldm_spectrogram(ctx, NULL, -1, 1000, NULL, NULL, 0, NULL, NULL));
    REFUSES(mdldm_spectrogram(ctx, NULL, INT64_MAX, 1000, NULL, NULL, 0, NULL, NULL));
    REFUSES(mdldm_spectrogram(ctx, NULL, 300, 0, NULL, NULL, 0, NULL, NULL));
    REFUSES(mdldm_spectrogram_axes(ctx, 300, NAN, NULL, NULL, 0, NULL, 0));
    REFUSES(mdldm_matrix_resize(ctx, NULL, 2, 2, 2, 2, f, 12));
    REFUSES(mdldm_matrix_resize(ctx, f, 2, 2, 2, 2, NULL, 12));
    REFUSES(mdldm_matrix_resize(ctx, f, 0, 2, 2, 2, f, 12));
    REFUSES(mdldm_matrix_resize(ctx, f, 2, 2, INT64_MAX, 2, f, 12));
    REFUSES(mdldm_db_range(ctx, NULL, 4, 40, &low, &high));
    REFUSES(mdldm_db_range(ctx, f, 0, 40, &low, &high));
    REFUSES(mdldm_db_range(ctx, f, 4, 40, NULL, &high));
    REFUSES(mdldm_db_range(ctx, f, 4, 40, &low, NULL));
    REFUSES(mdldm_db_to_unit(ctx, NULL, 4, -40, 0, f, 12));
    REFUSES(mdldm_db_to_unit(ctx, f, 4, -40, 0, NULL, 12));
    REFUSES(mdldm_unit_to_db(ctx, NULL, 4, -40, 0, f, 12));
    REFUSES(mdldm_unit_to_db(ctx, f, 4, 0, 0, f, 12));
    REFUSES(mdldm_db_to_pixels(ctx, f, 4, 0, -40, f, 12));
    REFUSES(mdldm_pixels_to_db(ctx, f, 4, NAN, 0, f, 12));
}

static void reports(void **state)
{
    (void)state;
    mdldm_report *r;
    REFUSES(mdldm_latent_report(ctx, NULL, NULL, NULL, &r));
    REFUSES(mdldm_latent_report(ctx, NULL, NULL, NULL, NULL));
    REFUSES(mdldm_evaluate(ctx, NULL, NULL, NULL, NULL, &r));
    REFUSES(mdldm_evaluate(ctx, NULL, NULL, NULL, NULL, NULL));
    mdldm_report_free(NULL);
    assert_true(isnan(mdldm_report_value(NULL, "images")));
    assert_null(mdldm_report_text(NULL, NULL));
    assert_null(mdldm_report_json(NULL));
    assert_null(mdldm_report_html(NULL));
    assert_int_equal(mdldm_report_length(NULL, NULL), 0);
}

static void gait_measures(void **state)
{
    (void)state;
    float f[64] = {0};
    double values[64];
    assert_true(mdldm_gait_measure_count() <= 64);
    REFUSES(mdldm_gait_measure(ctx, NULL, 1, 8, 8, NULL, values, 64, NULL, 0));
    REFUSES(mdldm_gait_measure(ctx, f, 1, 8, 8, NULL, NULL, 64, NULL, 0));
    REFUSES(mdldm_gait_measure(ctx, f, 0, 8, 8, NULL, values, 64, NULL, 0));
    REFUSES(mdldm_gait_measure(ctx, f, -1, 8, 8, NULL, values, 64, NULL, 0));
    REFUSES(mdldm_gait_measure(ctx, f, 1, 8, INT64_MAX, NULL, values, 64, NULL, 0));
    REFUSES(mdldm_gait_measure_pixels(ctx, NULL, 1, 1, 8, 8, NULL, values, 64, NULL, 0));
    REFUSES(mdldm_gait_measure_pixels(ctx, f, 1, 1, 8, 8, NULL, NULL, 64, NULL, 0));
    REFUSES(mdldm_gait_measure_pixels(ctx, f, 1, -1, 8, 8, NULL, values, 64, NULL, 0));
    REFUSES(mdldm_gait_measure_dataset(ctx, NULL, NULL, values, 64));
    assert_null(mdldm_gait_measure_name(-1));
    assert_null(mdldm_gait_measure_unit(INT32_MAX));
    assert_null(mdldm_gait_measure_help(mdldm_gait_measure_count()));
}

static void trainers(void **state)
{
    (void)state;
    mdldm_trainer *t;
    REFUSES(mdldm_trainer_create(ctx, MDLDM_STAGE_DIFFUSION, NULL, NULL, NULL, &t));
    REFUSES(mdldm_trainer_create(ctx, MDLDM_STAGE_DIFFUSION, NULL, NULL, NULL, NULL));
    mdldm_trainer_free(NULL);
    REFUSES(mdldm_trainer_step(ctx, NULL));
    REFUSES(mdldm_trainer_validate(ctx, NULL));
    REFUSES(mdldm_trainer_checkpoint(ctx, NULL));
    REFUSES(mdldm_trainer_update_model(ctx, NULL));
    assert_int_equal(mdldm_trainer_global_step(NULL), 0);
    assert_int_equal(mdldm_trainer_total_steps(NULL), 0);
    assert_int_equal(mdldm_trainer_epoch(NULL), 0);
    assert_int_equal(mdldm_trainer_steps_per_epoch(NULL), 0);
    assert_int_equal(mdldm_trainer_metric_count(NULL), 0);
    assert_null(mdldm_trainer_metric_name(NULL, 0));
    assert_true(isnan(mdldm_trainer_metric_value(NULL, 0)));
    assert_true(isnan(mdldm_trainer_metric(NULL, "loss")));
}

static void feature_sets_and_samples(void **state)
{
    (void)state;
    const float f[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    const double s[4] = {0.1, 0.2, 0.3, 0.4};
    float g[256];
    double x, y, z;
    REFUSES(mdldm_frechet_distance(ctx, NULL, 4, f, 4, 2, &x));
    REFUSES(mdldm_frechet_distance(ctx, f, 4, NULL, 4, 2, &x));
    REFUSES(mdldm_frechet_distance(ctx, f, 4, f, 4, 2, NULL));
    REFUSES(mdldm_frechet_distance(ctx, f, INT64_MAX, f, 4, 2, &x));
    REFUSES(mdldm_frechet_distance(ctx, f, 4, f, 4, INT64_MAX, &x));
    REFUSES(mdldm_kernel_distance(ctx, NULL, 4, f, 4, 2, 2, 0, 0, &x, &y));
    REFUSES(mdldm_kernel_distance(ctx, f, 4, NULL, 4, 2, 2, 0, 0, &x, &y));
    REFUSES(mdldm_kernel_distance(ctx, f, 4, f, 4, 2, 2, 0, 0, NULL, &y));
    REFUSES(mdldm_precision_recall(ctx, NULL, 4, f, 4, 2, 1, &x, &x, &x, &x));
    REFUSES(mdldm_precision_recall(ctx, f, 4, NULL, 4, 2, 1, &x, &x, &x, &x));
    REFUSES(mdldm_precision_recall(ctx, f, 4, f, 4, 2, 1, NULL, NULL, NULL, NULL));
    REFUSES(mdldm_nearest_distances(ctx, NULL, 1, f, 4, 2, &x, NULL, 1));
    REFUSES(mdldm_nearest_distances(ctx, f, 1, NULL, 4, 2, &x, NULL, 1));
    REFUSES(mdldm_nearest_distances(ctx, f, 1, f, 4, 2, NULL, NULL, 1));
    REFUSES(mdldm_near_copies(ctx, NULL, 4, f, 4, f, 4, 2, 0.5, &x, &y));
    REFUSES(mdldm_near_copies(ctx, f, 4, NULL, 4, f, 4, 2, 0.5, &x, &y));
    REFUSES(mdldm_near_copies(ctx, f, 4, f, 4, NULL, 4, 2, 0.5, &x, &y));
    REFUSES(mdldm_near_copies(ctx, f, 4, f, 4, f, 4, 2, 0.5, NULL, NULL));
    REFUSES(mdldm_standardize(ctx, NULL, 4, f, 4, 2, g, 8));
    REFUSES(mdldm_standardize(ctx, f, 4, NULL, 4, 2, g, 8));
    REFUSES(mdldm_standardize(ctx, f, 4, f, 4, 2, NULL, 8));
    REFUSES(mdldm_spectrogram_features(ctx, NULL, 1, 1, 2, 2, g, 256));
    REFUSES(mdldm_spectrogram_features(ctx, f, 1, 1, 2, 2, NULL, 256));
    REFUSES(mdldm_spectrogram_features(ctx, f, INT64_MAX, 1, 2, 2, g, 256));
    REFUSES(mdldm_wasserstein_distance(ctx, NULL, 4, s, 4, &x));
    REFUSES(mdldm_wasserstein_distance(ctx, s, 4, NULL, 4, &x));
    REFUSES(mdldm_wasserstein_distance(ctx, s, 4, s, 4, NULL));
    REFUSES(mdldm_two_sample_test(ctx, MDLDM_TEST_KOLMOGOROV_SMIRNOV, NULL, 4, s, 4, 9, 0, &x, &y));
    REFUSES(mdldm_two_sample_test(ctx, MDLDM_TEST_WASSERSTEIN, s, 4, NULL, 4, 9, 0, &x, &y));
    REFUSES(mdldm_two_sample_test(ctx, MDLDM_TEST_WASSERSTEIN, s, 4, s, 4, 9, 0, NULL, NULL));
    REFUSES(mdldm_adjust_p_values(ctx, MDLDM_CORRECTION_HOLM, NULL, 4, &x, 4));
    REFUSES(mdldm_adjust_p_values(ctx, MDLDM_CORRECTION_HOLM, s, 4, NULL, 4));
    REFUSES(mdldm_mean_interval(ctx, MDLDM_INTERVAL_T, NULL, 4, NULL, 4, 0.9, 0, 0, &x, &y, &z));
    REFUSES(mdldm_mean_interval(ctx, MDLDM_INTERVAL_T, s, 4, NULL, 4, 0.9, 0, 0, &x, NULL, &z));
}

static int setup(void **state)
{
    (void)state;
    return mdldm_context_create(&context) != MDLDM_OK ||
           mdldm_context_use_backend(context, "reference") != MDLDM_OK;
}

static int teardown(void **state)
{
    (void)state;
    mdldm_context_free(context);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts),
        cmocka_unit_test(options),
        cmocka_unit_test(models),
        cmocka_unit_test(arrays_of_a_model),
        cmocka_unit_test(samplers),
        cmocka_unit_test(data_sets_and_images),
        cmocka_unit_test(radar_samples),
        cmocka_unit_test(reports),
        cmocka_unit_test(gait_measures),
        cmocka_unit_test(trainers),
        cmocka_unit_test(feature_sets_and_samples),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
