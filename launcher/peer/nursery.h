/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_NURSERY_H
#define CPI_PEER_NURSERY_H

/*
 * The daemon's nest (control/nest.h): kept alive, and asked for agents. A nest that dies is started
 * again after NURSERY_AGAIN_MS, and twice as long each time that it dies before it was of use; who
 * waits for an agent of it hears so.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <uv.h>

#include "control/nest.h"
#include "text/text.h"

#define NURSERY_AGAIN_MS 1000u
#define NURSERY_AGAIN_MAX_MS 60000u
#define NURSERY_OPEN_MAX 256u   /* Hatches without an answer */

struct nursery_hooks {
    /* `hatched` is valid in the call; with an error there is no agent. */
    void (*hatched)(void *arg, const Cpmp__Hatched *hatched);
    /* It has died, or can't be started; tried again after `again_ms`. */
    void (*trouble)(void *arg, const char *why, uint64_t again_ms);
};

struct nursery {
    uv_loop_t *loop;
    char *program;             /* cpmp-agent; owned */
    const struct nursery_hooks *hooks;
    void *arg;
    pid_t pid;
    int fd;                    /* -1: no nest */
    uv_poll_t poll;
    bool polled, closing;
    uv_timer_t again;
    uint64_t again_ms;
    uint64_t open[NURSERY_OPEN_MAX];  /* numbers */
    size_t open_count;
};

/* Starts the nest. 0, or -1 with `error`; close and release it in any case. */
int nursery_init(struct nursery *nursery, uv_loop_t *loop, const char *program,
                 const struct nursery_hooks *hooks, void *arg, struct text *error);

/* Asks for an agent; `hatched` follows from the loop, with hatch->number. False: there is no nest
 * now, or too much is asked of it. */
bool nursery_hatch(struct nursery *nursery, const Cpmp__Hatch *hatch);

/* The nest ends; its agents go on. */
void nursery_close(struct nursery *nursery);
void nursery_release(struct nursery *nursery);

#endif
