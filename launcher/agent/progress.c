/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/progress.h"

#include <stdlib.h>

#include <cpmp.h>

#include "agent/report.h"

void
progress_tell(struct progress *progress, uint32_t index)
{
    const struct cpi_rank_block *block = &progress->segment->ranks[index];
    struct progress_told *told = &progress->told[index];
    uint64_t done = atomic_load_explicit(&block->done, memory_order_relaxed);
    uint64_t total = atomic_load_explicit(&block->total, memory_order_relaxed);

    if (done == told->done && total == told->total)
        return;
    told->done = done;
    told->total = total;
    report_progress(progress->stream, block->world_rank, done, total);
}

static void
progress_look(struct progress *progress, uint64_t now_ms)
{
    uint32_t local = progress->segment->header->local;

    progress->due_ms = now_ms + PROGRESS_INTERVAL_MS;
    uv_timer_stop(&progress->timer);
    if (!control_stream_has_room(progress->stream))
        return;
    for (uint32_t i = 0; i < local; i++) {
        atomic_exchange(&progress->segment->ranks[i].progress_new, 0);
        progress_tell(progress, i);
    }
}

static void
on_timer(uv_timer_t *timer)
{
    progress_look(timer->data, uv_now(timer->loop));
}

/* Runs once per turn of the loop. What woke it so soon after the last look may have been a change:
 * then a timer sees to it that there is one more look, and if that is all, no further. */
static void
on_check(uv_check_t *check)
{
    struct progress *progress = check->data;
    uint64_t now_ms = uv_now(check->loop);

    if (now_ms >= progress->due_ms)
        progress_look(progress, now_ms);
    else if (!uv_is_active((uv_handle_t *)&progress->timer))
        uv_timer_start(&progress->timer, on_timer, progress->due_ms - now_ms, 0);
}

int
progress_init(struct progress *progress, uv_loop_t *loop, struct control_stream *stream,
              const struct cpi_segment *segment)
{
    uint32_t local = segment->header->local;

    progress->told = calloc(local ? local : 1, sizeof(*progress->told));
    if (progress->told == NULL)
        return CPMP_ENOMEM;
    progress->stream = stream;
    progress->segment = segment;
    progress->due_ms = 0;
    uv_check_init(loop, &progress->check);
    uv_timer_init(loop, &progress->timer);
    progress->check.data = progress;
    progress->timer.data = progress;
    uv_check_start(&progress->check, on_check);
    return CPMP_OK;
}

void
progress_release(struct progress *progress)
{
    free(progress->told);
    progress->told = NULL;
}
