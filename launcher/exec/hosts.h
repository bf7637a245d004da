/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_HOSTS_H
#define CPI_EXEC_HOSTS_H

/*
 * --host and --hostfile. On this machine alone its own names are fine and change nothing (there are
 * always enough slots), others are refused with what to do instead. On a pool --host names peers.
 */

#include <stdint.h>

#include "text/text.h"

/* Checks a list as --host takes it, "localhost,node1:4". `option` is for the message. 0, or -1 with
 * `error`. `own_name` is this machine's. */
int exec_hosts_check_list(const char *option, const char *list, const char *own_name,
                          struct text *error);

/* Checks the lines of a hostfile: a name, then things like slots=4 that say nothing here; # begins
 * a comment. `path` is for the message. */
int exec_hosts_check_file(const char *path, const char *content, const char *own_name,
                          struct text *error);

struct computer_host;

/* The peers of a pool that a list names, NAME or NAME:RANKS, at most `most`. NULL: none. */
uint32_t exec_hosts_read(const char *list, struct computer_host *hosts, uint32_t most);

#endif
