/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "link/links_state.h"
#include "text/memory.h"

/* A probe from here. */
struct probe {
    struct cpi_list in_links;
    struct links *links;
    struct link *link;
    unsigned char id[IDENTITY_ID_BYTES];
    struct address address;
    int reached;
    links_probed_fn *fn;
    void *arg;
};

static void
on_probe_up(void *arg, struct link *link)
{
    struct probe *probe = arg;

    probe->reached = 1;
    link_close(link, "the probe is done");
}

static void
on_probe_message(void *arg, struct link *link, const void *bytes, size_t count)
{
    (void)arg;
    (void)bytes;
    (void)count;
    link_abort(link, "a probe carries no messages");
}

static void
on_probe_closed(void *arg, struct link *link, enum link_end end, const char *why)
{
    struct probe *probe = arg;
    struct links *links = probe->links;

    (void)link;
    (void)end;
    if (!links->closing)
        probe->fn(probe->arg, probe->id, &probe->address, probe->reached,
                  probe->reached ? "" : why);
    cpi_list_remove(&probe->in_links);
    free(probe);
    links_put(links);
}

static const struct link_hooks probe_hooks = {
    .on_up = on_probe_up, .on_message = on_probe_message, .on_closed = on_probe_closed,
};

void
links_probe(struct links *links, const unsigned char id[IDENTITY_ID_BYTES],
            const struct address *address, links_probed_fn *fn, void *arg)
{
    struct probe *probe = memory_new(1, sizeof(*probe));

    probe->links = links;
    memcpy(probe->id, id, IDENTITY_ID_BYTES);
    probe->address = *address;
    probe->fn = fn;
    probe->arg = arg;
    links->open++;
    cpi_list_append(&links->probes, &probe->in_links);
    probe->link = link_connect(links->loop, links->context, LINK_FOR_PROBE, address, 1, id,
                               links->limits, &probe_hooks, probe);
}

void
links_end_probes(struct links *links)
{
    CPI_LIST_FOR(at, &links->probes)
        link_abort(CPI_CONTAINER(at, struct probe, in_links)->link, "this peer is leaving");
}

/* --- the other end: who probes closes --- */

static void
on_probed_up(void *arg, struct link *link)
{
    (void)arg;
    (void)link;
}

static void
on_probed_closed(void *arg, struct link *link, enum link_end end, const char *why)
{
    (void)link;
    (void)end;
    (void)why;
    links_put(arg);
}

static const struct link_hooks probed_hooks = {
    .on_up = on_probed_up, .on_message = on_probe_message, .on_closed = on_probed_closed,
};

void
links_take_probe(struct links *links, struct link *link)
{
    links->open++;
    link_hand_over(link, &probed_hooks, links);
    link_close(link, "reached");
}
