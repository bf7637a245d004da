/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/publish.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text/memory.h"

static void on_again(uv_timer_t *timer);

/* --- the row --- */

const char *
exec_publish_word(enum exec_publish_state state)
{
    static const char *const words[] = {"starting", "running", "suspended", "ending", "done",
                                        "lost"};

    return words[state];
}

static unsigned char
peer_state(const struct exec_job *job, uint32_t peer, bool suspended)
{
    if (job->peers[peer] == EXEC_PEER_DONE)
        return EXEC_PUBLISH_DONE;
    if (job->peers[peer] == EXEC_PEER_LOST)
        return EXEC_PUBLISH_LOST;
    if (job->state > EXEC_JOB_RUNNING)
        return EXEC_PUBLISH_ENDING;
    if (job->state == EXEC_JOB_STARTING)
        return EXEC_PUBLISH_STARTING;
    return suspended ? EXEC_PUBLISH_SUSPENDED : EXEC_PUBLISH_RUNNING;
}

/* One peer that stands still holds the job up. */
void
exec_publish_states(const struct exec_view *view, const bool *suspended,
                    struct exec_publish_states *states)
{
    const struct exec_job *job = view->job;

    memset(states, 0, sizeof(*states));
    states->job = job->state == EXEC_JOB_STARTING ? EXEC_PUBLISH_STARTING
                  : job->state == EXEC_JOB_RUNNING ? EXEC_PUBLISH_RUNNING : EXEC_PUBLISH_ENDING;
    for (uint32_t i = 0; i < view->map->peers; i++) {
        states->peers[i] = peer_state(job, i, suspended[i]);
        if (states->peers[i] == EXEC_PUBLISH_SUSPENDED)
            states->job = EXEC_PUBLISH_SUSPENDED;
    }
}

static Cpmp__JobPeer *
peer_make(const struct exec_view *view, uint32_t index, enum exec_publish_state state)
{
    const struct exec_remote *remote = &view->remotes->list[index];
    Cpmp__JobPeer *peer = memory_new(1, sizeof(*peer));

    cpmp__job_peer__init(peer);
    peer->name = memory_copy_text(view->peer_names[index]);
    peer->id.data = memory_new(1, sizeof(remote->id));
    peer->id.len = sizeof(remote->id);
    memcpy(peer->id.data, remote->id, sizeof(remote->id));
    peer->millicores = view->map->millicores[index];
    peer->state = memory_copy_text(exec_publish_word(state));
    peer->ranks = memory_new(view->map->peer_ranks[index], sizeof(*peer->ranks));
    for (uint32_t rank = 0; rank < view->map->ranks; rank++)
        if (view->map->places[rank].peer == index)
            peer->ranks[peer->n_ranks++] = rank;
    return peer;
}

Cpmp__JobRow *
exec_publish_row(const struct exec_view *view, const struct exec_publish_states *states,
                 const char *launcher, const char *user, uint64_t started_s)
{
    Cpmp__JobRow *row = memory_new(1, sizeof(*row));
    const char *path = view->options->programs[0].argv[0], *slash = strrchr(path, '/');

    cpmp__job_row__init(row);
    row->job = view->id;
    row->program = memory_copy_text(slash != NULL ? slash + 1 : path);
    row->user = memory_copy_text(user);
    row->launcher = memory_copy_text(launcher);
    row->ranks = view->map->ranks;
    row->started = started_s;
    row->state = memory_copy_text(exec_publish_word(states->job));
    row->peers = memory_new(view->map->peers, sizeof(Cpmp__JobPeer *));
    for (uint32_t i = 0; i < view->map->peers; i++)
        row->peers[row->n_peers++] = peer_make(view, i, states->peers[i]);
    return row;
}

/* --- saying it --- */

static void
state_tell(struct exec_publish *publish, Cpmp__JobRow *row, bool over)
{
    Cpmp__Local message = CPMP__LOCAL__INIT;
    Cpmp__JobState state = CPMP__JOB_STATE__INIT;

    state.row = row;
    state.over = over;
    message.body_case = CPMP__LOCAL__BODY_JOB_STATE;
    message.job_state = &state;
    local_client_tell(&publish->client, &message);
}

void
exec_publish_look(struct exec_publish *publish)
{
    const struct passwd *user;
    struct exec_publish_states states;
    Cpmp__JobRow *row;

    if (!publish->greeted)
        return;
    exec_publish_states(publish->view, publish->suspended, &states);
    if (publish->said_any && memcmp(&states, &publish->said, sizeof(states)) == 0)
        return;
    publish->said = states;
    publish->said_any = true;
    user = getpwuid(geteuid());
    row = exec_publish_row(publish->view, &states, publish->launcher,
                           user != NULL ? user->pw_name : "somebody", publish->started_s);
    state_tell(publish, row, false);
    cpmp__job_row__free_unpacked(row, NULL);
}

/* --- the daemon --- */

static void
on_welcome(void *arg, const Cpmp__Local *reply)
{
    struct exec_publish *publish = arg;

    if (reply == NULL || reply->body_case != CPMP__LOCAL__BODY_WELCOME)
        return;
    snprintf(publish->launcher, sizeof(publish->launcher), "%s", reply->welcome->name);
    publish->greeted = true;
    publish->said_any = false;  /* this daemon knows nothing of it */
    exec_publish_look(publish);
}

static void
on_closed(void *arg, const char *why)
{
    struct exec_publish *publish = arg;

    (void)why;
    publish->connected = publish->greeted = false;
    if (publish->open)
        uv_timer_start(&publish->again, on_again, EXEC_PUBLISH_AGAIN_MS, 0);
}

static const struct local_client_hooks client_hooks = {.on_closed = on_closed};

static void
on_again(uv_timer_t *timer)
{
    struct exec_publish *publish = timer->data;
    struct text why = {0};

    publish->connected = local_client_init(&publish->client, publish->loop,
                                           publish->view->remotes->state, "cpexec", &client_hooks,
                                           publish, on_welcome, &why) == 0;
    if (!publish->connected)
        uv_timer_start(timer, on_again, EXEC_PUBLISH_AGAIN_MS, 0);
    text_release(&why);
}

void
exec_publish_init(struct exec_publish *publish, uv_loop_t *loop, const struct exec_view *view,
                  const bool *suspended)
{
    memset(publish, 0, sizeof(*publish));
    publish->loop = loop;
    publish->view = view;
    publish->suspended = suspended;
    publish->started_s = (uint64_t)time(NULL);
    publish->open = true;
    uv_timer_init(loop, &publish->again);
    publish->again.data = publish;
    uv_timer_start(&publish->again, on_again, 0, 0);
}

void
exec_publish_give_back(struct exec_publish *publish, uint32_t index)
{
    const struct exec_remote *remote;
    Cpmp__Local message = CPMP__LOCAL__INIT;
    Cpmp__ReleaseRequest body = CPMP__RELEASE_REQUEST__INIT;
    Cpmp__Release release = CPMP__RELEASE__INIT;

    if (!publish->open)
        return;
    if (!publish->connected)
        on_again(&publish->again);
    if (!publish->connected)
        return;
    remote = &publish->view->remotes->list[index];
    release.nonce = remote->nonce;
    release.job = publish->view->id;
    body.peer = (ProtobufCBinaryData){.len = sizeof(remote->id), .data = (uint8_t *)remote->id};
    body.release = &release;
    message.body_case = CPMP__LOCAL__BODY_RELEASE;
    message.release = &body;
    local_client_tell(&publish->client, &message);
}

void
exec_publish_close(struct exec_publish *publish)
{
    if (!publish->open)
        return;
    publish->open = false;
    uv_close((uv_handle_t *)&publish->again, NULL);
    if (publish->greeted)
        state_tell(publish, NULL, true);
    publish->greeted = false;
    if (publish->connected)
        local_client_close(&publish->client);
}
