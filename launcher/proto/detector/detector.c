/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/detector/detector.h"

#include <assert.h>
#include <stdlib.h>

#include <cpmp.h>

#include "proto/detector/state.h"

/* Called later than this after a deadline: time was lost. Timers of a loaded machine are late by a
 * few milliseconds without anything being wrong. */
#define LATE_US 50000u

struct detector_settings
detector_settings_default(void)
{
    return (struct detector_settings){
        .near = {.ping_us = 500000, .suspect_us = 1500000, .dead_us = 3000000,
                 .refused_us = 200000},
        .far = {.ping_us = 2000000, .suspect_us = 6000000, .dead_us = 15000000,
                .refused_us = 1000000},
        .suspended_most_us = 600000000,  /* after ten minutes a suspended peer leaves its jobs */
        .probes = 3,
    };
}

static bool
pace_valid(const struct detector_pace *pace)
{
    return pace->ping_us > 0 && pace->ping_us < pace->suspect_us &&
           pace->suspect_us < pace->dead_us && pace->dead_us <= UINT64_MAX / 16;
}

struct detector *
detector_new(const struct detector_settings *settings, const struct chord_id *self,
             uint64_t incarnation, uint64_t seed, uint64_t now_us)
{
    struct detector *detector;

    assert(pace_valid(&settings->near) && pace_valid(&settings->far));
    assert(settings->probes <= DETECTOR_PROBES_MAX);
    assert(incarnation >= 1 && incarnation <= DETECTOR_INCARNATION_MAX);
    detector = calloc(1, sizeof(*detector));
    if (detector == NULL)
        return NULL;
    detector->settings = *settings;
    detector->self = *self;
    detector->incarnation = incarnation;
    detector->state = DETECTOR_ALIVE;
    detector->random = seed;
    detector->now_us = now_us;
    detector->deadline_us = UINT64_MAX;
    for (size_t i = 0; i < DETECTOR_RELAYS_MAX; i++)
        detector->relays[i].asker_handle = DETECTOR_NO_CONTACT;
    return detector;
}

void
detector_free(struct detector *detector)
{
    if (detector != NULL)
        free(detector->contacts);
    free(detector);
}

/* A clock that goes back stands still for us. */
static void
clock_step(struct detector *detector, uint64_t now_us)
{
    if (now_us < detector->now_us)
        return;
    detector->now_us = now_us;
    if (detector->deadline_us != UINT64_MAX && now_us > detector->deadline_us + LATE_US)
        detector->lost_us += now_us - detector->deadline_us;
}

static uint64_t
deadline_compute(const struct detector *detector)
{
    uint64_t first_us = UINT64_MAX;

    for (size_t i = 0; i < detector->contact_count; i++) {
        uint64_t due_us = detector_contact_due(detector, &detector->contacts[i]);
        if (due_us < first_us)
            first_us = due_us;
    }
    if (first_us != UINT64_MAX)
        first_us += detector->lost_us;
    if (detector->state == DETECTOR_SUSPENDED && detector->silent_until_us < first_us)
        first_us = detector->silent_until_us;
    return first_us > detector->now_us ? first_us : detector->now_us;
}

static int
watch(struct detector *detector, const struct detector_event *event,
      struct detector_actions *actions)
{
    struct detector_contact *contact = detector_contact_find(detector, event->contact);

    if (event->contact == DETECTOR_NO_CONTACT || event->purpose == 0 ||
        event->incarnation > DETECTOR_INCARNATION_MAX ||
        chord_id_equal(&event->id, &detector->self) ||
        detector_contact_renamed(detector, &contact, &event->id))
        return CPMP_EINVAL;
    if (contact == NULL)
        contact = detector_contact_add(detector, event->contact, &event->id);
    if (contact == NULL)
        return CPMP_ENOMEM;
    if (contact->purpose == 0) {
        contact->heard_us = detector_time(detector);
        contact->incarnation = event->incarnation;
        contact->ping_now = true;
    } else if (contact->state == DETECTOR_DEAD || contact->state == DETECTOR_LEFT) {
        detector_say_changed(actions, contact);  /* the new watcher hasn't heard it */
        contact->ping_now = true;
    }
    contact->purpose |= event->purpose;
    contact->far = event->far;
    return CPMP_OK;
}

static int
unwatch(struct detector *detector, const struct detector_event *event)
{
    struct detector_contact *contact = detector_contact_find(detector, event->contact);

    if (contact == NULL || contact->purpose == 0)
        return CPMP_ENOENT;
    contact->purpose &= ~event->purpose;
    if (contact->purpose == 0)
        detector_contact_remove(detector, contact);
    return CPMP_OK;
}

static int
heard(struct detector *detector, const struct detector_event *event,
      struct detector_actions *actions)
{
    struct detector_contact *contact = detector_contact_find(detector, event->contact);

    if (contact == NULL || contact->purpose == 0)
        return CPMP_ENOENT;
    if (contact->state == DETECTOR_DEAD)
        contact->ping_now = true;  /* only a higher incarnation brings it back; it shall say so */
    else if (contact->state == DETECTOR_SUSPENDED || contact->state == DETECTOR_LEFT)
        contact->heard_us = detector_time(detector);
    else
        detector_believe(detector, contact, DETECTOR_ALIVE, contact->incarnation, 0,
                         detector_time(detector), false, actions);
    return CPMP_OK;
}

/* A connection broke: at once what silence would have brought later. A machine that announced its
 * silence may lose its connections too. */
static int
broken(struct detector *detector, const struct detector_event *event,
       struct detector_actions *actions)
{
    struct detector_contact *contact = detector_contact_find(detector, event->contact);
    const struct detector_pace *pace;
    uint64_t wait_us, passed_us;

    if (contact == NULL || contact->purpose == 0)
        return CPMP_ENOENT;
    pace = detector_pace(detector, contact);
    wait_us = event->refused ? pace->refused_us : pace->dead_us - pace->suspect_us;
    if (contact->state == DETECTOR_ALIVE) {
        detector_suspect(detector, contact, wait_us, actions);
    } else if (contact->state == DETECTOR_SUSPECT) {
        passed_us = detector_time(detector) - contact->suspected_us;
        if (passed_us + wait_us < contact->dead_wait_us)
            contact->dead_wait_us = passed_us + wait_us;
    }
    return CPMP_OK;
}

/* For this peer itself; CPMP_EINVAL: it has left. */
static int
self_changes(struct detector *detector, enum detector_state state, uint64_t silent_us,
             struct detector_actions *actions)
{
    uint64_t most_us = detector->settings.suspended_most_us;

    if (detector->state == DETECTOR_LEFT)
        return CPMP_EINVAL;
    if (state == DETECTOR_ALIVE && detector->state == DETECTOR_ALIVE)
        return CPMP_OK;
    detector->silent_until_us = detector->now_us + (silent_us < most_us ? silent_us : most_us);
    detector_announce(detector, state);
    detector_say_self(detector, actions);
    return CPMP_OK;
}

static int
dispatch(struct detector *detector, const struct detector_event *event,
         struct detector_actions *actions)
{
    switch (event->type) {
    case DETECTOR_EVENT_TIMEOUT:
        return CPMP_OK;
    case DETECTOR_EVENT_MESSAGE:
        return detector_hear(detector, event, actions);
    case DETECTOR_EVENT_HEARD:
        return heard(detector, event, actions);
    case DETECTOR_EVENT_WATCH:
        return watch(detector, event, actions);
    case DETECTOR_EVENT_UNWATCH:
        return unwatch(detector, event);
    case DETECTOR_EVENT_BROKEN:
        return broken(detector, event, actions);
    case DETECTOR_EVENT_SUSPEND:
        return self_changes(detector, DETECTOR_SUSPENDED, event->silent_us, actions);
    case DETECTOR_EVENT_RESUME:
        return self_changes(detector, DETECTOR_ALIVE, 0, actions);
    case DETECTOR_EVENT_LEAVE:
        return self_changes(detector, DETECTOR_LEFT, 0, actions);
    }
    return CPMP_EINVAL;
}

int
detector_step(struct detector *detector, const struct detector_event *event,
              struct detector_actions *actions)
{
    int error;

    actions->count = 0;
    clock_step(detector, event->now_us);
    if (detector->state == DETECTOR_SUSPENDED && detector->now_us >= detector->silent_until_us)
        self_changes(detector, DETECTOR_ALIVE, 0, actions);
    error = dispatch(detector, event, actions);
    detector_run(detector, actions);
    detector->deadline_us = deadline_compute(detector);
    assert(detector->deadline_us >= detector->now_us);
    return error;
}

uint64_t
detector_deadline_us(const struct detector *detector)
{
    return detector->deadline_us;
}

uint64_t
detector_incarnation(const struct detector *detector)
{
    return detector->incarnation;
}

/* --- looking at it --- */

static struct detector_view
view(const struct detector *detector, const struct detector_contact *contact)
{
    return (struct detector_view){
        .contact = contact->handle,
        .id = contact->id,
        .incarnation = contact->incarnation,
        .state = contact->state,
        .purpose = contact->purpose,
        .indirect = contact->indirect,
        .silent_us = detector_time(detector) - contact->heard_us,
        .round_trip_us = contact->round_trip_us,
    };
}

bool
detector_find(const struct detector *detector, uint32_t contact, struct detector_view *view_p)
{
    for (size_t i = 0; i < detector->contact_count; i++) {
        if (detector->contacts[i].handle != contact || detector->contacts[i].purpose == 0)
            continue;
        *view_p = view(detector, &detector->contacts[i]);
        return true;
    }
    return false;
}

bool
detector_at(const struct detector *detector, uint32_t index, struct detector_view *view_p)
{
    for (size_t i = 0; i < detector->contact_count; i++) {
        if (detector->contacts[i].purpose == 0 || index-- > 0)
            continue;
        *view_p = view(detector, &detector->contacts[i]);
        return true;
    }
    return false;
}

static void
check_contact(const struct detector *detector, const struct detector_contact *contact)
{
    uint64_t time_us = detector_time(detector);

    assert(contact->handle != DETECTOR_NO_CONTACT);
    assert(!chord_id_equal(&contact->id, &detector->self));
    assert(contact->state <= DETECTOR_LEFT);
    assert(contact->incarnation <= DETECTOR_INCARNATION_MAX);
    assert(contact->heard_us <= time_us && contact->pinged_us <= time_us);
    assert(contact->asked_us <= time_us);
    assert(contact->purpose || contact->state == DETECTOR_ALIVE);
    assert(contact->state != DETECTOR_SUSPECT || contact->suspected_us <= time_us);
    assert(!contact->indirect || contact->state == DETECTOR_ALIVE ||
           contact->state == DETECTOR_SUSPENDED);
}

void
detector_check(const struct detector *detector)
{
    size_t askers = 0;

    assert(detector->lost_us <= detector->now_us);
    assert(detector->contact_count <= detector->contact_capacity);
    for (size_t i = 0; i < detector->contact_count; i++) {
        const struct detector_contact *contact = &detector->contacts[i];
        check_contact(detector, contact);
        assert(i == 0 || contact[-1].handle < contact->handle);
        askers += contact->purpose == 0;
    }
    assert(askers <= DETECTOR_ASKERS_MAX);
    assert(detector->state != DETECTOR_DEAD && detector->state != DETECTOR_SUSPECT);
    for (size_t i = 0; i < DETECTOR_KEPT_MAX; i++)
        assert(!detector->kept[i].sends_left ||
               detector->kept[i].rumor.incarnation <= DETECTOR_INCARNATION_MAX);
}
