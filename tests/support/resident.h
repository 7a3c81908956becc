/* SPDX-License-Identifier: MIT
 * This process' memory as the operating system counts it. */
#ifndef MDLDM_TESTS_RESIDENT_H
#define MDLDM_TESTS_RESIDENT_H

/* KiB; fails the test where the system does not say. */
long resident_kib(void);

#endif
