/* SPDX-License-Identifier: BSD-3-Clause */
#include "config.h"

#include <stddef.h>
#include <string.h>

#define SECOND UINT64_C(1000000)

/* Delays stay below half of what a peer waits for an answer, in configurations within the proof. */
#define DELAY_PROVEN_US 120000

static const struct sim_config configs[] = {
    {
        .name = "joins",
        .title = "peers that join one after the other or all at once make one ring",
        .peers_min = 3, .peers_max = 50, .is_proven = true,
        .form_us = 12 * SECOND, .faults_from_us = 0, .faults_until_us = 15 * SECOND,
        .seeds = 450,
        .ranges = {
            { SIM_FAULT_DELAY, 2, DELAY_PROVEN_US, 10 * SECOND },
            { SIM_FAULT_REORDER, 2, DELAY_PROVEN_US, 10 * SECOND },
            { SIM_FAULT_DUPLICATE, 2, 300000, 10 * SECOND },
            { SIM_FAULT_SKEW, 3, 200, 0 },
        },
    },
    {
        .name = "crashes",
        .title = "crashes, leaves and returns as far as the proof goes break nothing for a moment",
        .peers_min = 6, .peers_max = 40, .is_proven = true,
        .form_us = 10 * SECOND, .faults_from_us = 12 * SECOND, .faults_until_us = 40 * SECOND,
        .seeds = 600,
        .ranges = {
            { SIM_FAULT_CRASH, 3, 0, 0 },
            { SIM_FAULT_LEAVE, 2, 0, 0 },
            { SIM_FAULT_RESTART, 2, 0, 10 * SECOND },
            { SIM_FAULT_REBIRTH, 2, 0, 10 * SECOND },
            { SIM_FAULT_DELAY, 2, DELAY_PROVEN_US, 10 * SECOND },
            { SIM_FAULT_REORDER, 2, DELAY_PROVEN_US, 10 * SECOND },
            { SIM_FAULT_DUPLICATE, 2, 300000, 10 * SECOND },
            { SIM_FAULT_SKEW, 3, 200, 0 },
        },
    },
    {
        .name = "network",
        .title = "a ring where messages are lost, delayed, doubled, reordered is whole again",
        .peers_min = 3, .peers_max = 30,
        .form_us = 8 * SECOND, .faults_from_us = 0, .faults_until_us = 35 * SECOND,
        .seeds = 600,
        .ranges = {
            { SIM_FAULT_LOSS, 5, 600000, 20 * SECOND },
            { SIM_FAULT_DELAY, 3, 2 * SECOND, 20 * SECOND },
            { SIM_FAULT_REORDER, 3, SECOND, 20 * SECOND },
            { SIM_FAULT_DUPLICATE, 3, 900000, 20 * SECOND },
        },
    },
    {
        .name = "partitions",
        .title = "a network cut in two, one way or around a bridge ends as one ring",
        .peers_min = 3, .peers_max = 30,
        .form_us = 8 * SECOND, .faults_from_us = 5 * SECOND, .faults_until_us = 45 * SECOND,
        .seeds = 600,
        .ranges = {
            { SIM_FAULT_PARTITION, 2, 0, 30 * SECOND },
            { SIM_FAULT_CUT, 3, 0, 30 * SECOND },
            { SIM_FAULT_LOSS, 1, 300000, 20 * SECOND },
        },
    },
    {
        .name = "restarts",
        .title = "a ring whose peers crash and restart, as they were or as new, is whole again",
        .peers_min = 3, .peers_max = 30,
        .form_us = 8 * SECOND, .faults_from_us = 0, .faults_until_us = 40 * SECOND,
        .seeds = 600,
        .ranges = {
            { SIM_FAULT_CRASH, 4, 0, 0 },
            { SIM_FAULT_LEAVE, 2, 0, 0 },
            { SIM_FAULT_RESTART, 8, 0, 10 * SECOND },
            { SIM_FAULT_REBIRTH, 4, 0, 10 * SECOND },
            { SIM_FAULT_LOSS, 2, 200000, 20 * SECOND },
        },
    },
    {
        .name = "suspicion",
        .title = "living peers that are called dead, and wrong clocks, cost nobody the ring",
        .peers_min = 3, .peers_max = 30,
        .form_us = 8 * SECOND, .faults_from_us = 5 * SECOND, .faults_until_us = 40 * SECOND,
        .seeds = 600,
        .ranges = {
            { SIM_FAULT_SUSPECT, 12, 0, 0 },
            { SIM_FAULT_SKEW, 10, 50000, 0 },
            { SIM_FAULT_CRASH, 1, 0, 0 },
            { SIM_FAULT_DELAY, 2, 400000, 10 * SECOND },
        },
    },
    {
        .name = "storm",
        .title = "all of it at once ends as one ring with every value in its place",
        .peers_min = 3, .peers_max = 50,
        .form_us = 15 * SECOND, .faults_from_us = 0, .faults_until_us = 60 * SECOND,
        .seeds = 750,
        .ranges = {
            { SIM_FAULT_LOSS, 3, 500000, 20 * SECOND },
            { SIM_FAULT_DELAY, 2, SECOND, 20 * SECOND },
            { SIM_FAULT_REORDER, 2, SECOND, 20 * SECOND },
            { SIM_FAULT_DUPLICATE, 2, 500000, 20 * SECOND },
            { SIM_FAULT_PARTITION, 1, 0, 25 * SECOND },
            { SIM_FAULT_CUT, 2, 0, 25 * SECOND },
            { SIM_FAULT_CRASH, 2, 0, 0 },
            { SIM_FAULT_RESTART, 4, 0, 10 * SECOND },
            { SIM_FAULT_REBIRTH, 2, 0, 10 * SECOND },
            { SIM_FAULT_SUSPECT, 4, 0, 0 },
            { SIM_FAULT_SKEW, 5, 20000, 0 },
        },
    },
};

const struct sim_config *sim_config_at(uint32_t index)
{
    return index < sizeof configs / sizeof configs[0] ? &configs[index] : NULL;
}

const struct sim_config *sim_config_find(const char *name)
{
    const struct sim_config *config;

    for (uint32_t i = 0; (config = sim_config_at(i)) != NULL; i++)
        if (strcmp(config->name, name) == 0)
            return config;
    return NULL;
}
