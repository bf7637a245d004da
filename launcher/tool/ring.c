/* SPDX-License-Identifier: BSD-3-Clause */
#include "tool/ring.h"

#include "text/json.h"
#include "text/table.h"
#include "text/units.h"
#include "text/visible.h"
#include "tool/lookup.h"

/* --- tables --- */

static const struct table_column peer_columns[] = {
    {"PLACE", 0}, {"NAME", 0}, {"STATE", 0}, {"DISTANCE", TABLE_RIGHT}, {"ID", 0},
    {"ADDRESSES", 0},
};
static const struct table_column counter_columns[] = {{"COUNTER", 0}, {"VALUE", TABLE_RIGHT}};

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

/* The place is in the table already. */
static void
peer_add(struct table *table, const Cpmp__RingPeer *peer)
{
    struct text part = {0};

    table_cell(table, peer->name);
    table_cell(table, *peer->state != '\0' ? peer->state : "-");
    if (peer->rtt_us > 0)
        units_duration(&part, peer->rtt_us);
    else
        text_add_string(&part, "-");
    table_text(table, &part);
    tool_hex_add(&part, peer->id, TOOL_ID_DIGITS);
    table_text(table, &part);
    for (size_t i = 0; i < peer->n_addresses; i++)
        text_print(&part, "%s%s", i > 0 ? ", " : "", peer->addresses[i]);
    table_text(table, &part);
}

static void
places_add(struct tool *tool, const Cpmp__RingReply *ring)
{
    struct table table;

    table_init(&table, peer_columns, COUNT(peer_columns));
    if (ring->self != NULL) {
        table_cell(&table, "this peer");
        peer_add(&table, ring->self);
    }
    if (ring->predecessor != NULL) {
        table_cell(&table, "predecessor");
        peer_add(&table, ring->predecessor);
    }
    for (size_t i = 0; i < ring->n_successors; i++) {
        table_print(&table, "successor %zu", i + 1);
        peer_add(&table, ring->successors[i]);
    }
    for (size_t i = 0; i < ring->n_fingers; i++) {
        table_print(&table, "finger 2^%u", ring->fingers[i]->finger);
        peer_add(&table, ring->fingers[i]);
    }
    for (size_t i = 0; i < ring->n_links; i++) {
        table_cell(&table, "link");
        peer_add(&table, ring->links[i]);
    }
    table_write(&table, &tool->out, tool->columns);
    table_release(&table);
}

static void
counters_add(struct tool *tool, const Cpmp__RingReply *ring)
{
    struct table table;

    table_init(&table, counter_columns, COUNT(counter_columns));
    for (size_t i = 0; i < ring->n_counters; i++) {
        table_cell(&table, ring->counters[i]->name);
        table_print(&table, "%llu", (unsigned long long)ring->counters[i]->value);
    }
    text_add_string(&tool->out, "\n");
    table_write(&table, &tool->out, tool->columns);
    table_release(&table);
}

static void
tables_add(struct tool *tool, const Cpmp__RingReply *ring)
{
    if (*ring->health != '\0')
        text_visible_word(&tool->out, ring->health);
    else
        text_add_string(&tool->out, ring->joined ? "in the ring" : "not in the ring yet");
    text_add_string(&tool->out, "\n\n");
    places_add(tool, ring);
    if (ring->n_counters > 0)
        counters_add(tool, ring);
    if (ring->n_successors == 0)
        text_add_string(&tool->out,
                        "\nthis peer is alone in its ring; invite another: cpmp pool invite\n");
}

/* --- JSON --- */

void
tool_ring_peer_json(struct text *text, const char *name, const Cpmp__RingPeer *peer)
{
    if (peer == NULL) {
        json_null(text, name);
        return;
    }
    json_open(text, name, '{');
    tool_json_id(text, "id", peer->id);
    json_string(text, "name", peer->name);
    tool_json_string(text, "state", peer->state);
    if (peer->rtt_us > 0)
        json_number(text, "distance_us", peer->rtt_us);
    else
        json_null(text, "distance_us");
    tool_json_strings(text, "addresses", peer->addresses, peer->n_addresses);
    json_close(text, '}');
}

static void
peers_json(struct text *text, const char *name, Cpmp__RingPeer *const *peers, size_t count)
{
    json_open(text, name, '[');
    for (size_t i = 0; i < count; i++)
        tool_ring_peer_json(text, NULL, peers[i]);
    json_close(text, ']');
}

static void
fingers_json(struct text *text, const Cpmp__RingReply *ring)
{
    json_open(text, "fingers", '[');
    for (size_t i = 0; i < ring->n_fingers; i++) {
        json_open(text, NULL, '{');
        json_number(text, "exponent", ring->fingers[i]->finger);
        tool_ring_peer_json(text, "peer", ring->fingers[i]);
        json_close(text, '}');
    }
    json_close(text, ']');
}

static void
counters_json(struct text *text, const Cpmp__RingReply *ring)
{
    json_open(text, "counters", '[');
    for (size_t i = 0; i < ring->n_counters; i++) {
        json_open(text, NULL, '{');
        json_string(text, "name", ring->counters[i]->name);
        json_number(text, "value", ring->counters[i]->value);
        json_close(text, '}');
    }
    json_close(text, ']');
}

int
tool_ring_show(struct tool *tool, const Cpmp__Local *reply)
{
    const Cpmp__RingReply *ring = reply->ring_reply;
    struct text *out = &tool->out;

    if (!tool->options.json) {
        tables_add(tool, ring);
        return TOOL_OK;
    }
    json_open(out, NULL, '{');
    json_bool(out, "joined", ring->joined);
    json_string(out, "health", ring->health);
    tool_ring_peer_json(out, "self", ring->self);
    tool_ring_peer_json(out, "predecessor", ring->predecessor);
    peers_json(out, "successors", ring->successors, ring->n_successors);
    fingers_json(out, ring);
    peers_json(out, "links", ring->links, ring->n_links);
    counters_json(out, ring);
    json_close(out, '}');
    text_add_string(out, "\n");
    return TOOL_OK;
}

/* --- the command --- */

int
tool_ring_run(struct tool *tool)
{
    const struct tool_options *options = &tool->options;
    Cpmp__RingRequest ring = CPMP__RING_REQUEST__INIT;
    Cpmp__Local request = CPMP__LOCAL__INIT;
    int lookups = (options->key != NULL) + (options->text != NULL) + (options->count > 0);

    if (lookups > 1) {
        text_add_string(&tool->error, "--lookup, --text and --count exclude each other");
        return TOOL_USAGE;
    }
    if (lookups == 1)
        return tool_lookup_run(tool);
    if (options->sure) {
        text_add_string(&tool->error, "--sure belongs to --lookup, --text or --count");
        return TOOL_USAGE;
    }
    request.body_case = CPMP__LOCAL__BODY_RING;
    request.ring = &ring;
    return tool_ask(tool, &request, CPMP__LOCAL__BODY_RING_REPLY, tool_ring_show);
}
