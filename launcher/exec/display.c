/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/display.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "ring/segment.h"
#include "text/visible.h"

#define BOX_COLUMNS  78
#define LIST_COLUMNS 50  /* of a list of ranks in the box; then "..." */

/* --- map --- */

void
exec_display_command(struct text *text, const struct exec_program *program, size_t limit)
{
    size_t start = text->used;

    for (size_t i = 0; program->argv[i] != NULL; i++) {
        if (text->used - start + strlen(program->argv[i]) + 1 > limit && i > 0) {
            text_add_string(text, " ...");
            return;
        }
        text_print(text, "%s%s", i > 0 ? " " : "", program->argv[i]);
    }
}

/* Ranks of `peer` from `rank` on that are neighbours and run the same program. */
static uint32_t
run_end(const struct exec_map *map, uint32_t rank)
{
    uint32_t end = rank + 1;

    while (end < map->ranks && map->places[end].peer == map->places[rank].peer &&
           map->places[end].program == map->places[rank].program)
        end++;
    return end;
}

/* "0-3,8" of one program on one peer; nothing when it has no rank there. */
static void
ranks_add(struct text *text, const struct exec_map *map, uint32_t peer, uint32_t program)
{
    size_t start = text->used;

    for (uint32_t rank = 0, end; rank < map->ranks; rank = end) {
        end = run_end(map, rank);
        if (map->places[rank].peer != peer || map->places[rank].program != program)
            continue;
        text_print(text, "%s%u", text->used > start ? "," : "", rank);
        if (end > rank + 1)
            text_print(text, "-%u", end - 1);
    }
}

static const char *
plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* How far away it is; agents of an embedded pool are here. */
static void
distance_add(struct text *text, const struct exec_view *view, uint32_t peer)
{
    uint32_t distance_us;

    if (view->remotes == NULL || view->remotes->state == NULL)
        return;
    distance_us = view->remotes->list[peer].distance_us;
    if (distance_us == 0)
        text_add_string(text, ", this machine");
    else if (distance_us != SELLER_DISTANCE_UNKNOWN)
        text_print(text, ", %.1f ms away", distance_us / 1000.0);
}

static void
map_add_peer(struct text *text, const struct exec_view *view, uint32_t peer)
{
    const struct exec_map *map = view->map;

    text_print(text, "  peer %u  %s, %.2f cores", peer, view->peer_names[peer],
                    map->millicores[peer] / 1000.0);
    distance_add(text, view, peer);
    text_print(text, ": %u rank%s\n", map->peer_ranks[peer], plural(map->peer_ranks[peer]));
    for (uint32_t program = 0; program < view->options->programs_count; program++) {
        struct text ranks = {0};
        ranks_add(&ranks, map, peer, program);
        if (ranks.used > 0) {
            text_print(text, "    rank%s %s: ", strpbrk(ranks.bytes, "-,") ? "s" : "",
                            ranks.bytes);
            exec_display_command(text, &view->options->programs[program], 50);
            text_add_string(text, "\n");
        }
        text_release(&ranks);
    }
}

void
exec_display_map(struct text *text, const struct exec_view *view)
{
    if (view->id != 0)
        text_print(text, "Map of job %016" PRIx64, view->id);
    else
        text_add_string(text, "Map of a job that is not launched");
    text_print(text, ": %u rank%s, %u peer%s, %u core%s\n", view->map->ranks,
                    plural(view->map->ranks), view->map->peers,
                    plural(view->map->peers), view->cores, plural(view->cores));
    for (uint32_t peer = 0; peer < view->map->peers; peer++)
        map_add_peer(text, view, peer);
}

void
exec_display_bindings(struct text *text, const struct exec_view *view)
{
    uint32_t last = view->map->ranks - 1;

    text_add_string(text, last > 0 ? "ranks 0-" : "rank ");
    text_print(text, "%u: not bound (free to run on all %u core%s)\n", last, view->cores,
                    plural(view->cores));
}

/* --- the box --- */

static void
place_add(struct text *text, const struct exec_view *view, uint32_t rank)
{
    uint32_t peer = view->map->places[rank].peer;

    text_print(text, "rank %u (peer %u, %s", rank, peer, view->peer_names[peer]);
    if (view->job->ranks[rank].pid != 0)
        text_print(text, ", pid %u", view->job->ranks[rank].pid);
    text_add_string(text, ")");
}

static void
program_add(struct text *text, const struct exec_view *view, uint32_t rank)
{
    text_add_string(text, "Program: ");
    exec_display_command(text, &view->options->programs[view->map->places[rank].program], 200);
    text_add_string(text, "\n");
}

/* Where to look for what the rank said itself. */
static void
own_messages_add(struct text *text, const struct exec_view *view, uint32_t rank)
{
    if (view->options->output_directory == NULL || view->options->output_copy) {
        text_add_string(text, "stand above");
        return;
    }
    text_add_string(text, "are in ");
    exec_options_rank_directory(view->options, view->map->ranks, rank, text);
}

static void
add_exit(struct text *text, const struct exec_view *view, const struct exec_failure *failure)
{
    place_add(text, view, failure->rank);
    text_print(text, " exited with code %d.\n", failure->code);
    program_add(text, view, failure->rank);
    text_add_string(text, "Its own messages, if it had any, ");
    own_messages_add(text, view, failure->rank);
    text_add_string(text, ".\n");
    if (failure->code == 127)
        text_add_string(text, "A program that lacks a library or a function exits so; cpmp(7) "
                                   "says which\npart of MPI is there.\n");
}

static const char *
signal_advice(int number)
{
    switch (number) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
        return "This is an error in the program; a debugger or -fsanitize=address finds it.";
    case SIGABRT:
        return "The program gave up itself.";
    case SIGKILL:
        return "Someone, or the kernel for lack of memory, killed it; dmesg tells of the latter.";
    case SIGXCPU:
        return "It reached its limit of CPU time (ulimit -t).";
    case SIGXFSZ:
        return "It reached its limit of file size (ulimit -f).";
    case SIGPIPE:
        return "It wrote to a pipe or socket whose other end was closed.";
    case SIGUSR1:
    case SIGUSR2:
        return "A program that has no handler for it ends; cpexec passes it on to all ranks.";
    default:
        return "Someone sent it this signal, or it did so itself.";
    }
}

static void
add_signaled(struct text *text, const struct exec_view *view,
             const struct exec_failure *failure)
{
    place_add(text, view, failure->rank);
    text_print(text, " was killed by signal %d (%s).\n", failure->code,
                    strsignal(failure->code));
    program_add(text, view, failure->rank);
    text_add_string(text, signal_advice(failure->code));
    if (failure->code == SIGABRT) {
        text_add_string(text, " Its own messages, if it had any, ");
        own_messages_add(text, view, failure->rank);
        text_add_string(text, ".");
    }
    text_add_string(text, "\n");
}

static void
add_left(struct text *text, const struct exec_view *view, const struct exec_failure *failure)
{
    place_add(text, view, failure->rank);
    text_add_string(text, " exited without leaving the job.\n");
    program_add(text, view, failure->rank);
    text_add_string(
        text, "It called MPI_Init or cpmp_init, but not MPI_Finalize or cpmp_end. Make sure "
              "that\nevery way out of the program does.\n");
}

/* The code and cpexec's own, which is one byte and never 0, and may be that of a lower rank. */
static void
abort_add_code(struct text *text, const struct exec_view *view, int code)
{
    int exit_code = exec_job_exit_code(view->job);

    if (code < 1 || code > 255)
        text_print(text, "; code %d is not within 1 to 255, so cpexec exits with %d.\n", code,
                        exit_code);
    else
        text_print(text, "; cpexec exits with %d.\n", exit_code);
}

/* The text of the rank says what it did, and nearly always which rank it was; what it doesn't know
 * follows. */
static void
add_abort(struct text *text, const struct exec_view *view, const struct exec_failure *failure)
{
    if (failure->text.used > 0) {
        text_add(text, failure->text.bytes, failure->text.used);
        if (failure->text.bytes[failure->text.used - 1] != '\n')
            text_add_string(text, "\n");
        text_add_string(text, "That was ");
        place_add(text, view, failure->rank);
    } else {
        place_add(text, view, failure->rank);
        text_add_string(text, " ended the job");
    }
    abort_add_code(text, view, failure->code);
    if (view->job->aborts > 1)
        text_print(text, "(and %u more rank%s did so too)\n", view->job->aborts - 1,
                        plural(view->job->aborts - 1));
}

static void
add_start_advice(struct text *text, const struct exec_failure *failure)
{
    if (strcmp(failure->what, "run") == 0 && failure->code == ENOEXEC)
        text_add_string(text,
                             "It is no program of this machine; a script's first line names its "
                             "interpreter,\nas in #!/bin/sh.\n");
    else if (strcmp(failure->what, "run") == 0 && failure->code == E2BIG)
        text_add_string(text,
                             "Arguments and environment are larger than the system allows (a "
                             "single one may\nhave 128 KiB, all together follow ulimit -s).\n");
    else if (strcmp(failure->what, "run") == 0 && failure->code == ENOENT)
        text_add_string(
            text, "If the file is there, then its interpreter (a script's first line) is "
                  "not.\n");
    else if (failure->code == EFBIG)
        text_add_string(text, "The memory that ranks share counts as a file: raise the limit "
                                   "(ulimit -f), or\nuse fewer ranks.\n");
    else if (failure->code == EAGAIN || failure->code == EMFILE || failure->code == ENOMEM)
        text_add_string(text,
                             "This machine has no room for so many ranks: use fewer, or raise its "
                             "limits\n(ulimit -u, ulimit -n).\n");
}

static void
add_start(struct text *text, const struct exec_view *view, const struct exec_failure *failure)
{
    place_add(text, view, failure->rank);
    text_add_string(text, " could not be started.\n");
    if (strcmp(failure->what, "run") == 0)
        text_print(text, "%s can't be run: %s.\n", text_string(&failure->text),
                        strerror(failure->code));
    else if (strcmp(failure->what, "directory") == 0)
        text_print(text, "Its directory %s can't be entered: %s.\n",
                        text_string(&failure->text), strerror(failure->code));
    else
        text_print(text, "What failed (%s): %s.\n", failure->what, strerror(failure->code));
    add_start_advice(text, failure);
}

typedef bool rank_choose(const struct exec_view *view, uint32_t rank, uint32_t peer);

/* Adds the ranks that `choose` takes, as "3,5-7", shortened when they are many; how many there
 * are. */
static uint32_t
chosen_add(struct text *text, const struct exec_view *view, rank_choose *choose, uint32_t peer)
{
    size_t begin = text->used;
    uint32_t count = 0;

    for (uint32_t rank = 0, end; rank < view->map->ranks; rank = end) {
        end = rank + 1;
        if (!choose(view, rank, peer))
            continue;
        while (end < view->map->ranks && choose(view, end, peer))
            end++;
        count += end - rank;
        if (text->used - begin > LIST_COLUMNS)
            continue;
        text_print(text, "%s%u", text->used > begin ? "," : "", rank);
        if (end > rank + 1)
            text_print(text, "-%u", end - 1);
        if (text->used - begin > LIST_COLUMNS)
            text_add_string(text, ",...");
    }
    return count;
}

static bool
rank_is_of_peer(const struct exec_view *view, uint32_t rank, uint32_t peer)
{
    return view->map->places[rank].peer == peer;
}

static bool
rank_is_late(const struct exec_view *view, uint32_t rank, uint32_t peer)
{
    (void)peer;
    return view->job->ranks[rank].late;
}

/* "with 3 ranks of this job (2-4)" */
static void
peer_ranks_add(struct text *text, const struct exec_view *view, uint32_t peer)
{
    struct text list = {0};
    uint32_t count = chosen_add(&list, view, rank_is_of_peer, peer);

    text_print(text, "with %u rank%s of this job", count, plural(count));
    if (count > 0)
        text_print(text, " (%s)", list.bytes);
    text_release(&list);
}

static void
add_peer(struct text *text, const struct exec_view *view, const struct exec_failure *failure)
{
    text_print(text, "Peer %u (%s) was lost, ", failure->peer, view->peer_names[failure->peer]);
    peer_ranks_add(text, view, failure->peer);
    text_print(text, ": %s.\n", text_string(&failure->text));
    if (view->remote)
        text_print(text, "Its machine or its agent (cpmp-agent) failed, or the network between. "
                         "Ranks there end\nthemselves. Run the job again.\n");
    else
        text_add_string(
            text, "Its agent (cpmp-agent) was killed or failed. Ranks that it left behind were "
                  "ended.\nRun the job again.\n");
}

static void
add_taken(struct text *text, const struct exec_view *view, const struct exec_failure *failure)
{
    text_print(text, "Peer %u (%s), ", failure->peer, view->peer_names[failure->peer]);
    peer_ranks_add(text, view, failure->peer);
    text_print(text, ", was taken away by its owner: %s.\nRun the job again.\n",
               text_string(&failure->text));
}

static void
add_ready(struct text *text, const struct exec_view *view, const struct exec_failure *failure)
{
    text_print(text, "The agent of peer %u (%s) did not come up: %s.\n", failure->peer,
                    view->peer_names[failure->peer], text_string(&failure->text));
    text_add_string(text, "No rank was started.\n");
}

static void
add_output(struct text *text, const struct exec_failure *failure)
{
    text_print(text, "%s can't be written: %s.\n", text_string(&failure->text),
                    text_write_error(failure->code));
    if (failure->code == ENOSPC || failure->code == EDQUOT)
        text_add_string(text, "Make room there, or write to another place.\n");
}

/* Who kept the job from ending: "Still running then: 2 of 8 ranks (3,5)." */
static void
late_add(struct text *text, const struct exec_view *view)
{
    struct text list = {0};
    uint32_t count = chosen_add(&list, view, rank_is_late, 0);

    text_print(text, "Still running then: %u of %u rank%s", count, view->map->ranks,
                    plural(view->map->ranks));
    if (count > 0 && count < view->map->ranks)
        text_print(text, " (%s)", list.bytes);
    text_add_string(text, ".\n");
    text_release(&list);
}

static void
add_timeout(struct text *text, const struct exec_view *view)
{
    text_print(text,
                    "The job ran for %g s, the limit that --timeout or MPIEXEC_TIMEOUT set.\n",
                    (double)view->options->timeout_us / 1e6);
    late_add(text, view);
    text_add_string(text, "Raise the limit if it needs more time.\n");
}

static void
failure_add(struct text *text, const struct exec_view *view,
            const struct exec_failure *failure)
{
    switch (failure->cause) {
    case EXEC_CAUSE_EXIT:
        add_exit(text, view, failure);
        break;
    case EXEC_CAUSE_SIGNALED:
        add_signaled(text, view, failure);
        break;
    case EXEC_CAUSE_LEFT:
        add_left(text, view, failure);
        break;
    case EXEC_CAUSE_ABORT:
        add_abort(text, view, failure);
        break;
    case EXEC_CAUSE_START:
        add_start(text, view, failure);
        break;
    case EXEC_CAUSE_READY:
        add_ready(text, view, failure);
        break;
    case EXEC_CAUSE_PEER:
        add_peer(text, view, failure);
        break;
    case EXEC_CAUSE_TAKEN:
        add_taken(text, view, failure);
        break;
    case EXEC_CAUSE_TROUBLE:
        text_print(text, "Peer %u (%s) can't go on: %s\n", failure->peer,
                        view->peer_names[failure->peer], text_string(&failure->text));
        break;
    case EXEC_CAUSE_OUTPUT:
        add_output(text, failure);
        break;
    case EXEC_CAUSE_TIMEOUT:
        add_timeout(text, view);
        break;
    case EXEC_CAUSE_INTERRUPT:
        text_print(text, "The job was ended by signal %d (%s).\n", failure->code,
                        strsignal(failure->code));
        break;
    case EXEC_CAUSE_NONE:
    case EXEC_CAUSE_READER:
        break;
    }
}

/* How many went with it, so that nobody wonders where the others are. */
static void
others_add(struct text *text, const struct exec_view *view, const struct exec_failure *failure)
{
    const struct exec_job *job = view->job;
    uint32_t own = failure->has_rank ? 1 : 0;
    uint32_t more = job->failures > own ? job->failures - own : 0;

    if (failure->cause == EXEC_CAUSE_ABORT)
        more = job->failures > job->aborts ? job->failures - job->aborts : 0;
    if (more > 0)
        text_print(text, "(and %u more rank%s failed)\n", more, plural(more));
}

/* Every rank ended by itself, in order, with the same code: a way of programs to tell their result.
 */
static bool
all_exited_alike(const struct exec_view *view)
{
    const struct exec_job *job = view->job;

    if (job->first.cause != EXEC_CAUSE_EXIT || job->failures != view->map->ranks)
        return false;
    for (uint32_t i = 0; i < view->map->ranks; i++)
        if (job->ranks[i].signaled || job->ranks[i].code != job->first.code ||
            job->ranks[i].stage == CPI_RANK_JOINED)
            return false;
    return true;
}

static void
alike_add(struct text *text, const struct exec_view *view)
{
    uint32_t ranks = view->map->ranks;

    if (ranks > 1)
        text_print(text, "all %u ranks", ranks);
    else
        text_add_string(text, "rank 0");
    text_print(text, " exited with code %d", view->job->first.code);
    if (view->options->programs_count == 1) {
        text_add_string(text, ": ");
        exec_display_command(text, &view->options->programs[0], 40);
    }
    text_add_string(text, "\n");
}

void
exec_display_failure_plain(struct text *text, const struct exec_view *view)
{
    size_t start = text->used;

    if (all_exited_alike(view)) {
        alike_add(text, view);
        text->bytes[start] -= 'a' - 'A';
        return;
    }
    failure_add(text, view, &view->job->first);
    if (text->used == start)
        return;
    if (text->bytes[start] == 'r')
        text->bytes[start] = 'R';  /* "rank 3 ..." begins a sentence here */
    others_add(text, view, &view->job->first);
}

void
exec_display_failure(struct text *text, const struct exec_view *view)
{
    struct text plain = {0};
    char rule[BOX_COLUMNS + 2];

    if (all_exited_alike(view)) {
        text_add_string(text, "cpexec: ");
        alike_add(text, view);
        return;
    }
    exec_display_failure_plain(&plain, view);
    memset(rule, '-', BOX_COLUMNS);
    memcpy(rule + BOX_COLUMNS, "\n", 2);
    if (plain.used > 0)
        text_print(text, "%s%s%s", rule, plain.bytes, rule);
    text_release(&plain);
}

/* --- the status line --- */

static void
progress_add(struct text *text, const struct exec_job *job)
{
    uint64_t done = 0, total = 0;
    uint32_t known = 0;

    for (uint32_t i = 0; i < job->map->ranks; i++) {
        done += job->ranks[i].progress_done;
        total += job->ranks[i].progress_total;
        known += job->ranks[i].progress_total > 0;
    }
    if (known > 0 && total >= done)
        text_print(text, " | %.0f %%", 100.0 * (double)done / (double)total);
    else if (done > 0)
        text_print(text, " | %" PRIu64 " done", done);
}

/* A tab would move the cursor. */
static void
status_clip(struct text *text, size_t columns)
{
    size_t width = 0, at = 0;

    while (at < text->used && width < columns) {
        unsigned char byte = (unsigned char)text->bytes[at];
        if (byte < 0x20)
            text->bytes[at] = ' ';
        width += (byte & 0xc0) != 0x80;
        at++;
    }
    while (at < text->used && ((unsigned char)text->bytes[at] & 0xc0) == 0x80)
        at++;
    text->used = at;
    if (text->bytes != NULL)
        text->bytes[at] = '\0';
}

void
exec_display_status(struct text *text, const struct exec_view *view, const char *latest,
                    size_t columns)
{
    const struct exec_job *job = view->job;

    text_clear(text);
    if (job->state == EXEC_JOB_STARTING)
        text_add_string(text, "starting");
    else
        text_print(text, "%u of %u rank%s running", job->running, view->map->ranks,
                        plural(view->map->ranks));
    progress_add(text, job);
    if (*latest != '\0') {
        text_add_string(text, " | ");
        text_visible_add(text, latest, strlen(latest));
    }
    status_clip(text, columns);
}
