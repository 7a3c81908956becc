/* SPDX-License-Identifier: MIT
 * Descriptions in the API of oneDNN 3.x. */
#include "cpu_dnnl_describe.h"

#if DNNL_VERSION_MAJOR == 3

#if DNNL_CPU_THREADING_RUNTIME != DNNL_RUNTIME_OMP
#error "this oneDNN was built without OpenMP, which the threads option governs: build oneDNN with DNNL_CPU_RUNTIME=OMP, or take a package that is"
#endif

int mdldm__md_by_tag(dnnl_memory_desc_t *md, int rank, const dnnl_dims_t dims, dnnl_data_type_t type,
                     dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(md, rank, dims, type, tag);
}

int mdldm__md_by_strides(dnnl_memory_desc_t *md, int rank, const dnnl_dims_t dims, dnnl_data_type_t type,
                         const dnnl_dims_t strides)
{
    return dnnl_memory_desc_create_with_strides(md, rank, dims, type, strides);
}

void mdldm__md_close(dnnl_memory_desc_t *md)
{
    if (*md != NULL)
        dnnl_memory_desc_destroy(*md);
}

mdldm__dnnl_md mdldm__md_view(const dnnl_memory_desc_t *md)
{
    return *md;
}

int mdldm__conv_describe(dnnl_engine_t engine, const mdldm__conv_spec *s, const mdldm__conv_mds *mds,
                         const_dnnl_primitive_attr_t attr, const_dnnl_primitive_desc_t hint,
                         dnnl_primitive_desc_t *pd)
{
    const dnnl_dims_t strides = {s->stride_h, s->stride_w}, dilates = {0, 0};
    const dnnl_dims_t before = {s->pad_t, s->pad_l}, after = {s->pad_b, s->pad_r};
    if (s->kind == MDLDM__CONV_FORWARD)
        return dnnl_convolution_forward_primitive_desc_create(
            pd, engine, dnnl_forward_inference, dnnl_convolution_direct, mds->src, mds->weights, mds->bias,
            mds->dst, strides, dilates, before, after, attr);
    return dnnl_convolution_backward_data_primitive_desc_create(
        pd, engine, dnnl_convolution_direct, mds->src, mds->weights, mds->dst, strides, dilates, before,
        after, hint, attr);
}

/* Its own is as fast as forward, and there is no turned copy to make. */
int mdldm__dnnl_turns_gradient(void)
{
    return 0;
}

int mdldm__append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef);
}

#endif
