/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_FAULT_H
#define SIM_FAULT_H

/*
 * What goes wrong in a run: a list of timed items made from the seed, each of which can be left
 * out, so that a failing list can be shrunk. Sets of peers are bits by the peer's number, so faults
 * are for runs of at most 64 peers.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_FAULT_PEERS_MAX 64
#define SIM_FAULTS_MAX 128

/*      kind       name         what happens from from_us to until_us */
#define SIM_FAULT_MAP(X)                                                                          \
    X(LOSS,      "loss",      "messages from `a` to `b` are lost, `amount` of a million")         \
    X(DELAY,     "delay",     "messages from `a` to `b` take `amount` us longer, in order")       \
    X(REORDER,   "reorder",   "messages from `a` to `b` take up to `amount` us longer, unordered") \
    X(DUPLICATE, "duplicate", "messages from `a` to `b` arrive twice, `amount` of a million")     \
    X(CUT,       "cut",       "nothing gets from `a` to `b`; the way back is free")               \
    X(PARTITION, "partition", "nothing gets between `a` and `b`; peers in neither reach both")    \
    X(CRASH,     "crash",     "`peer` stops for good")                                            \
    X(RESTART,   "restart",   "`peer` stops, and starts again with what it had on disk")          \
    X(REBIRTH,   "rebirth",   "`peer` stops, and starts again as a new one at its address")       \
    X(LEAVE,     "leave",     "`peer` leaves with goodbye")                                       \
    X(SUSPECT,   "suspect",   "`peer` is told that those in `b` are dead")                        \
    X(SKEW,      "skew",      "clock of `peer`: `amount` - 1000000 ppm off, starts at an offset")

enum sim_fault_kind {
#define SIM_FAULT_KIND(kind, name, help) SIM_FAULT_##kind,
    SIM_FAULT_MAP(SIM_FAULT_KIND)
#undef SIM_FAULT_KIND
    SIM_FAULT_KINDS
};

struct sim_fault {
    enum sim_fault_kind kind;
    uint32_t peer;
    uint64_t from_us, until_us;
    uint64_t a, b;
    uint64_t amount;
    uint32_t number;  /* its place in the list as made from the seed: its name for the user */
};

struct sim_faults {
    struct sim_fault items[SIM_FAULTS_MAX];
    size_t count;
};

/* How many faults of a kind there may be, and how strong. */
struct sim_fault_range {
    enum sim_fault_kind kind;
    uint32_t count_max;  /* for each ten peers, at least 1 */
    uint64_t amount_max;
    uint64_t lasts_max_us;
};

/* The faults of a seed among `peers` peers, all between from_us and until_us. `ranges` ends with a
 * count_max of 0. */
void sim_faults_make(struct sim_faults *faults, uint64_t seed, uint32_t peers,
                     const struct sim_fault_range *ranges, uint64_t from_us, uint64_t until_us);

/* Only the items whose bit is set in `kept` (by number) stay. */
void sim_faults_keep(struct sim_faults *faults, const bool kept[SIM_FAULTS_MAX]);

/* Whether the fault is about the network, and at `now_us` about messages from `from` to `to`. */
bool sim_fault_concerns(const struct sim_fault *fault, uint64_t now_us, uint32_t from,
                        uint32_t to);

const char *sim_fault_name(enum sim_fault_kind kind);

/* Prints the fault in one line, with `prefix` in front. */
void sim_fault_print(const struct sim_fault *fault, const char *prefix);

#endif
