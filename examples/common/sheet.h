/* SPDX-License-Identifier: MIT
 * A contact sheet: rows of pictures of one size with labels at the left and a title. */
#ifndef SHEET_H
#define SHEET_H

#include <stdint.h>

typedef struct sheet {
    int rows, columns, cell_height, cell_width;
    int left, top; /* margins for labels and title */
    int64_t height, width;
    uint8_t *rgb; /* [height][width][3] */
} sheet;

/* longest_label: characters kept free at the left, 0: no labels. 0 when memory runs out. */
int sheet_init(sheet *s, int rows, int columns, int cell_height, int cell_width, int longest_label);
void sheet_free(sheet *s);
/* rgb [cell_height][cell_width][3]; places outside are left out. */
void sheet_put(sheet *s, int row, int column, const uint8_t *rgb);
/* Text beside a row, lines separated by '\n'. */
void sheet_label(sheet *s, int row, const char *text);
void sheet_title(sheet *s, const char *text);

#endif
