/* SPDX-License-Identifier: MIT
 * libFuzzer target: any bytes as a .zip of images. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "data/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[64];
    if (path[0] == '\0')
        snprintf(path, sizeof path, "/tmp/mdldm-fuzz-%ld.zip", (long)getpid());
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        return -1;
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    mdldm__source source;
    mdldm_status status = mdldm__source_open(&env, path, &source);
    if (status == MDLDM_OK) {
        for (int64_t i = 0; i < source.count && i < 16; i++) {
            char *bytes;
            size_t length;
            if (mdldm__source_read(&env, &source, &source.entries[i], &bytes, &length) == MDLDM_OK)
                mdldm__free(&env, bytes);
            else if (env.error[0] == '\0')
                abort(); /* a failure without a sentence */
        }
        mdldm__source_close(&source);
    } else if (env.error[0] == '\0') {
        abort();
    }
    unlink(path);
    return 0;
}
