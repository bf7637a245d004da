/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/evp.h>

#include <cpmp.h>

#include "local/state.h"
#include "peer/notify.h"
#include "peer/policy_file.h"
#include "system/clock.h"
#include "system/saved.h"
#include "text/memory.h"

/* --- words --- */

/* One line, whatever others call themselves. */
static void
say(const char *format, va_list arguments)
{
    char line[2048];

    vsnprintf(line, sizeof(line), format, arguments);
    for (char *at = line; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            *at = '?';
    fprintf(stderr, "cpmpd: %s\n", line);
}

void
daemon_say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}

void
daemon_note(const struct daemon *daemon, const char *format, ...)
{
    va_list arguments;

    if (!daemon->options->verbose)
        return;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}

/* --- policy --- */

bool
daemon_policy_load(struct daemon *daemon, struct text *why)
{
    struct text path = {0};
    struct policy fresh;
    int error;

    policy_init(&fresh);
    text_print(&path, "%s/policy.conf", daemon->directory);
    error = policy_file_load(text_string(&path), &fresh, why);
    if (error == CPMP_OK)
        policy_move(&daemon->policy, &fresh);
    policy_release(&fresh);
    text_release(&path);
    return error == CPMP_OK;
}

/* --- incarnation --- */

/* Above all that this peer ever had, also when the clock went back meanwhile: the last one is kept.
 * Where it can't be, the clock has to do. */
static void
incarnation_keep(struct daemon *daemon)
{
    struct text path = {0}, number = {0}, why = {0};

    text_print(&path, "%s/incarnation", daemon->directory);
    text_print(&number, "%" PRIu64 "\n", daemon->incarnation);
    if (saved_write(text_string(&path), number.bytes, number.used, SAVED_FOR_ALL, &why) != CPMP_OK)
        daemon_say("%s", text_string(&why));
    text_release(&path);
    text_release(&number);
    text_release(&why);
}

static void
incarnation_make(struct daemon *daemon)
{
    struct text path = {0}, number = {0}, why = {0};
    uint64_t kept = 0;

    text_print(&path, "%s/incarnation", daemon->directory);
    if (saved_read(text_string(&path), 64, SAVED_FOR_ALL, &number, &why) == CPMP_OK)
        kept = strtoull(text_string(&number), NULL, 10);
    else if (why.used > 0)
        daemon_say("%s", text_string(&why));
    daemon->incarnation = clock_wall_us();
    if (kept < DETECTOR_INCARNATION_MAX && daemon->incarnation <= kept)
        daemon->incarnation = kept + 1;
    text_release(&path);
    text_release(&number);
    text_release(&why);
    incarnation_keep(daemon);
}

static void
on_incarnation(void *arg, uint64_t incarnation)
{
    struct daemon *daemon = arg;

    daemon->incarnation = incarnation;
    incarnation_keep(daemon);
}

/* --- signals --- */

static void
on_hangup(struct daemon *daemon)
{
    struct text why = {0};

    if (daemon_policy_load(daemon, &why)) {
        daemon_say("policy.conf is read anew");
        daemon_work_policy(daemon);
    } else {
        daemon_say("the policy stays as it was: %s", text_string(&why));
    }
    text_release(&why);
}

static void
on_signal(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;

    if (number == SIGHUP && daemon->phase == DAEMON_RUNNING)
        on_hangup(daemon);
    else if (number == SIGTERM || number == SIGINT)
        daemon_leave(daemon, 0);
}

static void
signals_begin(struct daemon *daemon)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uv_signal_init(&daemon->loop, &daemon->signals[i]);
        daemon->signals[i].data = daemon;
        uv_signal_start(&daemon->signals[i], on_signal, numbers[i]);
    }
}

/* --- programs of this machine --- */

static void
on_message(void *arg, struct session *session, const Cpmp__Local *message)
{
    struct daemon *daemon = arg;

    /* Agents say how their ranks ended, to the last. */
    if (daemon->phase != DAEMON_RUNNING && message->body_case == CPMP__LOCAL__BODY_AGENT_REPORT)
        enlist_report(&daemon->enlist, session, message->agent_report);
    else if (daemon->phase != DAEMON_RUNNING)
        sessions_fail(&daemon->sessions, session->id, message->number, LOCAL_FAILURE_BROKEN,
                      "cpmpd is on its way out");
    else if (!daemon_tell_take(daemon, session, message) &&
             !daemon_exec_take(daemon, session, message))
        sessions_fail(&daemon->sessions, session->id, message->number, LOCAL_FAILURE_WRONG,
                      "this cpmpd doesn't know the request; install the same cpmp for both");
}

static void
on_gone(void *arg, struct session *session)
{
    daemon_exec_gone(arg, session);
}

static void
on_welcome(void *arg, Cpmp__LocalWelcome *welcome)
{
    struct daemon *daemon = arg;

    welcome->pool = daemon->membership.pool;
    welcome->name = daemon->membership.name;
    welcome->id = (ProtobufCBinaryData){.len = IDENTITY_ID_BYTES, .data = daemon->membership.id};
    welcome->pool_fingerprint = (ProtobufCBinaryData){.len = AUTHORITY_FINGERPRINT_BYTES,
                                                      .data = daemon->membership.fingerprint};
}

static const struct sessions_hooks sessions_hooks = {
    .on_message = on_message,
    .on_gone = on_gone,
    .on_welcome = on_welcome,
};

/* --- the overlay --- */

/* Said when programs are answered, too: who reads it asks next. */
static void
say_ready(const struct daemon *daemon)
{
    char address[ADDRESS_TEXT_MAX] = "no address";
    struct text state = {0};

    if (daemon->address_count > 0)
        address_print(&daemon->addresses[0], address);
    daemon_say("pool %s: peer %s is ready at %s", daemon->membership.pool,
               daemon->membership.name, address);
    text_print(&state, "READY=1\nSTATUS=Peer %s of pool %s, at %s\n", daemon->membership.name,
               daemon->membership.pool, address);
    notify_send(getenv("NOTIFY_SOCKET"), text_string(&state));
    text_release(&state);
}

static void
on_status(void *arg, enum chord_status status)
{
    struct daemon *daemon = arg;

    if (status == CHORD_GONE && daemon->phase == DAEMON_LEAVING)
        return;
    if (status != CHORD_MEMBER)
        return;
    if (daemon->has_sessions)
        say_ready(daemon);
    offers_changed(&daemon->offers, true);
}

static void
on_contact(void *arg, uint32_t contact, enum detector_state state)
{
    static const char *const words[] = {"alive", "suspected", "dead", "suspended", "gone"};
    struct daemon *daemon = arg;
    const struct book_entry *entry = book_get(&daemon->book, contact);

    if (state == DETECTOR_DEAD || state == DETECTOR_LEFT)
        book_died(&daemon->book, contact, clock_wall_us());
    else if (state == DETECTOR_ALIVE)
        book_died(&daemon->book, contact, 0);
    if (entry != NULL && (size_t)state < sizeof(words) / sizeof(words[0]))
        daemon_note(daemon, "%s is %s", entry->name, words[state]);
}

static const struct overlay_hooks overlay_hooks = {
    .send = daemon_net_send,
    .status = on_status,
    .contact = on_contact,
    .incarnation = on_incarnation,
};

static void
on_offer_met(void *arg, const struct offer *offer)
{
    struct daemon *daemon = arg;
    char texts[OFFER_ADDRESSES_MAX][ADDRESS_TEXT_MAX], *addresses[OFFER_ADDRESSES_MAX];
    struct book_peer peer = {.name = offer->seller.name, .addresses = addresses};

    memcpy(peer.id.bytes, offer->seller.id, CHORD_ID_BYTES);
    for (uint32_t i = 0; i < offer->address_count; i++) {
        struct address address = {.family = offer->addresses[i].ip_bytes == 4 ? 4 : 6,
                                  .port = offer->addresses[i].port};
        memcpy(address.bytes, offer->addresses[i].ip, offer->addresses[i].ip_bytes);
        address_print(&address, texts[peer.address_count]);
        addresses[peer.address_count] = texts[peer.address_count];
        peer.address_count++;
    }
    /* Signed by the peer itself. */
    peer.own_word = true;
    book_intern(&daemon->book, &peer, clock_boot_us());
}

static const struct offers_hooks offers_hooks = {.state = daemon_work_state, .met = on_offer_met};

static void
on_book_full(void *arg)
{
    struct daemon *daemon = arg;

    if (daemon->overlay != NULL)
        overlay_hold(daemon->overlay);
    if (daemon->supplies != NULL)
        supplies_hold(daemon->supplies);
    for (size_t i = 0; i < daemon->asking.count; i++)
        book_hold(&daemon->book, daemon->asking.list[i].contact);
    for (size_t i = 0; i < daemon->uploads.count; i++)
        book_hold(&daemon->book, daemon->uploads.list[i].contact);
    for (const struct enlist_one *one = daemon->enlist.first; one != NULL; one = one->next)
        book_hold(&daemon->book, one->asker.contact);
}

static void
self_enter(struct daemon *daemon)
{
    char texts[PEER_ADDRESSES_MAX][ADDRESS_TEXT_MAX], *addresses[PEER_ADDRESSES_MAX];
    struct book_peer self = {.name = daemon->membership.name, .addresses = addresses,
                             .address_count = daemon->address_count, .own_word = true};

    memcpy(self.id.bytes, daemon->membership.id, CHORD_ID_BYTES);
    for (size_t i = 0; i < daemon->address_count; i++) {
        address_print(&daemon->addresses[i], texts[i]);
        addresses[i] = texts[i];
    }
    book_intern(&daemon->book, &self, clock_boot_us());
}

static void
overlay_begin(struct daemon *daemon)
{
    uint32_t known[CHORD_KNOWN_MAX];
    size_t count;

    book_init(&daemon->book, on_book_full, daemon);
    self_enter(daemon);
    daemon->overlay = overlay_new(&daemon->loop, &daemon->book, daemon->incarnation,
                                  &overlay_hooks, daemon);
    offers_init(&daemon->offers, &daemon->loop, daemon->overlay, daemon->membership.id,
                daemon->membership.fingerprint, daemon->membership.key, &offers_hooks, daemon);
    jobs_init(&daemon->jobs, &daemon->loop, daemon->overlay, daemon->membership.id);
    daemon->has_overlay = true;
    count = daemon_net_known(daemon, known, CHORD_KNOWN_MAX);
    overlay_join(daemon->overlay, known, count, count > 0 ? DAEMON_ALONE_US : 0);
}

/* --- timers --- */

static void
on_vitals(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;

    daemon_work_look(daemon);
    if (daemon->peers_changed)
        daemon_net_save_peers(daemon);
    daemon->peers_changed = false;
}

static void
on_care(uv_timer_t *timer)
{
    daemon_net_care(timer->data);
}

static void
on_settle(uv_timer_t *timer)
{
    daemon_work_settle(timer->data);
}

static void
timer_begin(struct daemon *daemon, uv_timer_t *timer, uv_timer_cb callback, uint64_t every_ms)
{
    uv_timer_init(&daemon->loop, timer);
    timer->data = daemon;
    if (every_ms > 0)
        uv_timer_start(timer, callback, every_ms, every_ms);
}

/* --- beginning --- */

int
daemon_begin(struct daemon *daemon, struct text *error)
{
    daemon->started_s = clock_wall_us() / 1000000u;
    if (membership_is_revoked(&daemon->membership, daemon->membership.id)) {
        text_print(error, "this peer was shut out of pool %s; to join anew, use a new state "
                          "directory and a new token", daemon->membership.pool);
        daemon->exit_code = DAEMON_EXIT_REFUSED;
        return -1;
    }
    if (daemon->membership.open)
        daemon_say("WARNING: pool %s is open: whoever has seen a token may join, and run programs "
                   "on its peers", daemon->membership.pool);
    if (!daemon_policy_load(daemon, error))
        return -1;
    incarnation_make(daemon);
    if (daemon_net_begin(daemon, error) != 0)
        return -1;
    daemon_net_save_peers(daemon);  /* whom an admission named: nobody else can be asked */
    overlay_begin(daemon);
    if (daemon_work_begin(daemon, error) != 0)
        return -1;
    if (sessions_init(&daemon->sessions, &daemon->loop, daemon->directory, &sessions_hooks,
                      daemon) != 0) {
        text_print(error, "the socket in %s can't be made: %s", daemon->directory,
                   strerror(errno));
        return -1;
    }
    daemon->has_sessions = true;
    if (chord_status(overlay_chord(daemon->overlay)) == CHORD_MEMBER)
        say_ready(daemon);
    timer_begin(daemon, &daemon->vitals, on_vitals, DAEMON_FIRST_MS);
    timer_begin(daemon, &daemon->care, on_care, DAEMON_CARE_MS);
    uv_timer_start(&daemon->care, on_care, DAEMON_EARLY_MS, DAEMON_CARE_MS);
    timer_begin(daemon, &daemon->settle, on_settle, DAEMON_SETTLE_MS);
    daemon->phase = DAEMON_RUNNING;
    return 0;
}

static const char *
own_name(const struct daemon *daemon, char *buffer, size_t bytes)
{
    if (daemon->options->name != NULL)
        return daemon->options->name;
    if (gethostname(buffer, bytes - 1) != 0 || buffer[0] == '\0')
        snprintf(buffer, bytes, "localhost");
    buffer[strcspn(buffer, ".")] = '\0';
    return buffer;
}

static int
found(struct daemon *daemon, struct text *error)
{
    const struct peer_options *options = daemon->options;
    char host[256] = "";
    const char *name = own_name(daemon, host, sizeof(host));

    if (membership_found(&daemon->membership, daemon->directory, options->create, name,
                         options->open, error) != CPMP_OK)
        return -1;
    daemon_say("pool %s is founded; its authority is in %s/pool: keep a copy, nobody else can let "
               "peers in or shut them out", options->create, daemon->directory);
    return daemon_begin(daemon, error);
}

/* A member already: --create and --join are fine when they mean this very pool. */
static int
go_on(struct daemon *daemon, struct text *error)
{
    const struct peer_options *options = daemon->options;
    const struct membership *membership = &daemon->membership;
    struct token token;
    bool same = true;

    if (options->create != NULL)
        same = membership->founder && strcmp(options->create, membership->pool) == 0;
    if (options->join != NULL)
        same = token_parse(options->join, &token, error) == CPMP_OK &&
               memcmp(token.fingerprint, membership->fingerprint, sizeof(token.fingerprint)) == 0;
    if (error->used > 0)
        return -1;
    if (!same) {
        text_print(error, "%s belongs to a peer of pool %s; start cpmpd without --%s to go on "
                          "there, or name another state directory by --state",
                   daemon->directory, membership->pool,
                   options->create != NULL ? "create" : "join");
        return -1;
    }
    return daemon_begin(daemon, error);
}

static int
start(struct daemon *daemon, struct text *error)
{
    int status = membership_load(&daemon->membership, daemon->directory, error);

    if (status == CPMP_OK)
        return go_on(daemon, error);
    if (status != CPMP_ENOENT)
        return -1;
    membership_release(&daemon->membership);
    if (daemon->options->create != NULL)
        return found(daemon, error);
    if (daemon->options->join != NULL)
        return daemon_admit_join(daemon, error);
    text_print(error, "%s is in no pool yet: found one by cpmpd --create NAME, or join one by "
                      "cpmpd --join TOKEN (the token comes from cpmp pool invite on the peer that "
                      "founded it)", daemon->directory);
    daemon->exit_code = DAEMON_EXIT_USAGE;
    return -1;
}

/* --- the end --- */

static void
on_left(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;

    uv_stop(&daemon->loop);
}

void
daemon_leave(struct daemon *daemon, int exit_code)
{
    bool was_running = daemon->phase == DAEMON_RUNNING;

    if (daemon->phase == DAEMON_LEAVING) {
        uv_stop(&daemon->loop);  /* asked twice: at once, then */
        return;
    }
    daemon->phase = DAEMON_LEAVING;
    daemon->exit_code = exit_code;
    if (!was_running) {
        uv_stop(&daemon->loop);
        return;
    }
    notify_send(getenv("NOTIFY_SOCKET"), "STOPPING=1\nSTATUS=Leaving the pool\n");
    uv_timer_stop(&daemon->vitals);
    uv_timer_stop(&daemon->care);
    enlist_order(&daemon->enlist, CPMP__AGENT_ORDER__WHAT__LEAVE,
                 "the machine is no longer shared: cpmpd was ended there");
    offers_withdraw(&daemon->offers);
    overlay_leave(daemon->overlay);
    timer_begin(daemon, &daemon->leaving, NULL, 0);
    uv_timer_start(&daemon->leaving, on_left, daemon->enlist.count > 0 ? DAEMON_LEAVE_MS : 200, 0);
}

static void
handle_close(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle) && handle->type == UV_SIGNAL)
        uv_close(handle, NULL);
}

static void
close_all(struct daemon *daemon)
{
    daemon_admit_close(daemon);
    if (daemon->has_sessions)
        sessions_close(&daemon->sessions);
    daemon_work_close(daemon);
    if (daemon->has_overlay) {
        offers_close(&daemon->offers);
        jobs_close(&daemon->jobs);
        overlay_close(daemon->overlay);
    }
    daemon_net_close(daemon);
    if (daemon->has_sessions) {
        uv_close((uv_handle_t *)&daemon->vitals, NULL);
        uv_close((uv_handle_t *)&daemon->care, NULL);
        uv_close((uv_handle_t *)&daemon->settle, NULL);
    }
    if (daemon->leaving.data != NULL)
        uv_close((uv_handle_t *)&daemon->leaving, NULL);
    uv_walk(&daemon->loop, handle_close, NULL);
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    uv_loop_close(&daemon->loop);
}

static void
release(struct daemon *daemon)
{
    if (daemon->has_sessions)
        state_unlisten(daemon->directory);
    if (daemon->has_overlay) {
        offers_release(&daemon->offers);
        jobs_release(&daemon->jobs);
        book_release(&daemon->book);
    }
    waiting_release(&daemon->waiting);
    asking_release(&daemon->asking);
    text_release(&daemon->peers_saved);
    daemon_work_release(daemon);
    tls_context_free(daemon->context);
    policy_release(&daemon->policy);
    membership_release(&daemon->membership);
    close(daemon->lock_fd);
    free(daemon->directory);
}

static int
directory_open(struct daemon *daemon, struct text *error)
{
    struct text path = {0};
    int result = state_directory(&path, daemon->options->state, daemon->environment, error);

    if (result == 0)
        result = state_make(text_string(&path), error);
    if (result == 0) {
        daemon->directory = realpath(text_string(&path), NULL);
        if (daemon->directory == NULL) {
            text_print(error, "%s: %s", text_string(&path), strerror(errno));
            result = -1;
        }
    }
    text_release(&path);
    if (result != 0)
        return result;
    daemon->lock_fd = state_lock(daemon->directory, error);
    return daemon->lock_fd < 0 ? -1 : 0;
}

/* A link, a program or an agent each takes one. */
static void
files_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DAEMON_FILES_MAX)
        return;
    limit.rlim_cur = limit.rlim_max < DAEMON_FILES_MAX ? limit.rlim_max : DAEMON_FILES_MAX;
    setrlimit(RLIMIT_NOFILE, &limit);  /* refused: it has to do as it is */
}

int
daemon_run(const struct peer_options *options, char **environment)
{
    struct daemon *daemon = memory_new(1, sizeof(*daemon));
    struct text error = {0};
    int code;

    daemon->options = options;
    daemon->environment = environment;
    daemon->lock_fd = -1;
    if (directory_open(daemon, &error) != 0) {
        daemon_say("%s", text_string(&error));
        free(daemon->directory);
        free(daemon);
        text_release(&error);
        return 1;
    }
    files_raise();
    policy_init(&daemon->policy);
    waiting_init(&daemon->waiting, &daemon->sessions, daemon);
    uv_loop_init(&daemon->loop);
    signals_begin(daemon);
    if (start(daemon, &error) == 0) {
        uv_run(&daemon->loop, UV_RUN_DEFAULT);
    } else {
        daemon_say("%s", text_string(&error));
        if (daemon->exit_code == 0)
            daemon->exit_code = DAEMON_EXIT_FAILED;
    }
    daemon->phase = DAEMON_LEAVING;
    code = daemon->exit_code;
    close_all(daemon);
    release(daemon);
    text_release(&error);
    free(daemon);
    return code;
}
