/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/door.h"

#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "base/list.h"
#include "link/dial.h"
#include "text/memory.h"

#define BACKLOG 256

/* A handshake takes 0.7 ms of a core (measured on a busy one), so strangers cost a seventh of one
 * at most. */
const struct door_limits door_limits_default = {
    .half_open_max = 256, .half_open_place_max = 64,
    .accepts_per_s = 200, .accepts_burst = 500,
    .accepts_place_per_s = 50, .accepts_place_burst = 200,
    .link = {
        .connect_ms = 10000, .handshake_ms = 5000, .silence_ms = 10000,
        .message_bytes = FRAMES_BYTES_MAX,
        .messages_per_s = 5000, .messages_burst = 20000,
        .bytes_per_s = 512e6, .bytes_burst = 512e6,
    },
};

/* A connection that is no link yet. */
struct guest {
    struct cpi_list in_door;
    struct door *door;
    struct link *link;
    struct address place;
    int is_up;
};

struct listener {
    uv_tcp_t *tcp;
    struct address address;
};

struct door {
    uv_loop_t *loop;
    struct tls_context *context;
    const struct door_limits *limits;
    const struct door_hooks *hooks;
    void *arg;
    struct listener listeners[DOOR_LISTENERS_MAX];
    size_t listener_count;
    struct cpi_list guests;
    unsigned half_open;
    int closing;
    struct rate accepts;
    struct rate places[DOOR_PLACES];
    struct door_counters counters;
    uv_idle_t last;   /* so that on_closed comes from the loop */
};

static void
on_door_closed(uv_handle_t *handle)
{
    struct door *door = handle->data;
    const struct door_hooks *hooks = door->hooks;
    void *arg = door->arg;

    free(door);
    if (hooks->on_closed != NULL)
        hooks->on_closed(arg);
}

static void
door_finish(struct door *door)
{
    if (door->closing && door->half_open == 0 && !uv_is_closing((uv_handle_t *)&door->last))
        uv_close((uv_handle_t *)&door->last, on_door_closed);
}

/* --- guests --- */

static void
guest_leave(struct guest *guest)
{
    struct door *door = guest->door;

    cpi_list_remove(&guest->in_door);
    door->half_open--;
    free(guest);
    door_finish(door);
}

static void
on_guest_message(void *arg, struct link *link, const void *bytes, size_t count)
{
    (void)arg;
    (void)bytes;
    (void)count;
    link_abort(link, "nobody here takes this link");
}

static void
on_guest_closed(void *arg, struct link *link, enum link_end end, const char *why)
{
    struct guest *guest = arg;

    (void)link;
    (void)why;
    if (!guest->is_up)
        guest->door->counters.failed[end]++;
    guest_leave(guest);
}

static void on_guest_up(void *arg, struct link *link);

static const struct link_hooks guest_hooks = {
    .on_up = on_guest_up, .on_message = on_guest_message, .on_closed = on_guest_closed,
};

/* Of a link that the owner didn't take. */
static void
on_orphan_closed(void *arg, struct link *link, enum link_end end, const char *why)
{
    (void)arg;
    (void)link;
    (void)end;
    (void)why;
}

static char orphan_mark;  /* its address says: nobody's */

static const struct link_hooks orphan_hooks = {
    .on_up = on_guest_up, .on_message = on_guest_message, .on_closed = on_orphan_closed,
};

static void
on_guest_up(void *arg, struct link *link)
{
    struct guest *guest = arg;
    struct door *door = guest->door;

    door->counters.up++;
    guest->is_up = 1;
    link_hand_over(link, &orphan_hooks, &orphan_mark);
    guest_leave(guest);
    door->hooks->on_link(door->arg, link);
    if (link_owner(link) == &orphan_mark)
        link_abort(link, "nobody here takes this link");
}

/* --- who may come in --- */

static struct address
place_of(const struct sockaddr *from)
{
    struct address place = {0};

    address_from_sockaddr(from, &place);
    place.port = 0;
    if (place.family == 6)
        memset(place.bytes + 8, 0, 8);
    return place;
}

static struct rate *
place_rate(struct door *door, const struct address *place)
{
    uint32_t hash = 2166136261u;  /* FNV-1a: who picks addresses to collide is only slowed down */

    for (size_t i = 0; i < sizeof(place->bytes); i++)
        hash = (hash ^ place->bytes[i]) * 16777619u;
    return &door->places[hash % DOOR_PLACES];
}

static unsigned
place_half_open(const struct door *door, const struct address *place)
{
    unsigned count = 0;

    CPI_LIST_FOR(at, &door->guests) {
        const struct guest *guest = CPI_CONTAINER(at, struct guest, in_door);
        count += (unsigned)address_equal(&guest->place, place);
    }
    return count;
}

static int
door_admits(struct door *door, const struct address *place)
{
    uint64_t now_us = uv_hrtime() / 1000;
    struct door_counters *counters = &door->counters;

    if (!rate_take(place_rate(door, place), 1, now_us) || !rate_take(&door->accepts, 1, now_us)) {
        counters->turned_away_rate++;
        return 0;
    }
    if (door->half_open >= door->limits->half_open_max) {
        counters->turned_away_full++;
        return 0;
    }
    if (place_half_open(door, place) >= door->limits->half_open_place_max) {
        counters->turned_away_place++;
        return 0;
    }
    return 1;
}

static void
on_connection(uv_stream_t *server, int status)
{
    struct door *door = server->data;
    struct sockaddr_storage from = {0};
    struct guest *guest;
    uv_tcp_t *tcp;
    int bytes = sizeof(from);

    if (status < 0)
        return;  /* out of descriptors: libuv has closed the connection */
    tcp = memory_new(1, sizeof(*tcp));
    if (uv_tcp_init(door->loop, tcp) < 0) {
        free(tcp);
        return;
    }
    if (uv_accept(server, (uv_stream_t *)tcp) < 0 ||
        uv_tcp_getpeername(tcp, (struct sockaddr *)&from, &bytes) < 0) {
        dial_drop(tcp);
        return;
    }
    door->counters.accepted++;
    guest = memory_new(1, sizeof(*guest));
    guest->door = door;
    guest->place = place_of((struct sockaddr *)&from);
    if (!door_admits(door, &guest->place)) {
        free(guest);
        dial_drop(tcp);
        return;
    }
    cpi_list_append(&door->guests, &guest->in_door);
    door->half_open++;
    guest->link = link_accept(tcp, door->context, &door->limits->link, &guest_hooks, guest);
}

/* --- the door --- */

struct door *
door_new(uv_loop_t *loop, struct tls_context *context, const struct door_limits *limits,
         const struct door_hooks *hooks, void *arg)
{
    struct door *door = memory_new(1, sizeof(*door));
    uint64_t now_us = uv_hrtime() / 1000;

    door->loop = loop;
    door->context = context;
    door->limits = limits;
    door->hooks = hooks;
    door->arg = arg;
    cpi_list_init(&door->guests);
    rate_init(&door->accepts, limits->accepts_per_s, limits->accepts_burst, now_us);
    for (size_t i = 0; i < DOOR_PLACES; i++)
        rate_init(&door->places[i], limits->accepts_place_per_s, limits->accepts_place_burst,
                  now_us);
    uv_idle_init(loop, &door->last);
    door->last.data = door;
    return door;
}

static int
listener_open(struct door *door, uv_tcp_t *tcp, const struct address *address)
{
    struct sockaddr_storage at;
    int bytes = sizeof(at), status;

    address_to_sockaddr(address, &at);
    status = uv_tcp_bind(tcp, (struct sockaddr *)&at, 0);
    if (status == 0)
        status = uv_listen((uv_stream_t *)tcp, BACKLOG, on_connection);
    if (status == 0)
        status = uv_tcp_getsockname(tcp, (struct sockaddr *)&at, &bytes);
    if (status == 0)
        address_from_sockaddr((struct sockaddr *)&at,
                              &door->listeners[door->listener_count].address);
    return status;
}

static uv_tcp_t *
listener_new(struct door *door, const struct address *address, int *status_p)
{
    uv_tcp_t *tcp = memory_new(1, sizeof(*tcp));

    *status_p = uv_tcp_init(door->loop, tcp);
    if (*status_p < 0) {
        free(tcp);
        return NULL;
    }
    tcp->data = door;
    *status_p = listener_open(door, tcp, address);
    if (*status_p == 0)
        return tcp;
    dial_drop(tcp);
    return NULL;
}

static int
is_everywhere(const struct address *address)
{
    static const uint8_t zero[ADDRESS_BYTES_MAX];

    return address->family == 6 && memcmp(address->bytes, zero, sizeof(zero)) == 0;
}

int
door_listen(struct door *door, const struct address *address, struct text *why)
{
    struct address without = {.family = 4, .port = address->port};
    char text[ADDRESS_TEXT_MAX];
    uv_tcp_t *tcp;
    int status;

    if (door->listener_count == DOOR_LISTENERS_MAX) {
        text_print(why, "cannot listen at more than %u addresses", DOOR_LISTENERS_MAX);
        return CPMP_ELIMIT;
    }
    tcp = listener_new(door, address, &status);
    if (tcp == NULL && is_everywhere(address) &&
        (status == UV_EAFNOSUPPORT || status == UV_EADDRNOTAVAIL))
        tcp = listener_new(door, &without, &status);  /* a machine without IPv6 */
    if (tcp == NULL) {
        address_print(address, text);
        text_print(why, "cannot listen at %s: %s%s", text, uv_strerror(status),
                   status == UV_EADDRINUSE
                       ? "; stop the other program there or choose another port with --listen" :
                   status == UV_EADDRNOTAVAIL
                       ? "; it is no address of this machine, see `ip address`" : "");
        return CPMP_ESYS;
    }
    door->listeners[door->listener_count++].tcp = tcp;
    return CPMP_OK;
}

size_t
door_listener_count(const struct door *door)
{
    return door->listener_count;
}

const struct address *
door_listener(const struct door *door, size_t at)
{
    return &door->listeners[at].address;
}

const struct door_counters *
door_counters(const struct door *door)
{
    return &door->counters;
}

unsigned
door_half_open(const struct door *door)
{
    return door->half_open;
}

void
door_close(struct door *door)
{
    if (door->closing)
        return;
    door->closing = 1;
    for (size_t i = 0; i < door->listener_count; i++)
        dial_drop(door->listeners[i].tcp);
    CPI_LIST_FOR(at, &door->guests)
        link_abort(CPI_CONTAINER(at, struct guest, in_door)->link, "the door is closed");
    door_finish(door);
}
