/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/enroll.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "exec/enroll_parts.h"
#include "local/state.h"
#include "plat/plat.h"
#include "text/environment.h"
#include "text/memory.h"

#define AGAIN_MS 100u               /* between two tries to reach a daemon that went */

static const int signal_numbers[ENROLL_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

static void on_again(uv_timer_t *timer);

/* --- the end --- */

void
enroll_end(struct enroll *enroll, int code)
{
    if (enroll->over)
        return;
    enroll->over = true;
    enroll->code = code;
    uv_timer_stop(&enroll->tick);
    uv_timer_stop(&enroll->again);
    enroll_status(enroll, "");
    uv_stop(&enroll->loop);
}

void
enroll_fail(struct enroll *enroll, const char *format, ...)
{
    va_list arguments;
    char text[4096];

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (!enroll->over)
        text_add_string(enroll->error, text);
    enroll_end(enroll, 1);
}

void
enroll_status(struct enroll *enroll, const char *text)
{
    if (!isatty(STDERR_FILENO) || (*text == '\0' && !enroll->has_status))
        return;
    fprintf(stderr, *text != '\0' ? "\r\033[Kcpexec: %s" : "\r\033[K%s", text);
    fflush(stderr);
    enroll->has_status = *text != '\0';
}

/* --- the daemon --- */

bool
enroll_reply_good(struct enroll *enroll, const Cpmp__Local *reply, Cpmp__Local__BodyCase wanted)
{
    if (enroll->over || reply == NULL)  /* gone: on_closed follows */
        return false;
    if (reply->body_case == wanted)
        return true;
    if (reply->body_case == CPMP__LOCAL__BODY_FAILURE)
        enroll_fail(enroll, "%s", reply->failure->text);
    else
        enroll_fail(enroll, "the cpmpd of this machine gives an answer that makes no sense; are "
                            "cpexec and cpmpd of one version?");
    return false;
}

static void
on_welcome(void *arg, const Cpmp__Local *reply)
{
    struct enroll *enroll = arg;
    const char *pool = enroll->options->pool;

    if (!enroll_reply_good(enroll, reply, CPMP__LOCAL__BODY_WELCOME))
        return;
    enroll->lost_us = 0;
    enroll->welcome = true;
    snprintf(enroll->self_name, sizeof(enroll->self_name), "%s", reply->welcome->name);
    enroll_ask_cancel(enroll);  /* what was asked through a daemon that is gone */
    if (pool != NULL && strcmp(pool, reply->welcome->pool) != 0)
        enroll_fail(enroll, "--pool %s: this machine's cpmpd is in pool %s; name the state "
                            "directory of the other one's by CPMP_STATE, or leave --pool out",
                    pool, reply->welcome->pool);
    else
        enroll_files_begin(enroll);
}

static void
on_message(void *arg, const Cpmp__Local *message)
{
    enroll_ask_message(arg, message);
}

/* Another one may take its place soon. */
static void
daemon_lost(struct enroll *enroll, const char *why)
{
    uint64_t now_us = uv_hrtime() / 1000u;

    uv_timer_stop(&enroll->tick);
    enroll->again_begun = true;
    if (enroll->lost_us == 0) {
        enroll->lost_us = now_us;
        enroll_status(enroll, "waiting for the cpmpd of this machine to come back");
    }
    if (now_us - enroll->lost_us > ENROLL_BACK_US)
        enroll_fail(enroll, "the cpmpd of this machine went away and did not come back within "
                            "%u s (%s); start it, then run the job again", 10u, why);
    else
        uv_timer_start(&enroll->again, on_again, AGAIN_MS, 0);
}

static void
on_closed(void *arg, const char *why)
{
    struct enroll *enroll = arg;

    enroll->connected = enroll->welcome = false;
    if (!enroll->over)
        daemon_lost(enroll, why);
}

static const struct local_client_hooks client_hooks = {
    .on_message = on_message, .on_closed = on_closed,
};

static void
daemon_connect(struct enroll *enroll)
{
    struct text why = {0};

    enroll_files_forget(enroll);
    enroll->connected = local_client_init(&enroll->client, &enroll->loop, enroll->directory,
                                          "cpexec", &client_hooks, enroll, on_welcome, &why) == 0;
    if (!enroll->connected)
        daemon_lost(enroll, text_string(&why));
    text_release(&why);
}

static void
on_again(uv_timer_t *timer)
{
    daemon_connect(timer->data);
}

/* --- signals, the loop --- */

static void
on_signal(uv_signal_t *signal_handle, int number)
{
    enroll_end(signal_handle->data, 128 + number);
}

static bool
is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static void
loop_begin(struct enroll *enroll)
{
    uv_loop_init(&enroll->loop);
    uv_timer_init(&enroll->loop, &enroll->tick);
    uv_timer_init(&enroll->loop, &enroll->again);
    enroll->tick.data = enroll->again.data = enroll;
    for (size_t i = 0; i < ENROLL_SIGNALS; i++) {
        uv_signal_init(&enroll->loop, &enroll->signals[i]);
        enroll->signals[i].data = enroll;
        if (!is_ignored(signal_numbers[i]))  /* nohup asks for that */
            uv_signal_start(&enroll->signals[i], on_signal, signal_numbers[i]);
    }
}

/* Last words are written first. */
static void
loop_end(struct enroll *enroll)
{
    if (enroll->connected)
        control_stream_finish(&enroll->client.stream);
    uv_close((uv_handle_t *)&enroll->tick, NULL);
    uv_close((uv_handle_t *)&enroll->again, NULL);
    for (size_t i = 0; i < ENROLL_SIGNALS; i++)
        uv_close((uv_handle_t *)&enroll->signals[i], NULL);
    uv_run(&enroll->loop, UV_RUN_DEFAULT);
    uv_loop_close(&enroll->loop);
}

/* --- what was formed --- */

static void
remote_fill(struct exec_remotes *remotes, const struct computer_seat *seat,
            const struct enroll_asked *asked)
{
    struct exec_remote *remote = exec_remotes_add(remotes, seat->seller.name);

    for (size_t i = 0; i < asked->address_count; i++)
        exec_remote_add_address(remote, asked->addresses[i]);
    remote->millicores = asked->millicores > 0 ? asked->millicores : 1;
    remote->distance_us = seat->seller.distance_us;
    remote->ranks = seat->ranks;
    remote->nonce = asked->nonce;
    memcpy(remote->id, asked->id, sizeof(remote->id));
    memcpy(remote->key, asked->key, sizeof(remote->key));
}

/* The seats become the agents to connect to. */
static int
remotes_fill(struct enroll *enroll, struct exec_remotes *remotes)
{
    for (uint32_t i = 0; i < computer_seat_count(enroll->computer); i++) {
        struct computer_seat seat = computer_seat(enroll->computer, i);
        const struct enroll_asked *asked =
            seat.enlisted ? enroll_asked_find(enroll, seat.nonce) : NULL;

        if (asked == NULL || seat.ranks == 0)
            continue;
        if (remotes->count == EXEC_PEERS_MAX) {
            text_print(enroll->error, "the job would take more than %u peers; use fewer ranks, or "
                                      "larger peers (--require)", EXEC_PEERS_MAX);
            return 1;
        }
        remote_fill(remotes, &seat, asked);
    }
    remotes->job = enroll->job;
    remotes->formed_us = cpi_clock_ns() / 1000;
    remotes->state = memory_copy_text(enroll->directory);
    return 0;
}

/* Who ends the job now has what was formed given back, which the run does. */
static void
signals_hold(struct exec_remotes *remotes)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ENROLL_SIGNALS; i++)
        sigaddset(&set, signal_numbers[i]);
    remotes->held = sigprocmask(SIG_BLOCK, &set, &remotes->before) == 0;
}

static int
enroll_run(struct enroll *enroll, struct exec_remotes *remotes)
{
    int code;

    loop_begin(enroll);
    daemon_connect(enroll);
    if (!enroll->over)
        uv_run(&enroll->loop, UV_RUN_DEFAULT);
    code = enroll->code;
    if (code == 0)
        code = remotes_fill(enroll, remotes);
    if (code != 0 || enroll->options->no_launch)
        enroll_ask_cancel(enroll);
    else
        signals_hold(remotes);
    loop_end(enroll);
    return code;
}

int
exec_enroll(struct exec_remotes *remotes, const struct exec_enroll_config *config,
            struct text *error)
{
    struct enroll *enroll = memory_new(1, sizeof(*enroll));
    int code = 1;

    remotes->begun_us = cpi_clock_ns() / 1000;
    enroll->options = config->options;
    enroll->images = config->images;
    enroll->ranks = config->ranks;
    enroll->directory = config->directory;
    enroll->error = error;
    enroll->out = memory_new(1, sizeof(*enroll->out));
    enroll->host_count = config->host_count < ENROLL_HOSTS_MAX ? config->host_count
                                                               : ENROLL_HOSTS_MAX;
    for (uint32_t i = 0; i < config->host_count && i < ENROLL_HOSTS_MAX; i++)
        enroll->hosts[enroll->host_count++] = config->hosts[i];
    if (getrandom(&enroll->job, sizeof(enroll->job), 0) != sizeof(enroll->job))
        abort();
    enroll->job |= enroll->job == 0;
    if (exec_ship_init(&enroll->ship, config->options, config->images, config->notes, error) == 0)
        code = enroll_run(enroll, remotes);
    enroll_files_forget(enroll);
    enroll_ask_release(enroll);
    exec_ship_release(&enroll->ship);
    free(enroll);
    return code;
}

int
exec_enroll_wanted(const struct exec_options *options, char **environment,
                   struct text *directory, struct text *note, struct text *error)
{
    const char *state = environment_get(environment, "CPMP_STATE");
    bool named = options->pool != NULL && strcmp(options->pool, "none") != 0;
    struct text why = {0};
    int result = 0;

    if (options->peers_given || options->sandbox.wanted ||
        (options->pool != NULL && !named))
        return 0;
    if (state_find(directory, NULL, environment, &why) == 0) {
        result = 1;
    } else if (named) {
        text_print(error, "--pool %s: %s; start one by cpmpd --join TOKEN, or leave --pool out to "
                          "run on this machine alone", options->pool, text_string(&why));
        result = -1;
    } else if (state != NULL && *state != '\0') {
        text_print(note, "cpexec: CPMP_STATE: %s; the job runs on this machine alone\n",
                   text_string(&why));
    }
    text_release(&why);
    return result;
}
