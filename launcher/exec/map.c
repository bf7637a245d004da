/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ring/segment.h"
#include "text/memory.h"

void
exec_map_shares(const uint32_t *weights, uint32_t peers, uint32_t cores, uint32_t *millicores)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < peers; i++)
        sum += weights[i];
    for (uint32_t i = 0; i < peers; i++) {
        uint64_t share = (uint64_t)cores * 1000 * weights[i] / sum;
        millicores[i] = share > 0 ? (uint32_t)share : 1;
    }
}

uint64_t
exec_map_ranks(const struct exec_options *options, uint32_t cores)
{
    uint64_t sum = 0;

    if (options->programs_count == 1 && options->programs[0].ranks == 0)
        return options->per_peer > 0 ? (uint64_t)options->per_peer * options->peers : cores;
    for (size_t i = 0; i < options->programs_count; i++)
        sum += options->programs[i].ranks;
    return sum;
}

/* Whole parts first; then one more each for the largest remainders until all ranks are placed. */
static void
counts_in_proportion(struct exec_map *map)
{
    uint64_t sum = 0, remainders[EXEC_PEERS_MAX];
    uint32_t left = map->ranks;

    for (uint32_t i = 0; i < map->peers; i++)
        sum += map->millicores[i];
    for (uint32_t i = 0; i < map->peers; i++) {
        uint64_t part = (uint64_t)map->ranks * map->millicores[i];
        map->peer_ranks[i] = (uint32_t)(part / sum);
        remainders[i] = part % sum + 1;
        left -= map->peer_ranks[i];
    }
    for (; left > 0; left--) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < map->peers; i++)
            if (remainders[i] > remainders[best])
                best = i;
        map->peer_ranks[best]++;
        remainders[best] = 0;
    }
}

static int
counts_per_peer(struct exec_map *map, uint32_t per_peer, struct text *error)
{
    uint32_t left = map->ranks;

    if ((uint64_t)per_peer * map->peers < map->ranks) {
        text_print(error, "%u ranks do not fit with -N %u on %u peer%s; raise -N or --peers",
                        map->ranks, per_peer, map->peers, map->peers == 1 ? "" : "s");
        return -1;
    }
    for (uint32_t i = 0; i < map->peers; i++) {
        map->peer_ranks[i] = left < per_peer ? left : per_peer;
        left -= map->peer_ranks[i];
    }
    return 0;
}

static void
places_set_peers(struct exec_map *map, enum exec_map_by by)
{
    uint32_t left[EXEC_PEERS_MAX];
    uint32_t peer = 0;

    memcpy(left, map->peer_ranks, sizeof(left));
    for (uint32_t rank = 0; rank < map->ranks; rank++) {
        while (left[peer] == 0)
            peer = (peer + 1) % map->peers;
        map->places[rank].peer = peer;
        left[peer]--;
        if (by == EXEC_MAP_BY_NODE)
            peer = (peer + 1) % map->peers;
    }
}

static void
places_set_programs(struct exec_map *map, const struct exec_options *options)
{
    uint32_t rank = 0;

    for (uint32_t program = 0; program < options->programs_count; program++) {
        uint32_t count = options->programs[program].ranks;
        if (options->programs_count == 1)
            count = map->ranks;
        for (uint32_t i = 0; i < count; i++)
            map->places[rank++].program = program;
    }
    assert(rank == map->ranks);
}

static int
limits_check(const struct exec_map *map, struct text *error)
{
    for (uint32_t i = 0; i < map->peers; i++) {
        if (map->peer_ranks[i] > CPI_SEGMENT_LOCAL_MAX) {
            text_print(
                error,
                "%u ranks are more than fit: %u on peer %u, where a peer takes up to %u; use "
                "fewer ranks, or more peers (--peers K, K up to %u)",
                map->ranks, map->peer_ranks[i], i, CPI_SEGMENT_LOCAL_MAX, EXEC_PEERS_MAX);
            return -1;
        }
    }
    return 0;
}

/* Peers and how many ranks each has are known. */
static int
places_make(struct exec_map *map, const struct exec_options *options, struct text *error)
{
    if (limits_check(map, error) != 0)
        return -1;
    if (options->stdin_rank >= 0 && (uint32_t)options->stdin_rank >= map->ranks) {
        text_print(error, "--stdin %d: the ranks of this job are 0 to %u", options->stdin_rank,
                        map->ranks - 1);
        return -1;
    }
    map->places = memory_new(map->ranks, sizeof(*map->places));
    places_set_peers(map, options->map_by);
    places_set_programs(map, options);
    exec_map_check(map);
    return 0;
}

int
exec_map_init(struct exec_map *map, const struct exec_options *options, uint32_t cores,
              struct text *error)
{
    uint64_t ranks = exec_map_ranks(options, cores);

    memset(map, 0, sizeof(*map));
    if (ranks > CPI_SEGMENT_WORLD_MAX) {
        text_print(error, "%llu ranks are more than a job can have, which is %u; use fewer",
                        (unsigned long long)ranks, CPI_SEGMENT_WORLD_MAX);
        return -1;
    }
    assert(ranks > 0 && options->peers > 0);
    map->ranks = (uint32_t)ranks;
    map->peers = options->peers;
    exec_map_shares(options->weights, map->peers, cores, map->millicores);
    if (options->per_peer == 0)
        counts_in_proportion(map);
    else if (counts_per_peer(map, options->per_peer, error) != 0)
        return -1;
    return places_make(map, options, error);
}

int
exec_map_init_enlisted(struct exec_map *map, const struct exec_options *options,
                       const uint32_t *counts, const uint32_t *millicores, uint32_t peers,
                       struct text *error)
{
    memset(map, 0, sizeof(*map));
    map->peers = peers;
    for (uint32_t i = 0; i < peers; i++) {
        map->peer_ranks[i] = counts[i];
        map->millicores[i] = millicores[i];
        map->ranks += counts[i];
    }
    return places_make(map, options, error);
}

void
exec_map_release(struct exec_map *map)
{
    free(map->places);
    map->places = NULL;
}

char *
exec_map_peer_name(const struct exec_map *map, const char *host, uint32_t peer)
{
    struct text name = {0};

    text_add_string(&name, host);
    if (map->peers > 1)
        text_print(&name, "/%u", peer);
    return name.bytes;
}

void
exec_map_check(const struct exec_map *map)
{
    uint32_t counts[EXEC_PEERS_MAX] = {0}, program = 0;

    assert(map->ranks > 0 && map->peers > 0 && map->peers <= EXEC_PEERS_MAX);
    for (uint32_t rank = 0; rank < map->ranks; rank++) {
        assert(map->places[rank].peer < map->peers);
        counts[map->places[rank].peer]++;
        assert(map->places[rank].program >= program);
        program = map->places[rank].program;
    }
    for (uint32_t i = 0; i < map->peers; i++)
        assert(counts[i] == map->peer_ranks[i] && map->millicores[i] > 0);
}
