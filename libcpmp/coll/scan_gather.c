/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/*
 * The raw contributions become known to all by Bruck's rounds, and each rank reduces those up to
 * its own (scan) or before its own (exscan) in rank order. Rank 0 of an exscan gets nothing.
 *
 * Cost: ⌈log2 p⌉ α + (p − 1) m (β + γ).
 */
void
cpi_scan_gather(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    char **blocks = cpi_contributions(schedule, a);
    size_t n = (size_t)a->comm->rank + (a->exclusive ? 0 : 1);

    if (!blocks)
        return;
    cpi_schedule_fold_to(schedule,
                         &(struct cpi_fold){ .op = a->op, .type = a->send_type,
                                             .count = a->send_count, .n = n, .blocks = blocks },
                         cpi_type_payload(a->recv, a->send_count, a->send_type));
}
