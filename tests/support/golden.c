/* SPDX-License-Identifier: MIT */
#include "golden.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend_list.h"

static const char *data_folder(void)
{
    const char *folder = getenv("MDLDM_GOLDEN_DIR");
    return folder != NULL ? folder : "tests/golden/data";
}

static void open_context(golden *g)
{
    assert_int_equal(mdldm_context_create(&g->ctx), MDLDM_OK);
    char *built = realpath("build/backends", NULL); /* the variable takes absolute paths only */
    if (built != NULL)
        setenv("MDLDM_BACKEND_DIR", built, 0);
    free(built);
    backend_use_test_cuda();
    mdldm_status status = mdldm_context_use_backend(g->ctx, g->run->backend);
    if (status == MDLDM_ERROR_UNAVAILABLE && strstr(mdldm_context_error(g->ctx), "cannot load") == NULL) {
        print_message("%s: skipped: %s\n", g->run->name, mdldm_context_error(g->ctx));
        golden_close(g);
        skip();
    }
    golden_ok(g, status, "use_backend");
    golden_ok(g, mdldm_context_set_precision(g->ctx, g->run->precision), "set_precision");
    char config[600], index[600];
    snprintf(config, sizeof config, "%s/config.json", g->folder);
    snprintf(index, sizeof index, "%s/model_index.json", g->folder);
    if (mdldm__path_is_file(config) || mdldm__path_is_file(index))
        golden_ok(g, mdldm_model_load(g->ctx, g->folder, &g->model), "model_load");
}

void golden_open(golden *g, const golden_run *run)
{
    memset(g, 0, sizeof *g);
    g->run = run;
    mdldm__env_init(&g->env, NULL);
    snprintf(g->folder, sizeof g->folder, "%s/%s", data_folder(), run->name);
    if (run->backend != NULL)
        open_context(g);
    char path[600];
    snprintf(path, sizeof path, "%s/golden.safetensors", g->folder);
    if (mdldm__safetensors_open(&g->env, path, &g->file) != MDLDM_OK)
        fail_msg("%s", g->env.error);
    assert_non_null(g->file.metadata);
    const char *facts = json_string_value(json_object_get(g->file.metadata, "facts"));
    assert_non_null(facts);
    g->facts = json_loads(facts, 0, NULL);
    assert_non_null(g->facts);
}

void golden_close(golden *g)
{
    json_decref(g->facts);
    if (g->file.env != NULL)
        mdldm__safetensors_close(&g->file);
    mdldm_model_free(g->model);
    mdldm_context_free(g->ctx);
    memset(g, 0, sizeof *g);
}

void golden_ok(const golden *g, mdldm_status status, const char *what)
{
    if (status != MDLDM_OK)
        fail_msg("%s on %s: %s: %s: %s", g->run->name, g->run->backend, what, mdldm_status_name(status),
                 mdldm_context_error(g->ctx));
}

int golden_has(const golden *g, const char *name)
{
    return mdldm__safetensors_find(&g->file, name) != NULL;
}

const mdldm__st_tensor *golden_tensor(const golden *g, const char *name)
{
    const mdldm__st_tensor *t = mdldm__safetensors_find(&g->file, name);
    if (t == NULL)
        fail_msg("%s has no golden tensor '%s'", g->run->name, name);
    return t;
}

const float *golden_f32(const golden *g, const char *name)
{
    const mdldm__st_tensor *t = golden_tensor(g, name);
    assert_int_equal(t->dtype, MDLDM_F32);
    return t->data;
}

const int32_t *golden_i32(const golden *g, const char *name)
{
    const mdldm__st_tensor *t = golden_tensor(g, name);
    assert_int_equal(t->dtype, MDLDM_I32);
    return t->data;
}

int64_t golden_elements(const golden *g, const char *name)
{
    const mdldm__st_tensor *t = golden_tensor(g, name);
    int64_t count = 1;
    for (int32_t i = 0; i < t->rank; i++)
        count *= t->dims[i];
    return count;
}

double golden_fact(const golden *g, const char *name)
{
    return json_number_value(json_object_get(g->facts, name));
}

/* max|a-b| / max|b|; infinite as soon as anything is not finite. */
static double relative_error(const float *a, const float *b, int64_t count)
{
    double difference = 0, largest = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(a[i]))
            return INFINITY;
        difference = fmax(difference, fabs((double)a[i] - (double)b[i]));
        largest = fmax(largest, fabs((double)b[i]));
    }
    return difference / largest;
}

static void report(const golden *g, const char *what, double error, double tolerance, const char *peer)
{
    char text[64] = "", key[64] = "";
    const char *kind = strcmp(g->run->precision, "bf16") == 0 ? "bf16" : "drift";
    snprintf(key, sizeof key, "%s.%s", kind, peer != NULL ? peer : "");
    if (golden_fact(g, key) > 0)
        snprintf(text, sizeof text, ", torch's own %.1e", golden_fact(g, key));
    const char *backend = g->run->backend != NULL ? g->run->backend : "host";
    print_message("  %s %s %s: %s: %.1e (tolerance %.0e%s)\n", g->run->name, backend, g->run->precision, what,
                  error, tolerance, text);
    if (!(error <= tolerance))
        fail_msg("%s on %s in %s: %s is off by %.3e, more than %.1e", g->run->name, backend,
                 g->run->precision, what, error, tolerance);
}

void golden_compare(const golden *g, const char *name, const float *got, int64_t parts, double tolerance,
                    const char *peer)
{
    int64_t count = golden_elements(g, name) / parts;
    double worst = 0;
    for (int64_t i = 0; i < parts; i++)
        worst = fmax(worst, relative_error(got + i * count, golden_f32(g, name) + i * count, count));
    report(g, name, worst, tolerance, peer);
}

void golden_train_open(golden *g, mdldm__component *c, mdldm__graph *graph, golden_training *t)
{
    if (graph->status != MDLDM_OK)
        fail_msg("%s: graph: %s", g->run->name, g->ctx->env.error);
    golden_ok(g, mdldm__context_device(g->ctx), "device");
    t->backend = g->ctx->backend;
    mdldm_param_desc *desc = mdldm__params_desc(&c->params);
    assert_non_null(desc);
    golden_ok(g, t->backend->store_open(g->ctx->device, desc, c->params.count, MDLDM_STORE_TRAIN, &t->store),
              "store_open");
    mdldm__free(c->params.env, desc);
    for (int32_t i = 0; i < c->params.count; i++)
        golden_ok(g, t->backend->store_bind(t->store, i, c->params.items[i].data, c->params.items[i].dtype),
                  "store_bind");
    mdldm_graph_desc whole = mdldm__graph_desc(graph);
    golden_ok(g, t->backend->plan_compile(g->ctx->device, t->store, &whole, 0, &t->plan), "plan_compile");
    golden_ok(g, t->backend->store_zero_grad(t->store), "store_zero_grad");
}

void golden_train_run(golden *g, golden_training *t, const mdldm_binding *bindings, int32_t count)
{
    golden_ok(g, t->backend->plan_run(t->plan, bindings, count, MDLDM_RUN_CHECK_FINITE), "plan_run");
}

static const mdldm__params *sorted_params; /* qsort has no user pointer */

static int by_name(const void *a, const void *b)
{
    return strcmp(sorted_params->items[*(const int32_t *)a].name,
                  sorted_params->items[*(const int32_t *)b].name);
}

void golden_compare_gradients(golden *g, golden_training *t, const mdldm__component *c, double factor,
                              double tolerance)
{
    const mdldm__params *params = &c->params;
    int32_t *order = malloc(sizeof *order * (size_t)params->count), trainable = 0;
    int64_t total = 0, largest_count = 0;
    assert_non_null(order);
    for (int32_t i = 0; i < params->count; i++)
        if (params->items[i].trainable) {
            int64_t elements = mdldm__param_elements(&params->items[i]);
            order[trainable++] = i;
            total += elements;
            largest_count = elements > largest_count ? elements : largest_count;
        }
    sorted_params = params;
    qsort(order, (size_t)trainable, sizeof *order, by_name);
    assert_int_equal(total, golden_elements(g, "grad"));
    const float *want = golden_f32(g, "grad");
    double largest = 0, worst = 0;
    for (int64_t i = 0; i < total; i++)
        largest = fmax(largest, fabs((double)want[i]));
    float *got = malloc(sizeof *got * (size_t)largest_count);
    assert_non_null(got);
    const char *worst_name = "all";
    for (int32_t i = 0; i < trainable; i++) {
        const mdldm__param *p = &params->items[order[i]];
        int64_t elements = mdldm__param_elements(p);
        golden_ok(g, t->backend->store_read(t->store, order[i], MDLDM_SLOT_GRAD, got), p->name);
        double tensor_worst = 0;
        for (int64_t k = 0; k < elements; k++, want++) {
            double error = fabs((double)got[k] / factor - (double)*want) / largest;
            tensor_worst = isfinite(error) ? fmax(tensor_worst, error) : INFINITY;
        }
        if (tensor_worst > tolerance)
            print_message("  gradient of %s is off by %.1e\n", p->name, tensor_worst);
        if (tensor_worst > worst) {
            worst = tensor_worst;
            worst_name = p->name;
        }
    }
    free(got);
    free(order);
    char what[256];
    snprintf(what, sizeof what, "%d gradients, worst %s", (int)trainable, worst_name);
    report(g, what, worst, tolerance, "grad");
}

void golden_train_close(golden_training *t)
{
    t->backend->plan_close(t->plan);
    t->backend->store_close(t->store);
}
