/* SPDX-License-Identifier: MIT */
#ifndef MDLDM_UTIL_CHOICE_H
#define MDLDM_UTIL_CHOICE_H

#include <stdint.h>
#include <string.h>

/* Place of text among choices "a|b|c", from 0 on; -1: it is none of them. */
static inline int32_t mdldm__choice_index(const char *choices, const char *text)
{
    const size_t length = strlen(text);
    for (int32_t i = 0;; i++) {
        const size_t word = strcspn(choices, "|");
        if (word == length && memcmp(choices, text, length) == 0)
            return i;
        if (choices[word] == '\0')
            return -1;
        choices += word + 1;
    }
}

#endif
