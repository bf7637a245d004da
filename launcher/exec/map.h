/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_MAP_H
#define CPI_EXEC_MAP_H

/*
 * Which rank runs where. Ranks are numbered through the programs in the order of the command line.
 * Each peer gets ranks in proportion to its capacity (largest remainder; of equals the earlier
 * one), or exactly -N of them. By slot a peer's ranks are neighbours: 0 … a-1 on the first, then
 * the next; by node they go round the peers that still have room. More ranks than cores need no
 * permission.
 */

#include <stdint.h>

#include "exec/options.h"

struct exec_place {
    uint32_t peer;
    uint32_t program;
};

struct exec_map {
    uint32_t ranks;
    uint32_t peers;
    struct exec_place *places;               /* [ranks] */
    uint32_t peer_ranks[EXEC_PEERS_MAX];
    uint32_t millicores[EXEC_PEERS_MAX];     /* capacity of each peer */
};

/* Shares of `cores` by weight: they sum to the machine. A peer has at least a thousandth of a core.
 */
void exec_map_shares(const uint32_t *weights, uint32_t peers, uint32_t cores, uint32_t *millicores);

/* Places the ranks of `options` on its peers; a program that says no number gets one rank for each
 * of `cores`, or -N for each peer. 0, or -1 with `error`; release either way. */
int exec_map_init(struct exec_map *map, const struct exec_options *options, uint32_t cores,
                  struct text *error);

/* The same for peers of a pool that were enlisted: peer i has counts[i] ranks and millicores[i]. */
int exec_map_init_enlisted(struct exec_map *map, const struct exec_options *options,
                           const uint32_t *counts, const uint32_t *millicores, uint32_t peers,
                           struct text *error);

/* How many ranks the command line wants; a program that says no number gets `cores`. */
uint64_t exec_map_ranks(const struct exec_options *options, uint32_t cores);

void exec_map_release(struct exec_map *map);

/* The name of a peer on the machine `host`: of several on one, "pc/0", "pc/1". To be freed. */
char *exec_map_peer_name(const struct exec_map *map, const char *host, uint32_t peer);

/* Asserts what must hold of a map. */
void exec_map_check(const struct exec_map *map);

#endif
