/* SPDX-License-Identifier: MIT */
#include "op_info.h"

#include <stddef.h>

static const mdldm__op_info table[MDLDM__OP_LAST + 1] = {
    [MDLDM_OP_CONV] = {"conv", "aApP", "a"},
    [MDLDM_OP_CONV_BWD_DATA] = {"conv_bwd_data", "ap", "AA"},
    [MDLDM_OP_CONV_BWD_WEIGHTS] = {"conv_bwd_weights", "aAa", "gG"},
    [MDLDM_OP_GROUP_NORM] = {"group_norm", "aAppA", "af"},
    [MDLDM_OP_GROUP_NORM_BWD] = {"group_norm_bwd", "aaAppAf", "AAGGA"},
    [MDLDM_OP_SILU] = {"silu", "a", "a"},
    [MDLDM_OP_SILU_BWD] = {"silu_bwd", "aa", "a"},
    [MDLDM_OP_ADD] = {"add", "aa", "a"},
    [MDLDM_OP_BIAS] = {"bias", "aa", "a"},
    [MDLDM_OP_SUM_HW] = {"sum_hw", "a", "a"},
    [MDLDM_OP_SCALE] = {"scale", "aF", "a"},
    [MDLDM_OP_ATTENTION] = {"attention", "aaa", "af"},
    [MDLDM_OP_ATTENTION_BWD] = {"attention_bwd", "aaaaaf", "aaa"},
    [MDLDM_OP_UPSAMPLE2] = {"upsample2", "a", "a"},
    [MDLDM_OP_UPSAMPLE2_BWD] = {"upsample2_bwd", "a", "a"},
    [MDLDM_OP_AVGPOOL2] = {"avgpool2", "a", "a"},
    [MDLDM_OP_AVGPOOL2_BWD] = {"avgpool2_bwd", "a", "a"},
    [MDLDM_OP_EMBEDDING] = {"embedding", "pi", "l"},
    [MDLDM_OP_EMBEDDING_BWD] = {"embedding_bwd", "li", "g"},
    [MDLDM_OP_VQ] = {"vq", "fp", "fif"},
    [MDLDM_OP_VQ_BWD] = {"vq_bwd", "Ffpi", "fG"},
    [MDLDM_OP_VQ_ENTROPY] = {"vq_entropy", "fp", "f"},
    [MDLDM_OP_VQ_ENTROPY_BWD] = {"vq_entropy_bwd", "fp", "fG"},
    [MDLDM_OP_LOSS] = {"loss", "llF", "f"},
    [MDLDM_OP_LOSS_BWD] = {"loss_bwd", "llF", "l"},
    [MDLDM_OP_DROPOUT] = {"dropout", "ai", "a"},
    [MDLDM_OP_CAST] = {"cast", "l", "l"},
    [MDLDM_OP_GROUP_NORM_APPLY] = {"group_norm_apply", "aAppAf", "a"},
    [MDLDM_OP_QUANTIZE] = {"quantize", "lpi", "u"},
    [MDLDM_OP_CONV_Q8] = {"conv_q8", "uUqpPpi", "l"},
    [MDLDM_OP_CROSS_ENTROPY] = {"cross_entropy", "liF", "f"},
    [MDLDM_OP_CROSS_ENTROPY_BWD] = {"cross_entropy_bwd", "liF", "l"},
    [MDLDM_OP_VQ_COLLECT] = {"vq_collect", "fiipp", "s"},
    [MDLDM_OP_VQ_UPDATE] = {"vq_update", "p", "ssssf"},
};

const mdldm__op_info *mdldm__op_info_of(int32_t kind)
{
    return kind >= 1 && kind <= MDLDM__OP_LAST ? &table[kind] : NULL;
}

const char *mdldm__op_name(int32_t kind)
{
    const mdldm__op_info *info = mdldm__op_info_of(kind);
    return info != NULL ? info->name : "?";
}
