/* SPDX-License-Identifier: MIT
 * The entropy terms that keep a codebook in use (Yu et al. 2023, MAGVIT-v2): p(k|z) =
 * softmax(-|z-e_k|^2/temperature); the mean entropy of p and the entropy of the mean p. */
#include <math.h>
#include <string.h>

#include "ref_ops.h"

typedef struct setting {
    int64_t count, d, rows;   /* vectors, their size, codebook size */
    const float *z, *table;   /* [count,d], [rows,d] */
    double temperature;
} setting;

static setting setting_of(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *z = &call->in[0], *codebook = &call->in[1];
    return (setting){z->n * z->h * z->w, z->c,           codebook->n,
                     z->data,            codebook->data, call->op->attr.vq.temperature};
}

/* p[rows] and log p[rows] of vector i; returns its entropy. */
static double probabilities(const setting *s, int64_t i, double *p, double *log_p)
{
    double top = -INFINITY, sum = 0, entropy = 0;
    for (int64_t k = 0; k < s->rows; k++) {
        double distance = 0;
        for (int64_t c = 0; c < s->d; c++) {
            double difference = (double)s->z[i * s->d + c] - s->table[k * s->d + c];
            distance += difference * difference;
        }
        log_p[k] = -distance / s->temperature;
        top = fmax(top, log_p[k]);
    }
    for (int64_t k = 0; k < s->rows; k++)
        sum += exp(log_p[k] - top);
    double log_sum = top + log(sum);
    for (int64_t k = 0; k < s->rows; k++) {
        log_p[k] -= log_sum;
        p[k] = exp(log_p[k]);
        entropy -= p[k] * log_p[k];
    }
    return entropy;
}

/* Fills mean[rows]; returns the mean entropy. */
static double mean_probabilities(const setting *s, double *p, double *log_p, double *mean)
{
    double entropy = 0;
    memset(mean, 0, (size_t)s->rows * sizeof *mean);
    for (int64_t i = 0; i < s->count; i++) {
        entropy += probabilities(s, i, p, log_p);
        for (int64_t k = 0; k < s->rows; k++)
            mean[k] += p[k] / (double)s->count;
    }
    return entropy / (double)s->count;
}

size_t mdldm__ref_vq_entropy_scratch(const mdldm__ref_call *call)
{
    return (size_t)call->in[1].n * 3 * sizeof(double);
}

void mdldm__ref_vq_entropy(const mdldm__ref_call *call)
{
    setting s = setting_of(call);
    double *p = call->scratch, *log_p = p + s.rows, *mean = log_p + s.rows;
    float *loss = call->out[0].data; /* [2] */
    double entropy_of_mean = 0;
    loss[0] = (float)mean_probabilities(&s, p, log_p, mean);
    for (int64_t k = 0; k < s.rows; k++)
        entropy_of_mean -= mean[k] > 0 ? mean[k] * log(mean[k]) : 0;
    loss[1] = (float)entropy_of_mean;
}

size_t mdldm__ref_vq_entropy_bwd_scratch(const mdldm__ref_call *call)
{
    return (size_t)(call->in[1].n * 3 + call->in[0].c + mdldm__ref_count(&call->in[1])) * sizeof(double);
}

/* With logits a_k = -|z-e_k|^2/T and g_k = d loss / d p_k: d loss / d a_k = p_k (g_k - sum_j p_j g_j).
 * For the mean entropy g_k = -(log p_k + 1)/count, for the entropy of the mean -(log mean_k + 1)/count;
 * the 1s cancel. */
void mdldm__ref_vq_entropy_bwd(const mdldm__ref_call *call)
{
    setting s = setting_of(call);
    double *p = call->scratch, *log_p = p + s.rows, *mean = log_p + s.rows;
    double *dz_row = mean + s.rows, *dtable = dz_row + s.d; /* [d], [rows,d] */
    float *dz = call->out[0].data, *dcodebook = call->out[1].data;
    double sample = call->op->attr.vq.weight_sample, of_mean = call->op->attr.vq.weight_mean;
    mean_probabilities(&s, p, log_p, mean);
    memset(dtable, 0, (size_t)(s.rows * s.d) * sizeof *dtable);
    for (int64_t i = 0; i < s.count; i++) {
        probabilities(&s, i, p, log_p);
        double inner = 0;
        for (int64_t k = 0; k < s.rows; k++) {
            /* A mean that underflowed to 0 belongs to p_k = 0, which takes no part. */
            double log_mean = mean[k] > 0 ? log(mean[k]) : 0;
            log_p[k] = -(sample * log_p[k] + of_mean * log_mean) / (double)s.count;
            inner += p[k] * log_p[k];
        }
        memset(dz_row, 0, (size_t)s.d * sizeof *dz_row);
        for (int64_t k = 0; k < s.rows; k++) {
            double da = p[k] * (log_p[k] - inner) * 2.0 / s.temperature;
            for (int64_t c = 0; c < s.d; c++) {
                double difference = (double)s.z[i * s.d + c] - s.table[k * s.d + c];
                dz_row[c] -= da * difference;
                dtable[k * s.d + c] += da * difference;
            }
        }
        for (int64_t c = 0; c < s.d; c++)
            dz[i * s.d + c] = (float)dz_row[c];
    }
    for (int64_t i = 0; dcodebook != NULL && i < s.rows * s.d; i++)
        dcodebook[i] = (float)(dcodebook[i] + dtable[i]);
}
