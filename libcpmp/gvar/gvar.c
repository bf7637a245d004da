/* SPDX-License-Identifier: BSD-3-Clause */
#include "gvar/gvar.h"

#include <cpmp.h>
#include <stdlib.h>
#include <string.h>

#include "p2p/engine.h"
#include "wire/store.h"

struct cpmp_var {
    uint32_t name_bytes, size_bytes;
    uint32_t home;  /* peer whose agent keeps it */
    char name[];
};

/* The one call that this rank has under way, and its reply. */
static struct {
    uint32_t number;         /* of the last call */
    uint64_t handle;
    bool under_way;
    volatile bool done;
    int error;
    struct cpi_var_reply reply;
    void *value;             /* where the reply's value goes; may be NULL */
    size_t value_bytes;      /* room there */
    struct cpi_assembly assembly;
    struct cpi_store *own;   /* in a job of one rank */
} now;

static void
reply_take(int error, const struct cpi_var_reply *reply, const void *value)
{
    now.error = error;
    now.reply = *reply;
    if (now.value != NULL && reply->value_bytes == now.value_bytes)
        memcpy(now.value, value, now.value_bytes);
    now.done = true;
}

static void
on_own_reply(void *arg, struct cpi_caller caller, int error, const struct cpi_var_reply *reply,
             const void *value)
{
    (void)arg;
    if (caller.handle == now.handle)
        reply_take(error, reply, value);
}

static void
on_reply(const struct cpi_frame *frame, void *arg)
{
    struct cpi_var_reply reply;
    bool complete;

    (void)arg;
    if (cpi_assembly_add(&now.assembly, frame, &complete) != CPMP_OK || !complete ||
        frame->handle != now.handle || now.assembly.bytes < sizeof(reply))
        return;
    memcpy(&reply, now.assembly.body, sizeof(reply));
    if (reply.value_bytes == now.assembly.bytes - sizeof(reply))
        reply_take(frame->tag, &reply, now.assembly.body + sizeof(reply));
}

int
cpi_gvar_init(void)
{
    memset(&now, 0, sizeof(now));
    cpi_engine_on_frame(CPI_FRAME_VAR_REPLY, on_reply, NULL);
    if (!cpi_engine.alone)
        return CPMP_OK;
    now.own = cpi_store_new(on_own_reply, NULL);
    return now.own == NULL ? CPMP_ENOMEM : CPMP_OK;
}

void
cpi_gvar_end(void)
{
    cpi_assembly_release(&now.assembly);
    cpi_store_free(now.own);
    now.own = NULL;
}

static int
call_send(const struct cpi_var_request *request)
{
    struct cpi_piece pieces[] = {
        {&request->call, sizeof(request->call)},
        {request->name, request->call.name_bytes},
        {request->value, request->call.value_bytes},
        {request->second, request->call.second_bytes},
    };

    if (cpi_engine.alone) {
        struct cpi_caller caller = {.rank = 0, .handle = now.handle};
        cpi_store_call(now.own, caller, request);
        return CPMP_OK;
    }
    return cpi_engine_agent_send(CPI_FRAME_VAR_CALL, (int32_t)request->op, now.handle, pieces, 4);
}

/* Makes the call and waits for its reply; `out` (NULL or the variable's size) gets the reply's
 * value. */
static int
call(const struct cpmp_var *var, struct cpi_var_request *request, void *out)
{
    if (now.under_way)  /* from a callback that the wait below runs */
        return CPMP_ESTATE;
    request->call.size_bytes = var->size_bytes;
    request->call.name_bytes = var->name_bytes;
    request->name = var->name;
    now.handle = (uint64_t)var->home << 32 | ++now.number;
    now.done = false;
    now.value = out;
    now.value_bytes = var->size_bytes;
    int error = call_send(request);
    if (error != CPMP_OK)
        return error;
    now.under_way = true;
    cpi_engine_wait(&now.done);
    now.under_way = false;
    return now.error;
}

static struct cpi_var_request
with_value(const struct cpmp_var *var, enum cpi_var_op op, const void *value)
{
    return (struct cpi_var_request){
        .op = op, .value = value, .call.value_bytes = value == NULL ? 0 : var->size_bytes};
}

static void
version_set(uint64_t *version_p)
{
    if (version_p != NULL)
        *version_p = now.reply.version;
}

/* Any peer could keep any variable; the name spreads them. */
static uint32_t
home_of(const char *name)
{
    uint32_t hash = 2166136261u;  /* FNV-1a */

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash % cpi_engine.segment.header->peers;
}

int
cpi_gvar_open(const char *name, size_t bytes, const void *initial, struct cpmp_var **var_p)
{
    size_t name_bytes = strnlen(name, CPMP_NAME_MAX + 1);

    if (name_bytes == 0 || name_bytes > CPMP_NAME_MAX || bytes == 0 || bytes > CPMP_VAR_BYTES_MAX)
        return CPMP_EINVAL;
    struct cpmp_var *var = malloc(sizeof(*var) + name_bytes + 1);
    if (var == NULL)
        return CPMP_ENOMEM;
    var->name_bytes = (uint32_t)name_bytes;
    var->size_bytes = (uint32_t)bytes;
    var->home = home_of(name);
    memcpy(var->name, name, name_bytes + 1);
    struct cpi_var_request request = with_value(var, CPI_VAR_OPEN, initial);
    int error = call(var, &request, NULL);
    if (error != CPMP_OK) {
        free(var);
        return error;
    }
    *var_p = var;
    return CPMP_OK;
}

void
cpi_gvar_close(struct cpmp_var *var)
{
    free(var);
}

int
cpi_gvar_wait(struct cpmp_var *var, uint64_t newer_than, void *value, uint64_t *version_p)
{
    struct cpi_var_request request = with_value(var, CPI_VAR_WAIT, NULL);

    request.call.version = newer_than;
    int error = call(var, &request, value);
    if (error == CPMP_OK)
        version_set(version_p);
    return error;
}

int
cpi_gvar_read(struct cpmp_var *var, void *value, uint64_t *version_p)
{
    struct cpi_var_request request = with_value(var, CPI_VAR_READ, NULL);
    int error = call(var, &request, value);

    if (error == CPMP_OK)
        version_set(version_p);
    return error;
}

int
cpi_gvar_write(struct cpmp_var *var, const void *value, uint64_t *version_p)
{
    struct cpi_var_request request = with_value(var, CPI_VAR_WRITE, value);
    int error = call(var, &request, NULL);

    if (error == CPMP_OK)
        version_set(version_p);
    return error;
}

/* Read, change, commit if nobody was faster; the loser's reply brings the value to try
 * again with. */
static int
update_loop(struct cpmp_var *var, int (*update)(void *, size_t, void *), void *arg, char *value,
            uint64_t *version_p)
{
    int error = cpi_gvar_read(var, value, version_p);
    char *before = value + var->size_bytes;

    while (error == CPMP_OK) {
        memcpy(before, value, var->size_bytes);
        if (update(value, var->size_bytes, arg) != 0) {
            memcpy(value, before, var->size_bytes);
            return CPMP_OK;
        }
        struct cpi_var_request request = with_value(var, CPI_VAR_COMMIT, value);
        request.call.version = *version_p;
        error = call(var, &request, before);
        if (error == CPMP_OK)
            *version_p = now.reply.version;
        if (error == CPMP_OK && now.reply.done)
            return CPMP_OK;
        memcpy(value, before, var->size_bytes);
    }
    return error;
}

int
cpi_gvar_update(struct cpmp_var *var, int (*update)(void *, size_t, void *), void *arg, void *value,
                uint64_t *version_p)
{
    char *room = malloc(2 * (size_t)var->size_bytes);
    uint64_t version = 0;

    if (room == NULL)
        return CPMP_ENOMEM;
    int error = update_loop(var, update, arg, room, &version);
    if (error == CPMP_OK && value != NULL)
        memcpy(value, room, var->size_bytes);
    if (error == CPMP_OK && version_p != NULL)
        *version_p = version;
    free(room);
    return error;
}

int
cpi_gvar_compare_swap(struct cpmp_var *var, const void *expected, const void *desired, void *seen,
                      int *swapped_p)
{
    struct cpi_var_request request = with_value(var, CPI_VAR_COMPARE_SWAP, expected);

    request.second = desired;
    request.call.second_bytes = var->size_bytes;
    int error = call(var, &request, seen);
    if (error == CPMP_OK)
        *swapped_p = now.reply.done != 0;
    return error;
}

int
cpi_gvar_fetch_add(struct cpmp_var *var, int64_t add, int64_t *before_p)
{
    struct cpi_var_request request = with_value(var, CPI_VAR_FETCH_ADD, NULL);
    int64_t before = 0;

    if (var->size_bytes != sizeof(before))
        return CPMP_ESIZE;
    request.call.operand = add;
    int error = call(var, &request, &before);
    if (error == CPMP_OK && before_p != NULL)
        *before_p = before;
    return error;
}
