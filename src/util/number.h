/* SPDX-License-Identifier: MIT */
#ifndef MDLDM_UTIL_NUMBER_H
#define MDLDM_UTIL_NUMBER_H

/* strtod with a decimal point whatever the host process's locale says. */
double mdldm__strtod(const char *text, char **end);

#endif
