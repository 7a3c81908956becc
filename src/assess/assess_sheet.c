/* SPDX-License-Identifier: MIT
 * Small pictures in rows and columns, for the report. */
#include "assess/assessment.h"
#include "data/dataset.h"

#define CELL 96
#define RULE 2 /* pixels between */

mdldm_status mdldm__sheet_make(mdldm__assessment *a, int64_t rows, int64_t columns, mdldm__sheet *out)
{
    *out = (mdldm__sheet){.rows = rows, .columns = columns, .cell = CELL};
    out->rgb = mdldm__calloc(a->env, (size_t)(rows * columns * CELL * CELL * 3), 1);
    if (out->rgb == NULL)
        return mdldm__oom(a->env, "sheet");
    for (int64_t i = 0; i < rows * columns * CELL * CELL * 3; i++)
        out->rgb[i] = 128;
    return MDLDM_OK;
}

/* A picture reduced to the cell: each of its pixels the mean of those it covers, or the nearest of a smaller one. */
static void reduce(const uint8_t *from, int64_t side, uint8_t *to, int64_t stride)
{
    const int64_t cell = CELL - RULE;
    for (int64_t y = 0; y < cell; y++)
        for (int64_t x = 0; x < cell; x++)
            for (int64_t c = 0; c < 3; c++) {
                const int64_t top = y * side / cell, left = x * side / cell;
                int64_t bottom = (y + 1) * side / cell, right = (x + 1) * side / cell, sum = 0;
                bottom = bottom > top ? bottom : top + 1;
                right = right > left ? right : left + 1;
                for (int64_t i = top; i < bottom; i++)
                    for (int64_t k = left; k < right; k++)
                        sum += from[(i * side + k) * 3 + c];
                const int64_t count = (bottom - top) * (right - left);
                to[y * stride + x * 3 + c] = (uint8_t)((sum + count / 2) / count);
            }
}

mdldm_status mdldm__sheet_put(mdldm__assessment *a, mdldm__sheet *sheet, int64_t row, int64_t column,
                              const mdldm_dataset *data, int64_t item)
{
    const size_t size = (size_t)(data->resolution * data->resolution * 3);
    uint8_t *rgb = mdldm__alloc(a->env, size);
    if (rgb == NULL)
        return mdldm__oom(a->env, "sheet");
    const mdldm_status status = mdldm_dataset_read_rgb8(a->ctx, data, item, rgb, size);
    const int64_t stride = sheet->columns * CELL * 3;
    if (status == MDLDM_OK)
        reduce(rgb, data->resolution, sheet->rgb + row * CELL * stride + column * CELL * 3, stride);
    mdldm__free(a->env, rgb);
    return status;
}

mdldm_status mdldm__sheet_add(mdldm__assessment *a, mdldm__sheet *sheet, const char *key, const char *title,
                              const char *text)
{
    const mdldm_status status = mdldm__report_add(
        a->report, &(mdldm__figure){.kind = MDLDM__FIGURE_PICTURE, .key = key, .title = title, .text = text,
                                    .rgb = sheet->rgb, .height = sheet->rows * CELL, .width = sheet->columns * CELL});
    mdldm__free(a->env, sheet->rgb);
    sheet->rgb = NULL;
    return status;
}
