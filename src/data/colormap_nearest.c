/* SPDX-License-Identifier: MIT
 * From a colour back to its place on a map. Pictures come with noise of JPEG and of resizing between the
 * map's colours, so the map is a line through RGB space, not 256 points. */
#include <math.h>

#include "data/colormap.h"

/* The line as 255 segments, and the corners' distances from the colour in question. */
typedef struct map_line {
    float start[255][3], along[255][3]; /* along: end minus start */
    float scale[255];                   /* 1 / |along|^2, 0 where two colours are the same */
    float half[255];                    /* |along| / 2 */
    float corner[256];
} map_line;

static void line_make(map_line *l, const mdldm__colormap *map)
{
    for (int i = 0; i < 255; i++) {
        float square = 0.0f;
        for (int c = 0; c < 3; c++) {
            l->start[i][c] = (float)map->rgb[i][c];
            l->along[i][c] = (float)(map->rgb[i + 1][c] - map->rgb[i][c]);
            square += l->along[i][c] * l->along[i][c];
        }
        l->scale[i] = square > 0.0f ? 1.0f / square : 0.0f;
        l->half[i] = 0.5f * sqrtf(square);
    }
}

/* Place along the line in entries, 0 to 255; *distance: from it. */
static float nearest(map_line *l, const mdldm__colormap *map, const uint8_t *rgb, float *distance)
{
    int best_square = 3 * 255 * 255 + 1, at = 0;
    for (int i = 0; i < 256; i++) {
        const int r = rgb[0] - map->rgb[i][0], g = rgb[1] - map->rgb[i][1], b = rgb[2] - map->rgb[i][2];
        const int square = r * r + g * g + b * b;
        l->corner[i] = (float)square;
        at = square < best_square ? i : at;
        best_square = square < best_square ? square : best_square;
    }
    float best = (float)best_square, place = (float)at;
    if (best_square == 0) {
        *distance = 0.0f;
        return place;
    }
    for (int i = 0; i < 255; i++) {
        /* No point of a segment is nearer than its nearer end less half its length. */
        const float near = l->corner[i] < l->corner[i + 1] ? l->corner[i] : l->corner[i + 1];
        const float reach = sqrtf(best) + l->half[i];
        if (near > reach * reach)
            continue;
        float from[3], dot = 0.0f, square = 0.0f;
        for (int c = 0; c < 3; c++) {
            from[c] = (float)rgb[c] - l->start[i][c];
            dot += from[c] * l->along[i][c];
        }
        const float t = fminf(fmaxf(dot * l->scale[i], 0.0f), 1.0f);
        for (int c = 0; c < 3; c++) {
            const float d = from[c] - t * l->along[i][c];
            square += d * d;
        }
        if (square < best) {
            best = square;
            place = (float)i + t;
        }
    }
    *distance = sqrtf(best);
    return place;
}

double mdldm__colormap_nearest(const mdldm__colormap *map, const uint8_t *rgb, size_t count, float *place,
                               float *distance, double *largest)
{
    enum { SLOTS = 4096 }; /* colours met lately: pictures repeat theirs */
    struct {
        uint32_t colour; /* + 1; 0: free */
        float place, distance;
    } met[SLOTS];
    for (int i = 0; i < SLOTS; i++)
        met[i].colour = 0;
    map_line line;
    line_make(&line, map);
    double sum = 0.0, most = 0.0;
    for (size_t i = 0; i < count; i++, rgb += 3) {
        const uint32_t colour = (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];
        const uint32_t slot = (colour * UINT32_C(2654435761)) >> 20; /* Knuth's multiplicative hash */
        if (met[slot].colour != colour + 1) {
            float d;
            met[slot].place = (nearest(&line, map, rgb, &d) + 0.5f) / 256.0f;
            met[slot].distance = d;
            met[slot].colour = colour + 1;
        }
        place[i] = met[slot].place;
        if (distance != NULL)
            distance[i] = met[slot].distance;
        sum += (double)met[slot].distance;
        most = fmax(most, (double)met[slot].distance);
    }
    if (largest != NULL)
        *largest = most;
    return sum;
}
