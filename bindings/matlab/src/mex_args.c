/* SPDX-License-Identifier: MIT
 * Arguments, checked, and errors. */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mdldm_mex.h"

mdldm_status mex_fail(mex_call *c, mdldm_status status, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(c->text, sizeof c->text, format, list);
    va_end(list);
    c->failed = status;
    return status;
}

void mex_status_id(mdldm_status status, char *id, size_t size)
{
    const char *name = mdldm_status_name(status) + strlen("MDLDM_ERROR_");
    size_t i = 0;

    for (; name[i] != '\0' && i + 1 < size; i++) {
        id[i] = (char)tolower((unsigned char)name[i]);
    }
    id[i] = '\0';
}

mdldm_status mex_want(mex_call *c, int least, int most)
{
    if (c->nrhs >= least && c->nrhs <= most) {
        return MDLDM_OK;
    }
    return mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "%s has %d arguments: %d to %d would be right", c->command,
                    c->nrhs, least, most);
}

const char *mex_text(mex_call *c, const mxArray *a, const char *what)
{
    char *text = mxIsChar(a) && (mxGetM(a) == 1 || mxGetNumberOfElements(a) == 0) ? mxArrayToString(a) : NULL;

    if (text == NULL) {
        mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "%s is of class %s: a text in one row would be right", what,
                 mxGetClassName(a));
    }
    return text;
}

/* Element i of any real numeric or logical array. */
static double element(const mxArray *a, size_t i)
{
    const void *data = mxGetData(a);

    switch (mxGetClassID(a)) {
    case mxDOUBLE_CLASS: return ((const double *)data)[i];
    case mxSINGLE_CLASS: return ((const float *)data)[i];
    case mxINT8_CLASS: return ((const int8_t *)data)[i];
    case mxUINT8_CLASS: return ((const uint8_t *)data)[i];
    case mxINT16_CLASS: return ((const int16_t *)data)[i];
    case mxUINT16_CLASS: return ((const uint16_t *)data)[i];
    case mxINT32_CLASS: return ((const int32_t *)data)[i];
    case mxUINT32_CLASS: return ((const uint32_t *)data)[i];
    case mxINT64_CLASS: return (double)((const int64_t *)data)[i];
    case mxUINT64_CLASS: return (double)((const uint64_t *)data)[i];
    case mxLOGICAL_CLASS: return ((const mxLogical *)data)[i];
    default: return NAN;
    }
}

static int is_real(const mxArray *a)
{
    return (mxIsNumeric(a) || mxIsLogical(a)) && !mxIsComplex(a) && !mxIsSparse(a);
}

mdldm_status mex_number(mex_call *c, const mxArray *a, const char *what, double *value)
{
    if (!is_real(a) || mxGetNumberOfElements(a) != 1) {
        return mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "%s is of class %s with %lld elements: a real number would "
                        "be right", what, mxGetClassName(a), (long long)mxGetNumberOfElements(a));
    }
    *value = element(a, 0);
    return MDLDM_OK;
}

static mdldm_status check_integer(mex_call *c, double v, const char *what, int64_t low, int64_t high)
{
    if (v >= (double)low && v <= (double)high && v == floor(v)) {
        return MDLDM_OK;
    }
    return mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "%s is %.9g: a whole number from %lld to %lld would be right",
                    what, v, (long long)low, (long long)high);
}

mdldm_status mex_integer(mex_call *c, const mxArray *a, const char *what, int64_t low, int64_t high, int64_t *value)
{
    double v = 0.0;
    mdldm_status s = mex_number(c, a, what, &v);

    if (s == MDLDM_OK) {
        s = check_integer(c, v, what, low, high);
    }
    if (s == MDLDM_OK) {
        *value = (int64_t)v;
    }
    return s;
}

#define EXACT ((int64_t)1 << 53) /* whole numbers that a double holds */

mdldm_status mex_integers(mex_call *c, const mxArray *a, const char *what, int64_t count, int64_t **values)
{
    int64_t given = (int64_t)mxGetNumberOfElements(a), *list;

    *values = NULL;
    if (given == 0) {
        return MDLDM_OK;
    }
    if (!is_real(a) || (given != 1 && given != count)) {
        return mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "%s is of class %s with %lld elements: one whole number, or "
                        "%lld, one for each image, would be right", what, mxGetClassName(a), (long long)given,
                        (long long)count);
    }
    list = mex_scratch(c, count, sizeof *list);
    if (list == NULL) {
        return MDLDM_ERROR_OUT_OF_MEMORY;
    }
    for (int64_t i = 0; i < count; i++) {
        double v = element(a, given == 1 ? 0 : (size_t)i);
        mdldm_status s = check_integer(c, v, what, -EXACT, EXACT);

        if (s != MDLDM_OK) {
            return s;
        }
        list[i] = (int64_t)v;
    }
    *values = list;
    return MDLDM_OK;
}

void *mex_scratch(mex_call *c, int64_t count, size_t size)
{
    void *memory = count >= 0 && (uint64_t)count < SIZE_MAX / 2 / size ? mxMalloc((size_t)count * size + 1) : NULL;

    if (memory == NULL) {
        mex_fail(c, MDLDM_ERROR_OUT_OF_MEMORY, "no memory for %lld elements of %d bytes: fewer images at a time "
                 "need less", (long long)count, (int)size);
    }
    return memory;
}

int64_t mex_fact(const mdldm_model *m, const char *key)
{
    int64_t value = 0;

    return mdldm_model_get_int(mex_context(), m, key, &value) == MDLDM_OK ? value : 0;
}

mxArray *mex_string(const char *text)
{
    return mxCreateString(text != NULL ? text : "");
}

void mex_put(mex_call *c, int index, mxArray *a)
{
    if (index < c->nlhs) {
        c->plhs[index] = a;
    } else {
        mxDestroyArray(a);
    }
}
