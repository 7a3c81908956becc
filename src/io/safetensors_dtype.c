/* SPDX-License-Identifier: MIT */
#include "io/safetensors_dtype.h"

#include <stddef.h>
#include <string.h>

#include "mdldm/mdldm_backend.h"

static const mdldm__st_dtype table[] = {
    {"F32", 32, MDLDM_F32},   {"F16", 16, MDLDM_F16},  {"BF16", 16, MDLDM_BF16},
    {"I32", 32, MDLDM_I32},   {"F64", 64, -1},         {"I64", 64, -1},
    {"U64", 64, -1},          {"U32", 32, -1},         {"I16", 16, -1},
    {"U16", 16, -1},          {"I8", 8, MDLDM_I8},           {"U8", 8, -1},
    {"BOOL", 8, -1},          {"C64", 64, -1},         {"F8_E4M3", 8, -1},
    {"F8_E5M2", 8, -1},       {"F8_E8M0", 8, -1},      {"F8_E4M3FNUZ", 8, -1},
    {"F8_E5M2FNUZ", 8, -1},   {"F6_E2M3", 6, -1},      {"F6_E3M2", 6, -1},
    {"F4", 4, -1},
};

const mdldm__st_dtype *mdldm__st_dtype_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

const mdldm__st_dtype *mdldm__st_dtype_of(int32_t dtype)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (dtype >= 0 && table[i].dtype == dtype)
            return &table[i];
    return NULL;
}
