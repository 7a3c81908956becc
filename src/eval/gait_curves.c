/* SPDX-License-Identifier: MIT
 * Curves over time: the envelopes, and the torso line as the strongest path through the echo. */
#include <math.h>

#include "eval/gait.h"

/* A jump of the torso line over the whole height costs as much as the echo's full range in so many of the columns:
 * a torso's speed drifts, while a limb's flash lasts a few columns. */
#define STIFFNESS 0.04

/* Where the share q of the column's echo lies above, in rows from the upper edge; total > 0. */
static double percentile(const double *above, int64_t rows, int64_t stride, double total, double q)
{
    double sum = 0.0, step = 0.0;
    int64_t r = 0;
    for (; r < rows; r++) {
        step = above[r * stride];
        if (step > 0.0 && sum + step >= q * total)
            break;
        sum += step;
    }
    return r < rows ? (double)r + fmin(fmax((q * total - sum) / step, 0.0), 1.0) : (double)rows;
}

/* The percentile method of van Dorp and Groen (IET Radar Sonar Navig. 2, 2008): an envelope is where the cumulative
 * distribution of a column over Doppler reaches a percentile. Cells weigh by their dB above the threshold, not by
 * their power: limbs are 20 dB weaker than the torso, a percentile of power sees them hardly, and pictures often do
 * not say how many dB their colours span, which this does not need. */
void mdldm__gait_envelopes(const mdldm__gait_setup *s, const mdldm__gait_echo *echo, double *upper, double *lower)
{
    for (int64_t c = 0; c < s->columns; c++) {
        double total = 0.0;
        for (int64_t r = 0; r < s->rows; r++)
            total += echo->above[r * s->columns + c];
        const int heard = total > 0.0;
        upper[c] = heard ? percentile(echo->above + c, s->rows, s->columns, total, 1.0 - s->percentile) : NAN;
        lower[c] = heard ? percentile(echo->above + c, s->rows, s->columns, total, s->percentile) : NAN;
    }
}

/* best[r] = max over k of score[k] - penalty |r - k|, and its k: two passes, since the penalty grows linearly
 * (Felzenszwalb and Huttenlocher 2012, distance transform under the L1 norm). */
static void spread(const double *score, int64_t rows, double penalty, double *best, int32_t *from)
{
    for (int64_t r = 0; r < rows; r++) {
        best[r] = score[r];
        from[r] = (int32_t)r;
        if (r > 0 && best[r - 1] - penalty > best[r]) {
            best[r] = best[r - 1] - penalty;
            from[r] = from[r - 1];
        }
    }
    for (int64_t r = rows - 2; r >= 0; r--)
        if (best[r + 1] - penalty > best[r]) {
            best[r] = best[r + 1] - penalty;
            from[r] = from[r + 1];
        }
}

/* Middle of the power within reach rows of row. */
static double centre(const mdldm__gait_setup *s, const mdldm__gait_echo *echo, int64_t column, int64_t row,
                     int64_t reach)
{
    const int64_t first = row > reach ? row - reach : 0, last = row + reach < s->rows ? row + reach : s->rows - 1;
    double sum = 0.0, moment = 0.0;
    for (int64_t r = first; r <= last; r++) {
        sum += echo->power[r * s->columns + column];
        moment += echo->power[r * s->columns + column] * ((double)r + 0.5);
    }
    return sum > 0.0 ? moment / sum : NAN;
}

/* The dominant Doppler over time (Kim and Ling 2009 take each column's strongest cell), as the path of largest sum of
 * dB less what its jumps cost, by dynamic programming; then the middle of the power around it. */
mdldm_status mdldm__gait_torso(mdldm__env *env, const mdldm__gait_setup *s, const mdldm__gait_echo *echo,
                               double *torso)
{
    const int64_t rows = s->rows, columns = s->columns;
    double *score = mdldm__calloc(env, (size_t)rows, sizeof *score);
    double *best = mdldm__calloc(env, (size_t)rows, sizeof *best);
    int32_t *from = mdldm__calloc(env, (size_t)(rows * columns), sizeof *from); /* [columns][rows] */
    mdldm_status status = MDLDM_OK;
    if (score == NULL || best == NULL || from == NULL)
        status = mdldm__oom(env, "torso line");
    if (status == MDLDM_OK) {
        const double range = fmax(echo->peak - echo->threshold, 0.0);
        const double penalty = STIFFNESS * (double)columns * range / (double)rows;
        for (int64_t c = 0; c < columns; c++) {
            spread(score, rows, penalty, best, from + c * rows);
            for (int64_t r = 0; r < rows; r++)
                score[r] = best[r] + echo->above[r * columns + c];
        }
        int64_t row = 0;
        for (int64_t r = 1; r < rows; r++)
            row = score[r] > score[row] ? r : row;
        int64_t reach = lround(s->torso_width * (double)rows / 4.0);
        reach = reach > 1 ? reach : 1;
        for (int64_t c = columns - 1; c >= 0; c--) {
            torso[c] = centre(s, echo, c, row, reach);
            row = from[c * rows + row];
        }
    }
    mdldm__free(env, from);
    mdldm__free(env, best);
    mdldm__free(env, score);
    return status;
}
