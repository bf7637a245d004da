/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/traffic.h"

#include <cpmp.h>
#include <string.h>

#include "agent/report.h"

static void
on_lost(void *arg, uint32_t peer, int error, const char *why)
{
    struct traffic *traffic = arg;

    (void)error;
    report_peer_lost(traffic->stream, peer, why);
}

static void
on_faulty(void *arg, uint32_t local, const char *why)
{
    struct traffic *traffic = arg;

    report_trouble(traffic->stream, CONTROL_TROUBLE_FATAL,
                   "rank %u wrote into its ring what is no message: %s",
                   traffic->job->local_ranks[local], why);
}

int
traffic_listen(struct traffic *traffic, const struct job *job, char *why)
{
    struct fabric_config config = {
        .listen = job->listen, .port_first = job->port_first, .port_last = job->port_last,
        .job = job->id, .key = job->key, .peer = job->peer, .peers = job->peers, .incarnation = 1,
        .encrypt = job->encrypt,
    };

    traffic->job = job;
    return job->peers < 2 ? (int)CPMP_OK : fabric_open(&traffic->fabric, &config, why);
}

const char *
traffic_address(const struct traffic *traffic)
{
    return traffic->fabric == NULL ? "" : fabric_address(traffic->fabric);
}

void
traffic_settle(struct traffic *traffic)
{
    if (traffic->services == NULL)
        return;
    router_run(traffic->router);
    services_flush(traffic->services);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    traffic_settle(poll->data);
}

/* Every agent expects or makes a connection to every other one. */
static int
peers_connect(struct traffic *traffic)
{
    const Cpmp__Start *start = traffic->job->start;

    for (uint32_t peer = 0; peer < traffic->job->peers && peer < start->n_peers; peer++) {
        char address[ADDRESS_TEXT_MAX] = "";
        const ProtobufCBinaryData *told = &start->peers[peer]->fabric_address;
        if (peer == traffic->job->peer)
            continue;
        if (told->len >= sizeof(address))
            return CPMP_EINVAL;
        if (told->len > 0)
            memcpy(address, told->data, told->len);
        int error = fabric_connect(traffic->fabric, peer, address);
        if (error != CPMP_OK)
            return error;
    }
    return CPMP_OK;
}

int
traffic_start(struct traffic *traffic, uv_loop_t *loop, struct control_stream *stream)
{
    const struct job *job = traffic->job;
    struct router_config config = {
        .segment = &job->segment, .fabric = traffic->fabric, .host = job->host,
        .pids = job->pids,
        .bell_fd = job->doorbell_fd, .events = {.lost = on_lost, .faulty = on_faulty},
        .arg = traffic,
    };

    traffic->stream = stream;
    int error = router_open(&traffic->router, &config);
    if (error != CPMP_OK)
        return error;
    error = services_open(&traffic->services, traffic->router, stream, &job->segment);
    if (error == CPMP_OK && traffic->fabric != NULL)
        error = peers_connect(traffic);
    if (error != CPMP_OK)
        return error;
    traffic->poll.data = traffic;
    if (uv_poll_init(loop, &traffic->poll, router_fd(traffic->router)) < 0 ||
        uv_poll_start(&traffic->poll, UV_READABLE, on_readable) < 0)
        return CPMP_ESYS;
    traffic_settle(traffic);
    return CPMP_OK;
}

void
traffic_forget(struct traffic *traffic, uint32_t rank)
{
    if (traffic->services == NULL)
        return;
    services_forget(traffic->services, rank);
    router_forget(traffic->router, traffic->job->segment.places[rank].local);
}

bool
traffic_is_drained(const struct traffic *traffic)
{
    return traffic->services == NULL || services_are_drained(traffic->services);
}

void
traffic_count(const struct traffic *traffic, Cpmp__Done *done)
{
    struct router_counts routed;
    struct fabric_counts carried;

    if (traffic->fabric == NULL || traffic->router == NULL)
        return;
    router_counts(traffic->router, &routed);
    fabric_counts(traffic->fabric, &carried);
    done->frames_out = routed.frames_out;
    done->frames_in = routed.frames_in;
    done->bytes_out = carried.bytes_out;
    done->bytes_in = carried.bytes_in;
    done->batches_out = carried.batches_out;
    done->strangers += carried.strangers;
}

void
traffic_release(struct traffic *traffic)
{
    services_close(traffic->services);
    router_close(traffic->router);
    fabric_close(traffic->fabric);
    memset(traffic, 0, sizeof(*traffic));
}
