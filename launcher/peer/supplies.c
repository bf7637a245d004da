/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/supplies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "peer/offers.h"
#include "peer/overlay_codec.h"
#include "proto/fetch/fetch.h"
#include "system/clock.h"
#include "text/memory.h"

/* A content on its way. */
struct coming {
    struct coming *next;
    struct supplies *supplies;
    struct content_manifest manifest;
    struct content_partial *partial;
    struct fetch *fetch;          /* NULL: over */
    uint32_t sources[FETCH_SOURCES_MAX], source_count;
    uv_timer_t timer;
};

/* One content of a supply. */
struct wanted {
    struct content_name name;
    bool here;                    /* and pinned */
    struct coming *coming;        /* NULL: here, or failed */
};

struct supply {
    struct supply *next;
    struct supplies *supplies;
    struct wanted *list;
    size_t count;
    uint64_t shipped_bytes;
    bool told;
    char why[256];
    uv_timer_t timer;             /* `done` comes from the loop */
    supply_fn *done;
    void *arg;
};

/* A content that a program may hand in. */
struct expected {
    uint64_t session;
    struct content_manifest manifest;
};

/* One that is being handed in, and open. */
struct handed {
    struct content_partial *partial;     /* NULL: free */
    struct content_name name;
    uint64_t used;                       /* of supplies->uses, last */
};

/* The name of a content whose holders the ring was asked for; comes back with the records. */
struct holders {
    struct holders *next;
    struct supplies *supplies;
    struct content_name name;
};

struct supplies {
    uv_loop_t *loop;
    struct content_store *store;
    struct book *book;
    struct overlay *overlay;
    const struct supplies_hooks *hooks;
    void *arg;
    struct coming *coming;
    size_t coming_count;
    struct supply *first;
    struct holders *holders;             /* asked for */
    struct expected *expected;
    size_t expected_count;
    struct handed handed[SUPPLY_HANDED_MAX];
    uint64_t uses;
    uint64_t seed;
};

static void on_fetch_timer(uv_timer_t *timer);
static void coming_step(struct coming *coming, const struct fetch_event *event);

static bool
name_read(ProtobufCBinaryData bytes, struct content_name *name)
{
    if (bytes.len != CONTENT_NAME_BYTES)
        return false;
    memcpy(name->bytes, bytes.data, CONTENT_NAME_BYTES);
    return true;
}

/* False: it can't be one. */
static bool
manifest_read(const Cpmp__Content *content, struct content_manifest *manifest)
{
    memset(manifest, 0, sizeof(*manifest));
    if (!name_read(content->name, &manifest->name) || content->size > CONTENT_SIZE_MAX ||
        content->n_pieces != fetch_piece_count(content->size))
        return false;
    manifest->size_bytes = content->size;
    manifest->executable = content->executable;
    manifest->piece_count = (uint32_t)content->n_pieces;
    manifest->pieces = memory_new(content->n_pieces, sizeof(*manifest->pieces));
    for (size_t i = 0; i < content->n_pieces; i++) {
        if (name_read(content->pieces[i], &manifest->pieces[i]))
            continue;
        content_manifest_release(manifest);
        return false;
    }
    return true;
}

/* --- who has what, on the ring --- */

static void
holder_key(const struct content_name *name, struct chord_id *key)
{
    offers_ring_key("content", name->bytes, CONTENT_NAME_BYTES, key);
}

static void
holder_publish(struct supplies *supplies, const struct content_name *name)
{
    struct chord_peer self = {.id = book_get(supplies->book, BOOK_SELF)->id,
                              .contact = BOOK_SELF};
    struct overlay_codec_peer described;
    uint8_t bytes[KV_VALUE_BYTES_MAX];
    struct chord_id key;

    overlay_codec_describe(&described, supplies->book, &self);
    if (cpmp__overlay_peer__get_packed_size(&described.body) > sizeof(bytes))
        return;
    holder_key(name, &key);
    overlay_put(supplies->overlay, &key, bytes, cpmp__overlay_peer__pack(&described.body, bytes),
                SUPPLY_HOLDER_US, NULL, NULL);
}

static struct coming *
coming_of(const struct supplies *supplies, const struct content_name *name)
{
    for (struct coming *coming = supplies->coming; coming != NULL; coming = coming->next)
        if (content_name_equal(&coming->manifest.name, name))
            return coming;
    return NULL;
}

static void
source_add(struct coming *coming, uint32_t contact)
{
    struct fetch_event event = {.type = FETCH_EVENT_SOURCE, .source = contact};
    bool is_known = false;

    if (contact == BOOK_SELF || contact == CHORD_NO_CONTACT)
        return;
    for (uint32_t i = 0; i < coming->source_count; i++)
        is_known = is_known || coming->sources[i] == contact;
    if (!is_known && coming->source_count == FETCH_SOURCES_MAX)
        return;
    if (!is_known)
        coming->sources[coming->source_count++] = contact;
    coming_step(coming, &event);
}

static void
holders_free(struct holders *holders)
{
    struct holders **at = &holders->supplies->holders;

    while (*at != holders)
        at = &(*at)->next;
    *at = holders->next;
    free(holders);
}

static void
on_holders(void *arg, const struct kv_result *result)
{
    struct holders *holders = arg;
    struct supplies *supplies = holders->supplies;

    for (size_t i = 0; result->why == KV_DONE && i < result->record_count; i++) {
        const struct kv_record *record = &result->records[i];
        Cpmp__OverlayPeer *body = cpmp__overlay_peer__unpack(NULL, record->bytes, record->value);
        struct coming *coming = coming_of(supplies, &holders->name);
        struct chord_peer peer;
        /* Everybody speaks for himself only. */
        if (body != NULL && coming != NULL && body->id.len == CHORD_ID_BYTES &&
            memcmp(body->id.data, record->publisher.bytes, CHORD_ID_BYTES) == 0 &&
            overlay_codec_intern(body, false, supplies->book, clock_boot_us(), &peer) == CPMP_OK)
            source_add(coming, peer.contact);
        if (body != NULL)
            cpmp__overlay_peer__free_unpacked(body, NULL);
    }
    holders_free(holders);
}

static void
holders_ask(struct supplies *supplies, const struct content_name *name)
{
    struct holders *holders = memory_new(1, sizeof(*holders));
    struct chord_id key;

    holders->supplies = supplies;
    holders->name = *name;
    holders->next = supplies->holders;
    supplies->holders = holders;
    holder_key(name, &key);
    overlay_get(supplies->overlay, &key, on_holders, holders);
}

/* --- supplies --- */

static void
on_supply_closed(uv_handle_t *handle)
{
    struct supply *supply = handle->data;

    free(supply->list);
    free(supply);
}

static void
on_supply_timer(uv_timer_t *timer)
{
    struct supply *supply = timer->data;

    supply->told = true;
    supply->done(supply->arg, supply->why[0] != '\0' ? supply->why : NULL, supply->shipped_bytes);
}

static bool
supply_is_whole(const struct supply *supply)
{
    for (size_t i = 0; i < supply->count; i++)
        if (!supply->list[i].here)
            return false;
    return true;
}

/* Tells soon when all are here, or one can't be had. */
static void
supply_look(struct supply *supply)
{
    if (!supply->told && (supply->why[0] != '\0' || supply_is_whole(supply)))
        uv_timer_start(&supply->timer, on_supply_timer, 0, 0);
}

static void
supply_fail(struct supply *supply, const char *what, const char *why)
{
    if (supply->why[0] == '\0')
        snprintf(supply->why, sizeof(supply->why), "%s: %s", what, why);
    supply_look(supply);
}

/* --- one content --- */

static void
on_coming_closed(uv_handle_t *handle)
{
    struct coming *coming = handle->data;

    content_manifest_release(&coming->manifest);
    free(coming);
}

static void
coming_end(struct coming *coming, bool keep)
{
    struct coming **at = &coming->supplies->coming;

    while (*at != coming)
        at = &(*at)->next;
    *at = coming->next;
    coming->supplies->coming_count--;
    if (coming->partial != NULL)
        content_partial_close(coming->partial, keep);
    fetch_free(coming->fetch);
    coming->fetch = NULL;
    uv_close((uv_handle_t *)&coming->timer, on_coming_closed);
}

/* The content is here (`why` NULL), or can't be had: tells those who wait. */
static void
coming_tell(struct coming *coming, const char *why)
{
    struct supplies *supplies = coming->supplies;

    for (struct supply *supply = supplies->first; supply != NULL; supply = supply->next) {
        for (size_t i = 0; i < supply->count; i++) {
            struct wanted *wanted = &supply->list[i];
            if (wanted->coming != coming)
                continue;
            wanted->coming = NULL;
            wanted->here = why == NULL && content_pin(supplies->store, &wanted->name,
                                                      coming->manifest.executable) == CPMP_OK;
            if (wanted->here)
                supply->shipped_bytes += coming->manifest.size_bytes;
            else
                supply_fail(supply, "a file of the job can't be fetched",
                            why != NULL ? why : content_error(supplies->store));
        }
        supply_look(supply);
    }
}

static void
coming_finish(struct coming *coming)
{
    struct supplies *supplies = coming->supplies;
    struct content_name name = coming->manifest.name;
    int error = content_partial_finish(coming->partial);

    coming->partial = NULL;
    coming_tell(coming, error == CPMP_OK ? NULL : content_error(supplies->store));
    coming_end(coming, false);
    if (error != CPMP_OK)
        return;
    content_unpin(supplies->store, &name);
    holder_publish(supplies, &name);
}

static void
piece_ask(struct coming *coming, uint32_t contact, uint32_t piece)
{
    Cpmp__PeerMessage message = CPMP__PEER_MESSAGE__INIT;
    Cpmp__PieceRequest request = CPMP__PIECE_REQUEST__INIT;

    request.name.data = coming->manifest.name.bytes;
    request.name.len = CONTENT_NAME_BYTES;
    request.piece = piece;
    message.body_case = CPMP__PEER_MESSAGE__BODY_PIECE_REQUEST;
    message.piece_request = &request;
    coming->supplies->hooks->send(coming->supplies->arg, contact, &message);
}

static void
coming_arm(struct coming *coming)
{
    uint64_t due_us = fetch_deadline_us(coming->fetch), now_us = clock_boot_us();

    uv_timer_stop(&coming->timer);
    if (due_us != UINT64_MAX)
        uv_timer_start(&coming->timer, on_fetch_timer,
                       due_us > now_us ? (due_us - now_us + 999) / 1000 : 0, 0);
}

/* `coming` may be gone afterwards. */
static void
coming_step(struct coming *coming, const struct fetch_event *event)
{
    struct fetch_event timed = *event;
    struct fetch_actions actions;

    timed.now_us = clock_boot_us();
    fetch_step(coming->fetch, &timed, &actions);
    for (uint32_t i = 0; i < actions.count; i++) {
        const struct fetch_action *action = &actions.list[i];
        if (action->type == FETCH_ACTION_ASK) {
            piece_ask(coming, action->source, action->piece);
        } else if (action->type == FETCH_ACTION_DONE) {
            coming_finish(coming);
            return;
        } else if (action->type == FETCH_ACTION_FAILED) {
            coming_tell(coming, fetch_why_text(action->why));
            coming_end(coming, true);
            return;
        }
    }
    coming_arm(coming);
}

static void
on_fetch_timer(uv_timer_t *timer)
{
    struct fetch_event event = {.type = FETCH_EVENT_TIMEOUT};

    coming_step(timer->data, &event);
}

static struct coming *
coming_begin(struct supplies *supplies, const Cpmp__Content *content, const char **why_p)
{
    struct fetch_settings settings = fetch_settings_default();
    struct coming *coming = memory_new(1, sizeof(*coming));

    coming->supplies = supplies;
    if (supplies->coming_count == SUPPLY_COMING_MAX) {
        *why_p = "too many files are on their way there; try again in a moment";
        free(coming);
        return NULL;
    }
    if (!manifest_read(content, &coming->manifest)) {
        *why_p = "its description makes no sense";
        free(coming);
        return NULL;
    }
    if (content_partial_open(supplies->store, &coming->manifest, &coming->partial) != CPMP_OK) {
        *why_p = content_error(supplies->store);
        content_manifest_release(&coming->manifest);
        free(coming);
        return NULL;
    }
    coming->fetch = fetch_new(&settings, coming->manifest.size_bytes,
                              content_partial_had(coming->partial), ++supplies->seed,
                               clock_boot_us());
    if (coming->fetch == NULL)
        memory_none();
    uv_timer_init(supplies->loop, &coming->timer);
    coming->timer.data = coming;
    coming->next = supplies->coming;
    supplies->coming = coming;
    supplies->coming_count++;
    return coming;
}

/* --- from outside --- */

struct supplies *
supplies_new(uv_loop_t *loop, struct content_store *store, struct book *book,
             struct overlay *overlay, const struct supplies_hooks *hooks, void *arg)
{
    struct supplies *supplies = memory_new(1, sizeof(*supplies));

    supplies->loop = loop;
    supplies->store = store;
    supplies->book = book;
    supplies->overlay = overlay;
    supplies->hooks = hooks;
    supplies->arg = arg;
    supplies->seed = clock_boot_us();
    return supplies;
}

static struct expected *
expected_of(struct supplies *supplies, uint64_t session, const struct content_name *name)
{
    for (size_t i = 0; i < supplies->expected_count; i++)
        if (supplies->expected[i].session == session &&
            content_name_equal(&supplies->expected[i].manifest.name, name))
            return &supplies->expected[i];
    return NULL;
}

static struct handed *
handed_find(struct supplies *supplies, const struct content_name *name)
{
    for (size_t i = 0; i < SUPPLY_HANDED_MAX; i++)
        if (supplies->handed[i].partial != NULL &&
            content_name_equal(&supplies->handed[i].name, name))
            return &supplies->handed[i];
    return NULL;
}

static void
handed_end(struct handed *handed)
{
    if (handed->partial != NULL)
        content_partial_close(handed->partial, true);
    handed->partial = NULL;
}

static void
handed_close(struct supplies *supplies, const struct content_name *name)
{
    struct handed *handed = handed_find(supplies, name);

    if (handed != NULL)
        handed_end(handed);
}

static void
want(struct supply *supply, struct wanted *wanted, const Cpmp__Content *content, uint32_t source)
{
    struct supplies *supplies = supply->supplies;
    const char *why = "it has no name";

    if (!name_read(content->name, &wanted->name)) {
        supply_fail(supply, "a file of the job", why);
        return;
    }
    wanted->here = content_pin(supplies->store, &wanted->name, content->executable) == CPMP_OK;
    if (wanted->here)
        return;
    wanted->coming = coming_of(supplies, &wanted->name);
    if (wanted->coming != NULL) {
        source_add(wanted->coming, source);
        return;
    }
    handed_close(supplies, &wanted->name);  /* its pieces, and those to come, serve both */
    wanted->coming = coming_begin(supplies, content, &why);
    if (wanted->coming == NULL) {
        supply_fail(supply, "a file of the job can't be fetched", why);
        return;
    }
    holders_ask(supplies, &wanted->name);
    source_add(wanted->coming, source);
}

struct supply *
supplies_begin(struct supplies *supplies, Cpmp__Content *const *contents, size_t count,
             uint32_t source, supply_fn *done, void *arg)
{
    struct supply *supply = memory_new(1, sizeof(*supply));

    supply->supplies = supplies;
    supply->done = done;
    supply->arg = arg;
    supply->list = memory_new(count, sizeof(*supply->list));
    supply->count = count;
    uv_timer_init(supplies->loop, &supply->timer);
    supply->timer.data = supply;
    supply->next = supplies->first;
    supplies->first = supply;
    for (size_t i = 0; i < count; i++)
        want(supply, &supply->list[i], contents[i], source);
    supply_look(supply);
    return supply;
}

static uint64_t
partial_bytes(const struct coming *coming)
{
    const bool *had = content_partial_had(coming->partial);
    uint64_t size = coming->manifest.size_bytes, bytes = 0;

    for (uint32_t i = 0; i < coming->manifest.piece_count; i++)
        bytes += had[i] ? CONTENT_PIECE_BYTES : 0;
    return bytes < size ? bytes : size;
}

void
supplies_progress(const struct supply *supply, uint64_t *had_bytes_p, uint64_t *bytes_p)
{
    *had_bytes_p = *bytes_p = supply->shipped_bytes;
    for (size_t i = 0; i < supply->count; i++) {
        const struct coming *coming = supply->list[i].coming;
        if (coming == NULL)
            continue;
        *bytes_p += coming->manifest.size_bytes;
        *had_bytes_p += coming->partial != NULL ? partial_bytes(coming) : 0;
    }
}

static bool
coming_is_wanted(const struct coming *coming)
{
    for (const struct supply *supply = coming->supplies->first; supply != NULL;
         supply = supply->next)
        for (size_t i = 0; i < supply->count; i++)
            if (supply->list[i].coming == coming)
                return true;
    return false;
}

void
supplies_end(struct supply *supply)
{
    struct supply **at = &supply->supplies->first;

    while (*at != supply)
        at = &(*at)->next;
    *at = supply->next;
    for (size_t i = 0; i < supply->count; i++) {
        struct coming *coming = supply->list[i].coming;
        if (supply->list[i].here)
            content_unpin(supply->supplies->store, &supply->list[i].name);
        /* The same content twice in one job is one coming: it is gone after the first. */
        for (size_t j = i; j < supply->count; j++)
            if (coming != NULL && supply->list[j].coming == coming)
                supply->list[j].coming = NULL;
        if (coming != NULL && !coming_is_wanted(coming))
            coming_end(coming, true);
    }
    uv_close((uv_handle_t *)&supply->timer, on_supply_closed);
}

void
supplies_close(struct supplies *supplies)
{
    while (supplies->first != NULL)
        supplies_end(supplies->first);
    while (supplies->coming != NULL)
        coming_end(supplies->coming, true);
    while (supplies->expected_count > 0)
        content_manifest_release(&supplies->expected[--supplies->expected_count].manifest);
    while (supplies->holders != NULL)
        holders_free(supplies->holders);
    for (size_t i = 0; i < SUPPLY_HANDED_MAX; i++)
        handed_end(&supplies->handed[i]);
    free(supplies->expected);
    free(supplies);
}

/* --- handed in --- */

static size_t
expected_by(const struct supplies *supplies, uint64_t session)
{
    size_t count = 0;

    for (size_t i = 0; i < supplies->expected_count; i++)
        count += supplies->expected[i].session == session;
    return count;
}

bool
supplies_expect(struct supplies *supplies, uint64_t session, const Cpmp__Content *content,
                struct text *why)
{
    struct expected expected = {.session = session};
    struct content_name name;

    if (name_read(content->name, &name) && expected_of(supplies, session, &name) != NULL)
        return true;
    if (supplies->expected_count == SUPPLY_EXPECTED_MAX ||
        expected_by(supplies, session) == SUPPLY_SESSION_MAX) {
        text_add_string(why, "too many files are handed to cpmpd at a time");
        return false;
    }
    if (!manifest_read(content, &expected.manifest)) {
        text_add_string(why, "the description of a file makes no sense");
        return false;
    }
    supplies->expected = memory_grow(supplies->expected, supplies->expected_count + 1,
                                     sizeof(*supplies->expected));
    supplies->expected[supplies->expected_count++] = expected;
    return true;
}

/* Opens it when it isn't open; instead of the one that was used least lately: the pieces of that
 * one are found again. */
static int
handed_open(struct supplies *supplies, const struct content_manifest *manifest,
            struct handed **handed_p)
{
    struct handed *handed = handed_find(supplies, &manifest->name);
    int error = CPMP_OK;

    for (size_t i = 0; handed == NULL && i < SUPPLY_HANDED_MAX; i++)
        if (supplies->handed[i].partial == NULL)
            handed = &supplies->handed[i];
    if (handed == NULL) {
        handed = &supplies->handed[0];
        for (size_t i = 1; i < SUPPLY_HANDED_MAX; i++)
            if (supplies->handed[i].used < handed->used)
                handed = &supplies->handed[i];
        handed_end(handed);
    }
    if (handed->partial == NULL)
        error = content_partial_open(supplies->store, manifest, &handed->partial);
    handed->name = manifest->name;
    handed->used = ++supplies->uses;
    *handed_p = handed;
    return error;
}

static bool
partial_is_whole(const struct content_partial *partial, uint32_t count)
{
    const bool *had = content_partial_had(partial);

    for (uint32_t i = 0; i < count; i++)
        if (!had[i])
            return false;
    return true;
}

/* It is also on its way from other peers: the pieces of both make one. */
static int
put_to_coming(struct coming *coming, const Cpmp__ContentPut *put, bool *done_p)
{
    struct content_store *store = coming->supplies->store;
    struct content_name name = coming->manifest.name;
    int error = content_partial_write(coming->partial, put->piece, put->data.data, put->data.len);

    if (error != CPMP_OK || !partial_is_whole(coming->partial, coming->manifest.piece_count))
        return error;
    coming_finish(coming);
    *done_p = content_has(store, &name);
    return *done_p ? CPMP_OK : CPMP_EPROTO;
}

static int
put_to_handed(struct supplies *supplies, const struct content_manifest *manifest,
              const Cpmp__ContentPut *put, bool *done_p)
{
    struct handed *handed;
    int error = handed_open(supplies, manifest, &handed);

    *done_p = error == CPMP_EEXIST;
    if (error != CPMP_OK)
        return error == CPMP_EEXIST ? CPMP_OK : error;
    error = content_partial_write(handed->partial, put->piece, put->data.data, put->data.len);
    if (error != CPMP_OK || !partial_is_whole(handed->partial, manifest->piece_count))
        return error;
    error = content_partial_finish(handed->partial);
    handed->partial = NULL;
    *done_p = error == CPMP_OK;
    if (*done_p) {
        content_unpin(supplies->store, &manifest->name);
        holder_publish(supplies, &manifest->name);
    }
    return error;
}

bool
supplies_put(struct supplies *supplies, uint64_t session, const Cpmp__ContentPut *put,
             bool *done_p, struct text *why)
{
    struct content_name name;
    struct expected *expected = NULL;
    struct coming *coming;
    int error;

    if (name_read(put->name, &name))
        expected = expected_of(supplies, session, &name);
    if (expected == NULL) {
        text_add_string(why, "that content is not expected");
        return false;
    }
    coming = coming_of(supplies, &name);
    error = coming != NULL ? put_to_coming(coming, put, done_p)
                           : put_to_handed(supplies, &expected->manifest, put, done_p);
    if (error == CPMP_OK)
        return true;
    text_print(why, "a file of the job can't be kept: %s", content_error(supplies->store));
    return false;
}

void
supplies_session_gone(struct supplies *supplies, uint64_t session)
{
    for (size_t i = supplies->expected_count; i-- > 0;) {
        struct expected *expected = &supplies->expected[i];
        if (expected->session != session)
            continue;
        handed_close(supplies, &expected->manifest.name);
        content_manifest_release(&expected->manifest);
        *expected = supplies->expected[--supplies->expected_count];
    }
}

/* --- what other peers say --- */

void
supplies_hold(const struct supplies *supplies)
{
    for (const struct coming *coming = supplies->coming; coming != NULL; coming = coming->next)
        for (uint32_t i = 0; i < coming->source_count; i++)
            book_hold(supplies->book, coming->sources[i]);
}

void
supplies_answered(struct supplies *supplies, uint32_t contact, const Cpmp__PieceReply *reply)
{
    struct fetch_event event = {.source = contact, .piece = reply->piece};
    struct content_name name;
    struct coming *coming;

    if (!name_read(reply->name, &name))
        return;
    coming = coming_of(supplies, &name);
    if (coming == NULL || reply->piece >= coming->manifest.piece_count)
        return;
    if (reply->data.len == 0) {
        event.type = FETCH_EVENT_REFUSED;
        event.for_good = true;
    } else {
        int error = content_partial_write(coming->partial, reply->piece, reply->data.data,
                                          reply->data.len);
        if (error != CPMP_OK && error != CPMP_EPROTO) {
            coming_tell(coming, content_error(supplies->store));
            coming_end(coming, false);
            return;
        }
        event.type = error == CPMP_OK ? FETCH_EVENT_GOOD : FETCH_EVENT_WRONG;
    }
    coming_step(coming, &event);
}

void
supplies_lost(struct supplies *supplies, uint32_t contact)
{
    struct fetch_event event = {.type = FETCH_EVENT_LOST, .source = contact};
    struct coming *next;

    for (struct coming *coming = supplies->coming; coming != NULL; coming = next) {
        next = coming->next;
        coming_step(coming, &event);
    }
}
