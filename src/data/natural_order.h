/* SPDX-License-Identifier: MIT
 * Natural order of names: runs of digits compare as numbers, so frame2 stands before frame10. A total
 * order: names that differ never compare equal. */
#ifndef MDLDM_DATA_NATURAL_ORDER_H
#define MDLDM_DATA_NATURAL_ORDER_H

/* Paths with '/': component by component, so that a folder's files stay together. */
int mdldm__natural_compare(const char *a, const char *b);

#endif
