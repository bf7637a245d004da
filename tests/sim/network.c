/* SPDX-License-Identifier: BSD-3-Clause */
#include "network.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "random.h"
#include "text/memory.h"

void sim_network_init(struct sim_network *network, uint64_t seed, uint32_t peers,
                      const struct sim_faults *faults)
{
    *network = (struct sim_network){ .seed = seed, .peers = peers, .faults = faults };
    network->sent = memory_new(peers, sizeof *network->sent);
    if (faults != NULL && faults->count > 0)
        network->last_us = memory_new((size_t)peers * peers, sizeof *network->last_us);
}

void sim_network_release(struct sim_network *network)
{
    free(network->sent);
    free(network->last_us);
}

uint64_t sim_network_distance_us(const struct sim_network *network, uint32_t a, uint32_t b)
{
    double dx = sim_unit(sim_hash(network->seed, SIM_FOR_PLACES, a, 0))
                - sim_unit(sim_hash(network->seed, SIM_FOR_PLACES, b, 0));
    double dy = sim_unit(sim_hash(network->seed, SIM_FOR_PLACES, a, 1))
                - sim_unit(sim_hash(network->seed, SIM_FOR_PLACES, b, 1));

    return SIM_NETWORK_BASE_US + (uint64_t)(SIM_NETWORK_SIDE_US * sqrt(dx * dx + dy * dy));
}

/* What the faults do to one message. */
struct fate {
    bool is_lost, is_doubled, is_unordered;
    uint64_t later_us, copy_later_us;
};

static bool happens(uint64_t bits, uint64_t of_a_million)
{
    return bits % 1000000 < of_a_million;
}

static void fate_add(struct fate *fate, const struct sim_fault *fault, uint64_t bits)
{
    switch (fault->kind) {
    case SIM_FAULT_LOSS:
        fate->is_lost |= happens(bits, fault->amount);
        break;
    case SIM_FAULT_DELAY:
        fate->later_us += fault->amount;
        break;
    case SIM_FAULT_REORDER:
        fate->is_unordered = true;
        fate->later_us += bits % (fault->amount + 1);
        break;
    case SIM_FAULT_DUPLICATE:
        fate->is_doubled |= happens(bits, fault->amount);
        fate->copy_later_us = (bits >> 32) % 200000;
        break;
    default:
        fate->is_lost = true;
        break;
    }
}

size_t sim_network_send(struct sim_network *network, uint64_t now_us, uint32_t from, uint32_t to,
                        uint64_t at_us[2])
{
    struct fate fate = { .is_lost = false };
    uint64_t number = network->sent[from]++;

    at_us[0] = now_us + sim_network_distance_us(network, from, to);
    if (network->last_us == NULL)
        return 1;
    for (size_t i = 0; i < network->faults->count; i++) {
        const struct sim_fault *fault = &network->faults->items[i];

        if (sim_fault_concerns(fault, now_us, from, to))
            fate_add(&fate, fault, sim_hash(network->seed, SIM_FOR_NETWORK,
                                            number << 8 | fault->number, from));
    }
    if (fate.is_lost)
        return 0;
    at_us[0] += fate.later_us;
    if (!fate.is_unordered) {
        uint64_t *last_us = &network->last_us[(size_t)from * network->peers + to];

        if (at_us[0] <= *last_us)
            at_us[0] = *last_us + 1;
        *last_us = at_us[0];
    }
    at_us[1] = at_us[0] + 1 + fate.copy_later_us;
    return fate.is_doubled ? 2 : 1;
}
