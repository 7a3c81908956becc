/* SPDX-License-Identifier: MIT
 * Models: made, saved, loaded, asked, used. */
#include "caller.h"

#include <stdio.h>
#include <string.h>

static void facts(caller *c)
{
    static const char *const keys[] = { "num_classes", "num_codes", "has_autoencoder", "has_unet", "image_channels",
                                        "latent_channels", "latent_factor", "num_train_timesteps", "timestep_groups" };
    static const char *const positive[] = { "parameters", "autoencoder_parameters", "unet_parameters", "sample_size",
                                            "resolution", "weight_bytes" };
    static const char *const words[] = { "autoencoder_class", "unet_class", "scheduler_class", "prediction_type" };
    static const char *const configs[] = { "autoencoder_config", "unet_config", "scheduler_config" };
    const char *text = NULL;
    double scale = 0;
    int64_t value, shape[4] = { 0 }, macs = 0, bytes = 0;

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        mdldm_status s = mdldm_model_get_int(c->ctx, c->model, keys[i], &value);
        caller_say("mdldm_model_get_int", "%s %d %d", keys[i], (int)s, (int)value);
    }
    for (size_t i = 0; i < sizeof positive / sizeof positive[0]; i++) {
        mdldm_status s = mdldm_model_get_int(c->ctx, c->model, positive[i], &value);
        caller_say("mdldm_model_get_int", "%s %d %s", positive[i], (int)s, value > 0 ? "above 0" : "NOT ABOVE 0");
    }
    TRY(mdldm_model_get_int(c->ctx, c->model, "no_such_fact", &value));
    TRY(mdldm_model_get_double(c->ctx, c->model, "scaling_factor", &scale));
    caller_say("mdldm_model_get_double", "%g", scale);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        mdldm_status s = mdldm_model_get_string(c->ctx, c->model, words[i], &text);
        caller_say("mdldm_model_get_string", "%s %d %s", words[i], (int)s, text);
    }
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        mdldm_status s = mdldm_model_get_string(c->ctx, c->model, configs[i], &text);
        caller_say("mdldm_model_get_string", "%s %d %c", configs[i], (int)s, text[0]);
    }
    caller_say("mdldm_model_class_name", "%s", mdldm_model_class_name(c->model, 1));
    caller_say("mdldm_model_tensor_count", "%s", mdldm_model_tensor_count(c->model, "unet") > 0 ? "some" : "NONE");
    caller_say("mdldm_model_tensor_name", "%s", mdldm_model_tensor_name(c->model, "unet", 0) != NULL ? "some" : "NONE");
    caller_say("mdldm_model_tensor_shape", "%s", mdldm_model_tensor_shape(c->model, "unet", 0, shape) > 0 && shape[0] > 0 ? "some" : "NONE");
    TRY(mdldm_model_cost(c->ctx, c->model, "predict", CALLER_SIDE, CALLER_SIDE, &macs, &bytes));
    caller_say("mdldm_model_cost", "%s", macs > 0 && bytes > 0 ? "some" : "NONE");
}

void caller_model(caller *c)
{
    mdldm_options *o = NULL;
    char path[1024];

    TRY(mdldm_options_create(c->ctx, &o));
    TRY(mdldm_options_set_string(c->ctx, o, "preset", "tiny"));
    TRY(mdldm_options_set_int(c->ctx, o, "resolution", CALLER_SIDE));
    TRY(mdldm_options_set_int(c->ctx, o, "num_classes", 2));
    TRY(mdldm_options_set_string(c->ctx, o, "class_names", "ID_1/ID_2"));
    TRY(mdldm_options_set_int(c->ctx, o, "num_codes", 32));
    TRY(mdldm_options_set_int(c->ctx, o, "seed", 4));
    TRY(mdldm_options_set_double(c->ctx, o, "scaling_factor", 0.5));
    if (!TRY(mdldm_model_create(c->ctx, o, &c->model)))
        printf("%s\n", mdldm_context_error(c->ctx));
    mdldm_options_free(o);
    facts(c);
    snprintf(path, sizeof path, "%s/model", c->folder);
    TRY(mdldm_model_save(c->ctx, c->model, path));
    TRY(mdldm_model_save(c->ctx, c->model, "/proc/no/such/place"));
    mdldm_model_retain(c->model);
    mdldm_model_free(c->model);
    caller_say("mdldm_model_retain", "%s", mdldm_model_class_name(c->model, 0));
    mdldm_model_free(c->model);
    mdldm_model_free(NULL);
    caller_say("mdldm_model_free", "done");
    TRY(mdldm_model_load(c->ctx, "/no/such/model", &c->model));
    caller_say("mdldm_model_load", "%s", c->model == NULL ? "NULL" : "NOT NULL");
    TRY(mdldm_model_load(c->ctx, path, &c->model));
}

void caller_inference(caller *c)
{
    enum { MOST = 64 * CALLER_SIDE * CALLER_SIDE };
    static float pixels[CALLER_PIXELS], latent[MOST], vectors[MOST], output[MOST], again[CALLER_PIXELS];
    static int32_t codes[CALLER_SIDE * CALLER_SIDE];
    const int64_t timestep = 500, label = 1, bad_label = 7;
    int64_t factor = 1, channels = 1;
    int in_range = 1;

    mdldm_model_get_int(c->ctx, c->model, "latent_factor", &factor);
    mdldm_model_get_int(c->ctx, c->model, "latent_channels", &channels);
    const int64_t side = CALLER_SIDE / factor; /* latent [1, channels, side, side] */
    const size_t count = (size_t)(channels * side * side);
    mdldm_dataset_read(c->ctx, c->data, 0, pixels, CALLER_PIXELS);
    TRY(mdldm_encode(c->ctx, c->model, pixels, 1, CALLER_SIDE, CALLER_SIDE, latent, count));
    caller_say("mdldm_encode", "%s", caller_finite(latent, count));
    TRY(mdldm_encode(c->ctx, c->model, pixels, 1, CALLER_SIDE, CALLER_SIDE, latent, count - 1));
    TRY(mdldm_encode(c->ctx, c->model, pixels, 1, CALLER_SIDE - 1, CALLER_SIDE, latent, MOST));
    TRY(mdldm_encode(c->ctx, c->model, NULL, 1, CALLER_SIDE, CALLER_SIDE, latent, count));
    TRY(mdldm_quantize(c->ctx, c->model, latent, 1, side, side, vectors, count, codes, (size_t)(side * side)));
    TRY(mdldm_quantize(c->ctx, c->model, latent, 1, side, side, NULL, 0, codes, (size_t)(side * side)));
    for (int64_t i = 0; i < side * side; i++)
        in_range = in_range && codes[i] >= 0 && codes[i] < 32;
    caller_say("mdldm_quantize", "%s", in_range ? "codes of the codebook" : "CODES OUT OF RANGE");
    TRY(mdldm_predict(c->ctx, c->model, latent, 1, side, side, &timestep, &label, output, count));
    caller_say("mdldm_predict", "%s", caller_finite(output, count));
    TRY(mdldm_predict(c->ctx, c->model, latent, 1, side, side, &timestep, &bad_label, output, count));
    TRY(mdldm_decode(c->ctx, c->model, vectors, 1, side, side, pixels, CALLER_PIXELS));
    caller_say("mdldm_decode", "%s", caller_finite(pixels, CALLER_PIXELS));
    TRY(mdldm_decode_codes(c->ctx, c->model, codes, 1, side, side, again, CALLER_PIXELS));
    caller_say("mdldm_decode_codes", "%s", memcmp(pixels, again, sizeof again) == 0 ? "as from the vectors" : "SOMETHING ELSE");
    codes[0] = 32;
    TRY(mdldm_decode_codes(c->ctx, c->model, codes, 1, side, side, again, CALLER_PIXELS));
    mdldm_context_cancel(c->ctx);
    caller_status("mdldm_context_cancel", mdldm_encode(c->ctx, c->model, pixels, 1, CALLER_SIDE, CALLER_SIDE, latent, count));
    TRY(mdldm_encode(c->ctx, c->model, pixels, 1, CALLER_SIDE, CALLER_SIDE, latent, count));
}
