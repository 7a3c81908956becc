/* SPDX-License-Identifier: MIT
 * libFuzzer target: any bytes as a safetensors file. What opens must be readable in full.
 * clang -g -O1 -fsanitize=fuzzer,address,undefined; see `make fuzz`. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <stdio.h>
#include <unistd.h>

#include "io/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        fd = memfd_create("fuzz", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        return -1;
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    mdldm__safetensors st;
    if (mdldm__safetensors_open(&env, path, &st) != MDLDM_OK) {
        if (env.error[0] == '\0')
            abort(); /* a failure without a sentence */
        return 0;
    }
    for (int64_t i = 0; i < st.count; i++) {
        const mdldm__st_tensor *t = &st.tensors[i];
        if (mdldm__safetensors_find(&st, t->name) != t)
            abort();
        mdldm__st_check_finite(&env, "fuzz", t);
        float *values = malloc((size_t)mdldm__st_elements(t) * sizeof *values + 1);
        if (values != NULL && t->dtype >= 0 && mdldm__st_read_f32(&env, t, values) != MDLDM_OK)
            abort();
        free(values);
    }
    mdldm__safetensors_close(&st);
    return 0;
}
