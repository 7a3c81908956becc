/* SPDX-License-Identifier: MIT
 * Reading files: whole, or mapped. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file_util.h"
#include "util/pages.h"

/* Opens a regular file for reading; O_NONBLOCK, so that a FIFO of that name cannot hang us. */
static mdldm_status open_regular(mdldm__env *env, const char *path, int *fd, size_t *size)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0) {
        mdldm_status status = errno == ENOENT || errno == ENOTDIR ? MDLDM_ERROR_NOT_FOUND : MDLDM_ERROR_IO;
        return mdldm__error(env, status, "cannot open %s: %s", path, strerror(errno));
    }
    struct stat st;
    mdldm_status status = MDLDM_OK;
    if (fstat(*fd, &st) != 0)
        status = mdldm__error(env, MDLDM_ERROR_IO, "cannot read %s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        status = mdldm__error(env, MDLDM_ERROR_IO, "%s is %s, not a file", path,
                              S_ISDIR(st.st_mode) ? "a folder" : "a device or pipe");
    else
        *size = (size_t)st.st_size;
    if (status != MDLDM_OK)
        close(*fd);
    return status;
}

static mdldm_status read_all(mdldm__env *env, const char *path, int fd, char *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, data + done, size - done);
        if (got > 0)
            done += (size_t)got;
        else if (got == 0)
            return mdldm__error(env, MDLDM_ERROR_IO, "%s became shorter while it was read: %zu of %zu bytes",
                                path, done, size);
        else if (errno != EINTR)
            return mdldm__error(env, MDLDM_ERROR_IO, "cannot read %s: %s", path, strerror(errno));
    }
    return MDLDM_OK;
}

mdldm_status mdldm__file_read(mdldm__env *env, const char *path, size_t limit, char **data, size_t *size)
{
    int fd;
    size_t bytes = 0;
    MDLDM__TRY(open_regular(env, path, &fd, &bytes));
    mdldm_status status = MDLDM_OK;
    char *buffer = NULL;
    if (bytes > limit)
        status = mdldm__error(env, MDLDM_ERROR_FORMAT, "%s has %zu bytes; at most %zu are read", path, bytes,
                              limit);
    else if ((buffer = mdldm__alloc(env, bytes + 1)) == NULL)
        status = mdldm__oom(env, "a file's content");
    else
        status = read_all(env, path, fd, buffer, bytes);
    close(fd);
    if (status != MDLDM_OK) {
        mdldm__free(env, buffer);
        return status;
    }
    buffer[bytes] = '\0';
    *data = buffer;
    *size = bytes;
    return MDLDM_OK;
}

mdldm_status mdldm__map_open(mdldm__env *env, const char *path, mdldm__map *out)
{
    int fd;
    size_t bytes = 0;
    out->data = NULL;
    out->size = 0;
    MDLDM__TRY(open_regular(env, path, &fd, &bytes));
    void *data = NULL; /* an empty file cannot be mapped, and needs no mapping */
    if (bytes > 0)
        data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    int error = errno;
    close(fd);
    if (data == MAP_FAILED)
        return mdldm__error(env, error == ENOMEM ? MDLDM_ERROR_OUT_OF_MEMORY : MDLDM_ERROR_IO,
                            "cannot map %s: %s", path, strerror(error));
    out->data = data;
    out->size = bytes;
    return MDLDM_OK;
}

void mdldm__map_close(mdldm__map *map)
{
    if (map->data != NULL)
        munmap((void *)(uintptr_t)map->data, map->size);
    map->data = NULL;
    map->size = 0;
}

void mdldm__map_forget(const mdldm__map *map, const void *data, size_t bytes)
{
    const uintptr_t start = (uintptr_t)map->data, from = (uintptr_t)data;
    if (map->size > 0 && from >= start && from + bytes <= start + map->size)
        mdldm__pages_forget(data, bytes);
}
