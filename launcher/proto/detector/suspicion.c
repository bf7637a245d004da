/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/detector/state.h"

#include <assert.h>

#include "base/hash.h"

/* One contact that is due takes CHANGED, a PING and PROBEs. */
#define DUE_ACTIONS_MAX (2 + DETECTOR_PROBES_MAX)

uint64_t
detector_draw(struct detector *detector, uint64_t limit)
{
    detector->random += 0x9e3779b97f4a7c15ull;
    return cpi_hash_mix(detector->random) % limit;
}

static struct detector_action *
action_add(struct detector_actions *actions, enum detector_action_type type)
{
    struct detector_action *action;

    assert(actions->count < DETECTOR_ACTIONS_MAX);
    action = &actions->list[actions->count++];
    *action = (struct detector_action){.type = type, .contact = DETECTOR_NO_CONTACT};
    return action;
}

void
detector_say_self(const struct detector *detector, struct detector_actions *actions)
{
    action_add(actions, DETECTOR_ACTION_SELF)->incarnation = detector->incarnation;
}

void
detector_say_changed(struct detector_actions *actions, const struct detector_contact *contact)
{
    struct detector_action *action = action_add(actions, DETECTOR_ACTION_CHANGED);

    action->contact = contact->handle;
    action->id = contact->id;
    action->incarnation = contact->incarnation;
    action->state = contact->state;
    action->indirect = contact->indirect;
}

struct detector_message *
detector_send(struct detector *detector, struct detector_actions *actions, uint32_t handle,
              const struct chord_id *to, enum detector_kind kind)
{
    struct detector_action *action = action_add(actions, DETECTOR_ACTION_SEND);
    struct detector_message *message = &action->message;

    action->contact = handle;
    action->id = *to;
    message->kind = kind;
    message->state = detector->state;
    message->incarnation = detector->incarnation;
    if (detector->state == DETECTOR_SUSPENDED)
        message->silent_us = detector->silent_until_us - detector->now_us;
    detector_rumor_fill(detector, to, detector_contact_find(detector, handle), message);
    return message;
}

void
detector_believe(struct detector *detector, struct detector_contact *contact,
                 enum detector_state state, uint64_t incarnation, uint64_t silent_us,
                 uint64_t heard_us, bool indirect, struct detector_actions *actions)
{
    bool changed = contact->state != state || contact->incarnation != incarnation ||
                   contact->indirect != indirect;
    uint64_t most_us = detector->settings.suspended_most_us;

    assert(contact->purpose && incarnation >= contact->incarnation);
    if (heard_us > contact->heard_us)
        contact->heard_us = heard_us;
    contact->state = state;
    contact->incarnation = incarnation;
    contact->indirect = indirect;
    contact->stale = false;
    if (state == DETECTOR_SUSPENDED)
        contact->silent_until_us =
            detector_time(detector) + (silent_us < most_us ? silent_us : most_us);
    detector_rumor_refute(detector, &contact->id, incarnation);
    if (changed)
        detector_say_changed(actions, contact);
}

/* --- asking others --- */

static bool
can_help(const struct detector_contact *helper, const struct detector_contact *about)
{
    return helper != about && helper->purpose && helper->state == DETECTOR_ALIVE &&
           !helper->indirect;
}

static void
probe(struct detector *detector, const struct detector_contact *about,
      const struct detector_contact *helper, struct detector_actions *actions)
{
    struct detector_message *message =
        detector_send(detector, actions, helper->handle, &helper->id, DETECTOR_PROBE);

    message->target = about->id;
    message->number = detector_time(detector);
}

/* Asks `count` others, drawn so that each of them is as likely (selection sampling: Knuth, volume
 * 2, algorithm 3.4.2 S). */
static void
probes_send(struct detector *detector, const struct detector_contact *about, uint32_t count,
            struct detector_actions *actions)
{
    uint64_t candidates = 0;

    for (size_t i = 0; i < detector->contact_count; i++)
        candidates += can_help(&detector->contacts[i], about);
    for (size_t i = 0; i < detector->contact_count && count > 0; i++) {
        if (!can_help(&detector->contacts[i], about))
            continue;
        if (detector_draw(detector, candidates--) >= count)
            continue;
        probe(detector, about, &detector->contacts[i], actions);
        count--;
    }
}

/* --- what is due --- */

static void
ping(struct detector *detector, struct detector_contact *contact, struct detector_actions *actions)
{
    uint64_t ping_us = detector_pace(detector, contact)->ping_us;

    contact->ping_now = false;
    contact->pinged_us = detector_time(detector);
    /* Else all contacts of one start would be pinged at the same moment for ever. */
    contact->jitter_us = detector_draw(detector, ping_us / 8 + 1);
    detector_send(detector, actions, contact->handle, &contact->id, DETECTOR_PING)->number =
        contact->pinged_us;
    if (contact->indirect && contact->state == DETECTOR_ALIVE)
        probes_send(detector, contact, 1, actions);
}

static void
rumor_start(struct detector *detector, const struct detector_contact *contact)
{
    struct detector_rumor rumor = {.id = contact->id, .incarnation = contact->incarnation,
                                   .state = contact->state};

    if (rumor.incarnation > 0)
        detector_rumor_keep(detector, &rumor, true);
}

void
detector_suspect(struct detector *detector, struct detector_contact *contact,
                 uint64_t dead_wait_us, struct detector_actions *actions)
{
    contact->state = DETECTOR_SUSPECT;
    contact->indirect = false;
    contact->suspected_us = detector_time(detector);
    contact->dead_wait_us = dead_wait_us;
    detector_say_changed(actions, contact);
    rumor_start(detector, contact);
    ping(detector, contact, actions);
    probes_send(detector, contact, detector->settings.probes, actions);
}

static void
contact_dies(struct detector *detector, struct detector_contact *contact,
             struct detector_actions *actions)
{
    contact->state = DETECTOR_DEAD;
    contact->indirect = false;
    contact->pinged_us = detector_time(detector);
    detector_say_changed(actions, contact);
    rumor_start(detector, contact);
}

/* Does what detector_contact_due announced. */
static void
contact_attend(struct detector *detector, struct detector_contact *contact,
               struct detector_actions *actions)
{
    const struct detector_pace *pace = detector_pace(detector, contact);
    uint64_t time_us = detector_time(detector);
    uint64_t late_us =
        contact->heard_us + pace->suspect_us + detector_margin_us(detector, contact);

    if (contact->owe_news) {
        contact->owe_news = false;
        detector_send(detector, actions, contact->handle, &contact->id, DETECTOR_NEWS);
    } else if ((contact->state == DETECTOR_ALIVE && time_us >= late_us) ||
               (contact->state == DETECTOR_SUSPENDED && time_us >= contact->silent_until_us)) {
        detector_suspect(detector, contact, pace->dead_us - pace->suspect_us, actions);
    } else if (contact->state == DETECTOR_SUSPECT &&
               time_us >= contact->suspected_us + contact->dead_wait_us) {
        contact_dies(detector, contact, actions);
    } else {
        ping(detector, contact, actions);
    }
}

/* The contact that has been due for longest; NULL: none is. */
static struct detector_contact *
contact_first_due(struct detector *detector)
{
    struct detector_contact *first = NULL;
    uint64_t first_us = UINT64_MAX, time_us = detector_time(detector);

    for (size_t i = 0; i < detector->contact_count; i++) {
        uint64_t due_us = detector_contact_due(detector, &detector->contacts[i]);
        if (due_us > time_us || due_us >= first_us)
            continue;
        first = &detector->contacts[i];
        first_us = due_us;
    }
    return first;
}

void
detector_run(struct detector *detector, struct detector_actions *actions)
{
    struct detector_contact *contact;

    while (actions->count + DUE_ACTIONS_MAX <= DETECTOR_ACTIONS_MAX &&
           (contact = contact_first_due(detector)) != NULL) {
        contact_attend(detector, contact, actions);
    }
}
