/* SPDX-License-Identifier: MIT
 * Sizes that plug-ins compiled in; enumerators are pinned by lib/enum-values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mdldm/mdldm_backend.h"

#define PIN(name, value) _Static_assert((name) == (value), #name " has changed")

PIN(sizeof(mdldm_status), sizeof(int32_t));
PIN(sizeof(mdldm_graph_op), 128);
PIN(offsetof(mdldm_backend, probe), 24);

static void entry_name_is_fixed(void **state)
{
    (void)state;
    assert_string_equal(MDLDM_BACKEND_ENTRY, "mdldm_backend_entry");
    assert_int_equal(MDLDM_BACKEND_ABI, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(entry_name_is_fixed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
