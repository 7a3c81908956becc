/* SPDX-License-Identifier: MIT
 * The safetensors format: 8-byte little-endian header length, JSON header, tensor bytes. Files are
 * mapped and validated whole: header length and JSON, dtypes, shapes (no overflow), offsets inside the
 * file, without overlap and without holes, sizes that match shape and dtype. */
#ifndef MDLDM_IO_SAFETENSORS_H
#define MDLDM_IO_SAFETENSORS_H

#include <jansson.h>

#include "io/file_util.h"
#include "mdldm/mdldm_backend.h"

typedef struct mdldm__st_tensor {
    char *name;
    int32_t dtype; /* mdldm_dtype (I32 too, for tests and checkpoints, I8 for quantised weights); others: -1, kept in the listing */
    char dtype_name[16]; /* "BF16", "F8_E4M3FNUZ" */
    int32_t rank;
    int64_t dims[8];
    const void *data; /* into the mapping; little-endian, as x86 wants it; aligned for the type */
    size_t bytes;
    void *copy; /* data when the file has it at an odd offset (ours and PyTorch's never do), else NULL */
} mdldm__st_tensor;

typedef struct mdldm__safetensors {
    mdldm__env *env;
    mdldm__map map;
    json_t *metadata; /* __metadata__ object, or NULL */
    mdldm__st_tensor *tensors; /* ordered by name */
    int64_t count;
} mdldm__safetensors;

mdldm_status mdldm__safetensors_open(mdldm__env *env, const char *path, mdldm__safetensors *out);
void mdldm__safetensors_close(mdldm__safetensors *st);
const mdldm__st_tensor *mdldm__safetensors_find(const mdldm__safetensors *st, const char *name);


/* The number of elements; 1 for a scalar. */
int64_t mdldm__st_elements(const mdldm__st_tensor *tensor);
/* All elements as float32. F32, F16, BF16 and I32 only: UNSUPPORTED for other types. */
mdldm_status mdldm__st_read_f32(mdldm__env *env, const mdldm__st_tensor *tensor, float *out);
/* NUMERIC, naming tensor, index and value, when an F32, F16 or BF16 tensor holds NaN or Inf. where: the
 * file, for the message. */
mdldm_status mdldm__st_check_finite(mdldm__env *env, const char *where, const mdldm__st_tensor *tensor);

/* Writing: declare all tensors first (order of the data section = order of declaration), then give
 * their bytes in that order; commit is atomic. */
typedef struct mdldm__st_writer mdldm__st_writer;
mdldm_status mdldm__st_writer_open(mdldm__env *env, const char *path, mdldm__st_writer **out);
mdldm_status mdldm__st_writer_metadata(mdldm__st_writer *w, const char *key, const char *value);
mdldm_status mdldm__st_writer_declare(mdldm__st_writer *w, const char *name, int32_t dtype, int32_t rank,
                                      const int64_t *dims);
mdldm_status mdldm__st_writer_data(mdldm__st_writer *w, const void *data, size_t bytes);
mdldm_status mdldm__st_writer_commit(mdldm__st_writer *w); /* frees w either way */
void mdldm__st_writer_abort(mdldm__st_writer *w);          /* NULL is fine */

#endif
