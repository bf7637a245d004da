/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/computer/computer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "base/hash.h"

#define REFUSALS_MAX 4u  /* of one seller in one try; a liar could go down rank by rank */

#define AGAIN_US         UINT64_C(1000000)
#define GRACE_AGAIN_US   UINT64_C(150000)
#define SELLERS_LIMIT_US UINT64_C(5000000)
#define ENLIST_LIMIT_US  UINT64_C(10000000)
#define ENLIST_TOTAL_US  UINT64_C(600000000)

enum seat_state {
    SEAT_IDLE,      /* could be asked */
    SEAT_ASKED,     /* for `ranks` ranks under `nonce` */
    SEAT_ENLISTED,  /* has promised them */
    SEAT_OUT,       /* not in this try, for the reason in `why` */
};

struct seat {
    struct seller seller;
    enum seat_state state;
    bool named;             /* by --host, or there is none */
    uint32_t usable;        /* ranks that may be there, those included that are */
    uint32_t ranks;
    uint64_t nonce;
    uint64_t deadline_us;   /* of its silence */
    uint64_t give_up_us;
    uint32_t refusals;
    char why[COMPUTER_REASON_BYTES];
};

enum phase {
    PHASE_NEW,
    PHASE_SELLERS,    /* waits for COMPUTER_SELLERS */
    PHASE_ENLISTING,  /* at least one seat is asked */
    PHASE_WAITING,    /* for a better moment; holds nothing */
    PHASE_FORMED,
    PHASE_OVER,       /* short or cancelled */
};

struct computer {
    struct computer_config config;
    struct computer_host *hosts;  /* owned */
    enum phase phase;
    bool oversubscribed;          /* free cores were not enough */
    uint64_t now_us;
    uint64_t start_us;
    uint64_t deadline_us;         /* of the phases SELLERS and WAITING */
    uint64_t nonces;              /* given so far */
    uint32_t seat_count;
    struct seat *seats;           /* COMPUTER_SELLERS_MAX; owned */
    struct seat **picked;         /* the same number; owned */
    char why[COMPUTER_WHY_BYTES];
};

struct computer *
computer_new(const struct computer_config *config)
{
    struct computer *computer = calloc(1, sizeof(*computer));

    assert(config->ranks > 0);
    if (computer == NULL)
        return NULL;
    computer->config = *config;
    computer->config.hosts = NULL;
    computer->seats = calloc(COMPUTER_SELLERS_MAX, sizeof(*computer->seats));
    computer->picked = calloc(COMPUTER_SELLERS_MAX, sizeof(struct seat *));
    computer->hosts = calloc(config->host_count + 1, sizeof(*computer->hosts));
    if (computer->seats == NULL || computer->picked == NULL || computer->hosts == NULL) {
        computer_free(computer);
        return NULL;
    }
    if (config->host_count > 0)
        memcpy(computer->hosts, config->hosts, config->host_count * sizeof(*computer->hosts));
    if (computer->config.again_us == 0)
        computer->config.again_us = AGAIN_US;
    if (computer->config.sellers_limit_us == 0)
        computer->config.sellers_limit_us = SELLERS_LIMIT_US;
    if (computer->config.enlist_limit_us == 0)
        computer->config.enlist_limit_us = ENLIST_LIMIT_US;
    if (computer->config.enlist_total_us == 0)
        computer->config.enlist_total_us = ENLIST_TOTAL_US;
    return computer;
}

void
computer_free(struct computer *computer)
{
    if (computer == NULL)
        return;
    free(computer->hosts);
    free(computer->picked);
    free(computer->seats);
    free(computer);
}

/* --- actions --- */

static struct computer_action *
act(struct computer_out *out, enum computer_action_kind kind)
{
    struct computer_action *action = &out->actions[out->count];

    assert(out->count < COMPUTER_ACTIONS_MAX);
    out->count++;
    *action = (struct computer_action){.kind = kind};
    return action;
}

/* Never 0, and never the same twice: cpi_hash_mix is a bijection. */
static uint64_t
nonce_next(struct computer *computer)
{
    uint64_t nonce;

    do {
        nonce = cpi_hash_mix(computer->config.seed + ++computer->nonces);
    } while (nonce == 0);
    return nonce;
}

static uint32_t
narrow(uint64_t value)
{
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static uint64_t
later(uint64_t now_us, uint64_t by_us)
{
    return by_us < UINT64_MAX - now_us ? now_us + by_us : UINT64_MAX;
}

static void
seat_ask(struct computer *computer, struct seat *seat, uint32_t ranks, struct computer_out *out)
{
    const struct computer_config *config = &computer->config;
    struct computer_action *action = act(out, COMPUTER_ENLIST);

    assert(ranks > 0 && ranks <= seat->usable);
    seat->state = SEAT_ASKED;
    seat->ranks = ranks;
    seat->nonce = nonce_next(computer);
    seat->deadline_us = later(computer->now_us, config->enlist_limit_us);
    seat->give_up_us = later(computer->now_us, config->enlist_total_us);
    action->seat = (uint32_t)(seat - computer->seats);
    action->nonce = seat->nonce;
    action->ranks = ranks;
    action->millicores = narrow((uint64_t)ranks * config->rank_millicores);
    action->memory_bytes = ranks * config->rank_memory_bytes;
    action->oversubscribe = computer->oversubscribed;
}

static void
seat_release(struct computer *computer, struct seat *seat, struct computer_out *out)
{
    struct computer_action *action = act(out, COMPUTER_RELEASE);

    assert(seat->state == SEAT_ASKED || seat->state == SEAT_ENLISTED);
    action->seat = (uint32_t)(seat - computer->seats);
    action->nonce = seat->nonce;
    action->ranks = seat->ranks;
    seat->state = SEAT_IDLE;
    seat->ranks = 0;
    seat->nonce = 0;
}

static void
all_release(struct computer *computer, struct computer_out *out)
{
    for (uint32_t i = 0; i < computer->seat_count; i++) {
        struct seat *seat = &computer->seats[i];

        if (seat->state == SEAT_ASKED || seat->state == SEAT_ENLISTED)
            seat_release(computer, seat, out);
    }
}

__attribute__((format(printf, 2, 3))) static void
seat_out(struct seat *seat, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(seat->why, sizeof(seat->why), format, arguments);
    va_end(arguments);
    seat->state = SEAT_OUT;
    seat->usable = 0;
    seat->ranks = 0;
    seat->nonce = 0;
}

/* --- what a seller is good for --- */

static const struct computer_host *
host_find(const struct computer *computer, const struct seller *seller)
{
    char id[2 * SELLER_ID_BYTES + 1];

    for (size_t i = 0; i < SELLER_ID_BYTES; i++)
        snprintf(id + 2 * i, 3, "%02x", seller->id[i]);
    for (uint32_t i = 0; i < computer->config.host_count; i++) {
        const struct computer_host *host = &computer->hosts[i];

        if (require_pattern_matches(host->pattern, seller->name) ||
            require_pattern_matches(host->pattern, id))
            return host;
    }
    return NULL;
}

static void
usable_cut(uint32_t *usable, uint64_t limit)
{
    if (*usable > limit)
        *usable = (uint32_t)limit;
}

static void
seat_judge(const struct computer *computer, struct seat *seat)
{
    const struct computer_config *config = &computer->config;
    const struct seller *seller = &seat->seller;
    const struct computer_host *host = host_find(computer, seller);
    char why[REQUIRE_WHY_BYTES];

    seat->named = config->host_count == 0 || host != NULL;
    if (!seat->named) {
        seat_out(seat, "it isn't among --host");
        return;
    }
    if (!require_match(&config->require, seller, why)) {
        seat_out(seat, "%.150s", why);
        return;
    }
    seat->usable = seller->ranks_free;
    if (computer->oversubscribed)
        seat->usable = narrow((uint64_t)seller->ranks_max * config->oversubscribe);
    else if (config->rank_millicores > 0)
        usable_cut(&seat->usable, seller->millicores_free / config->rank_millicores);
    if (seat->usable == 0) {
        seat_out(seat, "%s", seller->ranks_max == 0 ? "its owner wants no ranks at present"
                                                    : "no core is free");
        return;
    }
    if (config->rank_memory_bytes > 0)
        usable_cut(&seat->usable, seller->memory_free_bytes / config->rank_memory_bytes);
    if (seat->usable == 0) {
        seat_out(seat, "it has %" PRIu64 "M for jobs, a rank needs %" PRIu64 "M",
                 seller->memory_free_bytes >> 20, config->rank_memory_bytes >> 20);
        return;
    }
    if (config->per_seller > 0)
        usable_cut(&seat->usable, config->per_seller);
    if (host != NULL && host->ranks > 0)
        usable_cut(&seat->usable, host->ranks);
    seat->state = SEAT_IDLE;
}

static bool
seller_is_seated(const struct computer *computer, const struct seller *seller)
{
    for (uint32_t i = 0; i < computer->seat_count; i++) {
        if (memcmp(computer->seats[i].seller.id, seller->id, SELLER_ID_BYTES) == 0)
            return true;
    }
    return false;
}

static void
sellers_seat(struct computer *computer, const struct seller *sellers, uint32_t count)
{
    computer->seat_count = 0;
    for (uint32_t i = 0; i < count && computer->seat_count < COMPUTER_SELLERS_MAX; i++) {
        struct seat *seat = &computer->seats[computer->seat_count];

        if (seller_is_seated(computer, &sellers[i]))
            continue;
        *seat = (struct seat){.seller = sellers[i]};
        seat_judge(computer, seat);
        computer->seat_count++;
    }
}

static uint64_t
ranks_possible(const struct computer *computer)
{
    uint64_t ranks = 0;

    for (uint32_t i = 0; i < computer->seat_count; i++)
        ranks += computer->seats[i].usable;
    return ranks;
}

/* --- words --- */

__attribute__((format(printf, 2, 3))) static void
why_add(struct computer *computer, const char *format, ...)
{
    size_t used = strlen(computer->why);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(computer->why + used, sizeof(computer->why) - used, format, arguments);
    va_end(arguments);
}

static void
reasons_add(struct computer *computer)
{
    enum { SHOWN = 8 };
    uint32_t shown = 0;
    uint32_t more = 0;
    uint32_t unnamed = 0;

    for (uint32_t i = 0; i < computer->seat_count; i++) {
        const struct seat *seat = &computer->seats[i];

        if (!seat->named)
            unnamed++;
        else if (seat->why[0] != '\0' && shown < SHOWN) {
            why_add(computer, "\n  %s: %s", seat->seller.name, seat->why);
            shown++;
        } else if (seat->why[0] != '\0') {
            more++;
        }
    }
    if (more > 0)
        why_add(computer, "\n  and %u peers more", more);
    if (unnamed > 0)
        why_add(computer, "\n  %u peer%s not among --host", unnamed,
                unnamed == 1 ? " is" : "s are");
}

static void
why_compose(struct computer *computer)
{
    const struct computer_config *config = &computer->config;
    uint64_t possible = ranks_possible(computer);
    uint32_t peers = 0;
    const char *wait = config->wait_us == 0 ? "wait for more with --wait, " : "";
    const char *share = config->oversubscribe > 1 ? "" : "share cores with --oversubscribe, ";
    const char *what = computer->oversubscribed ? "places" : "free cores";

    computer->why[0] = '\0';
    for (uint32_t i = 0; i < computer->seat_count; i++)
        peers += computer->seats[i].usable > 0;
    if (computer->seat_count == 0) {
        why_add(computer, "0 of %u ranks: no peer of the pool offers anything; `cpmp peers` shows "
                "who is there", config->ranks);
    } else if (possible == 0) {
        why_add(computer, "0 of %u ranks: none of %u peer%s can take one; %s%ssee below",
                config->ranks, computer->seat_count, computer->seat_count == 1 ? "" : "s", wait,
                share);
    } else {
        why_add(computer, "%" PRIu64 " of %u ranks: %u peer%s %" PRIu64 " %s for this job; %s%srun "
                "fewer with -np %" PRIu64, possible, config->ranks, peers,
                peers == 1 ? " has" : "s have", possible, what, wait, share, possible);
    }
    reasons_add(computer);
}

/* --- course --- */

static void
try_begin(struct computer *computer, struct computer_out *out)
{
    computer->phase = PHASE_SELLERS;
    computer->deadline_us = later(computer->now_us, computer->config.sellers_limit_us);
    act(out, COMPUTER_WANT_SELLERS)->ranks = computer->config.ranks;
}

/* Whether the peers could take all ranks if nothing ran on them. */
static bool
room_is_there(const struct computer *computer)
{
    uint64_t ranks = 0;

    for (uint32_t i = 0; i < computer->seat_count; i++)
        if (computer->seats[i].named)
            ranks += (uint64_t)computer->seats[i].seller.ranks_max *
                     (computer->config.oversubscribe > 1 ? computer->config.oversubscribe : 1);
    return ranks >= computer->config.ranks;
}

/* Gives everything back, then: free cores were not enough, but shared ones may be; or later is
 * another day; or that was it. computer->why was composed. */
static void
try_fail(struct computer *computer, struct computer_out *out)
{
    const struct computer_config *config = &computer->config;
    uint64_t jitter = cpi_hash_mix(config->seed ^ computer->now_us) % (config->again_us / 2 + 1);
    uint64_t again_us = later(computer->now_us, config->again_us - config->again_us / 4 + jitter);

    all_release(computer, out);
    if (config->oversubscribe > 1 && !computer->oversubscribed && computer->seat_count > 0) {
        computer->oversubscribed = true;
        try_begin(computer, out);
    } else if (room_is_there(computer) && later(computer->now_us, GRACE_AGAIN_US) <=
                                              later(computer->start_us, config->grace_us)) {
        computer->oversubscribed = false;
        computer->phase = PHASE_WAITING;
        computer->deadline_us = later(computer->now_us, GRACE_AGAIN_US);
    } else if (config->wait_us > 0 && again_us <= later(computer->start_us, config->wait_us)) {
        computer->oversubscribed = false;
        computer->phase = PHASE_WAITING;
        computer->deadline_us = again_us;
        act(out, COMPUTER_WAITING);
    } else {
        computer->phase = PHASE_OVER;
        act(out, COMPUTER_SHORT);
    }
}

/* Most usable ranks first, the nearer of equals, then by id: an order that every run repeats. */
static int
seats_compare(const void *a, const void *b)
{
    const struct seat *left = *(struct seat *const *)a;
    const struct seat *right = *(struct seat *const *)b;

    if (left->usable != right->usable)
        return left->usable > right->usable ? -1 : 1;
    if (left->seller.distance_us != right->seller.distance_us)
        return left->seller.distance_us < right->seller.distance_us ? -1 : 1;
    return memcmp(left->seller.id, right->seller.id, SELLER_ID_BYTES);
}

/* Asks idle seats for `missing` ranks, as far as they have room; returns what remains. The share of
 * each is the difference of two rounded cumulative sums: it is within one of the exact one, never
 * above what is usable, and all add up. */
static uint32_t
idle_ask(struct computer *computer, uint32_t missing, struct computer_out *out)
{
    uint64_t sum = 0;
    uint64_t before = 0;
    uint32_t ranks;
    uint32_t idle = 0;
    uint32_t count = 0;

    for (uint32_t i = 0; i < computer->seat_count; i++) {
        if (computer->seats[i].state == SEAT_IDLE)
            computer->picked[idle++] = &computer->seats[i];
    }
    qsort(computer->picked, idle, sizeof(computer->picked[0]), seats_compare);
    while (count < idle && (sum < missing || (computer->config.spread && count < missing)))
        sum += computer->picked[count++]->usable;
    ranks = sum < missing ? (uint32_t)sum : missing;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t after = before + computer->picked[i]->usable;
        uint32_t share = (uint32_t)(ranks * after / sum - ranks * before / sum);

        if (share > 0)
            seat_ask(computer, computer->picked[i], share, out);
        before = after;
    }
    return missing - ranks;
}

/* Sellers that have enlisted and have more to give are asked anew for all of it. */
static void
enlisted_grow(struct computer *computer, uint32_t missing, struct computer_out *out)
{
    for (uint32_t i = 0; i < computer->seat_count && missing > 0; i++) {
        struct seat *seat = &computer->seats[i];
        uint32_t ranks = seat->ranks;
        uint32_t more;

        if (seat->state != SEAT_ENLISTED || seat->usable <= ranks)
            continue;
        more = seat->usable - ranks < missing ? seat->usable - ranks : missing;
        seat_release(computer, seat, out);
        seat_ask(computer, seat, ranks + more, out);
        missing -= more;
    }
}

/* After every change of seats: formed, hopeless, or somebody to ask. */
static void
plan(struct computer *computer, struct computer_out *out)
{
    uint32_t have = 0;
    uint32_t asked = 0;

    for (uint32_t i = 0; i < computer->seat_count; i++) {
        have += computer->seats[i].ranks;
        asked += computer->seats[i].state == SEAT_ASKED;
    }
    assert(have <= computer->config.ranks);
    if (ranks_possible(computer) < computer->config.ranks) {
        why_compose(computer);
        try_fail(computer, out);
    } else if (have < computer->config.ranks) {
        uint32_t missing = idle_ask(computer, computer->config.ranks - have, out);

        enlisted_grow(computer, missing, out);
    } else if (asked == 0) {
        computer->phase = PHASE_FORMED;
        act(out, COMPUTER_FORMED);
    }
}

/* --- events --- */

static void
on_sellers(struct computer *computer, const struct computer_event *event,
           struct computer_out *out)
{
    if (computer->phase != PHASE_SELLERS)
        return;
    sellers_seat(computer, event->sellers, event->seller_count);
    computer->phase = PHASE_ENLISTING;
    plan(computer, out);
}

/* The seat that `nonce` belongs to; NULL: none (any more). */
static struct seat *
seat_find(struct computer *computer, uint64_t nonce)
{
    for (uint32_t i = 0; i < computer->seat_count && nonce != 0; i++) {
        if (computer->seats[i].nonce == nonce)
            return &computer->seats[i];
    }
    return NULL;
}

static void
seat_refuse(struct seat *seat, const struct computer_event *event)
{
    uint32_t asked = seat->ranks;
    const char *why = event->why != NULL ? event->why : "it gave no reason";

    seat->refusals++;
    if (event->kind == COMPUTER_LOST) {
        seat_out(seat, "%.150s", event->why != NULL ? event->why : "it can't be reached");
    } else if (event->ranks_free == 0 || asked == 1 || seat->refusals == REFUSALS_MAX) {
        seat_out(seat, "refused: %.140s", why);
    } else {
        /* Fewer than asked for in any case: who has what was asked for has no reason to refuse. */
        usable_cut(&seat->usable, event->ranks_free < asked ? event->ranks_free : asked - 1);
        snprintf(seat->why, sizeof(seat->why), "refused %u ranks: %.120s", asked, why);
        seat->state = SEAT_IDLE;
        seat->ranks = 0;
        seat->nonce = 0;
    }
}

static void
on_answer(struct computer *computer, const struct computer_event *event, struct computer_out *out)
{
    struct seat *seat = seat_find(computer, event->nonce);

    if (computer->phase != PHASE_ENLISTING || seat == NULL)
        return;
    switch (event->kind) {
    case COMPUTER_ENLISTED:
        if (seat->state != SEAT_ASKED)
            return;
        seat->state = SEAT_ENLISTED;
        break;
    case COMPUTER_PROGRESS:
        seat->deadline_us = later(computer->now_us, computer->config.enlist_limit_us);
        return;
    default:
        seat_refuse(seat, event);
        break;
    }
    plan(computer, out);
}

static uint64_t
seat_deadline_us(const struct seat *seat)
{
    if (seat->state != SEAT_ASKED)
        return UINT64_MAX;
    return seat->deadline_us < seat->give_up_us ? seat->deadline_us : seat->give_up_us;
}

static void
silent_drop(struct computer *computer, struct computer_out *out)
{
    bool dropped = false;

    for (uint32_t i = 0; i < computer->seat_count; i++) {
        struct seat *seat = &computer->seats[i];
        bool late = computer->now_us >= seat->give_up_us;

        if (computer->now_us < seat_deadline_us(seat))
            continue;
        seat_release(computer, seat, out);
        seat_out(seat, late ? "it was not ready within %" PRIu64 " s"
                            : "no answer for %" PRIu64 " s",
                 (late ? computer->config.enlist_total_us : computer->config.enlist_limit_us) /
                     1000000);
        dropped = true;
    }
    if (dropped)
        plan(computer, out);
}

static void
on_tick(struct computer *computer, struct computer_out *out)
{
    if (computer->now_us < computer_deadline_us(computer))
        return;
    if (computer->phase == PHASE_SELLERS) {
        computer->seat_count = 0;
        snprintf(computer->why, sizeof(computer->why),
                 "nobody said within %" PRIu64 " s which peers there are; `cpmp peers` asks again",
                 computer->config.sellers_limit_us / 1000000);
        try_fail(computer, out);
    } else if (computer->phase == PHASE_WAITING) {
        try_begin(computer, out);
    } else if (computer->phase == PHASE_ENLISTING) {
        silent_drop(computer, out);
    }
}

void
computer_step(struct computer *computer, const struct computer_event *event,
              struct computer_out *out)
{
    out->count = 0;
    if (event->now_us > computer->now_us)
        computer->now_us = event->now_us;
    switch (event->kind) {
    case COMPUTER_START:
        assert(computer->phase == PHASE_NEW);
        computer->start_us = computer->now_us;
        try_begin(computer, out);
        break;
    case COMPUTER_SELLERS:
        on_sellers(computer, event, out);
        break;
    case COMPUTER_TICK:
        on_tick(computer, out);
        break;
    case COMPUTER_CANCEL:
        all_release(computer, out);
        computer->phase = PHASE_OVER;
        break;
    default:
        on_answer(computer, event, out);
        break;
    }
    computer_check(computer);
}

uint64_t
computer_deadline_us(const struct computer *computer)
{
    uint64_t deadline_us = UINT64_MAX;

    if (computer->phase == PHASE_SELLERS || computer->phase == PHASE_WAITING)
        return computer->deadline_us;
    for (uint32_t i = 0; computer->phase == PHASE_ENLISTING && i < computer->seat_count; i++) {
        uint64_t seat_us = seat_deadline_us(&computer->seats[i]);

        deadline_us = seat_us < deadline_us ? seat_us : deadline_us;
    }
    return deadline_us;
}

uint32_t
computer_seat_count(const struct computer *computer)
{
    return computer->seat_count;
}

struct computer_seat
computer_seat(const struct computer *computer, uint32_t index)
{
    const struct seat *seat = &computer->seats[index];

    assert(index < computer->seat_count);
    return (struct computer_seat){.seller = seat->seller,
                                  .ranks = seat->ranks,
                                  .enlisted = seat->state == SEAT_ENLISTED,
                                  .nonce = seat->nonce,
                                  .why = seat->why};
}

const char *
computer_why(const struct computer *computer)
{
    return computer->why;
}

void
computer_check(const struct computer *computer)
{
    uint32_t asked = 0;
    uint32_t enlisted = 0;
    uint64_t ranks = 0;

    assert(computer->seat_count <= COMPUTER_SELLERS_MAX);
    for (uint32_t i = 0; i < computer->seat_count; i++) {
        const struct seat *seat = &computer->seats[i];
        bool holds = seat->state == SEAT_ASKED || seat->state == SEAT_ENLISTED;

        assert(holds == (seat->nonce != 0) && holds == (seat->ranks > 0));
        assert(seat->ranks <= seat->usable);
        assert((seat->state == SEAT_OUT) == (seat->usable == 0));
        assert(seat->state != SEAT_OUT || seat->why[0] != '\0');
        asked += seat->state == SEAT_ASKED;
        enlisted += seat->state == SEAT_ENLISTED;
        ranks += seat->ranks;
    }
    assert(ranks <= computer->config.ranks);
    assert(computer->phase != PHASE_ENLISTING || asked > 0);
    assert(computer->phase != PHASE_FORMED || (asked == 0 && ranks == computer->config.ranks));
    assert(computer->phase == PHASE_ENLISTING || asked == 0);
    assert(computer->phase == PHASE_ENLISTING || computer->phase == PHASE_FORMED || enlisted == 0);
}
