/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Offers and jobs on a ring of one: what is published is found, what is taken back isn't, and what
 * others put there is believed as far as it is signed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include <cpmp.h>

#include "link/identity.h"
#include "peer/jobs.h"
#include "peer/offers.h"
#include "peer_world.h"

static struct peer_world world;
static struct offers offers;
static struct jobs jobs;
static EVP_PKEY *key;
static uint8_t id[CHORD_ID_BYTES], pool[OFFER_POOL_BYTES] = {7};
static uint32_t ranks_free;

/* What the last gathering brought. */
static struct {
    unsigned calls, met, puts;
    size_t count;
    uint32_t unanswered, ranks_free;
    uint64_t job;
    size_t peers;
    char program[64];
} seen;

static void
state_hook(void *arg, struct offer *offer)
{
    (void)arg;
    snprintf(offer->seller.name, sizeof(offer->seller.name), "pc1");
    snprintf(offer->seller.arch, sizeof(offer->seller.arch), "x86_64");
    snprintf(offer->seller.os, sizeof(offer->seller.os), "Linux");
    snprintf(offer->seller.kernel, sizeof(offer->seller.kernel), "6.1");
    snprintf(offer->seller.version, sizeof(offer->seller.version), "1");
    offer->seller.cores = 8;
    offer->seller.ranks_max = 8;
    offer->seller.ranks_free = ranks_free;
    offer->seller.memory_bytes = 1 << 30;
    offer->addresses[0] = (struct offer_address){.ip = {127, 0, 0, 1}, .ip_bytes = 4, .port = 7711};
    offer->address_count = 1;
    offer->data_port_first = 7712;
    offer->data_port_last = 7811;
    offer->incarnation = 1;
}

static void
met_hook(void *arg, const struct offer *offer)
{
    (void)arg;
    (void)offer;
    seen.met++;
}

static const struct offers_hooks hooks = {.state = state_hook, .met = met_hook};

static int
begin(void **state)
{
    unsigned char raw[IDENTITY_KEY_BYTES];
    (void)state;

    memset(&seen, 0, sizeof(seen));
    ranks_free = 3;
    key = identity_key_new();
    assert_true(identity_public_key(key, raw));
    identity_id(raw, id);
    peer_world_init(&world, id);
    offers_init(&offers, &world.loop, world.overlay, id, pool, key, &hooks, NULL);
    jobs_init(&jobs, &world.loop, world.overlay, id);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    offers_close(&offers);
    jobs_close(&jobs);
    peer_world_end(&world);
    offers_release(&offers);
    jobs_release(&jobs);
    EVP_PKEY_free(key);
    return 0;
}

static void
on_offers(void *arg, const struct offer *list, size_t count, uint32_t unanswered)
{
    (void)arg;
    seen.calls++;
    seen.count = count;
    seen.unanswered = unanswered;
    if (count > 0)
        seen.ranks_free = list[0].seller.ranks_free;
}

static bool
was_called(void *arg)
{
    (void)arg;
    return seen.calls > 0;
}

static void
gather(void)
{
    seen.calls = 0;
    seen.count = 99;
    offers.gathered_us = 0;
    offers_gather(&offers, on_offers, NULL);
    peer_world_run(&world.loop, was_called, NULL);
    assert_int_equal(0, seen.unanswered);
}

static bool
has_records(void *arg)
{
    return kv_records(overlay_kv(world.overlay)) >= *(size_t *)arg;
}

static bool
is_published(void *arg)
{
    (void)arg;
    return !offers.publishing && uv_timer_get_due_in(&offers.timer) > OFFERS_CHANGE_MS;
}

static void
an_offer_is_found_changed_and_taken_back(void **state)
{
    (void)state;
    gather();
    assert_int_equal(0, seen.count);
    offers_changed(&offers, true);
    uv_run(&world.loop, UV_RUN_ONCE);
    peer_world_run(&world.loop, is_published, NULL);
    gather();
    assert_int_equal(1, seen.count);
    assert_int_equal(3, seen.ranks_free);
    assert_true(seen.met > 0);
    ranks_free = 1;
    offers_changed(&offers, false);
    peer_world_run(&world.loop, is_published, NULL);
    gather();
    assert_int_equal(1, seen.ranks_free);
    offers_withdraw(&offers);
    gather();
    assert_int_equal(0, seen.count);
}

static void
what_was_gathered_serves_for_a_moment(void **state)
{
    uint64_t gathered_us;
    (void)state;

    gather();
    gathered_us = offers.gathered_us;
    seen.calls = 0;
    offers_gather(&offers, on_offers, NULL);
    assert_int_equal(1, seen.calls);
    assert_int_equal(gathered_us, offers.gathered_us);
}

static void
on_put(void *arg, const struct kv_result *result)
{
    (void)arg;
    assert_int_equal(KV_DONE, result->why);
    seen.puts++;
}

static bool
was_put(void *arg)
{
    (void)arg;
    return seen.puts > 0;
}

static void
put(const char *what, uint8_t number, const void *bytes, size_t count)
{
    struct chord_id at;

    offers_ring_key(what, &number, 1, &at);
    seen.puts = 0;
    overlay_put(world.overlay, &at, bytes, count, 60000000, on_put, NULL);
    peer_world_run(&world.loop, was_put, NULL);
}

static void
sign(EVP_PKEY *by, const uint8_t *of_pool, struct text *out)
{
    struct offer offer = {.valid_us = OFFERS_LIFETIME_US, .sequence = 5};
    struct text why = {0};

    offer.issued_us = (uint64_t)time(NULL) * 1000000u;
    memcpy(offer.pool, of_pool, OFFER_POOL_BYTES);
    state_hook(NULL, &offer);
    assert_int_equal(CPMP_OK, offer_sign(&offer, by, out, &why));
}

static void
only_true_offers_count_and_each_once(void **state)
{
    uint8_t other_pool[OFFER_POOL_BYTES] = {8};
    EVP_PKEY *stranger = identity_key_new();
    struct text bytes = {0};
    (void)state;

    put("offers", id[0] >> 4, "garbage", 7);
    gather();
    assert_int_equal(0, seen.count);
    sign(stranger, pool, &bytes);  /* published by us, signed by somebody else */
    put("offers", id[0] >> 4, bytes.bytes, bytes.used);
    gather();
    assert_int_equal(0, seen.count);
    text_clear(&bytes);
    sign(key, other_pool, &bytes);
    put("offers", id[0] >> 4, bytes.bytes, bytes.used);
    gather();
    assert_int_equal(0, seen.count);
    text_clear(&bytes);
    sign(key, pool, &bytes);
    for (uint8_t number = 0; number < OFFERS_KEYS; number++)
        put("offers", number, bytes.bytes, bytes.used);
    gather();
    assert_int_equal(1, seen.count);
    text_release(&bytes);
    EVP_PKEY_free(stranger);
}

/* --- jobs --- */

static void
on_jobs(void *arg, Cpmp__JobRow **rows, size_t count)
{
    (void)arg;
    seen.calls++;
    seen.count = count;
    if (count == 0)
        return;
    seen.job = rows[0]->job;
    seen.peers = rows[0]->n_peers;
    snprintf(seen.program, sizeof(seen.program), "%s", rows[0]->program);
}

static void
jobs_ask(uint64_t job)
{
    seen.calls = 0;
    seen.count = 99;
    jobs_gather(&jobs, job, on_jobs, NULL);
    peer_world_run(&world.loop, was_called, NULL);
}

static void
job_say(uint64_t session, uint64_t job, const char *program, size_t peers)
{
    static Cpmp__JobPeer bodies[1000];
    static Cpmp__JobPeer *pointers[1000];
    Cpmp__JobRow row = CPMP__JOB_ROW__INIT;

    for (size_t i = 0; i < peers; i++) {
        cpmp__job_peer__init(&bodies[i]);
        bodies[i].name = (char *)"a-peer-with-some-name";
        pointers[i] = &bodies[i];
    }
    row.job = job;
    row.program = (char *)program;
    row.peers = pointers;
    row.n_peers = peers;
    assert_true(jobs_state(&jobs, session, &row, false));
}

static void
jobs_are_found_until_their_cpexec_goes(void **state)
{
    size_t two = 2, three = 3;
    (void)state;

    jobs_ask(0);
    assert_int_equal(0, seen.count);
    job_say(1, 11, "./first", 2);
    job_say(1, 11, "./first", 3);
    peer_world_run(&world.loop, has_records, &two);
    jobs_ask(0);
    assert_int_equal(1, seen.count);
    assert_int_equal(11, seen.job);
    assert_int_equal(0, seen.peers);
    jobs_ask(11);
    assert_int_equal(3, seen.peers);
    job_say(2, 22, "./second", 0);
    peer_world_run(&world.loop, has_records, &three);
    jobs_ask(0);
    assert_int_equal(2, seen.count);
    jobs_session_gone(&jobs, 1);
    jobs_session_gone(&jobs, 2);
    jobs_session_gone(&jobs, 3);
    jobs_ask(0);
    assert_int_equal(0, seen.count);
    jobs_ask(11);
    assert_int_equal(0, seen.count);
}

static void
large_jobs_are_cut_and_too_large_ones_refused(void **state)
{
    Cpmp__JobRow row = CPMP__JOB_ROW__INIT;
    static char program[JOBS_ROW_MAX + 1];
    size_t two = 2, all;
    (void)state;

    job_say(1, 11, "./wide", 1000);
    peer_world_run(&world.loop, has_records, &two);
    jobs_ask(11);
    assert_in_range(seen.peers, 10, 999);
    all = jobs.list[0].row->n_peers;
    assert_int_equal(1000, all);
    memset(program, 'x', JOBS_ROW_MAX);
    row.program = program;
    assert_false(jobs_state(&jobs, 2, &row, false));
    for (uint64_t session = 3; session < 2 + JOBS_HERE_MAX; session++)
        job_say(session, session, "./many", 0);
    row.program = (char *)"./more";
    assert_int_equal(JOBS_HERE_MAX, jobs.count);
    assert_false(jobs_state(&jobs, 1000, &row, false));
}

int
main(void)
{
#define HERE(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        HERE(an_offer_is_found_changed_and_taken_back),
        HERE(what_was_gathered_serves_for_a_moment),
        HERE(only_true_offers_count_and_each_once),
        HERE(jobs_are_found_until_their_cpexec_goes),
        HERE(large_jobs_are_cut_and_too_large_ones_refused),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
