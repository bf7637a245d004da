/* SPDX-License-Identifier: BSD-3-Clause */
#include "coll/schedule.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "p2p/engine.h"
#include "p2p/p2p.h"

#define BUFFER_ALIGNMENT 64u
#define TAG_MAX          0x1fffffffu /* tags above are for making communicators */
#define COPY_BYTES       8192u       /* on the stack, between two packers */

/* One buffer of such a size is kept for the next schedule: memory fresh from the system costs a
 * page fault for each 4 KiB, two thirds of an allreduce of 4 MiB. */
#define SPARE_BYTES_MIN (64u << 10)
#define SPARE_BYTES_MAX (8u << 20)

enum step_kind { STEP_SEND, STEP_RECV, STEP_FENCE, STEP_COPY, STEP_FOLD };

struct step {
    enum step_kind kind;
    int peer; /* world rank */
    union {
        struct cpi_payload payload;
        struct {
            struct cpi_payload to, from;
        } copy;
        struct cpi_fold fold;
    };
};

struct buffer {
    struct buffer *next;
    size_t room; /* in units of BUFFER_ALIGNMENT */
    _Alignas(BUFFER_ALIGNMENT) char bytes[];
};

/* What `args` points to and a nonblocking collective outlives. */
struct kept {
    struct cpi_op *op;
    size_t type_count;
    struct cpi_type *types[];
};

struct cpi_schedule {
    struct cpi_hook hook;
    struct cpi_comm *comm;
    struct cpi_request *request;
    int tag;
    int error; /* the first one */
    bool hooked;
    struct step *steps;
    size_t step_count, step_room;
    size_t next;                   /* step to come */
    struct cpi_request **pending;  /* begun since the last fence that was passed */
    size_t pending_count, pending_room;
    size_t since_fence;            /* messages added after the last fence */
    struct buffer *buffers;
    struct kept *kept;
};

static struct buffer *spare;

static struct buffer *
buffer_new(size_t bytes)
{
    size_t room = (sizeof(struct buffer) + bytes + BUFFER_ALIGNMENT - 1) / BUFFER_ALIGNMENT;
    struct buffer *buffer = spare;

    if (buffer && room <= buffer->room && room > buffer->room / 4) {
        spare = NULL;
        return buffer;
    }
    if (bytes > SIZE_MAX / 2)
        return NULL;
    buffer = aligned_alloc(BUFFER_ALIGNMENT, room * BUFFER_ALIGNMENT);
    if (buffer)
        buffer->room = room;
    return buffer;
}

static void
buffer_free(struct buffer *buffer)
{
    size_t bytes = buffer->room * BUFFER_ALIGNMENT;

    if (bytes >= SPARE_BYTES_MIN && bytes <= SPARE_BYTES_MAX) {
        struct buffer *old = spare;

        spare = buffer;
        buffer = old;
    }
    free(buffer);
}

struct cpi_schedule *
cpi_schedule_new(struct cpi_comm *comm)
{
    struct cpi_schedule *schedule = calloc(1, sizeof(*schedule));

    if (!schedule)
        return NULL;
    schedule->comm = comm;
    schedule->tag = (int)(comm->coll_sequence++ & TAG_MAX);
    return schedule;
}

void
cpi_schedule_skip(struct cpi_comm *comm)
{
    comm->coll_sequence++;
}

static void
kept_put(struct kept *kept)
{
    if (!kept)
        return;
    for (size_t i = 0; i < kept->type_count; i++)
        cpi_type_put(kept->types[i]);
    cpi_op_put(kept->op);
    free(kept);
}

static void
schedule_free(struct cpi_schedule *schedule)
{
    assert(schedule->pending_count == 0 && !schedule->hooked);
    while (schedule->buffers) {
        struct buffer *buffer = schedule->buffers;

        schedule->buffers = buffer->next;
        buffer_free(buffer);
    }
    if (schedule->kept)
        cpi_comm_put(schedule->comm);
    kept_put(schedule->kept);
    free(schedule->pending);
    free(schedule->steps);
    free(schedule);
}

/* --- making --- */

void *
cpi_schedule_buffer(struct cpi_schedule *schedule, size_t bytes)
{
    struct buffer *buffer = buffer_new(bytes);

    if (!buffer) {
        schedule->error = CPMP_ENOMEM;
        return NULL;
    }
    buffer->next = schedule->buffers;
    schedule->buffers = buffer;
    return buffer->bytes;
}

/* A new step, or NULL without memory. */
static struct step *
add(struct cpi_schedule *schedule, enum step_kind kind)
{
    if (schedule->step_count == schedule->step_room) {
        size_t room = schedule->step_room ? 2 * schedule->step_room : 16;
        struct step *steps = realloc(schedule->steps, room * sizeof(*steps));

        if (!steps) {
            schedule->error = CPMP_ENOMEM;
            return NULL;
        }
        schedule->steps = steps;
        schedule->step_room = room;
    }
    schedule->steps[schedule->step_count].kind = kind;
    return &schedule->steps[schedule->step_count++];
}

static void
add_message(struct cpi_schedule *schedule, enum step_kind kind, int peer,
            struct cpi_payload payload)
{
    struct step *step;

    assert(peer >= 0 && peer < schedule->comm->size && peer != schedule->comm->rank);
    step = add(schedule, kind);
    if (!step)
        return;
    step->peer = cpi_comm_to_world(schedule->comm, peer);
    step->payload = payload;
    schedule->since_fence++;
    if (schedule->since_fence > schedule->pending_room)
        schedule->pending_room = schedule->since_fence;
}

void
cpi_schedule_send(struct cpi_schedule *schedule, int peer, struct cpi_payload payload)
{
    if (payload.bytes)
        add_message(schedule, STEP_SEND, peer, payload);
}

void
cpi_schedule_recv(struct cpi_schedule *schedule, int peer, struct cpi_payload payload)
{
    if (payload.bytes)
        add_message(schedule, STEP_RECV, peer, payload);
}

void
cpi_schedule_signal(struct cpi_schedule *schedule, int peer)
{
    add_message(schedule, STEP_SEND, peer, cpi_bytes(NULL, 0));
}

void
cpi_schedule_await(struct cpi_schedule *schedule, int peer)
{
    add_message(schedule, STEP_RECV, peer, cpi_bytes(NULL, 0));
}

void
cpi_schedule_fence(struct cpi_schedule *schedule)
{
    if (schedule->since_fence)
        add(schedule, STEP_FENCE);
    schedule->since_fence = 0;
}

void
cpi_schedule_copy(struct cpi_schedule *schedule, struct cpi_payload to, struct cpi_payload from)
{
    struct step *step;

    if (to.bytes == 0 || from.bytes == 0)
        return;
    if (to.base == from.base && to.layout == from.layout && to.count == from.count)
        return;
    step = add(schedule, STEP_COPY);
    if (!step)
        return;
    step->copy.to = to;
    step->copy.from = from;
}

void
cpi_schedule_fold(struct cpi_schedule *schedule, const struct cpi_fold *fold)
{
    size_t bytes = cpi_fold_scratch_bytes(fold->type, fold->count);
    struct step *step;

    if (fold->n == 0 || fold->count == 0)
        return;
    step = add(schedule, STEP_FOLD);
    if (!step)
        return;
    step->fold = *fold;
    step->fold.scratch = bytes ? cpi_schedule_buffer(schedule, bytes) : NULL;
}

void
cpi_schedule_fold_to(struct cpi_schedule *schedule, const struct cpi_fold *fold,
                     struct cpi_payload to)
{
    struct cpi_fold packed = *fold;
    size_t bytes = fold->count * fold->type->size;

    packed.out = to.packer ? cpi_schedule_buffer(schedule, bytes) : to.base;
    cpi_schedule_fold(schedule, &packed);
    if (to.packer && fold->n)
        cpi_schedule_copy(schedule, to, cpi_bytes(packed.out, bytes));
}

/* --- running --- */

static void
payload_copy(const struct cpi_payload *to, const struct cpi_payload *from)
{
    size_t bytes = to->bytes < from->bytes ? to->bytes : from->bytes;
    char buffer[COPY_BYTES];

    if (!from->packer) {
        cpi_payload_write(to, 0, from->base, bytes);
        return;
    }
    if (!to->packer) {
        cpi_payload_read(from, 0, to->base, bytes);
        return;
    }
    for (size_t at = 0; at < bytes; at += sizeof(buffer)) {
        size_t now = bytes - at < sizeof(buffer) ? bytes - at : sizeof(buffer);

        cpi_payload_read(from, at, buffer, now);
        cpi_payload_write(to, at, buffer, now);
    }
}

static void
note_error(struct cpi_schedule *schedule, int error)
{
    if (error && !schedule->error)
        schedule->error = error;
}

static void
begin_message(struct cpi_schedule *schedule, const struct step *step)
{
    uint32_t context = schedule->comm->context + 1;
    struct cpi_request *request;
    int error;

    if (step->kind == STEP_SEND)
        error = cpi_p2p_isend(&step->payload, step->peer, context, schedule->tag,
                              CPI_SEND_STANDARD, &request);
    else
        error = cpi_p2p_irecv(&step->payload, step->peer, context, schedule->tag, &request);
    if (error) {
        note_error(schedule, error);
        return;
    }
    if (request->done) {
        note_error(schedule, request->status.error);
        cpi_request_free(request);
        return;
    }
    assert(schedule->pending_count < schedule->pending_room);
    schedule->pending[schedule->pending_count++] = request;
}

/* Takes finished messages off the list. True when none is left. */
static bool
reap(struct cpi_schedule *schedule)
{
    size_t i = 0;

    while (i < schedule->pending_count) {
        struct cpi_request *request = schedule->pending[i];

        if (!request->done) {
            i++;
            continue;
        }
        note_error(schedule, request->status.error);
        cpi_request_free(request);
        schedule->pending[i] = schedule->pending[--schedule->pending_count];
    }
    return schedule->pending_count == 0;
}

/* Runs as far as it goes without waiting. True when it has come to its end. */
static bool
advance(struct cpi_schedule *schedule)
{
    for (; schedule->next < schedule->step_count; schedule->next++) {
        const struct step *step = &schedule->steps[schedule->next];

        switch (step->kind) {
        case STEP_SEND:
        case STEP_RECV:
            begin_message(schedule, step);
            break;
        case STEP_FENCE:
            if (!reap(schedule))
                return false;
            break;
        case STEP_COPY:
            payload_copy(&step->copy.to, &step->copy.from);
            break;
        case STEP_FOLD:
            cpi_fold_run(&step->fold);
            break;
        }
    }
    return reap(schedule);
}

static void
finish(struct cpi_schedule *schedule)
{
    struct cpi_request *request = schedule->request;

    if (schedule->hooked)
        cpi_engine_hook_remove(&schedule->hook);
    schedule->hooked = false;
    request->status.error = schedule->error;
    request->done = true;
    schedule_free(schedule);
}

static bool
run(struct cpi_hook *hook)
{
    struct cpi_schedule *schedule = CPI_CONTAINER(hook, struct cpi_schedule, hook);
    size_t next = schedule->next, pending = schedule->pending_count;

    if (!advance(schedule))
        return schedule->next != next || schedule->pending_count != pending;
    finish(schedule);
    return true;
}

/* --- starting --- */

static void
keep(struct kept *kept, struct cpi_type *type)
{
    if (type)
        kept->types[kept->type_count++] = cpi_type_get(type);
}

static int
keep_args(struct cpi_schedule *schedule, const struct cpi_coll_args *args)
{
    size_t size = (size_t)args->comm->size;
    size_t room = 2 + (args->send_types ? size : 0) + (args->recv_types ? size : 0);
    struct kept *kept = calloc(1, sizeof(*kept) + room * sizeof(struct cpi_type *));

    if (!kept)
        return CPMP_ENOMEM;
    keep(kept, args->send_type);
    keep(kept, args->recv_type);
    for (size_t i = 0; args->send_types && i < size; i++)
        keep(kept, args->send_types[i]);
    for (size_t i = 0; args->recv_types && i < size; i++)
        keep(kept, args->recv_types[i]);
    kept->op = args->op ? cpi_op_get(args->op) : NULL;
    cpi_comm_get(schedule->comm);
    schedule->kept = kept;
    return CPMP_OK;
}

/* All that running needs; the last chance to fail without having sent anything. */
static int
prepare(struct cpi_schedule *schedule, const struct cpi_coll_args *args, bool nonblocking)
{
    if (schedule->error)
        return schedule->error;
    if (schedule->pending_room)
        schedule->pending = malloc(schedule->pending_room * sizeof(struct cpi_request *));
    if (schedule->pending_room && !schedule->pending)
        return CPMP_ENOMEM;
    schedule->request = cpi_request_new();
    if (!schedule->request)
        return CPMP_ENOMEM;
    schedule->request->kind = CPI_REQUEST_OTHER;
    schedule->request->active = true;
    schedule->request->payload = cpi_bytes(NULL, 0); /* its steps have their own */
    schedule->request->status = (struct cpi_status){.source = CPI_PROC_NULL, .tag = CPI_ANY_TAG};
    return nonblocking ? keep_args(schedule, args) : CPMP_OK;
}

int
cpi_schedule_start(struct cpi_schedule *schedule, const struct cpi_coll_args *args,
                   struct cpi_request **request_p)
{
    int error = prepare(schedule, args, request_p != NULL);
    struct cpi_request *request = schedule->request;

    if (error) {
        if (request)
            request->done = true, cpi_request_free(request);
        schedule_free(schedule);
        return error;
    }
    schedule->hook.run = run;
    if (advance(schedule)) {
        finish(schedule);
    } else {
        schedule->hooked = true;
        cpi_engine_hook_add(&schedule->hook);
    }
    if (request_p) {
        *request_p = request;
        return CPMP_OK;
    }
    cpi_engine_wait(&request->done);
    error = request->status.error;
    cpi_request_free(request);
    return error;
}
