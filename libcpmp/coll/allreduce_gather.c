/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/algorithms.h"

#include "coll/parts.h"

/*
 * The raw contributions become known to all by Bruck's rounds, and each rank reduces them in rank
 * order.
 *
 * Cost: ⌈log2 p⌉ α + (p − 1) m (β + γ).
 */
void
cpi_allreduce_gather(struct cpi_schedule *schedule, const struct cpi_coll_args *a)
{
    char **blocks = cpi_contributions(schedule, a);

    if (!blocks)
        return;
    cpi_schedule_fold_to(schedule,
                         &(struct cpi_fold){ .op = a->op, .type = a->send_type,
                                             .count = a->send_count,
                                             .n = (size_t)a->comm->size, .blocks = blocks },
                         cpi_type_payload(a->recv, a->send_count, a->send_type));
}
