/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "text/hex.h"

#include "link/links_state.h"
#include "link/must.h"
#include "text/memory.h"

#define LINE_MAX_BYTES 1024u

/* Ids are hashes already. */
static struct cpi_list *
bucket_of(const struct links *links, const unsigned char *id)
{
    unsigned hash = (unsigned)id[0] | (unsigned)id[1] << 8;

    return (struct cpi_list *)&links->buckets[hash % LINKS_BUCKETS];
}

struct links_peer *
links_peer_find(const struct links *links, const unsigned char id[IDENTITY_ID_BYTES])
{
    CPI_LIST_FOR(at, bucket_of(links, id)) {
        struct links_peer *peer = CPI_CONTAINER(at, struct links_peer, in_bucket);

        if (memcmp(peer->who.id, id, IDENTITY_ID_BYTES) == 0)
            return peer;
    }
    return NULL;
}

void
links_peer_free(struct links_peer *peer)
{
    assert(peer->carriers == 0);
    cpi_list_remove(&peer->in_bucket);
    peer->links->peer_count--;
    text_release(&peer->why);
    free(peer);
}

/* The peer that has had no use for longest gives way. With links at all of them there are more. */
static void
peers_make_room(struct links *links)
{
    struct links_peer *oldest = NULL;

    if (links->peer_count < LINKS_PEERS_MAX)
        return;
    for (size_t i = 0; i < LINKS_BUCKETS; i++) {
        CPI_LIST_FOR(at, &links->buckets[i]) {
            struct links_peer *peer = CPI_CONTAINER(at, struct links_peer, in_bucket);

            if (peer->carriers == 0 && (oldest == NULL || peer->used_ms < oldest->used_ms))
                oldest = peer;
        }
    }
    if (oldest != NULL)
        links_peer_free(oldest);
}

struct links_peer *
links_peer_get(struct links *links, const unsigned char id[IDENTITY_ID_BYTES])
{
    struct links_peer *peer = links_peer_find(links, id);
    const struct link_limits *limits = links->limits;
    uint64_t now_us = uv_hrtime() / 1000;

    if (peer != NULL)
        return peer;
    peers_make_room(links);
    peer = memory_new(1, sizeof(*peer));
    peer->links = links;
    memcpy(peer->who.id, id, IDENTITY_ID_BYTES);
    peer->used_ms = uv_now(links->loop);
    rate_init(&peer->messages, limits->messages_per_s, limits->messages_burst, now_us);
    rate_init(&peer->bytes, limits->bytes_per_s, limits->bytes_burst, now_us);
    cpi_list_append(bucket_of(links, id), &peer->in_bucket);
    links->peer_count++;
    return peer;
}

/* --- addresses --- */

/* Puts it at place `at`; an old place of it is given up, or the last. */
static void
address_put(struct links_peer *peer, size_t at, const struct address *address,
            enum links_origin origin)
{
    size_t from = peer->address_count;

    for (size_t i = 0; i < peer->address_count; i++) {
        if (address_equal(&peer->addresses[i], address))
            from = i;
    }
    if (from < at)
        return;  /* it is better placed */
    if (from == peer->address_count) {
        if (from == LINKS_ADDRESSES_MAX)
            from--;
        else
            peer->address_count++;
    }
    if (at > from)
        return;
    memmove(&peer->addresses[at + 1], &peer->addresses[at], (from - at) * sizeof(*address));
    memmove(&peer->origins[at + 1], &peer->origins[at], (from - at) * sizeof(origin));
    peer->addresses[at] = *address;
    peer->origins[at] = origin;
}

static void
addresses_forget(struct links_peer *peer, enum links_origin origin)
{
    size_t kept = 0;

    for (size_t i = 0; i < peer->address_count; i++) {
        if (peer->origins[i] == origin)
            continue;
        peer->addresses[kept] = peer->addresses[i];
        peer->origins[kept++] = peer->origins[i];
    }
    peer->address_count = kept;
}

static int
address_is_known(const struct links_peer *peer, const struct address *address)
{
    for (size_t i = 0; i < peer->address_count; i++) {
        if (address_equal(&peer->addresses[i], address))
            return 1;
    }
    return 0;
}

/* The one that worked last keeps its place as long as the peer says it. */
void
links_learn(struct links *links, const unsigned char id[IDENTITY_ID_BYTES],
            const struct address *addresses, size_t count)
{
    struct links_peer *peer = links_peer_get(links, id);
    struct address best = {0}, seen = peer->seen;
    int news = 0;

    if (peer->address_count > 0)
        best = peer->addresses[0];
    for (size_t i = 0; i < count; i++)
        news |= !address_is_known(peer, &addresses[i]);
    addresses_forget(peer, LINKS_SAID);
    for (size_t i = 0; i < count; i++) {
        if (!address_is_usable(&addresses[i]))
            continue;
        address_put(peer, address_equal(&addresses[i], &best) ? 0 : peer->address_count,
                    &addresses[i], LINKS_SAID);
    }
    if (seen.family != 0 && count > 0) {
        seen.port = addresses[0].port;
        if (address_is_usable(&seen))
            address_put(peer, peer->address_count, &seen, LINKS_SEEN);
    }
    if (news) {
        peer->failures = 0;
        peer->retry_ms = 0;
    }
}

size_t
links_addresses(const struct links *links, const unsigned char id[IDENTITY_ID_BYTES],
                struct address *out, size_t capacity)
{
    const struct links_peer *peer = links_peer_find(links, id);
    size_t count;

    if (peer == NULL)
        return 0;
    count = peer->address_count < capacity ? peer->address_count : capacity;
    memcpy(out, peer->addresses, count * sizeof(*out));
    return count;
}

void
links_peer_reached(struct links_peer *peer, const struct address *address)
{
    enum links_origin origin = LINKS_SEEN;

    for (size_t i = 0; i < peer->address_count; i++) {
        if (address_equal(&peer->addresses[i], address))
            origin = peer->origins[i];
    }
    address_put(peer, 0, address, origin);
}

void
links_peer_failed(struct links_peer *peer)
{
    unsigned doublings = peer->failures < 7 ? peer->failures : 7;
    uint64_t wait_ms = (uint64_t)LINKS_RETRY_MS << doublings;
    uint16_t chance;

    if (wait_ms > LINKS_RETRY_MAX_MS)
        wait_ms = LINKS_RETRY_MAX_MS;
    must_random(&chance, sizeof(chance));
    peer->failures++;
    peer->retry_ms = uv_now(peer->links->loop) + wait_ms * 3 / 4 + wait_ms / 2 * chance / 65536;
}

/* --- for the next start --- */

void
links_print(const struct links *links, struct text *out)
{
    char address[ADDRESS_TEXT_MAX];

    for (size_t i = 0; i < LINKS_BUCKETS; i++) {
        CPI_LIST_FOR(at, &links->buckets[i]) {
            const struct links_peer *peer = CPI_CONTAINER(at, struct links_peer, in_bucket);

            if (peer->address_count == 0 || peer->forgotten)
                continue;
            hex_add(out, peer->who.id, IDENTITY_ID_BYTES);
            text_print(out, " %s", peer->who.name[0] ? peer->who.name : "-");
            for (size_t k = 0; k < peer->address_count; k++) {
                address_print(&peer->addresses[k], address);
                text_print(out, " %s", address);
            }
            text_add_string(out, "\n");
        }
    }
}

static int
line_parse(struct links *links, char *line)
{
    struct address addresses[LINKS_ADDRESSES_MAX];
    unsigned char id[IDENTITY_ID_BYTES];
    size_t count = 0;
    char *rest, *name, *word = strtok_r(line, " ", &rest);

    if (word == NULL || !hex_read(word, id, IDENTITY_ID_BYTES))
        return 0;
    name = strtok_r(NULL, " ", &rest);
    if (name == NULL || (strcmp(name, "-") != 0 && !identity_name_is_valid(name)))
        return 0;
    while ((word = strtok_r(NULL, " ", &rest)) != NULL) {
        if (count == LINKS_ADDRESSES_MAX || !address_parse(word, &addresses[count++]))
            return 0;
    }
    if (memcmp(id, links->own_id, IDENTITY_ID_BYTES) == 0)
        return 1;
    links_learn(links, id, addresses, count);
    if (name[0] != '-')
        memcpy(links_peer_get(links, id)->who.name, name, strlen(name) + 1);
    return 1;
}

size_t
links_parse(struct links *links, const char *text)
{
    char line[LINE_MAX_BYTES];
    size_t bad = 0;

    while (*text != '\0') {
        size_t length = strcspn(text, "\n");

        if (length < sizeof(line)) {
            memcpy(line, text, length);
            line[length] = '\0';
            bad += length > 0 && !line_parse(links, line);
        } else {
            bad++;
        }
        text += length + (text[length] == '\n');
    }
    return bad;
}
