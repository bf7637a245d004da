/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store of global variables against a model: plain arrays, each call written out as cpmp.h
 * promises it. Random calls of many ranks; every reply, also the late ones of those who wait, must
 * be the model's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <cpmp.h>

#include "wire/store.h"

#define STEPS     300000
#define NAMES     6u
#define CALLERS   9u
#define SIZE_MOST 24u

static uint64_t seed;

static uint32_t
draw(uint32_t below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % below;
}

struct reply {
    uint32_t rank;
    uint64_t handle;
    int error;
    uint64_t version;
    bool done;
    uint32_t bytes;
    char value[SIZE_MOST];
};

struct replies {
    size_t count;
    struct reply list[CALLERS + 1];
};

struct model_variable {
    bool open;
    uint32_t bytes;
    uint64_t version;
    char value[SIZE_MOST];
};

/* What a rank waits for; a rank makes one call at a time. */
struct model_wait {
    bool waits;
    uint32_t name;
    uint64_t newer_than, handle;
};

struct model {
    struct model_variable variables[NAMES];
    struct model_wait waits[CALLERS];
    struct replies expected, got;
};

static struct model model;

static struct reply *
reply_add(struct replies *replies, uint32_t rank, uint64_t handle, int error, uint64_t version,
          bool done)
{
    assert_true(replies->count <= CALLERS);
    struct reply *reply = &replies->list[replies->count++];
    *reply = (struct reply){.rank = rank, .handle = handle, .error = error, .version = version,
                            .done = done};
    return reply;
}

static void
on_reply(void *arg, struct cpi_caller caller, int error, const struct cpi_var_reply *wire,
         const void *value)
{
    struct model *of = arg;
    struct reply *reply = reply_add(&of->got, caller.rank, caller.handle, error, wire->version,
                                    wire->done != 0);

    assert_true(wire->value_bytes <= SIZE_MOST);
    reply->bytes = wire->value_bytes;
    memcpy(reply->value, value == NULL ? "" : value, wire->value_bytes);
}

/* --- the model --- */

static void
expect(struct cpi_caller caller, int error, const struct model_variable *variable, bool with_value,
       bool done)
{
    struct reply *reply = reply_add(&model.expected, caller.rank, caller.handle, error,
                                    variable == NULL ? 0 : variable->version, done);

    if (with_value) {
        reply->bytes = variable->bytes;
        memcpy(reply->value, variable->value, variable->bytes);
    }
}

static void
model_changed(uint32_t name)
{
    struct model_variable *variable = &model.variables[name];

    variable->version++;
    for (uint32_t rank = 0; rank < CALLERS; rank++) {
        struct model_wait *wait = &model.waits[rank];
        if (!wait->waits || wait->name != name || variable->version <= wait->newer_than)
            continue;
        wait->waits = false;
        expect((struct cpi_caller){rank, wait->handle}, CPMP_OK, variable, true, true);
    }
}

static void
model_set(uint32_t name, const void *value)
{
    memcpy(model.variables[name].value, value, model.variables[name].bytes);
    model_changed(name);
}

static void
model_open(struct cpi_caller caller, uint32_t name, const struct cpi_var_request *request)
{
    struct model_variable *variable = &model.variables[name];

    if (!variable->open) {
        *variable = (struct model_variable){.open = true, .bytes = request->call.size_bytes,
                                            .version = 1};
        memcpy(variable->value, request->value, request->call.value_bytes);
    }
    bool agrees = variable->bytes == request->call.size_bytes;
    expect(caller, agrees ? CPMP_OK : CPMP_ESIZE, variable, false, agrees);
}

static bool
model_sizes_agree(const struct model_variable *variable, const struct cpi_var_request *request)
{
    bool first = request->op == CPI_VAR_WRITE || request->op == CPI_VAR_COMMIT ||
                 request->op == CPI_VAR_COMPARE_SWAP;
    bool second = request->op == CPI_VAR_COMPARE_SWAP;

    return request->call.value_bytes == (first ? variable->bytes : 0) &&
           request->call.second_bytes == (second ? variable->bytes : 0);
}

static void
model_compare_swap(struct cpi_caller caller, uint32_t name, const struct cpi_var_request *request)
{
    struct model_variable *variable = &model.variables[name], before = *variable;

    if (memcmp(variable->value, request->value, variable->bytes) != 0) {
        expect(caller, CPMP_OK, variable, true, false);
        return;
    }
    model_set(name, request->second);
    before.version = variable->version;
    expect(caller, CPMP_OK, &before, true, true);
}

static void
model_fetch_add(struct cpi_caller caller, uint32_t name, int64_t add)
{
    struct model_variable *variable = &model.variables[name], before = *variable;
    uint64_t number;

    if (variable->bytes != 8) {
        expect(caller, CPMP_ESIZE, variable, false, false);
        return;
    }
    memcpy(&number, variable->value, 8);
    number += (uint64_t)add;
    model_set(name, &number);
    before.version = variable->version;
    expect(caller, CPMP_OK, &before, true, true);
}

static void
model_call(struct cpi_caller caller, uint32_t name, const struct cpi_var_request *request)
{
    struct model_variable *variable = &model.variables[name];

    if (request->op == CPI_VAR_OPEN) {
        model_open(caller, name, request);
    } else if (!variable->open) {
        expect(caller, CPMP_ENOENT, NULL, false, false);
    } else if (!model_sizes_agree(variable, request)) {
        expect(caller, CPMP_ESIZE, NULL, false, false);
    } else if (request->op == CPI_VAR_READ) {
        expect(caller, CPMP_OK, variable, true, true);
    } else if (request->op == CPI_VAR_WAIT && variable->version <= request->call.version) {
        model.waits[caller.rank] =
            (struct model_wait){true, name, request->call.version, caller.handle};
    } else if (request->op == CPI_VAR_WAIT) {
        expect(caller, CPMP_OK, variable, true, true);
    } else if (request->op == CPI_VAR_COMMIT && request->call.version != variable->version) {
        expect(caller, CPMP_OK, variable, true, false);
    } else if (request->op == CPI_VAR_COMPARE_SWAP) {
        model_compare_swap(caller, name, request);
    } else if (request->op == CPI_VAR_FETCH_ADD) {
        model_fetch_add(caller, name, request->call.operand);
    } else {
        model_set(name, request->value);
        expect(caller, CPMP_OK, variable, false, true);
    }
}

/* --- random calls --- */

static const char *const names[NAMES] = {"a", "b", "best", "best tour", "x", "\x01\xff"};
static const uint32_t sizes[NAMES] = {8, 8, 1, 24, 3, 8};

/* Mostly what a rank would ask for; now and then with a size that doesn't fit. Values are of few
 * kinds, so that comparing them succeeds at times. */
static struct cpi_var_request
request_draw(uint32_t name, char *value, char *second)
{
    enum cpi_var_op op = (enum cpi_var_op)(CPI_VAR_OPEN + draw(CPI_VAR_OP_END - CPI_VAR_OPEN));
    bool odd = model.variables[name].open && draw(20) == 0;
    uint32_t bytes = odd ? draw(SIZE_MOST + 1) : sizes[name];
    struct cpi_var_request request = {.op = op, .name = names[name], .value = value,
                                      .second = second};

    memset(value, (int)draw(3), SIZE_MOST);
    memset(second, (int)draw(3), SIZE_MOST);
    request.call.name_bytes = (uint32_t)strlen(names[name]);
    request.call.size_bytes = bytes;
    request.call.operand = (int64_t)draw(100) - 50;
    request.call.version = model.variables[name].version + draw(4) - 1;
    if (op == CPI_VAR_WRITE || op == CPI_VAR_COMMIT || op == CPI_VAR_COMPARE_SWAP ||
        (op == CPI_VAR_OPEN && draw(2)))
        request.call.value_bytes = bytes;
    if (op == CPI_VAR_COMPARE_SWAP)
        request.call.second_bytes = draw(30) == 0 ? bytes / 2 : bytes;
    return request;
}

static int
reply_order(const void *a, const void *b)
{
    const struct reply *left = a, *right = b;

    return left->rank < right->rank ? -1 : left->rank > right->rank;
}

/* Ranks can't tell in which order the agent answers different ranks. */
static void
replies_compare(void)
{
    assert_int_equal(model.got.count, model.expected.count);
    qsort(model.got.list, model.got.count, sizeof(struct reply), reply_order);
    qsort(model.expected.list, model.expected.count, sizeof(struct reply), reply_order);
    for (size_t i = 0; i < model.got.count; i++) {
        const struct reply *got = &model.got.list[i], *expected = &model.expected.list[i];
        assert_int_equal(got->rank, expected->rank);
        assert_int_equal(got->handle, expected->handle);
        assert_int_equal(got->error, expected->error);
        assert_int_equal(got->version, expected->version);
        assert_int_equal(got->done, expected->done);
        assert_int_equal(got->bytes, expected->bytes);
        assert_memory_equal(got->value, expected->value, got->bytes);
    }
    model.got.count = model.expected.count = 0;
}

static void
call_step(struct cpi_store *store, uint64_t handle)
{
    char value[SIZE_MOST], second[SIZE_MOST];
    struct cpi_caller caller = {.rank = draw(CALLERS), .handle = handle};
    uint32_t name = draw(NAMES);

    if (model.waits[caller.rank].waits)
        return;
    struct cpi_var_request request = request_draw(name, value, second);
    model_call(caller, name, &request);
    cpi_store_call(store, caller, &request);
    replies_compare();
}

static void
random_calls_agree_with_the_model(void **state)
{
    (void)state;
    for (uint64_t first = 1; first < 8; first++) {
        struct cpi_store *store = cpi_store_new(on_reply, &model);
        assert_non_null(store);
        memset(&model, 0, sizeof(model));
        seed = first;
        for (unsigned step = 0; step < STEPS / 8; step++) {
            if (draw(50) == 0) {
                uint32_t rank = draw(CALLERS);  /* dies, perhaps waiting */
                model.waits[rank].waits = false;
                cpi_store_forget(store, rank);
            } else {
                call_step(store, step);
            }
        }
        for (uint32_t name = 0; name < NAMES; name++)
            assert_true(model.variables[name].version > 100);
        cpi_store_free(store);  /* with waiters in it */
    }
}

/* --- bounds --- */

static void
on_any_reply(void *arg, struct cpi_caller caller, int error, const struct cpi_var_reply *reply,
             const void *value)
{
    (void)caller;
    (void)reply;
    (void)value;
    *(int *)arg = error;
}

static int
open_numbered(struct cpi_store *store, int *error_p, unsigned number, uint32_t bytes)
{
    char name[32];
    struct cpi_var_request request = {.op = CPI_VAR_OPEN, .name = name, .value = NULL};

    *error_p = CPMP_EAGAIN;
    request.call.name_bytes = (uint32_t)snprintf(name, sizeof(name), "variable %u", number);
    request.call.size_bytes = bytes;
    cpi_store_call(store, (struct cpi_caller){0, number}, &request);
    return *error_p;
}

/* calloc of large values is of pages never touched, so this takes no 256 MiB. */
static void
a_store_takes_no_more_than_its_limit(void **state)
{
    int error;
    struct cpi_store *store = cpi_store_new(on_any_reply, &error);
    unsigned number = 0;

    (void)state;
    assert_non_null(store);
    while (open_numbered(store, &error, number, CPMP_VAR_BYTES_MAX) == CPMP_OK)
        number++;
    assert_int_equal(error, CPMP_ELIMIT);
    assert_int_equal(number, CPI_STORE_BYTES_MAX / CPMP_VAR_BYTES_MAX - 1);
    assert_true(cpi_store_bytes(store) <= CPI_STORE_BYTES_MAX);
    /* what was refused is not there; what was there is, and small ones still fit */
    assert_int_equal(open_numbered(store, &error, number, CPMP_VAR_BYTES_MAX), CPMP_ELIMIT);
    assert_int_equal(open_numbered(store, &error, 0, CPMP_VAR_BYTES_MAX), CPMP_OK);
    assert_int_equal(open_numbered(store, &error, number, 8), CPMP_OK);
    cpi_store_free(store);
}

static void
ten_thousand_variables_are_told_apart(void **state)
{
    enum { COUNT = 10000 };
    int error;
    struct cpi_store *store = cpi_store_new(on_any_reply, &error);

    (void)state;
    assert_non_null(store);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(open_numbered(store, &error, i, 1 + i % 50), CPMP_OK);
    size_t bytes = cpi_store_bytes(store);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(open_numbered(store, &error, i, 1 + i % 50), CPMP_OK);
        assert_int_equal(open_numbered(store, &error, i, 51), CPMP_ESIZE);
    }
    assert_int_equal(cpi_store_bytes(store), bytes);
    cpi_store_free(store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_calls_agree_with_the_model),
        cmocka_unit_test(a_store_takes_no_more_than_its_limit),
        cmocka_unit_test(ten_thousand_variables_are_told_apart),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("wire_store", tests, NULL, NULL);
}
