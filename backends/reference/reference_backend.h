/* SPDX-License-Identifier: MIT
 * The reference backend: plain C with double accumulation, one thread. It is linked into the core and
 * defines what each operation means; other backends are tested against it. */
#ifndef MDLDM_REFERENCE_BACKEND_H
#define MDLDM_REFERENCE_BACKEND_H

#include "mdldm/mdldm_backend.h"

extern const mdldm_backend mdldm__backend_reference;

#endif
