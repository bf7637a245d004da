/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_MPI_ERRHANDLER_H
#define CPI_MPI_ERRHANDLER_H

/* Error handlers of communicators: one reference each, taken from the parent when one is made. */

#include "mpi/handles.h"

/* Gives `comm` the handler, in place of what it has. */
void cpi_errhandler_set(struct cpi_comm *comm, struct cpi_errhandler *errhandler);

/* One reference less. */
void cpi_errhandler_put(struct cpi_errhandler *errhandler);

#endif
