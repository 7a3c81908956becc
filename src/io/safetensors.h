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
    int32_t dtype; /* mdldm_dtype (I32 too, for tests and checkpoints); others: -1, kept in the listing */
    char dtype_name[8];
    int32_t rank;
    int64_t dims[8];
    const void *data; /* into the mapping; little-endian, as x86 wants it */
    size_t bytes;
} mdldm__st_tensor;

typedef struct mdldm__safetensors {
    mdldm__env *env;
    mdldm__map map;
    json_t *metadata; /* __metadata__ object, or NULL */
    mdldm__st_tensor *tensors;
    int64_t count;
} mdldm__safetensors;

mdldm_status mdldm__safetensors_open(mdldm__env *env, const char *path, mdldm__safetensors *out);
void mdldm__safetensors_close(mdldm__safetensors *st);
const mdldm__st_tensor *mdldm__safetensors_find(const mdldm__safetensors *st, const char *name);

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
