/* SPDX-License-Identifier: MIT
 * What to tell the operating system about the pages of mapped files. Header only. */
#ifndef MDLDM_UTIL_PAGES_H
#define MDLDM_UTIL_PAGES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Gives back the pages that hold data[bytes], which lies in a private read-only mapping of a file; neighbours
 * on the first and the last page go with it. They come back from the file when they are touched again.
 * Never for other memory: that would lose its content. */
static inline void mdldm__pages_forget(const void *data, size_t bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t from = (uintptr_t)data / page * page, to = ((uintptr_t)data + bytes + page - 1) / page * page;
    if (bytes > 0)
        (void)madvise((void *)from, to - from, MADV_DONTNEED); /* a wish: failure changes nothing */
}

#endif
