/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers to cpmp: what there is, what the ring looks like, the owner's policy, what ran.
 */
#include "peer/daemon.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cpmp.h>

#include "peer/policy_file.h"
#include "peer/rows.h"
#include "text/hex.h"
#include "text/memory.h"

#define HISTORY_TOLD_MAX 4096u  /* rows */

/* Only the superuser and who the daemon runs as may change things. */
static bool
owner_only(struct daemon *daemon, const struct session *session, const Cpmp__Local *message)
{
    if (session->uid == 0 || session->uid == geteuid())
        return true;
    sessions_fail(&daemon->sessions, session->id, message->number, LOCAL_FAILURE_REFUSED,
                  "only the superuser, or who started cpmpd, may do that");
    return false;
}

static void
fail(struct daemon *daemon, const struct session *session, const Cpmp__Local *message,
     enum local_failure code, struct text *why)
{
    sessions_fail(&daemon->sessions, session->id, message->number, code, "%s", text_string(why));
    text_release(why);
}

/* --- peers and jobs --- */

static void
on_peers(void *arg, const struct offer *offers, size_t count, uint32_t unanswered)
{
    struct waiting_one *one = arg;
    Cpmp__Local answer = CPMP__LOCAL__INIT;
    Cpmp__PeersReply reply = CPMP__PEERS_REPLY__INIT;

    reply.rows = rows_make(one->arg, offers, count, &reply.n_rows);
    reply.unanswered = unanswered;
    answer.body_case = CPMP__LOCAL__BODY_PEERS_REPLY;
    answer.peers_reply = &reply;
    waiting_answer(one, &answer);
    rows_free(reply.rows, reply.n_rows);
}

static void
on_jobs(void *arg, Cpmp__JobRow **rows, size_t count)
{
    struct waiting_one *one = arg;
    Cpmp__Local answer = CPMP__LOCAL__INIT;
    Cpmp__JobsReply reply = CPMP__JOBS_REPLY__INIT;

    reply.rows = rows;
    reply.n_rows = count;
    answer.body_case = CPMP__LOCAL__BODY_JOBS_REPLY;
    answer.jobs_reply = &reply;
    waiting_answer(one, &answer);
}

/* --- the ring --- */

/* Peers of an answer, freed together. */
struct ring_list {
    Cpmp__RingPeer **peers;
    size_t count;
};

static const char *
state_of(const struct daemon *daemon, uint32_t contact)
{
    static const char *const words[] = {"alive", "suspect", "dead", "suspended", "left"};
    struct detector_view view;

    if (contact == BOOK_SELF)
        return "alive";
    if (detector_find(overlay_detector(daemon->overlay), contact, &view))
        return words[view.state];
    return chord_suspects(overlay_chord(daemon->overlay), contact) ? "suspect" : "";
}

static Cpmp__RingPeer *
ring_peer(const struct daemon *daemon, const struct chord_peer *peer, uint32_t level)
{
    const struct book_entry *entry = book_get(&daemon->book, peer->contact);
    Cpmp__RingPeer *out = memory_new(1, sizeof(*out));

    cpmp__ring_peer__init(out);
    out->id.data = memory_new(1, CHORD_ID_BYTES);
    out->id.len = CHORD_ID_BYTES;
    memcpy(out->id.data, peer->id.bytes, CHORD_ID_BYTES);
    out->name = memory_copy_text(entry != NULL ? entry->name : "");
    out->state = memory_copy_text(state_of(daemon, peer->contact));
    out->finger = level;
    out->rtt_us = links_round_trip_us(daemon->links, peer->id.bytes);
    if (entry == NULL)
        return out;
    out->addresses = memory_new(entry->address_count, sizeof(char *));
    for (uint32_t i = 0; i < entry->address_count; i++)
        out->addresses[out->n_addresses++] = memory_copy_text(entry->addresses[i]);
    return out;
}

static void
ring_add(struct ring_list *list, Cpmp__RingPeer *peer)
{
    list->peers = memory_grow(list->peers, list->count + 1, sizeof(Cpmp__RingPeer *));
    list->peers[list->count++] = peer;
}

static void
ring_release(struct ring_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        cpmp__ring_peer__free_unpacked(list->peers[i], NULL);
    free(list->peers);
}

struct counting {
    Cpmp__Counter *counters[LINK_ENDS + 16];
    size_t count;
};

static void
count_add(struct counting *counting, const char *name, uint64_t value)
{
    Cpmp__Counter *counter = memory_new(1, sizeof(*counter));

    cpmp__counter__init(counter);
    counter->name = memory_copy_text(name);
    counter->value = value;
    counting->counters[counting->count++] = counter;
}

static void
counters_fill(const struct daemon *daemon, struct counting *counting)
{
    const struct door_counters *door = door_counters(daemon->door);

    count_add(counting, "connections", door->accepted);
    count_add(counting, "links let in", door->up);
    count_add(counting, "turned away: too many half-open", door->turned_away_full);
    count_add(counting, "turned away: too many of one place", door->turned_away_place);
    count_add(counting, "turned away: too fast", door->turned_away_rate);
    for (int end = 0; end < LINK_ENDS; end++) {
        char name[64];
        if (door->failed[end] == 0)
            continue;
        snprintf(name, sizeof(name), "strangers: %s", link_end_name((enum link_end)end));
        count_add(counting, name, door->failed[end]);
    }
    count_add(counting, "records kept for others", kv_records(overlay_kv(daemon->overlay)));
}

struct link_listing {
    const struct daemon *daemon;
    struct ring_list *list;
};

static void
link_add(void *arg, const struct links_view *view)
{
    struct link_listing *listing = arg;
    struct chord_peer peer;

    if (!view->is_up)
        return;
    memcpy(peer.id.bytes, view->peer.id, CHORD_ID_BYTES);
    peer.contact = book_find(&listing->daemon->book, &peer.id);
    ring_add(listing->list, ring_peer(listing->daemon, &peer, 0));
}

static void
health_print(const struct daemon *daemon, struct text *text)
{
    const struct chord *chord = overlay_chord(daemon->overlay);
    enum chord_status status = chord_status(chord);
    size_t count;

    chord_successors(chord, &count);
    if (status == CHORD_JOINING)
        text_add_string(text, "joining: no member of the pool answers yet");
    else if (status != CHORD_MEMBER)
        text_add_string(text, "in no ring");
    else if (count == 0)
        text_add_string(text, "alone: no other peer is in the ring");
    else if (chord_predecessor(chord) == NULL)
        text_add_string(text, "being mended: the predecessor is not known");
    else
        text_print(text, "in a ring, with %zu of %" PRIu64 " successors", count,
                   chord_params_default().successors);
}

static void
lists_free(struct ring_list *lists, size_t count, struct counting *counting)
{
    for (size_t i = 0; i < count; i++)
        ring_release(&lists[i]);
    for (size_t i = 0; i < counting->count; i++)
        cpmp__counter__free_unpacked(counting->counters[i], NULL);
}

static void
tell_ring(struct daemon *daemon, const struct session *session, const Cpmp__Local *message)
{
    const struct chord *chord = overlay_chord(daemon->overlay);
    struct ring_list lists[4] = {0};
    struct link_listing links = {.daemon = daemon, .list = &lists[3]};
    struct counting counting = {.count = 0};
    Cpmp__RingReply reply = CPMP__RING_REPLY__INIT;
    Cpmp__Local answer = CPMP__LOCAL__INIT;
    struct text health = {0};
    size_t count;
    const struct chord_peer *successors = chord_successors(chord, &count);

    ring_add(&lists[0], ring_peer(daemon, chord_self(chord), 0));
    if (chord_predecessor(chord) != NULL)
        ring_add(&lists[0], ring_peer(daemon, chord_predecessor(chord), 0));
    for (size_t i = 0; i < count; i++)
        ring_add(&lists[1], ring_peer(daemon, &successors[i], 0));
    const struct chord_finger *fingers = chord_fingers(chord, &count);
    for (size_t i = 0; i < count; i++)
        ring_add(&lists[2], ring_peer(daemon, &fingers[i].peer, fingers[i].level));
    links_each(daemon->links, link_add, &links);
    counters_fill(daemon, &counting);
    health_print(daemon, &health);
    reply.self = lists[0].peers[0];
    reply.predecessor = lists[0].count > 1 ? lists[0].peers[1] : NULL;
    reply.joined = chord_status(chord) == CHORD_MEMBER;
    reply.successors = lists[1].peers;
    reply.n_successors = lists[1].count;
    reply.fingers = lists[2].peers;
    reply.n_fingers = lists[2].count;
    reply.links = lists[3].peers;
    reply.n_links = lists[3].count;
    reply.counters = counting.counters;
    reply.n_counters = counting.count;
    reply.health = (char *)text_string(&health);
    answer.body_case = CPMP__LOCAL__BODY_RING_REPLY;
    answer.ring_reply = &reply;
    sessions_answer(&daemon->sessions, session->id, message->number, &answer);
    lists_free(lists, 4, &counting);
    text_release(&health);
}

static void
on_looked_up(void *arg, const struct chord_result *result, uint64_t took_us)
{
    struct waiting_one *one = arg;
    struct daemon *daemon = one->arg;
    Cpmp__Local answer = CPMP__LOCAL__INIT;
    Cpmp__LookupReply reply = CPMP__LOOKUP_REPLY__INIT;

    if (result->why != CHORD_FOUND) {
        waiting_fail(one, LOCAL_FAILURE_BROKEN,
                     result->why == CHORD_TIMED_OUT ? "the ring doesn't answer"
                     : result->why == CHORD_NO_RING ? "this peer is in no ring now"
                                                    : "too many lookups at a time");
        return;
    }
    reply.owner = ring_peer(daemon, &result->owner, 0);
    reply.hops = result->hops;
    reply.took_us = took_us;
    answer.body_case = CPMP__LOCAL__BODY_LOOKUP_REPLY;
    answer.lookup_reply = &reply;
    waiting_answer(one, &answer);
    cpmp__ring_peer__free_unpacked(reply.owner, NULL);
}

static void
tell_lookup(struct daemon *daemon, const struct session *session, const Cpmp__Local *message)
{
    struct waiting_one *one;
    struct chord_id key;

    if (message->lookup->key.len != CHORD_ID_BYTES) {
        sessions_fail(&daemon->sessions, session->id, message->number, LOCAL_FAILURE_WRONG,
                      "a key has %u bytes", CHORD_ID_BYTES);
        return;
    }
    memcpy(key.bytes, message->lookup->key.data, CHORD_ID_BYTES);
    one = waiting_new(&daemon->waiting, session, message->number);
    if (one != NULL)
        overlay_lookup(daemon->overlay, &key,
                       message->lookup->sure ? CHORD_DISJOINT : CHORD_RECURSIVE, on_looked_up, one);
}

/* --- the pool --- */

static void
tell_invite(struct daemon *daemon, const struct session *session, const Cpmp__Local *message)
{
    Cpmp__Local answer = CPMP__LOCAL__INIT;
    Cpmp__InviteReply reply = CPMP__INVITE_REPLY__INIT;
    struct text token = {0}, why = {0};
    int64_t expiry_s = 0;

    if (!owner_only(daemon, session, message))
        return;
    if (membership_invite(&daemon->membership, daemon->addresses, daemon->address_count,
                          message->invite->lifetime_s, &token, &expiry_s, &why) != CPMP_OK) {
        fail(daemon, session, message, LOCAL_FAILURE_REFUSED, &why);
        return;
    }
    reply.token = (char *)text_string(&token);
    reply.expires = (uint64_t)expiry_s;
    reply.open = daemon->membership.open;
    answer.body_case = CPMP__LOCAL__BODY_INVITED;
    answer.invited = &reply;
    sessions_answer(&daemon->sessions, session->id, message->number, &answer);
    text_release(&token);
    text_release(&why);
}

static void
tell_revoke(struct daemon *daemon, const struct session *session, const Cpmp__Local *message)
{
    Cpmp__Local answer = CPMP__LOCAL__INIT;
    Cpmp__RevokeReply reply = CPMP__REVOKE_REPLY__INIT;
    uint64_t serial = daemon->membership.revoked.serial;
    struct membership_peer peer;
    struct text why = {0};

    if (!owner_only(daemon, session, message))
        return;
    if (membership_revoke(&daemon->membership, message->revoke->peer, &peer, &why) != CPMP_OK) {
        if (why.used > 0 && daemon->membership.revoked.serial > serial)
            daemon_net_revoked(daemon);  /* that it can't be kept doesn't help him */
        fail(daemon, session, message, LOCAL_FAILURE_REFUSED, &why);
        return;
    }
    daemon_say("%s is shut out of pool %s", peer.name, daemon->membership.pool);
    daemon_net_revoked(daemon);
    reply.name = peer.name;
    reply.id = (ProtobufCBinaryData){.len = IDENTITY_ID_BYTES, .data = peer.id};
    reply.serial = daemon->membership.revoked.serial;
    answer.body_case = CPMP__LOCAL__BODY_REVOKED;
    answer.revoked = &reply;
    sessions_answer(&daemon->sessions, session->id, message->number, &answer);
    text_release(&why);
}

/* --- the owner's word --- */

static bool
policy_change(struct daemon *daemon, const struct session *session, const Cpmp__Local *message)
{
    const Cpmp__PolicyRequest *request = message->policy;
    struct text path = {0}, why = {0};
    int error;

    if (request->n_set == 0)
        return true;
    if (!owner_only(daemon, session, message))
        return false;
    text_print(&path, "%s/policy.conf", daemon->directory);
    error = policy_file_set(text_string(&path), &daemon->policy, request->set, request->n_set,
                            &why);
    text_release(&path);
    if (error != CPMP_OK) {
        fail(daemon, session, message, LOCAL_FAILURE_WRONG, &why);
        return false;
    }
    text_release(&why);
    daemon_work_policy(daemon);
    return true;
}

static void
tell_policy(struct daemon *daemon, const struct session *session, const Cpmp__Local *message)
{
    Cpmp__Local answer = CPMP__LOCAL__INIT;
    Cpmp__PolicyReply reply = CPMP__POLICY_REPLY__INIT;
    struct policy_row row;
    struct text value = {0};

    if (!policy_change(daemon, session, message))
        return;
    while (policy_row(&daemon->policy, reply.n_rows, &row, &value, NULL)) {
        Cpmp__PolicyRow *out = memory_new(1, sizeof(*out));
        cpmp__policy_row__init(out);
        out->key = memory_copy_text(row.key);
        out->value = memory_copy_text(text_string(&value));
        out->initial = memory_copy_text(row.initial);
        out->help = memory_copy_text(row.help);
        out->changed = row.changed;
        reply.rows = memory_grow(reply.rows, reply.n_rows + 1, sizeof(Cpmp__PolicyRow *));
        reply.rows[reply.n_rows++] = out;
        text_clear(&value);
    }
    answer.body_case = CPMP__LOCAL__BODY_POLICY_REPLY;
    answer.policy_reply = &reply;
    sessions_answer(&daemon->sessions, session->id, message->number, &answer);
    for (size_t i = 0; i < reply.n_rows; i++)
        cpmp__policy_row__free_unpacked(reply.rows[i], NULL);
    free(reply.rows);
    text_release(&value);
}

static void
history_add(void *arg, const struct history_row *row)
{
    Cpmp__HistoryReply *reply = arg;
    Cpmp__HistoryRow *out = memory_new(1, sizeof(*out));

    cpmp__history_row__init(out);
    out->job = row->job;
    out->program = memory_copy_text(row->program);
    out->user = memory_copy_text(row->user);
    out->peer = memory_copy_text(row->peer);
    out->ranks = row->ranks;
    out->millicores = row->millicores;
    out->started = row->started_us / 1000000u;
    out->ended = row->ended_us / 1000000u;
    out->cpu_us = row->cpu_us;
    out->max_rss_bytes = row->memory_max_bytes;
    out->ending = memory_copy_text(row->reason);
    out->earned = row->earned_microcredits;
    reply->rows = memory_grow(reply->rows, reply->n_rows + 1, sizeof(Cpmp__HistoryRow *));
    reply->rows[reply->n_rows++] = out;
}

/* What fits an answer (CONTROL_BYTES_MAX). */
static uint32_t
history_rows(uint32_t wanted)
{
    return wanted == 0 || wanted > HISTORY_TOLD_MAX ? HISTORY_TOLD_MAX : wanted;
}

static void
tell_history(struct daemon *daemon, const struct session *session, const Cpmp__Local *message)
{
    struct history_query query = {.limit = history_rows(message->history->limit),
                                  .since_us = message->history->since * 1000000u};
    Cpmp__Local answer = CPMP__LOCAL__INIT;
    Cpmp__HistoryReply reply = CPMP__HISTORY_REPLY__INIT;
    struct text why = {0};

    if (daemon->history == NULL) {
        sessions_fail(&daemon->sessions, session->id, message->number, LOCAL_FAILURE_BROKEN,
                      "there is no history: its database can't be opened (see what cpmpd said when "
                      "it started)");
        return;
    }
    if (history_list(daemon->history, &query, history_add, &reply, &why) == CPMP_OK) {
        answer.body_case = CPMP__LOCAL__BODY_HISTORY_REPLY;
        answer.history_reply = &reply;
        sessions_answer(&daemon->sessions, session->id, message->number, &answer);
        text_release(&why);
    } else {
        fail(daemon, session, message, LOCAL_FAILURE_BROKEN, &why);
    }
    for (size_t i = 0; i < reply.n_rows; i++)
        cpmp__history_row__free_unpacked(reply.rows[i], NULL);
    free(reply.rows);
}

/* --- info --- */

__attribute__((format(printf, 5, 6)))
static void
item_add(Cpmp__InfoReply *reply, const char *group, const char *name, const char *note,
         const char *format, ...)
{
    Cpmp__InfoItem *item = memory_new(1, sizeof(*item));
    char value[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(value, sizeof(value), format, arguments);
    va_end(arguments);
    cpmp__info_item__init(item);
    item->group = memory_copy_text(group);
    item->name = memory_copy_text(name);
    item->value = memory_copy_text(value);
    item->note = memory_copy_text(note);
    reply->items = memory_grow(reply->items, reply->n_items + 1, sizeof(Cpmp__InfoItem *));
    reply->items[reply->n_items++] = item;
}

static void
info_peer(const struct daemon *daemon, Cpmp__InfoReply *reply)
{
    const struct membership *membership = &daemon->membership;
    char hex[HEX_BYTES(IDENTITY_ID_BYTES)], fingerprint[AUTHORITY_FINGERPRINT_TEXT];

    hex_print(membership->id, IDENTITY_ID_BYTES, hex);
    authority_fingerprint_text(membership->fingerprint, fingerprint);
    item_add(reply, "peer", "name", "", "%s", membership->name);
    item_add(reply, "peer", "id", "", "%s", hex);
    item_add(reply, "peer", "state", "", "%s", daemon->directory);
    item_add(reply, "peer", "version", "", "%s", PACKAGE_VERSION);
    item_add(reply, "peer", "up since", "seconds since 1970", "%" PRIu64, daemon->started_s);
    for (size_t i = 0; i < daemon->address_count; i++) {
        char address[ADDRESS_TEXT_MAX];
        address_print(&daemon->addresses[i], address);
        item_add(reply, "peer", "address", "", "%s", address);
    }
    item_add(reply, "peer", "data ports", "", "%u-%u", daemon->options->data_port_first,
             daemon->options->data_port_last);
    item_add(reply, "pool", "name", "", "%s", membership->pool);
    item_add(reply, "pool", "fingerprint", "", "%s", fingerprint);
    item_add(reply, "pool", "founder", membership->founder ? "lets peers in, shuts them out" : "",
             "%s", membership->founder ? "yes" : "no");
    if (membership->open)
        item_add(reply, "pool", "open", "whoever reaches the founder may join", "yes");
    item_add(reply, "pool", "shut out", "", "%zu peers", membership->revoked.count);
}

static void
info_machine(const struct daemon *daemon, Cpmp__InfoReply *reply)
{
    const struct load_reading *reading = &daemon->reading;
    const struct warden_verdict *verdict = &daemon->verdict;
    struct content_usage usage = content_usage(daemon->store);

    item_add(reply, "machine", "cores", "", "%u", reading->cores);
    item_add(reply, "machine", "memory", "", "%" PRIu64 " MiB", reading->memory_bytes >> 20);
    item_add(reply, "machine", "load of others", "", "%u.%u %%", reading->others_permille / 10,
             reading->others_permille % 10);
    item_add(reply, "machine", "battery", "", "%s", reading->on_battery ? "yes" : "no");
    item_add(reply, "sharing", "cores for jobs", "", "%u", verdict->ranks_max);
    item_add(reply, "sharing", "free now", verdict->new_why, "%u", verdict->ranks_free);
    item_add(reply, "sharing", "memory free now", "", "%" PRIu64 " MiB",
             verdict->memory_free_bytes >> 20);
    item_add(reply, "sharing", "store", "executables and files kept",
             "%" PRIu64 " of %" PRIu64 " MiB, %u contents", usage.used_bytes >> 20,
             usage.quota_bytes >> 20, usage.contents);
    item_add(reply, "sharing", "agents", "", "%zu", daemon->enlist.count);
}

static void
info_sandbox(const struct daemon *daemon, Cpmp__InfoReply *reply)
{
    bool lacks = false;

    for (int i = 0; i < SANDBOX_WEAKNESS_COUNT; i++) {
        const struct sandbox_weakness_info *info = sandbox_weakness_info(i);
        if (!daemon->probe.lacks[i])
            continue;
        lacks = true;
        item_add(reply, "sandbox", info->name, info->sentence, "%s",
                 info->kind == SANDBOX_NEEDED ? "missing: no sandbox without it"
                 : info->kind == SANDBOX_COVERED ? "missing: covered"
                 : policy_accepts_weakness(&daemon->policy, info->name)
                     ? "missing: accepted"
                     : "missing: refused, unless cpmp policy set accept-weakness names it");
    }
    if (!lacks)
        item_add(reply, "sandbox", "all there", "", "yes");
}

static void
tell_info(struct daemon *daemon, const struct session *session, const Cpmp__Local *message)
{
    Cpmp__Local answer = CPMP__LOCAL__INIT;
    Cpmp__InfoReply reply = CPMP__INFO_REPLY__INIT;

    info_peer(daemon, &reply);
    info_machine(daemon, &reply);
    info_sandbox(daemon, &reply);
    answer.body_case = CPMP__LOCAL__BODY_INFO_REPLY;
    answer.info_reply = &reply;
    sessions_answer(&daemon->sessions, session->id, message->number, &answer);
    for (size_t i = 0; i < reply.n_items; i++)
        cpmp__info_item__free_unpacked(reply.items[i], NULL);
    free(reply.items);
}

/* --- what comes --- */

bool
daemon_tell_take(struct daemon *daemon, struct session *session, const Cpmp__Local *message)
{
    struct waiting_one *one;

    switch (message->body_case) {
    case CPMP__LOCAL__BODY_INVITE: tell_invite(daemon, session, message); return true;
    case CPMP__LOCAL__BODY_REVOKE: tell_revoke(daemon, session, message); return true;
    case CPMP__LOCAL__BODY_PEERS:
        one = waiting_new(&daemon->waiting, session, message->number);
        if (one != NULL)
            offers_gather(&daemon->offers, on_peers, one);
        return true;
    case CPMP__LOCAL__BODY_JOBS:
        one = waiting_new(&daemon->waiting, session, message->number);
        if (one != NULL)
            jobs_gather(&daemon->jobs, message->jobs->job, on_jobs, one);
        return true;
    case CPMP__LOCAL__BODY_RING: tell_ring(daemon, session, message); return true;
    case CPMP__LOCAL__BODY_LOOKUP: tell_lookup(daemon, session, message); return true;
    case CPMP__LOCAL__BODY_INFO: tell_info(daemon, session, message); return true;
    case CPMP__LOCAL__BODY_POLICY: tell_policy(daemon, session, message); return true;
    case CPMP__LOCAL__BODY_HISTORY: tell_history(daemon, session, message); return true;
    default: return false;
    }
}
