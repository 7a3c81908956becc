/* SPDX-License-Identifier: MIT */
#include "io/safetensors_set.h"

#include <string.h>

#include "io/json_util.h"

enum { SHARD_LIMIT = 4096 };

typedef struct shards {
    const char **names; /* owned by the index */
    mdldm__safetensors *files;
    int32_t count;
} shards;

static int32_t shard_of(const shards *s, const char *name)
{
    for (int32_t i = 0; i < s->count; i++)
        if (strcmp(s->names[i], name) == 0)
            return i;
    return -1;
}

static mdldm_status open_shard(mdldm__env *env, const char *folder, const char *name,
                               mdldm__safetensors *file)
{
    char *path = mdldm__path_join(env, folder, name);
    if (path == NULL)
        return mdldm__oom(env, "a path");
    mdldm_status status = mdldm__safetensors_open(env, path, file);
    mdldm__free(env, path);
    return status;
}

/* Every tensor of the index stands in the shard it names; adds the shards not opened yet. */
static mdldm_status open_shards(mdldm__env *env, const char *folder, const char *index_path,
                                json_t *weight_map, shards *s)
{
    const char *tensor;
    json_t *value;
    json_object_foreach(weight_map, tensor, value) {
        const char *name = json_string_value(value);
        /* A plain file name only: an index from elsewhere must not reach outside its folder. */
        if (name == NULL || name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL)
            return mdldm__error(env, MDLDM_ERROR_FORMAT,
                                "%s: weight_map of \"%s\" must be a plain file name, without folders", index_path,
                                tensor);
        int32_t shard = shard_of(s, name);
        if (shard < 0) {
            if (s->count == SHARD_LIMIT)
                return mdldm__error(env, MDLDM_ERROR_FORMAT, "%s names more than %d files", index_path,
                                    SHARD_LIMIT);
            MDLDM__TRY(open_shard(env, folder, name, &s->files[s->count]));
            shard = s->count++;
            s->names[shard] = name;
        }
        if (mdldm__safetensors_find(&s->files[shard], tensor) == NULL)
            return mdldm__error(env, MDLDM_ERROR_FORMAT, "%s: tensor \"%s\" is not in %s, as it should be",
                                index_path, tensor, name);
    }
    return MDLDM_OK;
}

/* The other way round: a shard's tensors are all in the index, with that shard's name. */
static mdldm_status check_shards(mdldm__env *env, const char *index_path, const json_t *weight_map,
                                 const shards *s)
{
    for (int32_t i = 0; i < s->count; i++)
        for (int64_t j = 0; j < s->files[i].count; j++) {
            const char *tensor = s->files[i].tensors[j].name;
            const char *name = json_string_value(json_object_get(weight_map, tensor));
            if (name == NULL || strcmp(name, s->names[i]) != 0)
                return mdldm__error(env, MDLDM_ERROR_FORMAT, "%s holds tensor \"%s\", which %s puts in %s",
                                    s->names[i], tensor, index_path, name != NULL ? name : "no file");
        }
    return MDLDM_OK;
}

static mdldm_status open_index(mdldm__env *env, const char *folder, const char *index_path, shards *s)
{
    json_t *index;
    MDLDM__TRY(mdldm__json_read(env, index_path, &index));
    json_t *weight_map = json_object_get(index, "weight_map");
    size_t tensors = json_object_size(weight_map);
    mdldm_status status = MDLDM_OK;
    if (tensors == 0)
        status = mdldm__error(env, MDLDM_ERROR_FORMAT,
                              "%s lacks \"weight_map\", an object of tensor names and files", index_path);
    size_t room = tensors < SHARD_LIMIT ? tensors : SHARD_LIMIT;
    if (status == MDLDM_OK) {
        s->names = mdldm__calloc(env, room, sizeof *s->names);
        s->files = mdldm__calloc(env, room, sizeof *s->files);
        if (s->names == NULL || s->files == NULL)
            status = mdldm__oom(env, "a list of shards");
    }
    if (status == MDLDM_OK)
        status = open_shards(env, folder, index_path, weight_map, s);
    if (status == MDLDM_OK)
        status = check_shards(env, index_path, weight_map, s);
    mdldm__free(env, s->names);
    json_decref(index);
    return status;
}

static mdldm_status open_single(mdldm__env *env, const char *folder, const char *name, shards *s)
{
    s->files = mdldm__calloc(env, 1, sizeof *s->files);
    if (s->files == NULL)
        return mdldm__oom(env, "a list of files");
    MDLDM__TRY(open_shard(env, folder, name, s->files));
    s->count = 1;
    return MDLDM_OK;
}

mdldm_status mdldm__safetensors_open_set(mdldm__env *env, const char *folder, const char *stem,
                                         mdldm__safetensors **files, int32_t *count)
{
    shards s = {0};
    *files = NULL;
    *count = 0;
    char *name = mdldm__strprintf(env, "%s.safetensors", stem);
    char *index_path = mdldm__strprintf(env, "%s/%s.safetensors.index.json", folder, stem);
    mdldm_status status;
    if (name == NULL || index_path == NULL)
        status = mdldm__oom(env, "a path");
    else if (mdldm__path_is_file(index_path))
        status = open_index(env, folder, index_path, &s);
    else
        status = open_single(env, folder, name, &s);
    mdldm__free(env, name);
    mdldm__free(env, index_path);
    if (status != MDLDM_OK) {
        mdldm__safetensors_close_set(env, s.files, s.count);
        return status;
    }
    *files = s.files;
    *count = s.count;
    return MDLDM_OK;
}

void mdldm__safetensors_close_set(mdldm__env *env, mdldm__safetensors *files, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        mdldm__safetensors_close(&files[i]);
    mdldm__free(env, files);
}
