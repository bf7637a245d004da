/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <time.h>

#include <cpmp.h>

#include "base/list.h"
#include "link/admit.h"
#include "text/memory.h"

struct joiner {
    struct cpi_list in_server;
    struct admit_server *server;
    struct link *link;
    uv_timer_t timer;
    int answered;
    int link_closed;
};

struct admit_server {
    uv_loop_t *loop;
    const struct admit_rules *rules;
    struct cpi_list joiners;
    unsigned joiner_count;
    struct rate requests;
    uint64_t counters[ADMIT_REFUSALS];
    int closing;
    void (*on_closed)(void *arg);
    void *arg;
    uv_idle_t last;   /* so that on_closed comes from the loop */
};

static void
on_last_closed(uv_handle_t *handle)
{
    struct admit_server *server = handle->data;
    void (*on_closed)(void *arg) = server->on_closed;
    void *arg = server->arg;

    free(server);
    if (on_closed != NULL)
        on_closed(arg);
}

static void
server_finish(struct admit_server *server)
{
    if (server->closing && server->joiner_count == 0 &&
        !uv_is_closing((uv_handle_t *)&server->last))
        uv_close((uv_handle_t *)&server->last, on_last_closed);
}

static void
on_timer_closed(uv_handle_t *handle)
{
    struct joiner *joiner = handle->data;
    struct admit_server *server = joiner->server;

    cpi_list_remove(&joiner->in_server);
    free(joiner);
    server->joiner_count--;
    server_finish(server);
}

static void
on_joiner_closed(void *arg, struct link *link, enum link_end end, const char *why)
{
    struct joiner *joiner = arg;

    (void)link;
    (void)end;
    (void)why;
    joiner->link_closed = 1;
    uv_close((uv_handle_t *)&joiner->timer, on_timer_closed);
}

static void
on_late(uv_timer_t *timer)
{
    struct joiner *joiner = timer->data;

    link_abort(joiner->link, "it took too long");
}

static void
on_joiner_up(void *arg, struct link *link)
{
    (void)arg;
    (void)link;
}

/* One question a link: whoever has been answered goes. */
static void
on_joiner_message(void *arg, struct link *link, const void *bytes, size_t count)
{
    struct joiner *joiner = arg;
    struct admit_server *server = joiner->server;
    const struct admit_rules *rules = server->rules;
    enum admit_refusal refusal;
    unsigned char exporter[32];
    char name[IDENTITY_NAME_MAX + 1] = "";
    struct text reply = {0}, why = {0};

    if (joiner->answered || server->closing ||
        tls_exporter(link_tls(link), "cpmp admission", exporter) != CPMP_OK) {
        link_abort(link, "one request a link");
        return;
    }
    joiner->answered = 1;
    if (rate_take(&server->requests, 1, uv_hrtime() / 1000)) {
        refusal = admit_answer(rules, exporter, bytes, count, time(NULL), &reply, name, &why);
        link_send(link, reply.bytes, reply.used);
    } else {
        refusal = ADMIT_REFUSAL_BUSY;
        text_add_string(&why, "too many ask at once");
    }
    server->counters[refusal]++;
    if (rules->on_end != NULL)
        rules->on_end(rules->arg, link_address(link), refusal, name, text_string(&why));
    link_close(link, refusal == ADMIT_REFUSAL_NONE ? "welcome" : "refused");
    text_release(&reply);
    text_release(&why);
}

static const struct link_hooks joiner_hooks = {
    .on_up = on_joiner_up, .on_message = on_joiner_message, .on_closed = on_joiner_closed,
};

struct admit_server *
admit_server_new(uv_loop_t *loop, const struct admit_rules *rules)
{
    struct admit_server *server = memory_new(1, sizeof(*server));

    server->loop = loop;
    server->rules = rules;
    cpi_list_init(&server->joiners);
    rate_init(&server->requests, ADMIT_REQUESTS_PER_S, 2 * ADMIT_REQUESTS_PER_S,
              uv_hrtime() / 1000);
    uv_idle_init(loop, &server->last);
    server->last.data = server;
    return server;
}

static void
joiner_turn_away(struct joiner *joiner)
{
    joiner->answered = 1;
    joiner->server->counters[ADMIT_REFUSAL_BUSY]++;
    link_abort(joiner->link, "too many ask at once; try again");
}

/* Who has a token asks at once; who has none and stays makes room. */
static void
joiners_limit(struct admit_server *server)
{
    struct joiner *oldest = NULL;
    unsigned waiting = 0;

    CPI_LIST_FOR(at, &server->joiners) {
        struct joiner *joiner = CPI_CONTAINER(at, struct joiner, in_server);
        if (joiner->answered || joiner->link_closed)
            continue;
        if (oldest == NULL)
            oldest = joiner;
        waiting++;
    }
    if (waiting > ADMIT_JOINERS_MAX)
        joiner_turn_away(oldest);
}

void
admit_server_take(struct admit_server *server, struct link *link)
{
    struct joiner *joiner = memory_new(1, sizeof(*joiner));

    joiner->server = server;
    joiner->link = link;
    uv_timer_init(server->loop, &joiner->timer);
    joiner->timer.data = joiner;
    cpi_list_append(&server->joiners, &joiner->in_server);
    server->joiner_count++;
    link_hand_over(link, &joiner_hooks, joiner);
    if (server->closing) {
        joiner_turn_away(joiner);
        return;
    }
    uv_timer_start(&joiner->timer, on_late, ADMIT_TIME_MS, 0);
    joiners_limit(server);
}

const uint64_t *
admit_server_counters(const struct admit_server *server)
{
    return server->counters;
}

void
admit_server_close(struct admit_server *server, void (*on_closed)(void *arg), void *arg)
{
    server->closing = 1;
    server->on_closed = on_closed;
    server->arg = arg;
    CPI_LIST_FOR(at, &server->joiners) {
        struct joiner *joiner = CPI_CONTAINER(at, struct joiner, in_server);
        if (!joiner->link_closed)
            link_abort(joiner->link, "this peer is leaving");
    }
    server_finish(server);
}
