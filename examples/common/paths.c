/* SPDX-License-Identifier: MIT */
#include "paths.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int paths_is_folder(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

int paths_exists(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0;
}

/* upto: how many characters of path to make. */
static int make_upto(const char *path, size_t upto)
{
    char part[4096];

    if (upto >= sizeof part) {
        errno = ENAMETOOLONG;
        return 0;
    }
    for (size_t i = 1; i <= upto; i++) {
        if (i == upto || path[i] == '/') {
            memcpy(part, path, i);
            part[i] = '\0';
            if (mkdir(part, 0777) != 0 && !(errno == EEXIST && paths_is_folder(part))) {
                return 0;
            }
        }
    }
    return 1;
}

int paths_make_folder(const char *path)
{
    return make_upto(path, strlen(path));
}

int paths_make_parents(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL || slash == path ? 1 : make_upto(path, (size_t)(slash - path));
}

void paths_plain_name(const char *name, char *out, size_t size)
{
    size_t n = 0;

    for (; name[n] != '\0' && n + 1 < size; n++) {
        unsigned char ch = (unsigned char)name[n];
        int plain = (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') ||
                    strchr("._-", ch) != NULL || ch >= 0x80;

        out[n] = plain ? (char)ch : '_';
    }
    out[n] = '\0';
}
