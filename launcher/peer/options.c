/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_number {
    OPTION_CREATE = 256, OPTION_JOIN, OPTION_OPEN, OPTION_LISTEN, OPTION_ADVERTISE,
    OPTION_DATA_PORTS, OPTION_NAME, OPTION_STATE, OPTION_VERBOSE, OPTION_HELP, OPTION_VERSION
};

/* One line each: what is parsed, and what --help says. */
static const struct peer_option {
    int number;
    char letter;
    const char *name, *argument, *help;
} table[] = {
    {OPTION_CREATE, 0, "create", "NAME", "found the pool NAME and be its first peer"},
    {OPTION_OPEN, 0, "open", NULL, "with --create: let everybody in; on trusted networks only"},
    {OPTION_JOIN, 0, "join", "TOKEN", "join the pool that TOKEN invites to (cpmp pool invite)"},
    {OPTION_LISTEN, 0, "listen", "ADDR[:PORT]", "listen here; may be repeated (all, port 7711)"},
    {OPTION_ADVERTISE, 0, "advertise", "ADDR[:PORT]",
     "tell others to reach this peer here; may be repeated (its addresses)"},
    {OPTION_DATA_PORTS, 0, "data-ports", "FIRST-LAST", "ports of running jobs (7712-7811)"},
    {OPTION_NAME, 0, "name", "NAME", "name of this peer, for people (the host's name)"},
    {OPTION_STATE, 0, "state", "DIR", "keep identity and state in DIR ($CPMP_STATE)"},
    {OPTION_VERBOSE, 'v', "verbose", NULL, "say more of what happens"},
    {OPTION_HELP, 'h', "help", NULL, "show this page"},
    {OPTION_VERSION, 'V', "version", NULL, "show the version"},
};
#define TABLE_COUNT (sizeof(table) / sizeof(table[0]))

static int
ports_parse(struct peer_options *options, const char *argument, struct text *error)
{
    char *end;
    unsigned long first = strtoul(argument, &end, 10), last = 0;

    if (end != argument && *end == '-') {
        const char *second = end + 1;
        last = strtoul(second, &end, 10);
        if (end == second)
            last = 0;
    }
    if (*end != '\0' || first == 0 || last < first || last > UINT16_MAX) {
        text_print(error, "--data-ports %s: two ports like 7712-7811 are wanted", argument);
        return -1;
    }
    options->data_port_first = (uint16_t)first;
    options->data_port_last = (uint16_t)last;
    return 0;
}

static int
address_add(const char *option, const char **list, size_t *count_p, const char *argument,
            struct text *error)
{
    if (*count_p == PEER_ADDRESSES_MAX) {
        text_print(error, "--%s: more than %u addresses", option, PEER_ADDRESSES_MAX);
        return -1;
    }
    list[(*count_p)++] = argument;
    return 0;
}

static int
option_take(struct peer_options *options, int number, const char *argument, struct text *error)
{
    switch (number) {
    case OPTION_CREATE: options->create = argument; return 0;
    case OPTION_JOIN: options->join = argument; return 0;
    case OPTION_OPEN: options->open = true; return 0;
    case OPTION_LISTEN:
        return address_add("listen", options->listen, &options->listen_count, argument, error);
    case OPTION_ADVERTISE:
        return address_add("advertise", options->advertise, &options->advertise_count, argument,
                           error);
    case OPTION_DATA_PORTS: return ports_parse(options, argument, error);
    case OPTION_NAME: options->name = argument; return 0;
    case OPTION_STATE: options->state = argument; return 0;
    case 'v': case OPTION_VERBOSE: options->verbose = true; return 0;
    case 'h': case OPTION_HELP: options->help = true; return 0;
    case 'V': case OPTION_VERSION: options->version = true; return 0;
    default: return -1;
    }
}

static int
options_check(const struct peer_options *options, struct text *error)
{
    if (options->create != NULL && options->join != NULL) {
        text_add_string(error, "--create and --join exclude each other: a peer is in one pool; "
                               "another pool takes another --state directory");
        return -1;
    }
    if (options->open && options->create == NULL) {
        text_add_string(error, "--open goes with --create: a pool is open from its founding on");
        return -1;
    }
    if (options->create != NULL && *options->create == '\0') {
        text_add_string(error, "--create: the pool's name is empty");
        return -1;
    }
    return 0;
}

int
peer_options_parse(struct peer_options *options, int argc, char **argv, struct text *error)
{
    struct option words[TABLE_COUNT + 1] = {0};
    int number;

    memset(options, 0, sizeof(*options));
    options->data_port_first = PEER_DATA_PORT_FIRST;
    options->data_port_last = PEER_DATA_PORT_LAST;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        words[i] = (struct option){.name = table[i].name, .has_arg = table[i].argument != NULL,
                                   .val = table[i].number};
    opterr = 0;
    while ((number = getopt_long(argc, argv, ":hvV", words, NULL)) != -1) {
        if (number == ':') {
            text_print(error, "%s: its value is missing; see cpmpd --help", argv[optind - 1]);
            return -1;
        }
        if (number == '?') {
            text_print(error, "%s: no such option, or it takes no value; see cpmpd --help",
                       argv[optind - 1]);
            return -1;
        }
        if (option_take(options, number, optarg, error) != 0)
            return -1;
    }
    if (optind < argc) {
        text_print(error, "%s: cpmpd takes options only; see cpmpd --help", argv[optind]);
        return -1;
    }
    return options_check(options, error);
}

void
peer_options_help(struct text *text)
{
    text_add_string(text, "usage: cpmpd [options]\n\n"
                          "Shares this machine with a pool; its users may run jobs here.\n\n");
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        char words[64];
        snprintf(words, sizeof(words), "%s--%s%s%s", table[i].letter != 0 ? "-x, " : "    ",
                 table[i].name, table[i].argument != NULL ? " " : "",
                 table[i].argument != NULL ? table[i].argument : "");
        if (table[i].letter != 0)
            words[1] = table[i].letter;
        text_print(text, "  %-28s %s\n", words, table[i].help);
    }
    text_add_string(text, "\nOnce founded or joined, `cpmpd` alone goes on from its state "
                          "directory. See cpmpd(8).\n");
}
