/* SPDX-License-Identifier: BSD-3-Clause */
#include "fault.h"

#include <inttypes.h>
#include <stdio.h>

#include "random.h"

const char *sim_fault_name(enum sim_fault_kind kind)
{
    static const char *const names[] = {
#define SIM_FAULT_NAME(kind, name, help) name,
        SIM_FAULT_MAP(SIM_FAULT_NAME)
#undef SIM_FAULT_NAME
    };

    return kind < SIM_FAULT_KINDS ? names[kind] : "?";
}

static uint64_t all_of(uint32_t peers)
{
    return peers >= 64 ? UINT64_MAX : (UINT64_C(1) << peers) - 1;
}

/* Everybody, one half of the peers, or a single one: wide and narrow faults break different things.
 */
static uint64_t set_make(struct sim_random *random, uint32_t peers)
{
    switch (sim_random_below(random, 3)) {
    case 0:
        return all_of(peers);
    case 1:
        return sim_random_next(random) & all_of(peers);
    default:
        return UINT64_C(1) << sim_random_below(random, peers);
    }
}

/* Two sides without a common peer. One time in three each peer that is left over is a bridge. */
static void sides_make(struct sim_fault *fault, struct sim_random *random, uint32_t peers)
{
    uint64_t all = all_of(peers);

    fault->a = sim_random_next(random) & all;
    if (sim_random_below(random, 4) == 0)
        fault->a = UINT64_C(1) << sim_random_below(random, peers);
    fault->b = all & ~fault->a;
    if (sim_random_below(random, 3) == 0)
        fault->b &= ~(UINT64_C(1) << sim_random_below(random, peers));
    if (sim_random_below(random, 6) == 0)
        fault->b &= sim_random_next(random);
}

static void fault_make(struct sim_fault *fault, struct sim_random *random, uint32_t peers,
                       const struct sim_fault_range *range, uint64_t from_us, uint64_t until_us)
{
    uint64_t lasts_us = sim_random_below(random, range->lasts_max_us + 1);

    fault->kind = range->kind;
    fault->peer = (uint32_t)sim_random_below(random, peers);
    if (lasts_us > until_us - from_us)
        lasts_us = until_us - from_us;
    fault->from_us = sim_random_between(random, from_us, until_us - lasts_us);
    fault->until_us = fault->from_us + lasts_us;
    fault->amount = sim_random_between(random, range->amount_max / 8, range->amount_max);
    fault->a = set_make(random, peers);
    fault->b = set_make(random, peers);
    switch (range->kind) {
    case SIM_FAULT_CUT:
    case SIM_FAULT_PARTITION:
        sides_make(fault, random, peers);
        break;
    case SIM_FAULT_SUSPECT:
        fault->b &= ~(UINT64_C(1) << fault->peer);
        break;
    case SIM_FAULT_SKEW:
        fault->from_us = 0;
        fault->until_us = UINT64_MAX;
        fault->amount = UINT64_C(1000000) - range->amount_max
                        + sim_random_below(random, 2 * range->amount_max + 1);
        break;
    default:
        break;
    }
}

void sim_faults_make(struct sim_faults *faults, uint64_t seed, uint32_t peers,
                     const struct sim_fault_range *ranges, uint64_t from_us, uint64_t until_us)
{
    struct sim_random random = sim_random_for(seed, SIM_FOR_FAULTS);

    faults->count = 0;
    for (; ranges->count_max > 0; ranges++) {
        uint64_t most = (ranges->count_max * (uint64_t)peers + 9) / 10;
        uint64_t count = sim_random_below(&random, most + 1);

        for (; count > 0 && faults->count < SIM_FAULTS_MAX; count--) {
            struct sim_fault *fault = &faults->items[faults->count];

            *fault = (struct sim_fault){ .number = (uint32_t)faults->count };
            fault_make(fault, &random, peers, ranges, from_us, until_us);
            faults->count++;
        }
    }
}

void sim_faults_keep(struct sim_faults *faults, const bool kept[SIM_FAULTS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < faults->count; i++)
        if (kept[faults->items[i].number])
            faults->items[count++] = faults->items[i];
    faults->count = count;
}

static bool has(uint64_t set, uint32_t peer)
{
    return set >> peer & 1;
}

bool sim_fault_concerns(const struct sim_fault *fault, uint64_t now_us, uint32_t from,
                        uint32_t to)
{
    if (fault->kind > SIM_FAULT_PARTITION || now_us < fault->from_us || now_us >= fault->until_us)
        return false;
    if (has(fault->a, from) && has(fault->b, to))
        return true;
    return fault->kind == SIM_FAULT_PARTITION && has(fault->b, from) && has(fault->a, to);
}

static void set_print(const char *name, uint64_t set)
{
    const char *separator = "";

    printf(" %s={", name);
    for (uint32_t i = 0; i < SIM_FAULT_PEERS_MAX; i++) {
        if (has(set, i)) {
            printf("%s%" PRIu32, separator, i);
            separator = ",";
        }
    }
    printf("}");
}

void sim_fault_print(const struct sim_fault *fault, const char *prefix)
{
    printf("%s%" PRIu32 ": %s", prefix, fault->number, sim_fault_name(fault->kind));
    if (fault->until_us != UINT64_MAX)
        printf(" %.3f..%.3f s", (double)fault->from_us / 1e6, (double)fault->until_us / 1e6);
    if (fault->kind >= SIM_FAULT_CRASH)
        printf(" peer=%" PRIu32, fault->peer);
    if (fault->kind <= SIM_FAULT_PARTITION)
        set_print("a", fault->a);
    if (fault->kind <= SIM_FAULT_PARTITION || fault->kind == SIM_FAULT_SUSPECT)
        set_print("b", fault->b);
    if (fault->amount > 0)
        printf(" amount=%" PRIu64, fault->amount);
    printf("\n");
}
