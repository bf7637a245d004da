/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Can those who come to us be reached back? A peer behind a firewall joins without trouble and
 * would then be one that others wait for in vain. So whoever is greeted over a link that the other
 * side began tries its addresses, once in a while; when none of them works it tells that peer,
 * whose daemon tells its owner what to open, once.
 */
#include "peer/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/clock.h"
#include "text/memory.h"

#define REACH_AGAIN_US UINT64_C(600000000)  /* the same peer is tried again after that */
#define REACH_OPEN_MAX 8u                   /* tried at a time */

/* A peer that is being tried, address by address. */
struct reaching {
    struct daemon *daemon;
    uint8_t id[IDENTITY_ID_BYTES];
    struct address addresses[BOOK_ADDRESSES_MAX];
    size_t count, next;
    char why[160];
};

static void reaching_go_on(struct reaching *reaching);

static void
reaching_free(struct reaching *reaching)
{
    reaching->daemon->reach_open--;
    free(reaching);
}

static void
reaching_tell(const struct reaching *reaching)
{
    Cpmp__PeerMessage message = CPMP__PEER_MESSAGE__INIT;
    Cpmp__Unreachable unreachable = CPMP__UNREACHABLE__INIT;
    char texts[BOOK_ADDRESSES_MAX][ADDRESS_TEXT_MAX], *addresses[BOOK_ADDRESSES_MAX];
    struct chord_id id;

    for (size_t i = 0; i < reaching->count; i++) {
        address_print(&reaching->addresses[i], texts[i]);
        addresses[i] = texts[i];
    }
    unreachable.addresses = addresses;
    unreachable.n_addresses = reaching->count;
    unreachable.why = (char *)reaching->why;
    message.body_case = CPMP__PEER_MESSAGE__BODY_UNREACHABLE;
    message.unreachable = &unreachable;
    memcpy(id.bytes, reaching->id, CHORD_ID_BYTES);
    daemon_net_send(reaching->daemon, book_find(&reaching->daemon->book, &id), &message);
}

static void
on_probed(void *arg, const unsigned char id[IDENTITY_ID_BYTES], const struct address *address,
          int reached, const char *why)
{
    struct reaching *reaching = arg;
    (void)id;
    (void)address;

    if (reached || reaching->daemon->phase != DAEMON_RUNNING) {
        reaching_free(reaching);
        return;
    }
    snprintf(reaching->why, sizeof(reaching->why), "%s", why);
    reaching_go_on(reaching);
}

static void
reaching_go_on(struct reaching *reaching)
{
    if (reaching->next < reaching->count) {
        reaching->next++;
        links_probe(reaching->daemon->links, reaching->id,
                    &reaching->addresses[reaching->next - 1], on_probed, reaching);
        return;
    }
    reaching_tell(reaching);
    reaching_free(reaching);
}

/* Whether it was tried a while ago; from now on it was. */
static bool
is_new(struct daemon *daemon, const uint8_t *id)
{
    struct daemon_reached *oldest = &daemon->reached[0];
    uint64_t now_us = clock_boot_us();

    for (size_t i = 0; i < DAEMON_REACHED_MAX; i++) {
        struct daemon_reached *reached = &daemon->reached[i];
        if (reached->at_us != 0 && memcmp(reached->id, id, IDENTITY_ID_BYTES) == 0) {
            oldest = reached;
            break;
        }
        if (reached->at_us < oldest->at_us)
            oldest = reached;
    }
    if (memcmp(oldest->id, id, IDENTITY_ID_BYTES) == 0 && oldest->at_us != 0 &&
        now_us - oldest->at_us < REACH_AGAIN_US)
        return false;
    memcpy(oldest->id, id, IDENTITY_ID_BYTES);
    oldest->at_us = now_us;
    return true;
}

struct finding {
    const uint8_t *id;
    bool came;
};

static void
find_link(void *arg, const struct links_view *view)
{
    struct finding *finding = arg;

    if (memcmp(view->peer.id, finding->id, IDENTITY_ID_BYTES) == 0)
        finding->came = view->is_up && view->is_server;
}

void
daemon_reach_try(struct daemon *daemon, const struct tls_peer *peer, uint32_t contact)
{
    const struct book_entry *entry = book_get(&daemon->book, contact);
    struct finding finding = {.id = peer->id};
    struct reaching *reaching;

    links_each(daemon->links, find_link, &finding);
    if (!finding.came || entry == NULL || entry->address_count == 0 ||
        daemon->reach_open == REACH_OPEN_MAX || !is_new(daemon, peer->id))
        return;
    reaching = memory_new(1, sizeof(*reaching));
    reaching->daemon = daemon;
    memcpy(reaching->id, peer->id, IDENTITY_ID_BYTES);
    for (uint32_t i = 0; i < entry->address_count; i++)
        reaching->count +=
            address_parse(entry->addresses[i], &reaching->addresses[reaching->count]) != 0;
    daemon->reach_open++;
    if (reaching->count > 0)
        reaching_go_on(reaching);
    else
        reaching_free(reaching);
}

/* Somebody's word, which costs a line: only addresses that are this peer's are worth it. */
void
daemon_reach_told(struct daemon *daemon, const struct tls_peer *peer,
                  const Cpmp__Unreachable *unreachable)
{
    const struct address *listener;
    char own[ADDRESS_TEXT_MAX];

    if (daemon->told_unreachable || unreachable->n_addresses == 0 || daemon->address_count == 0)
        return;
    address_print(&daemon->addresses[0], own);
    if (strcmp(unreachable->addresses[0], own) != 0)
        return;
    daemon->told_unreachable = true;
    listener = door_listener(daemon->door, 0);
    daemon_say("WARNING: %s can't reach this peer at %s (%.160s): open TCP port %u, and %u-%u for "
               "jobs, in the firewall, or forward them to this machine and start cpmpd with "
               "--advertise ADDRESS", peer->name, own, unreachable->why,
               listener->port, daemon->options->data_port_first,
               daemon->options->data_port_last);
}
