/* SPDX-License-Identifier: MIT
 * Declarations of MATLAB's C MEX API as its documentation has them; see matrix.h. */
#ifndef MEX_STUB_H
#define MEX_STUB_H

#include "matrix.h"

void mexFunction(int nlhs, mxArray *plhs[], int nrhs, const mxArray *prhs[]);

void mexErrMsgIdAndTxt(const char *errorid, const char *errormsg, ...);
mxArray *mexCallMATLABWithTrap(int nlhs, mxArray *plhs[], int nrhs, mxArray *prhs[], const char *functionName);
int mexAtExit(void (*ExitFcn)(void));
void mexLock(void);
void mexUnlock(void);

#endif
