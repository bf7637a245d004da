/* SPDX-License-Identifier: BSD-3-Clause */
/* Bodies in parts, and calls on global variables taken apart: whole ones only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <cpmp.h>

#include "wire/var.h"

#define ROUNDS 20000

static uint64_t seed;

static uint32_t
draw(uint32_t below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % below;
}

/* --- bodies in parts --- */

/* A frame with the part of `body` that begins at `offset`. */
static const struct cpi_frame *
part_of(const char *body, size_t bytes, size_t offset, size_t part, uint64_t handle)
{
    _Alignas(64) static char room[CPI_FRAME_MAX];
    struct cpi_frame *frame = (struct cpi_frame *)room;

    *frame = (struct cpi_frame){.size = (uint32_t)(sizeof(*frame) + part),
                                .kind = CPI_FRAME_VAR_CALL, .context = (uint32_t)offset,
                                .length = bytes, .handle = handle};
    memcpy(frame + 1, body + offset, part);
    return frame;
}

static size_t
part_draw(size_t left)
{
    size_t most = CPI_FRAME_MAX - sizeof(struct cpi_frame);
    size_t part = draw(3) == 0 ? left : 1 + draw((uint32_t)left);

    return part < most ? part : most;
}

/* Feeds a whole body and leaves it in the assembly. */
static void
body_feed(struct cpi_assembly *assembly, const char *body, size_t bytes, uint64_t handle)
{
    size_t offset = 0;
    bool complete = true;

    do {
        size_t part = bytes == 0 ? 0 : part_draw(bytes - offset);
        const struct cpi_frame *frame = part_of(body, bytes, offset, part, handle);
        assert_int_equal(cpi_assembly_add(assembly, frame, &complete), CPMP_OK);
        offset += part;
        assert_int_equal(complete, offset == bytes);
    } while (offset < bytes);
    assert_int_equal(assembly->bytes, bytes);
    assert_memory_equal(assembly->body, body, bytes);
}

static void
bodies_come_together_however_they_are_cut(void **state)
{
    static char body[300000];
    struct cpi_assembly assembly = {0};

    (void)state;
    seed = 1;
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (char)draw(256);
    for (unsigned round = 0; round < 300; round++) {
        size_t bytes = round % 50 == 0 ? sizeof(body) : draw(2000);
        body_feed(&assembly, body + draw(100), bytes > 100 ? bytes - 100 : bytes, round);
        if (draw(2))
            cpi_assembly_release(&assembly);
    }
    cpi_assembly_release(&assembly);
    assert_null(assembly.body);
}

/* A part that fits nothing is an error, after which a new body may begin. */
static void
parts_out_of_order_are_refused(void **state)
{
    static const char body[1000];
    struct cpi_assembly assembly = {0};
    bool complete;

    (void)state;
    seed = 2;
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t bytes = 2 + draw(998), have = 1 + draw((uint32_t)bytes - 1);
        size_t part = 1 + draw((uint32_t)(bytes - have));
        struct cpi_frame *frame;
        assert_int_equal(cpi_assembly_add(&assembly, part_of(body, bytes, 0, have, 5), &complete),
                         CPMP_OK);
        assert_false(complete);
        frame = (struct cpi_frame *)part_of(body, bytes, have, part, 5);
        switch (draw(6)) {
        case 0: frame->handle++; break;
        case 1: frame->length += 1 + draw(9); break;
        case 2: frame->context += 1 + draw(500); break;
        case 3: frame->context = frame->context == 1 ? 2 : frame->context - 1; break;
        case 4: frame->size = (uint32_t)(sizeof(*frame) + bytes - have + 1 + draw(9)); break;
        default: frame->size = sizeof(*frame); break;
        }
        if (frame->context == 0)
            continue;
        complete = true;
        assert_int_equal(cpi_assembly_add(&assembly, frame, &complete), CPMP_EPROTO);
        assert_null(assembly.body);
        assert_true(complete);  /* an output is set on success only */
    }
    cpi_assembly_release(&assembly);
}

static void
a_part_of_nothing_begun_is_refused(void **state)
{
    static const char body[100];
    struct cpi_assembly assembly = {0};
    bool complete;

    (void)state;
    assert_int_equal(cpi_assembly_add(&assembly, part_of(body, 100, 50, 50, 1), &complete),
                     CPMP_EPROTO);
    assert_int_equal(cpi_assembly_add(&assembly, part_of(body, 100, 0, 0, 1), &complete),
                     CPMP_EPROTO);
    assert_int_equal(cpi_assembly_add(&assembly, part_of(body, 10, 0, 11, 1), &complete),
                     CPMP_EPROTO);
    body_feed(&assembly, body, sizeof(body), 1);
    cpi_assembly_release(&assembly);
}

/* The sender's word about its length costs no more memory than the limit. */
static void
a_body_beyond_the_limit_is_refused(void **state)
{
    static const char body[64];
    static const uint64_t lengths[] = {CPI_BODY_BYTES_MAX + 1ull, UINT32_MAX, INT64_MAX,
                                       UINT64_MAX};
    struct cpi_assembly assembly = {0};
    bool complete;

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        assert_int_equal(cpi_assembly_add(&assembly, part_of(body, lengths[i], 0, 64, 1),
                                          &complete), CPMP_EPROTO);
        assert_null(assembly.body);
    }
    assert_int_equal(cpi_assembly_add(&assembly, part_of(body, CPI_BODY_BYTES_MAX, 0, 64, 1),
                                      &complete), CPMP_OK);
    assert_false(complete);
    cpi_assembly_release(&assembly);
}

/* A rank that dies within a call and is started again begins a new one. */
static void
a_new_body_replaces_an_unfinished_one(void **state)
{
    static const char body[100] = "new";
    struct cpi_assembly assembly = {0};
    bool complete;

    (void)state;
    assert_int_equal(cpi_assembly_add(&assembly, part_of(body, 100, 0, 50, 1), &complete),
                     CPMP_OK);
    body_feed(&assembly, body, 60, 2);
    assert_int_equal(assembly.handle, 2);
    cpi_assembly_release(&assembly);
}

/* --- calls --- */

static size_t
call_make(char *body, const struct cpi_var_call *call)
{
    size_t at = sizeof(*call);

    memcpy(body, call, at);
    memset(body + at, 'n', call->name_bytes);
    memset(body + (at += call->name_bytes), 'v', call->value_bytes);
    memset(body + (at += call->value_bytes), 's', call->second_bytes);
    return at + call->second_bytes;
}

static void
calls_are_taken_apart_where_they_were_joined(void **state)
{
    static char body[4096];

    (void)state;
    seed = 3;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct cpi_var_request request;
        int32_t op = (int32_t)(CPI_VAR_OPEN + draw(CPI_VAR_OP_END - CPI_VAR_OPEN));
        struct cpi_var_call call = {.version = draw(1000), .operand = -(int64_t)draw(1000),
                                    .size_bytes = draw(1000), .name_bytes = 1 + draw(255),
                                    .value_bytes = draw(1000), .second_bytes = draw(1000)};
        if (op == CPI_VAR_OPEN)
            call.size_bytes = call.value_bytes;
        size_t bytes = call_make(body, &call);
        assert_int_equal(cpi_var_request_parse(&request, op, body, bytes), CPMP_OK);
        assert_int_equal(request.op, op);
        assert_memory_equal(&request.call, &call, sizeof(call));
        assert_ptr_equal(request.name, body + sizeof(call));
        assert_ptr_equal(request.value, body + sizeof(call) + call.name_bytes);
        assert_ptr_equal(request.second, body + bytes - call.second_bytes);
        /* any other length is a body cut, or one with something behind it */
        assert_int_equal(cpi_var_request_parse(&request, op, body, bytes - 1 - draw(10)),
                         CPMP_EPROTO);
        assert_int_equal(cpi_var_request_parse(&request, op, body, bytes + 1 + draw(10)),
                         CPMP_EPROTO);
        assert_int_equal(cpi_var_request_parse(&request, op, body, draw(sizeof(call))),
                         CPMP_EPROTO);
    }
}

static int
parse_error(int32_t op, struct cpi_var_call call)
{
    static char body[sizeof(call) + CPMP_NAME_MAX + 1 + 2 * (CPMP_VAR_BYTES_MAX + 1)];
    struct cpi_var_request request;
    size_t room = sizeof(body) - sizeof(call);

    if (call.name_bytes > room || call.value_bytes > room - call.name_bytes ||
        call.second_bytes > room - call.name_bytes - call.value_bytes) {
        memcpy(body, &call, sizeof(call));
        return cpi_var_request_parse(&request, op, body, sizeof(body));
    }
    return cpi_var_request_parse(&request, op, body, call_make(body, &call));
}

static void
calls_beyond_a_limit_are_refused(void **state)
{
    const uint32_t most = CPMP_VAR_BYTES_MAX;
    const struct cpi_var_call right = {.size_bytes = 8, .name_bytes = 3, .value_bytes = 8};
    struct cpi_var_call call;

    (void)state;
    assert_int_equal(parse_error(CPI_VAR_WRITE, right), CPMP_OK);
    assert_int_equal(parse_error(0, right), CPMP_EPROTO);
    assert_int_equal(parse_error(-1, right), CPMP_EPROTO);
    assert_int_equal(parse_error(CPI_VAR_OP_END, right), CPMP_EPROTO);
    call = right, call.name_bytes = 0;
    assert_int_equal(parse_error(CPI_VAR_WRITE, call), CPMP_EPROTO);
    call = right, call.name_bytes = CPMP_NAME_MAX;
    assert_int_equal(parse_error(CPI_VAR_WRITE, call), CPMP_OK);
    call = right, call.name_bytes = CPMP_NAME_MAX + 1;
    assert_int_equal(parse_error(CPI_VAR_WRITE, call), CPMP_EPROTO);
    call = right, call.size_bytes = most + 1;
    assert_int_equal(parse_error(CPI_VAR_WRITE, call), CPMP_EPROTO);
    call = (struct cpi_var_call){most, 0, most, 3, most, most};
    assert_int_equal(parse_error(CPI_VAR_COMPARE_SWAP, call), CPMP_OK);
    call.value_bytes++;
    assert_int_equal(parse_error(CPI_VAR_COMPARE_SWAP, call), CPMP_EPROTO);
    call = (struct cpi_var_call){most, 0, most, 3, most, most + 1};
    assert_int_equal(parse_error(CPI_VAR_COMPARE_SWAP, call), CPMP_EPROTO);
    call = right, call.second_bytes = UINT32_MAX - 10;
    assert_int_equal(parse_error(CPI_VAR_COMPARE_SWAP, call), CPMP_EPROTO);
}

static void
an_initial_value_is_whole_or_none(void **state)
{
    struct cpi_var_call call = {.size_bytes = 8, .name_bytes = 3};

    (void)state;
    assert_int_equal(parse_error(CPI_VAR_OPEN, call), CPMP_OK);
    call.value_bytes = 8;
    assert_int_equal(parse_error(CPI_VAR_OPEN, call), CPMP_OK);
    call.value_bytes = 7;
    assert_int_equal(parse_error(CPI_VAR_OPEN, call), CPMP_EPROTO);
    call.value_bytes = 9;
    assert_int_equal(parse_error(CPI_VAR_OPEN, call), CPMP_EPROTO);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_come_together_however_they_are_cut),
        cmocka_unit_test(parts_out_of_order_are_refused),
        cmocka_unit_test(a_part_of_nothing_begun_is_refused),
        cmocka_unit_test(a_body_beyond_the_limit_is_refused),
        cmocka_unit_test(a_new_body_replaces_an_unfinished_one),
        cmocka_unit_test(calls_are_taken_apart_where_they_were_joined),
        cmocka_unit_test(calls_beyond_a_limit_are_refused),
        cmocka_unit_test(an_initial_value_is_whole_or_none),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("wire_var", tests, NULL, NULL);
}
