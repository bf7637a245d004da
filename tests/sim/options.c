/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

static const char usage[] =
    "usage: sim [OPTIONS]\n"
    "\n"
    "Runs the protocols of launcher/proto in a simulated network full of faults, and checks\n"
    "what has to hold. Without options: all configurations, as many seeds of each as `make\n"
    "check` runs, then the mutants, which have to be caught. Results are TAP.\n"
    "\n"
    "  --config NAME    this configuration only (--list)\n"
    "  --seed N         this seed only\n"
    "  --seeds A-B      these seeds\n"
    "  --peers N        so many peers, 2 to 64, instead of as many as the seed says\n"
    "  --without LIST   these peers take no part: 1,4,7\n"
    "  --faults LIST    only these faults of the seed happen: 0,2, or none\n"
    "  --mutant NAME    all peers have this mistake (--list)\n"
    "  --shrink         leave out the faults and peers that a failure doesn't need\n"
    "  --trace          show each event\n"
    "  --list           configurations and mutants\n"
    "  --help\n"
    "\n"
    "Exit status: 0, 1 when something has failed, 2 for a wrong command line.\n";

static _Noreturn void list_print(void)
{
    const struct sim_config *config;

    for (uint32_t i = 0; (config = sim_config_at(i)) != NULL; i++)
        printf("%-12s %s\n", config->name, config->title);
    printf("\nmutants:\n");
    for (unsigned i = SIM_MUTANT_NONE + 1; i < SIM_MUTANTS; i++)
        printf("%-12s %s\n", sim_mutant_name((enum sim_mutant)i),
               sim_mutant_help((enum sim_mutant)i));
    exit(0);
}

static _Noreturn void refuse(const char *option, const char *value, const char *wanted)
{
    fprintf(stderr, "sim: --%s %s: %s; see sim --help\n", option, value, wanted);
    exit(2);
}

static void read_seeds(struct sim_options *options, const char *text)
{
    char first[24];
    size_t length = strcspn(text, "-");

    if (length >= sizeof first || text[length] == '\0')
        refuse("seeds", text, "two numbers A-B are wanted");
    memcpy(first, text, length);
    first[length] = '\0';
    if (!sim_plan_read_number(first, &options->seed_first)
        || !sim_plan_read_number(text + length + 1, &options->seed_last)
        || options->seed_first > options->seed_last)
        refuse("seeds", text, "two numbers A-B are wanted");
}

static void read_without(struct sim_options *options, const char *text)
{
    bool bits[SIM_FAULT_PEERS_MAX];

    if (!sim_plan_read_list(text, bits, SIM_FAULT_PEERS_MAX))
        refuse("without", text, "peers from 0 to 63 are wanted, with commas");
    for (uint32_t i = 0; i < SIM_FAULT_PEERS_MAX; i++)
        options->without |= (uint64_t)bits[i] << i;
}

static void read_option(struct sim_options *options, const char *name, const char *value)
{
    uint64_t number = 0;

    if (strcmp(name, "config") == 0) {
        options->config = sim_config_find(value);
        if (options->config == NULL)
            refuse(name, value, "there is no such configuration");
    } else if (strcmp(name, "seed") == 0) {
        if (!sim_plan_read_number(value, &options->seed_first))
            refuse(name, value, "a number is wanted");
        options->seed_last = options->seed_first;
    } else if (strcmp(name, "seeds") == 0) {
        read_seeds(options, value);
    } else if (strcmp(name, "peers") == 0) {
        if (!sim_plan_read_number(value, &number) || number < 2 || number > SIM_FAULT_PEERS_MAX)
            refuse(name, value, "a number from 2 to 64 is wanted");
        options->peers = (uint32_t)number;
    } else if (strcmp(name, "without") == 0) {
        read_without(options, value);
    } else if (strcmp(name, "faults") == 0) {
        if (!sim_plan_read_list(value, options->kept, SIM_FAULTS_MAX))
            refuse(name, value, "numbers of faults are wanted, with commas, or none");
    } else if (strcmp(name, "mutant") == 0) {
        options->mutant = sim_mutant_find(value);
        if (options->mutant == SIM_MUTANTS)
            refuse(name, value, "there is no such mutant");
    }
}

void sim_options_read(struct sim_options *options, int argc, char **argv)
{
    static const struct option known[] = {
        { "config", required_argument, NULL, 0 }, { "seed", required_argument, NULL, 0 },
        { "seeds", required_argument, NULL, 0 },  { "peers", required_argument, NULL, 0 },
        { "without", required_argument, NULL, 0 }, { "faults", required_argument, NULL, 0 },
        { "mutant", required_argument, NULL, 0 }, { "shrink", no_argument, NULL, 's' },
        { "trace", no_argument, NULL, 't' },      { "list", no_argument, NULL, 'l' },
        { "help", no_argument, NULL, 'h' },       { NULL, 0, NULL, 0 },
    };
    int found, at = 0;

    *options = (struct sim_options){ .config = NULL };
    memset(options->kept, true, sizeof options->kept);
    while ((found = getopt_long(argc, argv, "", known, &at)) != -1) {
        if (found == 'h') {
            fputs(usage, stdout);
            exit(0);
        }
        if (found == 'l')
            list_print();
        if (found == '?')
            exit(2);
        options->does_shrink |= found == 's';
        options->is_loud |= found == 't';
        if (found == 0)
            read_option(options, known[at].name, optarg);
    }
    if (optind < argc) {
        fprintf(stderr, "sim: %s is no option; see sim --help\n", argv[optind]);
        exit(2);
    }
}

void sim_options_plan(const struct sim_options *options, const struct sim_config *config,
                      uint64_t seed, struct sim_plan *plan_p)
{
    sim_plan_init(plan_p, config, seed);
    if (options->peers > 0)
        plan_p->peers = options->peers;
    plan_p->without = options->without;
    memcpy(plan_p->kept, options->kept, sizeof plan_p->kept);
    plan_p->mutant = options->mutant;
    plan_p->is_loud = options->is_loud;
    plan_p->is_reported = true;
}
