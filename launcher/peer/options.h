/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_OPTIONS_H
#define CPI_PEER_OPTIONS_H

/*
 * cpmpd's command line. Every option is declared once, in the table of options.c. What the owner
 * allows is no option but policy (policy.h), so that it can change while the daemon runs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/text.h"

#define PEER_PORT            7711u  /* control links */
#define PEER_DATA_PORT_FIRST 7712u  /* agents: launchers' streams and fabric */
#define PEER_DATA_PORT_LAST  7811u
#define PEER_ADDRESSES_MAX   8u

struct peer_options {
    const char *create;         /* name of the pool to found */
    const char *join;           /* token */
    bool open;                  /* the founded pool lets everybody in */
    const char *listen[PEER_ADDRESSES_MAX];
    size_t listen_count;        /* 0: the default */
    const char *advertise[PEER_ADDRESSES_MAX];
    size_t advertise_count;
    uint16_t data_port_first, data_port_last;
    const char *name;           /* NULL: the host's */
    const char *state;          /* NULL: the default */
    bool verbose, help, version;
};

/* Reads the command line; `argv` must live as long as `options`. 0, or -1 with what is wrong and
 * what to do in `error`. */
int peer_options_parse(struct peer_options *options, int argc, char **argv, struct text *error);

/* The --help page: fits a screen. */
void peer_options_help(struct text *text);

#endif
