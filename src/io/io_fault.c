/* SPDX-License-Identifier: MIT */
#include "io/io_fault.h"

#include <errno.h>

static int fail_at, operations;

void mdldm__io_fail_after(int n)
{
    __atomic_store_n(&operations, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&fail_at, n, __ATOMIC_SEQ_CST);
}

int mdldm__io_operations(void)
{
    return __atomic_load_n(&operations, __ATOMIC_SEQ_CST);
}

int mdldm__io_fault(void)
{
    int count = __atomic_add_fetch(&operations, 1, __ATOMIC_RELAXED);
    if (count != __atomic_load_n(&fail_at, __ATOMIC_RELAXED))
        return 0;
    errno = ENOSPC;
    return 1;
}
