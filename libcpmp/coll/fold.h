/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_COLL_FOLD_H
#define CPI_COLL_FOLD_H

/*
 * The one place where contributions are combined: ((b0 op b1) op b2) op …, in the order given, so
 * that every algorithm gives the same bits as a serial reduction in rank order, for floating point
 * and for operations that don't commute.
 */

#include <stddef.h>

#include "coll/op.h"
#include "type/type.h"

struct cpi_fold {
    const struct cpi_op *op;
    struct cpi_type *type;
    size_t count;  /* elements in each block */
    size_t n;      /* blocks */
    char **blocks; /* [n], each count * type->size packed bytes; users' operations write here */
    void *out;     /* as large; packed; may be one of the blocks */
    void *scratch; /* cpi_fold_scratch_bytes of them */
};

/* Room that folding needs beyond the blocks: 0 unless elements have gaps. */
size_t cpi_fold_scratch_bytes(const struct cpi_type *type, size_t count);

void cpi_fold_run(const struct cpi_fold *fold);

#endif
