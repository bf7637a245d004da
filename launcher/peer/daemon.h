/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_DAEMON_H
#define CPI_PEER_DAEMON_H

/*
 * The daemon: holds the parts together and carries what one says to the other.
 *
 *   daemon.c        beginning, signals, the end
 *   daemon_net.c    links and the door: greetings, revocations, what goes to which part
 *   daemon_admit.c  joining a pool, and letting others join
 *   daemon_work.c   the seller: the owner's word, room, agents, history
 *   daemon_libraries.c  what a job's programs need of this machine
 *   daemon_reach.c  can those who come to us be reached back?
 *   daemon_tell.c   answers to cpmp
 *   daemon_exec.c   answers to cpexec and agents
 *
 * Single-threaded: one libuv loop, every function is called from it.
 */

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "content/content.h"
#include "link/admit.h"
#include "link/door.h"
#include "link/links.h"
#include "peer/asking.h"
#include "peer/book.h"
#include "peer/enlist.h"
#include "peer/history.h"
#include "peer/jobs.h"
#include "peer/load.h"
#include "peer/membership.h"
#include "peer/spawner.h"
#include "peer/offers.h"
#include "peer/options.h"
#include "peer/overlay.h"
#include "peer/policy.h"
#include "peer/sessions.h"
#include "peer/supplies.h"
#include "peer/uploads.h"
#include "peer/waiting.h"
#include "peer/warden.h"
#include "sandbox/probe.h"
#include "text/text.h"

#define DAEMON_LINKS_MAX    512u     /* standing links; the least used one gives way */
#define DAEMON_ALONE_US     UINT64_C(3000000)  /* nobody of the known answers: be a ring of one */
#define DAEMON_VITALS_MS    1000u    /* the machine is looked at so often, while ranks run here */
#define DAEMON_REST_MS      5000u    /* or are asked for; and so often at rest */
#define DAEMON_FIRST_MS     200u     /* a load takes two looks: the second one */
#define DAEMON_SETTLE_MS    15000u   /* agents of a daemon before this one are back by then */
#define DAEMON_REACHED_MAX  256u
#define DAEMON_FILES_MAX    16384u   /* descriptors, where the system allows */
#define DAEMON_CARE_MS      10000u   /* one remembered peer is asked for its ring */
#define DAEMON_EARLY_MS     3000u    /* the first time */
#define DAEMON_LEAVE_MS     3000u    /* agents told to leave have this long */
#define DAEMON_GREETING     1u       /* version of the messages between daemons */

/* cpmpd(8); 0 when it was told to end */
enum daemon_exit { DAEMON_EXIT_FAILED = 1, DAEMON_EXIT_USAGE = 2, DAEMON_EXIT_REFUSED = 3 };

/* A peer whose addresses were tried (daemon_reach.c). */
struct daemon_reached {
    uint8_t id[IDENTITY_ID_BYTES];
    uint64_t at_us;   /* 0: none */
};

enum daemon_phase { DAEMON_STARTING, DAEMON_RUNNING, DAEMON_LEAVING };

struct daemon {
    const struct peer_options *options;
    char **environment;
    char *directory;               /* state directory, absolute */
    int lock_fd;
    enum daemon_phase phase;
    int exit_code;
    uv_loop_t loop;
    uv_signal_t signals[4];
    uv_timer_t vitals, care, leaving, settle;
    uint64_t incarnation, started_s;

    struct membership membership;
    struct tls_context *context;
    struct door *door;
    struct links *links;
    struct address addresses[PEER_ADDRESSES_MAX];  /* where others reach this peer */
    size_t address_count;
    const struct admit_result *joined;  /* while this peer begins, fresh from its admission */
    struct admission *admission;   /* of this peer, while it joins */
    struct admissions *admissions; /* of others, on the founder */

    struct book book;
    struct overlay *overlay;
    struct offers offers;
    struct jobs jobs;
    struct sessions sessions;
    struct waiting waiting;

    struct policy policy;
    struct load *load;
    struct load_reading reading;
    uint64_t read_us;              /* when that was */
    uint32_t updates;              /* looks since the history was brought up to date */
    struct warden warden;
    struct warden_verdict verdict;
    enum warden_word said;         /* to the agents, last */
    struct sandbox_probe probe;
    struct history *history;
    struct content_store *store;
    struct supplies *supplies;
    struct uploads uploads;
    struct spawner spawner;
    struct enlist enlist;
    struct asking asking;
    struct text peers_saved;       /* as the file has them */
    bool has_sessions, has_overlay, has_spawner, has_links;
    bool told_unreachable;
    uint32_t reach_open;           /* peers whose addresses are being tried */
    struct daemon_reached reached[DAEMON_REACHED_MAX];
    bool peers_changed;                      /* since the file of peers was written */
};

/* Runs until a signal ends it. The exit code. */
int daemon_run(const struct peer_options *options, char **environment);

/* A line for people, on standard error; daemon_note with --verbose only. */
__attribute__((format(printf, 1, 2))) void daemon_say(const char *format, ...);
__attribute__((format(printf, 2, 3))) void daemon_note(const struct daemon *daemon,
                                                       const char *format, ...);

/* Begins to leave; the loop ends when that is done. */
void daemon_leave(struct daemon *daemon, int exit_code);

/* This peer is a member (its files are there): everything but the loop's start. 0, or -1 with
 * `error`. */
int daemon_begin(struct daemon *daemon, struct text *error);

/* Reads policy.conf anew. False with `why`: the old one stays. */
bool daemon_policy_load(struct daemon *daemon, struct text *why);

/* --- daemon_net.c --- */
int daemon_net_begin(struct daemon *daemon, struct text *error);
void daemon_net_send(void *arg, uint32_t contact, Cpmp__PeerMessage *message);
void daemon_net_revoked(struct daemon *daemon);   /* the list has changed: act, and pass it on */
void daemon_net_save_peers(struct daemon *daemon);
void daemon_net_care(struct daemon *daemon);      /* asks a remembered peer for its ring, ... */
void daemon_net_close(struct daemon *daemon);
size_t daemon_net_known(const struct daemon *daemon, uint32_t *contacts, size_t most);

/* --- daemon_reach.c --- */
void daemon_reach_try(struct daemon *daemon, const struct tls_peer *peer, uint32_t contact);
void daemon_reach_told(struct daemon *daemon, const struct tls_peer *peer,
                       const Cpmp__Unreachable *unreachable);

/* --- daemon_admit.c --- */
int daemon_admit_join(struct daemon *daemon, struct text *error);
void daemon_admit_learn(struct daemon *daemon);  /* whom the admission named */
void daemon_admit_link(struct daemon *daemon, struct link *link);
void daemon_admit_close(struct daemon *daemon);

/* --- daemon_work.c --- */
int daemon_work_begin(struct daemon *daemon, struct text *error);
void daemon_work_look(struct daemon *daemon);     /* at the machine; and when again */
void daemon_work_settle(struct daemon *daemon);   /* what didn't come back is over */
void daemon_work_policy(struct daemon *daemon);   /* it has changed */
void daemon_work_state(void *arg, struct offer *offer);
void daemon_work_close(struct daemon *daemon);
void daemon_work_release(struct daemon *daemon);
void daemon_work_refused(struct daemon *daemon, uint32_t contact, const Cpmp__Refused *refused);
void daemon_work_enlisting(struct daemon *daemon, uint32_t contact,
                           const Cpmp__Enlisting *enlisting);
void daemon_work_enlisted(struct daemon *daemon, uint32_t contact,
                          const Cpmp__Enlisted *enlisted);

/* --- daemon_libraries.c: what this machine lacks to run a job's programs --- */
bool daemon_libraries_inspect(void *arg, const struct enlist_one *one, struct text *why);

/* --- daemon_tell.c, daemon_exec.c: true when the message was theirs --- */
bool daemon_tell_take(struct daemon *daemon, struct session *session, const Cpmp__Local *message);
bool daemon_exec_take(struct daemon *daemon, struct session *session, const Cpmp__Local *message);
void daemon_exec_gone(struct daemon *daemon, const struct session *session);

/* A peer can't be reached: what was asked of it is refused. */
void daemon_exec_unreachable(struct daemon *daemon, uint32_t contact, const char *why);

#endif
