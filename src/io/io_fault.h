/* SPDX-License-Identifier: MIT
 * The torture tests' hook into every call that writes: makes one of them fail as a full disk would.
 * Off unless a test asks; costs one atomic addition per call. */
#ifndef MDLDM_IO_IO_FAULT_H
#define MDLDM_IO_IO_FAULT_H

/* Restarts the count; operation n (1 is the next one) will fail with ENOSPC. 0: none fails. */
void mdldm__io_fail_after(int n);
/* Operations (open, write, flush, fsync, rename, mkdir) since the last mdldm__io_fail_after. */
int mdldm__io_operations(void);
/* Counts one operation; 1, with errno set, when it has to fail. */
int mdldm__io_fault(void);

#endif
