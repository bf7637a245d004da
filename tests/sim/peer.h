/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_PEER_H
#define SIM_PEER_H

/* One peer of the world: its modules, its clock and its disk, as cpmpd would drive them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "world.h"

/* Starts the peer without having it join. */
void sim_peer_start(struct sim_world *world, uint32_t peer);

/* Has it join through those it is told; nobody: a ring of its own. */
void sim_peer_join(struct sim_world *world, uint32_t peer, const uint32_t *known, size_t count,
                   uint64_t alone_us);

/* Its user tells it of `other`. */
void sim_peer_meet(struct sim_world *world, uint32_t peer, uint32_t other);

/* Its detector watches `other` too, since they run a job together. */
void sim_peer_watch_for_job(struct sim_world *world, uint32_t peer, uint32_t other);

/* It stops between two instructions. What it has on disk stays. */
void sim_peer_stop(struct sim_world *world, uint32_t peer);

/* It says goodbye, and stops. */
void sim_peer_leave(struct sim_world *world, uint32_t peer);

/* Has it look up who owns `key`: hooks.result follows. */
void sim_peer_lookup(struct sim_world *world, uint32_t peer, const struct chord_id *key,
                     uint64_t token, enum chord_mode mode);

/* Has it put a value of SIM_VALUE_BYTES under the key, or get what is there: hooks.stored follows.
 * */
void sim_peer_put(struct sim_world *world, uint32_t peer, const struct chord_id *key,
                  uint64_t token, uint64_t lifetime_us, const uint8_t *value);
void sim_peer_get(struct sim_world *world, uint32_t peer, const struct chord_id *key,
                  uint64_t token);

/* Its chord is told that `other` failed or is alive. */
void sim_peer_tell(struct sim_world *world, uint32_t peer, uint32_t other, bool has_failed);

/* Its link to `other` was refused. */
void sim_peer_break(struct sim_world *world, uint32_t peer, uint32_t other);

void sim_peer_hear(struct sim_world *world, uint32_t peer, const struct sim_message *message);
void sim_peer_wake(struct sim_world *world, uint32_t peer);

static inline bool sim_peer_is_up(const struct sim_world *world, uint32_t peer)
{
    return world->peers[peer].chord != NULL;
}

uint64_t sim_peer_clock_us(const struct sim_world *world, uint32_t peer);

/* Queues its next wake after it was stepped from outside. */
void sim_peer_schedule(struct sim_world *world, uint32_t peer);

/* Brings world->ring up to date with what the peer knows. */
void sim_peer_show(struct sim_world *world, uint32_t peer);

#endif
