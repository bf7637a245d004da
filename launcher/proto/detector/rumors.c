/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/detector/state.h"

#include <assert.h>

/* SWIM, section 4.2: a higher incarnation overrides; within one, what is worse does. */
static bool
overrides(const struct detector_rumor *new, const struct detector_rumor *old)
{
    static const uint8_t weight[] = {
        [DETECTOR_ALIVE] = 0, [DETECTOR_SUSPECT] = 1, [DETECTOR_SUSPENDED] = 2,
        [DETECTOR_DEAD] = 3, [DETECTOR_LEFT] = 4,
    };

    if (new->incarnation != old->incarnation)
        return new->incarnation > old->incarnation;
    return weight[new->state] > weight[old->state];
}

/* How often one rumor is sent: some times the logarithm of the group reaches all of it with high
 * probability (SWIM, section 4.1). */
static uint32_t
sends(const struct detector *detector)
{
    uint32_t bits = 1;

    for (size_t count = detector->contact_count; count > 0; count >>= 1)
        bits++;
    return 3 * bits;
}

static struct detector_kept *
kept_find(struct detector *detector, const struct chord_id *id)
{
    for (size_t i = 0; i < DETECTOR_KEPT_MAX; i++)
        if (detector->kept[i].sends_left && chord_id_equal(&detector->kept[i].rumor.id, id))
            return &detector->kept[i];
    return NULL;
}

/* A free place, else that of the hearsay told most often. Hearsay never displaces own findings, so
 * a peer that invents rumors can't silence us. */
static struct detector_kept *
kept_room(struct detector *detector, bool own)
{
    struct detector_kept *worst = NULL;

    for (size_t i = 0; i < DETECTOR_KEPT_MAX; i++) {
        struct detector_kept *kept = &detector->kept[i];
        if (kept->sends_left == 0)
            return kept;
        if (kept->own && !own)
            continue;
        if (worst == NULL || (worst->own && !kept->own) ||
            (worst->own == kept->own && kept->sends_left < worst->sends_left))
            worst = kept;
    }
    return worst;
}

bool
detector_rumor_keep(struct detector *detector, const struct detector_rumor *rumor, bool own)
{
    struct detector_kept *kept = kept_find(detector, &rumor->id);

    if (kept != NULL && !overrides(rumor, &kept->rumor))
        return false;
    /* That somebody lives is worth telling only to those who were told otherwise. */
    if (kept == NULL && rumor->state == DETECTOR_ALIVE)
        return false;
    if (kept == NULL)
        kept = kept_room(detector, own);
    if (kept == NULL)
        return false;
    *kept = (struct detector_kept){.rumor = *rumor, .since_us = detector_time(detector),
                                   .sends_left = sends(detector), .own = own};
    return true;
}

void
detector_rumor_refute(struct detector *detector, const struct chord_id *id, uint64_t incarnation)
{
    struct detector_kept *kept = kept_find(detector, id);
    struct detector_rumor alive = {.id = *id, .incarnation = incarnation, .state = DETECTOR_ALIVE};

    if (kept == NULL)
        return;
    if (incarnation > kept->rumor.incarnation)
        detector_rumor_keep(detector, &alive, true);
    else if (kept->own)
        kept->sends_left = 0;  /* our own mistake */
}

static void
fill_one(struct detector_message *message, const struct detector_rumor *rumor)
{
    assert(message->rumor_count < DETECTOR_RUMORS_MAX);
    message->rumors[message->rumor_count++] = *rumor;
}

static bool
filled(const struct detector_message *message, const struct chord_id *id)
{
    for (uint32_t i = 0; i < message->rumor_count; i++)
        if (chord_id_equal(&message->rumors[i].id, id))
            return true;
    return false;
}

/* The one not in `message` yet that has been told least. */
static struct detector_kept *
kept_next(struct detector *detector, const struct detector_message *message)
{
    struct detector_kept *best = NULL;

    for (size_t i = 0; i < DETECTOR_KEPT_MAX; i++) {
        struct detector_kept *kept = &detector->kept[i];
        if (kept->sends_left == 0 || filled(message, &kept->rumor.id))
            continue;
        if (best == NULL || kept->sends_left > best->sends_left)
            best = kept;
    }
    return best;
}

static void
fill_kept(struct detector *detector, struct detector_kept *kept, struct detector_message *message)
{
    struct detector_rumor rumor = kept->rumor;
    uint64_t passed_us = detector_time(detector) - kept->since_us;

    kept->sends_left--;
    rumor.silent_us = rumor.silent_us > passed_us ? rumor.silent_us - passed_us : 0;
    if (rumor.state == DETECTOR_SUSPENDED && rumor.silent_us == 0)
        kept->sends_left = 0;  /* over */
    else
        fill_one(message, &rumor);
}

void
detector_rumor_fill(struct detector *detector, const struct chord_id *to,
                    const struct detector_contact *contact, struct detector_message *message)
{
    struct detector_kept *kept;

    /* What is said of the receiver itself comes first: it can refute it. */
    if (contact != NULL && contact->purpose && contact->incarnation &&
        (contact->stale || contact->state == DETECTOR_SUSPECT || contact->state == DETECTOR_DEAD ||
         contact->state == DETECTOR_LEFT)) {
        struct detector_rumor rumor = {.id = *to, .incarnation = contact->incarnation,
                                       .state = DETECTOR_SUSPECT};
        if (contact->state == DETECTOR_DEAD || contact->state == DETECTOR_LEFT)
            rumor.state = DETECTOR_DEAD;
        fill_one(message, &rumor);
    } else if ((kept = kept_find(detector, to)) != NULL && kept->rumor.state != DETECTOR_ALIVE) {
        fill_kept(detector, kept, message);
    }
    while (message->rumor_count < DETECTOR_RUMORS_MAX &&
           (kept = kept_next(detector, message)) != NULL)
        fill_kept(detector, kept, message);
}
