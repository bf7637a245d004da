/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/events.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exec/file.h"
#include "text/json.h"
#include "text/memory.h"

int
exec_events_init(struct exec_events *events, uint32_t ranks, const char *path, bool json,
                 struct text *error)
{
    const char *why;

    memset(events, 0, sizeof(*events));
    events->last = memory_new(ranks, sizeof(*events->last));
    events->ranks = ranks;
    events->typed = json;
    events->json = json || (path != NULL && strcmp(path, "-") == 0);
    events->fd = -1;
    if (path == NULL || strcmp(path, "-") == 0)
        return 0;
    events->fd = exec_file_make(path, &why);
    if (events->fd >= 0)
        return 0;
    text_print(error, "--events %s: the file can't be made: %s", path, why);
    return -1;
}

void
exec_events_release(struct exec_events *events)
{
    if (events->fd >= 0)
        close(events->fd);
    free(events->last);
    text_release(&events->queue);
    text_release(&events->latest);
}

void
exec_event_print_json(struct text *text, const struct exec_emitted *emitted, bool with_type)
{
    json_open(text, NULL, '{');
    if (with_type)
        json_string(text, "type", "event");
    json_number(text, "rank", emitted->rank);
    json_number(text, "sequence", emitted->sequence);
    json_string(text, "topic", emitted->topic);
    json_bytes(text, emitted->bytes, emitted->count, emitted->is_text);
    json_decimal(text, "time", emitted->time_s, 6);
    json_close(text, '}');
    text_add_string(text, "\n");
}

/* A text of several lines gets the rank and topic on each. */
void
exec_event_print(struct text *text, const struct exec_emitted *emitted, bool hint)
{
    const char *at = emitted->bytes;
    size_t left = emitted->count;

    if (!emitted->is_text) {
        text_print(text, "[%u] %s: %zu bytes%s\n", emitted->rank, emitted->topic, left,
                        hint ? " (--events FILE keeps them)" : "");
        return;
    }
    do {
        const char *newline = left > 0 ? memchr(at, '\n', left) : NULL;
        size_t line = newline != NULL ? (size_t)(newline - at) : left;
        text_print(text, "[%u] %s: ", emitted->rank, emitted->topic);
        text_add(text, at, line);
        text_add_string(text, "\n");
        line += newline != NULL;
        at += line;
        left -= line;
    } while (left > 0);
}

static void
latest_set(struct exec_events *events, const struct exec_emitted *emitted)
{
    char *newline;

    text_clear(&events->latest);
    exec_event_print(&events->latest, emitted, false);
    newline = strchr(events->latest.bytes, '\n');
    if (newline != NULL)
        *newline = '\0';
}

static void
lines_add(struct exec_events *events, const struct exec_emitted *emitted, struct text *text)
{
    exec_event_print(text, emitted, !events->hinted);
    events->hinted |= !emitted->is_text;
}

bool
exec_events_take(struct exec_events *events, const struct exec_emitted *emitted,
                 struct text *text)
{
    assert(emitted->rank < events->ranks);
    if (emitted->sequence <= events->last[emitted->rank])
        return false;
    events->last[emitted->rank] = emitted->sequence;
    latest_set(events, emitted);
    if (events->fd >= 0 && !events->broken)
        exec_event_print_json(&events->queue, emitted, false);
    else if (events->fd < 0 && events->json)
        exec_event_print_json(text, emitted, events->typed);
    else if (events->fd < 0)
        lines_add(events, emitted, text);
    return true;
}

int
exec_events_flush(struct exec_events *events)
{
    const char *at = events->queue.bytes;
    size_t left = events->queue.used;
    int error = 0;

    while (left > 0 && error == 0) {
        ssize_t written = write(events->fd, at, left);
        if (written >= 0) {
            at += written;
            left -= (size_t)written;
        } else if (errno != EINTR) {
            error = errno;
            events->broken = true;
        }
    }
    text_clear(&events->queue);
    return error;
}
