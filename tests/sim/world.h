/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

/*
 * All peers of a run, the network between them and the time, on one core. Each peer is what cpmpd
 * runs: the objects of launcher/proto, told of messages, deadlines and the words of their users,
 * and doing what they ask for. A peer's number is the contact by which all others know it.
 *
 * A peer that starts anew without what it had on disk has a new key, so a new id: it is another
 * peer, at the same place of the network. Numbers from `places` on are those: number % places is
 * the place.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"
#include "mutant.h"
#include "network.h"
#include "proto/chord/chord.h"
#include "proto/detector/detector.h"
#include "proto/kv/kv.h"
#include "queue.h"
#include "ring.h"
#include "trace.h"

#define SIM_HEARD_WORDS (2 * SIM_FAULT_PEERS_MAX / 64)
#define SIM_KNOWN_MAX 16  /* peers that a peer has on disk */

/* What stays when a peer stops. */
struct sim_disk {
    uint32_t known[SIM_KNOWN_MAX];
    uint32_t known_count;
    uint64_t incarnation;
};

struct sim_peer {
    struct chord *chord;        /* NULL: doesn't run */
    struct detector *detector;
    struct kv *kv;
    struct chord_id id;
    uint64_t clock_offset_us;
    uint32_t clock_rate;        /* its microseconds in a real second */
    uint32_t starts;
    uint64_t stopped_us;        /* when it stopped last */
    uint64_t wake_us;           /* the wake that is queued; UINT64_MAX: none */
    uint32_t idle_wakes;        /* in a row, without time having passed */
    struct sim_disk *disk;
    uint64_t heard[SIM_HEARD_WORDS];  /* bits: from whom a message came since it started */
};

enum sim_module { SIM_CHORD, SIM_DETECTOR, SIM_KV, SIM_MODULES };

#define SIM_VALUE_BYTES 16  /* of each value in the store */

/* On its way. Only as many bytes as the message needs are there; behind them the values of kv's
 * records, SIM_VALUE_BYTES each. */
struct sim_message {
    enum sim_module module;
    uint32_t from;
    uint32_t bytes;
    bool is_forged;  /* by a mutant: nobody sent it */
    union {
        struct chord_message chord;
        struct detector_message detector;
        struct kv_message kv;
    };
};

struct sim_world;

/* What the one who runs the world wants to hear of. */
struct sim_hooks {
    void (*result)(void *arg, uint32_t peer, const struct chord_result *result);
    void (*stored)(void *arg, uint32_t peer, const struct kv_result *result);
    void (*fault)(void *arg, uint32_t number, bool ends);
    void (*start)(void *arg, uint32_t peer);
    void (*work)(void *arg, uint32_t number);
    /* A chord message came to a peer that doesn't run; may be NULL. */
    void (*in_vain)(void *arg, const struct chord_message *message);
    void *arg;
};

struct sim_world {
    uint64_t seed;
    uint64_t now_us, steps, messages[SIM_MODULES];
    uint32_t places, peer_count;
    struct sim_peer *peers;
    struct sim_network network;
    struct sim_faults faults;
    struct sim_queue queue;
    struct sim_trace trace;
    struct sim_ring ring;
    struct chord_params params;
    struct detector_settings detector_settings;
    struct kv_params kv_params;
    bool has_detector, has_kv;
    bool is_ring_watched;       /* check Zave's invariant after each change */
    bool are_checks_off;        /* for measurements of large rings */
    enum sim_mutant mutant;
    struct sim_hooks hooks;
    struct sim_broken broken;   /* the first thing that broke */
    struct sim_message incoming, outgoing;
    struct chord_actions chord_actions;
    struct detector_actions detector_actions;
    struct kv_actions kv_actions;
};

struct sim_setup {
    uint64_t seed;
    uint32_t places;
    uint32_t lives;             /* ids for each place: 2 with rebirths, else 1 */
    bool is_traced, is_loud;
    bool has_detector, has_kv;
};

/* Peers are there and none runs. Takes a copy of `faults`, which may be NULL. */
void sim_world_init(struct sim_world *world, const struct sim_setup *setup,
                    const struct chord_params *params, const struct sim_faults *faults);
void sim_world_release(struct sim_world *world);

/* Takes the events up to until_us; stops early when something broke. */
void sim_world_run(struct sim_world *world, uint64_t until_us);

/* Notes what broke unless something did before. */
void sim_world_break(struct sim_world *world, const char *what, uint32_t peer, uint32_t other);

/* Puts an event of the scenario's own: hooks.work with `number`. */
void sim_world_work_at(struct sim_world *world, uint64_t at_us, uint32_t number);

void sim_world_start_at(struct sim_world *world, uint64_t at_us, uint32_t peer);

/* The peer whose id is at or after `key` among those that run; SIM_NOBODY: none runs. */
uint32_t sim_world_owner(const struct sim_world *world, const struct chord_id *key);

uint32_t sim_world_by_id(const struct sim_world *world, const struct chord_id *id);

#endif
