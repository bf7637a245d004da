/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What this machine's cpexec and agents want: sellers, contents to be kept, ranks on other peers.
 */
#include "peer/daemon.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "peer/asking.h"
#include "peer/rows.h"
#include "text/memory.h"

#define GROUPS_MAX 1024  /* of a user that are looked at */

/* --- may this user? --- */

static bool
user_may(struct daemon *daemon, const struct session *session, const Cpmp__Local *message)
{
    const struct passwd *user = getpwuid(session->uid);
    const char *groups[GROUPS_MAX];
    gid_t numbers[GROUPS_MAX];
    int most = GROUPS_MAX;
    size_t count = 0;
    struct text why = {0};
    bool may;

    if (user != NULL) {
        /* Of too many it gives the first ones, and the number of all. */
        getgrouplist(user->pw_name, user->pw_gid, numbers, &most);
        for (int i = 0; i < most && i < GROUPS_MAX; i++) {
            const struct group *group = getgrgid(numbers[i]);
            if (group != NULL)
                groups[count++] = memory_copy_text(group->gr_name);
        }
        user = getpwuid(session->uid);
    }
    may = policy_admits_user(&daemon->policy, session->uid, user != NULL ? user->pw_name : NULL,
                             groups, count, &why);
    if (!may)
        sessions_fail(&daemon->sessions, session->id, message->number, LOCAL_FAILURE_REFUSED,
                      "%s", text_string(&why));
    for (size_t i = 0; i < count; i++)
        free((char *)groups[i]);
    text_release(&why);
    return may;
}

/* --- sellers --- */

static void
on_sellers(void *arg, const struct offer *offers, size_t count, uint32_t unanswered)
{
    struct waiting_one *one = arg;
    Cpmp__Local answer = CPMP__LOCAL__INIT;
    Cpmp__SellersReply reply = CPMP__SELLERS_REPLY__INIT;
    (void)unanswered;

    reply.rows = rows_make(one->arg, offers, count, &reply.n_rows);
    answer.body_case = CPMP__LOCAL__BODY_SELLERS_REPLY;
    answer.sellers_reply = &reply;
    waiting_answer(one, &answer);
    rows_free(reply.rows, reply.n_rows);
}

static void
sellers(struct daemon *daemon, const struct session *session, const Cpmp__Local *message)
{
    struct waiting_one *one = waiting_new(&daemon->waiting, session, message->number);

    if (one != NULL)
        offers_gather(&daemon->offers, on_sellers, one);
}

/* --- contents --- */

static void
content_query(struct daemon *daemon, const struct session *session, const Cpmp__Local *message)
{
    const Cpmp__ContentQuery *query = message->content_query;
    Cpmp__ContentWanted wanted = CPMP__CONTENT_WANTED__INIT;
    Cpmp__Local answer = CPMP__LOCAL__INIT;
    struct text why = {0};

    wanted.indices = memory_new(query->n_contents, sizeof(*wanted.indices));
    for (size_t i = 0; i < query->n_contents; i++) {
        struct content_name name;
        const Cpmp__Content *content = query->contents[i];
        if (content->name.len == CONTENT_NAME_BYTES)
            memcpy(name.bytes, content->name.data, CONTENT_NAME_BYTES);
        if (content->name.len == CONTENT_NAME_BYTES &&
            content_pin(daemon->store, &name, content->executable) == CPMP_OK)
            content_unpin(daemon->store, &name);
        else if (why.used == 0 &&
                 supplies_expect(daemon->supplies, session->id, content, &why))
            wanted.indices[wanted.n_indices++] = (uint32_t)i;
    }
    if (why.used > 0) {
        sessions_fail(&daemon->sessions, session->id, message->number, LOCAL_FAILURE_WRONG, "%s",
                      text_string(&why));
        text_release(&why);
        free(wanted.indices);
        return;
    }
    answer.body_case = CPMP__LOCAL__BODY_CONTENT_WANTED;
    answer.content_wanted = &wanted;
    sessions_answer(&daemon->sessions, session->id, message->number, &answer);
    free(wanted.indices);
}

static void
content_put(struct daemon *daemon, const struct session *session, const Cpmp__Local *message)
{
    Cpmp__ContentPutReply reply = CPMP__CONTENT_PUT_REPLY__INIT;
    Cpmp__Local answer = CPMP__LOCAL__INIT;
    struct text why = {0};
    bool done = false;

    if (supplies_put(daemon->supplies, session->id, message->content_put, &done, &why)) {
        reply.done = done;
        answer.body_case = CPMP__LOCAL__BODY_CONTENT_PUT_REPLY;
        answer.content_put_reply = &reply;
        sessions_answer(&daemon->sessions, session->id, message->number, &answer);
    } else {
        sessions_fail(&daemon->sessions, session->id, message->number, LOCAL_FAILURE_BROKEN,
                      "%s", text_string(&why));
    }
    text_release(&why);
}

/* --- ranks on other peers, and here --- */

static void
refuse(struct daemon *daemon, const struct session *session, const Cpmp__Local *message,
       const char *why)
{
    Cpmp__Refused refused = CPMP__REFUSED__INIT;
    Cpmp__Local answer = CPMP__LOCAL__INIT;

    refused.nonce = message->enlist->enlist->nonce;
    refused.reason = (char *)why;
    answer.body_case = CPMP__LOCAL__BODY_REFUSED;
    answer.refused = &refused;
    sessions_answer(&daemon->sessions, session->id, message->number, &answer);
}

static void
enlist_here(struct daemon *daemon, const struct session *session, const Cpmp__Local *message)
{
    struct enlist_asker asker = {.contact = BOOK_SELF, .session = session->id,
                                 .number = message->number};

    memcpy(asker.peer, daemon->membership.id, IDENTITY_ID_BYTES);
    snprintf(asker.name, sizeof(asker.name), "%s", daemon->membership.name);
    enlist_ask(&daemon->enlist, &asker, message->enlist->enlist);
}

static void
enlist_elsewhere(struct daemon *daemon, const struct session *session, const Cpmp__Local *message,
                 uint32_t contact)
{
    Cpmp__PeerMessage out = CPMP__PEER_MESSAGE__INIT;
    struct asking_one one = {.contact = contact, .session = session->id,
                             .number = message->number,
                             .nonce = message->enlist->enlist->nonce};

    if (!asking_add(&daemon->asking, &one)) {
        refuse(daemon, session, message, "this machine asks for too much at a time");
        return;
    }
    out.body_case = CPMP__PEER_MESSAGE__BODY_ENLIST;
    out.enlist = message->enlist->enlist;
    daemon_net_send(daemon, contact, &out);
}

static void
enlist_request(struct daemon *daemon, const struct session *session, const Cpmp__Local *message)
{
    const Cpmp__EnlistRequest *request = message->enlist;
    struct chord_id id;
    uint32_t contact;

    if (request->enlist == NULL || request->peer.len != CHORD_ID_BYTES) {
        sessions_fail(&daemon->sessions, session->id, message->number, LOCAL_FAILURE_WRONG,
                      "the request names no peer");
        return;
    }
    memcpy(id.bytes, request->peer.data, CHORD_ID_BYTES);
    contact = book_find(&daemon->book, &id);
    if (contact == BOOK_SELF)
        enlist_here(daemon, session, message);
    else if (contact == CHORD_NO_CONTACT)
        refuse(daemon, session, message, "nobody knows where that peer is");
    else
        enlist_elsewhere(daemon, session, message, contact);
}

static void
release_send(struct daemon *daemon, uint32_t contact, const Cpmp__Release *release)
{
    Cpmp__PeerMessage out = CPMP__PEER_MESSAGE__INIT;

    out.body_case = CPMP__PEER_MESSAGE__BODY_RELEASE;
    out.release = (Cpmp__Release *)release;
    daemon_net_send(daemon, contact, &out);
}

/* Nobody watches over it here any more: the launcher comes soon, or doesn't. */
static void
release_later(struct daemon *daemon, uint32_t contact, uint64_t nonce)
{
    Cpmp__Release release = CPMP__RELEASE__INIT;

    release.nonce = nonce;
    release.later = true;
    release_send(daemon, contact, &release);
}

static void
release(struct daemon *daemon, const Cpmp__ReleaseRequest *request)
{
    struct chord_id id;
    uint32_t contact;

    if (request->release == NULL || request->peer.len != CHORD_ID_BYTES)
        return;
    memcpy(id.bytes, request->peer.data, CHORD_ID_BYTES);
    contact = book_find(&daemon->book, &id);
    asking_take(&daemon->asking, contact, request->release->nonce, NULL);
    if (contact == BOOK_SELF) {
        enlist_withdraw(&daemon->enlist, daemon->membership.id, request->release->nonce, false);
    } else if (contact != CHORD_NO_CONTACT) {
        release_send(daemon, contact, request->release);
    }
}

/* --- what comes --- */

static bool
agent_take(struct daemon *daemon, struct session *session, const Cpmp__Local *message)
{
    switch (message->body_case) {
    case CPMP__LOCAL__BODY_AGENT_HELLO:
        enlist_hello(&daemon->enlist, session, message->agent_hello);
        return true;
    case CPMP__LOCAL__BODY_AGENT_REPORT:
        enlist_report(&daemon->enlist, session, message->agent_report);
        return true;
    default:
        return false;
    }
}

bool
daemon_exec_take(struct daemon *daemon, struct session *session, const Cpmp__Local *message)
{
    if (agent_take(daemon, session, message))
        return true;
    switch (message->body_case) {
    case CPMP__LOCAL__BODY_SELLERS:
        if (user_may(daemon, session, message))
            sellers(daemon, session, message);
        return true;
    case CPMP__LOCAL__BODY_CONTENT_QUERY:
        if (user_may(daemon, session, message))
            content_query(daemon, session, message);
        return true;
    case CPMP__LOCAL__BODY_CONTENT_PUT:  /* expected of those only who may */
        content_put(daemon, session, message);
        return true;
    case CPMP__LOCAL__BODY_ENLIST:
        if (user_may(daemon, session, message))
            enlist_request(daemon, session, message);
        return true;
    case CPMP__LOCAL__BODY_RELEASE:
        release(daemon, message->release);
        return true;
    case CPMP__LOCAL__BODY_JOB_STATE:
        if (message->job_state->row != NULL || message->job_state->over)
            jobs_state(&daemon->jobs, session->id, message->job_state->row,
                       message->job_state->over);
        return true;
    default:
        return false;
    }
}

void
daemon_exec_gone(struct daemon *daemon, const struct session *session)
{
    struct asking_one one;

    if (daemon->phase != DAEMON_RUNNING)
        return;
    while (asking_take_session(&daemon->asking, session->id, &one))
        release_later(daemon, one.contact, one.nonce);
    jobs_session_gone(&daemon->jobs, session->id);
    supplies_session_gone(daemon->supplies, session->id);
    enlist_session_gone(&daemon->enlist, session);
}

/* --- other peers' answers --- */

void
daemon_work_enlisted(struct daemon *daemon, uint32_t contact, const Cpmp__Enlisted *enlisted)
{
    Cpmp__Local answer = CPMP__LOCAL__INIT;
    struct asking_one *one = asking_find(&daemon->asking, contact, enlisted->nonce);

    if (one == NULL) {
        release_later(daemon, contact, enlisted->nonce);
        return;
    }
    if (one->answered)
        return;
    one->answered = true;
    answer.body_case = CPMP__LOCAL__BODY_ENLISTED;
    answer.enlisted = (Cpmp__Enlisted *)enlisted;
    sessions_answer(&daemon->sessions, one->session, one->number, &answer);
}

void
daemon_work_enlisting(struct daemon *daemon, uint32_t contact, const Cpmp__Enlisting *enlisting)
{
    Cpmp__Local message = CPMP__LOCAL__INIT;
    struct asking_one *one = asking_find(&daemon->asking, contact, enlisting->nonce);

    if (one == NULL) {
        release_later(daemon, contact, enlisting->nonce);
        return;
    }
    message.body_case = CPMP__LOCAL__BODY_ENLISTING;
    message.enlisting = (Cpmp__Enlisting *)enlisting;
    sessions_answer(&daemon->sessions, one->session, 0, &message);
}

void
daemon_work_refused(struct daemon *daemon, uint32_t contact, const Cpmp__Refused *refused)
{
    Cpmp__Local answer = CPMP__LOCAL__INIT;
    struct asking_one one;

    if (!asking_take(&daemon->asking, contact, refused->nonce, &one))
        return;
    answer.body_case = CPMP__LOCAL__BODY_REFUSED;
    answer.refused = (Cpmp__Refused *)refused;
    sessions_answer(&daemon->sessions, one.session, one.number, &answer);
}

void
daemon_exec_unreachable(struct daemon *daemon, uint32_t contact, const char *why)
{
    struct asking_one one;

    while (asking_take_any(&daemon->asking, contact, &one)) {
        Cpmp__Refused refused = CPMP__REFUSED__INIT;
        Cpmp__Local answer = CPMP__LOCAL__INIT;
        char text[256];

        snprintf(text, sizeof(text), "it can't be reached: %s", why);
        refused.nonce = one.nonce;
        refused.reason = text;
        answer.body_case = CPMP__LOCAL__BODY_REFUSED;
        answer.refused = &refused;
        sessions_answer(&daemon->sessions, one.session, one.number, &answer);
    }
}
