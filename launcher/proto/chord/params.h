/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROTO_CHORD_PARAMS_H
#define CPI_PROTO_CHORD_PARAMS_H

/*
 * What can be chosen about the ring. All peers of a ring should have the same; nothing breaks when
 * they do not. Tests scale the times with chord_params_scale.
 */

#include <stddef.h>
#include <stdint.h>

#define CHORD_SUCCESSORS_MAX 32u  /* bounds a message: twice log2 of 65 536 peers */
#define CHORD_PROBES_MAX     12u
#define CHORD_PATHS_MAX      4u

/* name, default, the reason for the default */
#define CHORD_PARAMS(P)                                                                            \
    P(successors, 16, "r: half of all peers may die at once, and 2^-16 of the rest lose all")      \
    P(tick_min_us, 10000000, "a successor is asked this seldom at rest...")                        \
    P(tick_max_us, 20000000, "...or this seldom; at random in between, so that nobody marches")    \
    P(nudge_us, 50000, "a change next door is looked at after at most this; bursts are one look")  \
    P(timeout_min_us, 500000, "a query waits four round trips, and never less: peers are busy")    \
    P(timeout_max_us, 2000000, "nor more, since lookups stand still meanwhile")                    \
    P(attempts, 3, "so often a query is sent before its peer counts as dead: two may be lost")     \
    P(busy_us, 400000, "a busy peer is waited for up to twice this; then the asker gives way")     \
    P(busy_retry_us, 200000, "and tries again after up to twice this, so that circles dissolve")   \
    P(lookup_us, 3000000, "end to end: five hops of which one or two time out")                    \
    P(lookup_attempts, 4, "lookups that are lost with a dying hop get on")                         \
    P(hop_us, 500000, "a hop that has not taken a lookup by then is gone round")                   \
    P(suspect_us, 30000000, "routes leave out a failed peer until then; the ring drops it anyway") \
    P(finger_us, 30000000, "one round of finger repair; fingers only cost hops, never rightness")  \
    P(fingers_per_tick, 2, "so all of a big ring's 20 are renewed in five minutes")                \
    P(finger_probes, 8, "candidates measured a finger; 16 is a few per cent nearer, twice dear")   \
    P(merge_us, 60000000, "one remembered peer is asked this often whether its ring is ours")      \
    P(paths, 3, "disjoint paths of an iterative lookup; one honest path is enough")                \
    P(join_us, 2000000, "a join that got nowhere starts over after this and up to twice that")

struct chord_params {
#define CHORD_PARAM_FIELD(name, value, why) uint64_t name;
    CHORD_PARAMS(CHORD_PARAM_FIELD)
#undef CHORD_PARAM_FIELD
};

struct chord_params chord_params_default(void);

/* Multiplies all times by numerator / denominator (each stays at least 1 us). */
void chord_params_scale(struct chord_params *params, uint32_t numerator, uint32_t denominator);

/* NULL, or what is wrong with `params`, for people. */
const char *chord_params_wrong(const struct chord_params *params);

#endif
