/* SPDX-License-Identifier: BSD-3-Clause */
#include "comm/agree.h"

#include <cpmp.h>
#include <stdlib.h>
#include <string.h>

#include "p2p/p2p.h"

/* Sends to the rank `distance` before and receives from the one `distance` after, around the
 * circle. */
static int
exchange(const struct cpi_circle *circle, int distance, const void *out, size_t out_bytes, void *in,
         size_t in_bytes)
{
    int n = circle->size;
    int to = circle->world_ranks[(circle->rank - distance + n) % n];
    int from = circle->world_ranks[(circle->rank + distance) % n];
    struct cpi_payload sent = {.base = (void *)(uintptr_t)out, .bytes = out_bytes};
    struct cpi_payload received = {.base = in, .bytes = in_bytes};
    struct cpi_request *request;

    int error = cpi_p2p_irecv(&received, from, circle->context, circle->tag, &request);
    if (error != CPMP_OK)
        return error;
    error = cpi_p2p_send(&sent, to, circle->context, circle->tag, CPI_SEND_STANDARD);
    cpi_p2p_wait(request);
    if (error == CPMP_OK)
        error = request->status.error;
    cpi_request_free(request);
    return error;
}

int
cpi_circle_gather(const struct cpi_circle *circle, const void *mine, size_t bytes, void *all)
{
    size_t n = (size_t)circle->size;
    char *turned = malloc(n * bytes);  /* block i is that of rank (rank + i) mod n */
    int error = CPMP_OK;

    if (turned == NULL)
        return CPMP_ENOMEM;
    memcpy(turned, mine, bytes);
    for (size_t have = 1; have < n && error == CPMP_OK; have *= 2) {
        size_t more = have < n - have ? have : n - have;
        error = exchange(circle, (int)have, turned, more * bytes, turned + have * bytes,
                         more * bytes);
    }
    for (size_t i = 0; i < n; i++)
        memcpy((char *)all + ((size_t)circle->rank + i) % n * bytes, turned + i * bytes, bytes);
    free(turned);
    return error;
}

int
cpi_circle_and(const struct cpi_circle *circle, uint64_t *words, size_t count)
{
    uint64_t *theirs = malloc(count * sizeof(uint64_t));
    int error = CPMP_OK;

    if (theirs == NULL)
        return CPMP_ENOMEM;
    for (int distance = 1; distance < circle->size && error == CPMP_OK; distance *= 2) {
        error = exchange(circle, distance, words, count * sizeof(uint64_t), theirs,
                         count * sizeof(uint64_t));
        for (size_t i = 0; error == CPMP_OK && i < count; i++)
            words[i] &= theirs[i];
    }
    free(theirs);
    return error;
}
