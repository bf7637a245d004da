/* SPDX-License-Identifier: BSD-3-Clause */
#include "p2p/pair.h"

#include "plat/plat.h"

/*
 * Waiting. With a core to itself a rank spins for about what a wake costs, since what it waits for
 * is then likely on its way. With more ranks than cores spinning takes the core from the rank that
 * is waited for, and makes the kernel wake the next one on a core that is deep asleep: it yields
 * twice and sleeps. Counted are the job's ranks on this peer, and what is awake on the host over
 * all jobs. Measured, 16 ranks on 2 cores in a ring: 6 µs a hop, against 27 µs when two that are
 * awake spin.
 *
 * A core for each is no promise: when others run on the host too, the kernel may put two ranks on
 * one core, and keep them there, as each wakes the other. Then spinning keeps away the very rank
 * that is waited for. So those who wait for longer than usual count themselves where they are
 * (cpi_host_page.waited), and one that isn't alone there goes to sleep. And a rank that yields
 * while others compute does without for a while: 16 ranks' barrier beside two busy processes on 2
 * cores takes 0.6 to 1.2 ms, against 1.5 to 3.
 */

#define SPIN_NS      20000u  /* one to two times what a futex wake of a sleeper costs */
#define YIELD_NS     50000u  /* the same when its core has fallen asleep */
#define BRIEF_NS     1000u   /* after which a rank looks whether it shares its core */
#define BRIEF_WAITS  256u    /* that do not yield; then one looks again */
#define LOOK_YIELDS  8u      /* one of so many yields is timed */
#define LONG_NS      500000u /* longer ones went to processes that compute */
#define LENT_BYTES_NS 6u     /* bytes that a slow copy does in a nanosecond */
#define LENT_NS_MAX  500000u /* longest spinning of a rank from which others copy */
#define CLOCK_ROUNDS 32u     /* rounds of spinning between looks at the clock */
#define YIELDS       2u

bool
cpi_engine_oversubscribed(void)
{
    const struct cpi_host_page *host = cpi_engine.host;

    return host != NULL && ((int64_t)cpi_engine.segment.header->local > host->cores ||
                            atomic_load_explicit(&host->awake, memory_order_relaxed) > host->cores);
}

bool
cpi_engine_has_wait_word(void)
{
    return cpi_state.wait_two_works;
}

static void
awake_count(bool awake)
{
    atomic_store_explicit(&cpi_engine.segment.ranks[cpi_engine.local].counted, awake,
                          memory_order_relaxed);
    if (cpi_engine.host != NULL)
        atomic_fetch_add_explicit(&cpi_engine.host->awake, awake ? 1 : -1, memory_order_relaxed);
}

/* Sleep until the doorbell rings, or until *word != expected when there is a word. False when there
 * was a reason not to. */
static bool
sleep_on(const _Atomic uint32_t *word, uint32_t expected, _Atomic uint32_t *sleepers)
{
    _Atomic uint32_t *state = &cpi_engine.segment.ranks[cpi_engine.local].doorbell.state;

    atomic_store_explicit(state, 1, memory_order_relaxed);
    if (sleepers != NULL)
        atomic_fetch_add(sleepers, 1);
    cpi_inbox_fence(&cpi_engine.segment);  /* for the word's writer too */
    bool rest = !cpi_engine_pending() && cpi_engine_room_wanted() &&
                (word == NULL || atomic_load(word) == expected);
    if (rest) {
        awake_count(false);
        if (word == NULL)
            cpi_futex_wait(state, 1);
        else
            cpi_futex_wait_two(state, 1, word, expected);
        awake_count(true);
    }
    if (sleepers != NULL)
        atomic_fetch_sub(sleepers, 1);
    atomic_store_explicit(state, 0, memory_order_relaxed);
    return rest;
}

/* Counts this rank on the core that it is on. Is another rank counted there? */
static bool
core_is_shared(void)
{
    _Atomic uint32_t *counted = &cpi_engine.segment.ranks[cpi_engine.local].core;
    uint32_t before = atomic_load_explicit(counted, memory_order_relaxed);
    struct cpi_host_page *host = cpi_engine.host;
    uint32_t core = (uint32_t)(cpi_core() + 1);

    if (host == NULL)
        return false;
    if (core != before) {
        atomic_store_explicit(counted, core, memory_order_relaxed);
        if (before > 0 && before <= CPI_HOST_CORES_MAX)
            atomic_fetch_sub(&host->waited[before - 1], 1);
        if (core > 0 && core <= CPI_HOST_CORES_MAX)
            atomic_fetch_add(&host->waited[core - 1], 1);
    }
    return core > 0 && core <= CPI_HOST_CORES_MAX &&
           atomic_load_explicit(&host->waited[core - 1], memory_order_relaxed) > 1;
}

/* What other peers send comes through two agents, which want cores too. When few are awake, to
 * yield for a while costs nobody anything and keeps the core from falling asleep. */
static bool
waits_among_few(void)
{
    const struct cpi_segment_header *header = cpi_engine.segment.header;
    int64_t most = (int64_t)CPI_HOST_FEW * cpi_engine.host->cores;

    return header->peers > 1 && (int64_t)header->local + 1 <= most &&
           atomic_load_explicit(&cpi_engine.host->awake, memory_order_relaxed) <= most;
}

/* What computes beside this job keeps for milliseconds the core that a yield gave it: then sleeping
 * is quicker, as the kernel lets those run soon who have slept. */
static bool
yield_first(void)
{
    if (cpi_state.brief_waits > 0) {
        cpi_state.brief_waits--;
        return false;
    }
    bool look = cpi_state.yields++ % LOOK_YIELDS == 0;
    uint64_t began = look ? cpi_clock_ns() : 0;
    cpi_yield();
    if (look && cpi_clock_ns() - began > LONG_NS) {
        cpi_state.brief_waits = BRIEF_WAITS;
        cpi_state.yields = 0;
    }
    return true;
}

/* A rank from which others copy is told at the end: after as long as a slow copy takes. */
static uint64_t
spin_most_ns(void)
{
    uint64_t copy_ns = cpi_state.lent_bytes / LENT_BYTES_NS;

    return SPIN_NS + (copy_ns < LENT_NS_MAX ? copy_ns : LENT_NS_MAX);
}

/* True while it is better to look again at once than to sleep. */
static bool
spin(unsigned round)
{
    bool oversubscribed = cpi_engine_oversubscribed();

    if (oversubscribed && !waits_among_few()) {
        if (round == 0)
            return yield_first();
        if (round < YIELDS)
            cpi_yield();
        return round < YIELDS;
    }
    if (oversubscribed)
        cpi_yield();
    if (round == 0)
        cpi_state.spin_since_ns = 0;
    if (!oversubscribed && round % CLOCK_ROUNDS != CLOCK_ROUNDS - 1)
        return true;
    uint64_t now = cpi_clock_ns();
    if (cpi_state.spin_since_ns == 0)
        cpi_state.spin_since_ns = now;
    uint64_t spun = now - cpi_state.spin_since_ns;
    if (oversubscribed)
        return spun < YIELD_NS;
    return spun < BRIEF_NS || (spun < spin_most_ns() && !core_is_shared());
}

void
cpi_engine_rest(unsigned *round_p)
{
    if (cpi_engine_progress()) {
        *round_p = 0;
        return;
    }
    if (spin((*round_p)++))
        return;
    sleep_on(NULL, 0, NULL);
    *round_p = 0;
}

void
cpi_engine_wait(const volatile bool *done)
{
    unsigned round = 0;

    while (!*done) {
        if (cpi_engine_progress()) {
            round = 0;
        } else if (!spin(round++)) {
            sleep_on(NULL, 0, NULL);
            round = 0;
        }
    }
}

void
cpi_engine_wait_word(const _Atomic uint32_t *word, uint32_t expected,
                     _Atomic uint32_t *sleepers_p)
{
    unsigned round = 0;

    while (atomic_load_explicit(word, memory_order_acquire) == expected) {
        if (cpi_engine_progress()) {
            round = 0;
        } else if (!spin(round++)) {
            sleep_on(word, expected, sleepers_p);
            round = 0;
        }
    }
}
