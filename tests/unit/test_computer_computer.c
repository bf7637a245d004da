/* SPDX-License-Identifier: BSD-3-Clause */
/* How a computer comes to be, as stories; and many of them at random, with sellers that lie, vanish
 * and repeat themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cpmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "proto/computer/computer.h"

#define MS UINT64_C(1000)
#define SECOND UINT64_C(1000000)
#define PEERS_MAX 40u

struct story {
    struct computer *computer;
    struct computer_out out;
    struct seller sellers[PEERS_MAX];
    uint32_t count;
    uint64_t now_us;
    char log[2048];  /* the actions since last looked at */
};

static struct story story;

static void
peer(const char *name, uint32_t cores, uint32_t free, uint32_t distance_ms)
{
    struct seller *seller = &story.sellers[story.count++];

    memset(seller, 0, sizeof(*seller));
    snprintf(seller->name, sizeof(seller->name), "%s", name);
    snprintf(seller->arch, sizeof(seller->arch), "x86_64");
    seller->id[0] = (uint8_t)story.count;
    seller->cores = cores;
    seller->ranks_max = cores;
    seller->ranks_free = free;
    seller->millicores_free = free * 1000;
    seller->memory_free_bytes = UINT64_C(8) << 30;
    seller->distance_us = distance_ms * 1000;
}

/* "want 4", "b+2 a+2", "a-2": sellers, enlisted or released, and with how many ranks. */
static void
log_actions(void)
{
    size_t used = strlen(story.log);

    for (uint32_t i = 0; i < story.out.count; i++) {
        const struct computer_action *action = &story.out.actions[i];
        char *at = story.log + used;
        size_t room = sizeof(story.log) - used;
        const char *blank = used > 0 ? " " : "";
        struct computer_seat seat = {.ranks = 0};

        if (action->kind == COMPUTER_ENLIST || action->kind == COMPUTER_RELEASE)
            seat = computer_seat(story.computer, action->seat);
        if (action->kind == COMPUTER_WANT_SELLERS)
            snprintf(at, room, "%swant %u", blank, action->ranks);
        else if (action->kind == COMPUTER_ENLIST)
            snprintf(at, room, "%s%s+%u%s", blank, seat.seller.name, action->ranks,
                     action->oversubscribe ? "!" : "");
        else if (action->kind == COMPUTER_RELEASE)
            snprintf(at, room, "%s%s-%u", blank, seat.seller.name, action->ranks);
        else
            snprintf(at, room, "%s%s", blank, action->kind == COMPUTER_FORMED ? "formed" :
                     action->kind == COMPUTER_WAITING ? "waiting" : "short");
        used = strlen(story.log);
    }
}

static void
step(struct computer_event event)
{
    event.now_us = story.now_us;
    computer_step(story.computer, &event, &story.out);
    log_actions();
}

/* What was done since the last time is `expected`. */
static void
done(const char *expected)
{
    if (strcmp(story.log, expected) != 0)
        fail_msg("\"%s\", but expected \"%s\"", story.log, expected);
    story.log[0] = '\0';
}

static void
begin(struct computer_config config)
{
    config.seed = 7;
    story.computer = computer_new(&config);
    assert_non_null(story.computer);
    step((struct computer_event){.kind = COMPUTER_START});
}

static void
sellers(void)
{
    step((struct computer_event){.kind = COMPUTER_SELLERS, .sellers = story.sellers,
                                 .seller_count = story.count});
}

static uint64_t
nonce_of(const char *name)
{
    for (uint32_t i = 0; i < computer_seat_count(story.computer); i++) {
        struct computer_seat seat = computer_seat(story.computer, i);

        if (strcmp(seat.seller.name, name) == 0)
            return seat.nonce;
    }
    fail_msg("no seat of %s", name);
    return 0;
}

static void
enlisted(const char *name)
{
    step((struct computer_event){.kind = COMPUTER_ENLISTED, .nonce = nonce_of(name)});
}

static void
refused(const char *name, uint32_t free, const char *why)
{
    step((struct computer_event){.kind = COMPUTER_REFUSED, .nonce = nonce_of(name),
                                 .ranks_free = free, .why = why});
}

/* At `us`, which must be when it asked to be woken. */
static void
tick(uint64_t us)
{
    assert_true(computer_deadline_us(story.computer) == us);
    story.now_us = us - 1;
    step((struct computer_event){.kind = COMPUTER_TICK});
    story.now_us = us;
    step((struct computer_event){.kind = COMPUTER_TICK});
}

static void
says(const char *words)
{
    if (strstr(computer_why(story.computer), words) == NULL)
        fail_msg("\"%s\" isn't in: %s", words, computer_why(story.computer));
}

static int
story_begin(void **state)
{
    (void)state;
    memset(&story, 0, sizeof(story));
    return 0;
}

static int
story_end(void **state)
{
    (void)state;
    computer_free(story.computer);
    return 0;
}

/* --- who is picked --- */

static void
the_fewest_with_room_in_proportion(void **state)
{
    (void)state;
    peer("small", 2, 2, 1);
    peer("far", 8, 8, 50);
    peer("near", 8, 8, 5);
    peer("half", 8, 4, 1);
    begin((struct computer_config){.ranks = 12});
    done("want 12");
    sellers();
    done("near+6 far+6");
    enlisted("far");
    done("");
    enlisted("near");
    done("formed");
    assert_int_equal(computer_seat_count(story.computer), 4);
    assert_true(computer_deadline_us(story.computer) == UINT64_MAX);
}

static void
one_near_is_enough(void **state)
{
    (void)state;
    peer("far", 4, 4, 50);
    peer("near", 4, 4, 5);
    begin((struct computer_config){.ranks = 4});
    sellers();
    done("want 4 near+4");
}

static void
eight_equal_hosts_share_sixteen_ranks(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 8; i++) {
        char name[] = {(char)('a' + i), '\0'};

        peer(name, 2, 2, 1);
    }
    begin((struct computer_config){.ranks = 16});
    sellers();
    done("want 16 a+2 b+2 c+2 d+2 e+2 f+2 g+2 h+2");
}

static void
unequal_ones_get_unequal_parts(void **state)
{
    (void)state;
    peer("a", 8, 8, 1);
    peer("b", 4, 4, 1);
    peer("c", 2, 2, 1);
    begin((struct computer_config){.ranks = 13});
    sellers();
    done("want 13 a+7 b+4 c+2");
}

static void
spread_takes_everybody(void **state)
{
    (void)state;
    peer("a", 8, 8, 1);
    peer("b", 8, 8, 1);
    peer("c", 8, 8, 1);
    begin((struct computer_config){.ranks = 6, .spread = true});
    sellers();
    done("want 6 a+2 b+2 c+2");
}

static void
filters_hosts_and_ceilings_cut(void **state)
{
    static const struct computer_host hosts[] = {{"lab*", 0}, {"desk", 1}};
    struct computer_config config = {.ranks = 5, .per_seller = 2, .hosts = hosts, .host_count = 2};
    char why[REQUIRE_WHY_BYTES];

    (void)state;
    assert_int_equal(require_parse("arch=x86_64", &config.require, why), CPMP_OK);
    peer("lab1", 8, 8, 1);
    peer("lab2", 8, 8, 1);
    peer("desk", 8, 8, 1);
    peer("other", 8, 8, 1);
    peer("lab3", 8, 8, 1);
    snprintf(story.sellers[4].arch, sizeof(story.sellers[4].arch), "aarch64");
    begin(config);
    sellers();
    done("want 5 lab1+2 lab2+2 desk+1");
    refused("desk", 0, "out of memory");
    done("lab1-2 lab2-2 short");
    says("4 of 5 ranks: 2 peers have 4 free cores for this job; wait for more with --wait, share "
         "cores with --oversubscribe, run fewer with -np 4");
    says("\n  desk: refused: out of memory");
    says("\n  lab3: its arch is aarch64, not x86_64\n  1 peer is not among --host");
}

static void
capacity_and_memory_of_each_rank_count(void **state)
{
    (void)state;
    peer("slow", 8, 8, 1);
    story.sellers[0].millicores_free = 4000;
    peer("tight", 8, 8, 1);
    story.sellers[1].memory_free_bytes = UINT64_C(3) << 30;
    begin((struct computer_config){.ranks = 7, .rank_millicores = 1000,
                                   .rank_memory_bytes = UINT64_C(1) << 30});
    sellers();
    done("want 7 slow+4 tight+3");
    assert_int_equal(story.out.actions[0].millicores, 4000);
    assert_true(story.out.actions[1].memory_bytes == UINT64_C(3) << 30);
}

/* --- who says no --- */

static void
others_take_the_part_of_who_refuses(void **state)
{
    (void)state;
    peer("a", 4, 4, 1);
    peer("b", 4, 4, 2);
    peer("c", 4, 4, 3);
    begin((struct computer_config){.ranks = 8});
    sellers();
    done("want 8 a+4 b+4");
    refused("a", 0, "its owner denies you");
    done("c+4");
    enlisted("c");
    enlisted("b");
    done("formed");
}

static void
who_has_less_is_asked_for_that(void **state)
{
    (void)state;
    peer("a", 4, 4, 1);
    peer("b", 4, 4, 2);
    peer("c", 1, 1, 3);
    begin((struct computer_config){.ranks = 7});
    sellers();
    done("want 7 a+3 b+4");
    enlisted("a");
    refused("b", 3, "another job came first");
    done("b+3 c+1");
    enlisted("c");
    enlisted("b");
    done("formed");
}

static void
who_has_enlisted_and_has_more_is_asked_anew(void **state)
{
    (void)state;
    peer("a", 4, 4, 1);
    peer("b", 4, 4, 2);
    begin((struct computer_config){.ranks = 6});
    sellers();
    done("want 6 a+3 b+3");
    enlisted("a");
    refused("b", 2, "one core went");
    done("b+2 a-3 a+4");
    enlisted("a");
    enlisted("b");
    done("formed");
}

static void
a_liar_is_not_believed_twice_the_same(void **state)
{
    (void)state;
    peer("liar", 64, 64, 1);
    peer("b", 4, 4, 2);
    begin((struct computer_config){.ranks = 8});
    sellers();
    done("want 8 liar+8");
    refused("liar", 64, "no");
    done("liar+5 b+3");
    enlisted("b");
    refused("liar", 1000, "no");
    done("liar+4 b-3 b+4");
    refused("liar", 7, "no");
    done("b-4 short");
    says("7 of 8 ranks");
    says("\n  liar: refused 4 ranks: no");
}

static void
the_silent_are_released_and_replaced(void **state)
{
    (void)state;
    peer("mute", 4, 4, 1);
    peer("b", 4, 4, 2);
    begin((struct computer_config){.ranks = 4});
    sellers();
    done("want 4 mute+4");
    story.now_us = 5 * SECOND;
    step((struct computer_event){.kind = COMPUTER_PROGRESS, .nonce = nonce_of("mute")});
    tick(15 * SECOND);
    done("mute-4 b+4");
    enlisted("b");
    done("formed");
}

static void
signs_of_life_dont_help_for_ever(void **state)
{
    (void)state;
    peer("slow", 4, 4, 1);
    begin((struct computer_config){.ranks = 4, .enlist_total_us = 30 * SECOND});
    sellers();
    for (int i = 0; i < 3; i++) {
        story.now_us += 9 * SECOND;
        step((struct computer_event){.kind = COMPUTER_PROGRESS, .nonce = nonce_of("slow")});
    }
    done("want 4 slow+4");
    tick(30 * SECOND);
    done("slow-4 short");
    says("slow: it was not ready within 30 s");
}

static void
an_answer_to_what_was_given_up_is_none(void **state)
{
    uint64_t nonce;

    (void)state;
    peer("mute", 4, 4, 1);
    peer("b", 4, 4, 2);
    begin((struct computer_config){.ranks = 4});
    sellers();
    nonce = nonce_of("mute");
    tick(10 * SECOND);
    done("want 4 mute+4 mute-4 b+4");
    step((struct computer_event){.kind = COMPUTER_ENLISTED, .nonce = nonce});
    step((struct computer_event){.kind = COMPUTER_REFUSED, .nonce = nonce});
    step((struct computer_event){.kind = COMPUTER_LOST, .nonce = nonce});
    step((struct computer_event){.kind = COMPUTER_ENLISTED, .nonce = 12345});
    step((struct computer_event){.kind = COMPUTER_ENLISTED, .nonce = 0});
    done("");
    enlisted("b");
    done("formed");
    enlisted("b");
    done("");
}

static void
who_vanishes_after_the_promise_is_replaced(void **state)
{
    (void)state;
    peer("a", 2, 2, 1);
    peer("b", 2, 2, 2);
    peer("c", 2, 2, 3);
    begin((struct computer_config){.ranks = 4});
    sellers();
    enlisted("a");
    done("want 4 a+2 b+2");
    step((struct computer_event){.kind = COMPUTER_LOST, .nonce = nonce_of("a"),
                                 .why = "the link to it broke"});
    done("c+2");
    enlisted("b");
    enlisted("c");
    done("formed");
}

static void
a_seller_listed_twice_is_one(void **state)
{
    (void)state;
    peer("a", 2, 2, 1);
    peer("b", 2, 2, 1);
    story.sellers[1] = story.sellers[0];
    begin((struct computer_config){.ranks = 4});
    sellers();
    done("want 4 short");
    says("2 of 4 ranks: 1 peer has 2 free cores");
}

/* --- too little --- */

static void
an_empty_pool_says_so(void **state)
{
    (void)state;
    begin((struct computer_config){.ranks = 2});
    sellers();
    done("want 2 short");
    says("no peer of the pool offers anything");
}

static void
nobody_answers_about_sellers(void **state)
{
    (void)state;
    begin((struct computer_config){.ranks = 2});
    tick(5 * SECOND);
    done("want 2 short");
    says("nobody said within 5 s");
    sellers();
    done("");
}

static void
nobody_has_a_free_core(void **state)
{
    (void)state;
    peer("busy", 4, 0, 1);
    peer("owned", 4, 0, 1);
    story.sellers[1].ranks_max = 0;
    begin((struct computer_config){.ranks = 2});
    sellers();
    done("want 2 short");
    says("0 of 2 ranks: none of 2 peers can take one; wait for more with --wait, share cores with "
         "--oversubscribe, see below\n  busy: no core is free\n  owned: its owner wants no ranks "
         "at present");
}

static void
long_lists_of_reasons_are_cut(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 30; i++)
        peer("a-name-of-some-length-that-takes-room", 1, 0, 1);
    begin((struct computer_config){.ranks = 2});
    sellers();
    says("\n  and 22 peers more");
}

static void
cores_are_shared_only_when_it_is_needed_and_asked_for(void **state)
{
    (void)state;
    peer("a", 2, 2, 1);
    peer("b", 4, 0, 1);
    peer("owned", 4, 0, 1);
    story.sellers[2].ranks_max = 0;
    begin((struct computer_config){.ranks = 2, .oversubscribe = 2});
    sellers();
    done("want 2 a+2");
    computer_free(story.computer);
    begin((struct computer_config){.ranks = 10, .oversubscribe = 2});
    sellers();
    done("want 10 want 10");
    sellers();
    done("b+6! a+4!");
    computer_free(story.computer);
    begin((struct computer_config){.ranks = 13, .oversubscribe = 2});
    sellers();
    sellers();
    done("want 13 want 13 short");
    says("12 of 13 ranks: 2 peers have 12 places for this job; wait for more with --wait, run "
         "fewer with -np 12");
}

static void
who_waits_holds_nothing(void **state)
{
    uint64_t again_us;

    (void)state;
    peer("a", 2, 2, 1);
    peer("b", 2, 2, 1);
    begin((struct computer_config){.ranks = 4, .wait_us = 60 * SECOND});
    sellers();
    done("want 4 a+2 b+2");
    enlisted("a");
    story.now_us = 100 * MS;
    refused("b", 0, "taken");
    done("a-2 waiting");
    says("2 of 4 ranks");
    again_us = computer_deadline_us(story.computer);
    assert_in_range(again_us, 850 * MS, 1350 * MS);
    tick(again_us);
    sellers();
    done("want 4 a+2 b+2");
    enlisted("a");
    enlisted("b");
    done("formed");
}

static void
waiting_ends(void **state)
{
    (void)state;
    peer("a", 2, 1, 1);
    begin((struct computer_config){.ranks = 2, .wait_us = 3 * SECOND, .again_us = SECOND});
    for (int tries = 0; tries < 10 && strstr(story.log, "short") == NULL; tries++) {
        sellers();
        if (strstr(story.log, "short") == NULL)
            tick(computer_deadline_us(story.computer));
    }
    assert_true(story.now_us <= 3 * SECOND);
    assert_true(story.now_us > 1500 * MS);
    says("1 of 2 ranks: 1 peer has 1 free cores for this job; share cores");
}

static void
who_cancels_gives_everything_back(void **state)
{
    (void)state;
    peer("a", 2, 2, 1);
    peer("b", 2, 2, 1);
    begin((struct computer_config){.ranks = 4});
    sellers();
    enlisted("a");
    step((struct computer_event){.kind = COMPUTER_CANCEL});
    done("want 4 a+2 b+2 a-2 b-2");
    sellers();
    step((struct computer_event){.kind = COMPUTER_TICK});
    done("");
}

/* --- at random --- */

static uint64_t
draw(uint64_t *state, uint64_t limit)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return cpi_hash_mix(*state) % limit;
}

/* What the world knows of each nonce; each must come to an end. */
struct promise {
    uint64_t nonce;
    uint32_t ranks;
    bool asked, promised, ended;
};

static struct promise promises[4096];
static uint32_t promise_count;

static struct promise *
promise_find(uint64_t nonce)
{
    for (uint32_t i = 0; i < promise_count; i++) {
        if (promises[i].nonce == nonce)
            return &promises[i];
    }
    return NULL;
}

/* Notes actions; true when the computer has come to its end. */
static bool
world_note(bool *want_p)
{
    bool over = false;

    for (uint32_t i = 0; i < story.out.count; i++) {
        const struct computer_action *action = &story.out.actions[i];

        assert_false(over);
        if (action->kind == COMPUTER_WANT_SELLERS)
            *want_p = true;
        if (action->kind == COMPUTER_ENLIST) {
            assert_null(promise_find(action->nonce));
            assert_true(promise_count < 4096);
            promises[promise_count++] =
                (struct promise){.nonce = action->nonce, .ranks = action->ranks, .asked = true};
        }
        if (action->kind == COMPUTER_RELEASE) {
            assert_false(promise_find(action->nonce)->ended);
            promise_find(action->nonce)->ended = true;
        }
        over = action->kind == COMPUTER_FORMED || action->kind == COMPUTER_SHORT;
    }
    return over;
}

static void
world_send(struct computer_event event)
{
    event.now_us = story.now_us;
    computer_step(story.computer, &event, &story.out);
}

static void
world_sellers(uint64_t *state)
{
    story.count = 0;
    for (uint64_t peers = draw(state, PEERS_MAX); peers > 0; peers--) {
        uint32_t cores = (uint32_t)draw(state, 9);

        peer("p", cores, (uint32_t)draw(state, cores + 1), (uint32_t)draw(state, 5));
        story.sellers[story.count - 1].id[0] = (uint8_t)draw(state, 60);
    }
    sellers();
    story.log[0] = '\0';
}

/* Some answer about some promise: also late, again, and from nowhere. */
static void
world_answer(uint64_t *state)
{
    static const enum computer_event_kind kinds[] = {COMPUTER_ENLISTED, COMPUTER_ENLISTED,
                                                     COMPUTER_ENLISTED, COMPUTER_PROGRESS,
                                                     COMPUTER_REFUSED,  COMPUTER_LOST};
    enum computer_event_kind kind = kinds[draw(state, 6)];
    struct promise *promise = promise_count > 0 ? &promises[draw(state, promise_count)] : NULL;

    if (promise == NULL || draw(state, 20) == 0) {
        world_send((struct computer_event){.kind = kind, .nonce = draw(state, 1000)});
        return;
    }
    if (kind == COMPUTER_ENLISTED && !promise->ended)
        promise->promised = true;
    if (kind == COMPUTER_REFUSED || kind == COMPUTER_LOST)
        promise->ended = true;
    world_send((struct computer_event){.kind = kind, .nonce = promise->nonce,
                                       .ranks_free = (uint32_t)draw(state, 10)});
}

static void
world_is_right(uint32_t ranks, bool formed)
{
    uint32_t held = 0;
    uint32_t seated = 0;

    for (uint32_t i = 0; i < promise_count; i++) {
        assert_true(promises[i].ended || formed);
        if (!promises[i].ended) {
            assert_true(promises[i].promised);
            held += promises[i].ranks;
        }
    }
    for (uint32_t i = 0; formed && i < computer_seat_count(story.computer); i++) {
        struct computer_seat seat = computer_seat(story.computer, i);

        assert_true(seat.enlisted == (seat.ranks > 0));
        seated += seat.ranks;
    }
    assert_int_equal(held, formed ? ranks : 0);
    assert_int_equal(seated, formed ? ranks : 0);
}

static bool
world_run(uint64_t seed)
{
    uint64_t state = seed;
    uint32_t ranks = 1 + (uint32_t)draw(&state, 40);
    struct computer_config config = {.ranks = ranks, .seed = seed,
                                     .oversubscribe = (uint32_t)draw(&state, 4),
                                     .per_seller = (uint32_t)draw(&state, 4),
                                     .spread = draw(&state, 2) == 0,
                                     .wait_us = draw(&state, 2) * 20 * SECOND};
    bool want = false;
    bool over = false;

    memset(&story, 0, sizeof(story));
    promise_count = 0;
    story.computer = computer_new(&config);
    world_send((struct computer_event){.kind = COMPUTER_START});
    for (int steps = 0; !over; steps++) {
        assert_true(steps < 20000);
        over = world_note(&want);
        if (over)
            break;
        if (want && draw(&state, 4) != 0) {
            want = false;
            world_sellers(&state);
        } else if (draw(&state, 8) == 0) {
            story.now_us = computer_deadline_us(story.computer) - draw(&state, 2);
            world_send((struct computer_event){.kind = COMPUTER_TICK});
        } else {
            world_answer(&state);
        }
    }
    over = story.out.actions[story.out.count - 1].kind == COMPUTER_FORMED;
    world_is_right(ranks, over);
    computer_free(story.computer);
    story.computer = NULL;
    return over;
}

static void
every_promise_is_kept_or_given_back(void **state)
{
    uint32_t formed = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++)
        formed += world_run(seed);
    assert_in_range(formed, 300, 2900);  /* both ends are seen often */
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, story_begin, story_end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(the_fewest_with_room_in_proportion),
        STORY(one_near_is_enough),
        STORY(eight_equal_hosts_share_sixteen_ranks),
        STORY(unequal_ones_get_unequal_parts),
        STORY(spread_takes_everybody),
        STORY(filters_hosts_and_ceilings_cut),
        STORY(capacity_and_memory_of_each_rank_count),
        STORY(others_take_the_part_of_who_refuses),
        STORY(who_has_less_is_asked_for_that),
        STORY(who_has_enlisted_and_has_more_is_asked_anew),
        STORY(a_liar_is_not_believed_twice_the_same),
        STORY(the_silent_are_released_and_replaced),
        STORY(signs_of_life_dont_help_for_ever),
        STORY(an_answer_to_what_was_given_up_is_none),
        STORY(who_vanishes_after_the_promise_is_replaced),
        STORY(a_seller_listed_twice_is_one),
        STORY(an_empty_pool_says_so),
        STORY(nobody_answers_about_sellers),
        STORY(nobody_has_a_free_core),
        STORY(long_lists_of_reasons_are_cut),
        STORY(cores_are_shared_only_when_it_is_needed_and_asked_for),
        STORY(who_waits_holds_nothing),
        STORY(waiting_ends),
        STORY(who_cancels_gives_everything_back),
        STORY(every_promise_is_kept_or_given_back),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
