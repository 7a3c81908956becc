/* SPDX-License-Identifier: MIT
 * Descriptions in the API of oneDNN 2.x. */
#include "cpu_dnnl_describe.h"

#if DNNL_VERSION_MAJOR == 2

int mdldm__md_by_tag(dnnl_memory_desc_t *md, int rank, const dnnl_dims_t dims, dnnl_data_type_t type,
                     dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(md, rank, dims, type, tag);
}

int mdldm__md_by_strides(dnnl_memory_desc_t *md, int rank, const dnnl_dims_t dims, dnnl_data_type_t type,
                         const dnnl_dims_t strides)
{
    return dnnl_memory_desc_init_by_strides(md, rank, dims, type, strides);
}

void mdldm__md_close(dnnl_memory_desc_t *md)
{
    (void)md;
}

mdldm__dnnl_md mdldm__md_view(const dnnl_memory_desc_t *md)
{
    return md;
}

int mdldm__conv_describe(dnnl_engine_t engine, const mdldm__conv_spec *s, const mdldm__conv_mds *mds,
                         const_dnnl_primitive_attr_t attr, const_dnnl_primitive_desc_t hint,
                         dnnl_primitive_desc_t *pd)
{
    const dnnl_dims_t strides = {s->stride_h, s->stride_w};
    const dnnl_dims_t before = {s->pad_t, s->pad_l}, after = {s->pad_b, s->pad_r};
    dnnl_convolution_desc_t desc;
    int status;
    if (s->kind == MDLDM__CONV_FORWARD)
        status = dnnl_convolution_forward_desc_init(&desc, dnnl_forward_inference, dnnl_convolution_direct,
                                                    mds->src, mds->weights, mds->bias, mds->dst, strides,
                                                    before, after);
    else
        status = dnnl_convolution_backward_data_desc_init(&desc, dnnl_convolution_direct, mds->src,
                                                          mds->weights, mds->dst, strides, before, after);
    return status != dnnl_success ? status : (int)dnnl_primitive_desc_create(pd, &desc, attr, engine, hint);
}

/* Its own reaches 60-95% of the FMA peak where forward reaches 92-100% (AVX-512, NHWC). */
int mdldm__dnnl_turns_gradient(void)
{
    return 1;
}

int mdldm__append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0f);
}

#endif
