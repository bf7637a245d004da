/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/detector/state.h"

#include <assert.h>

#include <cpmp.h>

static bool
rumor_valid(const struct detector_rumor *rumor)
{
    return rumor->state >= DETECTOR_ALIVE && rumor->state <= DETECTOR_LEFT &&
           rumor->incarnation >= 1 && rumor->incarnation <= DETECTOR_INCARNATION_MAX;
}

bool
detector_message_valid(const struct detector_message *message)
{
    if (message->kind < DETECTOR_PING || message->kind > DETECTOR_NEWS)
        return false;
    if (message->state != DETECTOR_ALIVE && message->state != DETECTOR_SUSPENDED &&
        message->state != DETECTOR_LEFT)
        return false;
    if (message->incarnation < 1 || message->incarnation > DETECTOR_INCARNATION_MAX)
        return false;
    if (message->kind == DETECTOR_PROBED && !rumor_valid(&message->about))
        return false;
    if (message->rumor_count > DETECTOR_RUMORS_MAX)
        return false;
    for (uint32_t i = 0; i < message->rumor_count; i++)
        if (!rumor_valid(&message->rumors[i]))
            return false;
    return true;
}

/* --- rumors about this peer --- */

static void
incarnation_raise(struct detector *detector, uint64_t above)
{
    if (above < detector->incarnation)
        above = detector->incarnation;
    /* A liar could drive us to the top; up there every message of ours counts (see fenced). */
    detector->incarnation = above < DETECTOR_INCARNATION_MAX ? above + 1 : above;
}

void
detector_announce(struct detector *detector, enum detector_state state)
{
    detector->state = state;
    incarnation_raise(detector, detector->incarnation);
    for (size_t i = 0; i < detector->contact_count; i++)
        detector->contacts[i].owe_news = true;
}

/* What others believe of us may be from an earlier life, before a restart that lost its state. */
static void
rumor_about_self(struct detector *detector, const struct detector_rumor *rumor)
{
    bool wrong = rumor->state == DETECTOR_SUSPECT || rumor->state == DETECTOR_DEAD;

    if (detector->state == DETECTOR_LEFT)
        return;
    if (rumor->incarnation > detector->incarnation ||
        (wrong && rumor->incarnation == detector->incarnation))
        incarnation_raise(detector, rumor->incarnation);
}

/* --- rumors about others --- */

/* Somebody worries about a contact that we think well of: look ourselves. Not more often than a
 * quarter of a round, however many worry. */
static void
contact_look(struct detector *detector, struct detector_contact *contact)
{
    uint64_t rest_us = detector_pace(detector, contact)->ping_us / 4;
    uint64_t time_us = detector_time(detector);

    if (time_us - contact->heard_us >= rest_us && time_us - contact->pinged_us >= rest_us)
        contact->ping_now = true;
}

static void
rumor_about_contact(struct detector *detector, struct detector_contact *contact,
                    const struct detector_rumor *rumor, struct detector_actions *actions)
{
    bool newer = rumor->incarnation > contact->incarnation;
    bool doubted = contact->state == DETECTOR_SUSPECT;

    if (rumor->state == DETECTOR_ALIVE && newer && doubted)
        detector_believe(detector, contact, DETECTOR_ALIVE, rumor->incarnation, 0,
                         detector_time(detector), true, actions);
    else if (rumor->state == DETECTOR_SUSPENDED && newer &&
             (doubted || contact->state == DETECTOR_ALIVE))
        detector_believe(detector, contact, DETECTOR_SUSPENDED, rumor->incarnation,
                         rumor->silent_us, detector_time(detector), true, actions);
    else if (newer || rumor->state != DETECTOR_ALIVE)
        contact_look(detector, contact);
}

static void
rumor_heard(struct detector *detector, const struct detector_rumor *rumor,
            struct detector_actions *actions)
{
    struct detector_contact *contact;

    if (chord_id_equal(&rumor->id, &detector->self)) {
        rumor_about_self(detector, rumor);
        return;
    }
    contact = detector_contact_named(detector, &rumor->id);
    if (contact != NULL && rumor->incarnation < contact->incarnation)
        return;
    detector_rumor_keep(detector, rumor, false);
    if (contact != NULL)
        rumor_about_contact(detector, contact, rumor, actions);
}

/* --- the sender --- */

/* Of a life that is over, as far as we know. */
static bool
fenced(const struct detector_contact *contact, uint64_t incarnation)
{
    bool over = contact->state == DETECTOR_DEAD || contact->state == DETECTOR_LEFT;

    if (incarnation == DETECTOR_INCARNATION_MAX)
        return false;
    return incarnation < contact->incarnation || (over && incarnation == contact->incarnation);
}

/* False: the sender must first learn what is believed of it. */
static bool
sender_heard(struct detector *detector, struct detector_contact *contact,
             const struct detector_message *message, struct detector_actions *actions)
{
    if (fenced(contact, message->incarnation)) {
        contact->stale = true;
        return false;
    }
    detector_believe(detector, contact, message->state, message->incarnation, message->silent_us,
                     detector_time(detector), false, actions);
    return true;
}

/* --- what is asked and answered --- */

/* Someone else's suspect: what we know for sure, or else a ping on the asker's behalf. */
static void
probe_heard(struct detector *detector, const struct detector_event *event,
            struct detector_actions *actions)
{
    const struct detector_message *message = event->message;
    struct detector_contact *contact = detector_contact_named(detector, &message->target);
    bool silent = contact != NULL && (contact->state == DETECTOR_SUSPENDED ||
                                      contact->state == DETECTOR_LEFT);
    struct detector_relay *relay;

    if (silent) {
        struct detector_message *answer =
            detector_send(detector, actions, event->contact, &event->id, DETECTOR_PROBED);
        answer->number = message->number;
        answer->about = (struct detector_rumor){.id = contact->id, .state = contact->state,
                                                .incarnation = contact->incarnation};
        if (contact->state == DETECTOR_SUSPENDED &&
            contact->silent_until_us > detector_time(detector))
            answer->about.silent_us = contact->silent_until_us - detector_time(detector);
        return;
    }
    relay = &detector->relays[detector->relay_next++ % DETECTOR_RELAYS_MAX];
    /* The top bit tells these numbers from times, which are what our own pings bear. */
    *relay = (struct detector_relay){.target = message->target, .asker = event->id,
                                     .asker_handle = event->contact,
                                     .asker_number = message->number,
                                     .number = 1ull << 63 | ++detector->relay_number};
    detector_send(detector, actions, contact ? contact->handle : DETECTOR_NO_CONTACT,
                  &message->target, DETECTOR_PING)->number = relay->number;
}

static void
relays_answer(struct detector *detector, const struct detector_event *event,
              struct detector_actions *actions)
{
    const struct detector_message *message = event->message;

    for (size_t i = 0; i < DETECTOR_RELAYS_MAX; i++) {
        struct detector_relay *relay = &detector->relays[i];
        struct detector_message *answer;
        if (relay->asker_handle == DETECTOR_NO_CONTACT || relay->number != message->number ||
            !chord_id_equal(&relay->target, &event->id))
            continue;
        answer = detector_send(detector, actions, relay->asker_handle, &relay->asker,
                               DETECTOR_PROBED);
        answer->number = relay->asker_number;
        answer->about = (struct detector_rumor){.id = event->id, .state = message->state,
                                                .incarnation = message->incarnation,
                                                .silent_us = message->silent_us};
        relay->asker_handle = DETECTOR_NO_CONTACT;
        return;  /* numbers are unique */
    }
}

static void
ack_heard(struct detector *detector, struct detector_contact *contact,
          const struct detector_event *event, struct detector_actions *actions)
{
    uint64_t number = event->message->number, time_us = detector_time(detector);

    relays_answer(detector, event, actions);
    /* Our pings bear the time they left at. What can't be true measures nothing. */
    if (contact != NULL && contact->purpose && number <= time_us &&
        time_us - number <= detector_pace(detector, contact)->dead_us)
        detector_measured(contact, time_us - number);
}

/* Another reached the suspect for us. Good for the moment we asked, not for now. */
static void
probed_heard(struct detector *detector, const struct detector_message *message,
             struct detector_actions *actions)
{
    const struct detector_rumor *about = &message->about;
    struct detector_contact *contact = detector_contact_named(detector, &about->id);
    uint64_t time_us = detector_time(detector);

    if (contact == NULL || about->incarnation < contact->incarnation ||
        (contact->state != DETECTOR_SUSPECT && !contact->indirect))
        return;
    if (message->number > time_us ||
        time_us - message->number > detector_pace(detector, contact)->dead_us)
        return;
    if (about->state == DETECTOR_ALIVE || about->state == DETECTOR_SUSPENDED)
        detector_believe(detector, contact, about->state, about->incarnation, about->silent_us,
                         message->number, true, actions);
}

static void
answer(struct detector *detector, struct detector_contact *contact, bool told,
       const struct detector_event *event, struct detector_actions *actions)
{
    const struct detector_message *message = event->message;

    if (message->kind == DETECTOR_PING)
        detector_send(detector, actions, event->contact, &event->id, DETECTOR_ACK)->number =
            message->number;
    else if (told)
        detector_send(detector, actions, event->contact, &event->id, DETECTOR_NEWS);
    if (message->kind == DETECTOR_PROBE)
        probe_heard(detector, event, actions);
    else if (message->kind == DETECTOR_ACK)
        ack_heard(detector, contact, event, actions);
    else if (message->kind == DETECTOR_PROBED)
        probed_heard(detector, message, actions);
}

int
detector_hear(struct detector *detector, const struct detector_event *event,
              struct detector_actions *actions)
{
    const struct detector_message *message = event->message;
    struct detector_contact *contact = detector_contact_find(detector, event->contact);
    uint64_t before = detector->incarnation;
    bool fence = false;

    if (event->contact == DETECTOR_NO_CONTACT || chord_id_equal(&event->id, &detector->self) ||
        !detector_message_valid(message))
        return CPMP_EINVAL;
    if (detector_contact_renamed(detector, &contact, &event->id))
        return CPMP_EINVAL;
    if (contact != NULL && contact->purpose)
        fence = !sender_heard(detector, contact, message, actions);
    else if (message->kind == DETECTOR_PING)
        contact = detector_asker(detector, event->contact, &event->id);
    for (uint32_t i = 0; i < message->rumor_count; i++)
        rumor_heard(detector, &message->rumors[i], actions);
    /* Whoever doubts us, and whom we doubt, hears so at once. */
    answer(detector, contact, fence || detector->incarnation != before, event, actions);
    if (detector->incarnation != before)
        detector_say_self(detector, actions);
    return CPMP_OK;
}
