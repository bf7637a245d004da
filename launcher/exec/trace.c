/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/trace.h"

#include <string.h>

static double
seconds(uint64_t from_us, uint64_t to_us)
{
    return to_us > from_us ? (double)(to_us - from_us) / 1e6 : 0.0;
}

static void
rank_add(struct text *text, const struct exec_view *view, uint32_t rank, double at_s)
{
    uint32_t peer = view->map->places[rank].peer;

    text_print(text, "cpexec: %.3f s: rank %u (peer %u, %s, pid %u) ", at_s, rank, peer,
                    view->peer_names[peer], view->job->ranks[rank].pid);
}

void
exec_trace_formed(struct text *text, const struct exec_view *view)
{
    const struct exec_remotes *remotes = view->remotes;

    text_print(text, "cpexec: %.3f s: %u peer%s of the pool hold%s %u rank%s for the job\n",
               seconds(remotes->begun_us, remotes->formed_us), remotes->count,
               remotes->count == 1 ? "" : "s", remotes->count == 1 ? "s" : "", view->map->ranks,
               view->map->ranks == 1 ? "" : "s");
}

void
exec_trace_agent(struct text *text, const struct exec_view *view, uint32_t peer, pid_t pid,
                 uint64_t since_us)
{
    uint32_t ranks = view->map->peer_ranks[peer];

    text_print(text,
                    "cpexec: %.3f s: the agent of peer %u (%s, pid %d) is ready: %.2f cores, %u "
                    "rank%s to start\n",
                    seconds(0, since_us), peer, view->peer_names[peer], (int)pid,
                    view->map->millicores[peer] / 1000.0, ranks, ranks == 1 ? "" : "s");
}

void
exec_trace_started(struct text *text, const struct exec_view *view, uint32_t rank,
                   uint64_t begun_us)
{
    rank_add(text, view, rank, seconds(begun_us, view->job->ranks[rank].started_us));
    text_add_string(text, "has started\n");
}

void
exec_trace_exited(struct text *text, const struct exec_view *view, uint32_t index,
                  uint64_t begun_us)
{
    const struct exec_rank *rank = &view->job->ranks[index];

    rank_add(text, view, index, seconds(begun_us, rank->ended_us));
    if (rank->signaled)
        text_print(text, "was killed by signal %d (%s)", rank->code, strsignal(rank->code));
    else
        text_print(text, "exited with code %d", rank->code);
    text_print(text, " after %.3f s, %.3f s of them on a core\n",
                    seconds(rank->started_us, rank->ended_us), (double)rank->cpu_us / 1e6);
}

static uint64_t
later(uint64_t one, uint64_t other)
{
    return one > other ? one : other;
}

void
exec_trace_times(struct text *text, const struct exec_view *view, uint64_t begun_us,
                 uint64_t now_us)
{
    uint64_t started_us = 0, ended_us = 0;

    for (uint32_t i = 0; i < view->map->ranks; i++) {
        started_us = later(started_us, view->job->ranks[i].started_us);
        ended_us = later(ended_us, view->job->ranks[i].ended_us);
    }
    if (started_us == 0) {
        text_print(text, "cpexec: %.3f s: no rank has started\n", seconds(begun_us, now_us));
        return;
    }
    ended_us = later(ended_us, started_us);
    text_print(text, "cpexec: %.3f s: start-up took %.3f s, the run %.3f s, the end %.3f s\n",
                    seconds(begun_us, now_us), seconds(begun_us, started_us),
                    seconds(started_us, ended_us), seconds(ended_us, now_us));
}
