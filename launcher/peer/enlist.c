/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/enlist.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cpmp.h>

#include "control/codec.h"
#include "text/memory.h"

static void one_end(struct enlist_one *one);

void
enlist_init(struct enlist *enlist, uv_loop_t *loop, const char *directory,
            struct spawner *spawner, struct supplies *supplies, struct sessions *sessions,
            const unsigned char secret_key[ENLIST_SECRET_BYTES],
            const struct enlist_hooks *hooks, void *arg)
{
    memset(enlist, 0, sizeof(*enlist));
    enlist->loop = loop;
    enlist->directory = directory;
    enlist->spawner = spawner;
    enlist->supplies = supplies;
    enlist->sessions = sessions;
    enlist->hooks = hooks;
    enlist->arg = arg;
    memcpy(enlist->secret_key, secret_key, ENLIST_SECRET_BYTES);
}

/* --- one of them --- */

static struct enlist_one *
one_new(struct enlist *enlist, const struct enlist_asker *asker)
{
    struct enlist_one *one = memory_new(1, sizeof(*one));

    one->enlist = enlist;
    one->asker = *asker;
    one->pidfd = -1;
    one->started_s = (uint64_t)time(NULL);
    uv_timer_init(enlist->loop, &one->timer);
    one->timer.data = one;
    one->open_handles = 1;
    one->next = enlist->first;
    enlist->first = one;
    enlist->count++;
    return one;
}

static void
one_free(struct enlist_one *one)
{
    if (one->request != NULL)
        cpmp__enlist__free_unpacked(one->request, NULL);
    if (one->pidfd >= 0)
        close(one->pidfd);
    free(one);
}

static void
on_handle_closed(uv_handle_t *handle)
{
    struct enlist_one *one = handle->data;

    if (--one->open_handles == 0)
        one_free(one);
}

static void
one_unlink(struct enlist_one *one)
{
    struct enlist_one **at = &one->enlist->first;

    while (*at != one)
        at = &(*at)->next;
    *at = one->next;
    one->enlist->count--;
}

/* What was brought may go again: agents hold what they use by their mounts. */
static void
supply_drop(struct enlist_one *one)
{
    if (one->supply != NULL)
        supplies_end(one->supply);
    one->supply = NULL;
}

/* Over, for whatever reason: its capacity is free again. */
static void
one_end(struct enlist_one *one)
{
    struct enlist *enlist = one->enlist;

    assert(!one->over);
    one->over = true;
    supply_drop(one);
    one_unlink(one);
    enlist->hooks->ended(enlist->arg, one);
    uv_close((uv_handle_t *)&one->timer, on_handle_closed);
    if (one->pidfd >= 0)
        uv_close((uv_handle_t *)&one->poll, on_handle_closed);
}

static struct enlist_one *
one_by_number(const struct enlist *enlist, uint64_t number)
{
    for (struct enlist_one *one = enlist->first; one != NULL; one = one->next)
        if (one->number == number && one->request != NULL)
            return one;
    return NULL;
}

static struct enlist_one *
one_by_nonce(const struct enlist *enlist, const uint8_t *peer, uint64_t nonce)
{
    for (struct enlist_one *one = enlist->first; one != NULL; one = one->next)
        if (one->nonce == nonce &&
            memcmp(one->asker.peer, peer, IDENTITY_ID_BYTES) == 0)
            return one;
    return NULL;
}

static struct enlist_one *
one_by_session(const struct enlist *enlist, uint64_t session)
{
    for (struct enlist_one *one = enlist->first; one != NULL; one = one->next)
        if (one->session == session && session != 0)
            return one;
    return NULL;
}

/* --- answers --- */

static void
refuse(struct enlist *enlist, const struct enlist_asker *asker, uint64_t nonce, const char *why,
       uint32_t ranks_free)
{
    Cpmp__Refused refused = CPMP__REFUSED__INIT;

    refused.nonce = nonce;
    refused.reason = (char *)why;
    refused.ranks_free = ranks_free;
    enlist->hooks->answer(enlist->arg, asker, NULL, &refused);
}

static void
one_refuse(struct enlist_one *one, const char *why, uint32_t ranks_free)
{
    refuse(one->enlist, &one->asker, one->nonce, why, ranks_free);
    snprintf(one->ending, sizeof(one->ending), "refused: %s", why);
    one_end(one);
}

/* --- signs of life --- */

static uint64_t
now_us(void)
{
    return uv_hrtime() / 1000u;
}

/* Its agent leaves once it hears so, unless it has its launcher. */
static void
agent_release(struct enlist_one *one)
{
    one->released = true;
    if (one->session != 0)
        enlist_order_one(one, CPMP__AGENT_ORDER__WHAT__RELEASE, "its launcher gave it back");
}

static void
one_withdraw(struct enlist_one *one, bool later)
{
    if (one->over || one->launched)
        return;
    if (one->state == ENLIST_SUPPLYING) {
        snprintf(one->ending, sizeof(one->ending), "withdrawn by the launcher");
        one_end(one);
    } else if (!later || one->state == ENLIST_SPAWNING) {
        agent_release(one);
    } else if (!one->alone) {
        one->alone = true;
        one->alone_us = now_us();
    }
}

static void
on_look(uv_timer_t *timer)
{
    struct enlist_one *one = timer->data;
    struct enlist *enlist = one->enlist;
    uint64_t had_bytes = 0, bytes = 0;

    if (one->launched || one->adopted) {
        uv_timer_stop(&one->timer);
    } else if (one->state == ENLIST_SPAWNING && now_us() - one->spawned_us > ENLIST_HELLO_US) {
        one_refuse(one, "no agent is started there in time", 0);
    } else if (one->state == ENLIST_SPAWNED && now_us() - one->spawned_us > ENLIST_HELLO_US) {
        snprintf(one->ending, sizeof(one->ending), "its agent never said hello");
        one_end(one);
    } else if (one->alone) {
        if (now_us() - one->alone_us > ENLIST_COME_MS * UINT64_C(1000))
            agent_release(one);
    } else {
        if (one->supply != NULL)
            supplies_progress(one->supply, &had_bytes, &bytes);
        if (!enlist->hooks->progress(enlist->arg, one, had_bytes, bytes))
            one_withdraw(one, true);
    }
}

/* --- asked --- */

static bool
path_is_wrong(const char *path)
{
    return path[0] != '/' || strlen(path) >= PATH_MAX;
}

static const char *
request_wrong(const Cpmp__Enlist *request)
{
    if (request->ranks == 0 || request->ranks > 65536 || request->nonce == 0)
        return "the request makes no sense: a number of ranks, and a nonce";
    if (request->key.len != 32)
        return "the request has no key of 32 bytes";
    if (request->n_files > ENLIST_FILES_MAX)
        return "the job has more files than a peer takes";
    for (size_t i = 0; i < request->n_files; i++)
        if (request->files[i]->content == NULL || path_is_wrong(request->files[i]->path))
            return "a file of the job has no content, or no absolute path";
    if (path_is_wrong(request->directory))
        return "the job has no working directory";
    return NULL;
}

/* Whether one more request would be too much, of this peer or in all: what others ask for must not
 * eat the memory, nor keep everybody else out. */
static const char *
pending_wrong(const struct enlist *enlist, const struct enlist_asker *asker,
              const Cpmp__Enlist *request)
{
    size_t bytes = cpmp__enlist__get_packed_size(request);
    size_t count = 0;

    for (const struct enlist_one *one = enlist->first; one != NULL; one = one->next) {
        if (one->request == NULL)
            continue;
        bytes += one->request_bytes;
        count += memcmp(one->asker.peer, asker->peer, IDENTITY_ID_BYTES) == 0;
    }
    if (enlist->count >= ENLIST_MAX)
        return "too many jobs run here";
    if (count >= ENLIST_PENDING_MAX || bytes > ENLIST_PENDING_BYTES_MAX)
        return "too many jobs are about to start here; try again in a moment";
    return NULL;
}

static void on_supplied(void *arg, const char *why, uint64_t shipped_bytes);

static void
supply_start(struct enlist_one *one)
{
    Cpmp__Content *contents[ENLIST_FILES_MAX];

    for (size_t i = 0; i < one->request->n_files; i++)
        contents[i] = one->request->files[i]->content;
    one->state = ENLIST_SUPPLYING;
    uv_timer_start(&one->timer, on_look, ENLIST_LOOK_MS, ENLIST_LOOK_MS);
    one->supply = supplies_begin(one->enlist->supplies, contents, one->request->n_files,
                               one->asker.contact, on_supplied, one);
}

void
enlist_ask(struct enlist *enlist, const struct enlist_asker *asker, const Cpmp__Enlist *request)
{
    const char *wrong = request_wrong(request);
    struct text why = {0};
    struct enlist_one *one;
    uint32_t ranks_free = 0;

    /* Asked twice: the first asking is answered. */
    if (one_by_nonce(enlist, asker->peer, request->nonce) != NULL)
        return;
    if (wrong == NULL)
        wrong = pending_wrong(enlist, asker, request);
    if (wrong != NULL) {
        refuse(enlist, asker, request->nonce, wrong, 0);
        return;
    }
    one = one_new(enlist, asker);
    one->nonce = request->nonce;
    one->job = request->job;
    one->ranks = request->ranks;
    one->millicores = request->millicores;
    one->memory_bytes = request->memory_bytes;
    snprintf(one->user, sizeof(one->user), "%s", request->user);
    snprintf(one->program, sizeof(one->program), "%s", request->program);
    one->request_bytes = cpmp__enlist__get_packed_size(request);
    one->request = (Cpmp__Enlist *)control_message_copy(&request->base);
    if (enlist->hooks->admit(enlist->arg, one, &why, &ranks_free))
        supply_start(one);
    else
        one_refuse(one, text_string(&why), ranks_free);
    text_release(&why);
}

/* --- supplied, spawning --- */

static void
secret_make(const struct enlist *enlist, uint64_t job, uint64_t nonce, uint32_t ranks,
            uint32_t millicores, unsigned char out[ENLIST_SECRET_BYTES])
{
    uint64_t numbers[4] = {job, nonce, ranks, millicores};
    unsigned length = ENLIST_SECRET_BYTES;

    if (HMAC(EVP_sha256(), enlist->secret_key, ENLIST_SECRET_BYTES,
             (const unsigned char *)numbers, sizeof(numbers), out, &length) == NULL)
        memory_none();
}

static void
spawn(struct enlist_one *one)
{
    struct enlist *enlist = one->enlist;
    Cpmp__Spawn spawn = CPMP__SPAWN__INIT;
    unsigned char secret[ENLIST_SECRET_BYTES];
    bool good;

    secret_make(enlist, one->job, one->nonce, one->ranks, one->millicores, secret);
    one->state = ENLIST_SPAWNING;
    one->spawned_us = now_us();
    one->number = ++enlist->last_number;
    spawn.number = one->number;
    spawn.job = one->job;
    spawn.key = one->request->key;
    spawn.state = (char *)enlist->directory;
    spawn.nonce = one->nonce;
    spawn.secret = (ProtobufCBinaryData){.len = sizeof(secret), .data = secret};
    spawn.ranks = one->ranks;
    spawn.millicores = one->millicores;
    spawn.patience_ms = ENLIST_PATIENCE_MS;
    enlist->hooks->spawn(enlist->arg, one, &spawn);
    good = spawner_spawn(enlist->spawner, &spawn);
    enlist->hooks->spawn_done(enlist->arg, &spawn);
    if (!good)
        one_refuse(one, "no agent can be started there at the moment", 0);
}

static void
on_supplied(void *arg, const char *why, uint64_t shipped_bytes)
{
    struct enlist_one *one = arg;
    struct text missing = {0};

    one->shipped_bytes = shipped_bytes;
    if (why != NULL)
        one_refuse(one, why, 0);
    else if (!one->enlist->hooks->inspect(one->enlist->arg, one, &missing))
        one_refuse(one, text_string(&missing), 0);
    else
        spawn(one);
    text_release(&missing);
}

void
enlist_spawned(struct enlist *enlist, const Cpmp__Spawned *spawned)
{
    struct enlist_one *one = one_by_number(enlist, spawned->number);
    Cpmp__Enlisted enlisted = CPMP__ENLISTED__INIT;

    if (one == NULL) {  /* given up meanwhile: its agent leaves when nobody comes */
        return;
    }
    if (spawned->error[0] != '\0') {
        one_refuse(one, spawned->error, 0);
        return;
    }
    /* It may have said hello before its fork server said that it is there. */
    if (one->state == ENLIST_SPAWNING)
        one->state = ENLIST_SPAWNED;
    if (one->pid == 0)
        one->pid = (pid_t)spawned->pid;
    one->spawned_us = now_us();
    cpmp__enlist__free_unpacked(one->request, NULL);
    one->request = NULL;
    if (one->released)
        return;
    enlisted.nonce = one->nonce;
    enlisted.port = spawned->port;
    enlisted.millicores = one->millicores;
    enlisted.shipped_bytes = one->shipped_bytes;
    enlist->hooks->answer(enlist->arg, &one->asker, &enlisted, NULL);
}

void
enlist_withdraw(struct enlist *enlist, const uint8_t peer[IDENTITY_ID_BYTES], uint64_t nonce,
                bool later)
{
    struct enlist_one *one = one_by_nonce(enlist, peer, nonce);

    if (one != NULL)
        one_withdraw(one, later);
}

void
enlist_peer_gone(struct enlist *enlist, const uint8_t peer[IDENTITY_ID_BYTES])
{
    struct enlist_one *next;

    for (struct enlist_one *one = enlist->first; one != NULL; one = next) {
        next = one->next;
        if (one->asker.session == 0 && memcmp(one->asker.peer, peer, IDENTITY_ID_BYTES) == 0)
            one_withdraw(one, true);
    }
}

/* --- agents --- */

static void
on_exited(uv_poll_t *poll, int status, int events)
{
    struct enlist_one *one = poll->data;
    (void)status;
    (void)events;

    if (!one->over)
        one_end(one);
}

/* Its end shows on the pidfd, whoever's child it is. */
static bool
watch(struct enlist_one *one)
{
    one->pidfd = pidfd_open(one->pid, 0);
    if (one->pidfd < 0)
        return false;
    uv_poll_init(one->enlist->loop, &one->poll, one->pidfd);
    one->poll.data = one;
    one->open_handles++;
    uv_poll_start(&one->poll, UV_READABLE, on_exited);
    return true;
}

/* An agent that a daemon before this one had: all that is known of it is what it says, and that it
 * has the secret. */
static struct enlist_one *
adopt(struct enlist *enlist, const Cpmp__AgentHello *hello)
{
    struct enlist_asker nobody = {.contact = UINT32_MAX};
    struct enlist_one *one = one_new(enlist, &nobody);

    one->adopted = true;
    one->state = ENLIST_SPAWNED;
    one->job = hello->job;
    one->nonce = hello->nonce;
    one->ranks = hello->ranks;
    one->millicores = hello->millicores;
    return one;
}

/* The one that was spawned for it: nonces are the launchers', and two of them may be the same. */
static struct enlist_one *
one_by_hello(const struct enlist *enlist, const Cpmp__AgentHello *hello)
{
    for (struct enlist_one *one = enlist->first; one != NULL; one = one->next)
        if (one->state >= ENLIST_SPAWNING && one->nonce == hello->nonce &&
            one->job == hello->job && one->ranks == hello->ranks &&
            one->millicores == hello->millicores)
            return one;
    return NULL;
}

static bool
secret_is_right(const struct enlist *enlist, const Cpmp__AgentHello *hello)
{
    unsigned char secret[ENLIST_SECRET_BYTES], differ = 0;

    if (hello->secret.len != sizeof(secret))
        return false;
    secret_make(enlist, hello->job, hello->nonce, hello->ranks, hello->millicores, secret);
    for (size_t i = 0; i < sizeof(secret); i++)
        differ |= (unsigned char)(secret[i] ^ hello->secret.data[i]);
    return differ == 0;
}

void
enlist_hello(struct enlist *enlist, struct session *session, const Cpmp__AgentHello *hello)
{
    struct enlist_one *one = one_by_hello(enlist, hello);

    if (!secret_is_right(enlist, hello) || (one != NULL && one->session != 0) ||
        (one == NULL && enlist->count >= ENLIST_MAX)) {
        sessions_end(session);
        return;
    }
    if (one == NULL)
        one = adopt(enlist, hello);
    one->session = session->id;
    one->pid = session->pid;
    one->state = ENLIST_RUNNING;
    if (one->pidfd < 0 && !watch(one)) {
        one_end(one);
        return;
    }
    if (!one->began)
        enlist->hooks->began(enlist->arg, one);
    one->began = true;
    if (one->released)
        agent_release(one);
    enlist->hooks->greeted(enlist->arg, one);
}

void
enlist_report(struct enlist *enlist, const struct session *session,
              const Cpmp__AgentReport *report)
{
    struct enlist_one *one = one_by_session(enlist, session->id);

    if (one == NULL)
        return;
    one->cpu_us = report->cpu_us;
    one->launched = one->launched || strcmp(report->state, "waiting") != 0;
    if (report->rss_bytes > one->max_rss_bytes)
        one->max_rss_bytes = report->rss_bytes;
    if (report->ending[0] != '\0')
        snprintf(one->ending, sizeof(one->ending), "%s", report->ending);
}

void
enlist_session_gone(struct enlist *enlist, const struct session *session)
{
    struct enlist_one *agent = one_by_session(enlist, session->id), *next;

    /* The process is watched: that it no longer speaks is no end. */
    if (agent != NULL)
        agent->session = 0;
    for (struct enlist_one *one = enlist->first; one != NULL; one = next) {
        next = one->next;
        if (one->asker.session == session->id)
            one_withdraw(one, true);
    }
}

void
enlist_order_one(struct enlist_one *one, Cpmp__AgentOrder__What what, const char *reason)
{
    Cpmp__AgentOrder order = CPMP__AGENT_ORDER__INIT;
    Cpmp__Local message = CPMP__LOCAL__INIT;

    order.what = what;
    order.reason = (char *)reason;
    message.body_case = CPMP__LOCAL__BODY_AGENT_ORDER;
    message.agent_order = &order;
    sessions_answer(one->enlist->sessions, one->session, 0, &message);
}

void
enlist_order(struct enlist *enlist, Cpmp__AgentOrder__What what, const char *reason)
{
    for (struct enlist_one *one = enlist->first; one != NULL; one = one->next)
        if (one->session != 0)
            enlist_order_one(one, what, reason);
}

void
enlist_sum(const struct enlist *enlist, uint32_t *ranks_p, uint32_t *millicores_p,
           uint64_t *memory_bytes_p)
{
    *ranks_p = *millicores_p = 0;
    *memory_bytes_p = 0;
    for (const struct enlist_one *one = enlist->first; one != NULL; one = one->next) {
        *ranks_p += one->ranks;
        *millicores_p += one->millicores;
        *memory_bytes_p += one->memory_bytes;
    }
}

void
enlist_close(struct enlist *enlist)
{
    while (enlist->first != NULL) {
        struct enlist_one *one = enlist->first;
        if (one->ending[0] == '\0')
            snprintf(one->ending, sizeof(one->ending), "cpmpd ended");
        one_end(one);
    }
}
