/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROCESS_RANK_H
#define CPI_PROCESS_RANK_H

/* The descriptors beyond stdio that a rank is started with, by an agent or by the cage of its
 * sandbox: the same numbers for every rank. */

#define RANK_SEGMENT_FD  100
#define RANK_DOORBELL_FD 101
#define RANK_HOST_FD     102

#endif
