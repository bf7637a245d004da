/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/fabric.h"

#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/fabric_state.h"
#include "link/address.h"
#include "plat/plat.h"

#define LISTEN_DEFAULT      "127.0.0.1"
#define PATIENCE_DEFAULT_US 10000000ull
#define SILENCE_DEFAULT_US  10000000ull
#define DOOR_PATIENCE_US    5000000ull   /* a hello follows its connection in microseconds */
#define EQ_ENTRIES          256u
#define CQ_ENTRIES          1024u
#define COMPLETIONS         16u          /* taken from the completion queue in one go */
#define SLOW_EVENTS_MAX     64u          /* handled in one slow poll */

/*
 * Receive buffers: two for each peer, within limits. They are posted again as soon as the router
 * has taken the frames out, within the same poll, so the shared context runs dry for that long at
 * most; the tcp provider then leaves what comes in the socket, and goes on at the next poll. A
 * bigger number buys nothing; each costs 256 KiB once used.
 */
#define BUFFERS_MIN   8u
#define BUFFERS_MAX   64u
#define BUFFER_STRIDE ((size_t)CPI_BATCH_BYTES_MAX + CPI_FRAME_ALIGN)
#define BUFFER_OFFSET (CPI_FRAME_ALIGN - sizeof(struct cpi_batch))

#define SEALED_BYTES ((size_t)CPI_BATCH_FRAME_BYTES_MAX + SEAL_TAG_BYTES)

_Static_assert(sizeof(struct cpi_batch) <= CPI_FRAME_ALIGN, "the header fits before the frames");

/* What a call of libfabric answered, for `why`: the step that failed and the reason in words. */
static int
open_failed(const struct fabric *fabric, const char *step, int result, char *why)
{
    snprintf(why, FABRIC_WHY_MAX, "cannot open the fabric at %s: %s: %s", fabric->address, step,
             fabric->library->strerror(-result));
    return result == -FI_ENOMEM ? CPMP_ENOMEM : CPMP_ESYS;
}

static bool
address_is_wildcard(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ((const struct sockaddr_in *)address)->sin_addr.s_addr == htonl(INADDR_ANY);
    return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* Puts "listen:0" into fabric->address until the port is known. */
static int
listen_address_set(struct fabric *fabric, const char *listen, struct sockaddr_storage *address,
                   char *why)
{
    const char *format = strchr(listen, ':') ? "[%s]:0" : "%s:0";
    int length = snprintf(fabric->address, sizeof(fabric->address), format, listen);

    if (length < (int)sizeof(fabric->address) && address_parse_socket(fabric->address, address) &&
        !address_is_wildcard(address))
        return CPMP_OK;
    snprintf(why, FABRIC_WHY_MAX, "cannot open the fabric at '%.100s': not an address that other "
             "hosts can connect to; give a numeric IPv4 or IPv6 address of this host", listen);
    return CPMP_EINVAL;
}

static int
info_get(struct fabric *fabric, const char *listen, sa_family_t family, char *why)
{
    struct fi_info *hints = fabric->library->dupinfo(NULL);

    if (hints == NULL)
        return open_failed(fabric, "fi_allocinfo", -FI_ENOMEM, why);
    hints->fabric_attr->prov_name = strdup("tcp");
    hints->ep_attr->type = FI_EP_MSG;
    hints->ep_attr->rx_ctx_cnt = FI_SHARED_CONTEXT;
    hints->caps = FI_MSG;
    hints->addr_format = family == AF_INET ? FI_SOCKADDR_IN : FI_SOCKADDR_IN6;
    hints->domain_attr->threading = FI_THREAD_DOMAIN;
    int result = fabric->library->getinfo(FI_VERSION(1, 17), listen, "0",
                                          FI_SOURCE | FI_NUMERICHOST, hints, &fabric->info);
    fabric->library->freeinfo(hints);
    if (result == 0)
        return CPMP_OK;
    snprintf(why, FABRIC_WHY_MAX, "cannot open the fabric at %s: libfabric offers no endpoint of "
             "its provider tcp there (fi_getinfo: %s); see that the address is this host's and "
             "that $FI_PROVIDER doesn't exclude tcp", listen, fabric->library->strerror(-result));
    return CPMP_ENOSUP;
}

static int
queues_open(struct fabric *fabric, const char **step)
{
    struct fi_eq_attr eq = {.size = EQ_ENTRIES, .wait_obj = FI_WAIT_FD};
    struct fi_cq_attr cq = {.size = CQ_ENTRIES, .format = FI_CQ_FORMAT_MSG, .wait_obj = FI_WAIT_FD};
    int result;

    *step = "fi_fabric";
    if ((result = fabric->library->fabric(fabric->info->fabric_attr, &fabric->fabric, NULL)) != 0)
        return result;
    *step = "fi_eq_open";
    if ((result = fi_eq_open(fabric->fabric, &eq, &fabric->eq, NULL)) != 0)
        return result;
    *step = "fi_domain";
    if ((result = fi_domain(fabric->fabric, fabric->info, &fabric->domain, NULL)) != 0)
        return result;
    *step = "fi_cq_open";
    if ((result = fi_cq_open(fabric->domain, &cq, &fabric->cq, NULL)) != 0)
        return result;
    *step = "fi_control(FI_GETWAIT)";
    if ((result = fi_control(&fabric->cq->fid, FI_GETWAIT, &fabric->fds[0])) != 0)
        return result;
    return fi_control(&fabric->eq->fid, FI_GETWAIT, &fabric->fds[1]);
}

static int
buffer_post(struct fabric *fabric, struct fabric_buffer *buffer)
{
    int result = (int)fi_recv(fabric->receives, buffer->bytes, CPI_BATCH_BYTES_MAX, NULL,
                              FI_ADDR_UNSPEC, buffer);

    buffer->posted = result == 0;
    return result;
}

static int
buffers_open(struct fabric *fabric, const char **step)
{
    uint32_t count = 2 * fabric->peers;
    int result;

    *step = "fi_srx_context";
    result = fi_srx_context(fabric->domain, fabric->info->rx_attr, &fabric->receives, NULL);
    if (result != 0)
        return result;
    *step = "receive buffers";
    count = count < BUFFERS_MIN ? BUFFERS_MIN : count > BUFFERS_MAX ? BUFFERS_MAX : count;
    fabric->buffers = calloc(count, sizeof(fabric->buffers[0]));
    fabric->memory = aligned_alloc(CPI_FRAME_ALIGN, count * BUFFER_STRIDE);
    if (fabric->buffers == NULL || fabric->memory == NULL)
        return -FI_ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        fabric->buffers[i].bytes = fabric->memory + i * BUFFER_STRIDE + BUFFER_OFFSET;
        if ((result = buffer_post(fabric, &fabric->buffers[i])) != 0)
            return result;
        fabric->buffer_count++;
    }
    return 0;
}

static void
info_set_port(struct fi_info *info, uint32_t port)
{
    struct sockaddr *address = info->src_addr;

    if (address->sa_family == AF_INET)
        ((struct sockaddr_in *)info->src_addr)->sin_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in6 *)info->src_addr)->sin6_port = htons((uint16_t)port);
}

static int
listener_try(struct fabric *fabric, uint32_t port, const char **step)
{
    int result;

    info_set_port(fabric->info, port);
    *step = "fi_passive_ep";
    result = fi_passive_ep(fabric->fabric, fabric->info, &fabric->pep, NULL);
    if (result != 0)
        return result;
    *step = "fi_pep_bind";
    if ((result = fi_pep_bind(fabric->pep, &fabric->eq->fid, 0)) == 0) {
        *step = "fi_listen";
        result = fi_listen(fabric->pep);
    }
    if (result != 0) {
        fi_close(&fabric->pep->fid);
        fabric->pep = NULL;
    }
    return result;
}

/* A free port of those allowed. Agents that start together begin at different ones. */
static int
listener_bind(struct fabric *fabric, const struct fabric_config *config, const char **step)
{
    uint32_t count = config->port_first > 0 ? config->port_last - config->port_first + 1u : 1u;
    uint32_t start = (uint32_t)(fabric->attempt / 1000) % count;
    int result = -FI_EADDRINUSE;

    for (uint32_t i = 0; i < count && result == -FI_EADDRINUSE; i++)
        result = listener_try(fabric, config->port_first + (start + i) % count, step);
    info_set_port(fabric->info, 0);  /* endpoints that connect bind to what it says, too */
    return result;
}

static int
listener_open(struct fabric *fabric, const struct fabric_config *config, const char **step)
{
    struct sockaddr_storage address;
    size_t bytes = sizeof(address);
    int result = listener_bind(fabric, config, step);

    if (result != 0)
        return result;
    *step = "fi_getname";
    if ((result = fi_getname(&fabric->pep->fid, &address, &bytes)) != 0)
        return result;
    uint64_t patience_us = fabric->patience_us < DOOR_PATIENCE_US ? fabric->patience_us
                                                                  : DOOR_PATIENCE_US;
    door_init(&fabric->door, (struct sockaddr *)&address, (socklen_t)bytes, patience_us);
    address_print_socket((struct sockaddr *)&address, fabric->address);
    return 0;
}

static int
links_open(struct fabric *fabric)
{
    fabric->links = calloc(fabric->peers, sizeof(fabric->links[0]));
    if (fabric->links == NULL)
        return CPMP_ENOMEM;
    for (uint32_t i = 0; i < fabric->peers; i++) {
        fabric->links[i].fabric = fabric;
        fabric->links[i].peer = i;
    }
    return CPMP_OK;
}

static int
fabric_start(struct fabric *fabric, const struct fabric_config *config, char *why)
{
    const char *listen = config->listen && config->listen[0] ? config->listen : LISTEN_DEFAULT;
    struct door_snapshot snapshot;
    struct fabric_signals signals;
    struct sockaddr_storage address;
    const char *step;
    int error = listen_address_set(fabric, listen, &address, why);

    if (error != CPMP_OK)
        return error;
    door_snapshot_take(&snapshot);
    fabric_signals_save(&signals);
    error = info_get(fabric, listen, address.ss_family, why);
    fabric_signals_restore(&signals);
    if (error != CPMP_OK)
        return error;
    int result = queues_open(fabric, &step);
    if (result == 0)
        result = buffers_open(fabric, &step);
    if (result == 0)
        result = listener_open(fabric, config, &step);
    door_snapshot_unpace(&snapshot);
    door_snapshot_seal(&snapshot);
    return result == 0 ? CPMP_OK : open_failed(fabric, step, result, why);
}

void
fabric_warm(void)
{
    struct door_snapshot snapshot;
    struct fabric_signals signals;
    struct fabric fabric = {0};
    char why[FABRIC_WHY_MAX];

    fabric.library = fabric_library_get(why, sizeof(why));
    if (fabric.library == NULL)
        return;
    door_snapshot_take(&snapshot);
    fabric_signals_save(&signals);
    if (info_get(&fabric, LISTEN_DEFAULT, AF_INET, why) == CPMP_OK)
        fabric.library->freeinfo(fabric.info);
    fabric_signals_restore(&signals);
    door_snapshot_seal(&snapshot);
}

static uint64_t
attempts_start(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

int
fabric_open(struct fabric **fabric_p, const struct fabric_config *config, char *why)
{
    const struct fabric_library *library = fabric_library_get(why, FABRIC_WHY_MAX);

    assert(config->peers >= 2 && config->peer < config->peers);
    assert(config->port_first <= config->port_last);
    if (library == NULL)
        return CPMP_ENOSUP;
    struct fabric *fabric = calloc(1, sizeof(*fabric));
    if (fabric == NULL) {
        snprintf(why, FABRIC_WHY_MAX, "cannot open the fabric: out of memory");
        return CPMP_ENOMEM;
    }
    fabric->library = library;
    fabric->job = config->job;
    fabric->incarnation = config->incarnation;
    fabric->attempt = attempts_start();
    fabric->patience_us = config->patience_us ? config->patience_us : PATIENCE_DEFAULT_US;
    fabric->silence_us = config->silence_us ? config->silence_us : SILENCE_DEFAULT_US;
    fabric->peer = config->peer;
    fabric->peers = config->peers;
    fabric->encrypt = config->encrypt;
    memcpy(fabric->key, config->key, CPI_KEY_BYTES);
    int error = links_open(fabric);
    if (error == CPMP_OK)
        error = fabric_start(fabric, config, why);
    else
        snprintf(why, FABRIC_WHY_MAX, "cannot open the fabric: out of memory");
    if (error != CPMP_OK) {
        fabric_close(fabric);
        return error;
    }
    *fabric_p = fabric;
    return CPMP_OK;
}

/* Closes a fabric, domain, queue or endpoint, if there is one. */
#define CLOSE(object)                   \
    do {                                \
        if ((object) != NULL)           \
            fi_close(&(object)->fid);   \
    } while (0)

void
fabric_close(struct fabric *fabric)
{
    if (fabric == NULL)
        return;
    for (uint32_t i = 0; fabric->links != NULL && i < fabric->peers; i++)
        fabric_link_reset(&fabric->links[i], LINK_IDLE);
    fabric->events.received = NULL;
    while (fabric->cq != NULL && fabric_poll(fabric))  /* what is in flight comes back */
        continue;
    for (uint32_t i = 0; fabric->links != NULL && i < fabric->peers; i++) {
        seal_release(&fabric->links[i].seal);
        free(fabric->links[i].sealed);
    }
    CLOSE(fabric->pep);
    CLOSE(fabric->receives);
    CLOSE(fabric->cq);
    CLOSE(fabric->domain);
    CLOSE(fabric->eq);
    CLOSE(fabric->fabric);
    if (fabric->info != NULL)
        fabric->library->freeinfo(fabric->info);
    memset(fabric->key, 0, sizeof(fabric->key));
    free(fabric->memory);
    free(fabric->buffers);
    free(fabric->links);
    free(fabric);
}

int
fabric_endpoint_open(struct fabric *fabric, struct fi_info *info, void *context,
                     struct fid_ep **ep_p, const char **what)
{
    struct fid_ep *ep;
    int result;

    *what = "fi_endpoint";
    if ((result = fi_endpoint(fabric->domain, info, &ep, context)) != 0)
        return result;
    *what = "fi_ep_bind";
    result = fi_ep_bind(ep, &fabric->eq->fid, 0);
    if (result == 0)
        result = fi_ep_bind(ep, &fabric->cq->fid, FI_TRANSMIT | FI_RECV);
    if (result == 0)
        result = fi_ep_bind(ep, &fabric->receives->fid, 0);
    if (result == 0) {
        *what = "fi_enable";
        result = fi_enable(ep);
    }
    if (result != 0) {
        fi_close(&ep->fid);
        return result;
    }
    *ep_p = ep;
    return 0;
}

const char *
fabric_address(const struct fabric *fabric)
{
    return fabric->address;
}

void
fabric_on(struct fabric *fabric, const struct fabric_events *events, void *arg)
{
    fabric->events = *events;
    fabric->arg = arg;
}

static void
header_fill(struct fabric_link *link, struct fabric_batch *batch)
{
    struct cpi_batch *header = &batch->header;
    size_t bytes = 0;

    batch->vector[0] = (struct iovec){header, sizeof(*header)};
    for (uint32_t i = 0; i < batch->run_count; i++) {
        batch->vector[i + 1] = batch->runs[i];
        bytes += batch->runs[i].iov_len;
    }
    assert(bytes <= CPI_BATCH_FRAME_BYTES_MAX && bytes % CPI_FRAME_ALIGN == 0);
    header->magic = CPI_BATCH_MAGIC;
    header->bytes = (uint32_t)bytes;
    header->frames = batch->frames;
    header->from = link->fabric->peer;
    header->tag = link->tag_out;
    header->sequence = link->sequence_out + 1;
    header->grant = batch->grant;
}

/* Frames in the clear stay the caller's; sealed ones lie in a place of the link's until they have
 * gone out. There is one for each batch in flight. */
static int
batch_seal(struct fabric_link *link, struct fabric_batch *batch)
{
    uint8_t *out;

    if (link->sealed == NULL)
        link->sealed = malloc((size_t)FABRIC_IN_FLIGHT_MAX * SEALED_BYTES);
    if (link->sealed == NULL)
        return CPMP_ENOMEM;
    batch->place = (uint32_t)__builtin_ctz(~link->sealed_places);
    assert(batch->place < FABRIC_IN_FLIGHT_MAX);
    out = link->sealed + (size_t)batch->place * SEALED_BYTES;
    if (seal_close(&link->seal, &batch->header, batch->runs, batch->run_count, out) != CPMP_OK)
        return CPMP_ESYS;
    batch->vector[1] = (struct iovec){out, batch->header.bytes + SEAL_TAG_BYTES};
    return CPMP_OK;
}

int
fabric_send(struct fabric *fabric, uint32_t peer, struct fabric_batch *batch)
{
    struct fabric_link *link = &fabric->links[peer];

    assert(peer < fabric->peers && batch->run_count <= FABRIC_RUNS_MAX);
    if (link->state != LINK_UP || link->broken != 0)
        return CPMP_EPEER;
    if (link->in_flight == FABRIC_IN_FLIGHT_MAX)
        return CPMP_EAGAIN;
    header_fill(link, batch);
    batch->link = link;
    int error = fabric->encrypt ? batch_seal(link, batch) : CPMP_OK;
    size_t areas = fabric->encrypt ? 2 : batch->run_count + 1;
    ssize_t result = error != CPMP_OK ? -FI_ENOMEM
                                      : fi_sendv(link->ep, batch->vector, NULL, areas,
                                                 FI_ADDR_UNSPEC, batch);
    if (result == -FI_EAGAIN)
        return CPMP_EAGAIN;
    if (result != 0) {
        link->broken = (int)result;
        fabric->unsettled++;
        return CPMP_EPEER;
    }
    link->sequence_out++;
    link->in_flight++;
    if (fabric->encrypt)
        link->sealed_places |= 1u << batch->place;
    fabric->counts.batches_out++;
    fabric->counts.bytes_out += batch->header.bytes;
    return CPMP_OK;
}

uint32_t
fabric_in_flight(const struct fabric *fabric, uint32_t peer)
{
    return fabric->links[peer].in_flight;
}

/* A batch that belongs to no connection we know: the sender has no tag of ours. Connections that
 * have not proven themselves are suspects, and let go: who is what it says comes again. */
static void
batch_stray(struct fabric *fabric)
{
    fabric->counts.strangers++;
    for (uint32_t i = 0; i < fabric->peers; i++) {
        if (fabric->links[i].state == LINK_GREETED)
            fabric_link_reset(&fabric->links[i], LINK_EXPECTED);
    }
}

/* Is it the next one, as it was sent? */
static const char *
batch_refuse(struct fabric_link *link, struct cpi_batch *batch)
{
    if (batch->sequence != link->sequence_in + 1)
        return "a batch is missing or came twice";
    if (link->fabric->encrypt && seal_open(&link->seal, batch) != CPMP_OK)
        return "a batch was altered on its way";
    link->sequence_in++;
    return NULL;
}

static void
batch_received(struct fabric *fabric, struct cpi_batch *batch, size_t bytes)
{
    size_t seal_bytes = fabric->encrypt ? SEAL_TAG_BYTES : 0;

    if (bytes < seal_bytes || cpi_batch_check(batch, bytes - seal_bytes) != CPMP_OK ||
        batch->from >= fabric->peers) {
        batch_stray(fabric);
        return;
    }
    struct fabric_link *link = &fabric->links[batch->from];
    if (link->tag_in == 0 || link->tag_in != batch->tag) {
        batch_stray(fabric);
        return;
    }
    if ((link->state != LINK_GREETED && link->state != LINK_UP) || fabric->events.received == NULL)
        return;  /* it was on its way when the connection was lost */
    const char *why = batch_refuse(link, batch);
    if (why != NULL && link->state == LINK_GREETED) {
        batch_stray(fabric);
        return;
    }
    if (link->state == LINK_GREETED)
        fabric_link_proven(link);
    if (link->state != LINK_UP)
        return;
    if (why != NULL) {
        fabric_link_lose(link, CPMP_EPROTO, why);
        return;
    }
    fabric->counts.batches_in++;
    fabric->counts.bytes_in += batch->bytes;
    int error = fabric->events.received(fabric->arg, link->peer, batch);
    if (error != CPMP_OK && link->state == LINK_UP)
        fabric_link_lose(link, error, "it sent what no agent of this version sends");
}

static struct fabric_buffer *
buffer_of(const struct fabric *fabric, void *context)
{
    struct fabric_buffer *buffer = context;

    return buffer >= fabric->buffers && buffer < fabric->buffers + fabric->buffer_count ? buffer
                                                                                        : NULL;
}

static void
batch_done(struct fabric *fabric, struct fabric_batch *batch)
{
    struct fabric_link *link = batch->link;

    assert(link->in_flight > 0);
    link->in_flight--;
    if (link->fabric->encrypt)
        link->sealed_places &= ~(1u << batch->place);
    if (fabric->events.sent != NULL)
        fabric->events.sent(fabric->arg, link->peer, batch);
}

/* An operation that failed. Its connection's end shows on the event queue; here only what it held
 * is taken back. */
static bool
completion_failed(struct fabric *fabric)
{
    struct fi_cq_err_entry entry = {0};

    if (fi_cq_readerr(fabric->cq, &entry, 0) < 0)
        return false;
    struct fabric_buffer *buffer = buffer_of(fabric, entry.op_context);
    if (buffer != NULL) {
        buffer->posted = false;
        buffer_post(fabric, buffer);
    } else if (entry.op_context != NULL) {
        batch_done(fabric, entry.op_context);
    }
    return true;
}

bool
fabric_poll(struct fabric *fabric)
{
    struct fi_cq_msg_entry entries[COMPLETIONS];
    ssize_t count = fi_cq_read(fabric->cq, entries, COMPLETIONS);

    if (count == -FI_EAVAIL)
        return completion_failed(fabric);
    for (ssize_t i = 0; i < count; i++) {
        struct fabric_buffer *buffer = buffer_of(fabric, entries[i].op_context);
        if (buffer == NULL) {
            batch_done(fabric, entries[i].op_context);
            continue;
        }
        buffer->posted = false;
        batch_received(fabric, (struct cpi_batch *)buffer->bytes, entries[i].len);
        buffer_post(fabric, buffer);
    }
    return count > 0;
}

static bool
event_queue_readable(const struct fabric *fabric)
{
    struct pollfd poll_fd = {.fd = fabric->fds[1], .events = POLLIN};

    return poll(&poll_fd, 1, 0) > 0;
}

/* One look at the event queue, and then at the door: the provider accepts and reads whenever it is
 * asked for events, or whether it is safe to wait for them. */
static bool
event_queue_step(struct fabric *fabric)
{
    struct fid *queue = &fabric->eq->fid;
    bool event = fabric_link_event(fabric);

    door_watch(&fabric->door);
    if (!event) {  /* somebody was let in, or the signal is stale; asking for a wait resets it */
        (void)fi_trywait(fabric->fabric, &queue, 1);
        door_watch(&fabric->door);
    }
    return event;
}

bool
fabric_poll_slow(struct fabric *fabric)
{
    bool moved = false;

    for (uint32_t i = 0; i < SLOW_EVENTS_MAX && event_queue_readable(fabric); i++) {
        /* What came before a loss is delivered before it; more than the buffers hold can't be
         * there. */
        for (uint32_t n = 0; n < 2 * BUFFERS_MAX && fabric_poll(fabric); n++)
            continue;
        moved |= event_queue_step(fabric);
    }
    uint64_t deadline_us = fabric_deadline_us(fabric);
    if (deadline_us != UINT64_MAX && deadline_us <= cpi_clock_ns() / 1000) {
        door_watch(&fabric->door);
        moved |= fabric_link_deadlines(fabric, cpi_clock_ns() / 1000);
    }
    return moved;
}

void
fabric_fds(const struct fabric *fabric, int fds[2])
{
    fds[0] = fabric->fds[0];
    fds[1] = fabric->fds[1];
}

bool
fabric_may_sleep(struct fabric *fabric)
{
    struct fid *queue = &fabric->cq->fid;

    return !event_queue_readable(fabric) && fi_trywait(fabric->fabric, &queue, 1) == 0;
}

uint64_t
fabric_deadline_us(const struct fabric *fabric)
{
    uint64_t deadline_us = door_deadline_us(&fabric->door);

    for (uint32_t i = 0; fabric->unsettled > 0 && i < fabric->peers; i++) {
        const struct fabric_link *link = &fabric->links[i];
        if (link->broken != 0)
            return 0;
        if (link->state == LINK_RETRY && link->retry_us < deadline_us)
            deadline_us = link->retry_us;
        if ((link->state == LINK_CONNECTING || link->state == LINK_RETRY ||
             link->state == LINK_EXPECTED || link->state == LINK_GREETED) &&
            link->deadline_us < deadline_us)
            deadline_us = link->deadline_us;
    }
    return deadline_us;
}

void
fabric_counts(const struct fabric *fabric, struct fabric_counts *counts)
{
    *counts = fabric->counts;
    counts->strangers += fabric->door.strangers;
}

void
fabric_check(const struct fabric *fabric)
{
    uint32_t unsettled = 0;

    for (uint32_t i = 0; i < fabric->peers; i++) {
        const struct fabric_link *link = &fabric->links[i];
        bool open = link->state == LINK_CONNECTING || link->state == LINK_GREETED ||
                    link->state == LINK_UP;
        assert((link->ep != NULL) == open);
        assert(link->in_flight <= FABRIC_IN_FLIGHT_MAX);
        assert(link->peer == i && (i != fabric->peer || link->state == LINK_IDLE));
        unsettled += link->state != LINK_IDLE && link->state != LINK_UP && link->state != LINK_LOST;
        unsettled += link->broken != 0;
    }
    assert(unsettled == fabric->unsettled);
    assert(fabric->door.waiting_count <= DOOR_WAITING_MAX);
}
