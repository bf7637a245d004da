/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_CONFIG_H
#define SIM_CONFIG_H

/*
 * The configurations: which faults, and what has to hold under them.
 *
 * Zave's proof ("How to make Chord correct", 2017) is about peers that crash, leave or join while
 * each message arrives, in order or not, before anybody stops waiting for it; where nobody is
 * called dead who lives; and where no crash takes the last live successor that a member has. With
 * is_proven a run stays inside these bounds (a crash that would go too far doesn't happen), and
 * the invariant is checked over the whole ring whenever the state of a peer changed:
 *
 *     each live member has a live successor in its list; following the first live one, there is one
 *     cycle; it goes once around the identifiers; and each member leads into it.
 *
 * What a peer can keep alone is checked at any time and under all faults: each module's own
 * x_check after each of its steps, and that no pointer is adopted before its peer was heard.
 *
 * Outside the proof's bounds, with messages lost, a network cut, living peers called dead, half of
 * all peers gone, two rings or none are nobody's fault. There the rest has to hold a bounded time
 * after the last fault: the ideal ring of those who live, all lookups right, all values in their
 * places, nobody suspected who lives.
 */

#include <stdbool.h>
#include <stdint.h>

#include "fault.h"

#define SIM_RANGES_MAX 12

struct sim_config {
    const char *name;
    const char *title;         /* what must hold, as a test's name */
    uint32_t peers_min, peers_max;
    bool is_proven;            /* within the proof: check the ring after each change */
    uint64_t form_us;          /* peers start within it */
    uint64_t faults_from_us, faults_until_us;
    uint32_t seeds;            /* in `make check` */
    struct sim_fault_range ranges[SIM_RANGES_MAX];
};

/* By name; NULL: there is none of that name. */
const struct sim_config *sim_config_find(const char *name);

/* One after the other, `index` from 0; NULL at the end. */
const struct sim_config *sim_config_at(uint32_t index);

#endif
