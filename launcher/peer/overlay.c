/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/overlay.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <cpmp.h>

#include "peer/detector_codec.h"
#include "peer/overlay_codec.h"
#include "system/clock.h"
#include "text/memory.h"

#define WAITERS_MAX 1024u  /* lookups and kv's requests under way */

enum machine { MACHINE_CHORD, MACHINE_KV, MACHINE_DETECTOR };

/* An event that waits for its step, with room for what it points to. */
struct queued {
    struct queued *next;
    enum machine machine;
    union {
        struct chord_event chord;
        struct kv_event kv;
        struct detector_event detector;
    };
    struct chord_result lookup;
    struct chord_peer known[CHORD_KNOWN_MAX];
    uint8_t value[];
};

/* Who waits for the result of a lookup, or of a put or get. */
struct waiter {
    uint64_t token;       /* 0: free */
    uint64_t began_us;
    overlay_lookup_fn *looked_up;
    overlay_kv_fn *served;
    uint64_t kv_token;    /* neither of them: the lookup is kv's */
    void *arg;
    bool deferred;        /* chord had too many lookups: it is asked again */
    struct chord_id key;
    enum chord_mode mode;
};

struct overlay {
    struct book *book;
    const struct overlay_hooks *hooks;
    void *arg;
    struct chord_params chord_params;
    struct kv_params kv_params;
    struct chord *chord;
    struct kv *kv;
    struct detector *detector;
    uv_timer_t timer;
    bool running, closing;
    struct queued *first, **last;
    struct waiter waiters[WAITERS_MAX];
    uint64_t last_token, last_sequence;
    uint32_t watched[CHORD_SUCCESSORS_MAX + 1];  /* by the detector, for the ring */
    size_t watched_count;
    /* Large, so not on the stack. */
    struct chord_actions chord_actions;
    struct kv_actions kv_actions;
    struct detector_actions detector_actions;
    struct overlay_codec_chord chord_codec;
    struct overlay_codec_kv kv_codec;
    struct detector_codec detector_codec;
    union {
        struct chord_message chord;
        struct kv_message kv;
        struct detector_message detector;
    } received;
};

/* --- events --- */

static struct queued *
queue_add(struct overlay *overlay, enum machine machine, size_t value_bytes)
{
    struct queued *queued = memory_new(1, sizeof(*queued) + value_bytes);

    queued->machine = machine;
    *overlay->last = queued;
    overlay->last = &queued->next;
    return queued;
}

static void
chord_tell(struct overlay *overlay, enum chord_event_kind kind, uint32_t contact, uint32_t rtt_us)
{
    struct queued *queued = queue_add(overlay, MACHINE_CHORD, 0);

    queued->chord.kind = kind;
    queued->chord.contact = contact;
    queued->chord.rtt_us = rtt_us;
}

static void
peer_fill(const struct overlay *overlay, uint32_t contact, struct chord_peer *peer)
{
    const struct book_entry *entry = book_get(overlay->book, contact);

    peer->contact = contact;
    if (entry != NULL)
        peer->id = entry->id;
}

static struct detector_event *
detector_tell(struct overlay *overlay, enum detector_event_type type, uint32_t contact)
{
    const struct book_entry *entry = book_get(overlay->book, contact);
    struct detector_event *event = &queue_add(overlay, MACHINE_DETECTOR, 0)->detector;

    event->type = type;
    event->contact = contact;
    if (entry != NULL)
        event->id = entry->id;
    return event;
}

/* --- waiters --- */

static struct waiter *
waiter_new(struct overlay *overlay)
{
    for (size_t i = 0; i < WAITERS_MAX; i++) {
        struct waiter *waiter = &overlay->waiters[i];
        if (waiter->token != 0)
            continue;
        *waiter = (struct waiter){.token = ++overlay->last_token, .began_us = clock_boot_us()};
        return waiter;
    }
    return NULL;
}

static struct waiter *
waiter_find(struct overlay *overlay, uint64_t token)
{
    for (size_t i = 0; i < WAITERS_MAX; i++)
        if (overlay->waiters[i].token == token)
            return &overlay->waiters[i];
    return NULL;
}

static bool
waiter_take(struct overlay *overlay, uint64_t token, struct waiter *waiter_p)
{
    struct waiter *waiter = waiter_find(overlay, token);

    if (waiter == NULL)
        return false;
    *waiter_p = *waiter;
    waiter->token = 0;
    return true;
}

static void
lookup_ask(struct overlay *overlay, struct waiter *waiter)
{
    struct queued *queued = queue_add(overlay, MACHINE_CHORD, 0);

    waiter->deferred = false;
    queued->chord.kind = CHORD_EVENT_LOOKUP;
    queued->chord.key = waiter->key;
    queued->chord.mode = waiter->mode;
    queued->chord.token = waiter->token;
}

static bool
sure_is_full(const struct overlay *overlay)
{
    size_t count = 0;

    for (size_t i = 0; i < WAITERS_MAX; i++)
        count += overlay->waiters[i].token != 0 && overlay->waiters[i].looked_up != NULL &&
                 overlay->waiters[i].mode == CHORD_DISJOINT && !overlay->waiters[i].deferred;
    return count >= OVERLAY_SURE_MAX;
}

/* The oldest of those that there was no room for. */
static void
deferred_ask(struct overlay *overlay)
{
    struct waiter *oldest = NULL;
    bool full = sure_is_full(overlay);

    for (size_t i = 0; i < WAITERS_MAX; i++) {
        struct waiter *waiter = &overlay->waiters[i];
        if (waiter->token != 0 && waiter->deferred &&
            !(full && waiter->mode == CHORD_DISJOINT) &&
            (oldest == NULL || waiter->token < oldest->token))
            oldest = waiter;
    }
    if (oldest != NULL)
        lookup_ask(overlay, oldest);
}

static void
lookup_ended(struct overlay *overlay, const struct chord_result *result)
{
    struct waiter waiter;
    struct queued *queued;

    if (result->why == CHORD_TOO_MANY) {
        struct waiter *full = waiter_find(overlay, result->token);
        if (full != NULL)
            full->deferred = true;
        return;
    }
    if (!waiter_take(overlay, result->token, &waiter))
        return;
    deferred_ask(overlay);
    if (waiter.looked_up != NULL) {
        waiter.looked_up(waiter.arg, result, clock_boot_us() - waiter.began_us);
        return;
    }
    queued = queue_add(overlay, MACHINE_KV, 0);
    queued->lookup = *result;
    queued->kv.kind = KV_EVENT_FOUND;
    queued->kv.token = waiter.kv_token;
    queued->kv.lookup = &queued->lookup;
}

/* --- carrying out: kv --- */

static void
kv_send_out(struct overlay *overlay, const struct kv_send *send)
{
    Cpmp__PeerMessage message = CPMP__PEER_MESSAGE__INIT;

    overlay_codec_kv_fill(&overlay->kv_codec, &send->message);
    message.body_case = CPMP__PEER_MESSAGE__BODY_KV;
    message.kv = &overlay->kv_codec.body;
    overlay->hooks->send(overlay->arg, send->contact, &message);
}

static void
kv_look_up(struct overlay *overlay, const struct kv_lookup *lookup)
{
    static const struct chord_result none = {.why = CHORD_TOO_MANY};
    struct waiter *waiter = waiter_new(overlay);

    if (waiter != NULL) {
        waiter->kv_token = lookup->token;
        waiter->key = lookup->key;
        waiter->mode = CHORD_RECURSIVE;
        lookup_ask(overlay, waiter);
        return;
    }
    struct kv_event *event = &queue_add(overlay, MACHINE_KV, 0)->kv;
    event->kind = KV_EVENT_FOUND;
    event->token = lookup->token;
    event->lookup = &none;
}

static void
kv_step_now(struct overlay *overlay, const struct kv_event *event)
{
    struct kv_actions *actions = &overlay->kv_actions;

    kv_step(overlay->kv, event, actions);
    for (size_t i = 0; i < actions->send_count; i++)
        kv_send_out(overlay, &actions->sends[i]);
    for (size_t i = 0; i < actions->lookup_count; i++)
        kv_look_up(overlay, &actions->lookups[i]);
    for (size_t i = 0; i < actions->result_count; i++) {
        struct waiter waiter;
        if (waiter_take(overlay, actions->results[i].token, &waiter) && waiter.served != NULL)
            waiter.served(waiter.arg, &actions->results[i]);
    }
}

/* --- carrying out: chord --- */

static void
chord_send_out(struct overlay *overlay, const struct chord_send *send)
{
    Cpmp__PeerMessage message = CPMP__PEER_MESSAGE__INIT;

    overlay_codec_chord_fill(&overlay->chord_codec, overlay->book, &send->message);
    message.body_case = CPMP__PEER_MESSAGE__BODY_CHORD;
    message.chord = &overlay->chord_codec.body;
    overlay->hooks->send(overlay->arg, send->contact, &message);
}

static bool
is_among(const uint32_t *contacts, size_t count, uint32_t contact)
{
    for (size_t i = 0; i < count; i++)
        if (contacts[i] == contact)
            return true;
    return false;
}

/* The detector watches the neighbours on the ring: those whose loss the ring must mend. Fingers
 * that fail are gone round, and cost a hop. */
static void
neighbours_watch(struct overlay *overlay)
{
    const struct chord_peer *predecessor = chord_predecessor(overlay->chord);
    uint32_t old[CHORD_SUCCESSORS_MAX + 1];
    size_t old_count = overlay->watched_count, count;
    const struct chord_peer *successors = chord_successors(overlay->chord, &count);

    memcpy(old, overlay->watched, sizeof(old));
    overlay->watched_count = 0;
    for (size_t i = 0; i < count; i++)
        overlay->watched[overlay->watched_count++] = successors[i].contact;
    if (predecessor != NULL &&
        !is_among(overlay->watched, overlay->watched_count, predecessor->contact))
        overlay->watched[overlay->watched_count++] = predecessor->contact;
    for (size_t i = 0; i < overlay->watched_count; i++)
        if (!is_among(old, old_count, overlay->watched[i]))
            detector_tell(overlay, DETECTOR_EVENT_WATCH, overlay->watched[i])->purpose =
                DETECTOR_FOR_RING;
    for (size_t i = 0; i < old_count; i++)
        if (!is_among(overlay->watched, overlay->watched_count, old[i]))
            detector_tell(overlay, DETECTOR_EVENT_UNWATCH, old[i])->purpose = DETECTOR_FOR_RING;
}

static void
ring_changed(struct overlay *overlay, uint32_t changed)
{
    struct kv_event event = {.kind = KV_EVENT_RING, .now_us = clock_boot_us()};
    enum chord_status status = chord_status(overlay->chord);

    event.member = status == CHORD_MEMBER;
    event.predecessor = chord_predecessor(overlay->chord);
    event.successors = chord_successors(overlay->chord, &event.successor_count);
    kv_step_now(overlay, &event);
    neighbours_watch(overlay);
    if (changed & CHORD_CHANGED_STATUS)
        overlay->hooks->status(overlay->arg, status);
}

static void
chord_step_now(struct overlay *overlay, const struct chord_event *event)
{
    struct chord_actions *actions = &overlay->chord_actions;

    chord_step(overlay->chord, event, actions);
    for (size_t i = 0; i < actions->send_count; i++)
        chord_send_out(overlay, &actions->sends[i]);
    for (size_t i = 0; i < actions->result_count; i++)
        lookup_ended(overlay, &actions->results[i]);
    if (actions->changed != 0)
        ring_changed(overlay, actions->changed);
}

/* --- carrying out: the detector --- */

static void
detector_send_out(struct overlay *overlay, const struct detector_action *action)
{
    Cpmp__PeerMessage message = CPMP__PEER_MESSAGE__INIT;
    uint32_t contact = action->contact;

    if (contact == DETECTOR_NO_CONTACT)
        contact = book_find(overlay->book, &action->id);
    if (contact == CHORD_NO_CONTACT)
        return;
    detector_codec_fill(&overlay->detector_codec, &action->message);
    message.body_case = CPMP__PEER_MESSAGE__BODY_DETECTOR;
    message.detector = &overlay->detector_codec.body;
    overlay->hooks->send(overlay->arg, contact, &message);
}

/* Who it is may be forgotten by the ring, if it was dead. */
static void
contact_back(struct overlay *overlay, uint32_t contact)
{
    struct queued *queued;

    chord_tell(overlay, CHORD_EVENT_ALIVE, contact, 0);
    queued = queue_add(overlay, MACHINE_CHORD, 0);
    queued->chord.kind = CHORD_EVENT_MET;
    peer_fill(overlay, contact, &queued->chord.peer);
}

static void
contact_changed(struct overlay *overlay, const struct detector_action *action)
{
    if (action->state == DETECTOR_DEAD || action->state == DETECTOR_LEFT)
        chord_tell(overlay, CHORD_EVENT_FAILED, action->contact, 0);
    else if (action->state == DETECTOR_ALIVE)
        contact_back(overlay, action->contact);
    overlay->hooks->contact(overlay->arg, action->contact, action->state);
}

static void
detector_step_now(struct overlay *overlay, const struct detector_event *event)
{
    struct detector_actions *actions = &overlay->detector_actions;

    /* That a contact isn't watched is no error here: it was, or it never mattered. */
    detector_step(overlay->detector, event, actions);
    for (uint32_t i = 0; i < actions->count; i++) {
        const struct detector_action *action = &actions->list[i];
        if (action->type == DETECTOR_ACTION_SEND)
            detector_send_out(overlay, action);
        else if (action->type == DETECTOR_ACTION_CHANGED)
            contact_changed(overlay, action);
        else if (action->type == DETECTOR_ACTION_SELF)
            overlay->hooks->incarnation(overlay->arg, action->incarnation);
    }
}

/* --- the time --- */

static void
queued_step(struct overlay *overlay, struct queued *queued)
{
    uint64_t now_us = clock_boot_us();

    switch (queued->machine) {
    case MACHINE_CHORD:
        queued->chord.now_us = now_us;
        chord_step_now(overlay, &queued->chord);
        break;
    case MACHINE_KV:
        queued->kv.now_us = now_us;
        kv_step_now(overlay, &queued->kv);
        break;
    case MACHINE_DETECTOR:
        queued->detector.now_us = now_us;
        detector_step_now(overlay, &queued->detector);
        break;
    }
}

static void on_timer(uv_timer_t *timer);

static uint64_t
deadline_us(const struct overlay *overlay)
{
    uint64_t chord_us = chord_deadline_us(overlay->chord), kv_us = kv_deadline_us(overlay->kv);
    uint64_t detector_us = detector_deadline_us(overlay->detector);
    uint64_t least_us = chord_us < kv_us ? chord_us : kv_us;

    return least_us < detector_us ? least_us : detector_us;
}

static void
timer_arm(struct overlay *overlay)
{
    uint64_t due_us = deadline_us(overlay), now = clock_boot_us();

    uv_timer_stop(&overlay->timer);
    if (due_us != UINT64_MAX)
        uv_timer_start(&overlay->timer, on_timer, due_us > now ? (due_us - now + 999) / 1000 : 0,
                       0);
}

/* Steps the machines until no event is left. */
static void
overlay_run(struct overlay *overlay)
{
    struct queued *queued;

    if (overlay->running || overlay->closing)
        return;
    overlay->running = true;
    while (!overlay->closing && (queued = overlay->first) != NULL) {
        overlay->first = queued->next;
        if (overlay->first == NULL)
            overlay->last = &overlay->first;
        queued_step(overlay, queued);
        free(queued);
    }
    overlay->running = false;
    if (!overlay->closing)
        timer_arm(overlay);
}

static void
on_timer(uv_timer_t *timer)
{
    struct overlay *overlay = timer->data;
    uint64_t now = clock_boot_us();

    deferred_ask(overlay);
    if (chord_deadline_us(overlay->chord) <= now)
        queue_add(overlay, MACHINE_CHORD, 0)->chord.kind = CHORD_EVENT_TIME;
    if (kv_deadline_us(overlay->kv) <= now)
        queue_add(overlay, MACHINE_KV, 0)->kv.kind = KV_EVENT_TIME;
    if (detector_deadline_us(overlay->detector) <= now)
        queue_add(overlay, MACHINE_DETECTOR, 0)->detector.type = DETECTOR_EVENT_TIMEOUT;
    overlay_run(overlay);
}

/* --- beginning and end --- */

static uint64_t
random_number(void)
{
    uint64_t number;

    if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        abort();  /* can't be for so few bytes (getrandom(2)) */
    return number;
}

struct overlay *
overlay_new(uv_loop_t *loop, struct book *book, uint64_t incarnation,
            const struct overlay_hooks *hooks, void *arg)
{
    struct overlay *overlay = memory_new(1, sizeof(*overlay));
    struct detector_settings settings = detector_settings_default();
    struct chord_peer self = {.id = book_get(book, BOOK_SELF)->id, .contact = BOOK_SELF};

    overlay->book = book;
    overlay->hooks = hooks;
    overlay->arg = arg;
    overlay->last = &overlay->first;
    overlay->chord_params = chord_params_default();
    overlay->kv_params = kv_params_default();
    overlay->chord = chord_new(&overlay->chord_params, &self.id, BOOK_SELF, random_number());
    overlay->kv = kv_new(&overlay->kv_params, &self);
    overlay->detector = detector_new(&settings, &self.id, incarnation, random_number(),
                                     clock_boot_us());
    if (overlay->chord == NULL || overlay->kv == NULL || overlay->detector == NULL)
        memory_none();
    uv_timer_init(loop, &overlay->timer);
    overlay->timer.data = overlay;
    return overlay;
}

static void
on_closed(uv_handle_t *handle)
{
    struct overlay *overlay = handle->data;
    struct queued *queued;

    while ((queued = overlay->first) != NULL) {
        overlay->first = queued->next;
        free(queued);
    }
    chord_free(overlay->chord);
    kv_free(overlay->kv);
    detector_free(overlay->detector);
    free(overlay);
}

void
overlay_close(struct overlay *overlay)
{
    overlay->closing = true;
    uv_close((uv_handle_t *)&overlay->timer, on_closed);
}

/* --- what the daemon wants --- */

void
overlay_join(struct overlay *overlay, const uint32_t *contacts, size_t count, uint64_t alone_us)
{
    struct queued *queued = queue_add(overlay, MACHINE_CHORD, 0);

    queued->chord.kind = CHORD_EVENT_JOIN;
    queued->chord.known = queued->known;
    queued->chord.alone_us = alone_us;
    for (size_t i = 0; i < count && queued->chord.known_count < CHORD_KNOWN_MAX; i++)
        peer_fill(overlay, contacts[i], &queued->known[queued->chord.known_count++]);
    overlay_run(overlay);
}

void
overlay_leave(struct overlay *overlay)
{
    chord_tell(overlay, CHORD_EVENT_LEAVE, BOOK_SELF, 0);
    detector_tell(overlay, DETECTOR_EVENT_LEAVE, BOOK_SELF);
    overlay_run(overlay);
}

void
overlay_met(struct overlay *overlay, uint32_t contact)
{
    struct queued *queued = queue_add(overlay, MACHINE_CHORD, 0);

    queued->chord.kind = CHORD_EVENT_MET;
    peer_fill(overlay, contact, &queued->chord.peer);
    overlay_run(overlay);
}

void
overlay_link_up(struct overlay *overlay, uint32_t contact, uint32_t rtt_us)
{
    chord_tell(overlay, CHORD_EVENT_ALIVE, contact, 0);
    if (rtt_us > 0)
        chord_tell(overlay, CHORD_EVENT_DISTANCE, contact, rtt_us);
    overlay_run(overlay);
}

void
overlay_link_down(struct overlay *overlay, uint32_t contact, bool refused)
{
    struct detector_view view;

    /* Whom the detector watches it decides about; the others are at the ends of fingers. */
    if (detector_find(overlay->detector, contact, &view))
        detector_tell(overlay, DETECTOR_EVENT_BROKEN, contact)->refused = refused;
    else if (refused)
        chord_tell(overlay, CHORD_EVENT_FAILED, contact, 0);
    overlay_run(overlay);
}

void
overlay_watch(struct overlay *overlay, uint32_t contact, bool watch)
{
    detector_tell(overlay, watch ? DETECTOR_EVENT_WATCH : DETECTOR_EVENT_UNWATCH, contact)
        ->purpose = DETECTOR_FOR_JOBS;
    overlay_run(overlay);
}

static bool
lookups_full(const struct overlay *overlay)
{
    size_t count = 0;

    for (size_t i = 0; i < WAITERS_MAX; i++)
        count += overlay->waiters[i].token != 0 && overlay->waiters[i].looked_up != NULL;
    return count >= OVERLAY_LOOKUPS_MAX;
}

void
overlay_lookup(struct overlay *overlay, const struct chord_id *key, enum chord_mode mode,
               overlay_lookup_fn *done, void *arg)
{
    static const struct chord_result none = {.why = CHORD_TOO_MANY};
    struct waiter *waiter = lookups_full(overlay) ? NULL : waiter_new(overlay);

    if (waiter == NULL) {
        done(arg, &none, 0);
        return;
    }
    waiter->deferred = mode == CHORD_DISJOINT && sure_is_full(overlay);
    waiter->looked_up = done;
    waiter->arg = arg;
    waiter->key = *key;
    waiter->mode = mode;
    if (!waiter->deferred)
        lookup_ask(overlay, waiter);
    overlay_run(overlay);
}

static struct kv_event *
kv_ask(struct overlay *overlay, enum kv_event_kind kind, const struct chord_id *key,
       const void *bytes, size_t count, overlay_kv_fn *done, void *arg)
{
    static const struct kv_result none = {.why = KV_BUSY};
    struct waiter *waiter = waiter_new(overlay);
    struct queued *queued;

    if (waiter == NULL) {
        if (done != NULL)
            done(arg, &none);
        return NULL;
    }
    waiter->served = done;
    waiter->arg = arg;
    queued = queue_add(overlay, MACHINE_KV, count);
    if (count > 0)
        memcpy(queued->value, bytes, count);
    queued->kv.kind = kind;
    queued->kv.token = waiter->token;
    queued->kv.key = *key;
    queued->kv.value = queued->value;
    queued->kv.bytes = (uint32_t)count;
    return &queued->kv;
}

/* Later ones are higher, also when the daemon was started anew in between. */
static uint64_t
sequence_next(struct overlay *overlay)
{
    struct timespec now;
    uint64_t sequence;

    clock_gettime(CLOCK_REALTIME, &now);
    sequence = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
    if (sequence <= overlay->last_sequence)
        sequence = overlay->last_sequence + 1;
    return overlay->last_sequence = sequence;
}

void
overlay_put(struct overlay *overlay, const struct chord_id *key, const void *bytes, size_t count,
            uint64_t lifetime_us, overlay_kv_fn *done, void *arg)
{
    struct kv_event *event = kv_ask(overlay, KV_EVENT_PUT, key, bytes, count, done, arg);

    if (event == NULL)
        return;
    event->lifetime_us = count > 0 ? lifetime_us : 0;
    event->sequence = sequence_next(overlay);
    overlay_run(overlay);
}

void
overlay_get(struct overlay *overlay, const struct chord_id *key, overlay_kv_fn *done, void *arg)
{
    if (kv_ask(overlay, KV_EVENT_GET, key, NULL, 0, done, arg) != NULL)
        overlay_run(overlay);
}

/* --- what others say --- */

/* Runs the queue up to here first: `received` is used by one message at a time, at once. */
void
overlay_receive(struct overlay *overlay, uint32_t contact, const Cpmp__PeerMessage *message)
{
    struct chord_peer from;
    struct queued event = {.next = NULL};

    if (overlay->running || overlay->closing || book_get(overlay->book, contact) == NULL)
        return;
    overlay->running = true;
    peer_fill(overlay, contact, &from);
    if (message->body_case == CPMP__PEER_MESSAGE__BODY_CHORD &&
        overlay_codec_chord_read(message->chord, &from, overlay->book, clock_boot_us(),
                                 &overlay->received.chord) == CPMP_OK) {
        event.machine = MACHINE_CHORD;
        event.chord.kind = CHORD_EVENT_MESSAGE;
        event.chord.message = &overlay->received.chord;
        queued_step(overlay, &event);
    } else if (message->body_case == CPMP__PEER_MESSAGE__BODY_KV &&
               overlay_codec_kv_read(message->kv, &from, &overlay->received.kv) == CPMP_OK) {
        event.machine = MACHINE_KV;
        event.kv.kind = KV_EVENT_MESSAGE;
        event.kv.message = &overlay->received.kv;
        queued_step(overlay, &event);
    } else if (message->body_case == CPMP__PEER_MESSAGE__BODY_DETECTOR &&
               detector_codec_read(message->detector, &overlay->received.detector) == CPMP_OK) {
        event.machine = MACHINE_DETECTOR;
        event.detector.type = DETECTOR_EVENT_MESSAGE;
        event.detector.contact = contact;
        event.detector.id = from.id;
        event.detector.message = &overlay->received.detector;
        queued_step(overlay, &event);
    }
    if (message->body_case != CPMP__PEER_MESSAGE__BODY_DETECTOR)
        detector_tell(overlay, DETECTOR_EVENT_HEARD, contact);
    overlay->running = false;
    overlay_run(overlay);
}

/* --- looking at it --- */

static void
hold(void *arg, uint32_t contact)
{
    book_hold(arg, contact);
}

void
overlay_hold(struct overlay *overlay)
{
    struct detector_view view;

    chord_each_contact(overlay->chord, hold, overlay->book);
    kv_each_contact(overlay->kv, hold, overlay->book);
    for (uint32_t i = 0; detector_at(overlay->detector, i, &view); i++)
        book_hold(overlay->book, view.contact);
    /* What waits in the queue. */
    for (const struct queued *queued = overlay->first; queued != NULL; queued = queued->next) {
        for (size_t i = 0; i < CHORD_KNOWN_MAX; i++)
            book_hold(overlay->book, queued->known[i].contact);
        if (queued->machine == MACHINE_CHORD) {
            book_hold(overlay->book, queued->chord.contact);
            book_hold(overlay->book, queued->chord.peer.contact);
        }
        if (queued->machine == MACHINE_DETECTOR)
            book_hold(overlay->book, queued->detector.contact);
    }
}

const struct chord *
overlay_chord(const struct overlay *overlay)
{
    return overlay->chord;
}

const struct kv *
overlay_kv(const struct overlay *overlay)
{
    return overlay->kv;
}

const struct detector *
overlay_detector(const struct overlay *overlay)
{
    return overlay->detector;
}
