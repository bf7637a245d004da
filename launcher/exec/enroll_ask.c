/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/enroll_parts.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "exec/enroll.h"
#include "text/memory.h"
#include "text/visible.h"

#define GRACE_US UINT64_C(1500000)  /* until all know that a job of before has ended */

static void computer_go(struct enroll *enroll, struct computer_event *event);

/* --- sellers --- */

static void
seller_read(const Cpmp__PeerRow *row, struct seller *seller)
{
    size_t used = 0;

    memset(seller, 0, sizeof(*seller));
    if (row->id.len == SELLER_ID_BYTES)
        memcpy(seller->id, row->id.data, SELLER_ID_BYTES);
    snprintf(seller->name, sizeof(seller->name), "%s", row->name);
    snprintf(seller->arch, sizeof(seller->arch), "%s", row->arch);
    snprintf(seller->os, sizeof(seller->os), "%s", row->os);
    snprintf(seller->kernel, sizeof(seller->kernel), "%s", row->kernel);
    snprintf(seller->version, sizeof(seller->version), "%s", row->version);
    for (size_t i = 0; i < row->n_weaknesses && used < sizeof(seller->weaknesses); i++)
        used += (size_t)snprintf(seller->weaknesses + used, sizeof(seller->weaknesses) - used,
                                 "%s%s", i > 0 ? "," : "", row->weaknesses[i]);
    seller->cores = row->cores;
    seller->ranks_max = row->ranks_max;
    seller->ranks_free = row->ranks_free;
    seller->millicores_free = row->free_millicores;
    seller->memory_bytes = row->memory_bytes;
    seller->memory_free_bytes = row->free_memory_bytes;
    seller->scratch_bytes = row->scratch_bytes;
    seller->distance_us = row->self ? 0 : row->rtt_us > 0 && row->rtt_us < UINT32_MAX
                              ? (uint32_t)row->rtt_us : SELLER_DISTANCE_UNKNOWN;
}

static void
on_sellers(void *arg, const Cpmp__Local *reply)
{
    struct enroll *enroll = arg;
    struct computer_event event = {.kind = COMPUTER_SELLERS};
    struct seller *sellers;

    if (!enroll_reply_good(enroll, reply, CPMP__LOCAL__BODY_SELLERS_REPLY))
        return;
    sellers = memory_new(reply->sellers_reply->n_rows, sizeof(*sellers));
    for (size_t i = 0; i < reply->sellers_reply->n_rows; i++)
        seller_read(reply->sellers_reply->rows[i], &sellers[i]);
    event.sellers = sellers;
    event.seller_count = (uint32_t)reply->sellers_reply->n_rows;
    computer_go(enroll, &event);
    free(sellers);
}

static void
sellers_ask(struct enroll *enroll)
{
    Cpmp__Local request = CPMP__LOCAL__INIT;
    Cpmp__SellersRequest sellers = CPMP__SELLERS_REQUEST__INIT;

    request.body_case = CPMP__LOCAL__BODY_SELLERS;
    request.sellers = &sellers;
    local_client_ask(&enroll->client, &request, on_sellers, enroll);
}

/* --- status --- */

static void
progress_show(struct enroll *enroll)
{
    uint64_t had_bytes = 0, bytes = 0;
    struct text text = {0};
    uint32_t peers = 0;

    for (size_t i = 0; i < enroll->asked_count; i++) {
        const struct enroll_asked *asked = enroll->asked[i];
        if (!asked->open || asked->had_bytes == asked->bytes)
            continue;
        peers++;
        had_bytes += asked->had_bytes;
        bytes += asked->bytes;
    }
    exec_enroll_progress(&text, had_bytes, bytes, peers);
    enroll_status(enroll, text_string(&text));
    text_release(&text);
}

void
exec_enroll_progress(struct text *text, uint64_t had_bytes, uint64_t bytes, uint32_t peers)
{
    if (peers > 0)
        text_print(text, "fetching %" PRIu64 " of %" PRIu64 " MiB on %u peer%s", had_bytes >> 20,
                   (bytes + (1u << 20) - 1) >> 20, peers, peers == 1 ? "" : "s");
}

/* --- reservations --- */

static void
addresses_keep(struct enroll_asked *asked, const Cpmp__Enlisted *enlisted)
{
    asked->addresses = memory_new(enlisted->n_addresses, sizeof(char *));
    for (size_t i = 0; i < enlisted->n_addresses; i++)
        asked->addresses[asked->address_count++] = memory_copy_text(enlisted->addresses[i]);
    asked->millicores = enlisted->millicores;
}

static void
on_enlisted(void *arg, const Cpmp__Local *reply)
{
    struct enroll_asked *asked = arg;
    struct enroll *enroll = asked->enroll;
    struct computer_event event = {.kind = COMPUTER_LOST, .nonce = asked->nonce};

    asked->open = false;
    if (enroll->over || reply == NULL)
        return;
    if (reply->body_case == CPMP__LOCAL__BODY_ENLISTED) {
        event.kind = COMPUTER_ENLISTED;
        addresses_keep(asked, reply->enlisted);
    } else if (reply->body_case == CPMP__LOCAL__BODY_REFUSED) {
        event.kind = COMPUTER_REFUSED;
        event.why = reply->refused->reason;
        event.ranks_free = reply->refused->ranks_free;
    } else if (reply->body_case == CPMP__LOCAL__BODY_FAILURE) {
        event.why = reply->failure->text;
    }
    progress_show(enroll);
    computer_go(enroll, &event);
}

void
enroll_ask_message(struct enroll *enroll, const Cpmp__Local *message)
{
    struct computer_event event = {.kind = COMPUTER_PROGRESS};
    struct enroll_asked *asked;

    if (enroll->over || message->body_case != CPMP__LOCAL__BODY_ENLISTING)
        return;
    asked = enroll_asked_find(enroll, message->enlisting->nonce);
    if (asked == NULL || asked->released)
        return;
    asked->had_bytes = message->enlisting->had_bytes;
    asked->bytes = message->enlisting->bytes;
    event.nonce = asked->nonce;
    progress_show(enroll);
    computer_go(enroll, &event);
}

static const char *
user_name(void)
{
    const struct passwd *user = getpwuid(geteuid());

    return user != NULL ? user->pw_name : "somebody";
}

static void
enlist_fill(const struct enroll *enroll, const struct computer_action *action,
            struct enroll_asked *asked, Cpmp__Enlist *enlist)
{
    const struct exec_program *program = &enroll->options->programs[0];
    const char *name = strrchr(program->argv[0], '/');

    enlist->nonce = action->nonce;
    enlist->job = enroll->job;
    enlist->user = (char *)user_name();
    enlist->program = name != NULL ? (char *)name + 1 : program->argv[0];
    enlist->ranks = action->ranks;
    enlist->millicores = action->millicores;
    enlist->memory_bytes = action->memory_bytes;
    enlist->key = (ProtobufCBinaryData){.len = TLS_KEY_BYTES, .data = asked->key};
    enlist->files = enroll->ship.files;
    enlist->n_files = enroll->ship.count;
    enlist->directory = enroll->images[0].directory;
    enlist->oversubscribe = action->oversubscribe;
}

static struct enroll_asked *
asked_new(struct enroll *enroll, const struct computer_action *action)
{
    struct computer_seat seat = computer_seat(enroll->computer, action->seat);
    struct enroll_asked *asked = memory_new(1, sizeof(*asked));

    asked->enroll = enroll;
    asked->nonce = action->nonce;
    asked->open = true;
    memcpy(asked->id, seat.seller.id, SELLER_ID_BYTES);
    if (getrandom(asked->key, sizeof(asked->key), 0) != sizeof(asked->key))
        abort();  /* can't be for so few bytes (getrandom(2)) */
    enroll->asked = memory_grow(enroll->asked, enroll->asked_count + 1,
                                sizeof(struct enroll_asked *));
    enroll->asked[enroll->asked_count++] = asked;
    return asked;
}

static void
enlist_ask(struct enroll *enroll, const struct computer_action *action)
{
    struct enroll_asked *asked = asked_new(enroll, action);
    Cpmp__Local request = CPMP__LOCAL__INIT;
    Cpmp__EnlistRequest body = CPMP__ENLIST_REQUEST__INIT;
    Cpmp__Enlist enlist = CPMP__ENLIST__INIT;

    enlist_fill(enroll, action, asked, &enlist);
    body.peer = (ProtobufCBinaryData){.len = SELLER_ID_BYTES, .data = asked->id};
    body.enlist = &enlist;
    request.body_case = CPMP__LOCAL__BODY_ENLIST;
    request.enlist = &body;
    local_client_ask(&enroll->client, &request, on_enlisted, asked);
}

struct enroll_asked *
enroll_asked_find(const struct enroll *enroll, uint64_t nonce)
{
    for (size_t i = 0; i < enroll->asked_count; i++)
        if (enroll->asked[i]->nonce == nonce)
            return enroll->asked[i];
    return NULL;
}

static void
asked_release(struct enroll *enroll, struct enroll_asked *asked)
{
    Cpmp__Local message = CPMP__LOCAL__INIT;
    Cpmp__ReleaseRequest body = CPMP__RELEASE_REQUEST__INIT;
    Cpmp__Release release = CPMP__RELEASE__INIT;

    if (!enroll->connected || asked->released)
        return;
    asked->released = true;
    asked->open = false;
    release.nonce = asked->nonce;
    release.job = enroll->job;
    body.peer = (ProtobufCBinaryData){.len = SELLER_ID_BYTES, .data = asked->id};
    body.release = &release;
    message.body_case = CPMP__LOCAL__BODY_RELEASE;
    message.release = &body;
    local_client_tell(&enroll->client, &message);
}

void
enroll_ask_cancel(struct enroll *enroll)
{
    for (size_t i = 0; i < enroll->asked_count; i++)
        asked_release(enroll, enroll->asked[i]);
}

/* --- the computer --- */

static void
waiting_say(struct enroll *enroll)
{
    struct text visible = {0};
    bool news;

    text_visible_add(&visible, computer_why(enroll->computer),
                     strlen(computer_why(enroll->computer)));
    news = strcmp(text_string(&visible), text_string(&enroll->waiting)) != 0;
    enroll_status(enroll, "");
    if (news)
        fprintf(stderr, "cpexec: waiting: %s\n", text_string(&visible));
    text_release(&enroll->waiting);
    enroll->waiting = visible;
}

static void
short_fail(struct enroll *enroll)
{
    struct text visible = {0};
    const char *why = computer_why(enroll->computer);

    text_visible_add(&visible, why, strlen(why));
    enroll_fail(enroll, "%s", text_string(&visible));
    text_release(&visible);
}

static void
action_do(struct enroll *enroll, const struct computer_action *action)
{
    struct enroll_asked *asked;

    switch (action->kind) {
    case COMPUTER_WANT_SELLERS: sellers_ask(enroll); break;
    case COMPUTER_ENLIST: enlist_ask(enroll, action); break;
    case COMPUTER_RELEASE:
        asked = enroll_asked_find(enroll, action->nonce);
        if (asked != NULL)
            asked_release(enroll, asked);
        break;
    case COMPUTER_WAITING: waiting_say(enroll); break;
    case COMPUTER_FORMED: enroll_end(enroll, 0); break;
    case COMPUTER_SHORT: short_fail(enroll); break;
    }
}

static void
on_tick(uv_timer_t *timer)
{
    struct computer_event event = {.kind = COMPUTER_TICK};

    computer_go(timer->data, &event);
}

static void
computer_go(struct enroll *enroll, struct computer_event *event)
{
    uint64_t due_us;
    uint32_t count;

    event->now_us = uv_hrtime() / 1000u;
    computer_step(enroll->computer, event, enroll->out);
    count = enroll->out->count;
    /* The actions are the step's: what they lead to comes from the loop. */
    for (uint32_t i = 0; i < count; i++)
        action_do(enroll, &enroll->out->actions[i]);
    due_us = computer_deadline_us(enroll->computer);
    uv_timer_stop(&enroll->tick);
    if (due_us != UINT64_MAX && !enroll->over)
        uv_timer_start(&enroll->tick, on_tick,
                       due_us > event->now_us ? (due_us - event->now_us + 999) / 1000 : 0, 0);
}

/* "localhost" is this machine's peer, by whatever name. */
static void
hosts_name(struct enroll *enroll)
{
    for (uint32_t i = 0; i < enroll->host_count; i++)
        if (strcasecmp(enroll->hosts[i].pattern, "localhost") == 0)
            snprintf(enroll->hosts[i].pattern, sizeof(enroll->hosts[i].pattern), "%s",
                     enroll->self_name);
}

static void
computer_make(struct enroll *enroll)
{
    const struct exec_options *options = enroll->options;
    struct computer_config config = {
        .ranks = enroll->ranks,
        .per_seller = options->per_peer,
        .oversubscribe = options->oversubscribe ? EXEC_ENROLL_OVERSUBSCRIBE : 1,
        .spread = options->map_by == EXEC_MAP_BY_NODE,
        .require = options->require,
        .hosts = enroll->hosts,
        .host_count = enroll->host_count,
        .wait_us = options->wait_us,
        .grace_us = GRACE_US,
    };

    /* A daemon that has just begun finds the others first. */
    if (enroll->again_begun && config.wait_us < ENROLL_BACK_US)
        config.wait_us = ENROLL_BACK_US;
    if (getrandom(&config.seed, sizeof(config.seed), 0) != sizeof(config.seed))
        abort();
    computer_free(enroll->computer);
    enroll->computer = computer_new(&config);
    if (enroll->computer == NULL)
        memory_none();
}

void
enroll_ask_begin(struct enroll *enroll)
{
    struct computer_event event = {.kind = COMPUTER_START};

    enroll_status(enroll, "");
    hosts_name(enroll);
    computer_make(enroll);
    computer_go(enroll, &event);
}

void
enroll_ask_release(struct enroll *enroll)
{
    for (size_t i = 0; i < enroll->asked_count; i++) {
        struct enroll_asked *asked = enroll->asked[i];
        for (size_t j = 0; j < asked->address_count; j++)
            free(asked->addresses[j]);
        free(asked->addresses);
        free(asked);
    }
    free(enroll->asked);
    free(enroll->out);
    text_release(&enroll->waiting);
    computer_free(enroll->computer);
}
