/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_SPAWNER_H
#define CPI_PEER_SPAWNER_H

/*
 * The daemon's fork server (control/fork_server.h): kept alive, and asked for agents. A fork server
 * that dies is started again after SPAWNER_AGAIN_MS, and twice as long each time that it dies
 * before it was of use; who waits for an agent of it hears so.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <uv.h>

#include "control/fork_server.h"
#include "text/text.h"

#define SPAWNER_AGAIN_MS 1000u
#define SPAWNER_AGAIN_MAX_MS 60000u
#define SPAWNER_OPEN_MAX 256u   /* Spawns without an answer */

struct spawner_hooks {
    /* `spawned` is valid in the call; with an error there is no agent. */
    void (*spawned)(void *arg, const Cpmp__Spawned *spawned);
    /* It has died, or can't be started; tried again after `again_ms`. */
    void (*trouble)(void *arg, const char *why, uint64_t again_ms);
};

struct spawner {
    uv_loop_t *loop;
    char *program;             /* cpmp-agent; owned */
    const struct spawner_hooks *hooks;
    void *arg;
    pid_t pid;
    int fd;                    /* -1: no fork server */
    uv_poll_t poll;
    bool polled, closing;
    uv_timer_t again;
    uint64_t again_ms;
    uint64_t open[SPAWNER_OPEN_MAX];  /* numbers */
    size_t open_count;
};

/* Starts the server. 0, or -1 with `error`; close and release it in any case. */
int spawner_init(struct spawner *spawner, uv_loop_t *loop, const char *program,
                 const struct spawner_hooks *hooks, void *arg, struct text *error);

/* Asks for an agent; `spawned` follows from the loop, with spawn->number. False: there is no fork
 * server now, or too much is asked of it. */
bool spawner_spawn(struct spawner *spawner, const Cpmp__Spawn *spawn);

/* The fork server ends; its agents go on. */
void spawner_close(struct spawner *spawner);
void spawner_release(struct spawner *spawner);

#endif
