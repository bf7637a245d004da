/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames from outside: what cpi_frame_check lets through is what the format says, no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <cpmp.h>

#include "wire/frame.h"

#define RANKS 16u
#define STEPS 500000

static uint64_t seed;

static uint32_t
draw(uint32_t below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % below;
}

/* The kinds that travel between peers, and the least payload that a receiver reads unasked. */
static const struct {
    enum cpi_frame_kind kind;
    size_t least;
} kinds[] = {
    {CPI_FRAME_EAGER, 0},     {CPI_FRAME_MORE, 1},      {CPI_FRAME_RTS, 0},
    {CPI_FRAME_CTS, 16},      {CPI_FRAME_DATA, 1},      {CPI_FRAME_ACK, 0},
    {CPI_FRAME_FIN, 0},       {CPI_FRAME_CREDIT, 0},    {CPI_FRAME_VAR_CALL, 0},
    {CPI_FRAME_VAR_REPLY, 0}, {CPI_FRAME_EVENT, 0},     {CPI_FRAME_EVENT_ACK, 0},
    {CPI_FRAME_SUBSCRIBE, 0}, {CPI_FRAME_ABORT, 0},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct cpi_frame
frame_of(enum cpi_frame_kind kind, size_t payload)
{
    return (struct cpi_frame){.size = (uint32_t)(sizeof(struct cpi_frame) + payload),
                              .kind = (uint8_t)kind, .source = 1, .dest = 2, .sequence = 1};
}

static int
check(const struct cpi_frame *frame, size_t available)
{
    _Alignas(64) static char room[CPI_FRAME_MAX + 64];

    memcpy(room, frame, sizeof(*frame));
    return cpi_frame_check(room, available, RANKS);
}

static void
each_kind_needs_its_payload(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        for (size_t payload = 0; payload < 40; payload++) {
            struct cpi_frame frame = frame_of(kinds[i].kind, payload);
            int expected = payload >= kinds[i].least ? CPMP_OK : CPMP_EPROTO;
            assert_int_equal(check(&frame, frame.size), expected);
        }
    }
}

static void
kinds_that_do_not_travel_are_refused(void **state)
{
    struct cpi_frame frame;

    (void)state;
    for (unsigned kind = CPI_FRAME_KIND_END; kind <= UINT8_MAX; kind++) {
        frame = frame_of((enum cpi_frame_kind)kind, 64);
        assert_int_equal(check(&frame, frame.size), CPMP_EPROTO);
    }
    for (unsigned kind = CPI_FRAME_CREDIT + 1; kind < CPI_FRAME_VAR_CALL; kind++) {
        frame = frame_of((enum cpi_frame_kind)kind, 64);
        assert_int_equal(check(&frame, frame.size), CPMP_EPROTO);
    }
    frame = frame_of(CPI_FRAME_NONE, 64);
    assert_int_equal(check(&frame, frame.size), CPMP_EPROTO);
    frame = frame_of(CPI_FRAME_PAD, 64);
    assert_int_equal(check(&frame, frame.size), CPMP_EPROTO);
}

static void
sizes_end_at_the_header_the_bytes_and_the_limit(void **state)
{
    struct cpi_frame frame = frame_of(CPI_FRAME_EAGER, 0);

    (void)state;
    assert_int_equal(check(&frame, sizeof(frame)), CPMP_OK);
    assert_int_equal(check(&frame, sizeof(frame) - 1), CPMP_EPROTO);
    assert_int_equal(check(&frame, 0), CPMP_EPROTO);
    frame.size = 0;
    assert_int_equal(check(&frame, 64), CPMP_EPROTO);
    frame.size = sizeof(frame) - 1;
    assert_int_equal(check(&frame, 64), CPMP_EPROTO);
    frame.size = 65;
    assert_int_equal(check(&frame, 64), CPMP_EPROTO);
    assert_int_equal(check(&frame, 65), CPMP_OK);
    frame.size = CPI_FRAME_MAX;
    assert_int_equal(check(&frame, CPI_FRAME_MAX + 64), CPMP_OK);
    frame.size = CPI_FRAME_MAX + 1;
    assert_int_equal(check(&frame, CPI_FRAME_MAX + 64), CPMP_EPROTO);
    frame.size = UINT32_MAX;
    assert_int_equal(check(&frame, CPI_FRAME_MAX + 64), CPMP_EPROTO);
}

static void
both_ends_are_ranks_of_the_job_or_an_agent(void **state)
{
    static const struct {
        uint32_t rank;
        int error;
    } cases[] = {
        {0, CPMP_OK},
        {RANKS - 1, CPMP_OK},
        {CPI_RANK_AGENT, CPMP_OK},
        {RANKS, CPMP_EPROTO},
        {CPI_RANK_AGENT - 1, CPMP_EPROTO},
        {INT32_MAX, CPMP_EPROTO},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cpi_frame from = frame_of(CPI_FRAME_EAGER, 8), to = from;
        from.source = cases[i].rank;
        to.dest = cases[i].rank;
        assert_int_equal(check(&from, from.size), cases[i].error);
        assert_int_equal(check(&to, to.size), cases[i].error);
    }
}

static int
rank_is_known(uint32_t rank)
{
    return rank < RANKS || rank == CPI_RANK_AGENT;
}

/* The format in one line for each rule: what the check must agree with. */
static int
model_check(const struct cpi_frame *frame, size_t available)
{
    size_t least = SIZE_MAX;

    for (size_t i = 0; i < KINDS; i++)
        if (frame->kind == kinds[i].kind)
            least = kinds[i].least;
    if (least == SIZE_MAX || available < 48)
        return CPMP_EPROTO;
    return (uint64_t)frame->size >= 48 + least && frame->size <= available &&
           frame->size <= 65536 && rank_is_known(frame->source) && rank_is_known(frame->dest)
               ? CPMP_OK : CPMP_EPROTO;
}

/* One field of a right frame gets a value at which limits tend to break. */
static void
frame_spoil(struct cpi_frame *frame)
{
    static const uint32_t values[] = {0,         1,          2,          15,        16,
                                      17,        47,         48,         49,        63,
                                      64,        65,         0xffff,     0x10000,   0x10001,
                                      INT32_MAX, 0x80000000, UINT32_MAX, UINT32_MAX - 1};
    uint32_t value = values[draw(sizeof(values) / sizeof(values[0]))];

    switch (draw(8)) {
    case 0: frame->size = value; break;
    case 1: frame->source = value; break;
    case 2: frame->dest = value; break;
    case 3: frame->kind = (uint8_t)draw(CPI_FRAME_VAR_CALL); break;
    case 4: frame->size += draw(3) - 1; break;
    default: break;
    }
}

static void
random_frames_agree_with_the_model(void **state)
{
    unsigned right = 0;

    (void)state;
    seed = 1;
    for (unsigned step = 0; step < STEPS; step++) {
        size_t payload = draw(4) == 0 ? draw(CPI_FRAME_MAX - 47) : draw(40);
        struct cpi_frame frame = frame_of(kinds[draw(KINDS)].kind, payload);
        size_t available = frame.size + draw(3) - 1;
        frame.source = draw(RANKS);
        frame.dest = draw(RANKS);
        frame_spoil(&frame);
        int expected = model_check(&frame, available);
        assert_int_equal(check(&frame, available), expected);
        right += expected == CPMP_OK;
    }
    assert_in_range(right, STEPS / 10, STEPS - STEPS / 10);
}

static void
strides_round_up_to_whole_places(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 1000; size++) {
        size_t stride = cpi_frame_stride(size);
        assert_true(stride >= size && stride < size + CPI_FRAME_ALIGN);
        assert_int_equal(stride % CPI_FRAME_ALIGN, 0);
    }
    assert_int_equal(cpi_frame_stride(CPI_FRAME_MAX), CPI_FRAME_MAX);
}

/* Others wrote these bytes, and others read them: the places of the fields are the format. */
static void
fields_lie_where_the_format_has_them(void **state)
{
    (void)state;
    assert_int_equal(offsetof(struct cpi_frame, size), 0);
    assert_int_equal(offsetof(struct cpi_frame, kind), 4);
    assert_int_equal(offsetof(struct cpi_frame, flags), 5);
    assert_int_equal(offsetof(struct cpi_frame, incarnation), 6);
    assert_int_equal(offsetof(struct cpi_frame, source), 8);
    assert_int_equal(offsetof(struct cpi_frame, dest), 12);
    assert_int_equal(offsetof(struct cpi_frame, context), 16);
    assert_int_equal(offsetof(struct cpi_frame, tag), 20);
    assert_int_equal(offsetof(struct cpi_frame, sequence), 24);
    assert_int_equal(offsetof(struct cpi_frame, length), 32);
    assert_int_equal(offsetof(struct cpi_frame, handle), 40);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_needs_its_payload),
        cmocka_unit_test(kinds_that_do_not_travel_are_refused),
        cmocka_unit_test(sizes_end_at_the_header_the_bytes_and_the_limit),
        cmocka_unit_test(both_ends_are_ranks_of_the_job_or_an_agent),
        cmocka_unit_test(random_frames_agree_with_the_model),
        cmocka_unit_test(strides_round_up_to_whole_places),
        cmocka_unit_test(fields_lie_where_the_format_has_them),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("wire_frame", tests, NULL, NULL);
}
