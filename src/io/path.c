/* SPDX-License-Identifier: MIT
 * Paths and folders. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file_util.h"
#include "io/io_fault.h"

char *mdldm__path_join(mdldm__env *env, const char *folder, const char *name)
{
    size_t length = strlen(folder);
    const char *separator = length > 0 && folder[length - 1] != '/' ? "/" : "";
    return mdldm__strprintf(env, "%s%s%s", folder, separator, name);
}

int mdldm__path_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int mdldm__path_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static mdldm_status make_one(mdldm__env *env, const char *path)
{
    if (!mdldm__io_fault() && mkdir(path, 0777) == 0)
        return MDLDM_OK;
    int error = errno;
    if (error == EEXIST && mdldm__path_is_dir(path))
        return MDLDM_OK;
    return mdldm__error(env, MDLDM_ERROR_IO, "cannot make the folder %s: %s", path, strerror(error));
}

mdldm_status mdldm__mkdir_p(mdldm__env *env, const char *path)
{
    if (path[0] == '\0')
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "the folder's path is empty");
    if (mdldm__path_is_dir(path))
        return MDLDM_OK;
    char *copy = mdldm__strdup(env, path);
    if (copy == NULL)
        return mdldm__oom(env, "a path");
    mdldm_status status = MDLDM_OK;
    for (char *p = copy + 1; status == MDLDM_OK && *p != '\0'; p++) {
        if (*p != '/' || p[-1] == '/')
            continue;
        *p = '\0';
        if (!mdldm__path_is_dir(copy))
            status = make_one(env, copy);
        *p = '/';
    }
    if (status == MDLDM_OK)
        status = make_one(env, copy);
    mdldm__free(env, copy);
    return status;
}

/* Removes what the folder open at fd holds; 0 or -1 with errno. Consumes fd. Links are not followed. */
static int remove_content(int fd)
{
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    int error = 0;
    struct dirent *entry;
    while (errno = 0, (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || unlinkat(dirfd(dir), name, 0) == 0)
            continue;
        if (errno == EISDIR || errno == EPERM) {
            int sub = openat(dirfd(dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (sub >= 0 && remove_content(sub) == 0 &&
                unlinkat(dirfd(dir), name, AT_REMOVEDIR) == 0)
                continue;
        }
        if (errno != ENOENT && error == 0)
            error = errno;
    }
    if (errno != 0 && error == 0)
        error = errno;
    closedir(dir);
    errno = error;
    return error == 0 ? 0 : -1;
}

mdldm_status mdldm__remove_tree(mdldm__env *env, const char *path)
{
    if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
        return MDLDM_OK;
    int failed = 1;
    if (errno == EISDIR || errno == EPERM) {
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        failed = fd < 0 || remove_content(fd) != 0 || rmdir(path) != 0;
    }
    if (failed && errno != ENOENT)
        return mdldm__error(env, MDLDM_ERROR_IO, "cannot remove %s: %s", path, strerror(errno));
    return MDLDM_OK;
}
