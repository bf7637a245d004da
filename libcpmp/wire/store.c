/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/store.h"

#include <assert.h>
#include <cpmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"

#define SLOTS 1024u

struct waiter {
    struct cpi_list link;
    struct cpi_caller caller;
    uint64_t newer_than;
};

struct variable {
    struct variable *next;
    struct cpi_list waiters;
    uint64_t version;
    uint32_t name_bytes, size_bytes;
    char bytes[];  /* the value (at the front, so it is aligned), then the name */
};

struct cpi_store {
    cpi_store_reply_fn *reply;
    void *arg;
    size_t bytes;
    struct variable *slots[SLOTS];
};

struct cpi_store *
cpi_store_new(cpi_store_reply_fn *reply, void *arg)
{
    struct cpi_store *store = calloc(1, sizeof(*store));

    if (store == NULL)
        return NULL;
    store->reply = reply;
    store->arg = arg;
    return store;
}

static void
waiters_free(struct variable *variable, const uint32_t *rank)
{
    CPI_LIST_FOR_SAFE(link, &variable->waiters)
    {
        struct waiter *waiter = CPI_CONTAINER(link, struct waiter, link);
        if (rank != NULL && waiter->caller.rank != *rank)
            continue;
        cpi_list_remove(link);
        free(waiter);
    }
}

void
cpi_store_free(struct cpi_store *store)
{
    if (store == NULL)
        return;
    for (unsigned i = 0; i < SLOTS; i++) {
        while (store->slots[i] != NULL) {
            struct variable *variable = store->slots[i];
            store->slots[i] = variable->next;
            waiters_free(variable, NULL);
            free(variable);
        }
    }
    free(store);
}

void
cpi_store_forget(struct cpi_store *store, uint32_t rank)
{
    for (unsigned i = 0; i < SLOTS; i++)
        for (struct variable *v = store->slots[i]; v != NULL; v = v->next)
            waiters_free(v, &rank);
}

size_t
cpi_store_bytes(const struct cpi_store *store)
{
    return store->bytes;
}

static struct variable **
slot_of(struct cpi_store *store, const struct cpi_var_request *request)
{
    uint64_t hash = 0xcbf29ce484222325ull;  /* FNV-1a: names are short */

    for (uint32_t i = 0; i < request->call.name_bytes; i++)
        hash = (hash ^ (unsigned char)request->name[i]) * 0x100000001b3ull;
    return &store->slots[hash % SLOTS];
}

static struct variable *
variable_find(struct cpi_store *store, const struct cpi_var_request *request)
{
    uint32_t bytes = request->call.name_bytes;

    for (struct variable *v = *slot_of(store, request); v != NULL; v = v->next)
        if (v->name_bytes == bytes && memcmp(v->bytes + v->size_bytes, request->name, bytes) == 0)
            return v;
    return NULL;
}

static void
answer(struct cpi_store *store, struct cpi_caller caller, int error,
       const struct variable *variable, const void *value, bool done)
{
    struct cpi_var_reply reply = {.version = variable == NULL ? 0 : variable->version,
                                  .value_bytes = value == NULL ? 0 : variable->size_bytes,
                                  .done = done};

    store->reply(store->arg, caller, error, &reply, value);
}

/* The value has changed: the version moves on, and whoever waits for that is told. */
static void
variable_changed(struct cpi_store *store, struct variable *variable)
{
    variable->version++;
    CPI_LIST_FOR_SAFE(link, &variable->waiters)
    {
        struct waiter *waiter = CPI_CONTAINER(link, struct waiter, link);
        if (variable->version <= waiter->newer_than)
            continue;
        cpi_list_remove(link);
        answer(store, waiter->caller, CPMP_OK, variable, variable->bytes, true);
        free(waiter);
    }
}

static int
variable_make(struct cpi_store *store, const struct cpi_var_request *request,
              struct variable **variable_p)
{
    size_t bytes = sizeof(struct variable) + request->call.size_bytes + request->call.name_bytes;

    if (bytes > CPI_STORE_BYTES_MAX - store->bytes)
        return CPMP_ELIMIT;
    struct variable *variable = calloc(1, bytes);
    if (variable == NULL)
        return CPMP_ENOMEM;
    struct variable **slot = slot_of(store, request);
    variable->version = 1;
    variable->name_bytes = request->call.name_bytes;
    variable->size_bytes = request->call.size_bytes;
    cpi_list_init(&variable->waiters);
    if (request->call.value_bytes > 0)
        memcpy(variable->bytes, request->value, request->call.value_bytes);
    memcpy(variable->bytes + variable->size_bytes, request->name, variable->name_bytes);
    variable->next = *slot;
    *slot = variable;
    store->bytes += bytes;
    *variable_p = variable;
    return CPMP_OK;
}

static void
open_call(struct cpi_store *store, struct cpi_caller caller, const struct cpi_var_request *request)
{
    struct variable *variable = variable_find(store, request);
    int error = CPMP_OK;

    if (variable == NULL)
        error = variable_make(store, request, &variable);
    else if (variable->size_bytes != request->call.size_bytes)
        error = CPMP_ESIZE;
    answer(store, caller, error, variable, NULL, error == CPMP_OK);
}

static void
wait_call(struct cpi_store *store, struct cpi_caller caller, struct variable *variable,
          uint64_t newer_than)
{
    if (variable->version > newer_than) {
        answer(store, caller, CPMP_OK, variable, variable->bytes, true);
        return;
    }
    struct waiter *waiter = malloc(sizeof(*waiter));
    if (waiter == NULL) {
        answer(store, caller, CPMP_ENOMEM, variable, NULL, false);
        return;
    }
    waiter->caller = caller;
    waiter->newer_than = newer_than;
    cpi_list_append(&variable->waiters, &waiter->link);
}

/* WRITE and COMMIT: the latter answers with the value in force, so that a loser can try again. */
static void
write_call(struct cpi_store *store, struct cpi_caller caller, struct variable *variable,
           const struct cpi_var_request *request)
{
    bool commit = request->op == CPI_VAR_COMMIT;

    if (commit && variable->version != request->call.version) {
        answer(store, caller, CPMP_OK, variable, variable->bytes, false);
        return;
    }
    memcpy(variable->bytes, request->value, variable->size_bytes);
    variable_changed(store, variable);
    answer(store, caller, CPMP_OK, variable, NULL, true);
}

static void
compare_swap_call(struct cpi_store *store, struct cpi_caller caller, struct variable *variable,
                  const struct cpi_var_request *request)
{
    bool equal = memcmp(variable->bytes, request->value, variable->size_bytes) == 0;

    /* When it is equal, `expected` is the value before. */
    if (equal) {
        memcpy(variable->bytes, request->second, variable->size_bytes);
        variable_changed(store, variable);
    }
    answer(store, caller, CPMP_OK, variable, equal ? request->value : variable->bytes, equal);
}

static void
fetch_add_call(struct cpi_store *store, struct cpi_caller caller, struct variable *variable,
               int64_t add)
{
    uint64_t before, after;

    if (variable->size_bytes != sizeof(before)) {
        answer(store, caller, CPMP_ESIZE, variable, NULL, false);
        return;
    }
    memcpy(&before, variable->bytes, sizeof(before));
    after = before + (uint64_t)add;
    memcpy(variable->bytes, &after, sizeof(after));
    variable_changed(store, variable);
    answer(store, caller, CPMP_OK, variable, &before, true);
}

/* Do the values that came with the call have the variable's size? */
static bool
sizes_agree(const struct variable *variable, const struct cpi_var_request *request)
{
    uint32_t value = request->call.value_bytes, second = request->call.second_bytes;

    switch (request->op) {
    case CPI_VAR_WRITE:
    case CPI_VAR_COMMIT:
        return value == variable->size_bytes && second == 0;
    case CPI_VAR_COMPARE_SWAP:
        return value == variable->size_bytes && second == variable->size_bytes;
    default:
        return value == 0 && second == 0;
    }
}

void
cpi_store_call(struct cpi_store *store, struct cpi_caller caller,
               const struct cpi_var_request *request)
{
    if (request->op == CPI_VAR_OPEN) {
        open_call(store, caller, request);
        return;
    }
    struct variable *variable = variable_find(store, request);
    if (variable == NULL || !sizes_agree(variable, request)) {
        answer(store, caller, variable == NULL ? CPMP_ENOENT : CPMP_ESIZE, NULL, NULL, false);
        return;
    }
    switch (request->op) {
    case CPI_VAR_READ:
        answer(store, caller, CPMP_OK, variable, variable->bytes, true);
        break;
    case CPI_VAR_WRITE:
    case CPI_VAR_COMMIT:
        write_call(store, caller, variable, request);
        break;
    case CPI_VAR_COMPARE_SWAP:
        compare_swap_call(store, caller, variable, request);
        break;
    case CPI_VAR_FETCH_ADD:
        fetch_add_call(store, caller, variable, request->call.operand);
        break;
    case CPI_VAR_WAIT:
        wait_call(store, caller, variable, request->call.version);
        break;
    default:
        assert(!"parsed requests have an op");
    }
}
