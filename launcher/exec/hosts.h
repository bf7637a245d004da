/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_HOSTS_H
#define CPI_EXEC_HOSTS_H

/*
 * --host and --hostfile. On this machine alone its own names are fine and change nothing (there are
 * always enough slots), others are refused with what to do instead. On a pool --host names peers.
 */

#include <stdint.h>

#include "proto/computer/computer.h"
#include "text/text.h"

/* Checks a list as --host takes it, "localhost,node1:4". `option` is for the message. 0, or -1 with
 * `error`. `own_name` is this machine's. */
int exec_hosts_check_list(const char *option, const char *list, const char *own_name,
                          struct text *error);

/* Checks the lines of a hostfile: a name, then things like slots=4 that say nothing here; # begins
 * a comment. `path` is for the message. */
int exec_hosts_check_file(const char *path, const char *content, const char *own_name,
                          struct text *error);

#define EXEC_HOSTS_MAX   256u
#define EXEC_HOSTS_RANKS 65536u

/* The peers of a pool that were named. */
struct exec_hosts {
    struct computer_host list[EXEC_HOSTS_MAX];
    uint32_t count;
};

/* Adds those of --host, "pc1,pc2:4,lab*". 0, or -1 with `error`. */
int exec_hosts_add_list(struct exec_hosts *hosts, const char *list, struct text *error);

/* Adds those of a hostfile's content: a line begins with NAME or NAME:RANKS, slots=4 says RANKS as
 * well; the rest says nothing here. */
int exec_hosts_add_file(struct exec_hosts *hosts, const char *path, const char *content,
                        struct text *error);

/* How many ranks they stand for when -np doesn't say it: what each says, else `per_peer` (-N), else
 * 1, which each gets written down. -1 with `error`: that isn't known. */
int exec_hosts_ranks(struct exec_hosts *hosts, uint32_t per_peer, uint64_t *ranks_p,
                     struct text *error);

/* The content of a hostfile. 0, or -1 with `error`; release it either way. */
int exec_hosts_load(const char *path, struct text *content, struct text *error);

#endif
