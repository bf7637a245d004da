/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_NATIVE_NATIVE_H
#define CPI_NATIVE_NATIVE_H

/*
 * What both bindings, cpmp.h (native/) and mpi.h (mpi/), share: the process's membership in the
 * job, begun by whichever comes first and ended by the last.
 */

#include <stdbool.h>

#include "comm/comm.h"

/* Begin or end with the engine, events, global variables. Counted. */
int cpi_job_begin(void);
void cpi_job_end(void);
bool cpi_job_active(void);

/* The native interface's communicator: apart from MPI's, so that their messages never meet. */
struct cpi_comm *cpi_native_comm(void);

#endif
