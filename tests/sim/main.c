/* SPDX-License-Identifier: BSD-3-Clause */
/* The deterministic simulator of launcher/proto: `sim --help`. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "options.h"
#include "plan.h"
#include "run.h"
#include "shrink.h"

#define FAILURES_NAMED 12        /* of a configuration; the first is shown in full */
#define MUTANT_SEEDS   60        /* among so many a mutant has to be caught */

/* Instrumented code runs some ten times slower. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SEEDS_DIVIDED_BY 16
#else
#define SEEDS_DIVIDED_BY 1
#endif

static unsigned tests, tests_failed;

/* An assertion of a module: what led to it is worth more than a core file. The program is at its
 * end, so that this isn't async-signal-safe costs at worst the report. */
static void end_by_signal(int number)
{
    printf("not ok %u - ended by signal %d\n", tests + 1, number);
    sim_run_report_now("an assertion holds");
    fflush(stdout);
    _exit(1);
}

struct tally {
    uint64_t runs, steps, lookups, lookups_failed, settled_most_us, introductions;
    unsigned failures;
    uint64_t failed_seeds[FAILURES_NAMED];
};

static void tally_add(struct tally *tally, uint64_t seed, const struct sim_outcome *outcome)
{
    tally->runs++;
    tally->steps += outcome->steps;
    tally->lookups += outcome->lookups;
    tally->lookups_failed += outcome->lookups_failed;
    tally->introductions += outcome->introductions;
    if (outcome->settled_us > tally->settled_most_us)
        tally->settled_most_us = outcome->settled_us;
    if (!outcome->has_failed)
        return;
    if (tally->failures < FAILURES_NAMED)
        tally->failed_seeds[tally->failures] = seed;
    tally->failures++;
}

static void result_print(bool is_good, const char *title)
{
    tests++;
    tests_failed += !is_good;
    printf("%sok %u - %s\n", is_good ? "" : "not ", tests, title);
}

static void tally_print(const struct tally *tally)
{
    printf("# %" PRIu64 " seeds, %" PRIu64 " steps, %" PRIu64 " lookups (%" PRIu64
           " without an answer while faults lasted)\n",
           tally->runs, tally->steps, tally->lookups, tally->lookups_failed);
    printf("# a ring within %.2f s after the last fault; %" PRIu64 " islands introduced\n",
           (double)tally->settled_most_us / 1e6, tally->introductions);
    if (tally->failures == 0)
        return;
    printf("# %u seeds failed:", tally->failures);
    for (unsigned i = 0; i < tally->failures && i < FAILURES_NAMED; i++)
        printf(" %" PRIu64, tally->failed_seeds[i]);
    printf("%s\n", tally->failures > FAILURES_NAMED ? " …" : "");
}

static void shrink_and_show(struct sim_plan *plan)
{
    struct sim_outcome outcome;

    if (!sim_shrink(plan, &outcome))
        return;
    printf("# the smallest plan that fails so:\n");
    sim_run(plan, &outcome);
}

static void config_run(const struct sim_options *options, const struct sim_config *config)
{
    uint64_t first = options->seed_first, last = options->seed_last;
    struct tally tally = { .runs = 0 };
    struct sim_outcome outcome;
    struct sim_plan plan;
    char title[160];

    if (last == 0) {
        first = 1;
        last = (config->seeds + SEEDS_DIVIDED_BY - 1) / SEEDS_DIVIDED_BY;
    }
    for (uint64_t seed = first; seed <= last; seed++) {
        sim_options_plan(options, config, seed, &plan);
        plan.is_reported = tally.failures == 0 && !options->does_shrink;
        if (options->does_shrink)
            sim_try(&plan, &outcome);
        else
            sim_run(&plan, &outcome);
        tally_add(&tally, seed, &outcome);
        if (outcome.has_failed && options->does_shrink) {
            plan.is_reported = true;
            shrink_and_show(&plan);
            break;
        }
    }
    snprintf(title, sizeof title, "%s: %s", config->name, config->title);
    result_print(tally.failures == 0, title);
    tally_print(&tally);
    fflush(stdout);
}

static uint32_t count_kept(const struct sim_plan *plan, uint32_t made)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < made; i++)
        count += plan->kept[i];
    return count;
}

/* The first seed whose run catches the mutant, shrunk. Not caught, or with nothing to leave out:
 * either the checks or the shrinker are blind. */
static void mutant_run(enum sim_mutant mutant)
{
    const struct sim_config *config = sim_config_find(sim_mutant_config(mutant));
    struct sim_outcome outcome = { .has_failed = false };
    struct sim_plan plan;
    uint32_t faults = 0;
    char title[160];

    for (uint64_t seed = 1; seed <= MUTANT_SEEDS && !outcome.has_failed; seed++) {
        sim_plan_init(&plan, config, seed);
        plan.mutant = mutant;
        sim_try(&plan, &outcome);
    }
    faults = outcome.faults;
    snprintf(title, sizeof title, "the mutant that %s is caught", sim_mutant_help(mutant));
    if (!outcome.has_failed || !sim_shrink(&plan, &outcome)) {
        result_print(false, title);
        return;
    }
    result_print(plan.peers - (uint32_t)__builtin_popcountll(plan.without) <= 8
                     && count_kept(&plan, faults) <= 4, title);
    printf("# by \"%s\", seed %" PRIu64 ": %" PRIu32 " of %" PRIu32 " faults, %d of %" PRIu32
           " peers are enough\n", outcome.what, plan.seed, count_kept(&plan, faults), faults,
           (int)plan.peers - __builtin_popcountll(plan.without), plan.peers);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const struct sim_config *config;
    struct sim_options options;

    sim_options_read(&options, argc, argv);
    signal(SIGABRT, end_by_signal);
    for (uint32_t i = 0; (config = sim_config_at(i)) != NULL; i++)
        if (options.config == NULL || options.config == config)
            config_run(&options, config);
    if (argc == 1)
        for (unsigned i = SIM_MUTANT_NONE + 1; i < SIM_MUTANTS; i++)
            mutant_run((enum sim_mutant)i);
    printf("1..%u\n", tests);
    return tests_failed > 0 ? 1 : 0;
}
