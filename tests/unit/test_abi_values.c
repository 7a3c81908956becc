/* SPDX-License-Identifier: MIT
 * Values that callers compiled in: they never change. A change here is a change of the ABI. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mdldm/mdldm_backend.h"

#define PIN(name, value) _Static_assert((name) == (value), #name " has changed")

PIN(MDLDM_OK, 0);
PIN(MDLDM_ERROR_INVALID_ARGUMENT, 1);
PIN(MDLDM_ERROR_OUT_OF_MEMORY, 2);
PIN(MDLDM_ERROR_IO, 3);
PIN(MDLDM_ERROR_FORMAT, 4);
PIN(MDLDM_ERROR_UNSUPPORTED, 5);
PIN(MDLDM_ERROR_NOT_FOUND, 6);
PIN(MDLDM_ERROR_UNAVAILABLE, 7);
PIN(MDLDM_ERROR_CANCELLED, 8);
PIN(MDLDM_ERROR_NUMERIC, 9);
PIN(MDLDM_ERROR_CAPACITY, 10);
PIN(MDLDM_ERROR_INTERNAL, 11);
PIN(MDLDM_OPTION_INT, 0);
PIN(MDLDM_OPTION_DOUBLE, 1);
PIN(MDLDM_OPTION_STRING, 2);
PIN(MDLDM_OPTION_FLAG, 3);
PIN(MDLDM_SCOPE_MODEL, 1);
PIN(MDLDM_SCOPE_DATASET, 2);
PIN(MDLDM_SCOPE_TRAIN, 4);
PIN(MDLDM_SCOPE_VQ, 8);
PIN(MDLDM_SCOPE_DIFFUSION, 16);
PIN(MDLDM_SCOPE_SAMPLE, 32);
PIN(MDLDM_SCOPE_QUANTIZE, 64);
PIN(MDLDM_SCOPE_SPECTROGRAM, 128);
PIN(MDLDM_STAGE_AUTOENCODER, 1);
PIN(MDLDM_STAGE_DIFFUSION, 2);
PIN(MDLDM_F32, 0);
PIN(MDLDM_BF16, 1);
PIN(MDLDM_I32, 2);
PIN(MDLDM_F16, 3);
PIN(MDLDM_OP_CONV, 1);
PIN(MDLDM_OP_CAST, 27);
PIN(MDLDM_SLOT_EMA, 4);
PIN(sizeof(mdldm_status), sizeof(int32_t));
PIN(sizeof(mdldm_graph_op), 128);
PIN(offsetof(mdldm_backend, probe), 24);

static void entry_name_is_fixed(void **state)
{
    (void)state;
    assert_string_equal(MDLDM_BACKEND_ENTRY, "mdldm_backend_entry");
    assert_int_equal(MDLDM_BACKEND_ABI, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(entry_name_is_fixed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
