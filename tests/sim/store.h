/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_STORE_H
#define SIM_STORE_H

/*
 * The store's users: every peer that runs publishes a value under one of a few keys, with a
 * lifetime, and renews it long before. After the ring has settled and all have renewed once:
 *
 *  - each put is acknowledged;
 *  - the key's owner and the next k - 1 peers have each value, not older than the last but one;
 *  - whoever gets a key, gets the values of all publishers that run, as they wrote them;
 *  - nobody gets what was published by a peer that has been gone for longer than a lifetime.
 */

#include "scene.h"

#define SIM_STORE_KEYS        3u
#define SIM_STORE_RENEW_US    UINT64_C(5000000)
#define SIM_STORE_LIFETIME_US UINT64_C(30000000)

/* The peer was started: it publishes from now on. */
void sim_store_begin(struct sim_scene *scene, uint32_t peer);

/* hooks.work for the store's numbers, and hooks.stored. */
void sim_store_work(struct sim_scene *scene, uint32_t number);
void sim_store_result(void *arg, uint32_t peer, const struct kv_result *result);

/* The checks, when the ring is ideal. */
void sim_store_check(struct sim_scene *scene);

#endif
