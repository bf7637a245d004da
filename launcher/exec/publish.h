/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_PUBLISH_H
#define CPI_EXEC_PUBLISH_H

/*
 * Tells the daemon of this machine how the job is, for `cpmp jobs` of the whole pool: at the start,
 * whenever its state or that of a peer changes, and at the end (peer/jobs.h is the other side). The
 * job doesn't depend on it: a daemon that is gone is looked for each second, and nothing waits.
 */

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "exec/display.h"
#include "local/client.h"

#define EXEC_PUBLISH_AGAIN_MS 1000u

/* What is told of: a value of it is a word of that number in exec_publish_word. */
enum exec_publish_state {
    EXEC_PUBLISH_STARTING, EXEC_PUBLISH_RUNNING, EXEC_PUBLISH_SUSPENDED, EXEC_PUBLISH_ENDING,
    EXEC_PUBLISH_DONE, EXEC_PUBLISH_LOST
};

/* The state of the job, then those of its peers. */
struct exec_publish_states {
    unsigned char job;
    unsigned char peers[EXEC_PEERS_MAX];
};

struct exec_publish {
    uv_loop_t *loop;
    uv_timer_t again;
    struct local_client client;
    bool open;                     /* it was begun, and isn't closed */
    bool connected, greeted, said_any;
    const struct exec_view *view;
    const bool *suspended;         /* [peers] by their owners */
    struct exec_publish_states said;
    uint64_t started_s;
    char launcher[SELLER_NAME_BYTES];
};

/* Begins; `view->remotes->state` is the daemon's state directory. All must stay until the loop has
 * closed its handles. */
void exec_publish_init(struct exec_publish *publish, uv_loop_t *loop,
                       const struct exec_view *view, const bool *suspended);

/* Something has changed, maybe. */
void exec_publish_look(struct exec_publish *publish);

/* The job is given up before the agent of peer `index` was reached: its daemon is told, so that
 * the agent doesn't wait for it. */
void exec_publish_give_back(struct exec_publish *publish, uint32_t index);

/* Says that the job is over and closes. Harmless when it wasn't begun. */
void exec_publish_close(struct exec_publish *publish);

/* --- its pure parts --- */

void exec_publish_states(const struct exec_view *view, const bool *suspended,
                         struct exec_publish_states *states);
const char *exec_publish_word(enum exec_publish_state state);

/* The row as the daemon gets it; to be freed by cpmp__job_row__free_unpacked. */
Cpmp__JobRow *exec_publish_row(const struct exec_view *view,
                               const struct exec_publish_states *states, const char *launcher,
                               const char *user, uint64_t started_s);

#endif
