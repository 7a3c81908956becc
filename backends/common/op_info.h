/* SPDX-License-Identifier: MIT
 * The table of operations: names, and what stands in each slot. */
#ifndef MDLDM_COMMON_OP_INFO_H
#define MDLDM_COMMON_OP_INFO_H

#include "mdldm/mdldm_backend.h"

/* One letter per slot; a capital letter: the slot may be empty.
 *   a  activation or input, F32 or BF16, the same type in all 'a' slots of an operation
 *   l  activation or input, F32 or BF16
 *   f  activation or input, F32      i  activation or input, I32
 *   u  activation, U8                q  parameter, I8
 *   p  parameter, F32                g  parameter gradient
 *   s  state */
typedef struct mdldm__op_info {
    const char *name;
    const char *in, *out;
} mdldm__op_info;

#define MDLDM__OP_LAST MDLDM_OP_VQ_UPDATE

/* NULL for a kind that does not exist. */
const mdldm__op_info *mdldm__op_info_of(int32_t kind);
/* "?" for a kind that does not exist. */
const char *mdldm__op_name(int32_t kind);

#endif
