/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "text/json.h"

static void
head_add(struct text *text, const struct exec_view *view, const char *type)
{
    char id[24];

    json_open(text, NULL, '{');
    json_string(text, "type", type);
    if (view->id == 0)
        return;
    snprintf(id, sizeof(id), "%016" PRIx64, view->id);  /* 64 bits are too many for a JSON number */
    json_string(text, "job", id);
}

static void
map_add_programs(struct text *text, const struct exec_options *options)
{
    json_open(text, "programs", '[');
    for (size_t i = 0; i < options->programs_count; i++) {
        json_open(text, NULL, '{');
        json_open(text, "argv", '[');
        for (char **word = options->programs[i].argv; *word != NULL; word++)
            json_string(text, NULL, *word);
        json_close(text, ']');
        json_close(text, '}');
    }
    json_close(text, ']');
}

/* Who and how far away the peer of a pool is. */
static void
remote_add(struct text *text, const struct exec_view *view, uint32_t index)
{
    const struct exec_remote *remote;
    char id[2 * SELLER_ID_BYTES + 1];

    if (view->remotes == NULL || view->remotes->state == NULL)
        return;
    remote = &view->remotes->list[index];
    for (size_t i = 0; i < SELLER_ID_BYTES; i++)
        snprintf(id + 2 * i, 3, "%02x", remote->id[i]);
    json_string(text, "id", id);
    if (remote->distance_us != SELLER_DISTANCE_UNKNOWN)
        json_number(text, "distance_us", remote->distance_us);
}

static void
map_add_peers(struct text *text, const struct exec_view *view)
{
    json_open(text, "peers", '[');
    for (uint32_t i = 0; i < view->map->peers; i++) {
        json_open(text, NULL, '{');
        json_number(text, "peer", i);
        json_string(text, "name", view->peer_names[i]);
        remote_add(text, view, i);
        json_decimal(text, "cores", view->map->millicores[i] / 1000.0, 3);
        json_number(text, "ranks", view->map->peer_ranks[i]);
        json_close(text, '}');
    }
    json_close(text, ']');
}

void
exec_report_map(struct text *text, const struct exec_view *view)
{
    head_add(text, view, "map");
    json_number(text, "cores", view->cores);
    map_add_programs(text, view->options);
    map_add_peers(text, view);
    json_open(text, "ranks", '[');
    for (uint32_t i = 0; i < view->map->ranks; i++) {
        json_open(text, NULL, '{');
        json_number(text, "rank", i);
        json_number(text, "peer", view->map->places[i].peer);
        json_number(text, "program", view->map->places[i].program);
        json_close(text, '}');
    }
    json_close(text, ']');
    json_close(text, '}');
    text_add_string(text, "\n");
}

static const char *
cause_name(enum exec_cause cause)
{
    switch (cause) {
    case EXEC_CAUSE_NONE:
        return "none";
    case EXEC_CAUSE_EXIT:
        return "exit";
    case EXEC_CAUSE_SIGNALED:
        return "signal";
    case EXEC_CAUSE_LEFT:
        return "left";
    case EXEC_CAUSE_ABORT:
        return "abort";
    case EXEC_CAUSE_START:
        return "start";
    case EXEC_CAUSE_READY:
    case EXEC_CAUSE_PEER:
        return "peer";
    case EXEC_CAUSE_TAKEN:
        return "taken";
    case EXEC_CAUSE_TROUBLE:
        return "trouble";
    case EXEC_CAUSE_OUTPUT:
    case EXEC_CAUSE_READER:
        return "output";
    case EXEC_CAUSE_TIMEOUT:
        return "timeout";
    case EXEC_CAUSE_INTERRUPT:
        return "interrupt";
    }
    return "unknown";
}

static const char *
rank_state_name(const struct exec_rank *rank)
{
    switch (rank->state) {
    case EXEC_RANK_EXITED:
        return rank->signaled ? "killed" : "exited";
    case EXEC_RANK_LOST:
        return "lost";
    case EXEC_RANK_RUNNING:
        return "running";
    case EXEC_RANK_WAITING:
    case EXEC_RANK_UNSTARTED:
        break;
    }
    return "unstarted";
}

/* Nothing for those who never called cpmp_progress. */
static void
progress_add(struct text *text, uint64_t done, uint64_t total)
{
    if (done == 0 && total == 0)
        return;
    json_open(text, "progress", '{');
    json_number(text, "done", done);
    json_number(text, "total", total);
    json_close(text, '}');
}

static void
report_add_progress(struct text *text, const struct exec_view *view)
{
    uint64_t done = 0, total = 0;

    for (uint32_t i = 0; i < view->map->ranks; i++) {
        done += view->job->ranks[i].progress_done;
        total += view->job->ranks[i].progress_total;
    }
    progress_add(text, done, total);
}

static void
report_add_rank(struct text *text, const struct exec_view *view, uint32_t index)
{
    const struct exec_rank *rank = &view->job->ranks[index];

    json_open(text, NULL, '{');
    json_number(text, "rank", index);
    json_number(text, "peer", view->map->places[index].peer);
    json_number(text, "pid", rank->pid);
    json_string(text, "state", rank_state_name(rank));
    if (rank->state == EXEC_RANK_EXITED)
        json_number(text, rank->signaled ? "signal" : "exit_code", (uint64_t)rank->code);
    json_bool(text, "failed", rank->failed);
    json_decimal(text, "cpu_s", (double)rank->cpu_us / 1e6, 6);
    json_number(text, "max_rss_kib", rank->max_rss_kib);
    progress_add(text, rank->progress_done, rank->progress_total);
    json_close(text, '}');
}

static void
report_add_peer(struct text *text, const struct exec_view *view, uint32_t index,
                const struct exec_peer_report *peer)
{
    json_open(text, NULL, '{');
    json_number(text, "peer", index);
    json_string(text, "name", view->peer_names[index]);
    remote_add(text, view, index);
    json_bool(text, "lost", view->job->peers[index] == EXEC_PEER_LOST);
    json_number(text, "frames_out", peer->frames_out);
    json_number(text, "frames_in", peer->frames_in);
    json_number(text, "bytes_out", peer->bytes_out);
    json_number(text, "bytes_in", peer->bytes_in);
    json_number(text, "batches_out", peer->batches_out);
    json_number(text, "strangers", peer->strangers);
    json_close(text, '}');
}

void
exec_report_final(struct text *text, const struct exec_view *view,
                  const struct exec_peer_report *peers, uint64_t wall_us, int exit_code,
                  const char *text_of_failure)
{
    head_add(text, view, "report");
    json_number(text, "exit_code", (uint64_t)exit_code);
    json_string(text, "cause", cause_name(view->job->first.cause));
    if (view->job->first.has_rank)
        json_number(text, "cause_rank", view->job->first.rank);
    if (*text_of_failure != '\0')
        json_string(text, "message", text_of_failure);
    json_decimal(text, "wall_s", (double)wall_us / 1e6, 6);
    report_add_progress(text, view);
    json_open(text, "ranks", '[');
    for (uint32_t i = 0; i < view->map->ranks; i++)
        report_add_rank(text, view, i);
    json_close(text, ']');
    json_open(text, "peers", '[');
    for (uint32_t i = 0; i < view->map->peers; i++)
        report_add_peer(text, view, i, &peers[i]);
    json_close(text, ']');
    json_close(text, '}');
    text_add_string(text, "\n");
}
