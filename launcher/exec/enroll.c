/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/enroll.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <uv.h>

#include <cpmp.h>

#include "content/content.h"
#include "exec/hosts.h"
#include "exec/ship.h"
#include "local/client.h"
#include "local/state.h"
#include "proto/computer/computer.h"
#include "text/memory.h"
#include "text/visible.h"

#define PUTS_MAX          8u                    /* pieces under way to the daemon */
#define ENLIST_LIMIT_US   UINT64_C(30000000)    /* a peer that fetches files says nothing so long */
#define HOSTS_MAX         256u

/* A reservation that was asked for. */
struct asked {
    struct enroll *enroll;
    uint64_t nonce;
    uint32_t seat;
    unsigned char id[SELLER_ID_BYTES];
    unsigned char key[TLS_KEY_BYTES];
    char **addresses;          /* of its agent, once enlisted */
    size_t address_count;
    uint32_t millicores;
};

struct enroll {
    uv_loop_t loop;
    struct local_client client;
    bool connected;
    uv_timer_t tick;
    uv_signal_t signals[3];
    const struct exec_options *options;
    const struct exec_image *images;
    struct exec_ship ship;
    uint32_t *wanted;          /* indices of files that the daemon hasn't */
    size_t wanted_count, put_file;
    uint32_t put_piece, puts_open;
    struct computer *computer;
    struct computer_out *out;
    struct computer_host hosts[HOSTS_MAX];
    struct asked **asked;
    size_t asked_count;
    uint64_t job;
    bool formed, over;
    int code;                  /* of exec_enroll, once over */
    struct text *error;
};

static void computer_go(struct enroll *enroll, struct computer_event *event);

/* --- the end --- */

static void
end(struct enroll *enroll, int code)
{
    if (enroll->over)
        return;
    enroll->over = true;
    enroll->code = code;
    uv_stop(&enroll->loop);
}

__attribute__((format(printf, 2, 3)))
static void
fail(struct enroll *enroll, const char *format, ...)
{
    va_list arguments;
    char text[1024];

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (!enroll->over)
        text_add_string(enroll->error, text);
    end(enroll, 1);
}

/* A reply that is what was asked for; else the job ends. */
static bool
reply_good(struct enroll *enroll, const Cpmp__Local *reply, Cpmp__Local__BodyCase wanted)
{
    if (enroll->over)
        return false;
    if (reply == NULL)
        fail(enroll, "the cpmpd of this machine went away; is it running (cpmp info)?");
    else if (reply->body_case == CPMP__LOCAL__BODY_FAILURE)
        fail(enroll, "%s", reply->failure->text);
    else if (reply->body_case != wanted)
        fail(enroll, "the cpmpd of this machine gives an answer that makes no sense");
    else
        return true;
    return false;
}

/* --- sellers --- */

static void
word_copy(char *out, size_t bytes, const char *word)
{
    snprintf(out, bytes, "%s", word);
}

static void
seller_read(const Cpmp__PeerRow *row, struct seller *seller)
{
    size_t used = 0;

    memset(seller, 0, sizeof(*seller));
    if (row->id.len == SELLER_ID_BYTES)
        memcpy(seller->id, row->id.data, SELLER_ID_BYTES);
    word_copy(seller->name, sizeof(seller->name), row->name);
    word_copy(seller->arch, sizeof(seller->arch), row->arch);
    word_copy(seller->os, sizeof(seller->os), row->os);
    word_copy(seller->kernel, sizeof(seller->kernel), row->kernel);
    word_copy(seller->version, sizeof(seller->version), row->version);
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

    if (!reply_good(enroll, reply, CPMP__LOCAL__BODY_SELLERS_REPLY))
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

/* --- enlisting --- */

static void
addresses_keep(struct asked *asked, const Cpmp__Enlisted *enlisted)
{
    asked->addresses = memory_new(enlisted->n_addresses, sizeof(char *));
    for (size_t i = 0; i < enlisted->n_addresses; i++)
        asked->addresses[asked->address_count++] = memory_copy_text(enlisted->addresses[i]);
    asked->millicores = enlisted->millicores;
}

static void
on_enlisted(void *arg, const Cpmp__Local *reply)
{
    struct asked *asked = arg;
    struct enroll *enroll = asked->enroll;
    struct computer_event event = {.kind = COMPUTER_LOST, .nonce = asked->nonce};

    if (enroll->over)
        return;
    if (reply == NULL) {
        reply_good(enroll, reply, CPMP__LOCAL__BODY_ENLISTED);
        return;
    }
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
            struct asked *asked, Cpmp__Enlist *enlist)
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

static void
enlist_ask(struct enroll *enroll, const struct computer_action *action)
{
    struct computer_seat seat = computer_seat(enroll->computer, action->seat);
    struct asked *asked = memory_new(1, sizeof(*asked));
    Cpmp__Local request = CPMP__LOCAL__INIT;
    Cpmp__EnlistRequest body = CPMP__ENLIST_REQUEST__INIT;
    Cpmp__Enlist enlist = CPMP__ENLIST__INIT;

    asked->enroll = enroll;
    asked->nonce = action->nonce;
    memcpy(asked->id, seat.seller.id, SELLER_ID_BYTES);
    if (getrandom(asked->key, sizeof(asked->key), 0) != sizeof(asked->key))
        abort();  /* can't be for so few bytes (getrandom(2)) */
    enroll->asked = memory_grow(enroll->asked, enroll->asked_count + 1, sizeof(struct asked *));
    enroll->asked[enroll->asked_count++] = asked;
    enlist_fill(enroll, action, asked, &enlist);
    body.peer = (ProtobufCBinaryData){.len = SELLER_ID_BYTES, .data = asked->id};
    body.enlist = &enlist;
    request.body_case = CPMP__LOCAL__BODY_ENLIST;
    request.enlist = &body;
    local_client_ask(&enroll->client, &request, on_enlisted, asked);
}

static struct asked *
asked_of(const struct enroll *enroll, uint64_t nonce)
{
    for (size_t i = 0; i < enroll->asked_count; i++)
        if (enroll->asked[i]->nonce == nonce)
            return enroll->asked[i];
    return NULL;
}

static void
release_tell(struct enroll *enroll, uint64_t nonce)
{
    struct asked *asked = asked_of(enroll, nonce);
    Cpmp__Local message = CPMP__LOCAL__INIT;
    Cpmp__ReleaseRequest body = CPMP__RELEASE_REQUEST__INIT;
    Cpmp__Release release = CPMP__RELEASE__INIT;

    if (asked == NULL)
        return;
    release.nonce = nonce;
    release.job = enroll->job;
    body.peer = (ProtobufCBinaryData){.len = SELLER_ID_BYTES, .data = asked->id};
    body.release = &release;
    message.body_case = CPMP__LOCAL__BODY_RELEASE;
    message.release = &body;
    local_client_tell(&enroll->client, &message);
}

/* --- the computer --- */

static void
waiting_say(struct enroll *enroll)
{
    struct text visible = {0};

    text_visible_add(&visible, computer_why(enroll->computer),
                         strlen(computer_why(enroll->computer)));
    fprintf(stderr, "cpexec: waiting: %s\n", text_string(&visible));
    text_release(&visible);
}

static void
short_fail(struct enroll *enroll)
{
    struct text visible = {0};
    const char *why = computer_why(enroll->computer);

    text_visible_add(&visible, why, strlen(why));
    fail(enroll, "%s", text_string(&visible));
    text_release(&visible);
}

static void
action_do(struct enroll *enroll, const struct computer_action *action)
{
    switch (action->kind) {
    case COMPUTER_WANT_SELLERS: sellers_ask(enroll); break;
    case COMPUTER_ENLIST: enlist_ask(enroll, action); break;
    case COMPUTER_RELEASE: release_tell(enroll, action->nonce); break;
    case COMPUTER_WAITING: waiting_say(enroll); break;
    case COMPUTER_FORMED:
        enroll->formed = true;
        end(enroll, 0);
        break;
    case COMPUTER_SHORT: short_fail(enroll); break;
    }
}

static void
on_tick(uv_timer_t *timer)
{
    struct computer_event event = {.kind = COMPUTER_TICK};

    computer_go(timer->data, &event);
}

static uint64_t
now_us(void)
{
    return uv_hrtime() / 1000u;
}

static void
computer_go(struct enroll *enroll, struct computer_event *event)
{
    uint64_t due_us;
    uint32_t count;

    event->now_us = now_us();
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

static void
computer_begin(struct enroll *enroll)
{
    struct computer_event event = {.kind = COMPUTER_START};

    computer_go(enroll, &event);
}

/* --- handing in the files --- */

static void on_put(void *arg, const Cpmp__Local *reply);

/* The next piece; false when all are on their way. */
static bool
put_next(struct enroll *enroll)
{
    Cpmp__Local request = CPMP__LOCAL__INIT;
    Cpmp__ContentPut put = CPMP__CONTENT_PUT__INIT;
    const Cpmp__Content *content;
    uint32_t index;
    uint8_t *bytes;
    long count;

    if (enroll->put_file == enroll->wanted_count)
        return false;
    index = enroll->wanted[enroll->put_file];
    content = enroll->ship.files[index]->content;
    bytes = memory_new(1, CONTENT_PIECE_BYTES);
    count = exec_ship_read(&enroll->ship, index, enroll->put_piece, bytes, enroll->error);
    if (count < 0) {
        free(bytes);
        end(enroll, 1);
        return false;
    }
    put.name = content->name;
    put.piece = enroll->put_piece;
    put.data = (ProtobufCBinaryData){.len = (size_t)count, .data = bytes};
    request.body_case = CPMP__LOCAL__BODY_CONTENT_PUT;
    request.content_put = &put;
    enroll->puts_open++;
    local_client_ask(&enroll->client, &request, on_put, enroll);
    free(bytes);
    if (++enroll->put_piece >= content->n_pieces) {
        enroll->put_piece = 0;
        enroll->put_file++;
    }
    return true;
}

static void
puts_go(struct enroll *enroll)
{
    while (!enroll->over && enroll->puts_open < PUTS_MAX && put_next(enroll))
        continue;
    if (!enroll->over && enroll->puts_open == 0)
        computer_begin(enroll);
}

static void
on_put(void *arg, const Cpmp__Local *reply)
{
    struct enroll *enroll = arg;

    enroll->puts_open--;
    if (reply_good(enroll, reply, CPMP__LOCAL__BODY_CONTENT_PUT_REPLY))
        puts_go(enroll);
}

static void
on_wanted(void *arg, const Cpmp__Local *reply)
{
    struct enroll *enroll = arg;

    if (!reply_good(enroll, reply, CPMP__LOCAL__BODY_CONTENT_WANTED))
        return;
    for (size_t i = 0; i < reply->content_wanted->n_indices; i++) {
        if (reply->content_wanted->indices[i] >= enroll->ship.count)
            continue;
        enroll->wanted = memory_grow(enroll->wanted, enroll->wanted_count + 1,
                                     sizeof(*enroll->wanted));
        enroll->wanted[enroll->wanted_count++] = reply->content_wanted->indices[i];
    }
    puts_go(enroll);
}

static void
contents_ask(struct enroll *enroll)
{
    Cpmp__Local request = CPMP__LOCAL__INIT;
    Cpmp__ContentQuery query = CPMP__CONTENT_QUERY__INIT;

    query.contents = memory_new(enroll->ship.count, sizeof(Cpmp__Content *));
    for (size_t i = 0; i < enroll->ship.count; i++)
        query.contents[query.n_contents++] = enroll->ship.files[i]->content;
    request.body_case = CPMP__LOCAL__BODY_CONTENT_QUERY;
    request.content_query = &query;
    local_client_ask(&enroll->client, &request, on_wanted, enroll);
    free(query.contents);
}

/* --- the daemon --- */

static void
on_welcome(void *arg, const Cpmp__Local *reply)
{
    struct enroll *enroll = arg;
    const char *pool = enroll->options->pool;

    if (!reply_good(enroll, reply, CPMP__LOCAL__BODY_WELCOME))
        return;
    if (pool != NULL && strcmp(pool, reply->welcome->pool) != 0)
        fail(enroll, "this machine's cpmpd is in pool %s, not %s; name the other one's state "
                     "directory by CPMP_STATE, or leave --pool out", reply->welcome->pool, pool);
    else
        contents_ask(enroll);
}

static void
on_closed(void *arg, const char *why)
{
    struct enroll *enroll = arg;
    (void)why;

    enroll->connected = false;
}

static const struct local_client_hooks client_hooks = {.on_closed = on_closed};

static void
on_signal(uv_signal_t *signal_handle, int number)
{
    struct enroll *enroll = signal_handle->data;
    struct computer_event event = {.kind = COMPUTER_CANCEL};

    if (enroll->computer != NULL && !enroll->over)
        computer_go(enroll, &event);
    end(enroll, 128 + number);
}

/* --- beginning --- */

static void
config_fill(struct enroll *enroll, uint32_t ranks, struct computer_config *config)
{
    const struct exec_options *options = enroll->options;

    *config = (struct computer_config){
        .ranks = ranks,
        .per_seller = options->per_peer,
        .oversubscribe = options->oversubscribe ? 16 : 1,
        .spread = options->map_by == EXEC_MAP_BY_NODE,
        .require = options->require,
        .hosts = enroll->hosts,
        .wait_us = options->wait_us,
        .enlist_limit_us = ENLIST_LIMIT_US,
    };
    config->host_count = exec_hosts_read(options->hosts, enroll->hosts, HOSTS_MAX);
    if (getrandom(&config->seed, sizeof(config->seed), 0) != sizeof(config->seed) ||
        getrandom(&enroll->job, sizeof(enroll->job), 0) != sizeof(enroll->job))
        abort();
    enroll->job |= enroll->job == 0;
}

static void
loop_begin(struct enroll *enroll)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};

    uv_loop_init(&enroll->loop);
    uv_timer_init(&enroll->loop, &enroll->tick);
    enroll->tick.data = enroll;
    for (size_t i = 0; i < 3; i++) {
        uv_signal_init(&enroll->loop, &enroll->signals[i]);
        enroll->signals[i].data = enroll;
        uv_signal_start(&enroll->signals[i], on_signal, numbers[i]);
    }
}

static void
loop_end(struct enroll *enroll)
{
    if (enroll->connected)
        control_stream_finish(&enroll->client.stream);
    uv_close((uv_handle_t *)&enroll->tick, NULL);
    for (size_t i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&enroll->signals[i], NULL);
    uv_run(&enroll->loop, UV_RUN_DEFAULT);
    uv_loop_close(&enroll->loop);
}

/* What was formed becomes the agents to connect to. */
static int
remotes_fill(struct enroll *enroll, struct exec_remotes *remotes, const char *directory)
{
    for (uint32_t i = 0; i < computer_seat_count(enroll->computer); i++) {
        struct computer_seat seat = computer_seat(enroll->computer, i);
        const struct asked *asked = seat.enlisted ? asked_of(enroll, seat.nonce) : NULL;
        struct exec_remote *remote;

        if (asked == NULL || seat.ranks == 0)
            continue;
        if (remotes->count == EXEC_PEERS_MAX) {
            text_print(enroll->error, "the job would take more than %u peers; use fewer ranks, or "
                                      "larger peers (--require)", EXEC_PEERS_MAX);
            return 1;
        }
        remote = exec_remotes_add(remotes, seat.seller.name);
        for (size_t j = 0; j < asked->address_count; j++)
            exec_remote_add_address(remote, asked->addresses[j]);
        remote->millicores = asked->millicores > 0 ? asked->millicores : 1;
        remote->distance_us = seat.seller.distance_us;
        remote->ranks = seat.ranks;
        memcpy(remote->id, asked->id, sizeof(remote->id));
        memcpy(remote->key, asked->key, sizeof(remote->key));
    }
    remotes->job = enroll->job;
    remotes->state = memory_copy_text(directory);
    return 0;
}

static void
release_all(struct enroll *enroll)
{
    for (size_t i = 0; i < enroll->asked_count; i++) {
        struct asked *asked = enroll->asked[i];
        for (size_t j = 0; j < asked->address_count; j++)
            free(asked->addresses[j]);
        free(asked->addresses);
        free(asked);
    }
    free(enroll->asked);
    free(enroll->wanted);
    free(enroll->out);
    computer_free(enroll->computer);
    exec_ship_release(&enroll->ship);
    free(enroll);
}

int
exec_enroll(struct exec_remotes *remotes, const struct exec_options *options,
            const struct exec_image *images, uint32_t ranks, const char *directory,
            struct text *error)
{
    struct enroll *enroll = memory_new(1, sizeof(*enroll));
    struct computer_config config;
    int code = 1;

    enroll->options = options;
    enroll->images = images;
    enroll->error = error;
    enroll->out = memory_new(1, sizeof(*enroll->out));
    config_fill(enroll, ranks, &config);
    enroll->computer = computer_new(&config);
    if (enroll->computer == NULL)
        memory_none();
    if (exec_ship_init(&enroll->ship, options, images, error) == 0) {
        loop_begin(enroll);
        enroll->connected = local_client_init(&enroll->client, &enroll->loop, directory, "cpexec",
                                              &client_hooks, enroll, on_welcome, error) == 0;
        if (enroll->connected) {
            uv_run(&enroll->loop, UV_RUN_DEFAULT);
            code = enroll->code;
        }
        loop_end(enroll);
        if (code == 0)
            code = remotes_fill(enroll, remotes, directory);
    }
    release_all(enroll);
    return code;
}

int
exec_enroll_wanted(const struct exec_options *options, char **environment,
                   struct text *directory, struct text *error)
{
    bool named = options->pool != NULL && strcmp(options->pool, "none") != 0;
    struct text why = {0};
    int result = 0;

    if (options->peers_given || options->sandbox.wanted ||
        (options->pool != NULL && !named))
        return 0;
    if (state_find(directory, NULL, environment, &why) == 0)
        result = 1;
    else if (named) {
        text_print(error, "--pool %s: %s; start one by cpmpd --join TOKEN, or leave --pool out to "
                          "run on this machine alone", options->pool, text_string(&why));
        result = -1;
    }
    text_release(&why);
    return result;
}
