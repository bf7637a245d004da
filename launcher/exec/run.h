/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_RUN_H
#define CPI_EXEC_RUN_H

/*
 * One job, run: the loop, the agents and their control streams, signals, and the parts that do the
 * work. All decisions are exec_job's; this drives it with what happens, and does what it says.
 *
 *   run.c           set-up, actions, the end
 *   run_messages.c  what agents say, and what is said to them
 *   run_peers.c     starting and ending agents, embedded ones (exec/pool.h) and remote ones
 *                   (exec/remote.h)
 *   run_signals.c   signals, children, timers
 *
 * The end has an order. The job is over; then agents are reaped; then orphans are killed and reaped
 * until no child is left; then groups are removed, and the last words go out; then stdout and
 * stderr have been written. Only then does cpexec exit, so that whoever waits for it finds nothing
 * left.
 */

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "control/dial.h"
#include "control/stream.h"
#include "exec/display.h"
#include "exec/events.h"
#include "exec/input.h"
#include "exec/job.h"
#include "exec/map.h"
#include "exec/options.h"
#include "exec/output.h"
#include "exec/pool.h"
#include "exec/programs.h"
#include "exec/publish.h"
#include "exec/remote.h"
#include "exec/report.h"

#define EXEC_RUN_LEAVE_MS 3000 /* an agent whose stream is closed has this long to exit */
#define EXEC_RUN_SWEEP_MS 5000 /* orphans that got SIGKILL have this long to be gone */
#define EXEC_RUN_DRAIN_MS                                                                          \
    2000 /* after a signal, what a slow reader doesn't take by then is dropped */
#define EXEC_RUN_SUSPECT_MS 300 /* for a lost agent to show, before the link to it is blamed */
#define EXEC_RUN_STATUS_MS 100  /* the status line changes no more often */

#define EXEC_SIGNALS_MAX 12
#define EXEC_NOTES_MAX   256       /* different texts that are counted; others are said each time */

/* A text that agents or ranks said. */
struct exec_note {
    char *text;
    uint32_t count;
};

struct exec_peer {
    struct exec_run *run;
    uint32_t index;
    const struct exec_remote *remote;  /* NULL: an embedded one, `agent` */
    struct exec_agent agent;
    struct control_dial dial;
    bool dialed, dialing;            /* the dial was started; its hook is still to come */
    struct control_stream stream;
    bool stream_open;
    bool reached;                    /* its stream was open once */
    bool gone;                       /* closed and reaped, and the job knows */
    char *name;
    unsigned char *fabric_address;   /* what it said in Ready */
    size_t fabric_address_bytes;
    struct text why;            /* why the stream closed */
    struct text suspicion;      /* another peer lost its link to this one */
    uv_timer_t leave;
    struct exec_peer_report report;
};

enum exec_run_phase {
    EXEC_RUN_JOB,      /* until the job is over and its agents are reaped */
    EXEC_RUN_SWEEP,    /* until no child is left */
    EXEC_RUN_DRAIN     /* until all is written */
};

struct exec_run {
    uv_loop_t loop;
    const struct exec_options *options;
    const struct exec_map *map;
    const struct exec_image *images;  /* [options->programs_count] */
    const struct exec_remotes *remotes;  /* NULL: the pool is embedded */
    char **environment;
    struct exec_view view;
    struct exec_job job;
    struct exec_peer *peers;          /* [map->peers] */
    char **peer_names;                /* [map->peers], the peers' own */
    char host_name[256];
    uint64_t id;
    unsigned char key[32];
    uint32_t cores;
    struct exec_output output;
    struct exec_events events;
    struct exec_publish publish;
    bool suspended[EXEC_PEERS_MAX];   /* peers by their owners */
    struct exec_input input;
    bool started, has_input;
    enum exec_run_phase phase;
    bool paused;                      /* agents' streams aren't read */
    uv_prepare_t prepare;
    uv_timer_t deadline, suspect, status, end;
    bool status_wanted, status_armed;
    uv_signal_t signals[EXEC_SIGNALS_MAX];
    size_t signals_count;
    bool stop_self;                   /* SIGTSTP: stop once ranks have been told */
    struct exec_note notes[EXEC_NOTES_MAX];
    size_t notes_count;
    uint64_t begun_us;
    int exit_code;
};

/* Runs the job; returns cpexec's exit code. `cores`: usable ones. `notes`: to be said before.
 * `remotes`: the agents of the map's peers, by index; NULL: it starts them here itself. */
int exec_run(const struct exec_options *options, const struct exec_map *map,
             const struct exec_image *images, char **environment, uint32_t cores,
             const struct exec_remotes *remotes, const char *notes);

/* --- between the files of run --- */

uint64_t exec_run_now_us(void);

/* Gives `event` (its time is set here) to the job, and does what the job says. */
int exec_run_step(struct exec_run *run, struct exec_event *event);

/* The job or its children have come further: maybe the next phase begins. */
void exec_run_look(struct exec_run *run);

/* A line for people on stderr, said once however often it comes. */
void exec_run_note(struct exec_run *run, const char *text);
void exec_run_notes_finish(struct exec_run *run);

/* A signal came while the last output waits for a slow reader: after the first a moment more, after
 * the second none. */
void exec_run_drain_hurry(struct exec_run *run, int number);

/* A peer has got a suspicion: blame its link, unless it turns out to be lost itself. */
void exec_run_suspect(struct exec_run *run);

void exec_run_send_setup(struct exec_peer *peer, uint32_t millicores);
void exec_run_send_start(struct exec_run *run);
void exec_run_send_signal(struct exec_run *run, int number);
void exec_run_send_end(struct exec_run *run, bool kill);
void exec_run_send_output_taken(struct exec_peer *peer, uint64_t bytes);
void exec_run_send_stdin(struct exec_peer *peer, const void *bytes, size_t count, bool eof);

extern const struct control_stream_hooks exec_run_stream_hooks;

int exec_run_signals_init(struct exec_run *run);

/* Starts the agents, or begins to connect to them. 0, or -1 with `error`. */
int exec_run_peers_start(struct exec_run *run, struct text *error);

/* Agents of a start that failed half-way: nothing runs below them yet. */
void exec_run_peers_drop(struct exec_run *run);

/* The job is over or on its way down: who isn't connected won't be. */
void exec_run_peers_stop_dialing(struct exec_run *run);

/* The agent doesn't answer: no more of it. */
void exec_run_peer_kill(struct exec_peer *peer);

/* A peer whose stream has closed and whose agent, if it is a child, is reaped: it is lost, or was
 * done. */
void exec_run_peer_look(struct exec_peer *peer);

/* Arms the timer for the job's deadline. */
void exec_run_deadline_arm(struct exec_run *run);

/* What the status line shows has changed. */
void exec_run_status_touch(struct exec_run *run);

#endif
