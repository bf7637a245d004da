/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/router_direct.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- what ranks ask for --- */

static struct router_reach *
reach_of(struct router *router, const struct cpi_frame *frame)
{
    return &router->reaches[router->segment->places[frame->source].local];
}

static void
fault(struct router *router, const struct cpi_frame *frame, const char *why)
{
    uint32_t local = router->segment->places[frame->source].local;

    router->sources[local].faulty = true;
    router->events.faulty(router->arg, local, why);
}

static void
on_reach(void *arg, uint32_t peer, const struct cpi_frame *frame)
{
    struct router *router = arg;
    struct router_reach *reach = reach_of(router, frame);
    struct cpi_rank_block *block = &router->segment->ranks[reach - router->reaches];

    assert(peer == router->peer);
    if (reach->directs != NULL)
        return;
    uint32_t pid = router->pids != NULL ? router->pids[reach - router->reaches]
                                        : atomic_load(&block->pid);
    struct router_direct *directs = calloc(2 * (size_t)CPI_DIRECT_MAX, sizeof(*directs));
    if (directs == NULL ||
        !reach_open(&reach->memory, (pid_t)pid, block->cookie_address, block->cookie)) {
        free(directs);
        return;
    }
    reach->directs = directs;
    atomic_store(&block->reached, 1);
}

/* Landings are the first half of a rank's places, hauls the second. */
static struct router_direct *
direct_find(struct router_reach *reach, bool haul, uint64_t handle, bool used)
{
    if (reach->directs == NULL)
        return NULL;
    struct router_direct *first = reach->directs + (haul ? CPI_DIRECT_MAX : 0);
    for (uint32_t i = 0; i < CPI_DIRECT_MAX; i++)
        if (used ? first[i].used && first[i].handle == handle : !first[i].used)
            return &first[i];
    return NULL;
}

/* A new one as the rank's frame has it, NULL when the frame asks for what can't be. */
static struct router_direct *
direct_new(struct router *router, const struct cpi_frame *frame)
{
    struct router_direct *direct = direct_find(reach_of(router, frame),
                                               frame->kind == CPI_FRAME_HAUL, 0, false);
    struct cpi_frame_direct asked;

    memcpy(&asked, frame + 1, sizeof(asked));
    if (direct == NULL || asked.rank >= router->world ||
        router->segment->places[asked.rank].peer == router->peer)
        return NULL;
    *direct = (struct router_direct){
        .used = true, .incarnation = frame->incarnation, .here = frame->source,
        .there = asked.rank, .handle = frame->handle, .other = asked.other,
        .address = asked.address, .bytes = frame->length,
    };
    return direct;
}

static void
on_land(void *arg, uint32_t peer, const struct cpi_frame *frame)
{
    struct router *router = arg;

    assert(peer == router->peer);
    if (frame->length == 0) {
        struct router_direct *landing = direct_find(reach_of(router, frame), false, frame->handle,
                                                    true);
        if (landing != NULL)
            landing->used = false;
    } else if (direct_new(router, frame) == NULL) {
        fault(router, frame, "it asked for a landing that can't be");
    }
}

static void
on_haul(void *arg, uint32_t peer, const struct cpi_frame *frame)
{
    struct router *router = arg;
    struct router_direct *haul = frame->length > 0 ? direct_new(router, frame) : NULL;

    assert(peer == router->peer);
    if (haul == NULL) {
        fault(router, frame, "it asked for a haul that can't be");
        return;
    }
    struct router_link *link = &router->links[router->segment->places[haul->there].peer];
    if (link->lost) {
        haul->used = false;
        router->counts.frames_dropped++;
        return;
    }
    haul->next = NULL;
    *(link->hauls == NULL ? &link->hauls : &link->hauls_last->next) = haul;
    link->hauls_last = haul;
}

/* Tells the rank that its message is moved, or that `error` (an errno) came between. */
static void
direct_end(struct router *router, struct router_direct *direct, int error)
{
    struct cpi_frame frame = {
        .size = sizeof(frame), .kind = CPI_FRAME_MOVED, .source = CPI_RANK_AGENT,
        .dest = direct->here, .tag = error, .length = direct->bytes, .handle = direct->handle,
    };

    direct->used = false;
    if (router_sink_put(router, router->segment->places[direct->here].local, router->peer,
                        &frame) != CPMP_OK)
        router->counts.frames_dropped++;
}

/* --- out --- */

/* Room for a frame of cargo, kept by its slot while it is under way. */
static struct cpi_frame *
cargo_room(struct router_link *link, struct router_slot *slot)
{
    uint32_t i = 0;

    while (i < ROUTER_CARGOES && (link->cargoes_used & 1u << i) != 0)
        i++;
    if (i == ROUTER_CARGOES)
        return NULL;
    link->cargoes_used |= 1u << i;
    slot->cargo = i + 1;
    return (struct cpi_frame *)(link->cargoes + i * ROUTER_CARGO_BYTES);
}

void
router_cargo_release(struct router_link *link, struct router_slot *slot)
{
    if (slot->cargo > 0)
        link->cargoes_used &= ~(1u << (slot->cargo - 1));
    slot->cargo = 0;
}

/* For the next frame of cargo; NULL: there is none, or it has to wait. */
static struct router_slot *
cargo_slot(struct router *router, struct router_link *link)
{
    if (link->hauls == NULL || link->queued + ROUTER_CARGO_BYTES > link->granted ||
        fabric_in_flight(router->fabric, link->peer) >= FABRIC_IN_FLIGHT_MAX)
        return NULL;
    return router_slot_free(link);
}

bool
router_cargo_send(struct router *router, struct router_link *link)
{
    struct router_slot *slot = cargo_slot(router, link);
    struct cpi_frame *frame = slot != NULL ? cargo_room(link, slot) : NULL;

    if (frame == NULL)
        return false;
    struct router_direct *haul = link->hauls;
    const struct router_reach *reach = &router->reaches[router->segment->places[haul->here].local];
    uint64_t left = haul->bytes - haul->offset;
    size_t part = left < CPI_CARGO_MAX ? left : CPI_CARGO_MAX;
    *frame = (struct cpi_frame){
        .size = (uint32_t)(sizeof(*frame) + part), .kind = CPI_FRAME_CARGO,
        .incarnation = haul->incarnation, .source = haul->here, .dest = CPI_RANK_AGENT,
        .context = haul->there, .length = haul->offset, .handle = haul->other,
    };
    int error = reach_read(&reach->memory, haul->address + haul->offset, frame + 1, part);
    haul->offset += part;
    if (error != 0 || haul->offset == haul->bytes) {
        link->hauls = haul->next;
        direct_end(router, haul, error);
    }
    if (error != 0) {
        router_cargo_release(link, slot);
        return true;
    }
    memset((char *)frame + frame->size, 0, cpi_frame_stride(frame->size) - frame->size);
    router->counts.frames_out++;
    router_slot_cargo(router, link, slot, frame);
    return true;
}

/* --- in --- */

int
router_cargo_take(struct router *router, const struct cpi_frame *frame)
{
    uint32_t rank = frame->context;
    size_t part = cpi_frame_payload_bytes(frame);

    if (rank >= router->world || router->segment->places[rank].peer != router->peer)
        return CPMP_EPROTO;
    struct router_reach *reach = &router->reaches[router->segment->places[rank].local];
    if (reach->directs == NULL) {  /* the rank has ended */
        router->counts.frames_dropped++;
        return CPMP_OK;
    }
    struct router_direct *landing = direct_find(reach, false, frame->handle, true);
    if (landing == NULL || frame->source != landing->there || frame->length != landing->offset ||
        part > landing->bytes - landing->offset)
        return CPMP_EPROTO;
    int error = landing->failed ? 0 : reach_write(&reach->memory,
                                                  landing->address + landing->offset, frame + 1,
                                                  part);
    landing->offset += part;
    bool complete = landing->offset == landing->bytes;
    if (error != 0 || (complete && !landing->failed))
        direct_end(router, landing, error);
    landing->used = !complete;  /* one that failed takes the rest of its cargo */
    landing->failed |= error != 0;
    return CPMP_OK;
}

/* --- ends --- */

void
router_link_hauls_drop(struct router *router, struct router_link *link)
{
    while (link->hauls != NULL) {
        link->hauls->used = false;
        link->hauls = link->hauls->next;
        router->counts.frames_dropped++;
    }
}

void
router_forget(struct router *router, uint32_t local)
{
    struct router_reach *reach = &router->reaches[local];

    for (uint32_t peer = 0; peer < router->peers; peer++) {
        struct router_direct **at_p = &router->links[peer].hauls, *last = NULL;
        while (*at_p != NULL) {
            if (router->segment->places[(*at_p)->here].local == local)
                *at_p = (*at_p)->next;
            else
                at_p = &(last = *at_p)->next;
        }
        router->links[peer].hauls_last = last;
    }
    if (reach->directs != NULL)
        reach_close(&reach->memory);
    free(reach->directs);
    *reach = (struct router_reach){.directs = NULL};
}

void
router_direct_on(struct router *router)
{
    router_on(router, CPI_FRAME_REACH, on_reach, router);
    router_on(router, CPI_FRAME_LAND, on_land, router);
    router_on(router, CPI_FRAME_HAUL, on_haul, router);
}
