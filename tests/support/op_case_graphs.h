/* SPDX-License-Identifier: MIT
 * The graphs of op_cases.c; p holds the numbers that the table gives, in the order its comments say. */
#ifndef MDLDM_TESTS_OP_CASE_GRAPHS_H
#define MDLDM_TESTS_OP_CASE_GRAPHS_H

#include "op_cases.h"

#define OP_CASE_PARAMETERS 13

/* Marks t as an output that is compared; the index of its read. */
int op_case_output(op_case *c, mdldm__tensor t, const char *name);

void op_graph_conv(op_case *c, const int *p);
void op_graph_group_norm(op_case *c, const int *p);
void op_graph_attention(op_case *c, const int *p);
void op_graph_silu(op_case *c, const int *p);
void op_graph_add(op_case *c, const int *p);
void op_graph_bias(op_case *c, const int *p);
void op_graph_scale(op_case *c, const int *p);
void op_graph_scale_per_image(op_case *c, const int *p);
void op_graph_dropout(op_case *c, const int *p);
void op_graph_cast(op_case *c, const int *p);
void op_graph_upsample2(op_case *c, const int *p);
void op_graph_avgpool2(op_case *c, const int *p);
void op_graph_embedding(op_case *c, const int *p);
void op_graph_vq(op_case *c, const int *p);
void op_graph_vq_entropy(op_case *c, const int *p);
void op_graph_vq_collect(op_case *c, const int *p);
void op_graph_vq_update(op_case *c, const int *p);
void op_graph_mean_hw(op_case *c, const int *p);
void op_graph_loss(op_case *c, const int *p);
void op_graph_cross_entropy(op_case *c, const int *p);
void op_graph_q8(op_case *c, const int *p);
void op_graph_q8_resnet(op_case *c, const int *p);
void op_graph_q8_attention(op_case *c, const int *p);
void op_graph_q8_upsample(op_case *c, const int *p);
void op_graph_q8_downsample(op_case *c, const int *p);
void op_graph_resnet(op_case *c, const int *p);
void op_graph_resnet_skip(op_case *c, const int *p);
void op_graph_resnet_again(op_case *c, const int *p);
void op_graph_attention_block(op_case *c, const int *p);
void op_graph_upsample_conv(op_case *c, const int *p);
void op_graph_time_embedding(op_case *c, const int *p);
void op_graph_fan_out(op_case *c, const int *p);

#endif
