/* SPDX-License-Identifier: MIT
 * Models on disk: what is saved loads again bit for bit; what is broken is refused with a sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/io_fault.h"
#include "models/model.h"
#include "../support/small_model.h"
#include "../support/temp_dir.h"

static mdldm_context *context(void)
{
    mdldm_context *ctx = NULL;
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    return ctx;
}

/* FOLDER/m: a saved model with three classes. */
static mdldm_model *saved_model(mdldm_context *ctx, const char *folder, const char *autoencoder)
{
    mdldm_model *m;
    small_model_configs(folder, autoencoder);
    assert_int_equal(small_model_create(ctx, folder, 3, &m), MDLDM_OK);
    assert_int_equal(mdldm_model_save(ctx, m, temp_path(folder, "m")), MDLDM_OK);
    return m;
}

static void same_weights(const mdldm__component *a, const mdldm__component *b)
{
    assert_int_equal(a->params.count, b->params.count);
    for (int32_t i = 0; i < a->params.count; i++) {
        const mdldm__param *p = &a->params.items[i];
        int32_t k = mdldm__params_find(&b->params, p->name);
        assert_true(k >= 0);
        assert_int_equal(p->dtype, b->params.items[k].dtype);
        assert_memory_equal(p->data, b->params.items[k].data, (size_t)mdldm__param_elements(p) * sizeof(float));
    }
}

static void what_is_saved_loads_again(void **state)
{
    (void)state;
    const char *const kinds[] = {small_vq_config, small_kl_config};
    for (size_t i = 0; i < 2; i++) {
        char *folder = temp_dir_make();
        mdldm_context *ctx = context();
        mdldm_model *m = saved_model(ctx, folder, kinds[i]), *again, *third;
        assert_int_equal(mdldm_model_load(ctx, temp_path(folder, "m"), &again), MDLDM_OK);
        same_weights(m->autoencoder, again->autoencoder);
        same_weights(m->unet, again->unet);
        assert_true(json_equal(m->autoencoder->config, again->autoencoder->config));
        assert_true(json_equal(m->unet->config, again->unet->config));
        assert_true(json_equal(m->scheduler, again->scheduler));
        assert_true(json_equal(m->extra, again->extra));
        /* Saved over the files that are mapped just now. */
        assert_int_equal(mdldm_model_save(ctx, again, temp_path(folder, "m")), MDLDM_OK);
        assert_int_equal(mdldm_model_load(ctx, temp_path(folder, "m"), &third), MDLDM_OK);
        same_weights(m->unet, third->unet);
        assert_true(json_equal(again->index, third->index));
        assert_int_equal(temp_count(folder), 4); /* vqvae, unet, model_index.json and m: nothing is left over */
        mdldm_model_free(third);
        mdldm_model_free(again);
        mdldm_model_free(m);
        mdldm_context_free(ctx);
        temp_dir_remove(folder);
    }
}

static void facts(void **state)
{
    (void)state;
    char *folder = temp_dir_make();
    mdldm_context *ctx = context();
    mdldm_model *m = saved_model(ctx, folder, small_vq_config);
    static const struct {
        const char *key;
        int64_t value;
    } expected[] = {{"latent_channels", 3}, {"latent_factor", 2},   {"image_channels", 3},
                    {"sample_size", 8},     {"resolution", 16},     {"num_classes", 3},
                    {"num_codes", 11},      {"has_autoencoder", 1}, {"has_unet", 1},
                    {"num_train_timesteps", 1000}};
    int64_t value, shape[4];
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_int_equal(mdldm_model_get_int(ctx, m, expected[i].key, &value), MDLDM_OK);
        assert_int_equal(value, expected[i].value);
    }
    int64_t parts[3] = {0, 0, 0};
    assert_int_equal(mdldm_model_get_int(ctx, m, "parameters", &parts[0]), MDLDM_OK);
    assert_int_equal(mdldm_model_get_int(ctx, m, "autoencoder_parameters", &parts[1]), MDLDM_OK);
    assert_int_equal(mdldm_model_get_int(ctx, m, "unet_parameters", &parts[2]), MDLDM_OK);
    assert_int_equal(parts[0], parts[1] + parts[2]);
    assert_int_equal(mdldm_model_get_int(ctx, m, "colour", &value), MDLDM_ERROR_NOT_FOUND);
    double scale;
    assert_int_equal(mdldm_model_get_double(ctx, m, "scaling_factor", &scale), MDLDM_OK);
    assert_float_equal(scale, 0.5, 0);
    const char *text, *config;
    assert_int_equal(mdldm_model_get_string(ctx, m, "autoencoder_class", &text), MDLDM_OK);
    assert_string_equal(text, "VQModel");
    assert_int_equal(mdldm_model_get_string(ctx, m, "scheduler_class", &text), MDLDM_OK);
    assert_string_equal(text, "DDPMScheduler");
    assert_int_equal(mdldm_model_get_string(ctx, m, "unet_config", &config), MDLDM_OK);
    assert_int_equal(mdldm_model_get_string(ctx, m, "unet_config", &text), MDLDM_OK);
    assert_ptr_equal(text, config); /* made once, lives as long as the model */
    assert_non_null(strstr(config, "\"num_class_embeds\": 4"));
    assert_int_equal(mdldm_model_tensor_count(m, "autoencoder"), m->autoencoder->params.count);
    assert_int_equal(mdldm_model_tensor_count(m, "vocoder"), 0);
    assert_string_equal(mdldm_model_tensor_name(m, "unet", 0), m->unet->params.items[0].name);
    assert_null(mdldm_model_tensor_name(m, "unet", 100000));
    assert_int_equal(mdldm_model_tensor_shape(m, "autoencoder", 0, shape), 4);
    assert_int_equal(shape[0], 4);
    assert_int_equal(shape[3], 3);
    assert_null(mdldm_model_class_name(m, 0));
    mdldm_model_free(m);
    mdldm_context_free(ctx);
    temp_dir_remove(folder);
}

static void fails(mdldm_context *ctx, const char *dir, mdldm_status status, const char *part)
{
    mdldm_model *m = (mdldm_model *)ctx;
    mdldm_status got = mdldm_model_load(ctx, dir, &m);
    assert_null(m);
    if (got != status || strstr(mdldm_context_error(ctx), part) == NULL)
        fail_msg("%s: %s, \"%s\"; expected %s about \"%s\"", dir, mdldm_status_name(got),
                 mdldm_context_error(ctx), mdldm_status_name(status), part);
}

static void missing_files(void **state)
{
    (void)state;
    char *folder = temp_dir_make();
    mdldm_context *ctx = context();
    fails(ctx, temp_path(folder, "nothing"), MDLDM_ERROR_NOT_FOUND, "there is no folder");
    fails(ctx, folder, MDLDM_ERROR_NOT_FOUND, "neither model_index.json nor config.json");
    mdldm_model_free(saved_model(ctx, folder, small_vq_config));
    static const char *const files[] = {"m/unet/diffusion_pytorch_model.safetensors", "m/unet/config.json",
                                        "m/scheduler/scheduler_config.json", "m/vqvae/config.json"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(rename(temp_path(folder, files[i]), temp_path(folder, "aside")), 0);
        char last[64];
        snprintf(last, sizeof last, "%s", strrchr(files[i], '/') + 1);
        last[strcspn(last, ".")] = '\0';
        fails(ctx, temp_path(folder, "m"), MDLDM_ERROR_NOT_FOUND, last);
        assert_int_equal(rename(temp_path(folder, "aside"), temp_path(folder, files[i])), 0);
    }
    mdldm_context_free(ctx);
    temp_dir_remove(folder);
}

static void truncated_weights(void **state)
{
    (void)state;
    char *folder = temp_dir_make();
    mdldm_context *ctx = context();
    mdldm_model_free(saved_model(ctx, folder, small_vq_config));
    const char *path = temp_path(folder, "m/vqvae/diffusion_pytorch_model.safetensors");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    const off_t lengths[] = {st.st_size - 1, st.st_size / 2, 100, 8, 3, 0};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_int_equal(truncate(path, lengths[i]), 0);
        fails(ctx, temp_path(folder, "m"), MDLDM_ERROR_FORMAT, "diffusion_pytorch_model.safetensors");
    }
    mdldm_context_free(ctx);
    temp_dir_remove(folder);
}

/* Rewrites the VQModel's weights with one change. */
static void rewrite(const char *folder, const mdldm_model *m, const char *change)
{
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    mdldm__st_writer *w;
    const char *path = temp_path(folder, "m/vqvae/diffusion_pytorch_model.safetensors");
    const mdldm__params *params = &m->autoencoder->params;
    float scrap[512] = {0};
    assert_int_equal(mdldm__st_writer_open(&env, path, &w), MDLDM_OK);
    for (int pass = 0; pass < 2; pass++) {
        for (int32_t i = 0; i < params->count; i++) {
            const mdldm__param *p = &params->items[i];
            int64_t dims[4], elements = mdldm__param_elements(p);
            int32_t dtype = p->dtype, rank = p->rank;
            const void *data = p->data;
            char name[128];
            snprintf(name, sizeof name, "%s", p->name);
            memcpy(dims, p->dims, sizeof dims);
            int target = strcmp(p->name, "encoder.mid_block.attentions.0.to_q.weight") == 0;
            if (target && strcmp(change, "missing") == 0)
                continue;
            if (target && strcmp(change, "shape") == 0)
                dims[0] -= 1, elements -= dims[1];
            if (target && strcmp(change, "dtype") == 0)
                dtype = MDLDM_I32;
            if (target && strcmp(change, "nan") == 0) {
                memcpy(scrap, data, (size_t)elements * sizeof(float));
                scrap[5] = (float)strtod("nan", NULL);
                data = scrap;
            }
            if (target && strcmp(change, "old") == 0) {
                snprintf(name, sizeof name, "encoder.mid_block.attentions.0.query.weight");
                rank = 4; /* [8,8,1,1] */
            }
            if (pass == 0)
                assert_int_equal(mdldm__st_writer_declare(w, name, dtype, rank, dims), MDLDM_OK);
            else
                assert_int_equal(mdldm__st_writer_data(w, data, (size_t)elements * sizeof(float)), MDLDM_OK);
        }
        if (strcmp(change, "surplus") == 0) {
            const int64_t dims[1] = {2};
            if (pass == 0)
                assert_int_equal(mdldm__st_writer_declare(w, "stray.weight", MDLDM_F32, 1, dims), MDLDM_OK);
            else
                assert_int_equal(mdldm__st_writer_data(w, scrap, 2 * sizeof(float)), MDLDM_OK);
        }
    }
    assert_int_equal(mdldm__st_writer_commit(w), MDLDM_OK);
}

static void note_warning(void *user, int32_t level, const char *text)
{
    if (level == 1)
        snprintf(user, 512, "%s", text);
}

static void tensors_that_do_not_fit(void **state)
{
    (void)state;
    char *folder = temp_dir_make();
    char warning[512] = "";
    mdldm_context *ctx = context();
    mdldm_model *m = saved_model(ctx, folder, small_vq_config), *again;
    static const char *const name = "encoder.mid_block.attentions.0.to_q.weight";
    rewrite(folder, m, "missing");
    fails(ctx, temp_path(folder, "m"), MDLDM_ERROR_FORMAT, name);
    rewrite(folder, m, "shape");
    fails(ctx, temp_path(folder, "m"), MDLDM_ERROR_FORMAT, "has shape [7,8], but the config asks for [8,8]");
    rewrite(folder, m, "dtype");
    fails(ctx, temp_path(folder, "m"), MDLDM_ERROR_UNSUPPORTED, "supported: F32|F16|BF16");
    rewrite(folder, m, "nan");
    fails(ctx, temp_path(folder, "m"), MDLDM_ERROR_NUMERIC, name);
    /* Old spelling and shape of a convolution load; a stray tensor is named and ignored. */
    rewrite(folder, m, "old");
    assert_int_equal(mdldm_model_load(ctx, temp_path(folder, "m"), &again), MDLDM_OK);
    same_weights(m->autoencoder, again->autoencoder);
    mdldm_model_free(again);
    rewrite(folder, m, "surplus");
    mdldm_context_set_log(ctx, note_warning, warning);
    assert_int_equal(mdldm_model_load(ctx, temp_path(folder, "m"), &again), MDLDM_OK);
    assert_non_null(strstr(warning, "stray.weight"));
    mdldm_model_free(again);
    mdldm_model_free(m);
    mdldm_context_free(ctx);
    temp_dir_remove(folder);
}

static void write_index(const char *folder, const char *text)
{
    temp_write(temp_path(folder, "m/model_index.json"), text, strlen(text));
}

static void indices_that_do_not_fit(void **state)
{
    (void)state;
    char *folder = temp_dir_make();
    mdldm_context *ctx = context();
    mdldm_model_free(saved_model(ctx, folder, small_vq_config));
#define PARTS "\"vqvae\": [\"diffusers\", \"VQModel\"], \"unet\": [\"diffusers\", \"UNet2DModel\"]"
    static const char *const cases[][2] = {
        {"{\"_class_name\": \"LDMPipeline\"}", "lists no vqvae, vae or unet"},
        {"{\"unet\": [null, null]}", "lists no vqvae, vae or unet"},
        {"{" PARTS ", \"_mdldm\": 3}", "\"_mdldm\" must be an object"},
        {"{" PARTS ", \"_mdldm\": {\"class_names\": \"a\"}}", "\"class_names\" must be a list"},
        {"{" PARTS ", \"_mdldm\": {\"class_names\": [1]}}", "\"class_names\"[0] must be a string"},
        {"{" PARTS ", \"_mdldm\": {\"class_names\": [\"a\",\"b\",\"c\",\"d\",\"e\"]}}", "has 5 names"},
        {"{" PARTS ", \"_mdldm\": {\"class_names\": [\"a\",\"b\",\"c\",\"d\"], \"null_class\": 3}}", "has 4 names"},
        {"{" PARTS ", \"_mdldm\": {\"null_class\": 1}}", "\"null_class\" must be the last"},
        {"{\"vae\": [\"diffusers\", \"VQModel\"]}", "config.json"},
        {"[]", "model_index.json"},
        {"{", "model_index.json"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_index(folder, cases[i][0]);
        mdldm_model *m;
        mdldm_status status = mdldm_model_load(ctx, temp_path(folder, "m"), &m);
        if (status == MDLDM_OK || strstr(mdldm_context_error(ctx), cases[i][1]) == NULL)
            fail_msg("%s: %s, \"%s\"", cases[i][0], mdldm_status_name(status), mdldm_context_error(ctx));
    }
    /* One part alone, from a pipeline's index and from its own folder. */
    mdldm_model *m;
    write_index(folder, "{\"vqvae\": [\"diffusers\", \"VQModel\"]}");
    assert_int_equal(mdldm_model_load(ctx, temp_path(folder, "m"), &m), MDLDM_OK);
    assert_null(m->unet);
    assert_null(m->scheduler);
    mdldm_model_free(m);
    assert_int_equal(mdldm_model_load(ctx, temp_path(folder, "m/unet"), &m), MDLDM_OK);
    assert_null(m->autoencoder);
    assert_non_null(m->scheduler);
    assert_false(json_is_true(json_object_get(m->scheduler, "clip_sample"))); /* latents reach beyond +-1 */
    assert_int_equal(mdldm__model_class_count(m), 4); /* nothing there says which row is unconditional */
    mdldm_model_free(m);
    mdldm_context_free(ctx);
    temp_dir_remove(folder);
}

/* A failed save leaves the earlier model as it was. */
static void a_failed_save_changes_nothing(void **state)
{
    (void)state;
    char *folder = temp_dir_make();
    mdldm_context *ctx = context();
    mdldm_model *m = saved_model(ctx, folder, small_vq_config), *again;
    const void *data = m->unet->params.items[3].data;
    m->unet->params.items[3].data = NULL; /* our own mistake, found half way through */
    assert_int_equal(mdldm_model_save(ctx, m, temp_path(folder, "m")), MDLDM_ERROR_INTERNAL);
    m->unet->params.items[3].data = data;
    assert_int_equal(temp_count(folder), 4);
    assert_int_equal(mdldm_model_load(ctx, temp_path(folder, "m"), &again), MDLDM_OK);
    same_weights(m->unet, again->unet);
    mdldm_model_free(again);
    assert_int_not_equal(mdldm_model_save(ctx, m, "/proc/nowhere/model"), MDLDM_OK);
    assert_non_null(strstr(mdldm_context_error(ctx), "/proc/nowhere"));
    mdldm_model_free(m);
    mdldm_context_free(ctx);
    temp_dir_remove(folder);
}

/* A full disk at any point of saving: an error, and the earlier model is whole. */
static void a_full_disk(void **state)
{
    (void)state;
    char *folder = temp_dir_make();
    mdldm_context *ctx = context();
    mdldm_model *m = saved_model(ctx, folder, small_vq_config), *again;
    mdldm__io_fail_after(0);
    assert_int_equal(mdldm_model_save(ctx, m, temp_path(folder, "m")), MDLDM_OK);
    int operations = mdldm__io_operations();
    assert_true(operations > 20);
    for (int n = 1; n <= operations; n += n < 10 || n > operations - 10 ? 1 : 5) {
        mdldm__io_fail_after(n);
        mdldm_status status = mdldm_model_save(ctx, m, temp_path(folder, "m"));
        mdldm__io_fail_after(0);
        if (status != MDLDM_OK) { /* what only tidies up may fail unnoticed */
            assert_int_equal(status, MDLDM_ERROR_IO);
            assert_non_null(strstr(mdldm_context_error(ctx), "/m"));
        }
        assert_int_equal(mdldm_model_load(ctx, temp_path(folder, "m"), &again), MDLDM_OK);
        same_weights(m->unet, again->unet);
        mdldm_model_free(again);
    }
    mdldm_model_free(m);
    mdldm_context_free(ctx);
    temp_dir_remove(folder);
}

static mdldm_status create_with(mdldm_context *ctx, const char *const pairs[][2], mdldm_model **m)
{
    mdldm_options *options;
    assert_int_equal(mdldm_options_create(ctx, &options), MDLDM_OK);
    for (; (*pairs)[0] != NULL; pairs++)
        assert_int_equal(mdldm_options_parse(ctx, options, (*pairs)[0], (*pairs)[1]), MDLDM_OK);
    mdldm_status status = mdldm_model_create(ctx, options, m);
    mdldm_options_free(options);
    return status;
}

static void new_models_from_options(void **state)
{
    (void)state;
    char *folder = temp_dir_make();
    mdldm_context *ctx = context();
    mdldm_model *m, *other;
    const char *const named[][2] = {{"preset", "tiny"}, {"resolution", "32"}, {"class_names", "Ann/Bob"},
                                    {"num_codes", "40"}, {"latent_channels", "5"}, {"scaling_factor", "0.7"},
                                    {"seed", "4"}, {NULL, NULL}};
    assert_int_equal(create_with(ctx, named, &m), MDLDM_OK);
    assert_int_equal(mdldm__model_class_count(m), 2);
    assert_int_equal(mdldm__model_null_class(m), 2);
    assert_int_equal(m->unet->unet.num_class_embeds, 3);
    assert_int_equal(m->unet->unet.in_channels, 5);
    assert_int_equal(m->unet->unet.out_channels, 5);
    assert_int_equal(m->unet->unet.sample_h, 8);
    assert_int_equal(m->autoencoder->ae.num_vq_embeddings, 40);
    assert_int_equal(m->autoencoder->ae.vq_embed_dim, 5);
    assert_float_equal(m->autoencoder->ae.scaling_factor, 0.7f, 0);
    assert_string_equal(mdldm_model_class_name(m, 1), "Bob");
    assert_null(mdldm_model_class_name(m, 2));
    assert_null(mdldm_model_class_name(m, -1));
    assert_int_equal(mdldm_model_save(ctx, m, temp_path(folder, "m")), MDLDM_OK);

    /* Only a UNet, on the autoencoder of that one; no row without label dropout. */
    char path[512];
    snprintf(path, sizeof path, "%s", temp_path(folder, "m"));
    const char *const second[][2] = {{"preset", "tiny"}, {"resolution", "64"}, {"vae_path", path},
                                     {"num_classes", "4"}, {"label_dropout", "0"}, {"components", "unet"},
                                     {"scaling_factor", "0.31"}, {NULL, NULL}};
    double scale;
    assert_int_equal(create_with(ctx, second, &other), MDLDM_OK);
    same_weights(m->autoencoder, other->autoencoder);
    assert_int_equal(mdldm_model_get_double(ctx, other, "scaling_factor", &scale), MDLDM_OK);
    assert_float_equal(scale, 0.31, 0);
    assert_float_equal(other->autoencoder->ae.scaling_factor, 0.31f, 0);
    assert_int_equal(other->unet->unet.in_channels, 5);
    assert_int_equal(other->unet->unet.sample_h, 16);
    assert_int_equal(mdldm__model_class_count(other), 4);
    assert_int_equal(mdldm__model_null_class(other), -1);
    mdldm_model_free(other);

    /* The same seed gives the same weights, another seed others. */
    assert_int_equal(create_with(ctx, named, &other), MDLDM_OK);
    same_weights(m->unet, other->unet);
    mdldm_model_free(other);
    const char *const seeded[][2] = {{"preset", "tiny"}, {"resolution", "32"}, {"seed", "5"},
                                     {"components", "autoencoder"}, {NULL, NULL}};
    assert_int_equal(create_with(ctx, seeded, &other), MDLDM_OK);
    assert_null(other->unet);
    assert_true(memcmp(other->autoencoder->params.items[0].data, m->autoencoder->params.items[0].data, 64) != 0);
    mdldm_model_free(other);
    mdldm_model_free(m);
    mdldm_context_free(ctx);
    temp_dir_remove(folder);
}

static void options_that_do_not_fit(void **state)
{
    (void)state;
    mdldm_context *ctx = context();
    static const struct {
        const char *pairs[4][2];
        const char *part;
    } cases[] = {
        {{{"resolution", "66"}, {"preset", "tiny"}, {NULL, NULL}}, "resolution is 66: a multiple of 4"},
        {{{"resolution", "68"}, {"preset", "tiny"}, {NULL, NULL}}, "latents of side 17"},
        {{{"class_names", "a//b"}, {"preset", "tiny"}, {NULL, NULL}}, "class_names is \"a//b\""},
        {{{"class_names", "a/"}, {"preset", "tiny"}, {NULL, NULL}}, "class_names is \"a/\""},
        {{{"class_names", "a/b"}, {"num_classes", "3"}, {"preset", "tiny"}, {NULL, NULL}}, "num_classes is 3"},
        {{{"vae_path", "/nowhere"}, {"preset", "tiny"}, {NULL, NULL}}, "/nowhere"},
        {{{"model_config_name_or_path", "/nowhere.json"}, {"preset", "tiny"}, {NULL, NULL}}, "/nowhere.json"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mdldm_model *m = (mdldm_model *)ctx;
        mdldm_status status = create_with(ctx, cases[i].pairs, &m);
        assert_null(m);
        if (status == MDLDM_OK || strstr(mdldm_context_error(ctx), cases[i].part) == NULL)
            fail_msg("case %zu: %s, \"%s\"", i, mdldm_status_name(status), mdldm_context_error(ctx));
    }
    mdldm_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_saved_loads_again), cmocka_unit_test(facts),
        cmocka_unit_test(missing_files),             cmocka_unit_test(truncated_weights),
        cmocka_unit_test(tensors_that_do_not_fit),   cmocka_unit_test(indices_that_do_not_fit),
        cmocka_unit_test(a_failed_save_changes_nothing), cmocka_unit_test(a_full_disk),
        cmocka_unit_test(new_models_from_options),
        cmocka_unit_test(options_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
