/* SPDX-License-Identifier: MIT */
#include "sheet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wpedantic"
#include <stb/stb_easy_font.h>
#pragma GCC diagnostic pop

#define GAP 4
#define SCALE 2 /* of the font, whose letters are about 6 by 8 pixels */
#define LETTER 7
#define TITLE_HEIGHT (10 * SCALE + GAP)

int sheet_init(sheet *s, int rows, int columns, int cell_height, int cell_width, int longest_label)
{
    *s = (sheet){ .rows = rows, .columns = columns, .cell_height = cell_height, .cell_width = cell_width };
    s->left = longest_label > 0 ? longest_label * LETTER * SCALE + 2 * GAP : GAP;
    s->top = TITLE_HEIGHT + GAP;
    s->height = s->top + (int64_t)rows * (cell_height + GAP);
    s->width = s->left + (int64_t)columns * (cell_width + GAP);
    s->rgb = malloc((size_t)(s->height * s->width * 3));
    if (s->rgb == NULL) {
        return 0;
    }
    memset(s->rgb, 255, (size_t)(s->height * s->width * 3));
    return 1;
}

void sheet_free(sheet *s)
{
    free(s->rgb);
    s->rgb = NULL;
}

void sheet_put(sheet *s, int row, int column, const uint8_t *rgb)
{
    if (row < 0 || row >= s->rows || column < 0 || column >= s->columns) {
        return;
    }
    int64_t y0 = s->top + (int64_t)row * (s->cell_height + GAP);
    int64_t x0 = s->left + (int64_t)column * (s->cell_width + GAP);
    for (int y = 0; y < s->cell_height; y++) {
        memcpy(s->rgb + ((y0 + y) * s->width + x0) * 3, rgb + (size_t)y * (size_t)s->cell_width * 3,
               (size_t)s->cell_width * 3);
    }
}

static void fill_black(sheet *s, int64_t x0, int64_t y0, int64_t x1, int64_t y1)
{
    for (int64_t y = y0 < 0 ? 0 : y0; y < y1 && y < s->height; y++) {
        for (int64_t x = x0 < 0 ? 0 : x0; x < x1 && x < s->width; x++) {
            memset(s->rgb + (y * s->width + x) * 3, 0, 3);
        }
    }
}

/* stb_easy_font gives every stroke as a rectangle of four vertices: x, y, z as float, then a colour. */
static void draw_text(sheet *s, int64_t x, int64_t y, const char *text)
{
    enum { MAX_TEXT = 240, VERTEX = 16 };
    static char quads[MAX_TEXT * 270];
    char copy[MAX_TEXT];

    snprintf(copy, sizeof copy, "%s", text);
    int count = stb_easy_font_print(0.0f, 0.0f, copy, NULL, quads, (int)sizeof quads);
    for (int q = 0; q < count; q++) {
        float low[2], high[2];

        memcpy(low, quads + (size_t)q * 4 * VERTEX, sizeof low);
        memcpy(high, quads + (size_t)q * 4 * VERTEX + 2 * VERTEX, sizeof high);
        fill_black(s, x + (int64_t)low[0] * SCALE, y + (int64_t)low[1] * SCALE, x + (int64_t)high[0] * SCALE,
                   y + (int64_t)high[1] * SCALE);
    }
}

void sheet_label(sheet *s, int row, const char *text)
{
    if (row >= 0 && row < s->rows) {
        draw_text(s, GAP, s->top + (int64_t)row * (s->cell_height + GAP) + s->cell_height / 2 - 8 * SCALE, text);
    }
}

void sheet_title(sheet *s, const char *text)
{
    draw_text(s, GAP, GAP, text);
}
