/* SPDX-License-Identifier: MIT
 * Files written atomically: aside, flushed and fsynced, renamed, and the folder's entry fsynced, so
 * that after a crash PATH holds either the old bytes or all of the new ones. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "io/file_util.h"
#include "io/io_fault.h"
#include "io/io_sync.h"

/* Unique in the process, so that two threads writing one path do not share a temporary file. */
static unsigned next_number(void)
{
    static unsigned counter;
    return __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
}

char *mdldm__temporary_name(mdldm__env *env, const char *path)
{
    return mdldm__strprintf(env, "%s.tmp-%ld-%u", path, (long)getpid(), next_number());
}

int mdldm__sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int failed = mdldm__io_fault() || fsync(fd) != 0;
    int error = errno;
    close(fd);
    errno = error;
    /* Some network file systems refuse fsync on a folder and sync its entries by themselves. */
    return failed && error != EINVAL && error != ENOTSUP ? -1 : 0;
}

mdldm_status mdldm__sync_parent(mdldm__env *env, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    char folder[PATH_MAX] = "."; /* no allocation: once the rename is done, memory must not be missing */
    int failed = length >= sizeof folder;
    errno = ENAMETOOLONG;
    if (!failed && length > 0) {
        memcpy(folder, path, length);
        folder[length] = '\0';
    }
    if (failed || mdldm__sync_folder(folder) != 0)
        return mdldm__error(env, MDLDM_ERROR_IO,
                            "%s is written, but its folder cannot be synced to disk: %s", path,
                            strerror(errno));
    return MDLDM_OK;
}

static void release(mdldm__file_out *out)
{
    mdldm__free(out->env, out->path);
    mdldm__free(out->env, out->temporary);
    out->path = out->temporary = NULL;
    out->stream = NULL;
}

mdldm_status mdldm__file_out_open(mdldm__env *env, const char *path, mdldm__file_out *out)
{
    memset(out, 0, sizeof *out);
    out->env = env;
    size_t length = strlen(path);
    if (length == 0 || path[length - 1] == '/')
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "\"%s\" is no file name", path);
    if (mdldm__path_is_dir(path))
        return mdldm__error(env, MDLDM_ERROR_IO, "cannot write %s: it is a folder", path);
    out->path = mdldm__strdup(env, path);
    out->temporary = mdldm__temporary_name(env, path);
    if (out->path == NULL || out->temporary == NULL) {
        release(out);
        return mdldm__oom(env, "a path");
    }
    unlink(out->temporary); /* left by a crashed process that had our number */
    int fd = -1;
    if (!mdldm__io_fault())
        fd = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd >= 0)
        out->stream = fdopen(fd, "wb");
    if (out->stream == NULL) {
        int error = errno;
        if (fd >= 0) {
            close(fd);
            unlink(out->temporary);
        }
        release(out);
        return mdldm__error(env, error == ENOMEM ? MDLDM_ERROR_OUT_OF_MEMORY : MDLDM_ERROR_IO,
                            "cannot write %s: %s", path, strerror(error));
    }
    return MDLDM_OK;
}

mdldm_status mdldm__file_out_write(mdldm__file_out *out, const void *data, size_t size)
{
    if (size == 0)
        return MDLDM_OK;
    errno = 0;
    if (mdldm__io_fault() || fwrite(data, 1, size, out->stream) != size)
        return mdldm__error(out->env, MDLDM_ERROR_IO, "cannot write %s: %s", out->path,
                            errno != 0 ? strerror(errno) : "short write");
    return MDLDM_OK;
}

mdldm_status mdldm__file_out_commit(mdldm__file_out *out)
{
    const char *step = NULL;
    int error = 0;
    if (mdldm__io_fault() || fflush(out->stream) != 0)
        step = "write", error = errno;
    else if (mdldm__io_fault() || fsync(fileno(out->stream)) != 0)
        step = "sync", error = errno;
    /* close reports errors too (NFS writes back there), and always releases the descriptor. */
    if (fclose(out->stream) != 0 && step == NULL)
        step = "close", error = errno;
    if (step == NULL && (mdldm__io_fault() || rename(out->temporary, out->path) != 0))
        step = "rename a new file to", error = errno;
    mdldm_status status;
    if (step != NULL) {
        unlink(out->temporary);
        status = mdldm__error(out->env, MDLDM_ERROR_IO, "cannot %s %s: %s", step, out->path, strerror(error));
    } else {
        status = mdldm__sync_parent(out->env, out->path);
    }
    release(out);
    return status;
}

void mdldm__file_out_abort(mdldm__file_out *out)
{
    if (out->stream == NULL)
        return;
    fclose(out->stream);
    unlink(out->temporary);
    release(out);
}

mdldm_status mdldm__file_write(mdldm__env *env, const char *path, const void *data, size_t size)
{
    mdldm__file_out out;
    MDLDM__TRY(mdldm__file_out_open(env, path, &out));
    mdldm_status status = mdldm__file_out_write(&out, data, size);
    if (status != MDLDM_OK) {
        mdldm__file_out_abort(&out);
        return status;
    }
    return mdldm__file_out_commit(&out);
}
