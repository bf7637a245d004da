/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_P2P_COPY_H
#define CPI_P2P_COPY_H

/*
 * Long messages between ranks of one host: three ways, and which one when.
 *
 *   STREAM  through the ring in fragments, both sides copying at the same time: two copies,
 *           best where the cores share a cache
 *   PULL    the receiver copies out of the sender's memory: one copy, and one switch of context,
 *           best where ranks share a core
 *   SHARED  both copy, each the next chunk from a common count, until all are taken: one copy by
 *           two cores, best where every line travels between caches; a sender that computes leaves
 *           all of it to the receiver
 *
 * PULL and SHARED need the kernel's leave to reach into another process, which is found out by
 * reading a known value. Where neither core nor cache tells which way is best (they don't, in a
 * virtual machine), the receiver measures: each way is tried, the fastest kept, and looked at again
 * now and then.
 */

#include <stdbool.h>

#include "p2p/pair.h"

enum cpi_copy_way { CPI_COPY_STREAM, CPI_COPY_PULL, CPI_COPY_SHARED, CPI_COPY_WAYS };

/* The way for a message of `bytes` from `pair` whose sender offers `offer`. */
enum cpi_copy_way cpi_copy_choose(struct cpi_pair *pair, const struct cpi_request *request,
                                  const struct cpi_memory_offer *offer);

/* Notes that a message went `way` and took from `request->began_ns` until now. */
void cpi_copy_note(const struct cpi_request *request);

/* What this process tells another one of the memory at `base`. */
struct cpi_memory_offer cpi_copy_offer(const void *base);

/* PULL: the whole message. False when the kernel refuses: then nothing is done, nor tried again. */
bool cpi_copy_pull(struct cpi_pair *pair, struct cpi_request *request,
                   const struct cpi_memory_offer *offer);

/* SHARED, the receiver's side: sends CTS; the rest is done by cpi_copy_step. */
void cpi_copy_share(struct cpi_pair *pair, struct cpi_request *request,
                    const struct cpi_memory_offer *offer);

/* SHARED, the sender's side, upon CTS: `offer` is the receiver's memory. */
void cpi_copy_join(struct cpi_pair *pair, struct cpi_request *request,
                   const struct cpi_memory_offer *offer);

/* Copies one chunk of each message under way with `pair`; true when there was one. */
bool cpi_copy_step(struct cpi_pair *pair);

/* FIN came for the receive that a handle names. */
void cpi_copy_finish(struct cpi_pair *pair, struct cpi_request *request);

#endif
