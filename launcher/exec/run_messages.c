/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/run.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <cpmp.h>

#include "control/rules.h"
#include "exec/trace.h"
#include "text/memory.h"

/* --- said to agents --- */

static int
peer_send(struct exec_peer *peer, Cpmp__Control *message)
{
    return peer->stream_open ? control_stream_send(&peer->stream, message) : CPMP_ESTATE;
}

void
exec_run_send_setup(struct exec_peer *peer, uint32_t millicores)
{
    struct exec_run *run = peer->run;
    Cpmp__Control message = CPMP__CONTROL__INIT;
    Cpmp__Setup setup = CPMP__SETUP__INIT;

    setup.version = CONTROL_VERSION;
    setup.job = run->id;
    setup.key.data = run->key;
    setup.key.len = sizeof(run->key);
    setup.peer = peer->index;
    setup.peers = run->map->peers;
    setup.name = peer->name;
    setup.capacity_millicores = millicores;
    if (peer->remote == NULL)
        setup.listen = (char *)exec_agent_address(peer->index, run->environment);
    else if (peer->remote->listen != NULL)
        setup.listen = peer->remote->listen;
    if (peer->agent.cgroup.directory != NULL)
        setup.cgroup = peer->agent.cgroup.directory;
    if (peer->agent.cgroup.home != NULL)
        setup.home = peer->agent.cgroup.home;
    setup.sandbox = exec_sandbox_message(&run->options->sandbox, run->images,
                                         run->options->programs, run->options->programs_count);
    setup.encrypt = run->options->encrypt;
    message.body_case = CPMP__CONTROL__BODY_SETUP;
    message.setup = &setup;
    peer_send(peer, &message);
    exec_sandbox_message_free(setup.sandbox);
}

/* The parts of Start, which are the same for every agent. */
struct start_parts {
    Cpmp__Program *programs;
    Cpmp__Program **program_list;
    Cpmp__RankPlace *places;
    Cpmp__RankPlace **place_list;
    Cpmp__PeerInfo *peers;
    Cpmp__PeerInfo **peer_list;
};

static void
parts_set_programs(const struct exec_run *run, struct start_parts *parts)
{
    for (size_t i = 0; i < run->options->programs_count; i++) {
        Cpmp__Program *program = &parts->programs[i];
        char **argv = run->options->programs[i].argv;

        cpmp__program__init(program);
        program->argv = argv;
        while (argv[program->n_argv] != NULL)
            program->n_argv++;
        program->env = run->images[i].env;
        program->n_env = run->images[i].env_count;
        program->directory = run->images[i].directory;
        program->path = run->images[i].path;
        parts->program_list[i] = program;
    }
}

static void
parts_set_map(const struct exec_run *run, struct start_parts *parts)
{
    for (uint32_t i = 0; i < run->map->ranks; i++) {
        Cpmp__RankPlace *place = &parts->places[i];
        cpmp__rank_place__init(place);
        place->rank = i;
        place->peer = run->map->places[i].peer;
        place->program = run->map->places[i].program;
        parts->place_list[i] = place;
    }
    for (uint32_t i = 0; i < run->map->peers; i++) {
        Cpmp__PeerInfo *info = &parts->peers[i];
        cpmp__peer_info__init(info);
        info->name = run->peers[i].name;
        info->fabric_address.data = run->peers[i].fabric_address;
        info->fabric_address.len = run->peers[i].fabric_address_bytes;
        info->capacity_millicores = run->map->millicores[i];
        parts->peer_list[i] = info;
    }
}

static void
start_tell(struct exec_run *run, struct start_parts *parts)
{
    Cpmp__Control message = CPMP__CONTROL__INIT;
    Cpmp__Start start = CPMP__START__INIT;
    mode_t mask = umask(0);

    umask(mask);
    start.programs = parts->program_list;
    start.n_programs = run->options->programs_count;
    start.ranks = parts->place_list;
    start.n_ranks = run->map->ranks;
    start.peers = parts->peer_list;
    start.n_peers = run->map->peers;
    start.stdin_rank = run->options->stdin_rank;
    start.umask = mask;
    message.body_case = CPMP__CONTROL__BODY_START;
    message.start = &start;
    for (uint32_t i = 0; i < run->map->peers; i++) {
        if (peer_send(&run->peers[i], &message) == CPMP_ELIMIT) {
            struct exec_event event = {
                .type = EXEC_EVENT_TROUBLE,
                .peer = i,
                .text = "arguments, environment and map are too long together (1 MiB at most)",
            };
            exec_run_step(run, &event);
            return;
        }
    }
}

void
exec_run_send_start(struct exec_run *run)
{
    size_t programs = run->options->programs_count;
    uint32_t ranks = run->map->ranks, peers = run->map->peers;
    struct start_parts parts = {
        .programs = memory_new(programs, sizeof(*parts.programs)),
        .program_list = memory_new(programs, sizeof(*parts.program_list)),
        .places = memory_new(ranks, sizeof(*parts.places)),
        .place_list = memory_new(ranks, sizeof(*parts.place_list)),
        .peers = memory_new(peers, sizeof(*parts.peers)),
        .peer_list = memory_new(peers, sizeof(*parts.peer_list)),
    };

    parts_set_programs(run, &parts);
    parts_set_map(run, &parts);
    run->started = true;
    start_tell(run, &parts);
    free(parts.programs);
    free(parts.program_list);
    free(parts.places);
    free(parts.place_list);
    free(parts.peers);
    free(parts.peer_list);
}

void
exec_run_send_signal(struct exec_run *run, int number)
{
    Cpmp__Control message = CPMP__CONTROL__INIT;
    Cpmp__Signal signal = CPMP__SIGNAL__INIT;

    if (!run->started)
        return;
    signal.number = number;
    message.body_case = CPMP__CONTROL__BODY_SIGNAL;
    message.signal = &signal;
    for (uint32_t i = 0; i < run->map->peers; i++)
        if (run->job.peers[i] == EXEC_PEER_READY)
            peer_send(&run->peers[i], &message);
}

void
exec_run_send_end(struct exec_run *run, bool kill)
{
    Cpmp__Control message = CPMP__CONTROL__INIT;
    Cpmp__End end = CPMP__END__INIT;

    end.kill = kill;
    message.body_case = CPMP__CONTROL__BODY_END;
    message.end = &end;
    for (uint32_t i = 0; i < run->map->peers; i++)
        if (run->job.peers[i] < EXEC_PEER_DONE)
            peer_send(&run->peers[i], &message);
}

void
exec_run_send_output_taken(struct exec_peer *peer, uint64_t bytes)
{
    Cpmp__Control message = CPMP__CONTROL__INIT;
    Cpmp__OutputTaken taken = CPMP__OUTPUT_TAKEN__INIT;

    taken.bytes = bytes;
    message.body_case = CPMP__CONTROL__BODY_OUTPUT_TAKEN;
    message.output_taken = &taken;
    peer_send(peer, &message);
}

void
exec_run_send_stdin(struct exec_peer *peer, const void *bytes, size_t count, bool eof)
{
    Cpmp__Control message = CPMP__CONTROL__INIT;
    Cpmp__Stdin input = CPMP__STDIN__INIT;

    input.rank = peer->run->options->stdin_rank;
    input.data.data = (uint8_t *)bytes;
    input.data.len = count;
    input.eof = eof;
    message.body_case = CPMP__CONTROL__BODY_STDIN;
    message.stdin = &input;
    peer_send(peer, &message);
}

/* --- said by agents --- */

/* An agent that breaks the protocol has lost its mind; without its stream it ends its ranks. */
static void
peer_distrust(struct exec_peer *peer)
{
    text_add_string(&peer->why, "it broke the control protocol");
    control_stream_close(&peer->stream);
}

static bool
rank_is_of(const struct exec_peer *peer, uint32_t rank)
{
    const struct exec_map *map = peer->run->map;

    return rank < map->ranks && map->places[rank].peer == peer->index;
}

/* A line of --verbose, if it is wanted: about a rank, after the job has heard of it. */
static int
verbose_say(struct exec_peer *peer, int result, uint32_t rank,
            void (*trace)(struct text *text, const struct exec_view *view, uint32_t rank,
                          uint64_t begun_us))
{
    struct exec_run *run = peer->run;
    struct text text = {0};

    if (result != 0 || !run->options->verbose || !rank_is_of(peer, rank))
        return result;
    trace(&text, &run->view, rank, run->begun_us);
    exec_output_say(&run->output, true, &text);
    text_release(&text);
    return result;
}

static void
verbose_say_ready(struct exec_peer *peer, uint32_t pid)
{
    struct exec_run *run = peer->run;
    struct text text = {0};

    if (!run->options->verbose)
        return;
    exec_trace_agent(&text, &run->view, peer->index, (pid_t)pid,
                     exec_run_now_us() - run->begun_us);
    exec_output_say(&run->output, true, &text);
    text_release(&text);
}

static int
on_ready(struct exec_peer *peer, const Cpmp__Ready *ready)
{
    struct exec_run *run = peer->run;
    struct exec_event event = {.type = EXEC_EVENT_READY, .peer = peer->index};

    if (ready->version != CONTROL_VERSION) {
        text_print(&peer->why,
                        "it is of another version (%u, not %u); install cpexec and cpmp-agent "
                        "together",
                        ready->version, CONTROL_VERSION);
        control_stream_close(&peer->stream);
        return 0;
    }
    if (run->job.peers[peer->index] != EXEC_PEER_STARTING)
        return -1;
    peer->fabric_address_bytes = ready->fabric_address.len;
    peer->fabric_address = memory_new(ready->fabric_address.len, 1);
    if (ready->fabric_address.len > 0)
        memcpy(peer->fabric_address, ready->fabric_address.data, ready->fabric_address.len);
    if (peer->remote == NULL && *ready->host != '\0' && strcmp(ready->host, run->host_name) != 0) {
        free(peer->name);
        peer->name = run->peer_names[peer->index] = memory_copy_text(ready->host);
    }
    verbose_say_ready(peer, ready->pid);
    return exec_run_step(run, &event);
}

static int
on_started(struct exec_peer *peer, const Cpmp__Started *started)
{
    struct exec_event event = {
        .type = EXEC_EVENT_STARTED,
        .peer = peer->index,
        .rank = started->rank,
        .pid = started->pid,
    };

    return verbose_say(peer, exec_run_step(peer->run, &event), started->rank,
                       exec_trace_started);
}

static int
on_start_failed(struct exec_peer *peer, const Cpmp__StartFailed *failed)
{
    struct exec_event event = {
        .type = EXEC_EVENT_START_FAILED,
        .peer = peer->index,
        .rank = failed->rank,
        .code = failed->error_number,
        .what = failed->what,
        .text = failed->program,
    };

    return exec_run_step(peer->run, &event);
}

static int
on_exited(struct exec_peer *peer, const Cpmp__Exited *exited)
{
    struct exec_event event = {
        .type = EXEC_EVENT_EXITED,
        .peer = peer->index,
        .rank = exited->rank,
        .pid = exited->pid,
        .signaled = exited->signaled,
        .code = exited->code,
        .stage = exited->stage,
        .ended = exited->ended,
        .cpu_us = exited->cpu_us,
        .max_rss_kib = exited->max_rss_kib,
    };

    return verbose_say(peer, exec_run_step(peer->run, &event), exited->rank, exec_trace_exited);
}

static int
on_abort(struct exec_peer *peer, const Cpmp__Abort *abort)
{
    struct exec_event event = {
        .type = EXEC_EVENT_ABORT,
        .peer = peer->index,
        .rank = abort->rank,
        .code = abort->code,
        .text = abort->text,
    };

    return exec_run_step(peer->run, &event);
}

static int
on_trouble(struct exec_peer *peer, const Cpmp__Trouble *trouble)
{
    struct exec_run *run = peer->run;

    if (trouble->severity >= CONTROL_TROUBLE_FATAL) {
        struct exec_event event = {
            .type = EXEC_EVENT_TROUBLE,
            .peer = peer->index,
            .text = trouble->text,
        };
        return exec_run_step(run, &event);
    }
    if (trouble->severity == CONTROL_TROUBLE_WARNING || run->options->verbose)
        exec_run_note(run, trouble->text);
    return 0;
}

static int
on_output(struct exec_peer *peer, const Cpmp__Output *output)
{
    if (!rank_is_of(peer, output->rank) || output->stream < 1 || output->stream > 2)
        return -1;
    exec_output_take(&peer->run->output, peer->index, output->rank, output->stream,
                     output->data.data, output->data.len, output->eof);
    return 0;
}

static int
on_stdin_taken(struct exec_peer *peer, const Cpmp__StdinTaken *taken)
{
    struct exec_run *run = peer->run;

    if (!run->has_input)
        return 0;
    return exec_input_taken(&run->input, peer->index, taken->bytes, taken->closed);
}

static int
on_event(struct exec_peer *peer, const Cpmp__Event *message)
{
    struct exec_run *run = peer->run;
    struct text text = {0};
    struct timeval now;
    struct exec_emitted emitted = {
        .rank = message->rank,
        .sequence = message->sequence,
        .topic = message->topic,
        .bytes = message->data.data,
        .count = message->data.len,
        .is_text = message->is_text,
    };

    if (!rank_is_of(peer, message->rank))
        return -1;
    gettimeofday(&now, NULL);
    emitted.time_s = (double)now.tv_sec + (double)now.tv_usec / 1e6;
    exec_events_take(&run->events, &emitted, &text);
    exec_output_say(&run->output, false, &text);
    text_release(&text);
    exec_run_status_touch(run);
    return 0;
}

static int
on_progress(struct exec_peer *peer, const Cpmp__Progress *progress)
{
    struct exec_rank *rank;

    if (!rank_is_of(peer, progress->rank))
        return -1;
    rank = &peer->run->job.ranks[progress->rank];
    rank->progress_done = progress->done;
    rank->progress_total = progress->total;
    exec_run_status_touch(peer->run);
    return 0;
}

/* The other agent may be dead, and then its own end says more: wait for that a moment. */
static int
on_peer_lost(struct exec_peer *peer, const Cpmp__PeerLost *lost)
{
    struct exec_run *run = peer->run;
    struct exec_peer *other;

    if (lost->peer >= run->map->peers)
        return -1;
    other = &run->peers[lost->peer];
    if (run->job.state > EXEC_JOB_LEAVING || other->suspicion.used > 0)
        return 0;
    text_print(&other->suspicion, "peer %u (%s) lost its connection to it: %s", peer->index,
                    peer->name, lost->why);
    exec_run_suspect(run);
    return 0;
}

/* What the owner of a peer decides, in words. */
static void
owner_note(struct exec_peer *peer, bool suspends, const char *reason)
{
    struct text text = {0};

    text_print(&text, "peer %u (%s) %s%s%s", peer->index, peer->name,
               suspends ? "suspends its ranks" : "goes on with its ranks",
               *reason != '\0' ? ": " : "", reason);
    exec_run_note(peer->run, text.bytes);
    peer->run->suspended[peer->index] = suspends;
    exec_publish_look(&peer->run->publish);
    text_release(&text);
}

static int
on_taken_away(struct exec_peer *peer, const Cpmp__TakenAway *taken)
{
    struct exec_event event = {.type = EXEC_EVENT_TAKEN_AWAY, .peer = peer->index,
                               .text = taken->reason};

    return exec_run_step(peer->run, &event);
}

static int
on_done(struct exec_peer *peer, const Cpmp__Done *done)
{
    struct exec_event event = {.type = EXEC_EVENT_DONE, .peer = peer->index};
    int result;

    peer->report = (struct exec_peer_report){
        .frames_out = done->frames_out,
        .frames_in = done->frames_in,
        .bytes_out = done->bytes_out,
        .bytes_in = done->bytes_in,
        .batches_out = done->batches_out,
        .strangers = done->strangers,
    };
    if (*done->litter != '\0') {
        struct text text = {0};
        text_print(&text, "left behind on peer %u (%s): %s", peer->index, peer->name,
                        done->litter);
        exec_run_note(peer->run, text.bytes);
        text_release(&text);
    }
    result = exec_run_step(peer->run, &event);
    if (result == 0)
        control_stream_finish(&peer->stream);
    return result;
}

static int
message_handle(struct exec_peer *peer, const Cpmp__Control *message)
{
    switch (message->body_case) {
    case CPMP__CONTROL__BODY_READY:
        return on_ready(peer, message->ready);
    case CPMP__CONTROL__BODY_STARTED:
        return on_started(peer, message->started);
    case CPMP__CONTROL__BODY_START_FAILED:
        return on_start_failed(peer, message->start_failed);
    case CPMP__CONTROL__BODY_STDIN_TAKEN:
        return on_stdin_taken(peer, message->stdin_taken);
    case CPMP__CONTROL__BODY_OUTPUT:
        return on_output(peer, message->output);
    case CPMP__CONTROL__BODY_EVENT:
        return on_event(peer, message->event);
    case CPMP__CONTROL__BODY_PROGRESS:
        return on_progress(peer, message->progress);
    case CPMP__CONTROL__BODY_EXITED:
        return on_exited(peer, message->exited);
    case CPMP__CONTROL__BODY_ABORT:
        return on_abort(peer, message->abort);
    case CPMP__CONTROL__BODY_PEER_LOST:
        return on_peer_lost(peer, message->peer_lost);
    case CPMP__CONTROL__BODY_TROUBLE:
        return on_trouble(peer, message->trouble);
    case CPMP__CONTROL__BODY_DONE:
        return on_done(peer, message->done);
    case CPMP__CONTROL__BODY_SUSPENDED:
        owner_note(peer, true, message->suspended->reason);
        return 0;
    case CPMP__CONTROL__BODY_RESUMED:
        owner_note(peer, false, "");
        return 0;
    case CPMP__CONTROL__BODY_TAKEN_AWAY:
        return on_taken_away(peer, message->taken_away);
    default:
        return -1;
    }
}

static void
on_message(void *arg, Cpmp__Control *message)
{
    struct exec_peer *peer = arg;

    if (message_handle(peer, message) != 0)
        peer_distrust(peer);
}

static void
on_closed(void *arg, int error, const char *why)
{
    struct exec_peer *peer = arg;

    peer->stream_open = false;
    /* CPMP_OK: it is gone, and how it went says more. CPMP_ECANCELED: we closed, and said why. */
    if (error != CPMP_OK && error != CPMP_ECANCELED && peer->why.used == 0)
        text_print(&peer->why, error == CPMP_EPEER ? "it is %s" : "its control stream failed: %s",
                   why);
    exec_run_peer_look(peer);
}

const struct control_stream_hooks exec_run_stream_hooks = {
    .on_message = on_message,
    .on_closed = on_closed,
};
