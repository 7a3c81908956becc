/* SPDX-License-Identifier: MIT
 * Declarations of MATLAB's C Matrix API as its documentation has them (R2018a, interleaved complex): what
 * bindings/matlab/src uses. Nothing is defined: the gateway is compiled against this, never linked. Each one was
 * compared with the header of the same name that MATLAB R2022a ships: types, constness and results are the same. */
#ifndef MATRIX_STUB_H
#define MATRIX_STUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mxArray_tag mxArray;
typedef size_t mwSize;
typedef size_t mwIndex;
typedef bool mxLogical;

typedef enum {
    mxUNKNOWN_CLASS,
    mxCELL_CLASS,
    mxSTRUCT_CLASS,
    mxLOGICAL_CLASS,
    mxCHAR_CLASS,
    mxVOID_CLASS,
    mxDOUBLE_CLASS,
    mxSINGLE_CLASS,
    mxINT8_CLASS,
    mxUINT8_CLASS,
    mxINT16_CLASS,
    mxUINT16_CLASS,
    mxINT32_CLASS,
    mxUINT32_CLASS,
    mxINT64_CLASS,
    mxUINT64_CLASS,
    mxFUNCTION_CLASS
} mxClassID;
typedef enum { mxREAL, mxCOMPLEX } mxComplexity;

void *mxMalloc(mwSize n);
void mxFree(void *ptr);
void mxDestroyArray(mxArray *pm);

mxArray *mxCreateString(const char *str);
mxArray *mxCreateDoubleScalar(double value);
mxArray *mxCreateDoubleMatrix(mwSize m, mwSize n, mxComplexity ComplexFlag);
mxArray *mxCreateNumericMatrix(mwSize m, mwSize n, mxClassID classid, mxComplexity ComplexFlag);
mxArray *mxCreateNumericArray(mwSize ndim, const mwSize *dims, mxClassID classid, mxComplexity ComplexFlag);
mxArray *mxCreateCellMatrix(mwSize m, mwSize n);
mxArray *mxCreateStructMatrix(mwSize m, mwSize n, int nfields, const char **fieldnames);

bool mxIsCell(const mxArray *pm);
bool mxIsChar(const mxArray *pm);
bool mxIsClass(const mxArray *pm, const char *classname);
bool mxIsComplex(const mxArray *pm);
bool mxIsLogical(const mxArray *pm);
bool mxIsNumeric(const mxArray *pm);
bool mxIsSparse(const mxArray *pm);
bool mxIsUint64(const mxArray *pm);
mxClassID mxGetClassID(const mxArray *pm);
const char *mxGetClassName(const mxArray *pm);

size_t mxGetM(const mxArray *pm);
mwSize mxGetNumberOfDimensions(const mxArray *pm);
const mwSize *mxGetDimensions(const mxArray *pm);
size_t mxGetNumberOfElements(const mxArray *pm);
void *mxGetData(const mxArray *pm);
double mxGetScalar(const mxArray *pm);

char *mxArrayToString(const mxArray *array_ptr);
int mxGetString(const mxArray *pm, char *str, mwSize strlen);
mxArray *mxGetCell(const mxArray *pm, mwIndex index);
void mxSetCell(mxArray *pm, mwIndex index, mxArray *value);
int mxAddField(mxArray *pm, const char *fieldname);
int mxGetFieldNumber(const mxArray *pm, const char *fieldname);
void mxSetField(mxArray *pm, mwIndex index, const char *fieldname, mxArray *pvalue);

#endif
