/* SPDX-License-Identifier: MIT
 * oneDNN behind cpu_dnnl.h: what 2.x and 3.x share. */
#include "cpu_dnnl_describe.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "mdldm/mdldm_backend.h"

#if DNNL_VERSION_MAJOR != 2 && DNNL_VERSION_MAJOR != 3
#error "libmdldm speaks the API of oneDNN 2.x and 3.x"
#endif

#define TRY(expression)                   \
    do {                                  \
        int try_status = (expression);    \
        if (try_status != dnnl_success) { \
            status = try_status;          \
            goto done;                    \
        }                                 \
    } while (0)

int mdldm__dnnl_open(mdldm__dnnl *dnnl)
{
    memset(dnnl, 0, sizeof *dnnl);
    int status = dnnl_engine_create(&dnnl->engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = dnnl_stream_create(&dnnl->stream, dnnl->engine, dnnl_stream_default_flags);
    if (status != dnnl_success)
        mdldm__dnnl_close(dnnl);
    return status;
}

void mdldm__dnnl_close(mdldm__dnnl *dnnl)
{
    if (dnnl->stream != NULL)
        dnnl_stream_destroy(dnnl->stream);
    if (dnnl->engine != NULL)
        dnnl_engine_destroy(dnnl->engine);
    memset(dnnl, 0, sizeof *dnnl);
}

int mdldm__dnnl_bf16(void)
{
    int isa = (int)dnnl_get_effective_cpu_isa(), need = (int)dnnl_cpu_isa_avx512_core;
    int native = (int)dnnl_cpu_isa_avx512_core_bf16;
    return (isa & need) != need ? 0 : (isa & native) == native ? 2 : 1;
}

int mdldm__dnnl_vector_bits(void)
{
    int isa = (int)dnnl_get_effective_cpu_isa(), wide = (int)dnnl_cpu_isa_avx512_core;
    int half = (int)dnnl_cpu_isa_avx2;
    return (isa & wide) == wide ? 512 : (isa & half) == half ? 256 : 128;
}

void mdldm__dnnl_version(char text[32])
{
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, 32, "%d.%d.%d", v->major, v->minor, v->patch);
}

static dnnl_data_type_t data_type(int32_t dtype)
{
    return dtype == MDLDM_BF16 ? dnnl_bf16 : dnnl_f32;
}

/* The memory object of an argument, without memory yet. */
static int add_argument(const mdldm__dnnl *dnnl, mdldm__dnnl_call *call, mdldm__dnnl_arg arg, int32_t id,
                        mdldm__dnnl_md md)
{
    call->id[arg] = id;
    return dnnl_memory_create(&call->memory[arg], md, dnnl->engine, DNNL_MEMORY_NONE);
}

static int make_attr(int sum, int user_scratch, dnnl_primitive_attr_t *attr)
{
    dnnl_post_ops_t ops = NULL;
    int status = dnnl_primitive_attr_create(attr);
    if (status != dnnl_success)
        return status;
    if (user_scratch)
        TRY(dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user));
    if (sum) {
        TRY(dnnl_post_ops_create(&ops));
        TRY(mdldm__append_sum(ops));
        TRY(dnnl_primitive_attr_set_post_ops(*attr, ops));
    }
done:
    if (ops != NULL)
        dnnl_post_ops_destroy(ops);
    return status;
}

/* oneDNN's convolutions by GEMM may divide a sum among threads: the result would depend on their number. */
static int divides_sums(const_dnnl_primitive_desc_t pd)
{
    const char *name = NULL;
    return dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) == dnnl_success &&
           strstr(name, "gemm") != NULL;
}

int mdldm__dnnl_conv(const mdldm__dnnl *dnnl, const mdldm__conv_spec *s, mdldm__dnnl_call *call)
{
    static const int32_t ids[2][3] = {{DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
                                      {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST}};
    const dnnl_dims_t src_dims = {s->n, s->ic, s->h, s->w}, dst_dims = {s->n, s->oc, s->ho, s->wo};
    const dnnl_dims_t weight_dims = {s->oc, s->ic, s->kernel_h, s->kernel_w}, bias_dims = {s->oc};
    dnnl_data_type_t type = data_type(s->dtype);
    dnnl_memory_desc_t src = {0}, weights = {0}, dst = {0}, bias = {0};
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL, hint = NULL;
    const_dnnl_primitive_desc_t kept;
    int status = dnnl_success, threads = omp_get_max_threads();
    memset(call, 0, sizeof *call);
    call->threads = threads;
    TRY(mdldm__md_by_tag(&src, 4, src_dims, type, dnnl_nhwc));
    TRY(mdldm__md_by_tag(&dst, 4, dst_dims, type, dnnl_nhwc));
    TRY(mdldm__md_by_tag(&bias, 1, bias_dims, dnnl_f32, dnnl_x));
    TRY(mdldm__md_by_tag(&weights, 4, weight_dims, type, dnnl_format_tag_any));
    TRY(make_attr(s->sum, 1, &attr));
    mdldm__conv_mds mds = {mdldm__md_view(&src), mdldm__md_view(&weights), NULL, mdldm__md_view(&dst)};
    if (s->kind != MDLDM__CONV_FORWARD) {
        mdldm__conv_spec forward = *s;
        forward.kind = MDLDM__CONV_FORWARD;
        TRY(mdldm__conv_describe(dnnl->engine, &forward, &mds, NULL, NULL, &hint));
    }
    if (s->bias)
        mds.bias = mdldm__md_view(&bias);
    TRY(mdldm__conv_describe(dnnl->engine, s, &mds, attr, hint, &pd));
    if (call->threads > 1 && divides_sums(pd)) {
        dnnl_primitive_desc_destroy(pd);
        pd = NULL;
        call->threads = 1;
        omp_set_num_threads(1);
        TRY(mdldm__conv_describe(dnnl->engine, s, &mds, attr, hint, &pd));
    }
    TRY(dnnl_primitive_create(&call->primitive, pd));
    TRY(dnnl_primitive_get_primitive_desc(call->primitive, &kept));
    call->weights.md = dnnl_primitive_desc_query_md(kept, dnnl_query_weights_md, 0);
    call->weights_size = dnnl_memory_desc_get_size(call->weights.md);
    mdldm__dnnl_md scratch = dnnl_primitive_desc_query_md(kept, dnnl_query_scratchpad_md, 0);
    call->scratch_size = scratch != NULL ? dnnl_memory_desc_get_size(scratch) : 0;
    TRY(add_argument(dnnl, call, MDLDM__ARG_SRC, ids[s->kind][0], mds.src));
    TRY(add_argument(dnnl, call, MDLDM__ARG_WEIGHTS, ids[s->kind][1], call->weights.md));
    TRY(add_argument(dnnl, call, MDLDM__ARG_DST, ids[s->kind][2], mds.dst));
    if (s->bias)
        TRY(add_argument(dnnl, call, MDLDM__ARG_BIAS, DNNL_ARG_BIAS, mds.bias));
    if (call->scratch_size > 0)
        TRY(add_argument(dnnl, call, MDLDM__ARG_SCRATCH, DNNL_ARG_SCRATCHPAD, scratch));
done:
    omp_set_num_threads(threads);
    if (hint != NULL)
        dnnl_primitive_desc_destroy(hint);
    if (pd != NULL)
        dnnl_primitive_desc_destroy(pd);
    if (attr != NULL)
        dnnl_primitive_attr_destroy(attr);
    mdldm__md_close(&src);
    mdldm__md_close(&weights);
    mdldm__md_close(&dst);
    mdldm__md_close(&bias);
    if (status != dnnl_success)
        mdldm__dnnl_call_close(call);
    return status;
}

static int make_reorder(const mdldm__dnnl *dnnl, mdldm__dnnl_md from, mdldm__dnnl_md to,
                        mdldm__dnnl_call *call)
{
    const_dnnl_primitive_desc_t kept;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    int status = dnnl_success;
    call->threads = omp_get_max_threads();
    TRY(make_attr(0, 0, &attr));
    TRY(dnnl_reorder_primitive_desc_create(&pd, from, dnnl->engine, to, dnnl->engine, attr));
    TRY(dnnl_primitive_create(&call->primitive, pd));
    TRY(dnnl_primitive_get_primitive_desc(call->primitive, &kept));
    call->weights.md = dnnl_primitive_desc_query_md(kept, dnnl_query_dst_md, 0);
    TRY(add_argument(dnnl, call, MDLDM__ARG_SRC, DNNL_ARG_FROM, from));
    TRY(add_argument(dnnl, call, MDLDM__ARG_DST, DNNL_ARG_TO, to));
done:
    if (pd != NULL)
        dnnl_primitive_desc_destroy(pd);
    if (attr != NULL)
        dnnl_primitive_attr_destroy(attr);
    if (status != dnnl_success)
        mdldm__dnnl_call_close(call);
    return status;
}

int mdldm__dnnl_pack(const mdldm__dnnl *dnnl, const int64_t dims[4], const int64_t strides[4],
                     const mdldm__dnnl_layout *packed, mdldm__dnnl_call *call)
{
    const dnnl_dims_t d = {dims[0], dims[1], dims[2], dims[3]};
    const dnnl_dims_t s = {strides[0], strides[1], strides[2], strides[3]};
    dnnl_memory_desc_t plain = {0};
    memset(call, 0, sizeof *call);
    int status = mdldm__md_by_strides(&plain, 4, d, dnnl_f32, s);
    if (status != dnnl_success)
        return status;
    status = make_reorder(dnnl, mdldm__md_view(&plain), packed->md, call);
    mdldm__md_close(&plain);
    return status;
}

void mdldm__dnnl_call_close(mdldm__dnnl_call *call)
{
    for (int i = 0; i < MDLDM__ARGS; i++)
        if (call->memory[i] != NULL)
            dnnl_memory_destroy(call->memory[i]);
    if (call->primitive != NULL)
        dnnl_primitive_destroy(call->primitive);
    memset(call, 0, sizeof *call);
}

size_t mdldm__dnnl_layout_size(const mdldm__dnnl_layout *layout)
{
    return dnnl_memory_desc_get_size(layout->md);
}

int mdldm__dnnl_layout_equal(const mdldm__dnnl_layout *a, const mdldm__dnnl_layout *b)
{
    return dnnl_memory_desc_equal(a->md, b->md);
}

int mdldm__dnnl_set(mdldm__dnnl_call *call, mdldm__dnnl_arg arg, const void *pointer)
{
    if (call->memory[arg] == NULL)
        return dnnl_success;
    /* oneDNN takes void * for inputs too. */
    return dnnl_memory_set_data_handle(call->memory[arg], (void *)(uintptr_t)pointer);
}

int mdldm__dnnl_run(const mdldm__dnnl *dnnl, const mdldm__dnnl_call *call)
{
    dnnl_exec_arg_t args[MDLDM__ARGS];
    int count = 0;
    for (int i = 0; i < MDLDM__ARGS; i++)
        if (call->memory[i] != NULL)
            args[count++] = (dnnl_exec_arg_t){call->id[i], call->memory[i]};
    omp_set_num_threads(call->threads); /* oneDNN divides by it both when it plans and when it runs */
    int status = dnnl_primitive_execute(call->primitive, dnnl->stream, count, args);
    return status != dnnl_success ? status : (int)dnnl_stream_wait(dnnl->stream);
}

const char *mdldm__dnnl_name(const mdldm__dnnl_call *call)
{
    const_dnnl_primitive_desc_t pd = NULL;
    const char *name = NULL;
    if (call->primitive == NULL || dnnl_primitive_get_primitive_desc(call->primitive, &pd) != dnnl_success ||
        dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) != dnnl_success)
        return "?";
    return name;
}
