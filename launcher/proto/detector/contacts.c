/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/detector/state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Index of the first contact whose handle is `handle` or above. */
static size_t
contacts_place(const struct detector *detector, uint32_t handle)
{
    size_t low = 0, high = detector->contact_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (detector->contacts[middle].handle < handle)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct detector_contact *
detector_contact_find(struct detector *detector, uint32_t handle)
{
    size_t at = contacts_place(detector, handle);

    if (at == detector->contact_count || detector->contacts[at].handle != handle)
        return NULL;
    return &detector->contacts[at];
}

struct detector_contact *
detector_contact_named(struct detector *detector, const struct chord_id *id)
{
    for (size_t i = 0; i < detector->contact_count; i++) {
        struct detector_contact *contact = &detector->contacts[i];
        if (contact->purpose && chord_id_equal(&contact->id, id))
            return contact;
    }
    return NULL;
}

struct detector_contact *
detector_contact_add(struct detector *detector, uint32_t handle, const struct chord_id *id)
{
    size_t at = contacts_place(detector, handle);
    struct detector_contact *contact;

    assert(at == detector->contact_count || detector->contacts[at].handle != handle);
    if (detector->contact_count == detector->contact_capacity) {
        size_t capacity = detector->contact_capacity ? 2 * detector->contact_capacity : 16;
        struct detector_contact *more =
            realloc(detector->contacts, capacity * sizeof(*detector->contacts));
        if (more == NULL)
            return NULL;
        detector->contacts = more;
        detector->contact_capacity = capacity;
    }
    contact = &detector->contacts[at];
    memmove(contact + 1, contact, (detector->contact_count - at) * sizeof(*contact));
    detector->contact_count++;
    memset(contact, 0, sizeof(*contact));
    contact->handle = handle;
    contact->id = *id;
    contact->state = DETECTOR_ALIVE;
    contact->heard_us = contact->asked_us = detector_time(detector);
    return contact;
}

void
detector_contact_remove(struct detector *detector, struct detector_contact *contact)
{
    size_t at = (size_t)(contact - detector->contacts);

    assert(at < detector->contact_count);
    memmove(contact, contact + 1, (detector->contact_count - at - 1) * sizeof(*contact));
    detector->contact_count--;
}

bool
detector_contact_renamed(struct detector *detector, struct detector_contact **contact_p,
                         const struct chord_id *id)
{
    if (*contact_p == NULL || chord_id_equal(&(*contact_p)->id, id))
        return false;
    if ((*contact_p)->purpose)
        return true;
    detector_contact_remove(detector, *contact_p);
    *contact_p = NULL;
    return false;
}

/* Strangers may ping us in any number; only the latest are remembered. */
static void
askers_trim(struct detector *detector)
{
    struct detector_contact *oldest = NULL;
    size_t count = 0;

    for (size_t i = 0; i < detector->contact_count; i++) {
        struct detector_contact *contact = &detector->contacts[i];
        if (contact->purpose)
            continue;
        count++;
        if (oldest == NULL || contact->asked_us < oldest->asked_us)
            oldest = contact;
    }
    if (count >= DETECTOR_ASKERS_MAX)
        detector_contact_remove(detector, oldest);
}

struct detector_contact *
detector_asker(struct detector *detector, uint32_t handle, const struct chord_id *id)
{
    struct detector_contact *contact = detector_contact_find(detector, handle);

    if (contact == NULL) {
        askers_trim(detector);
        contact = detector_contact_add(detector, handle, id);
    }
    if (contact != NULL)
        contact->asked_us = detector_time(detector);
    return contact;
}

uint64_t
detector_margin_us(const struct detector *detector, const struct detector_contact *contact)
{
    uint64_t margin_us = contact->round_trip_us + 4 * contact->round_trip_variation_us;
    uint64_t most_us = detector_pace(detector, contact)->dead_us;

    return margin_us < most_us ? margin_us : most_us;
}

/* Jacobson's estimate with the factors of RFC 6298, section 2. */
void
detector_measured(struct detector_contact *contact, uint64_t round_trip_us)
{
    uint64_t smooth_us = contact->round_trip_us;
    uint64_t difference_us =
        smooth_us > round_trip_us ? smooth_us - round_trip_us : round_trip_us - smooth_us;

    if (round_trip_us == 0)
        round_trip_us = 1;
    if (smooth_us == 0) {
        contact->round_trip_us = round_trip_us;
        contact->round_trip_variation_us = round_trip_us / 2;
        return;
    }
    contact->round_trip_variation_us =
        (3 * contact->round_trip_variation_us + difference_us) / 4;
    contact->round_trip_us = (7 * smooth_us + round_trip_us) / 8;
    if (contact->round_trip_us == 0)
        contact->round_trip_us = 1;
}

/* A contact that is heard is not pinged; that what we send it keeps it from pinging us halves the
 * messages of two that watch each other. The dead and the suspended are asked rarely: enough to
 * find out that they are back. */
static uint64_t
ping_due(const struct detector *detector, const struct detector_contact *contact)
{
    const struct detector_pace *pace = detector_pace(detector, contact);
    bool rarely = contact->state == DETECTOR_DEAD || contact->state == DETECTOR_SUSPENDED;
    uint64_t since_us =
        contact->heard_us > contact->pinged_us ? contact->heard_us : contact->pinged_us;

    return since_us + (rarely ? pace->dead_us : pace->ping_us) + contact->jitter_us;
}

uint64_t
detector_contact_due(const struct detector *detector, const struct detector_contact *contact)
{
    const struct detector_pace *pace = detector_pace(detector, contact);
    uint64_t ping_us, judge_us = UINT64_MAX;

    if (contact->owe_news)
        return 0;
    if (contact->purpose == 0 || contact->state == DETECTOR_LEFT)
        return UINT64_MAX;
    ping_us = contact->ping_now ? 0 : ping_due(detector, contact);
    if (contact->state == DETECTOR_ALIVE)
        judge_us = contact->heard_us + pace->suspect_us + detector_margin_us(detector, contact);
    else if (contact->state == DETECTOR_SUSPECT)
        judge_us = contact->suspected_us + contact->dead_wait_us;
    else if (contact->state == DETECTOR_SUSPENDED)
        judge_us = contact->silent_until_us;
    return ping_us < judge_us ? ping_us : judge_us;
}
