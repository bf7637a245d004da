/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_SESSIONS_H
#define CPI_PEER_SESSIONS_H

/*
 * The programs of this machine that are connected to the daemon: cpmp, cpexec, agents.
 *
 * A session is named by a number that never comes again, so that an answer which takes its time
 * finds out whether somebody still waits. Who asks is known by the kernel's word (SO_PEERCRED).
 * A session that hasn't said hello in time, or breaks the rules, is closed; at most SESSIONS_MAX
 * are open, of which SESSIONS_OWNERS are kept for the superuser and who the daemon runs as, and
 * what one of them leaves unread is bounded (control/stream.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <uv.h>

#include "control/stream.h"
#include "local/client.h"

#define SESSIONS_MAX       1024u
#define SESSIONS_OWNERS    64u
#define SESSIONS_HELLO_MS  5000u
#define SESSIONS_PAUSE_MS  100u   /* without descriptors, until the next try */
#define SESSIONS_FINISH_MS 500u   /* for last words to who doesn't read */

struct sessions;

struct session {
    struct sessions *sessions;
    struct session *next;
    uint64_t id;
    uid_t uid;
    pid_t pid;
    char program[32];       /* what it calls itself */
    bool greeted;
    bool closed;            /* its stream is on its way out */
    uv_timer_t hello;       /* what it has to have done by then: greeted, or read the last words */
    struct control_stream stream;
    uint32_t open_parts;    /* handles that aren't closed yet */
};

struct sessions_hooks {
    /* A request or message, after the greeting. Answer by sessions_answer, now or later. */
    void (*on_message)(void *arg, struct session *session, const Cpmp__Local *message);
    /* The session is over; `session` is valid in the call. */
    void (*on_gone)(void *arg, struct session *session);
    /* Fills in what the greeting is answered with. */
    void (*on_welcome)(void *arg, Cpmp__LocalWelcome *welcome);
};

struct sessions {
    uv_loop_t *loop;
    uv_poll_t listener;
    uv_timer_t pause;
    uint32_t open_parts;
    int fd;
    bool listening;
    const struct sessions_hooks *hooks;
    void *arg;
    struct session *first;
    size_t count;
    uint64_t last_id;
};

/* Listens at the socket of `directory`. 0, or -1 with errno. */
int sessions_init(struct sessions *sessions, uv_loop_t *loop, const char *directory,
                  const struct sessions_hooks *hooks, void *arg);

/* Closes the listener and every session, which gets SESSIONS_FINISH_MS to read what is on its way;
 * the loop must run on until all handles are closed. */
void sessions_close(struct sessions *sessions);

/* The session `id`; NULL when it is over. */
struct session *sessions_find(const struct sessions *sessions, uint64_t id);

/* Answers request `number` of session `id`, or says something (0), if it is still there. False when
 * it isn't. */
bool sessions_answer(struct sessions *sessions, uint64_t id, uint64_t number, Cpmp__Local *answer);

__attribute__((format(printf, 5, 6)))
void sessions_fail(struct sessions *sessions, uint64_t id, uint64_t number,
                   enum local_failure code, const char *format, ...);

/* Ends a session. */
void sessions_end(struct session *session);

#endif
