/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/run.h"
#include "process/installed.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cpmp.h>

/* --- remote agents --- */

static void
on_connected(void *arg, int fd, struct tls *tls, const char *address)
{
    struct exec_peer *peer = arg;
    struct exec_run *run = peer->run;

    (void)address;
    peer->dialing = false;
    if (control_stream_init_tls(&peer->stream, &run->loop, fd, tls, false, CONTROL_LEASE_MS,
                                &exec_run_stream_hooks, peer) != CPMP_OK) {
        text_print(&peer->why, "no control stream: %s", strerror(errno));
        exec_run_peer_look(peer);
        return;
    }
    peer->stream_open = peer->reached = true;
    control_stream_pause(&peer->stream, run->paused);
    exec_run_send_setup(peer, run->map->millicores[peer->index]);
}

static void
on_failed(void *arg, const char *why)
{
    struct exec_peer *peer = arg;

    peer->dialing = false;
    text_print(&peer->why, "it can't be reached: %s", why);
    exec_run_peer_look(peer);
}

static const struct control_dial_hooks dial_hooks = {
    .on_connected = on_connected, .on_failed = on_failed,
};

static void
remote_start(struct exec_peer *peer)
{
    peer->dialing = true;
    peer->dialed = true;
    control_dial_start(&peer->dial, &peer->run->loop, peer->remote->addresses,
                       peer->remote->addresses_count, peer->remote->key, &dial_hooks, peer);
}

void
exec_run_peers_stop_dialing(struct exec_run *run)
{
    for (uint32_t i = 0; i < run->map->peers; i++) {
        struct exec_peer *peer = &run->peers[i];
        if (!peer->dialing)
            continue;
        control_dial_stop(&peer->dial);
        on_failed(peer, "the job ended before");
    }
}

/* --- embedded agents --- */

static int
embedded_start(struct exec_peer *peer, const char *path, int host_fd, struct text *error)
{
    struct exec_run *run = peer->run;

    if (exec_agent_start(&peer->agent, peer->index, path, host_fd, run->environment, error) != 0)
        return -1;
    if (control_stream_init(&peer->stream, &run->loop, peer->agent.control_fd,
                            &exec_run_stream_hooks, peer) != 0) {
        text_print(error, "no control stream to the agent of peer %u: %s", peer->index,
                   strerror(errno));
        return -1;
    }
    peer->stream_open = true;
    exec_run_send_setup(peer, run->map->millicores[peer->index]);
    return 0;
}

static int
embedded_start_all(struct exec_run *run, struct text *error)
{
    struct text path = {0};
    int host_fd = -1, result = installed_agent(&path, run->environment, error);

    if (result == 0) {
        host_fd = exec_pool_make_host_page(run->cores);
        if (host_fd < 0) {
            text_print(error, "shared memory can't be made: %s%s", strerror(errno),
                            errno == EFBIG ? " (raise ulimit -f)" : "");
            result = -1;
        }
    }
    for (uint32_t i = 0; i < run->map->peers && result == 0; i++)
        result = embedded_start(&run->peers[i], path.bytes, host_fd, error);
    if (host_fd >= 0)
        close(host_fd);
    text_release(&path);
    return result;
}

/* --- both --- */

int
exec_run_peers_start(struct exec_run *run, struct text *error)
{
    if (run->remotes == NULL)
        return embedded_start_all(run, error);
    for (uint32_t i = 0; i < run->map->peers; i++)
        remote_start(&run->peers[i]);
    return 0;
}

/* A remote one ends all it has when its stream does. */
void
exec_run_peer_kill(struct exec_peer *peer)
{
    if (peer->remote == NULL) {
        if (!peer->agent.reaped)
            kill(peer->agent.pid, SIGKILL);
        return;
    }
    if (!peer->stream_open)
        return;
    if (peer->why.used == 0)
        text_add_string(&peer->why, "it did not end when it was told to");
    control_stream_close(&peer->stream);
}

void
exec_run_peers_drop(struct exec_run *run)
{
    for (uint32_t i = 0; i < run->map->peers; i++) {
        struct exec_agent *agent = &run->peers[i].agent;

        run->peers[i].gone = true;
        if (agent->pid <= 0 || agent->reaped)
            continue;
        kill(agent->pid, SIGKILL);
        waitpid(agent->pid, &agent->status, 0);
        agent->reaped = true;
    }
}

static void
leave_end(uv_timer_t *timer)
{
    exec_run_peer_kill(timer->data);
}

static void
end_describe(struct exec_peer *peer)
{
    if (peer->why.used > 0)
        return;
    if (peer->remote == NULL)
        exec_agent_describe_end(&peer->agent, &peer->why);
    else
        text_add_string(&peer->why, "it closed its connection");
}

void
exec_run_peer_look(struct exec_peer *peer)
{
    struct exec_run *run = peer->run;
    struct exec_event event = {.type = EXEC_EVENT_LOST, .peer = peer->index};

    if (peer->gone || peer->stream_open || peer->dialing)
        return;
    if (peer->remote == NULL && !peer->agent.reaped) {
        if (!uv_is_active((uv_handle_t *)&peer->leave))
            uv_timer_start(&peer->leave, leave_end, EXEC_RUN_LEAVE_MS, 0);
        return;
    }
    uv_timer_stop(&peer->leave);
    peer->gone = true;
    end_describe(peer);
    event.text = text_string(&peer->why);
    exec_run_step(run, &event);
    exec_run_look(run);
}
