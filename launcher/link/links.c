/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/links.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "link/links_state.h"
#include "text/memory.h"

#define SHUT_OUT "this pool has shut you out"

static const struct link_hooks carrier_hooks;

/* --- the end --- */

static void
on_last_closed(uv_handle_t *handle)
{
    struct links *links = handle->data;
    const struct links_hooks *hooks = links->hooks;
    void *arg = links->arg;

    for (size_t i = 0; i < LINKS_BUCKETS; i++) {
        CPI_LIST_FOR_SAFE(at, &links->buckets[i])
            links_peer_free(CPI_CONTAINER(at, struct links_peer, in_bucket));
    }
    free(links);
    if (hooks->on_closed != NULL)
        hooks->on_closed(arg);
}

static void
links_finish(struct links *links)
{
    if (links->closing && links->open == 0 && !uv_is_closing((uv_handle_t *)&links->last))
        uv_close((uv_handle_t *)&links->last, on_last_closed);
}

void
links_put(struct links *links)
{
    assert(links->open > 0);
    links->open--;
    links_finish(links);
}

/* --- carriers --- */

static struct carrier *
carrier_new(struct links_peer *peer)
{
    struct carrier *carrier = memory_new(1, sizeof(*carrier));

    carrier->peer = peer;
    peer->carriers++;
    peer->links->open++;
    return carrier;
}

/* The peer is told of no more; it goes with its last carrier when it was revoked. */
static void
carrier_free(struct carrier *carrier)
{
    struct links_peer *peer = carrier->peer;
    struct links *links = peer->links;

    free(carrier);
    if (--peer->carriers == 0 && peer->forgotten)
        links_peer_free(peer);
    links_put(links);
}

/* The link that messages went by is no more. */
static void
peer_lose(struct links_peer *peer)
{
    peer->link = NULL;
    peer->links->up--;
}

static void
on_carrier_closed(void *arg, struct link *link, enum link_end end, const char *why)
{
    struct carrier *carrier = arg;
    struct links_peer *peer = carrier->peer;
    struct links *links = peer->links;
    int was_link = peer->link == carrier, was_dialing = peer->dialing == carrier;

    (void)link;
    if (was_dialing) {
        peer->dialing = NULL;
        if (peer->link == NULL)
            links_peer_failed(peer);
    }
    if (was_link)
        peer_lose(peer);
    if ((was_link || was_dialing) && peer->link == NULL && peer->dialing == NULL) {
        text_clear(&peer->why);
        text_add_string(&peer->why, why);
        if (!links->closing)
            links->hooks->on_down(links->arg, peer->who.id, end, why);
    }
    carrier_free(carrier);
}

static void
on_carrier_message(void *arg, struct link *link, const void *bytes, size_t count)
{
    struct carrier *carrier = arg;
    struct links *links = carrier->peer->links;

    if (carrier->peer->forgotten)
        link_abort(link, SHUT_OUT);  /* one that was closing when the peer was shut out */
    else if (!links->closing)
        links->hooks->on_message(links->arg, &carrier->peer->who, bytes, count);
}

static void
on_carrier_room(void *arg, struct link *link)
{
    struct carrier *carrier = arg;
    struct links *links = carrier->peer->links;

    (void)link;
    if (links->hooks->on_room != NULL && carrier->peer->link == carrier)
        links->hooks->on_room(links->arg, carrier->peer->who.id);
}

/* --- a link comes up --- */

/* Closes the link that was used least, other than that of `newest`. */
static void
close_least_used(struct links *links, const struct links_peer *newest)
{
    struct links_peer *least = NULL;

    for (size_t i = 0; i < LINKS_BUCKETS; i++) {
        CPI_LIST_FOR(at, &links->buckets[i]) {
            struct links_peer *peer = CPI_CONTAINER(at, struct links_peer, in_bucket);

            if (peer->link != NULL && peer != newest && link_takes_messages(peer->link->link) &&
                (least == NULL ||
                 link_used_ms(peer->link->link) < link_used_ms(least->link->link)))
                least = peer;
        }
    }
    if (least != NULL)
        links_drop(links, least->who.id, "too many links; this one was used least");
}

/* Whether the newcomer takes the place of the link that is there (see the header). */
static int
newcomer_wins(const struct links_peer *peer, const struct carrier *newcomer)
{
    const struct links *links = peer->links;
    const struct link *old = peer->link->link, *new = newcomer->link;
    int ours_is_smaller = memcmp(links->own_id, peer->who.id, IDENTITY_ID_BYTES) < 0;

    if (!link_takes_messages(old) || link_up_ms(new) - link_up_ms(old) > LINKS_RACE_MS ||
        link_is_server(old) == link_is_server(new))
        return 1;
    return link_is_server(new) ? !ours_is_smaller : ours_is_smaller;
}

static void
carrier_take(struct carrier *carrier)
{
    struct links_peer *peer = carrier->peer;
    struct links *links = peer->links;

    peer->link = carrier;
    peer->failures = 0;
    peer->retry_ms = 0;
    text_clear(&peer->why);
    if (peer->dialing != NULL)
        link_inherit(carrier->link, peer->dialing->link);
    if (++links->up > links->up_max)
        close_least_used(links, peer);
}

static void
carrier_up(struct carrier *carrier)
{
    struct links_peer *peer = carrier->peer;
    struct links *links = peer->links;
    struct carrier *loser;

    peer->who = *link_peer(carrier->link);
    peer->used_ms = uv_now(links->loop);
    link_share_rates(carrier->link, &peer->messages, &peer->bytes);
    if (link_is_server(carrier->link))
        peer->seen = *link_address(carrier->link);
    else
        links_peer_reached(peer, link_address(carrier->link));
    if (peer->forgotten || links->closing) {
        link_abort(carrier->link, SHUT_OUT);
        return;
    }
    if (peer->link == NULL) {
        carrier_take(carrier);
        links->hooks->on_up(links->arg, &peer->who);
        return;
    }
    loser = newcomer_wins(peer, carrier) ? peer->link : carrier;
    if (loser == peer->link) {
        peer_lose(peer);
        carrier_take(carrier);
    }
    link_close(loser->link, "another link between the two of us takes its place");
}

static void
on_carrier_up(void *arg, struct link *link)
{
    struct carrier *carrier = arg;

    assert(carrier->link == link && carrier->peer->dialing == carrier);
    carrier->peer->dialing = NULL;
    carrier_up(carrier);
}

static const struct link_hooks carrier_hooks = {
    .on_up = on_carrier_up, .on_message = on_carrier_message, .on_room = on_carrier_room,
    .on_closed = on_carrier_closed,
};

void
links_adopt(struct links *links, struct link *link)
{
    const struct tls_peer *who = link_peer(link);
    struct carrier *carrier;

    assert(who != NULL);
    if (link_purpose(link) == LINK_FOR_PROBE) {
        links_take_probe(links, link);
        return;
    }
    if (memcmp(who->id, links->own_id, IDENTITY_ID_BYTES) == 0) {
        link_close(link, "you are me: two daemons have the same identity key");
        return;
    }
    carrier = carrier_new(links_peer_get(links, who->id));
    carrier->link = link;
    link_hand_over(link, &carrier_hooks, carrier);
    carrier_up(carrier);
}

/* --- sending --- */

static int
peer_dial(struct links_peer *peer)
{
    struct links *links = peer->links;

    if (memcmp(peer->who.id, links->own_id, IDENTITY_ID_BYTES) == 0 || peer->address_count == 0)
        return CPMP_ENOENT;
    if (peer->forgotten || links->closing || uv_now(links->loop) < peer->retry_ms)
        return CPMP_EAGAIN;
    peer->dialing = carrier_new(peer);
    peer->used_ms = uv_now(links->loop);
    peer->dialing->link = link_connect(links->loop, links->context, LINK_FOR_PEER,
                                       peer->addresses, peer->address_count, peer->who.id,
                                       links->limits, &carrier_hooks, peer->dialing);
    return CPMP_OK;
}

/* *link_p: what takes messages for it now, NULL on errors. */
static int
peer_link(struct links *links, const unsigned char *id, struct link **link_p)
{
    struct links_peer *peer = links_peer_find(links, id);
    int error = CPMP_OK;

    if (peer == NULL)
        return CPMP_ENOENT;
    if (peer->link != NULL && link_takes_messages(peer->link->link)) {
        *link_p = peer->link->link;
        return CPMP_OK;
    }
    if (peer->dialing == NULL)
        error = peer_dial(peer);
    if (error == CPMP_OK)
        *link_p = peer->dialing->link;
    return error;
}

int
links_send(struct links *links, const unsigned char id[IDENTITY_ID_BYTES], const void *bytes,
           size_t count)
{
    struct link *link;
    int error = peer_link(links, id, &link);

    if (error == CPMP_OK)
        error = link_send(link, bytes, count);
    return error == CPMP_ESTATE ? CPMP_EAGAIN : error;
}

int
links_connect(struct links *links, const unsigned char id[IDENTITY_ID_BYTES])
{
    struct link *link;

    return peer_link(links, id, &link);
}

int
links_has_room(struct links *links, const unsigned char id[IDENTITY_ID_BYTES])
{
    struct links_peer *peer = links_peer_find(links, id);

    if (peer != NULL && peer->link != NULL)
        return link_has_room(peer->link->link);
    return peer != NULL && (peer->dialing == NULL || link_has_room(peer->dialing->link));
}

/* --- questions --- */

int
links_is_up(const struct links *links, const unsigned char id[IDENTITY_ID_BYTES])
{
    const struct links_peer *peer = links_peer_find(links, id);

    return peer != NULL && peer->link != NULL;
}

uint64_t
links_round_trip_us(const struct links *links, const unsigned char id[IDENTITY_ID_BYTES])
{
    const struct links_peer *peer = links_peer_find(links, id);

    return peer != NULL && peer->link != NULL ? link_round_trip_us(peer->link->link) : 0;
}

const char *
links_name(const struct links *links, const unsigned char id[IDENTITY_ID_BYTES])
{
    const struct links_peer *peer = links_peer_find(links, id);

    return peer != NULL ? peer->who.name : "";
}

static struct links_view
peer_view(const struct links_peer *peer)
{
    uint64_t now_ms = uv_now(peer->links->loop);
    struct links_view view = {.peer = peer->who, .why = text_string(&peer->why)};
    const struct link *link = peer->link ? peer->link->link : NULL;

    view.is_connecting = peer->dialing != NULL;
    if (link == NULL)
        return view;
    view.is_up = 1;
    view.is_server = link_is_server(link);
    view.address = *link_address(link);
    view.round_trip_us = link_round_trip_us(link);
    view.up_ms = now_ms - link_up_ms(link);
    view.used_ms = now_ms - link_used_ms(link);
    view.queued_bytes = link_queued_bytes(link);
    return view;
}

void
links_each(const struct links *links, links_view_fn *fn, void *arg)
{
    for (size_t i = 0; i < LINKS_BUCKETS; i++) {
        CPI_LIST_FOR(at, &links->buckets[i]) {
            struct links_view view = peer_view(CPI_CONTAINER(at, struct links_peer, in_bucket));

            fn(arg, &view);
        }
    }
}

/* --- dropping --- */

void
links_drop(struct links *links, const unsigned char id[IDENTITY_ID_BYTES], const char *why)
{
    struct links_peer *peer = links_peer_find(links, id);

    if (peer == NULL)
        return;
    if (peer->link != NULL)
        link_close(peer->link->link, why);
    if (peer->dialing != NULL)
        link_close(peer->dialing->link, why);
}

static void
peer_revoke(struct links_peer *peer)
{
    peer->forgotten = 1;
    if (peer->link != NULL)
        link_abort(peer->link->link, SHUT_OUT);
    if (peer->dialing != NULL)
        link_abort(peer->dialing->link, SHUT_OUT);
    if (peer->carriers == 0)
        links_peer_free(peer);
}

void
links_revoke(struct links *links, tls_revoked_fn *revoked, void *arg)
{
    for (size_t i = 0; i < LINKS_BUCKETS; i++) {
        CPI_LIST_FOR_SAFE(at, &links->buckets[i]) {
            struct links_peer *peer = CPI_CONTAINER(at, struct links_peer, in_bucket);

            if (revoked(arg, peer->who.id))
                peer_revoke(peer);
        }
    }
}

/* --- the table --- */

struct links *
links_new(uv_loop_t *loop, struct tls_context *context,
          const unsigned char own_id[IDENTITY_ID_BYTES], const struct link_limits *limits,
          unsigned up_max, const struct links_hooks *hooks, void *arg)
{
    struct links *links = memory_new(1, sizeof(*links));

    links->loop = loop;
    links->context = context;
    memcpy(links->own_id, own_id, IDENTITY_ID_BYTES);
    links->limits = limits;
    links->up_max = up_max;
    links->hooks = hooks;
    links->arg = arg;
    for (size_t i = 0; i < LINKS_BUCKETS; i++)
        cpi_list_init(&links->buckets[i]);
    cpi_list_init(&links->probes);
    uv_idle_init(loop, &links->last);
    links->last.data = links;
    return links;
}

void
links_close(struct links *links)
{
    links->closing = 1;
    for (size_t i = 0; i < LINKS_BUCKETS; i++) {
        CPI_LIST_FOR(at, &links->buckets[i])
            links_drop(links, CPI_CONTAINER(at, struct links_peer, in_bucket)->who.id,
                       "this peer is leaving");
    }
    links_end_probes(links);
    links_finish(links);
}
