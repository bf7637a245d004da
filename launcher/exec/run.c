/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/run.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/trace.h"
#include "plat/plat.h"
#include "process/group.h"
#include "text/memory.h"

uint64_t
exec_run_now_us(void)
{
    return cpi_clock_ns() / 1000;
}

/* --- notes --- */

static void
note_say(struct exec_run *run, const char *text)
{
    struct text line = {0};

    text_print(&line, "cpexec: %s\n", text);
    exec_output_say(&run->output, true, &line);
    text_release(&line);
}

void
exec_run_note(struct exec_run *run, const char *text)
{
    for (size_t i = 0; i < run->notes_count; i++) {
        if (strcmp(run->notes[i].text, text) == 0) {
            run->notes[i].count++;
            return;
        }
    }
    if (run->notes_count < EXEC_NOTES_MAX) {
        run->notes[run->notes_count].text = memory_copy_text(text);
        run->notes[run->notes_count++].count = 1;
    }
    note_say(run, text);
}

void
exec_run_notes_finish(struct exec_run *run)
{
    for (size_t i = 0; i < run->notes_count; i++) {
        struct text line = {0};
        text_print(&line, "%s (and %u more)", run->notes[i].text, run->notes[i].count - 1);
        if (run->notes[i].count > 1)
            note_say(run, line.bytes);
        text_release(&line);
        free(run->notes[i].text);
    }
    run->notes_count = 0;
}

/* --- what the job asks for --- */

static void
input_send(void *arg, uint32_t peer, const void *bytes, size_t count, bool eof)
{
    struct exec_run *run = arg;

    exec_run_send_stdin(&run->peers[peer], bytes, count, eof);
}

/* Standard input begins when there are ranks to read it, so that nothing is taken from it for a job
 * that doesn't start. */
static void
input_begin(struct exec_run *run)
{
    bool reads[EXEC_PEERS_MAX] = {false};
    int rank = run->options->stdin_rank;

    if (rank == CONTROL_STDIN_NONE)
        return;
    for (uint32_t i = 0; i < run->map->peers; i++)
        reads[i] = rank == CONTROL_STDIN_ALL ? run->map->peer_ranks[i] > 0
                                             : run->map->places[rank].peer == i;
    run->has_input = exec_input_init(&run->input, &run->loop, reads, run->map->peers, input_send,
                                     run) == 0;
    if (!run->has_input)
        exec_run_note(run, "standard input can't be read; ranks get none");
}

static void
maps_say(struct exec_run *run)
{
    struct text text = {0};

    if (run->options->json)
        exec_report_map(&text, &run->view);
    else if (run->options->display_map)
        exec_display_map(&text, &run->view);
    exec_output_say(&run->output, false, &text);
    text_clear(&text);
    if (run->options->report_bindings)
        exec_display_bindings(&text, &run->view);
    exec_output_say(&run->output, true, &text);
    text_release(&text);
}

static void
agents_kill(struct exec_run *run)
{
    for (uint32_t i = 0; i < run->map->peers; i++)
        if (run->job.peers[i] < EXEC_PEER_DONE)
            exec_run_peer_kill(&run->peers[i]);
}

static void
actions_do(struct exec_run *run, const struct exec_actions *actions)
{
    if (actions->start) {
        maps_say(run);
        exec_run_send_start(run);
        input_begin(run);
    }
    if (actions->signal != 0) {
        exec_run_send_signal(run, actions->signal);
        exec_run_send_signal(run, SIGCONT);  /* one that is stopped could not obey */
    }
    if (actions->end)
        exec_run_send_end(run, actions->kill);
    if (actions->kill_agents)
        agents_kill(run);
    if (actions->over && run->has_input)
        exec_input_close(&run->input);
}

int
exec_run_step(struct exec_run *run, struct exec_event *event)
{
    struct exec_actions actions;
    int result;

    event->now_us = exec_run_now_us();
    result = exec_job_step(&run->job, event, &actions);
    actions_do(run, &actions);
    /* Someone wants to see the end, and a reader that is stuck must not keep agents from theirs. */
    if (run->job.interrupted != 0 && run->job.state >= EXEC_JOB_KILLING)
        exec_output_set_generous(&run->output);
    exec_run_deadline_arm(run);
    exec_run_status_touch(run);
    exec_publish_look(&run->publish);
    return result;
}

/* --- output --- */

static void
on_credit(void *arg, uint32_t peer, uint64_t taken_bytes)
{
    struct exec_run *run = arg;

    exec_run_send_output_taken(&run->peers[peer], taken_bytes);
}

static void
on_output_failed(void *arg, int error, const char *what)
{
    struct exec_run *run = arg;
    struct exec_event event = {.type = EXEC_EVENT_OUTPUT_FAILED, .code = error, .text = what};

    if (run->job.state != EXEC_JOB_OVER) {
        exec_run_step(run, &event);
        return;
    }
    if (run->exit_code == 0)
        run->exit_code = error == EPIPE ? 128 + SIGPIPE : 1;
    if (error != EPIPE) {
        struct text text = {0};
        text_print(&text, "%s can't be written: %s", what, text_write_error(error));
        exec_run_note(run, text.bytes);
        text_release(&text);
    }
}

static const struct exec_output_hooks output_hooks = {
    .credit = on_credit,
    .failed = on_output_failed,
};

/* --- the end --- */

static void end_end(uv_timer_t *timer);

static void
cgroups_remove(struct exec_run *run)
{
    for (uint32_t i = 0; i < run->map->peers; i++) {
        struct exec_cgroup *group = &run->peers[i].agent.cgroup;
        struct text text = {0};

        if (group->directory == NULL)
            continue;
        if (group_remove(group->directory) != 0) {
            text_print(&text,
                            "the control group %s could not be removed: %s; the next cpexec with "
                            "shares removes it",
                            group->directory, strerror(errno));
            exec_run_note(run, text.bytes);
        }
        text_release(&text);
        exec_cgroup_release(group);
    }
}

/* While the job goes down, orphans of a lost agent need not wait for the others. */
static bool
an_agent_was_lost(const struct exec_run *run)
{
    for (uint32_t i = 0; i < run->map->peers; i++)
        if (run->job.peers[i] == EXEC_PEER_LOST)
            return true;
    return false;
}

/* The last words: nothing more comes from ranks. */
static void
drain_begin(struct exec_run *run)
{
    struct text failure = {0}, text = {0};

    run->phase = EXEC_RUN_DRAIN;
    cgroups_remove(run);
    if (run->options->sandbox.wanted && an_agent_was_lost(run))
        group_sweep();  /* of its sandbox; nothing lives in them any more */
    exec_output_set_status(&run->output, "");
    exec_output_finish(&run->output);
    exec_run_notes_finish(run);
    if (run->options->verbose)
        exec_trace_times(&text, &run->view, run->begun_us, exec_run_now_us());
    exec_output_say(&run->output, true, &text);
    text_clear(&text);
    if (run->exit_code == 0)
        run->exit_code = exec_job_exit_code(&run->job);
    exec_display_failure(&failure, &run->view);
    exec_output_say(&run->output, true, &failure);
    if (run->options->json) {
        struct exec_peer_report reports[EXEC_PEERS_MAX];
        for (uint32_t i = 0; i < run->map->peers; i++)
            reports[i] = run->peers[i].report;
        text_clear(&failure);
        exec_display_failure_plain(&failure, &run->view);
        exec_report_final(&text, &run->view, reports, exec_run_now_us() - run->begun_us,
                          run->exit_code, text_string(&failure));
        exec_output_say(&run->output, false, &text);
    }
    text_release(&failure);
    text_release(&text);
    if (run->job.interrupted != 0)
        uv_timer_start(&run->end, end_end, EXEC_RUN_DRAIN_MS, 0);
}

void
exec_run_drain_hurry(struct exec_run *run, int number)
{
    if (run->phase != EXEC_RUN_DRAIN)
        return;
    if (uv_is_active((uv_handle_t *)&run->end)) {
        uv_stop(&run->loop);
        return;
    }
    run->exit_code = 128 + number;
    uv_timer_start(&run->end, end_end, EXEC_RUN_DRAIN_MS, 0);
}

static bool
peers_are_gone(const struct exec_run *run)
{
    for (uint32_t i = 0; i < run->map->peers; i++)
        if (!run->peers[i].gone)
            return false;
    return true;
}

/* Kills what agents have left to us. True when no child of ours is left. */
static bool
sweep(struct exec_run *run)
{
    struct exec_agent agents[EXEC_PEERS_MAX];
    siginfo_t child;

    /* Looks only: what is to be reaped may be an agent, and children_reap must hear of it. */
    if (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD)
        return true;
    for (uint32_t i = 0; i < run->map->peers; i++)
        agents[i] = run->peers[i].agent;
    return exec_pool_kill_orphans(agents, run->map->peers) == 0;
}

void
exec_run_look(struct exec_run *run)
{
    if (run->phase == EXEC_RUN_JOB && an_agent_was_lost(run))
        sweep(run);
    if (run->phase == EXEC_RUN_JOB && run->job.state == EXEC_JOB_OVER && peers_are_gone(run)) {
        run->phase = EXEC_RUN_SWEEP;
        uv_timer_start(&run->end, end_end, EXEC_RUN_SWEEP_MS, 0);
    }
    if (run->phase == EXEC_RUN_SWEEP && sweep(run)) {
        uv_timer_stop(&run->end);
        drain_begin(run);
    }
}

static void
end_end(uv_timer_t *timer)
{
    struct exec_run *run = timer->data;

    if (run->phase == EXEC_RUN_SWEEP) {
        exec_run_note(run,
                      "processes that ranks started can't be killed (they wait in the kernel)");
        drain_begin(run);
    } else {
        uv_stop(&run->loop);
    }
}

/* --- before the loop sleeps --- */

static bool
streams_are_drained(const struct exec_run *run)
{
    for (uint32_t i = 0; i < run->map->peers; i++)
        if (run->peers[i].stream_open && control_stream_queued_bytes(&run->peers[i].stream) > 0)
            return false;
    return true;
}

/* Remote agents are told, for they would take the silence that follows for our end. */
static void
stop_self(struct exec_run *run)
{
    if (!streams_are_drained(run))
        return;
    for (uint32_t i = 0; i < run->map->peers; i++)
        if (run->peers[i].stream_open)
            control_stream_absent(&run->peers[i].stream);
    if (!streams_are_drained(run))
        return;
    run->stop_self = false;
    exec_output_set_status(&run->output, "");
    exec_output_flush(&run->output);
    raise(SIGSTOP);
}

static void
events_flush(struct exec_run *run)
{
    int error = exec_events_flush(&run->events);

    if (error != 0)
        on_output_failed(run, error, run->options->events_path);
}

/* Partial results have no credit of their own. When they come faster than our reader takes them,
 * agents are no longer read, and ranks that emit wait. Once a signal has come, getting to the end
 * counts more. */
static void
pause_or_go_on(struct exec_run *run)
{
    bool pause = exec_output_is_flooded(&run->output) && run->job.interrupted == 0;

    if (pause == run->paused)
        return;
    run->paused = pause;
    for (uint32_t i = 0; i < run->map->peers; i++)
        if (run->peers[i].stream_open)
            control_stream_pause(&run->peers[i].stream, pause);
}

static void
before_sleep(uv_prepare_t *prepare)
{
    struct exec_run *run = prepare->data;

    events_flush(run);
    exec_output_flush(&run->output);
    pause_or_go_on(run);
    if (run->stop_self)
        stop_self(run);
    if (run->job.state >= EXEC_JOB_KILLING)
        exec_run_peers_stop_dialing(run);
    if (run->phase == EXEC_RUN_DRAIN && !exec_output_is_blocked(&run->output))
        uv_stop(&run->loop);
}

static void
suspect_end(uv_timer_t *timer)
{
    struct exec_run *run = timer->data;

    for (uint32_t i = 0; i < run->map->peers; i++) {
        struct exec_event event = {.type = EXEC_EVENT_TROUBLE, .peer = i};

        if (run->peers[i].suspicion.used == 0 || run->job.state > EXEC_JOB_LEAVING)
            continue;
        event.text = run->peers[i].suspicion.bytes;
        exec_run_step(run, &event);
    }
    exec_run_look(run);
}

void
exec_run_suspect(struct exec_run *run)
{
    uv_timer_start(&run->suspect, suspect_end, EXEC_RUN_SUSPECT_MS, 0);
}

/* --- set-up --- */

static void
timer_init(struct exec_run *run, uv_timer_t *timer)
{
    uv_timer_init(&run->loop, timer);
    timer->data = run;
}

static void
names_make(struct exec_run *run)
{
    if (gethostname(run->host_name, sizeof(run->host_name) - 1) != 0)
        snprintf(run->host_name, sizeof(run->host_name), "localhost");
    for (uint32_t i = 0; i < run->map->peers; i++)
        run->peers[i].name = run->peer_names[i] =
            run->peers[i].remote != NULL ? memory_copy_text(run->peers[i].remote->name)
                                         : exec_map_peer_name(run->map, run->host_name, i);
}

static void
run_init(struct exec_run *run, const struct exec_options *options, const struct exec_map *map,
         const struct exec_image *images, char **environment, uint32_t cores,
         const struct exec_remotes *remotes)
{
    memset(run, 0, sizeof(*run));
    run->remotes = remotes;
    run->options = options;
    run->map = map;
    run->images = images;
    run->environment = environment;
    run->cores = cores;
    run->peers = memory_new(map->peers, sizeof(*run->peers));
    run->peer_names = memory_new(map->peers, sizeof(*run->peer_names));
    for (uint32_t i = 0; i < map->peers; i++) {
        run->peers[i].run = run;
        run->peers[i].index = i;
        run->peers[i].remote = remotes != NULL ? &remotes->list[i] : NULL;
        run->peers[i].agent.control_fd = -1;
        run->peers[i].agent.cgroup.lock_fd = -1;
    }
    names_make(run);
    if (getrandom(&run->id, sizeof(run->id), 0) != sizeof(run->id) ||
        getrandom(run->key, sizeof(run->key), 0) != sizeof(run->key))
        abort();  /* can't be for so few bytes (getrandom(2)) */
    if (remotes != NULL && remotes->job != 0)
        run->id = remotes->job;
    run->view = (struct exec_view){
        .options = options,
        .map = map,
        .peer_names = run->peer_names,
        .job = &run->job,
        .cores = cores,
        .id = run->id,
        .remote = remotes != NULL,
        .remotes = remotes,
    };
    run->begun_us = remotes != NULL && remotes->begun_us > 0 ? remotes->begun_us
                                                             : exec_run_now_us();
    exec_job_init(&run->job, map, options->timeout_us, exec_run_now_us());
}

static int
loop_init(struct exec_run *run, struct text *error)
{
    int status;

    uv_loop_init(&run->loop);
    uv_prepare_init(&run->loop, &run->prepare);
    run->prepare.data = run;
    uv_prepare_start(&run->prepare, before_sleep);
    timer_init(run, &run->deadline);
    timer_init(run, &run->suspect);
    timer_init(run, &run->status);
    timer_init(run, &run->end);
    for (uint32_t i = 0; i < run->map->peers; i++) {
        timer_init(run, &run->peers[i].leave);
        run->peers[i].leave.data = &run->peers[i];
    }
    status = exec_output_init(&run->output, &run->loop, run->options, run->map->ranks,
                              run->map->peers, &output_hooks, run);
    if (status == 0)
        status = exec_run_signals_init(run);
    if (status < 0)
        text_print(error, "the event loop can't be set up: %s", uv_strerror(status));
    run->status_wanted = isatty(STDERR_FILENO) && getenv("TERM") != NULL &&
                         strcmp(getenv("TERM"), "dumb") != 0;
    return status;
}

/* Unequal shares want a control group each. Where there can be none the job runs all the same. */
static void
shares_make(struct exec_run *run)
{
    struct group_base base;
    struct text why = {0}, note = {0};
    bool good;

    if (!run->options->weighted || run->remotes != NULL)
        return;
    good = exec_cgroup_base_init(&base, &why) == 0;
    for (uint32_t i = 0; good && i < run->map->peers; i++) {
        char name[48];
        snprintf(name, sizeof(name), "%016" PRIx64 "-%u", run->id, i);
        good = exec_cgroup_init(&run->peers[i].agent.cgroup, &base, name, run->map->millicores[i],
                                &why) == 0;
    }
    if (!good) {
        text_print(&note,
                        "CPU shares can't be enforced here, only ranks are placed by them: %s",
                        text_string(&why));
        exec_run_note(run, note.bytes);
        cgroups_remove(run);
    }
    group_base_release(&base);
    text_release(&why);
    text_release(&note);
}

/* Everything that can fail before ranks are there. 0, or -1 with `error`. */
static int
parts_start(struct exec_run *run, const char *notes, struct text *error)
{
    struct text text = {0};

    if (loop_init(run, error) != 0)
        return -1;
    text_add_string(&text, notes);
    if (run->options->verbose && run->remotes != NULL && run->remotes->formed_us > 0)
        exec_trace_formed(&text, &run->view);
    exec_output_say(&run->output, true, &text);
    text_release(&text);
    if (exec_events_init(&run->events, run->map->ranks, run->options->events_path,
                         run->options->json, error) != 0)
        return -1;
    if (exec_output_make_files(&run->output, error) != 0)
        return -1;
    exec_pool_init();
    if (run->remotes != NULL && run->remotes->state != NULL)
        exec_publish_init(&run->publish, &run->loop, &run->view, run->suspended);
    shares_make(run);
    exec_run_deadline_arm(run);
    return exec_run_peers_start(run, error);
}

/* --- and tear-down --- */

static void
handle_close(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void
loop_close(struct exec_run *run)
{
    if (run->has_input)
        exec_input_close(&run->input);
    exec_output_close(&run->output);
    for (uint32_t i = 0; run->remotes != NULL && i < run->map->peers; i++)
        if (!run->peers[i].reached)
            exec_publish_give_back(&run->publish, i);
    exec_publish_close(&run->publish);
    exec_run_peers_stop_dialing(run);
    for (uint32_t i = 0; i < run->map->peers; i++)
        if (run->peers[i].stream_open)
            control_stream_close(&run->peers[i].stream);
    uv_prepare_stop(&run->prepare);
    uv_walk(&run->loop, handle_close, NULL);
    uv_run(&run->loop, UV_RUN_DEFAULT);
    uv_loop_close(&run->loop);
}

static void
run_release(struct exec_run *run)
{
    for (uint32_t i = 0; i < run->map->peers; i++) {
        free(run->peers[i].name);
        free(run->peers[i].fabric_address);
        text_release(&run->peers[i].why);
        text_release(&run->peers[i].suspicion);
        if (run->peers[i].dialed)
            control_dial_release(&run->peers[i].dial);
    }
    free(run->peers);
    free(run->peer_names);
    exec_output_release(&run->output);
    exec_events_release(&run->events);
    exec_job_release(&run->job);
}

int
exec_run(const struct exec_options *options, const struct exec_map *map,
         const struct exec_image *images, char **environment, uint32_t cores,
         const struct exec_remotes *remotes, const char *notes)
{
    struct exec_run *run = memory_new(1, sizeof(*run));
    struct text error = {0};
    int code;

    run_init(run, options, map, images, environment, cores, remotes);
    if (parts_start(run, notes, &error) == 0) {
        uv_run(&run->loop, UV_RUN_DEFAULT);
    } else {
        exec_run_peers_drop(run);
        cgroups_remove(run);
        exec_run_note(run, text_string(&error));
        exec_output_flush(&run->output);
        run->exit_code = 1;
    }
    code = run->exit_code;
    loop_close(run);
    exec_run_notes_finish(run);
    run_release(run);
    text_release(&error);
    free(run);
    return code;
}
