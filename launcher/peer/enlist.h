/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_ENLIST_H
#define CPI_PEER_ENLIST_H

/*
 * The seller's side: ranks of other people's jobs on this machine, from the asking to the end.
 *
 *   asked --the owner's word, room--> SUPPLYING --files are here, libraries too--> SPAWNING
 *         --an agent is forked--> SPAWNED --it said hello--> RUNNING --it exited--> over
 *
 * From the asking on the capacity counts as taken; this is the only place where it is given away.
 * A reservation lives by its asker's word: each second the asker is told how far it is, until the
 * launcher has come. When the asker is gone or doesn't know it any more, it is over.
 * An agent is tied to its launcher, not to this daemon: it goes on without it, and says hello to
 * the next one, with a secret that only a daemon with this peer's key can have given it. So a
 * daemon that was killed takes up what still runs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <uv.h>

#include "link/identity.h"
#include "peer/spawner.h"
#include "peer/sessions.h"
#include "peer/supplies.h"
#include "wire/local.pb-c.h"

#define ENLIST_MAX          1024u   /* enlistments at a time */
#define ENLIST_PENDING_MAX  64u     /* of one peer, without an agent yet */
#define ENLIST_PENDING_BYTES_MAX (64u << 20)  /* of such requests, of all peers */
#define ENLIST_FILES_MAX    256u    /* of one */
#define ENLIST_HELLO_US     UINT64_C(15000000)  /* from spawning to the agent's hello */
#define ENLIST_LOOK_MS      1000u   /* between two signs of life to the asker */
#define ENLIST_COME_MS      10000u  /* for a launcher that nobody watches over any more */
#define ENLIST_PATIENCE_MS  660000u /* an agent waits longer than any computer is formed in */
#define ENLIST_SECRET_BYTES 32u

enum enlist_state { ENLIST_SUPPLYING, ENLIST_SPAWNING, ENLIST_SPAWNED, ENLIST_RUNNING };

struct enlist;

/* Who asked: a peer over its link, or a program of this machine in its session. */
struct enlist_asker {
    uint8_t peer[IDENTITY_ID_BYTES];  /* where the launcher runs */
    char name[IDENTITY_NAME_MAX + 1];
    uint32_t contact;                 /* of that peer */
    uint64_t session, number;         /* session 0: over the link */
};

struct enlist_one {
    struct enlist *enlist;
    struct enlist_one *next;
    enum enlist_state state;
    struct enlist_asker asker;
    uint64_t nonce, job;
    char user[64], program[128];
    uint32_t ranks, millicores;
    uint64_t memory_bytes;
    Cpmp__Enlist *request;        /* until the agent is spawned; owned */
    size_t request_bytes;
    struct supply *supply;        /* holds the contents as long as it is here */
    uint64_t shipped_bytes;
    uint64_t number;              /* of its Spawn */
    uint64_t session;             /* its agent's; 0: none now */
    pid_t pid;
    int pidfd;                    /* -1: not known yet */
    uv_poll_t poll;
    uv_timer_t timer;
    uint32_t open_handles;
    bool adopted;                 /* from a daemon before this one */
    bool released;                /* its agent is to leave, unless its launcher comes first */
    bool alone;                   /* the asker no longer watches over it */
    bool launched;                /* its launcher has come, as the agent says */
    uint64_t alone_us, spawned_us;  /* since when */
    bool began, over;             /* over: freed once its handles are closed */
    uint64_t started_s, cpu_us, max_rss_bytes;
    char ending[160];
    int64_t history;              /* its row; 0: none */
};

/* What the daemon has to say about it. */
struct enlist_hooks {
    /* May these ranks be had now? False with the reason for people; *ranks_free_p: what could.
     * Fills in what is open in `one` (millicores, memory_bytes). */
    bool (*admit)(void *arg, struct enlist_one *one, struct text *why, uint32_t *ranks_free_p);
    /* Contents are here: what of this machine the job's programs would lack. False with `why`. */
    bool (*inspect)(void *arg, const struct enlist_one *one, struct text *why);
    /* Completes the Spawn: addresses, ports, users, sandbox. What it points to must stay until
     * `spawn_done`. */
    void (*spawn)(void *arg, struct enlist_one *one, Cpmp__Spawn *spawn);
    void (*spawn_done)(void *arg, Cpmp__Spawn *spawn);
    /* Carries an answer to the asker: one of both is NULL. The daemon adds its addresses. */
    void (*answer)(void *arg, const struct enlist_asker *asker, Cpmp__Enlisted *enlisted,
                   Cpmp__Refused *refused);
    /* A sign of life to the asker: `had_bytes` of `bytes` are here. False: it is gone. */
    bool (*progress)(void *arg, const struct enlist_one *one, uint64_t had_bytes, uint64_t bytes);
    /* Its agent has said hello: the first time, or after a time without a session. */
    void (*greeted)(void *arg, struct enlist_one *one);
    /* Its agent runs; it is over (it had begun or not). For history, and offers. */
    void (*began)(void *arg, struct enlist_one *one);
    void (*ended)(void *arg, struct enlist_one *one);
};

struct enlist {
    uv_loop_t *loop;
    struct spawner *spawner;
    struct supplies *supplies;
    struct sessions *sessions;
    const struct enlist_hooks *hooks;
    void *arg;
    const char *directory;       /* state directory; the caller's */
    unsigned char secret_key[ENLIST_SECRET_BYTES];
    uint64_t last_number;
    struct enlist_one *first;
    size_t count;
};

/* `secret_key`: known to daemons with this peer's identity only. */
void enlist_init(struct enlist *enlist, uv_loop_t *loop, const char *directory,
                 struct spawner *spawner, struct supplies *supplies, struct sessions *sessions,
                 const unsigned char secret_key[ENLIST_SECRET_BYTES],
                 const struct enlist_hooks *hooks, void *arg);

/* Ranks are wanted. The answer comes by the hook, maybe at once. */
void enlist_ask(struct enlist *enlist, const struct enlist_asker *asker,
                const Cpmp__Enlist *request);

/* The launcher's side doesn't want it after all; or it only no longer watches over it (`later`):
 * then a launcher has ENLIST_COME_MS to come. An agent that has its launcher goes on. */
void enlist_withdraw(struct enlist *enlist, const uint8_t peer[IDENTITY_ID_BYTES],
                     uint64_t nonce, bool later);

/* That peer can't be reached: what it has asked for is given back, or soon will be. */
void enlist_peer_gone(struct enlist *enlist, const uint8_t peer[IDENTITY_ID_BYTES]);

/* What the fork server says. */
void enlist_spawned(struct enlist *enlist, const Cpmp__Spawned *spawned);

/* What agents say, and the end of their sessions. */
void enlist_hello(struct enlist *enlist, struct session *session, const Cpmp__AgentHello *hello);
void enlist_report(struct enlist *enlist, const struct session *session,
                   const Cpmp__AgentReport *report);
void enlist_session_gone(struct enlist *enlist, const struct session *session);

/* The owner's word to all that run; and to one. */
void enlist_order(struct enlist *enlist, Cpmp__AgentOrder__What what, const char *reason);
void enlist_order_one(struct enlist_one *one, Cpmp__AgentOrder__What what, const char *reason);

/* What is promised to all of them. */
void enlist_sum(const struct enlist *enlist, uint32_t *ranks_p, uint32_t *millicores_p,
                uint64_t *memory_bytes_p);

/* Gives up those that are not spawned yet, forgets the others: their agents go on. */
void enlist_close(struct enlist *enlist);

#endif
