/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SECONDS 5.0

static const char usage_text[] =
    "usage: cpexec -np RANKS tsp_ga [options] FILE\n"
    "Shortest round trips by a genetic algorithm; a rank is an island, their best tours are\n"
    "interbred. FILE is a symmetric TSPLIB instance of 3 to 10000 cities (EUC_2D, CEIL_2D, ATT,\n"
    "GEO; EXPLICIT, full or triangular, to 4096), read by rank 0; \"-\": standard input.\n"
    "\n"
    "When it stops (what happens first; none given: --time 5)\n"
    "  --target LENGTH     when a tour is not longer; \"optimum\": the known one\n"
    "  --time S            after S seconds\n"
    "  --generations N     each island after N generations\n"
    "How islands work together\n"
    "  --exchange var      through a global variable that keeps the best tour (default)\n"
    "             ring     each sends its best to the next rank; repeatable from --seed\n"
    "             none     each alone\n"
    "  --interval N        generations between exchanges (default 25; first ones come sooner)\n"
    "How an island works\n"
    "  --seed N            of the random numbers (default 1)\n"
    "  --population N      tours on an island (default 30)\n"
    "  --crossover order   order crossover (default)\n"
    "              edge    edge recombination\n"
    "What is told\n"
    "  --optimum LENGTH    of an instance whose optimum is not known here\n"
    "  --quiet             at the end, the best tour's length but not its cities\n"
    "  --help              this\n"
    "\n"
    "Improvements appear as partial results under the topic \"best\". Exit status: 0; 1 for a\n"
    "file that can't be used; 2 for a wrong command line; 3 when a target was set and missed.\n";

enum choice {
    OPTION_TARGET = 256, OPTION_TIME, OPTION_GENERATIONS, OPTION_EXCHANGE, OPTION_INTERVAL,
    OPTION_SEED, OPTION_POPULATION, OPTION_CROSSOVER, OPTION_OPTIMUM, OPTION_QUIET, OPTION_HELP
};

static const struct option long_options[] = {
    {"target", required_argument, NULL, OPTION_TARGET},
    {"time", required_argument, NULL, OPTION_TIME},
    {"generations", required_argument, NULL, OPTION_GENERATIONS},
    {"exchange", required_argument, NULL, OPTION_EXCHANGE},
    {"interval", required_argument, NULL, OPTION_INTERVAL},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"population", required_argument, NULL, OPTION_POPULATION},
    {"crossover", required_argument, NULL, OPTION_CROSSOVER},
    {"optimum", required_argument, NULL, OPTION_OPTIMUM},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

const char *options_usage(void)
{
    return usage_text;
}

static bool whole_number(const char *text, int64_t minimum, int64_t maximum, int64_t *value_p)
{
    char *end;

    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < minimum || value > maximum) {
        return false;
    }
    *value_p = value;
    return true;
}

static bool seconds_of(const char *text, double *value_p)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !isfinite(value) || value <= 0 || value > 1e9) {
        return false;
    }
    *value_p = value;
    return true;
}

/* The index of `text` among `count` words; -1: it is none of them. */
static int word_of(const char *text, const char *const words[], int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static bool choose(struct options *options, enum choice option, const char *text)
{
    static const char *const exchanges[] = {"var", "ring", "none"};
    static const char *const crossovers[] = {"edge", "order"};
    int index = option == OPTION_EXCHANGE ? word_of(text, exchanges, 3)
        : word_of(text, crossovers, 2);

    if (index < 0) {
        return false;
    }
    if (option == OPTION_EXCHANGE) {
        options->exchange.kind = (enum exchange_kind)index;
    } else {
        options->ga.crossover = (enum crossover_kind)index;
    }
    return true;
}

static bool set_target(struct options *options, const char *text)
{
    options->target_given = true;
    options->target_optimum = strcmp(text, "optimum") == 0;
    return options->target_optimum
        || whole_number(text, 1, INT64_MAX / 4, &options->exchange.target);
}

static bool set(struct options *options, int option, const char *text)
{
    int64_t value;

    switch (option) {
    case OPTION_TARGET:
        return set_target(options, text);
    case OPTION_TIME:
        return seconds_of(text, &options->seconds);
    case OPTION_GENERATIONS:
        return whole_number(text, 1, INT64_MAX / 4, &options->generations);
    case OPTION_EXCHANGE:
    case OPTION_CROSSOVER:
        return choose(options, (enum choice)option, text);
    case OPTION_INTERVAL:
        return whole_number(text, 1, INT64_MAX / 4, &options->exchange.interval);
    case OPTION_OPTIMUM:
        return whole_number(text, 1, INT64_MAX / 4, &options->optimum);
    case OPTION_SEED:
        if (!whole_number(text, 0, INT64_MAX, &value)) {
            return false;
        }
        options->ga.seed = (uint64_t)value;
        return true;
    case OPTION_POPULATION:
        if (!whole_number(text, GA_POPULATION_MIN, GA_POPULATION_MAX, &value)) {
            return false;
        }
        options->ga.population = (int)value;
        return true;
    default:
        options->quiet |= option == OPTION_QUIET;
        options->help |= option == OPTION_HELP;
        return true;
    }
}

int options_parse(struct options *options, int argc, char *argv[], char *error,
                  size_t error_bytes)
{
    int option, index = 0;

    *options = (struct options){
        .ga = {.population = 30, .crossover = CROSSOVER_ORDER, .seed = 1},
        .exchange = {.kind = EXCHANGE_VAR, .interval = 25},
    };
    opterr = 0;
    optind = 1;
    while ((option = getopt_long(argc, argv, ":", long_options, &index)) != -1) {
        if (option == '?' || option == ':') {
            snprintf(error, error_bytes, option == ':' ? "%s wants a value" : "unknown option %s",
                     argv[optind - 1]);
            return -1;
        }
        if (!set(options, option, optarg != NULL ? optarg : "")) {
            snprintf(error, error_bytes, "--%s: '%s' is not a value it takes",
                     long_options[index].name, optarg);
            return -1;
        }
        if (options->help) {
            return 0;
        }
    }
    if (optind + 1 != argc) {
        snprintf(error, error_bytes, "%s", optind < argc ? "one FILE at a time"
                 : "it wants the FILE of an instance");
        return -1;
    }
    options->path = argv[optind];
    return 0;
}

int options_settle(struct options *options, struct instance *instance, char *error,
                   size_t error_bytes)
{
    if (options->optimum > 0) {
        instance->optimum = options->optimum;
    }
    if (options->target_optimum && instance->optimum == 0) {
        snprintf(error, error_bytes, "the optimum of %s is not known here; say it with --optimum",
                 instance->name);
        return -1;
    }
    if (!options->target_given && options->seconds <= 0 && options->generations == 0) {
        options->seconds = DEFAULT_SECONDS;
    }
    if (options->target_optimum) {
        options->exchange.target = instance->optimum;
    }
    return 0;
}
