/* SPDX-License-Identifier: BSD-3-Clause */
/* What agents say to each other: greetings, and batches walked as they were put together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/fabric.h"

#define RANKS  16u
#define ROUNDS 3000
#define FRAMES_MAX 64u

static uint64_t seed;
static _Alignas(64) char message[CPI_BATCH_BYTES_MAX + 64];

static uint32_t
draw(uint32_t below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % below;
}

/* --- greetings --- */

static const struct cpi_hello right_hello = {
    .magic = CPI_HELLO_MAGIC, .version = CPI_FABRIC_VERSION, .frame_version = CPI_FRAME_VERSION,
    .role = CPI_ROLE_HELLO, .from = 0, .to = 1, .job = 7, .incarnation = 1, .attempt = 1};

static void
a_whole_greeting_of_its_role_is_right(void **state)
{
    struct cpi_hello hello = right_hello;

    (void)state;
    assert_int_equal(cpi_hello_check(&hello, sizeof(hello), CPI_ROLE_HELLO), CPMP_OK);
    assert_int_equal(cpi_hello_check(&hello, sizeof(hello) + 8, CPI_ROLE_HELLO), CPMP_OK);
    assert_int_equal(cpi_hello_check(&hello, sizeof(hello), CPI_ROLE_WELCOME), CPMP_EPROTO);
    for (size_t bytes = 0; bytes < sizeof(hello); bytes++)
        assert_int_equal(cpi_hello_check(&hello, bytes, CPI_ROLE_HELLO), CPMP_EPROTO);
}

static int
hello_error(struct cpi_hello hello)
{
    return cpi_hello_check(&hello, sizeof(hello), CPI_ROLE_HELLO);
}

static void
a_greeting_with_a_wrong_field_is_refused(void **state)
{
    struct cpi_hello hello;

    (void)state;
    hello = right_hello, hello.magic++;
    assert_int_equal(hello_error(hello), CPMP_EPROTO);
    hello = right_hello, hello.version++;
    assert_int_equal(hello_error(hello), CPMP_EVERSION);
    hello = right_hello, hello.frame_version++;
    assert_int_equal(hello_error(hello), CPMP_EVERSION);
    hello = right_hello, hello.role = 0;
    assert_int_equal(hello_error(hello), CPMP_EPROTO);
    hello = right_hello, hello.flags = 2;
    assert_int_equal(hello_error(hello), CPMP_EPROTO);
    hello = right_hello, hello.to = hello.from;
    assert_int_equal(hello_error(hello), CPMP_EPROTO);
}

/* --- batches --- */

/* A batch as its sender makes it, and where its frames lie. */
struct made {
    uint32_t frames;
    size_t at[FRAMES_MAX];
    uint32_t sizes[FRAMES_MAX];
};

static struct cpi_batch *
batch(void)
{
    return (struct cpi_batch *)(void *)message;
}

static size_t
message_bytes(void)
{
    return sizeof(struct cpi_batch) + batch()->bytes;
}

static void
batch_make(struct made *made)
{
    size_t at = sizeof(struct cpi_batch);

    made->frames = draw(FRAMES_MAX + 1);
    for (uint32_t i = 0; i < made->frames; i++) {
        size_t payload = draw(8) == 0 ? draw(3000) : draw(100);
        struct cpi_frame *frame = (struct cpi_frame *)(void *)(message + at);
        *frame = (struct cpi_frame){.size = (uint32_t)(sizeof(*frame) + payload),
                                    .kind = CPI_FRAME_EAGER, .source = draw(RANKS),
                                    .dest = draw(RANKS), .sequence = i + 1};
        memset(frame + 1, (int)i, payload);
        made->at[i] = at;
        made->sizes[i] = frame->size;
        at += (frame->size + 63) / 64 * 64;
    }
    *batch() = (struct cpi_batch){.magic = CPI_BATCH_MAGIC, .frames = made->frames, .from = 1,
                                  .bytes = (uint32_t)(at - sizeof(struct cpi_batch))};
}

/* Walks the batch: the frames seen before its end or, with *error_p set, its first fault. */
static uint32_t
batch_walk(const struct made *made, int *error_p)
{
    struct cpi_batch_reader reader;
    const struct cpi_frame *frame = NULL;
    uint32_t seen = 0;

    cpi_batch_reader_init(&reader, batch());
    while ((*error_p = cpi_batch_next(&reader, RANKS, &frame)) == CPMP_OK && frame != NULL) {
        assert_true(seen < made->frames);
        assert_ptr_equal(frame, message + made->at[seen]);
        assert_int_equal(frame->size, made->sizes[seen]);
        seen++;
    }
    return seen;
}

static void
a_batch_is_walked_as_it_was_made(void **state)
{
    struct made made;
    int error;

    (void)state;
    seed = 1;
    for (unsigned round = 0; round < ROUNDS; round++) {
        batch_make(&made);
        assert_int_equal(cpi_batch_check(message, message_bytes()), CPMP_OK);
        assert_int_equal(batch_walk(&made, &error), made.frames);
        assert_int_equal(error, CPMP_OK);
    }
}

/* Spoils frame `at` so that it is none; those before it are still handed out. */
static void
frame_spoil(const struct made *made, uint32_t at)
{
    struct cpi_frame *frame = (struct cpi_frame *)(void *)(message + made->at[at]);

    switch (draw(6)) {
    case 0: frame->size = draw(48); break;
    case 1: frame->size = (uint32_t)(message_bytes() - made->at[at]) + 1 + draw(1000); break;
    case 2: frame->size = UINT32_MAX - draw(200); break;
    case 3: frame->kind = CPI_FRAME_PAD; break;
    case 4: frame->source = RANKS; break;
    default: frame->dest = RANKS + draw(1000); break;
    }
}

static void
a_walk_ends_at_the_first_frame_that_is_none(void **state)
{
    struct made made;
    int error;

    (void)state;
    seed = 2;
    for (unsigned round = 0; round < ROUNDS; round++) {
        do {
            batch_make(&made);
        } while (made.frames == 0);
        uint32_t bad = draw(made.frames);
        frame_spoil(&made, bad);
        assert_int_equal(batch_walk(&made, &error), bad);
        assert_int_equal(error, CPMP_EPROTO);
    }
}

static void
count_and_bytes_end_together(void **state)
{
    struct made made;
    int error;

    (void)state;
    seed = 3;
    for (unsigned round = 0; round < ROUNDS; round++) {
        do {
            batch_make(&made);
        } while (made.frames == 0);
        uint32_t fewer = draw(made.frames), frames = made.frames;
        batch()->frames = fewer;
        assert_int_equal(batch_walk(&made, &error), fewer);
        assert_int_equal(error, CPMP_EPROTO);
        batch()->frames = frames + 1;
        assert_int_equal(batch_walk(&made, &error), frames);
        assert_int_equal(error, CPMP_EPROTO);
    }
}

static int
header_error(struct cpi_batch header, size_t available)
{
    memcpy(message, &header, sizeof(header));
    return cpi_batch_check(message, available);
}

static void
a_batch_header_agrees_with_its_message(void **state)
{
    const size_t own = sizeof(struct cpi_batch);
    struct cpi_batch right = {.magic = CPI_BATCH_MAGIC, .bytes = 128, .frames = 2}, wrong;

    (void)state;
    assert_int_equal(header_error(right, own + 128), CPMP_OK);
    assert_int_equal(header_error(right, own + 127), CPMP_EPROTO);
    assert_int_equal(header_error(right, own + 129), CPMP_EPROTO);
    assert_int_equal(header_error(right, own - 1), CPMP_EPROTO);
    assert_int_equal(header_error(right, 0), CPMP_EPROTO);
    wrong = right, wrong.magic++;
    assert_int_equal(header_error(wrong, own + 128), CPMP_EPROTO);
    wrong = right, wrong.bytes = 100;
    assert_int_equal(header_error(wrong, own + 100), CPMP_EPROTO);
    wrong = right, wrong.frames = 3;
    assert_int_equal(header_error(wrong, own + 128), CPMP_EPROTO);
    wrong = (struct cpi_batch){.magic = CPI_BATCH_MAGIC};
    assert_int_equal(header_error(wrong, own), CPMP_OK);
    wrong.bytes = CPI_BATCH_FRAME_BYTES_MAX;
    assert_int_equal(header_error(wrong, own + wrong.bytes), CPMP_OK);
    wrong.bytes += 64;
    assert_int_equal(header_error(wrong, own + wrong.bytes), CPMP_EPROTO);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_greeting_of_its_role_is_right),
        cmocka_unit_test(a_greeting_with_a_wrong_field_is_refused),
        cmocka_unit_test(a_batch_is_walked_as_it_was_made),
        cmocka_unit_test(a_walk_ends_at_the_first_frame_that_is_none),
        cmocka_unit_test(count_and_bytes_end_together),
        cmocka_unit_test(a_batch_header_agrees_with_its_message),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("wire_fabric", tests, NULL, NULL);
}
