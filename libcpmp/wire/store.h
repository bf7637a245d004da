/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_WIRE_STORE_H
#define CPI_WIRE_STORE_H

/*
 * The store of global variables: what the calls of wire/var.h mean. Pure: a call in, replies out.
 * The agent at a variable's home runs one; a rank that is alone runs its own. One call takes effect
 * after the other, so variables are linearizable, and none ever waits for a rank: an update is a
 * COMMIT that fails when the version has moved on.
 */

#include <stddef.h>
#include <stdint.h>

#include "wire/var.h"

struct cpi_store;

/* Who asked, and the number to answer with. */
struct cpi_caller {
    uint32_t rank;
    uint64_t handle;
};

/* A reply for `caller`: valid during the call. `value` is reply->value_bytes long. */
typedef void cpi_store_reply_fn(void *arg, struct cpi_caller caller, int error,
                                const struct cpi_var_reply *reply, const void *value);

struct cpi_store *cpi_store_new(cpi_store_reply_fn *reply, void *arg);
void cpi_store_free(struct cpi_store *store);

/* Runs a call; replies to the caller and, when the value changed, to those who wait for that. A
 * WAIT may be replied to later. */
void cpi_store_call(struct cpi_store *store, struct cpi_caller caller,
                    const struct cpi_var_request *request);

/* `rank` is gone: forget what it waits for. */
void cpi_store_forget(struct cpi_store *store, uint32_t rank);

/* Bytes of values and names kept, and how many variables; for bounds. */
size_t cpi_store_bytes(const struct cpi_store *store);

/* The most that all variables of one store may take together. */
#define CPI_STORE_BYTES_MAX (256u << 20)

#endif
