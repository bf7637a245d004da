/* SPDX-License-Identifier: BSD-3-Clause */
#include "report.h"

#include "duration.h"
#include "must.h"

#include <cpmp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TAG_STATISTICS 2
#define COLUMNS 96

/* What one island did. */
struct statistics {
    int64_t generations;
    int64_t best;
    double seconds;
    int32_t peer;
    int32_t unused;
};

static const char *const exchange_names[] = {"var", "ring", "none"};

static double rate(const struct statistics *statistics)
{
    return statistics->seconds > 0 ? (double)statistics->generations / statistics->seconds : 0;
}

static void print_tour(const struct record *record, int cities)
{
    int column = 0;

    for (int i = 0; i < cities; i++) {
        char number[16];
        int bytes = snprintf(number, sizeof number, "%d", (int)record->city[i] + 1);
        if (column + 1 + bytes > COLUMNS) {
            putchar('\n');
            column = 0;
        }
        column += printf("%s%s", column > 0 ? " " : "", number);
    }
    putchar('\n');
}

static void print_best(const struct record *record, const struct instance *instance)
{
    int64_t above = record->length - instance->optimum;

    printf("best tour %" PRId64, record->length);
    if (instance->optimum == 0) {
        printf(" (the optimum is not known here)");
    } else if (above == 0) {
        printf(", the optimum");
    } else if (above > 0) {
        printf(", %" PRId64 " or %.3f %% above the optimum %" PRId64, above,
               100.0 * (double)above / (double)instance->optimum, instance->optimum);
    } else {
        printf(", %" PRId64 " below what was said to be the optimum", -above);
    }
    printf("; rank %d had it after %s\n", (int)record->finder,
           duration_of(record->seconds).text);
}

/* One line for each island, and before them what they did together. */
static void print_islands(const struct statistics *of, int size, double seconds)
{
    double least = rate(&of[0]), most = rate(&of[0]);
    int64_t generations = 0;

    for (int i = 0; i < size; i++) {
        generations += of[i].generations;
        least = rate(&of[i]) < least ? rate(&of[i]) : least;
        most = rate(&of[i]) > most ? rate(&of[i]) : most;
    }
    printf("%s, %" PRId64 " generations: %.1f a second in all, %.1f to %.1f a rank\n",
           duration_of(seconds).text, generations,
           seconds > 0 ? (double)generations / seconds : 0, least, most);
    printf("rank  peer  generations  a second      its best\n");
    for (int i = 0; i < size; i++) {
        printf("%4d  %4d  %11" PRId64 "  %8.1f  %12" PRId64 "\n", i, (int)of[i].peer,
               of[i].generations, rate(&of[i]), of[i].best);
    }
}

static void print_all(const struct options *options, const struct exchange *exchange,
                      const struct statistics *of, double seconds, bool interrupted)
{
    const struct instance *instance = exchange->instance;

    printf("%s: %d cities, %d island%s on %d peer%s, exchange %s, seed %" PRIu64 "%s\n",
           instance->name, instance->cities, exchange->size, exchange->size > 1 ? "s" : "",
           cpmp_peers(), cpmp_peers() > 1 ? "s" : "", exchange_names[options->exchange.kind],
           options->ga.seed, interrupted ? " (interrupted)" : "");
    print_best(exchange->record, instance);
    if (!options->quiet) {
        print_tour(exchange->record, instance->cities);
    }
    print_islands(of, exchange->size, seconds);
    if (options->target_given && exchange->record->length > options->exchange.target) {
        printf("the target %" PRId64 " was not reached\n", options->exchange.target);
    }
    fflush(stdout);
}

void report(const struct options *options, const struct exchange *exchange, const struct ga *ga,
            double seconds, bool interrupted)
{
    struct statistics mine = {
        .generations = ga->generations, .best = ga_best(ga)->length, .seconds = seconds,
        .peer = cpmp_peer(),
    };

    if (exchange->rank != 0) {
        must(cpmp_send(&mine, sizeof mine, 0, TAG_STATISTICS), "tell rank 0 what it did");
        return;
    }
    struct statistics *of = calloc((size_t)exchange->size, sizeof *of);
    if (of == NULL) {
        cpmp_abort(1, "tsp_ga: out of memory for the report");
    }
    of[0] = mine;
    for (int i = 1; i < exchange->size; i++) {
        must(cpmp_recv(&of[i], sizeof of[i], i, TAG_STATISTICS, NULL), "hear what a rank did");
        seconds = of[i].seconds > seconds ? of[i].seconds : seconds;
    }
    print_all(options, exchange, of, seconds, interrupted);
    free(of);
}
