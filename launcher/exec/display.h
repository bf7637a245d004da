/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_DISPLAY_H
#define CPI_EXEC_DISPLAY_H

/*
 * What the launcher shows people: the map, the box that tells what went wrong, the status line.
 * Pure: text out of what is known.
 */

#include <stddef.h>
#include <stdint.h>

#include "exec/job.h"
#include "exec/map.h"
#include "exec/options.h"
#include "exec/remote.h"
#include "text/text.h"

/* What displays and reports are about. Borrowed. */
struct exec_view {
    const struct exec_options *options;
    const struct exec_map *map;
    char *const *peer_names;       /* [map->peers] */
    const struct exec_job *job;    /* NULL before there is one */
    const struct exec_remotes *remotes;  /* peers of a pool; NULL: embedded */
    uint32_t cores;
    uint64_t id;                   /* the job's; 0: it isn't launched, and has none */
    bool remote;                   /* peers are other machines, not agents that cpexec started */
};

void exec_display_map(struct text *text, const struct exec_view *view);

void exec_display_bindings(struct text *text, const struct exec_view *view);

/* The one box about the job's first failure: what happened, where, what to do; or a line, when
 * every rank went in the same orderly way. Nothing when there was none, or when there is nobody to
 * tell (nobody reads our output). */
void exec_display_failure(struct text *text, const struct exec_view *view);

/* The same text without what frames it, for programs. */
void exec_display_failure_plain(struct text *text, const struct exec_view *view);

/* At most `columns` wide: ranks running, progress, `latest` (the last partial result; may be "").
 */
void exec_display_status(struct text *text, const struct exec_view *view, const char *latest,
                         size_t columns);

/* Words of a program as a person would type them, cut at about `limit` bytes. */
void exec_display_command(struct text *text, const struct exec_program *program, size_t limit);

#endif
