/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/jobs.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/codec.h"
#include "text/memory.h"

/* Rows that are being collected from the ring. */
struct jobs_gathering {
    struct jobs_gathering *next;
    struct jobs *jobs;
    uint32_t open;
    uint64_t job;
    Cpmp__JobsReply **lists;   /* as they came; they own the rows */
    size_t list_count, row_count;
    jobs_fn *done;
    void *arg;
};

static void
list_key(uint8_t number, struct chord_id *key_p)
{
    offers_ring_key("jobs", &number, 1, key_p);
}

static void
job_key(uint64_t job, struct chord_id *key_p)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(job >> (8 * i));
    offers_ring_key("job", bytes, sizeof(bytes), key_p);
}

/* --- publishing --- */

/* A message as a value of at most KV_VALUE_BYTES_MAX bytes: rows (and then peers) that don't fit
 * are left out at the end. */
static void
rows_put(struct jobs *jobs, const struct chord_id *key, Cpmp__JobsReply *list)
{
    uint8_t bytes[KV_VALUE_BYTES_MAX];
    Cpmp__JobRow *first = list->n_rows == 1 ? list->rows[0] : NULL;
    size_t peers = first != NULL ? first->n_peers : 0;

    while (list->n_rows > 0 && cpmp__jobs_reply__get_packed_size(list) > sizeof(bytes)) {
        if (first != NULL && first->n_peers > 0)
            first->n_peers -= (first->n_peers + 7) / 8;
        else
            list->n_rows--;
    }
    overlay_put(jobs->overlay, key, bytes, cpmp__jobs_reply__pack(list, bytes), JOBS_LIFETIME_US,
                NULL, NULL);
    if (first != NULL)
        first->n_peers = peers;
}

static void
list_publish(struct jobs *jobs)
{
    Cpmp__JobsReply list = CPMP__JOBS_REPLY__INIT;
    Cpmp__JobRow rows[JOBS_HERE_MAX], *pointers[JOBS_HERE_MAX];
    struct chord_id key;

    for (size_t i = 0; i < jobs->count; i++) {
        rows[i] = *jobs->list[i].row;
        rows[i].n_peers = 0;
        pointers[i] = &rows[i];
    }
    list.rows = pointers;
    list.n_rows = jobs->count;
    list_key(jobs->self[0] >> 4, &key);
    rows_put(jobs, &key, &list);
}

static void
job_publish(struct jobs *jobs, struct jobs_one *one)
{
    Cpmp__JobsReply list = CPMP__JOBS_REPLY__INIT;
    Cpmp__JobRow *row = one->row;
    struct chord_id key;

    row->renewed = (uint64_t)time(NULL);
    list.rows = &row;
    list.n_rows = 1;
    job_key(row->job, &key);
    rows_put(jobs, &key, &list);
}

static void
on_timer(uv_timer_t *timer)
{
    struct jobs *jobs = timer->data;

    if (jobs->count == 0)
        return;
    for (size_t i = 0; i < jobs->count; i++)
        job_publish(jobs, &jobs->list[i]);
    list_publish(jobs);
}

/* Many changes at once are told once. */
static void
on_soon(uv_timer_t *timer)
{
    struct jobs *jobs = timer->data;

    for (size_t i = 0; i < jobs->count; i++) {
        if (jobs->list[i].changed)
            job_publish(jobs, &jobs->list[i]);
        jobs->list[i].changed = false;
    }
    if (jobs->count > 0)
        list_publish(jobs);
}

static void
publish_soon(struct jobs *jobs)
{
    if (!uv_is_active((uv_handle_t *)&jobs->soon))
        uv_timer_start(&jobs->soon, on_soon, JOBS_CHANGE_MS, 0);
}

static void
job_drop(struct jobs *jobs, size_t index)
{
    struct chord_id key;

    job_key(jobs->list[index].row->job, &key);
    overlay_put(jobs->overlay, &key, NULL, 0, 0, NULL, NULL);
    cpmp__job_row__free_unpacked(jobs->list[index].row, NULL);
    jobs->list[index] = jobs->list[--jobs->count];
    if (jobs->count > 0) {
        publish_soon(jobs);
        return;
    }
    list_key(jobs->self[0] >> 4, &key);
    overlay_put(jobs->overlay, &key, NULL, 0, 0, NULL, NULL);
}

static struct jobs_one *
job_of_session(struct jobs *jobs, uint64_t session)
{
    for (size_t i = 0; i < jobs->count; i++)
        if (jobs->list[i].session == session)
            return &jobs->list[i];
    return NULL;
}

bool
jobs_state(struct jobs *jobs, uint64_t session, const Cpmp__JobRow *row, bool over)
{
    struct jobs_one *one = job_of_session(jobs, session);

    if (over) {
        jobs_session_gone(jobs, session);
        return true;
    }
    if (cpmp__job_row__get_packed_size(row) > JOBS_ROW_MAX)
        return false;
    if (one == NULL) {
        if (jobs->count == JOBS_HERE_MAX)
            return false;
        jobs->list = memory_grow(jobs->list, jobs->count + 1, sizeof(*jobs->list));
        one = &jobs->list[jobs->count++];
        *one = (struct jobs_one){.session = session};
    } else {
        cpmp__job_row__free_unpacked(one->row, NULL);
    }
    one->row = (Cpmp__JobRow *)control_message_copy(&row->base);
    one->changed = true;
    publish_soon(jobs);
    return true;
}

void
jobs_session_gone(struct jobs *jobs, uint64_t session)
{
    struct jobs_one *one = job_of_session(jobs, session);

    if (one != NULL)
        job_drop(jobs, (size_t)(one - jobs->list));
}

/* --- gathering --- */

static void
gathering_free(struct jobs_gathering *gathering)
{
    for (size_t i = 0; i < gathering->list_count; i++)
        cpmp__jobs_reply__free_unpacked(gathering->lists[i], NULL);
    free(gathering->lists);
    free(gathering);
}

static void
gathering_end(struct jobs_gathering *gathering)
{
    struct jobs_gathering **at = &gathering->jobs->gathering;
    Cpmp__JobRow **rows = NULL;
    size_t count = 0;

    while (*at != gathering)
        at = &(*at)->next;
    *at = gathering->next;
    for (size_t i = 0; i < gathering->list_count; i++) {
        for (size_t j = 0; j < gathering->lists[i]->n_rows; j++) {
            Cpmp__JobRow *row = gathering->lists[i]->rows[j];
            if (gathering->job != 0 && row->job != gathering->job)
                continue;
            rows = memory_grow(rows, count + 1, sizeof(Cpmp__JobRow *));
            rows[count++] = row;
        }
    }
    gathering->done(gathering->arg, rows, count);
    free(rows);
    gathering_free(gathering);
}

static void
on_records(void *arg, const struct kv_result *result)
{
    struct jobs_gathering *gathering = arg;

    for (size_t i = 0; result->why == KV_DONE && i < result->record_count; i++) {
        const struct kv_record *record = &result->records[i];
        Cpmp__JobsReply *list = cpmp__jobs_reply__unpack(NULL, record->bytes, record->value);
        if (list == NULL)
            continue;
        if (gathering->row_count + list->n_rows > JOBS_TOLD_MAX) {
            cpmp__jobs_reply__free_unpacked(list, NULL);
            continue;
        }
        gathering->row_count += list->n_rows;
        gathering->lists = memory_grow(gathering->lists, gathering->list_count + 1,
                                       sizeof(*gathering->lists));
        gathering->lists[gathering->list_count++] = list;
    }
    if (--gathering->open == 0)
        gathering_end(gathering);
}

void
jobs_gather(struct jobs *jobs, uint64_t job, jobs_fn *done, void *arg)
{
    struct jobs_gathering *gathering = memory_new(1, sizeof(*gathering));
    struct chord_id key;

    gathering->jobs = jobs;
    gathering->job = job;
    gathering->done = done;
    gathering->arg = arg;
    gathering->open = job != 0 ? 1 : JOBS_KEYS;
    gathering->next = jobs->gathering;
    jobs->gathering = gathering;
    for (uint8_t number = 0; job == 0 && number < JOBS_KEYS; number++) {
        list_key(number, &key);
        overlay_get(jobs->overlay, &key, on_records, gathering);
    }
    if (job != 0) {
        job_key(job, &key);
        overlay_get(jobs->overlay, &key, on_records, gathering);
    }
}

/* --- beginning and end --- */

void
jobs_init(struct jobs *jobs, uv_loop_t *loop, struct overlay *overlay,
          const uint8_t self[CHORD_ID_BYTES])
{
    memset(jobs, 0, sizeof(*jobs));
    jobs->overlay = overlay;
    memcpy(jobs->self, self, CHORD_ID_BYTES);
    uv_timer_init(loop, &jobs->timer);
    jobs->timer.data = jobs;
    uv_timer_start(&jobs->timer, on_timer, JOBS_RENEW_MS, JOBS_RENEW_MS);
    uv_timer_init(loop, &jobs->soon);
    jobs->soon.data = jobs;
}

void
jobs_close(struct jobs *jobs)
{
    uv_close((uv_handle_t *)&jobs->timer, NULL);
    uv_close((uv_handle_t *)&jobs->soon, NULL);
}

void
jobs_release(struct jobs *jobs)
{
    while (jobs->gathering != NULL) {
        struct jobs_gathering *gathering = jobs->gathering;
        jobs->gathering = gathering->next;
        gathering_free(gathering);
    }
    for (size_t i = 0; i < jobs->count; i++)
        cpmp__job_row__free_unpacked(jobs->list[i].row, NULL);
    free(jobs->list);
}
