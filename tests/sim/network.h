/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_NETWORK_H
#define SIM_NETWORK_H

/*
 * How long a message takes, and whether it arrives. Peers lie in a square; a message takes 1 ms and
 * up to 70 ms more by distance, the same each time and so in order, as on a standing link. Faults
 * add to that: see fault.h.
 */

#include <stddef.h>
#include <stdint.h>

#include "fault.h"

#define SIM_NETWORK_BASE_US 1000
#define SIM_NETWORK_SIDE_US 50000  /* along one side of the square */

struct sim_network {
    uint64_t seed;
    uint32_t peers;
    const struct sim_faults *faults;
    uint64_t *last_us;  /* [from * peers + to], of messages in order; NULL without faults */
    uint32_t *sent;     /* [from], messages so far */
};

/* `faults` may be NULL, and must otherwise outlive the network. */
void sim_network_init(struct sim_network *network, uint64_t seed, uint32_t peers,
                      const struct sim_faults *faults);
void sim_network_release(struct sim_network *network);

/* One way from `a` to `b` without faults. */
uint64_t sim_network_distance_us(const struct sim_network *network, uint32_t a, uint32_t b);

/* When a message sent at `now_us` arrives: writes up to two times to at_us, returns how many. */
size_t sim_network_send(struct sim_network *network, uint64_t now_us, uint32_t from, uint32_t to,
                        uint64_t at_us[2]);

#endif
