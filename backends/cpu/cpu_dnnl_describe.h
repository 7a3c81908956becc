/* SPDX-License-Identifier: MIT
 * What oneDNN 2.x and 3.x do differently: cpu_dnnl2.c or cpu_dnnl3.c defines these for cpu_dnnl.c.
 * A dnnl_memory_desc_t is a struct in 2.x and an owned pointer in 3.x; start from all zero. */
#ifndef MDLDM_CPU_DNNL_DESCRIBE_H
#define MDLDM_CPU_DNNL_DESCRIBE_H

#include "cpu_dnnl.h"

/* The descriptors of a convolution's operands; bias NULL: none. */
typedef struct mdldm__conv_mds {
    mdldm__dnnl_md src, weights, bias, dst;
} mdldm__conv_mds;

int mdldm__md_by_tag(dnnl_memory_desc_t *md, int rank, const dnnl_dims_t dims, dnnl_data_type_t type,
                     dnnl_format_tag_t tag);
int mdldm__md_by_strides(dnnl_memory_desc_t *md, int rank, const dnnl_dims_t dims, dnnl_data_type_t type,
                         const dnnl_dims_t strides);
void mdldm__md_close(dnnl_memory_desc_t *md);
mdldm__dnnl_md mdldm__md_view(const dnnl_memory_desc_t *md);

/* hint: the forward convolution, for the backward kinds. */
int mdldm__conv_describe(dnnl_engine_t engine, const mdldm__conv_spec *spec, const mdldm__conv_mds *mds,
                         const_dnnl_primitive_attr_t attr, const_dnnl_primitive_desc_t hint,
                         dnnl_primitive_desc_t *pd);
/* Post-op: adds to what dst holds. */
int mdldm__append_sum(dnnl_post_ops_t ops);

#endif
