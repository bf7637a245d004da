/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_ROWS_H
#define CPI_PEER_ROWS_H

/* Offers as rows of answers to programs of this machine. */

#include "peer/daemon.h"

/* One for each offer but those of peers that are shut out, or known to be dead; to be freed by
 * rows_free. */
Cpmp__PeerRow **rows_make(const struct daemon *daemon, const struct offer *offers, size_t count,
                          size_t *count_p);
void rows_free(Cpmp__PeerRow **rows, size_t count);

#endif
