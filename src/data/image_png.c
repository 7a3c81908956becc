/* SPDX-License-Identifier: MIT
 * PNG through libpng's low-level interface. libpng leaves by longjmp; the jump never crosses a frame
 * other than the one function that calls setjmp, and all state lives in a job of its caller. */
#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "data/image.h"

#define CHUNK_LIMIT ((size_t)8 << 20) /* more than any chunk but IDAT needs, and than any row */

typedef struct png_job {
    mdldm__env *env;
    const uint8_t *input;
    size_t input_size, position;
    char *output; /* encoding: grows */
    size_t output_size, output_capacity;
    int out_of_memory;
    char message[160];
    png_structp png;
    png_infop info;
} png_job;

/* ---- what libpng calls ---- */

static png_voidp job_malloc(png_structp png, png_alloc_size_t size)
{
    png_job *job = png_get_mem_ptr(png);
    /* libpng only warns when an ancillary chunk claims a length beyond chunk_malloc_max, then asks for
     * it, up to 2 GiB for a file of 43 bytes. Without the memory it skips the chunk. */
    if (size > 2 * CHUNK_LIMIT)
        return NULL;
    void *p = mdldm__alloc(job->env, size);
    if (p == NULL)
        job->out_of_memory = 1;
    return p;
}

static void job_free(png_structp png, png_voidp pointer)
{
    png_job *job = png_get_mem_ptr(png);
    mdldm__free(job->env, pointer);
}

static void job_error(png_structp png, png_const_charp message)
{
    png_job *job = png_get_error_ptr(png);
    strncpy(job->message, message, sizeof job->message - 1);
    png_longjmp(png, 1);
}

static void job_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message; /* oddities of ancillary chunks: they do not touch the pixels */
}

static void job_read(png_structp png, png_bytep out, size_t count)
{
    png_job *job = png_get_io_ptr(png);
    if (count > job->input_size - job->position)
        png_error(png, "the file ends too early");
    memcpy(out, job->input + job->position, count);
    job->position += count;
}

static void job_write(png_structp png, png_bytep bytes, size_t count)
{
    png_job *job = png_get_io_ptr(png);
    if (count > job->output_capacity - job->output_size) {
        size_t capacity = job->output_capacity * 2 + count + 4096;
        char *grown = mdldm__realloc(job->env, job->output, capacity);
        if (grown == NULL) {
            job->out_of_memory = 1;
            png_error(png, "out of memory");
        }
        job->output = grown;
        job->output_capacity = capacity;
    }
    memcpy(job->output + job->output_size, bytes, count);
    job->output_size += count;
}

static void job_flush(png_structp png)
{
    (void)png;
}

static mdldm_status job_failed(png_job *job, const char *name, const char *what)
{
    if (job->out_of_memory)
        return mdldm__oom(job->env, name);
    return mdldm__error(job->env, MDLDM_ERROR_FORMAT, "%s '%s': %s", what, name, job->message);
}

/* ---- reading ---- */

/* 1: done; 0: libpng gave up and job->message says why. */
static int read_header(png_job *job, mdldm__image *image)
{
    if (setjmp(png_jmpbuf(job->png)) != 0)
        return 0;
    png_set_read_fn(job->png, job, job_read);
    /* The size is ours to judge, with our words; libpng's own limit only has to stay out of the way. */
    png_set_user_limits(job->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(job->png, CHUNK_LIMIT);
    png_set_chunk_cache_max(job->png, 128);
    png_read_info(job->png, job->info);
    image->height = png_get_image_height(job->png, job->info);
    image->width = png_get_image_width(job->png, job->info);
    return 1;
}

static int read_pixels(png_job *job, const mdldm__image *image)
{
    if (setjmp(png_jmpbuf(job->png)) != 0)
        return 0;
    png_structp png = job->png;
    const int colour = png_get_color_type(png, job->info);
    if (png_get_bit_depth(png, job->info) == 16)
        png_set_strip_16(png);
    if (colour == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png);
    if (colour == PNG_COLOR_TYPE_GRAY)
        png_set_expand_gray_1_2_4_to_8(png);
    if ((colour & PNG_COLOR_MASK_COLOR) == 0)
        png_set_gray_to_rgb(png);
    /* Also the alpha that palette_to_rgb makes of a tRNS chunk. */
    png_set_strip_alpha(png);
    const int passes = png_set_interlace_handling(png);
    png_read_update_info(png, job->info);
    if (png_get_rowbytes(png, job->info) != (size_t)image->width * 3)
        png_error(png, "the row does not come out as 8-bit RGB");
    for (int pass = 0; pass < passes; pass++)
        for (int64_t y = 0; y < image->height; y++)
            png_read_row(png, image->rgb + (size_t)(y * image->width) * 3, NULL);
    png_read_end(png, NULL);
    return 1;
}

mdldm_status mdldm__png_decode(mdldm__env *env, const char *name, const void *data, size_t size,
                               int header_only, mdldm__image *out)
{
    png_job job = {.env = env, .input = data, .input_size = size};
    mdldm__image image = {0, 0, NULL};
    mdldm_status status = MDLDM_OK;

    job.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &job, job_error, job_warning, &job,
                                       job_malloc, job_free);
    if (job.png != NULL)
        job.info = png_create_info_struct(job.png);
    if (job.info == NULL) {
        status = mdldm__oom(env, name);
        goto done;
    }
    if (!read_header(&job, &image)) {
        status = job_failed(&job, name, "broken PNG file");
        goto done;
    }
    status = mdldm__image_check_size(env, name, image.height, image.width);
    if (status != MDLDM_OK || header_only)
        goto done;
    image.rgb = mdldm__calloc(env, (size_t)(image.height * image.width), 3);
    if (image.rgb == NULL)
        status = mdldm__oom(env, name);
    else if (!read_pixels(&job, &image))
        status = job_failed(&job, name, "broken PNG file");
done:
    png_destroy_read_struct(&job.png, &job.info, NULL);
    if (status == MDLDM_OK)
        *out = image;
    else
        mdldm__image_free(env, &image);
    return status;
}

/* ---- writing ---- */

static int write_all(png_job *job, const uint8_t *pixels, int channels, png_uint_32 height, png_uint_32 width)
{
    if (setjmp(png_jmpbuf(job->png)) != 0)
        return 0;
    png_set_write_fn(job->png, job, job_write, job_flush);
    png_set_IHDR(job->png, job->info, width, height, 8, channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(job->png, job->info);
    for (png_uint_32 y = 0; y < height; y++)
        png_write_row(job->png, pixels + (size_t)y * width * (size_t)channels);
    png_write_end(job->png, NULL);
    return 1;
}

mdldm_status mdldm__png_encode(mdldm__env *env, const char *name, const uint8_t *pixels, int channels,
                               int64_t height, int64_t width, char **data, size_t *size)
{
    png_job job = {.env = env};
    mdldm_status status = MDLDM_OK;

    job.png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &job, job_error, job_warning, &job,
                                        job_malloc, job_free);
    if (job.png != NULL)
        job.info = png_create_info_struct(job.png);
    if (job.info == NULL)
        status = mdldm__oom(env, name);
    else if (!write_all(&job, pixels, channels, (png_uint_32)height, (png_uint_32)width))
        status = job_failed(&job, name, "could not encode PNG");
    png_destroy_write_struct(&job.png, &job.info);
    if (status != MDLDM_OK) {
        mdldm__free(env, job.output);
        return status;
    }
    *data = job.output;
    *size = job.output_size;
    return MDLDM_OK;
}
