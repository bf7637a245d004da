/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "peer/book.h"

static struct book_peer
peer_numbered(uint32_t number, const char *name, char *const *addresses, size_t count)
{
    struct book_peer peer = {.name = name, .addresses = addresses, .address_count = count};

    for (size_t i = 0; i < CHORD_ID_BYTES; i++)
        peer.id.bytes[i] = (uint8_t)(number >> (8 * (i % 4)));
    return peer;
}

static void
mark_nothing(void *arg)
{
    (void)arg;
}

static void
a_peer_has_one_contact_and_its_own_word_wins(void **state)
{
    char *rumor[] = {(char *)"10.0.0.1:1"}, *own[] = {(char *)"10.0.0.2:2", (char *)"[::1]:3"};
    struct book book;
    struct book_peer peer = peer_numbered(7, "old", rumor, 1);
    uint32_t contact;
    (void)state;

    book_init(&book, mark_nothing, NULL);
    contact = book_intern(&book, &peer, 1);
    peer = peer_numbered(7, "new", own, 2);
    peer.own_word = true;
    assert_int_equal(contact, book_intern(&book, &peer, 2));
    peer = peer_numbered(7, "liar", rumor, 1);
    assert_int_equal(contact, book_intern(&book, &peer, 3));
    assert_string_equal("new", book_get(&book, contact)->name);
    assert_int_equal(2, book_get(&book, contact)->address_count);
    assert_string_equal("[::1]:3", book_get(&book, contact)->addresses[1]);
    assert_int_equal(contact, book_find(&book, &peer.id));
    assert_null(book_get(&book, contact + 1));
    book_release(&book);
}

static void
peers_are_found_by_name_and_by_the_beginning_of_their_id(void **state)
{
    struct book book;
    (void)state;

    book_init(&book, mark_nothing, NULL);
    for (uint32_t i = 1; i <= 3; i++) {
        struct book_peer peer = peer_numbered(0x11220000u * (i < 3) + i, i < 3 ? "twin" : "Only",
                                              NULL, 0);
        book_intern(&book, &peer, 1);
    }
    assert_int_equal(2, book_search(&book, "only"));
    assert_int_equal(CHORD_NO_CONTACT, book_search(&book, "twin"));
    assert_int_equal(CHORD_NO_CONTACT, book_search(&book, "nobody"));
    assert_int_equal(0, book_search(&book, "01002211"));
    assert_int_equal(2, book_search(&book, "0300"));
    assert_int_equal(CHORD_NO_CONTACT, book_search(&book, "03"));
    book_release(&book);
}

static void
addresses_beyond_the_limits_are_left_out(void **state)
{
    char longest[200];
    char *addresses[BOOK_ADDRESSES_MAX + 2];
    struct book book;
    struct book_peer peer;
    uint32_t contact;
    (void)state;

    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    addresses[0] = longest;
    for (size_t i = 1; i < BOOK_ADDRESSES_MAX + 2; i++)
        addresses[i] = (char *)"127.0.0.1:1";
    book_init(&book, mark_nothing, NULL);
    peer = peer_numbered(1, longest, addresses, BOOK_ADDRESSES_MAX + 2);
    contact = book_intern(&book, &peer, 1);
    assert_int_equal(BOOK_ADDRESSES_MAX, book_get(&book, contact)->address_count);
    assert_string_equal("127.0.0.1:1", book_get(&book, contact)->addresses[0]);
    assert_int_equal(BOOK_NAME_BYTES - 1, strlen(book_get(&book, contact)->name));
    book_release(&book);
}

static void
mark_two(void *arg)
{
    struct book *book = arg;

    book_hold(book, 5);
    book_hold(book, BOOK_ENTRIES_MAX - 1);
}

static void
a_full_book_forgets_what_nobody_holds(void **state)
{
    struct book book;
    struct book_peer peer;
    (void)state;

    book_init(&book, mark_two, &book);
    for (uint32_t i = 0; i < BOOK_ENTRIES_MAX; i++) {
        peer = peer_numbered(i + 1, NULL, NULL, 0);
        assert_int_equal(i, book_intern(&book, &peer, i));
    }
    peer = peer_numbered(BOOK_ENTRIES_MAX + 1, NULL, NULL, 0);
    assert_int_equal(1, book_intern(&book, &peer, BOOK_ENTRIES_MAX));
    peer = peer_numbered(6, NULL, NULL, 0);
    assert_int_equal(5, book_find(&book, &peer.id));
    peer = peer_numbered(1, NULL, NULL, 0);
    assert_int_equal(BOOK_SELF, book_find(&book, &peer.id));
    peer = peer_numbered(9, NULL, NULL, 0);
    assert_int_equal(CHORD_NO_CONTACT, book_find(&book, &peer.id));
    assert_int_equal(4, book.used);
    book_release(&book);
}

/* Else two of them could have one number, or the sender that of somebody it names. */
static void
peers_of_one_message_and_its_sender_stay(void **state)
{
    struct book_peer sender = peer_numbered(0x7fffffffu, "sender", NULL, 0), peer;
    char *address[] = {(char *)"127.0.0.1:1"};
    uint32_t contacts[64], from, number = 0;
    uint64_t now_us = 100 * (uint64_t)BOOK_RECENT_US;
    struct book book;
    (void)state;

    book_init(&book, mark_two, &book);
    for (; number < BOOK_ENTRIES_MAX - 8; number++) {
        peer = peer_numbered(number + 1, NULL, NULL, 0);
        book_intern(&book, &peer, 1);
    }
    sender.addresses = address;
    sender.address_count = 1;
    sender.own_word = true;
    from = book_intern(&book, &sender, now_us - 1);
    for (uint32_t i = 0; i < 64; i++) {
        peer = peer_numbered(++number, NULL, NULL, 0);
        contacts[i] = book_intern(&book, &peer, now_us);
        assert_int_equal(from, book_find(&book, &sender.id));
        for (uint32_t k = 0; k < i; k++)
            assert_int_not_equal(contacts[k], contacts[i]);
    }
    assert_true(book.used < BOOK_ENTRIES_MAX);
    now_us += BOOK_RECENT_US;
    while (book_find(&book, &sender.id) != CHORD_NO_CONTACT) {
        peer = peer_numbered(++number, NULL, NULL, 0);
        assert_int_not_equal(CHORD_NO_CONTACT, book_intern(&book, &peer, now_us++));
        assert_true(number < 4 * BOOK_ENTRIES_MAX);
    }
    book_release(&book);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_has_one_contact_and_its_own_word_wins),
        cmocka_unit_test(peers_are_found_by_name_and_by_the_beginning_of_their_id),
        cmocka_unit_test(addresses_beyond_the_limits_are_left_out),
        cmocka_unit_test(a_full_book_forgets_what_nobody_holds),
        cmocka_unit_test(peers_of_one_message_and_its_sender_stay),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
