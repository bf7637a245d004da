/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_DIAL_H
#define CPI_LINK_DIAL_H

/*
 * Reaching a peer that has several addresses: they are tried in the order given, each begun when
 * the one before has failed or DIAL_STAGGER_MS have passed (RFC 8305, "happy eyeballs", without its
 * sorting). The first connection wins, and the others are dropped; should it turn out to be no good
 * (somebody else lives at a private address), dial_more goes on with those that have not failed.
 */

#include <stddef.h>

#include <uv.h>

#include "link/address.h"

#define DIAL_STAGGER_MS    250u
#define DIAL_ADDRESSES_MAX 16u

struct dial;

/* A connection, which is now the callee's to close and free; NULL: no address is left, and dial_why
 * tells what happened. Called from the loop only. */
typedef void dial_fn(void *arg, uv_tcp_t *tcp, const struct address *address);

/* At most DIAL_ADDRESSES_MAX addresses are looked at; those that aren't usable are left out. */
struct dial *dial_new(uv_loop_t *loop, const struct address *addresses, size_t count, dial_fn *fn,
                      void *arg);

/* The connection given last was no good, and why; `fn` is called again. `why` NULL: it may still
 * become good, but others are tried, too; what comes of it is the caller's to say. */
void dial_more(struct dial *dial, const char *why);

/* Ends the attempts that are open, for the reason `why`. `fn` isn't called for them. */
void dial_stop(struct dial *dial, const char *why);

/* "10.0.0.1:7711: connection refused; [::1]:7711: ..."; valid as long as `dial`. */
const char *dial_why(const struct dial *dial);

/* Gives up; `fn` isn't called any more. Memory goes once the loop has closed what was open. */
void dial_free(struct dial *dial);

/* Closes a connection that came from here or from uv_accept, and frees it in the loop. */
void dial_drop(uv_tcp_t *tcp);

#endif
