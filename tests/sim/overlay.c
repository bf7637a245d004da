/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Measures the overlay in the simulator: what bench/overlay runs. One measurement a call; each
 * result is a line `name value`.
 */
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "large.h"
#include "peer.h"
#include "plan.h"

#define SECOND UINT64_C(1000000)
#define HALVED_ROUNDS 10u
#define HALVED_REST_S 300u

static const char usage[] =
    "usage: overlay MEASUREMENT [OPTIONS]\n"
    "\n"
    "  hops      lookups in a ring at rest: hops, latency, memory a peer\n"
    "  rest      messages a peer and second when nobody asks for anything\n"
    "  churn     lookups while peers join and crash\n"
    "  halved    lookups right after half of all peers crashed at once, and after a rest\n"
    "\n"
    "  --peers N       1000\n"
    "  --successors N  length of a successor list (16)\n"
    "  --lookups N     10000\n"
    "  --probes N      peers measured for a finger: 1 is fingers only (8)\n"
    "  --rate R        joins a second, and as many crashes (0.05)\n"
    "  --grown S       place no fingers, let the protocol find them for S seconds\n"
    "  --seed N        1\n";

struct options {
    uint64_t peers, successors, lookups, probes, grown, seed;
    double rate;
};

static double wall_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void say(const char *name, double value)
{
    printf("%s %.6g\n", name, value);
}

static void say_tally(const char *prefix, const struct sim_large_tally *tally)
{
    printf("%slookups %" PRIu64 "\n", prefix, tally->asked - tally->lost);
    printf("%sfailed %" PRIu64 "\n", prefix, tally->failed);
    printf("%swrong %" PRIu64 "\n", prefix, tally->wrong);
    printf("%shops %.4f\n", prefix, tally->hops);
    printf("%slatency_ms %.3f\n", prefix, tally->seconds * 1e3);
    printf("%slatency_99_ms %.3f\n", prefix, tally->seconds_99 * 1e3);
    printf("%stimeouts %.4f\n", prefix, (double)tally->to_dead / (double)tally->asked);
}

static struct chord_params params_of(const struct options *options)
{
    struct chord_params params = chord_params_default();

    params.successors = options->successors;
    params.finger_probes = options->probes;
    return params;
}

/* Bytes of a peer: what its chord says of itself, and all that the simulator has for it. */
static void say_memory(const struct sim_large *large, uint64_t heap_before)
{
    const struct sim_world *world = &large->world;
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < large->placed; i++)
        bytes += chord_bytes(world->peers[large->order[i]].chord);
    say("chord_bytes_a_peer", (double)bytes / large->placed);
    say("simulator_bytes_a_peer",
        (double)(mallinfo2().uordblks + mallinfo2().hblkhd - heap_before) / large->placed);
}

static void large_make(struct sim_large *large, const struct options *options,
                       const struct chord_params *params, uint32_t spare)
{
    uint64_t heap_before = mallinfo2().uordblks + mallinfo2().hblkhd;
    double from_s = wall_seconds();

    sim_large_init(large, options->seed, (uint32_t)options->peers, spare, options->grown > 0,
                   params);
    say("placed_in_s", wall_seconds() - from_s);
    say_memory(large, heap_before);
    sim_world_run(&large->world, options->grown * SECOND);
}

static void measure_hops(const struct options *options)
{
    struct chord_params params = params_of(options);
    struct sim_large_tally tally;
    struct sim_large large;
    double from_s = wall_seconds();

    large_make(&large, options, &params, 0);
    tally = sim_large_look_up(&large, (uint32_t)options->lookups, 20 * SECOND);
    say_tally("", &tally);
    say("half_log2", log2((double)options->peers) / 2);
    say("steps", (double)large.world.steps);
    say("wall_s", wall_seconds() - from_s);
    sim_large_release(&large);
}

static void measure_rest(const struct options *options)
{
    struct chord_params params = params_of(options);
    uint64_t messages, seconds = 600;
    struct sim_large large;

    large_make(&large, options, &params, 0);
    sim_world_run(&large.world, large.world.now_us + 60 * SECOND);
    messages = large.world.messages[SIM_CHORD];
    sim_world_run(&large.world, large.world.now_us + seconds * SECOND);
    messages = large.world.messages[SIM_CHORD] - messages;
    say("messages_a_peer_second",
        (double)messages / (double)seconds / (double)options->peers);
    sim_large_release(&large);
}

static double churn_mean_us;  /* between two events of churn */

static void crash_someone(struct sim_large *large)
{
    sim_peer_stop(&large->world, sim_large_member(large));
}

/* One joins or one crashes, and the next such event is drawn: a Poisson process. */
static void churn(struct sim_large *large)
{
    struct sim_world *world = &large->world;
    uint64_t bits = sim_random_next(&large->random);
    double wait_us = -log(1 - sim_unit(sim_random_next(&large->random))) * churn_mean_us;

    if (bits & 1)
        crash_someone(large);
    else if (large->next_join < world->peer_count)
        sim_world_start_at(world, world->now_us + 1, large->next_join++);
    sim_world_work_at(world, world->now_us + (uint64_t)wait_us + 1, SIM_LARGE_CHURN);
}

static void measure_churn(const struct options *options)
{
    struct chord_params params = params_of(options);
    uint64_t over_us = options->lookups * SECOND;  /* one a second, as in the paper */
    uint32_t spare = (uint32_t)(2 * options->rate * (double)options->lookups + 100);
    struct sim_large_tally tally;
    struct sim_large large;
    double from_s = wall_seconds();

    large_make(&large, options, &params, spare);
    large.churn = churn;
    churn_mean_us = 1e6 / (2 * options->rate);
    sim_world_work_at(&large.world, large.world.now_us + 1, SIM_LARGE_CHURN);
    tally = sim_large_look_up(&large, (uint32_t)options->lookups, over_us);
    say_tally("", &tally);
    say("joins", (double)(large.next_join - options->peers));
    say("messages_a_peer_second", (double)large.world.messages[SIM_CHORD]
                                      / ((double)large.world.now_us / 1e6)
                                      / (double)options->peers);
    say("wall_s", wall_seconds() - from_s);
    sim_large_release(&large);
}

/* Each with probability 1/2, at the same moment. */
static void halve(struct sim_large *large)
{
    for (uint32_t i = 0; i < large->placed; i++)
        if (sim_random_next(&large->random) & 1)
            sim_peer_stop(&large->world, large->order[i]);
}

static void tally_add(struct sim_large_tally *sum, const struct sim_large_tally *tally)
{
    double before = (double)sum->found, more = (double)tally->found, all = before + more;

    sum->hops = (sum->hops * before + tally->hops * more) / all;
    sum->seconds = (sum->seconds * before + tally->seconds * more) / all;
    if (tally->seconds_99 > sum->seconds_99)
        sum->seconds_99 = tally->seconds_99;
    sum->asked += tally->asked;
    sum->found += tally->found;
    sum->failed += tally->failed;
    sum->wrong += tally->wrong;
    sum->lost += tally->lost;
    sum->to_dead += tally->to_dead;
}

/* Ten rings that are halved, since lookups teach a ring who is dead: a tenth of the lookups are
 * made in the first second of each. Then, in the last one, all of them after a rest. */
static void measure_halved(const struct options *options)
{
    struct chord_params params = params_of(options);
    struct sim_large_tally sum = { .asked = 0 }, tally;
    struct options other = *options;
    struct sim_large large;

    for (uint64_t round = 1; round <= HALVED_ROUNDS; round++) {
        other.seed = options->seed + round;
        sim_large_init(&large, other.seed, (uint32_t)other.peers, 0, other.grown > 0,
                       &params);
        sim_world_run(&large.world, other.grown * SECOND);
        halve(&large);
        tally = sim_large_look_up(&large, (uint32_t)options->lookups / HALVED_ROUNDS, SECOND);
        tally_add(&sum, &tally);
        if (round < HALVED_ROUNDS)
            sim_large_release(&large);
    }
    say_tally("at_once_", &sum);
    sim_world_run(&large.world, large.world.now_us + HALVED_REST_S * SECOND);
    tally = sim_large_look_up(&large, (uint32_t)options->lookups, 20 * SECOND);
    say_tally("settled_", &tally);
    sim_large_release(&large);
}

static _Noreturn void refuse(const char *what)
{
    fprintf(stderr, "overlay: %s: not understood; see overlay --help\n", what);
    exit(2);
}

static void options_read(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        { "peers", required_argument, NULL, 0 },   { "successors", required_argument, NULL, 1 },
        { "lookups", required_argument, NULL, 2 }, { "probes", required_argument, NULL, 3 },
        { "grown", required_argument, NULL, 4 },   { "seed", required_argument, NULL, 5 },
        { "rate", required_argument, NULL, 'r' },  { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    uint64_t *const numbers[] = { &options->peers, &options->successors, &options->lookups,
                                  &options->probes, &options->grown, &options->seed };
    char *end;
    int found;

    while ((found = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (found == 'h') {
            fputs(usage, stdout);
            exit(0);
        }
        if (found == '?')
            exit(2);
        if (found == 'r') {
            options->rate = strtod(optarg, &end);
            if (*end != '\0' || !(options->rate > 0))
                refuse(optarg);
        } else if (!sim_plan_read_number(optarg, numbers[found])) {
            refuse(optarg);
        }
    }
    if (options->peers < 2 || options->peers > 10000000 || options->lookups < HALVED_ROUNDS
        || options->lookups > 100000000)
        refuse("--peers or --lookups");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const struct options *options);
    } measurements[] = { { "hops", measure_hops }, { "rest", measure_rest },
                         { "churn", measure_churn }, { "halved", measure_halved } };
    struct options options = { 1000, 16, 10000, 8, 0, 1, 0.05 };
    struct chord_params params;

    options_read(&options, argc, argv);
    params = params_of(&options);
    if (chord_params_wrong(&params) != NULL)
        refuse(chord_params_wrong(&params));
    for (size_t i = 0; i < sizeof measurements / sizeof measurements[0]; i++) {
        if (optind + 1 == argc && strcmp(argv[optind], measurements[i].name) == 0) {
            measurements[i].run(&options);
            return 0;
        }
    }
    refuse(optind < argc ? argv[optind] : "no measurement");
}
