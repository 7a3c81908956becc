/* SPDX-License-Identifier: MIT
 * Options as a line of text. Fails the test itself. */
#ifndef MDLDM_TESTS_OPTIONS_TEXT_H
#define MDLDM_TESTS_OPTIONS_TEXT_H

#include "mdldm/mdldm.h"

/* Options with "key=value key=value ..." set. */
mdldm_options *options_from_text(mdldm_context *ctx, const char *settings);

#endif
