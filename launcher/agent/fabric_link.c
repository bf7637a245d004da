/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/fabric_state.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "link/address.h"
#include "plat/plat.h"

#define RETRY_US 20000ull  /* after an accident while connecting; a refusal is final */

/* An event with the private data of a greeting behind it. */
union event {
    struct fi_eq_cm_entry entry;
    char bytes[sizeof(struct fi_eq_cm_entry) + 256];
};

static bool
state_settled(enum link_state state)
{
    return state == LINK_IDLE || state == LINK_UP || state == LINK_LOST;
}

static void
link_enter(struct fabric_link *link, enum link_state state)
{
    link->fabric->unsettled -= !state_settled(link->state);
    link->fabric->unsettled += !state_settled(state);
    link->state = state;
}

void
fabric_link_reset(struct fabric_link *link, enum link_state state)
{
    if (link->ep != NULL)
        fi_close(&link->ep->fid);
    link->ep = NULL;
    if (link->broken != 0)
        link->fabric->unsettled--;
    link->broken = 0;
    link_enter(link, state);
}

void
fabric_link_lose(struct fabric_link *link, int error, const char *what)
{
    struct fabric *fabric = link->fabric;
    char why[FABRIC_WHY_MAX];
    const char *at = link->address_text[0] ? " at " : "";

    snprintf(why, sizeof(why), "connection to peer %u%s%s: %s", link->peer, at,
             link->address_text, what);
    fabric_link_reset(link, LINK_LOST);
    fabric->events.lost(fabric->arg, link->peer, error, why);
}

/* The same, with a libfabric error in words behind the step that failed. */
static void
link_lose_at(struct fabric_link *link, int error, const char *step, int result)
{
    char what[FABRIC_WHY_MAX];

    snprintf(what, sizeof(what), "%s: %s", step, link->fabric->library->strerror(-result));
    fabric_link_lose(link, error, what);
}

/* --- connecting --- */

static int
endpoint_connect(struct fabric_link *link, const struct door_snapshot *snapshot,
                 const char **step)
{
    struct fabric *fabric = link->fabric;
    struct fi_info *info = fabric->library->dupinfo(fabric->info);
    int result;

    *step = "fi_dupinfo";
    if (info == NULL)
        return -FI_ENOMEM;
    result = fabric_endpoint_open(fabric, info, link, &link->ep, step);
    fabric->library->freeinfo(info);
    if (result != 0)
        return result;
    door_snapshot_unpace(snapshot);
    *step = "fi_connect";
    result = fi_connect(link->ep, &link->address, &link->hello, sizeof(link->hello));
    if (result != 0) {
        fi_close(&link->ep->fid);
        link->ep = NULL;
    }
    return result;
}

static void
link_retry_later(struct fabric_link *link)
{
    fabric_link_reset(link, LINK_RETRY);
    link->retry_us = cpi_clock_ns() / 1000 + RETRY_US;
}

/* Sends a hello with a nonce of its own. Losses are told from fabric_poll_slow only, so whatever
 * fails here is tried again until the deadline. */
static void
link_connect(struct fabric_link *link)
{
    struct fabric *fabric = link->fabric;
    struct door_snapshot snapshot;
    const char *step = "random numbers";

    memset(&link->hello, 0, sizeof(link->hello));
    link->hello.from = fabric->peer;
    link->hello.to = link->peer;
    link->hello.flags = fabric->encrypt ? CPI_HELLO_ENCRYPTS : 0;
    link->hello.job = fabric->job;
    link->hello.incarnation = fabric->incarnation;
    link->hello.attempt = ++fabric->attempt;
    door_snapshot_take(&snapshot);
    int result = hello_make(fabric->library, fabric->key, NULL, &link->hello) == CPMP_OK
                     ? endpoint_connect(link, &snapshot, &step) : -FI_EIO;
    door_snapshot_seal(&snapshot);
    if (result == 0)
        link_enter(link, LINK_CONNECTING);
    else
        link_retry_later(link);
}

int
fabric_connect(struct fabric *fabric, uint32_t peer, const char *address)
{
    struct sockaddr_storage parsed;

    if (peer >= fabric->peers || peer == fabric->peer || !address_parse_socket(address, &parsed))
        return CPMP_EINVAL;
    struct fabric_link *link = &fabric->links[peer];
    if (link->state != LINK_IDLE && link->state != LINK_LOST)
        return CPMP_EEXIST;
    link->address = parsed;
    snprintf(link->address_text, sizeof(link->address_text), "%s", address);
    link->deadline_us = cpi_clock_ns() / 1000 + fabric->patience_us;
    if (fabric->peer < peer)
        link_connect(link);
    else
        link_enter(link, LINK_EXPECTED);
    return CPMP_OK;
}

void
fabric_disconnect(struct fabric *fabric, uint32_t peer)
{
    fabric_link_reset(&fabric->links[peer], LINK_LOST);
}

static void
link_limit_silence(struct fabric_link *link)
{
    struct sockaddr_storage local, peer;
    size_t local_bytes = sizeof(local), peer_bytes = sizeof(peer);

    link->fd = -1;
    if (fi_getname(&link->ep->fid, &local, &local_bytes) == 0 &&
        fi_getpeer(link->ep, &peer, &peer_bytes) == 0)
        link->fd = door_limit_silence((struct sockaddr *)&local, (struct sockaddr *)&peer,
                                      link->fabric->silence_us);
}

static void
link_up(struct fabric_link *link)
{
    link_limit_silence(link);
    link_enter(link, LINK_UP);
    link->fabric->events.up(link->fabric->arg, link->peer);
}

static bool
tags_set(struct fabric_link *link, const struct cpi_hello *hello, const struct cpi_hello *welcome)
{
    struct fabric *fabric = link->fabric;
    struct hello_tags tags;

    if (hello_tags(fabric->library, fabric->key, hello, welcome, &tags) != CPMP_OK)
        return false;
    bool acceptor = hello->to == fabric->peer;
    link->tag_in = acceptor ? tags.to_acceptor : tags.to_connector;
    link->tag_out = acceptor ? tags.to_connector : tags.to_acceptor;
    link->sequence_in = link->sequence_out = 0;
    seal_release(&link->seal);
    return !fabric->encrypt ||
           seal_init(&link->seal, fabric->key, hello, welcome, acceptor) == CPMP_OK;
}

/* The answer to our hello. */
static void
link_welcomed(struct fabric_link *link, const struct cpi_hello *welcome, size_t bytes)
{
    struct fabric *fabric = link->fabric;
    int error = cpi_hello_check(welcome, bytes, CPI_ROLE_WELCOME);

    if (error == CPMP_EVERSION) {
        fabric_link_lose(link, error, "its agent is of another version of cpmp");
    } else if (error != CPMP_OK || welcome->job != fabric->job || welcome->from != link->peer ||
               welcome->to != fabric->peer) {
        fabric_link_lose(link, CPMP_EPROTO, "what answers there is not this job's agent");
    } else if (!hello_code_right(fabric->library, fabric->key, &link->hello, welcome)) {
        fabric_link_lose(link, CPMP_EKEY, "what answers there does not hold this job's key");
    } else if (welcome->flags != link->hello.flags) {
        fabric_link_lose(link, CPMP_EPROTO, "one of the two agents encrypts, the other doesn't");
    } else if (welcome->incarnation < link->incarnation) {
        fabric_link_lose(link, CPMP_EPROTO, "what answers there was given up before");
    } else if (!tags_set(link, &link->hello, welcome)) {
        fabric_link_lose(link, CPMP_ESYS, "cannot compute its tags");
    } else {
        link->incarnation = welcome->incarnation;
        link_up(link);
    }
}

/* --- being connected to --- */

/* Whose hello is it? NULL: a stranger's, an old one, or one that came before. */
static struct fabric_link *
hello_link(struct fabric *fabric, const struct cpi_hello *hello, size_t bytes)
{
    if (cpi_hello_check(hello, bytes, CPI_ROLE_HELLO) != CPMP_OK || hello->job != fabric->job ||
        hello->to != fabric->peer || hello->from >= fabric->peer ||
        hello->flags != (fabric->encrypt ? CPI_HELLO_ENCRYPTS : 0) ||
        !hello_code_right(fabric->library, fabric->key, NULL, hello))
        return NULL;
    struct fabric_link *link = &fabric->links[hello->from];
    if (hello->incarnation < link->incarnation ||
        (hello->incarnation == link->incarnation && hello->attempt <= link->attempt))
        return NULL;
    return link;
}

/* May `hello` have the link? Not while one of the same incarnation stands, or when nobody asked for
 * it. */
static bool
link_free_for(struct fabric_link *link, const struct cpi_hello *hello)
{
    if (link->state == LINK_UP && hello->incarnation > link->incarnation) {
        uint64_t deadline_us = cpi_clock_ns() / 1000 + link->fabric->patience_us;
        fabric_link_lose(link, CPMP_EPEER, "a newer incarnation of it has come");
        link->deadline_us = deadline_us;
        return true;
    }
    return link->state == LINK_EXPECTED || link->state == LINK_GREETED;
}

static int
endpoint_accept(struct fabric_link *link, struct fi_info *info, const struct cpi_hello *hello)
{
    struct fabric *fabric = link->fabric;
    struct cpi_hello welcome = {
        .from = fabric->peer,
        .to = link->peer,
        .flags = hello->flags,
        .job = fabric->job,
        .incarnation = fabric->incarnation,
    };
    const char *step;

    if (hello_make(fabric->library, fabric->key, hello, &welcome) != CPMP_OK ||
        !tags_set(link, hello, &welcome))
        return -FI_EIO;
    int result = fabric_endpoint_open(fabric, info, link, &link->ep, &step);
    if (result != 0)
        return result;
    result = fi_accept(link->ep, &welcome, sizeof(welcome));
    if (result != 0) {
        fi_close(&link->ep->fid);
        link->ep = NULL;
    }
    return result;
}

/* A connection request. The info belongs to us; accepting takes its handle over, as does rejecting.
 * */
static void
hello_received(struct fabric *fabric, struct fi_info *info, const void *data, size_t bytes)
{
    struct cpi_hello hello = {0};
    struct fabric_link *link;

    door_claim(&fabric->door, info->dest_addr);
    memcpy(&hello, data, bytes < sizeof(hello) ? bytes : sizeof(hello));
    link = hello_link(fabric, &hello, bytes);
    if (link == NULL || !link_free_for(link, &hello)) {
        fabric->counts.strangers++;
        fi_reject(fabric->pep, info->handle, NULL, 0);
    } else {
        link->incarnation = hello.incarnation;
        link->attempt = hello.attempt;
        fabric_link_reset(link, LINK_EXPECTED);
        if (endpoint_accept(link, info, &hello) == 0)
            link_enter(link, LINK_GREETED);
        else
            fi_reject(fabric->pep, info->handle, NULL, 0);
    }
    fabric->library->freeinfo(info);
}

void
fabric_link_proven(struct fabric_link *link)
{
    assert(link->state == LINK_GREETED);
    link_up(link);
}

/* --- events --- */

/* The provider says FI_SHUTDOWN whatever the reason was. */
static void
link_shut(struct fabric_link *link)
{
    uint64_t silence_us = link->fabric->silence_us;
    char what[FABRIC_WHY_MAX];

    if (!door_was_silent(link->fd, silence_us)) {
        fabric_link_lose(link, CPMP_EPEER, "closed by the other side");
        return;
    }
    snprintf(what, sizeof(what), "its host has not answered for %.3g s",
             (double)silence_us / 1e6);
    fabric_link_lose(link, CPMP_EPEER, what);
}

/* The endpoint of `link` came to its end, by `result` (negative) or, at 0, closed by the other
 * side. */
static void
link_ended(struct fabric_link *link, int result)
{
    switch (link->state) {
    case LINK_CONNECTING:
        if (result == -FI_ECONNREFUSED)
            link_lose_at(link, CPMP_EPEER, "refused", result);
        else
            link_retry_later(link);
        break;
    case LINK_GREETED:
        fabric_link_reset(link, LINK_EXPECTED);
        break;
    case LINK_UP:
        if (result == 0)
            link_shut(link);
        else
            link_lose_at(link, CPMP_EPEER, "broke", result);
        break;
    default:
        break;
    }
}

/* The link whose endpoint `fid` is, NULL when it is none or closed meanwhile. */
static struct fabric_link *
link_of(struct fid *fid)
{
    struct fabric_link *link = fid != NULL && fid->fclass == FI_CLASS_EP ? fid->context : NULL;

    return link != NULL && link->ep != NULL && &link->ep->fid == fid ? link : NULL;
}

static void
event_failed(struct fabric *fabric)
{
    struct fi_eq_err_entry entry = {0};

    if (fi_eq_readerr(fabric->eq, &entry, 0) < 0)
        return;
    struct fabric_link *link = link_of(entry.fid);
    if (link != NULL)
        link_ended(link, entry.err > 0 ? -entry.err : -FI_EIO);
}

bool
fabric_link_event(struct fabric *fabric)
{
    union event event;
    uint32_t kind = 0;

    /* The tcp provider takes errno for the reason when a connection ends before its request came,
     * and recv leaves it alone then: an EAGAIN from before would keep the dead socket, readable for
     * ever. */
    errno = 0;
    ssize_t bytes = fi_eq_read(fabric->eq, &kind, &event, sizeof(event), 0);

    if (bytes == -FI_EAVAIL) {
        event_failed(fabric);
        return true;
    }
    if (bytes < (ssize_t)sizeof(event.entry))
        return false;
    size_t data_bytes = (size_t)bytes - sizeof(event.entry);
    struct fabric_link *link = kind == FI_CONNREQ ? NULL : link_of(event.entry.fid);
    if (kind == FI_CONNREQ)
        hello_received(fabric, event.entry.info, event.entry.data, data_bytes);
    else if (kind == FI_CONNECTED && link != NULL && link->state == LINK_CONNECTING)
        link_welcomed(link, (const struct cpi_hello *)(const void *)event.entry.data, data_bytes);
    else if (kind == FI_SHUTDOWN && link != NULL)
        link_ended(link, 0);
    return true;
}

static bool
link_deadline(struct fabric_link *link, uint64_t now_us)
{
    if (link->broken != 0) {
        link_lose_at(link, CPMP_EPEER, "fi_sendv", link->broken);
        return true;
    }
    if (state_settled(link->state))
        return false;
    if (link->deadline_us <= now_us) {
        bool expected = link->state == LINK_EXPECTED || link->state == LINK_GREETED;
        fabric_link_lose(link, CPMP_EPEER, expected ? "it did not connect in time"
                                                    : "it did not answer in time");
        return true;
    }
    if (link->state == LINK_RETRY && link->retry_us <= now_us) {
        link_connect(link);
        return true;
    }
    return false;
}

bool
fabric_link_deadlines(struct fabric *fabric, uint64_t now_us)
{
    bool moved = false;

    for (uint32_t i = 0; i < fabric->peers; i++)
        moved |= link_deadline(&fabric->links[i], now_us);
    return moved;
}
