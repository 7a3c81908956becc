/* SPDX-License-Identifier: MIT */
#include "data/natural_order.h"

#include <stddef.h>
#include <string.h>

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits(const char *text, size_t length)
{
    size_t n = 0;
    while (n < length && is_digit(text[n]))
        n++;
    return n;
}

static int compare_bytes(const char *a, size_t na, const char *b, size_t nb)
{
    int order = memcmp(a, b, na < nb ? na : nb);
    return order != 0 ? order : (na > nb) - (na < nb);
}

/* Numbers of any length, leading zeros aside. */
static int compare_numbers(const char *a, size_t na, const char *b, size_t nb)
{
    while (na > 0 && *a == '0')
        a++, na--;
    while (nb > 0 && *b == '0')
        b++, nb--;
    return na != nb ? (na > nb) - (na < nb) : memcmp(a, b, na);
}

static int compare_names(const char *a, size_t na, const char *b, size_t nb)
{
    size_t i = 0, j = 0;
    while (i < na && j < nb) {
        if (is_digit(a[i]) && is_digit(b[j])) {
            const size_t da = digits(a + i, na - i), db = digits(b + j, nb - j);
            const int order = compare_numbers(a + i, da, b + j, db);
            if (order != 0)
                return order;
            i += da;
            j += db;
        } else {
            if (a[i] != b[j])
                return (unsigned char)a[i] < (unsigned char)b[j] ? -1 : 1;
            i++;
            j++;
        }
    }
    if (i < na || j < nb)
        return i < na ? 1 : -1;
    return compare_bytes(a, na, b, nb); /* 01 and 1: equal numbers, different names */
}

int mdldm__natural_compare(const char *a, const char *b)
{
    for (;;) {
        const size_t na = strcspn(a, "/"), nb = strcspn(b, "/");
        const int order = compare_names(a, na, b, nb);
        if (order != 0)
            return order;
        if (a[na] == '\0' || b[nb] == '\0')
            return (a[na] != '\0') - (b[nb] != '\0');
        a += na + 1;
        b += nb + 1;
    }
}
