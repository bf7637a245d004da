/* SPDX-License-Identifier: BSD-3-Clause */

/* Sealed batches: what one end closes the other opens, and nobody else's, and nothing twice. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "agent/fabric_seal.h"

#define FRAME_BYTES 192u

/* A message as it travels. */
struct message {
    struct cpi_batch header;
    uint8_t bytes[FRAME_BYTES + SEAL_TAG_BYTES];
};

static const uint8_t job_key[CPI_KEY_BYTES] = {1, 2, 3};
static const struct cpi_hello hello = {.nonce = {4, 5}}, welcome = {.nonce = {6, 7}};
static uint8_t plain[FRAME_BYTES];

static void
ends_make(struct seal *connector, struct seal *acceptor)
{
    for (unsigned i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)(3 * i + 1);
    assert_int_equal(CPMP_OK, seal_init(connector, job_key, &hello, &welcome, false));
    assert_int_equal(CPMP_OK, seal_init(acceptor, job_key, &hello, &welcome, true));
}

static void
message_make(struct message *message, struct seal *seal, uint64_t sequence)
{
    const struct iovec runs[] = {{plain, 64}, {plain + 64, 128}};

    message->header = (struct cpi_batch){.magic = CPI_BATCH_MAGIC, .bytes = FRAME_BYTES,
                                         .frames = 2, .tag = 9, .sequence = sequence};
    assert_int_equal(CPMP_OK, seal_close(seal, &message->header, runs, 2, message->bytes));
}

static void
what_one_end_closes_the_other_opens(void **state)
{
    struct seal connector, acceptor;
    struct message message;

    (void)state;
    ends_make(&connector, &acceptor);
    for (uint64_t sequence = 1; sequence < 100; sequence++) {
        bool there = sequence % 2 == 0;
        message_make(&message, there ? &connector : &acceptor, sequence);
        assert_memory_not_equal(plain, message.bytes, 64);
        assert_int_equal(CPMP_OK, seal_open(there ? &acceptor : &connector, &message.header));
        assert_memory_equal(plain, message.bytes, sizeof(plain));
    }
    seal_release(&connector);
    seal_release(&acceptor);
}

static void
an_empty_batch_is_sealed_too(void **state)
{
    struct seal connector, acceptor;
    struct message message = {.header = {.magic = CPI_BATCH_MAGIC, .sequence = 1, .grant = 77}};

    (void)state;
    ends_make(&connector, &acceptor);
    assert_int_equal(CPMP_OK, seal_close(&connector, &message.header, NULL, 0, message.bytes));
    struct message altered = message;
    altered.header.grant++;
    assert_int_equal(CPMP_OK, seal_open(&acceptor, &message.header));
    assert_int_equal(CPMP_EPROTO, seal_open(&acceptor, &altered.header));
    seal_release(&connector);
    seal_release(&acceptor);
}

static void
every_altered_bit_is_noticed(void **state)
{
    struct seal connector, acceptor;
    struct message message;

    (void)state;
    ends_make(&connector, &acceptor);
    for (size_t bit = 0; bit < 8 * (sizeof(message.header) + sizeof(message.bytes)); bit++) {
        size_t length = offsetof(struct cpi_batch, bytes);
        if (bit / 8 >= length && bit / 8 < length + sizeof(message.header.bytes))
            continue;  /* the length of the message says that one */
        message_make(&message, &connector, 5);
        ((uint8_t *)&message)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(CPMP_EPROTO, seal_open(&acceptor, &message.header));
    }
    seal_release(&connector);
    seal_release(&acceptor);
}

static void
another_key_greeting_or_direction_opens_nothing(void **state)
{
    static const uint8_t other_key[CPI_KEY_BYTES] = {9};
    const struct cpi_hello other_hello = {.nonce = {8}};
    struct seal connector, acceptor, other;
    struct message message;

    (void)state;
    ends_make(&connector, &acceptor);
    message_make(&message, &connector, 1);
    assert_int_equal(CPMP_EPROTO, seal_open(&connector, &message.header));
    assert_int_equal(CPMP_OK, seal_init(&other, other_key, &hello, &welcome, true));
    message_make(&message, &connector, 1);
    assert_int_equal(CPMP_EPROTO, seal_open(&other, &message.header));
    seal_release(&other);
    assert_int_equal(CPMP_OK, seal_init(&other, job_key, &other_hello, &welcome, true));
    message_make(&message, &connector, 1);
    assert_int_equal(CPMP_EPROTO, seal_open(&other, &message.header));
    seal_release(&other);
    seal_release(&connector);
    seal_release(&acceptor);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_end_closes_the_other_opens),
        cmocka_unit_test(an_empty_batch_is_sealed_too),
        cmocka_unit_test(every_altered_bit_is_noticed),
        cmocka_unit_test(another_key_greeting_or_direction_opens_nothing),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
