/* SPDX-License-Identifier: BSD-3-Clause */
/* A world of peers on an ideal ring that the test makes and changes; messages take 1 ms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/kv/kv.h"

#define PEERS   8
#define FLIGHTS 4096

struct flight {
    uint32_t to;
    struct kv_message message;
    uint8_t *bytes;
};

static struct world {
    struct kv_params params;
    struct kv *peers[PEERS];
    bool in[PEERS];             /* is in the ring */
    uint32_t liar;              /* answers readers with pages without end; PEERS: nobody */
    uint64_t now_us;
    struct flight *flights[FLIGHTS];
    size_t flight_count;
    struct kv_actions actions;
    /* the last result */
    bool has_result;
    enum kv_why why;
    uint32_t answers;
    size_t count;
    char text[PEERS * 64];      /* values, joined by ',' */
    size_t messages;
} world;

/* Peer i sits at (i + 1) * 0x10 in the first byte. */
static struct chord_peer
peer_at(uint32_t index)
{
    struct chord_peer peer = {.contact = index};

    peer.id.bytes[0] = (uint8_t)((index + 1) * 0x10);
    return peer;
}

static struct chord_id
key_at(uint8_t place)
{
    struct chord_id key = {{place, 1}};

    return key;
}

static uint32_t
next_in(uint32_t index)
{
    do
        index = (index + 1) % PEERS;
    while (!world.in[index]);
    return index;
}

static uint32_t
before_in(uint32_t index)
{
    do
        index = (index + PEERS - 1) % PEERS;
    while (!world.in[index]);
    return index;
}

static uint32_t
owner_of(const struct chord_id *key)
{
    for (uint32_t i = 0; i < PEERS; i++)
        if (world.in[i] && peer_at(i).id.bytes[0] > key->bytes[0])
            return i;
    return next_in(PEERS - 1);
}

static void step(uint32_t index, struct kv_event *event);

static void
fly(const struct kv_send *send)
{
    struct flight *flight = calloc(1, sizeof(*flight));
    size_t at = 0, bytes = 1;

    assert_true(kv_message_valid(&send->message));
    for (uint32_t i = 0; i < send->message.record_count; i++)
        bytes += send->message.records[i].bytes;
    flight->to = send->contact;
    flight->message = send->message;
    flight->bytes = malloc(bytes);
    for (uint32_t i = 0; i < send->message.record_count; i++) {
        struct kv_record *record = &flight->message.records[i];
        if (record->bytes == 0)
            continue;
        memcpy(flight->bytes + at, record->value, record->bytes);
        record->value = flight->bytes + at;
        at += record->bytes;
    }
    assert_true(world.flight_count < FLIGHTS);
    world.flights[world.flight_count++] = flight;
    world.messages++;
}

static void
result_keep(const struct kv_result *result)
{
    world.has_result = true;
    world.why = result->why;
    world.answers = result->answers;
    world.count = result->record_count;
    world.text[0] = '\0';
    for (size_t i = 0; i < result->record_count && i < PEERS; i++)
        snprintf(world.text + strlen(world.text), sizeof(world.text) - strlen(world.text),
                 "%s%.*s", i > 0 ? "," : "", (int)result->records[i].bytes,
                 (const char *)result->records[i].value);
}

static void
lookup_answer(uint32_t index, uint64_t token, struct chord_id key)
{
    struct chord_result lookup = {.why = CHORD_FOUND, .key = key};
    uint32_t owner = owner_of(&key);
    struct kv_event event = {.kind = KV_EVENT_FOUND, .token = token, .lookup = &lookup};

    lookup.owner = peer_at(owner);
    for (uint32_t i = next_in(owner); i != owner; i = next_in(i))
        lookup.successors[lookup.successor_count++] = peer_at(i);
    step(index, &event);
}

static void
step(uint32_t index, struct kv_event *event)
{
    struct kv_lookup lookups[KV_LOOKUPS_MAX];
    size_t lookup_count;

    event->now_us = world.now_us;
    kv_step(world.peers[index], event, &world.actions);
    kv_check(world.peers[index]);
    for (size_t i = 0; i < world.actions.send_count; i++)
        fly(&world.actions.sends[i]);
    for (size_t i = 0; i < world.actions.result_count; i++)
        result_keep(&world.actions.results[i]);
    lookup_count = world.actions.lookup_count;
    memcpy(lookups, world.actions.lookups, sizeof(lookups));
    for (size_t i = 0; i < lookup_count; i++)
        lookup_answer(index, lookups[i].token, lookups[i].key);
}

/* One more page, of a record behind the last. */
static void
lie(const struct kv_message *ask)
{
    static struct kv_send send;
    struct kv_record *record = &send.message.records[0];

    send.contact = ask->from.contact;
    send.message.kind = KV_RECORDS;
    send.message.from = peer_at(world.liar);
    send.message.token = ask->token;
    send.message.key = ask->key;
    send.message.more = true;
    send.message.record_count = 1;
    *record = (struct kv_record){.key = ask->key, .publisher = ask->after, .sequence = 1,
                                 .lifetime_us = 1000000, .bytes = 1,
                                 .value = (const uint8_t *)"x"};
    for (unsigned i = CHORD_ID_BYTES; i-- > 0;)
        if (++record->publisher.bytes[i] != 0)
            break;
    fly(&send);
}

static void
flights_land(void)
{
    size_t count = world.flight_count;
    struct flight *landing[FLIGHTS];

    memcpy(landing, world.flights, count * sizeof(landing[0]));
    world.flight_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct kv_event event = {.kind = KV_EVENT_MESSAGE, .message = &landing[i]->message};
        if (landing[i]->to == world.liar && landing[i]->message.kind == KV_ASK)
            lie(&landing[i]->message);
        else if (world.in[landing[i]->to])
            step(landing[i]->to, &event);
        free(landing[i]->bytes);
        free(landing[i]);
    }
}

static void
run_ms(uint32_t ms)
{
    for (uint32_t t = 0; t < ms; t++) {
        world.now_us += 1000;
        flights_land();
        for (uint32_t i = 0; i < PEERS; i++) {
            struct kv_event event = {.kind = KV_EVENT_TIME};
            for (int n = 0; n < 100 && kv_deadline_us(world.peers[i]) <= world.now_us; n++)
                step(i, &event);
        }
    }
}

static void
ring_tell(uint32_t index)
{
    struct kv_event event = {.kind = KV_EVENT_RING, .member = world.in[index]};
    struct chord_peer before = peer_at(before_in(index)), next[PEERS];

    if (before.contact != index)
        event.predecessor = &before;
    for (uint32_t i = next_in(index); i != index; i = next_in(i))
        next[event.successor_count++] = peer_at(i);
    event.successors = next;
    step(index, &event);
}

static void
ring_change(uint32_t index, bool in)
{
    world.in[index] = in;
    for (uint32_t i = 0; i < PEERS; i++)
        if (world.in[i])
            ring_tell(i);
}

static void
world_begin(const char *members)
{
    memset(&world, 0, sizeof(world));
    world.params = kv_params_default();
    world.liar = PEERS;
    for (uint32_t i = 0; i < PEERS; i++) {
        struct chord_peer self = peer_at(i);
        world.peers[i] = kv_new(&world.params, &self);
        assert_non_null(world.peers[i]);
    }
    for (; *members != '\0'; members++)
        ring_change((uint32_t)(*members - '0'), true);
}

static void
world_end(void)
{
    world.now_us += 1000;
    for (size_t i = 0; i < world.flight_count; i++) {
        free(world.flights[i]->bytes);
        free(world.flights[i]);
    }
    for (uint32_t i = 0; i < PEERS; i++)
        kv_free(world.peers[i]);
}

static enum kv_why
put(uint32_t index, uint8_t place, uint64_t sequence, const char *value, uint64_t lifetime_ms)
{
    struct kv_event event = {.kind = KV_EVENT_PUT, .token = 1, .key = key_at(place),
                             .sequence = sequence, .lifetime_us = lifetime_ms * 1000,
                             .value = value, .bytes = (uint32_t)strlen(value)};

    world.has_result = false;
    step(index, &event);
    for (int i = 0; i < 10000 && !world.has_result; i++)
        run_ms(1);
    assert_true(world.has_result);
    return world.why;
}

static const char *
get(uint32_t index, uint8_t place)
{
    struct kv_event event = {.kind = KV_EVENT_GET, .token = 2, .key = key_at(place)};

    world.has_result = false;
    step(index, &event);
    for (int i = 0; i < 10000 && !world.has_result; i++)
        run_ms(1);
    assert_true(world.has_result);
    assert_int_equal(KV_DONE, world.why);
    return world.text;
}

static size_t
copies(uint8_t place)
{
    struct chord_id key = key_at(place);
    size_t count = 0;

    for (uint32_t i = 0; i < PEERS; i++)
        count += world.in[i] && kv_count(world.peers[i], &key) > 0;
    return count;
}

/* --- stories --- */

static void
what_one_publishes_all_can_read(void **state)
{
    (void)state;
    world_begin("02457");
    assert_int_equal(KV_DONE, put(0, 0x25, 1, "from 0", 10000));
    assert_int_equal(KV_DONE, put(4, 0x25, 1, "from 4", 10000));
    run_ms(5);
    assert_int_equal(3, copies(0x25));
    for (uint32_t i = 0; i < PEERS; i++)
        if (world.in[i])
            assert_string_equal("from 0,from 4", get(i, 0x25));
    assert_string_equal("", get(0, 0x26));
    world_end();
}

static void
a_ring_of_one_keeps_its_own_and_hands_over(void **state)
{
    (void)state;
    world_begin("3");
    assert_int_equal(KV_DONE, put(3, 0x05, 1, "a", 10000));
    assert_int_equal(KV_DONE, put(3, 0x75, 1, "b", 10000));
    assert_string_equal("a", get(3, 0x05));
    ring_change(6, true);
    run_ms(5);
    assert_int_equal(2, copies(0x05));
    assert_int_equal(2, copies(0x75));
    assert_string_equal("b", get(6, 0x75));
    world_end();
}

static void
newer_replaces_older_and_the_taken_back_stays_away(void **state)
{
    (void)state;
    world_begin("0246");
    put(2, 0x35, 5, "five", 10000);
    put(2, 0x35, 4, "four", 10000);
    assert_string_equal("five", get(0, 0x35));
    put(2, 0x35, 6, "six", 10000);
    assert_string_equal("six", get(4, 0x35));
    put(2, 0x35, 7, "", 0);
    assert_string_equal("", get(6, 0x35));
    put(2, 0x35, 6, "six", 10000);
    assert_string_equal("", get(6, 0x35));
    world_end();
}

static void
records_expire(void **state)
{
    (void)state;
    world_begin("0246");
    put(2, 0x35, 1, "short", 2000);
    put(4, 0x35, 1, "long", 60000);
    run_ms(2000);
    assert_string_equal("long", get(0, 0x35));
    world_end();
}

static void
copies_follow_when_owners_go_and_come(void **state)
{
    (void)state;
    world_begin("01234567");
    for (uint8_t place = 1; place < 0x80; place = (uint8_t)(place + 6))
        put(7, place, 1, "v", 1000000);
    for (uint32_t gone = 0; gone < 5; gone++) {
        ring_change(gone, false);
        run_ms(20);
    }
    for (uint8_t place = 1; place < 0x80; place = (uint8_t)(place + 6)) {
        assert_string_equal("v", get(6, place));
        assert_int_equal(3, copies(place));
    }
    for (uint32_t back = 0; back < 5; back++) {
        ring_change(back, true);
        run_ms(20);
    }
    for (uint8_t place = 1; place < 0x80; place = (uint8_t)(place + 6))
        assert_string_equal("v", get(1, place));
    world_end();
}

static void
two_that_die_at_once_take_nothing_along(void **state)
{
    (void)state;
    world_begin("01234567");
    put(6, 0x35, 1, "kept", 1000000);
    run_ms(5);
    world.in[3] = false;
    ring_change(4, false);
    run_ms(20);
    assert_string_equal("kept", get(0, 0x35));
    assert_int_equal(3, copies(0x35));
    world_end();
}

static void
a_reader_finds_what_a_fresh_owner_has_not_got_yet(void **state)
{
    (void)state;
    world_begin("0246");
    put(6, 0x35, 1, "there", 1000000);
    run_ms(5);
    world.in[3] = true;
    ring_tell(3);  /* its successor doesn't know yet, and has sent it nothing */
    assert_int_equal(0, kv_records(world.peers[3]));
    assert_string_equal("there", get(0, 0x35));
    world_end();
}

static void
limits_refuse_and_keep_what_is_there(void **state)
{
    char large[KV_VALUE_BYTES_MAX + 1];
    (void)state;

    world_begin("0246");
    world.params.publisher_bytes_max = 2 * KV_VALUE_BYTES_MAX;
    memset(large, 'x', KV_VALUE_BYTES_MAX);
    large[KV_VALUE_BYTES_MAX] = '\0';
    assert_int_equal(KV_DONE, put(2, 0x31, 1, large, 100000));
    assert_int_equal(KV_REFUSED, put(2, 0x32, 1, large, 100000));
    assert_int_equal(KV_DONE, put(2, 0x31, 2, large, 100000));
    assert_int_equal(KV_DONE, put(0, 0x32, 1, large, 100000));
    assert_int_equal(KV_VALUE_BYTES_MAX, strlen(large));
    get(4, 0x32);
    assert_int_equal(1, world.count);
    world_end();
}

static void
many_records_come_in_pages(void **state)
{
    struct kv_event event = {.kind = KV_EVENT_MESSAGE};
    struct kv_message message = {.kind = KV_STORE, .copy = true, .record_count = KV_BATCH_MAX};
    uint8_t value[2048] = {1};
    (void)state;

    world_begin("0246");
    message.from = peer_at(4);
    event.message = &message;
    for (uint32_t batch = 0; batch < 10; batch++) {
        for (uint32_t i = 0; i < KV_BATCH_MAX; i++) {
            struct kv_record *record = &message.records[i];
            *record = (struct kv_record){.key = key_at(0x35), .sequence = 1, .bytes = 2000,
                                         .lifetime_us = 1000000000, .value = value};
            record->publisher.bytes[2] = (uint8_t)batch;
            record->publisher.bytes[3] = (uint8_t)i;
        }
        assert_true(kv_message_valid(&message));
        step(4, &event);
    }
    get(0, 0x35);
    assert_int_equal(10 * KV_BATCH_MAX, world.count);
    assert_int_equal(3, world.answers);
    world_end();
}

static void
pages_without_end_hold_no_reader(void **state)
{
    (void)state;
    world_begin("0246");
    world.params.ask_us = 20000;
    put(6, 0x35, 1, "true", 1000000);
    run_ms(5);
    world.liar = 4;  /* has a copy */
    get(0, 0x35);
    assert_int_equal(2, world.answers);
    assert_true(world.count > 1);
    world_end();
}

static void
nobody_writes_for_another(void **state)
{
    struct kv_message message = {.kind = KV_STORE, .token = 9, .record_count = 1};
    struct kv_event event = {.kind = KV_EVENT_MESSAGE, .message = &message};
    (void)state;

    world_begin("0246");
    message.from = peer_at(0);
    message.records[0] = (struct kv_record){.key = key_at(0x35), .publisher = peer_at(2).id,
                                            .sequence = 1, .lifetime_us = 1000, .bytes = 1,
                                            .value = (const uint8_t *)"x"};
    step(4, &event);
    assert_int_equal(0, kv_records(world.peers[4]));
    message.records[0].publisher = peer_at(0).id;
    step(2, &event);  /* isn't the owner */
    assert_int_equal(0, kv_records(world.peers[2]));
    message.copy = true;
    message.record_count = KV_BATCH_MAX + 1;
    assert_false(kv_message_valid(&message));
    world_end();
}

static void
a_request_nobody_answers_ends(void **state)
{
    (void)state;
    world_begin("0246");
    world.in[2] = world.in[4] = world.in[6] = false;
    kv_free(world.peers[0]);
    struct chord_peer self = peer_at(0);
    world.peers[0] = kv_new(&world.params, &self);
    assert_int_equal(KV_UNREACHABLE, put(0, 0x35, 1, "x", 1000));
    world_end();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_publishes_all_can_read),
        cmocka_unit_test(a_ring_of_one_keeps_its_own_and_hands_over),
        cmocka_unit_test(newer_replaces_older_and_the_taken_back_stays_away),
        cmocka_unit_test(records_expire),
        cmocka_unit_test(copies_follow_when_owners_go_and_come),
        cmocka_unit_test(two_that_die_at_once_take_nothing_along),
        cmocka_unit_test(a_reader_finds_what_a_fresh_owner_has_not_got_yet),
        cmocka_unit_test(limits_refuse_and_keep_what_is_there),
        cmocka_unit_test(many_records_come_in_pages),
        cmocka_unit_test(pages_without_end_hold_no_reader),
        cmocka_unit_test(nobody_writes_for_another),
        cmocka_unit_test(a_request_nobody_answers_ends),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
