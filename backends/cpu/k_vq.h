/* SPDX-License-Identifier: MIT
 * Nearest codebook vector and its losses (van den Oord et al., "Neural discrete representation
 * learning", 2017). The search runs in float over |e|^2 - 2 z.e with a bound on its error; every code
 * within the bound of the best is looked at again in double, so that the answer, ties included, is
 * that of the exact distances. Template: included once per instruction set. */
#include "cpu_vec.h"

#include <math.h>

#include "cpu_scratch.h"
#include "k_tile.h"

/* columns[padded/TILE][dim][TILE] holds -2*e, norms[padded] |e|^2, infinity for the padding. Returns
 * the largest |e|. */
static float vq_columns(const mdldm__cpu_vq *a, float *columns, float *norms, int64_t padded)
{
    double largest = 0.0;
    for (int64_t code = 0; code < padded; code++) {
        double norm = 0.0;
        for (int64_t j = 0; j < a->dim; j++) {
            float e = code < a->codes ? a->codebook[code * a->dim + j] : 0.0f;
            columns[(code / TILE * a->dim + j) * TILE + code % TILE] = -2.0f * e;
            norm += (double)e * (double)e;
        }
        norms[code] = code < a->codes ? (float)norm : INFINITY;
        if (norm > largest)
            largest = norm;
    }
    return (float)sqrt(largest);
}

static double vq_distance(const mdldm__cpu_vq *a, const float *z, int64_t code)
{
    const float *e = a->codebook + code * a->dim;
    double sum = 0.0;
    for (int64_t j = 0; j < a->dim; j++) {
        double d = (double)z[j] - (double)e[j];
        sum += d * d;
    }
    return sum;
}

/* Codes of rows z[count][dim], count <= MR. */
static void vq_search(const mdldm__cpu_vq *a, const float *z, int64_t count, const float *columns,
                      const float *norms, int64_t padded, float longest, int32_t *index)
{
    float score[MR * TILE], bound[MR];
    V best[MR];
    double exact[MR];
    for (int64_t r = 0; r < count; r++) {
        double square = 0.0;
        for (int64_t j = 0; j < a->dim; j++)
            square += (double)z[r * a->dim + j] * (double)z[r * a->dim + j];
        /* Twice the rounding error of a score: dim + 3 roundings of terms below (|z| + |e|)^2. */
        double scale = sqrt(square) + (double)longest;
        bound[r] = (float)(4.0 * (double)(a->dim + 4) * 6.0e-8 * scale * scale);
        best[r] = v_set(INFINITY);
        exact[r] = INFINITY;
        index[r] = 0;
    }
    for (int64_t tile = 0; tile < padded / TILE; tile++) {
        tile_multiply(count, z, a->dim, 1, columns + tile * a->dim * TILE, a->dim, score, 0);
        for (int64_t r = 0; r < count; r++)
            for (int v = 0; v < NV; v++)
                best[r] = v_min(v_load(score + r * TILE + v * VL) + v_load(norms + tile * TILE + v * VL),
                                best[r]);
    }
    float limit[MR];
    for (int64_t r = 0; r < count; r++) {
        float low = INFINITY;
        for (int i = 0; i < VL; i++)
            low = best[r][i] < low ? best[r][i] : low;
        limit[r] = low + bound[r];
    }
    for (int64_t tile = 0; tile < padded / TILE; tile++) {
        tile_multiply(count, z, a->dim, 1, columns + tile * a->dim * TILE, a->dim, score, 0);
        for (int64_t r = 0; r < count; r++) {
            VI near = {0};
            for (int v = 0; v < NV; v++)
                near |= v_load(score + r * TILE + v * VL) + v_load(norms + tile * TILE + v * VL) <=
                        limit[r];
            if (v_sum(v_select(near, v_set(1.0f), v_set(0.0f))) == 0.0f)
                continue;
            for (int64_t i = 0; i < TILE; i++) {
                int64_t code = tile * TILE + i;
                if (code >= a->codes || !(score[r * TILE + i] + norms[code] <= limit[r]))
                    continue;
                double d = vq_distance(a, z + r * a->dim, code);
                if (d < exact[r]) {
                    exact[r] = d;
                    index[r] = (int32_t)code;
                }
            }
        }
    }
}

static void k_vq(const mdldm__cpu_vq *a)
{
    int64_t padded = mdldm__cpu_ceil_div(a->codes, TILE) * TILE;
    int64_t parts = mdldm__cpu_ceil_div(a->rows, MDLDM__CPU_VQ_ROWS);
    double *loss = (double *)(((uintptr_t)a->scratch + 63) & ~(uintptr_t)63);
    float *columns = (float *)(loss + parts), *norms = columns + padded * a->dim;
    float longest = vq_columns(a, columns, norms, padded);
#pragma omp parallel for schedule(static) num_threads(a->threads)
    for (int64_t part = 0; part < parts; part++) {
        int64_t begin = part * MDLDM__CPU_VQ_ROWS, end = begin + MDLDM__CPU_VQ_ROWS;
        end = end < a->rows ? end : a->rows;
        loss[part] = 0.0;
        for (int64_t row = begin; row < end; row += MR) {
            int64_t count = end - row < MR ? end - row : MR;
            vq_search(a, a->z + row * a->dim, count, columns, norms, padded, longest, a->index + row);
        }
        for (int64_t row = begin; row < end; row++)
            for (int64_t j = 0; j < a->dim; j++) {
                float e = a->codebook[a->index[row] * a->dim + j];
                double d = (double)e - (double)a->z[row * a->dim + j];
                a->zq[row * a->dim + j] = e;
                loss[part] += d * d;
            }
    }
    double sum = 0.0;
    for (int64_t part = 0; part < parts; part++)
        sum += loss[part];
    a->loss[0] = (float)(sum / ((double)a->rows * (double)a->dim));
}

static void k_vq_bwd(const mdldm__cpu_vq *a)
{
    double count = (double)a->rows * (double)a->dim;
    float commit = (float)(2.0 * (double)a->commitment / count);
    float pull = (float)(2.0 * (double)a->codebook_weight / count);
#pragma omp parallel for schedule(static) num_threads(a->threads)
    for (int64_t row = 0; row < a->rows; row++)
        for (int64_t j = 0; j < a->dim; j++) {
            int64_t i = row * a->dim + j;
            float e = a->codebook[a->index[row] * a->dim + j];
            a->dz[i] = (a->dzq != NULL ? a->dzq[i] : 0.0f) + commit * (a->z[i] - e);
        }
    if (a->dcodebook == NULL)
        return;
    for (int64_t row = 0; row < a->rows; row++) /* in order: rows share codes */
        for (int64_t j = 0; j < a->dim; j++) {
            int64_t to = a->index[row] * a->dim + j;
            a->dcodebook[to] += pull * (a->codebook[to] - a->z[row * a->dim + j]);
        }
}

/* ---- Entropy of the soft assignment p(k|z) = softmax(-|z-e_k|^2/temperature) ---- */

/* p[codes] of one row; returns its entropy. */
static double entropy_row(const mdldm__cpu_vq *a, const float *z, float *p)
{
    float scale = -1.0f / a->temperature, top = -INFINITY;
    for (int64_t k = 0; k < a->codes; k++) {
        p[k] = (float)vq_distance(a, z, k) * scale;
        top = p[k] > top ? p[k] : top;
    }
    double sum = 0.0, weighted = 0.0;
    for (int64_t k = 0; k < a->codes; k += VL) {
        V l = v_get(p, MDLDM_F32, k, a->codes - k) - top;
        V e = v_exp(l);
        V w = e * l;
        for (int i = 0; i < VL && k + i < a->codes; i++) {
            sum += (double)e[i];
            weighted += (double)w[i];
        }
        v_put(p, MDLDM_F32, k, a->codes - k, e);
    }
    float inverse = (float)(1.0 / sum);
    for (int64_t k = 0; k < a->codes; k++)
        p[k] *= inverse;
    return log(sum) - weighted / sum; /* -sum p (l - log sum) */
}

INLINE double *entropy_sums(const mdldm__cpu_vq *a)
{
    return (double *)(((uintptr_t)a->scratch + 63) & ~(uintptr_t)63);
}

/* Mean distribution into mean[codes]; returns the mean entropy. rows_p: [threads][codes]. */
static double entropy_mean(const mdldm__cpu_vq *a, float *mean, float *parts, float *rows_p)
{
    double *sums = entropy_sums(a);
    int64_t step = mdldm__cpu_ceil_div(a->rows, MDLDM__CPU_ENTROPY_PARTS);
#pragma omp parallel for schedule(static) num_threads(a->threads)
    for (int64_t part = 0; part < MDLDM__CPU_ENTROPY_PARTS; part++) {
        float *to = parts + part * a->codes, *p = rows_p + omp_get_thread_num() * a->codes;
        memset(to, 0, (size_t)a->codes * sizeof *to);
        sums[part] = 0.0;
        for (int64_t row = part * step; row < a->rows && row < (part + 1) * step; row++) {
            sums[part] += entropy_row(a, a->z + row * a->dim, p);
            for (int64_t k = 0; k < a->codes; k++)
                to[k] += p[k];
        }
    }
    double total = 0.0;
    for (int part = 0; part < MDLDM__CPU_ENTROPY_PARTS; part++)
        total += sums[part];
    for (int64_t k = 0; k < a->codes; k++) {
        double sum = 0.0;
        for (int part = 0; part < MDLDM__CPU_ENTROPY_PARTS; part++)
            sum += (double)parts[part * a->codes + k];
        mean[k] = (float)(sum / (double)a->rows);
    }
    return total / (double)a->rows;
}

static void k_vq_entropy(const mdldm__cpu_vq *a)
{
    float *parts = (float *)(entropy_sums(a) + MDLDM__CPU_ENTROPY_PARTS);
    float *mean = parts + MDLDM__CPU_ENTROPY_PARTS * a->codes, *rows_p = mean + 2 * a->codes;
    double sample = entropy_mean(a, mean, parts, rows_p), entropy = 0.0;
    for (int64_t k = 0; k < a->codes; k++)
        entropy -= mean[k] > 0.0f ? (double)mean[k] * log((double)mean[k]) : 0.0;
    a->loss[0] = (float)sample;
    a->loss[1] = (float)entropy;
}

/* With l_k = -|z-e_k|^2/T, p = softmax(l), N rows: dH(p)/dl_k = -p_k (log p_k + H), and with
 * g_k = -(log mean_k + 1): dH(mean)/dl_k = p_k (g_k - sum_j p_j g_j) / N. */
static void k_vq_entropy_bwd(const mdldm__cpu_vq *a)
{
    float *parts = (float *)(entropy_sums(a) + MDLDM__CPU_ENTROPY_PARTS);
    float *mean = parts + MDLDM__CPU_ENTROPY_PARTS * a->codes, *g = mean + a->codes;
    float *rows_p = g + a->codes, *slopes = rows_p + a->threads * a->codes;
    float *grads = slopes + a->threads * a->codes; /* [threads][codes][dim] */
    entropy_mean(a, mean, parts, rows_p);
    for (int64_t k = 0; k < a->codes; k++)
        g[k] = mean[k] > 0.0f ? -(logf(mean[k]) + 1.0f) : 0.0f;
    memset(grads, 0, (size_t)(a->threads * a->codes * a->dim) * sizeof *grads);
#pragma omp parallel for schedule(static) num_threads(a->threads)
    for (int64_t row = 0; row < a->rows; row++) {
        int thread = omp_get_thread_num();
        float *p = rows_p + thread * a->codes, *slope = slopes + thread * a->codes;
        float *grad = grads + thread * a->codes * a->dim;
        const float *z = a->z + row * a->dim;
        double entropy = entropy_row(a, z, p), pull = 0.0;
        for (int64_t k = 0; k < a->codes; k++)
            pull += (double)p[k] * (double)g[k];
        double factor = -2.0 / ((double)a->temperature * (double)a->rows);
        for (int64_t k = 0; k < a->codes; k++) {
            double log_p = p[k] > 0.0f ? log((double)p[k]) : 0.0;
            double d = (double)a->weight_mean * ((double)g[k] - pull) -
                       (double)a->weight_sample * (log_p + entropy);
            slope[k] = (float)(factor * (double)p[k] * d); /* dl/dz = -2 (z-e)/T */
        }
        for (int64_t j = 0; j < a->dim; j++) {
            double sum = 0.0;
            for (int64_t k = 0; k < a->codes; k++) {
                float d = slope[k] * (z[j] - a->codebook[k * a->dim + j]);
                sum += (double)d;
                grad[k * a->dim + j] -= d;
            }
            a->dz[row * a->dim + j] = (float)sum;
        }
    }
    if (a->dcodebook == NULL)
        return;
    for (int64_t i = 0; i < a->codes * a->dim; i++)
        for (int32_t thread = 0; thread < a->threads; thread++)
            a->dcodebook[i] += grads[thread * a->codes * a->dim + i];
}
