/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The seller: what the owner lets go, who gets it, what runs, and what ran.
 */
#include "peer/daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include <cpmp.h>

#include "link/identity.h"
#include "process/group.h"
#include "process/installed.h"
#include "system/clock.h"
#include "text/hex.h"
#include "text/memory.h"

#define OVERSUBSCRIBED_MAX 16u  /* ranks for each core that may be had, when they are asked for */
#define HISTORY_LOOKS      30u  /* at the machine, until the history is brought up to date */

static void
history_trouble(struct daemon *daemon, struct text *why)
{
    if (why->used > 0)
        daemon_note(daemon, "history: %s", text_string(why));
    text_release(why);
}

/* --- the machine and the owner's word --- */

static void
view_fill(struct daemon *daemon, const struct enlist_one *without, struct warden_view *view)
{
    const struct load_reading *reading = &daemon->reading;
    time_t now_s = time(NULL);
    struct tm local;

    localtime_r(&now_s, &local);
    *view = (struct warden_view){
        .now_us = clock_boot_us(),
        .week_minute = hours_week_minute(&local),
        .cores = reading->cores,
        .others_permille = reading->others_permille,
        .people_idle_us = reading->people_idle_us,
        .on_battery = reading->on_battery,
        .memory_bytes = reading->memory_bytes,
        .available_bytes = reading->memory_available_bytes,
        .jobs_resident_bytes = reading->own_resident_bytes,
    };
    enlist_sum(&daemon->enlist, &view->jobs_ranks, &view->jobs_millicores,
               &view->jobs_memory_bytes);
    if (without != NULL) {
        view->jobs_ranks -= without->ranks;
        view->jobs_millicores -= without->millicores;
        view->jobs_memory_bytes -= without->memory_bytes;
    }
}

static Cpmp__AgentOrder__What
order_of(enum warden_word word)
{
    return word == WARDEN_RUN       ? CPMP__AGENT_ORDER__WHAT__RESUME
           : word == WARDEN_SUSPEND ? CPMP__AGENT_ORDER__WHAT__SUSPEND
                                    : CPMP__AGENT_ORDER__WHAT__LEAVE;
}

static void
tell_agents(struct daemon *daemon)
{
    const struct warden_verdict *verdict = &daemon->verdict;

    if (verdict->running == daemon->said)
        return;
    daemon->said = verdict->running;
    daemon_note(daemon, "ranks here: %s%s%s",
                verdict->running == WARDEN_RUN ? "go on"
                : verdict->running == WARDEN_SUSPEND ? "are suspended" : "are to leave",
                verdict->running_why[0] != '\0' ? ": " : "", verdict->running_why);
    enlist_order(&daemon->enlist, order_of(verdict->running), verdict->running_why);
}

static void
judge(struct daemon *daemon)
{
    struct warden_verdict before = daemon->verdict;
    struct warden_view view;

    view_fill(daemon, NULL, &view);
    warden_step(&daemon->warden, &daemon->policy, &view, &daemon->verdict);
    tell_agents(daemon);
    if (before.takes_new != daemon->verdict.takes_new ||
        before.only_busy != daemon->verdict.only_busy ||
        before.only_busy != daemon->verdict.only_busy ||
        before.ranks_free != daemon->verdict.ranks_free ||
        before.ranks_max != daemon->verdict.ranks_max)
        offers_changed(&daemon->offers, false);
}

static void
machine_read(struct daemon *daemon)
{
    struct load_root *roots = memory_new(daemon->enlist.count + 1, sizeof(*roots));
    struct text why = {0};
    size_t count = 0;

    for (const struct enlist_one *one = daemon->enlist.first; one != NULL; one = one->next)
        if (one->pid > 0)
            roots[count++] = (struct load_root){.pid = one->pid,
                                                .niced = daemon->policy.sched_idle};
    if (load_read(daemon->load, roots, count, clock_boot_us(), clock_wall_us(),
                  &daemon->reading, &why) != CPMP_OK)
        daemon_note(daemon, "the machine's load can't be read: %s", text_string(&why));
    free(roots);
    text_release(&why);
    daemon->read_us = clock_boot_us();
}

/* What was used so far, now and then: a daemon that is killed has told most of it. */
static void
history_refresh(struct daemon *daemon)
{
    if (daemon->history == NULL || ++daemon->updates < HISTORY_LOOKS)
        return;
    daemon->updates = 0;
    for (const struct enlist_one *one = daemon->enlist.first; one != NULL; one = one->next) {
        struct text why = {0};
        if (one->history != 0)
            history_update(daemon->history, one->history, clock_wall_us(), one->cpu_us,
                           one->max_rss_bytes, &why);
        history_trouble(daemon, &why);
    }
}

void
daemon_work_look(struct daemon *daemon)
{
    machine_read(daemon);
    judge(daemon);
    history_refresh(daemon);
    if (daemon->phase == DAEMON_RUNNING)
        uv_timer_start(&daemon->vitals, daemon->vitals.timer_cb,
                       daemon->enlist.count > 0 ? DAEMON_VITALS_MS : DAEMON_REST_MS, 0);
}

/* Somebody wants ranks: as of now. */
static void
machine_freshen(struct daemon *daemon)
{
    if (clock_boot_us() - daemon->read_us >= DAEMON_VITALS_MS * UINT64_C(1000))
        daemon_work_look(daemon);
}

void
daemon_work_settle(struct daemon *daemon)
{
    uint64_t *alive = memory_new(daemon->enlist.count, sizeof(*alive));
    struct text why = {0};
    size_t count = 0;

    for (const struct enlist_one *one = daemon->enlist.first; one != NULL; one = one->next)
        alive[count++] = one->job;
    if (daemon->history != NULL)
        history_close_lost(daemon->history, alive, count,
                           "its agent ended while cpmpd was away", &why);
    history_trouble(daemon, &why);
    free(alive);
    uv_timer_stop(&daemon->settle);
}

void
daemon_work_policy(struct daemon *daemon)
{
    content_set_quota(daemon->store, daemon->policy.store_bytes);
    judge(daemon);
    offers_changed(&daemon->offers, false);
}

/* --- the offer --- */

static void
weaknesses_list(const struct sandbox_probe *probe, char *out, size_t bytes)
{
    size_t used = 0;

    out[0] = '\0';
    for (int i = 0; i < SANDBOX_WEAKNESS_COUNT; i++) {
        if (!probe->lacks[i] || sandbox_weakness_info(i)->kind == SANDBOX_COVERED)
            continue;
        int length = snprintf(out + used, bytes - used, "%s%s", used > 0 ? "," : "",
                              sandbox_weakness_info(i)->name);
        if (length < 0 || (size_t)length >= bytes - used)
            return;
        used += (size_t)length;
    }
}

/* The names of weaknesses that the owner accepts, with commas; to be freed. */
static char *
accepted_list(const struct policy *policy)
{
    struct text list = {0};

    for (size_t i = 0; i < policy->accept_weakness.count; i++)
        text_print(&list, "%s%s", i > 0 ? "," : "", policy->accept_weakness.items[i]);
    return list.bytes != NULL ? list.bytes : memory_copy_text("");
}

/* A ceiling has to be held by the sandbox, then: ranks may share cores. */
static bool
ceiling_on_cores(const struct daemon *daemon)
{
    const struct policy *policy = &daemon->policy;

    return policy->cpu_percent < 100 ||
           (policy->cores != 0 && policy->cores < daemon->reading.cores);
}

/* Whether the sandbox lets foreign ranks in at all. */
static bool
sandbox_is_enough(const struct daemon *daemon, struct text *why)
{
    char *accepted = accepted_list(&daemon->policy);
    bool refuses = sandbox_probe_is_refusal(&daemon->probe, accepted, ceiling_on_cores(daemon),
                                            why);

    free(accepted);
    return !refuses;
}

static void
offer_machine(struct offer *offer)
{
    struct seller *seller = &offer->seller;
    struct utsname system;

    if (uname(&system) == 0) {
        snprintf(seller->arch, sizeof(seller->arch), "%.63s", system.machine);
        snprintf(seller->os, sizeof(seller->os), "%.63s", system.sysname);
        snprintf(seller->kernel, sizeof(seller->kernel), "%.63s", system.release);
    }
    snprintf(seller->version, sizeof(seller->version), "%s", PACKAGE_VERSION);
}

static void
offer_addresses(const struct daemon *daemon, struct offer *offer)
{
    for (size_t i = 0; i < daemon->address_count && i < OFFER_ADDRESSES_MAX; i++) {
        const struct address *address = &daemon->addresses[i];
        struct offer_address *out = &offer->addresses[offer->address_count++];
        out->ip_bytes = address->family == 4 ? 4 : 16;
        memcpy(out->ip, address->bytes, out->ip_bytes);
        out->port = address->port;
    }
    offer->data_port_first = daemon->options->data_port_first;
    offer->data_port_last = daemon->options->data_port_last;
}

void
daemon_work_state(void *arg, struct offer *offer)
{
    struct daemon *daemon = arg;
    const struct warden_verdict *verdict = &daemon->verdict;
    struct seller *seller = &offer->seller;
    struct text why = {0};
    bool enough = sandbox_is_enough(daemon, &why);

    offer_machine(offer);
    offer_addresses(daemon, offer);
    memcpy(seller->id, daemon->membership.id, SELLER_ID_BYTES);
    snprintf(seller->name, sizeof(seller->name), "%s", daemon->membership.name);
    seller->cores = daemon->reading.cores;
    seller->memory_bytes = daemon->reading.memory_bytes;
    seller->scratch_bytes = daemon->policy.scratch_bytes;
    weaknesses_list(&daemon->probe, seller->weaknesses, sizeof(seller->weaknesses));
    seller->ranks_max =
        enough && (verdict->takes_new || verdict->only_busy) ? verdict->ranks_max : 0;
    seller->ranks_free = enough && verdict->takes_new ? verdict->ranks_free : 0;
    seller->millicores_free = enough && verdict->takes_new ? verdict->millicores_free : 0;
    seller->memory_free_bytes = enough && verdict->takes_new ? verdict->memory_free_bytes : 0;
    snprintf(offer->why, sizeof(offer->why), "%.150s",
             enough ? verdict->new_why : text_string(&why));
    offer->incarnation = daemon->incarnation;
    text_release(&why);
}

/* --- admitting --- */

static bool
asker_is_allowed(const struct daemon *daemon, const struct enlist_asker *asker, struct text *why)
{
    char id[HEX_BYTES(IDENTITY_ID_BYTES)];
    struct sockaddr_storage storage;
    struct address address;
    struct policy_peer peer = {.name = asker->name, .id = id};

    hex_print(asker->peer, IDENTITY_ID_BYTES, id);
    if (links_addresses(daemon->links, asker->peer, &address, 1) == 1) {
        address_to_sockaddr(&address, &storage);
        peer.address = (const struct sockaddr *)&storage;
    }
    return policy_admits_peer(&daemon->policy, &peer, why);
}

/* How many ranks may be had at most: one for each free core, or more where that is asked for. */
static uint32_t
ranks_most(const struct warden_verdict *verdict, const struct warden_view *view,
           const struct enlist_one *one)
{
    bool shares = one->request->oversubscribe && verdict->only_busy;
    uint32_t all = verdict->ranks_max * OVERSUBSCRIBED_MAX;

    if (!verdict->takes_new && !shares)
        return 0;
    if (!one->request->oversubscribe)
        return verdict->ranks_free;
    return all > view->jobs_ranks ? all - view->jobs_ranks : 0;
}

/* Who has cores of its own gets its part of what is free. Who shares cores with others gets the
 * cores' time that there is, and leaves memory to the next one. */
static void
capacity_take(const struct warden_verdict *verdict, struct enlist_one *one)
{
    bool own = verdict->ranks_free >= one->ranks;
    uint32_t most = own ? verdict->millicores_free : verdict->millicores_max;
    uint64_t memory_bytes = verdict->memory_free_bytes / 2;

    if (own)
        memory_bytes = verdict->memory_free_bytes / verdict->ranks_free * one->ranks;
    if (own && one->ranks * UINT64_C(1000) < most && one->ranks < verdict->ranks_free)
        most = one->ranks * 1000u;
    if (one->millicores == 0 || one->millicores > most)
        one->millicores = most;
    if (one->memory_bytes == 0)
        one->memory_bytes = memory_bytes;
}

static bool
admit(void *arg, struct enlist_one *one, struct text *why, uint32_t *ranks_free_p)
{
    struct daemon *daemon = arg;
    struct warden_verdict verdict;
    struct warden warden;
    struct warden_view view;
    uint32_t most;

    *ranks_free_p = 0;
    if (!asker_is_allowed(daemon, &one->asker, why) || !sandbox_is_enough(daemon, why))
        return false;
    machine_freshen(daemon);
    warden = daemon->warden;
    view_fill(daemon, one, &view);
    warden_step(&warden, &daemon->policy, &view, &verdict);
    most = ranks_most(&verdict, &view, one);
    if (most < one->ranks) {
        *ranks_free_p = most;
        if (most == 0 && verdict.new_why[0] != '\0')
            text_add_string(why, verdict.new_why);
        else
            text_print(why, "%u of %u cores are free", verdict.ranks_free, verdict.ranks_max);
        return false;
    }
    if (one->memory_bytes > verdict.memory_free_bytes) {
        text_print(why, "%" PRIu64 " MiB of memory are free", verdict.memory_free_bytes >> 20);
        return false;
    }
    capacity_take(&verdict, one);
    return true;
}

/* --- spawning --- */

static void
content_name_of(const Cpmp__Content *content, struct content_name *name)
{
    memcpy(name->bytes, content->name.data, CONTENT_NAME_BYTES);
}

static Cpmp__Sandbox *
sandbox_make(const struct daemon *daemon, const struct enlist_one *one)
{
    Cpmp__Sandbox *sandbox = memory_new(1, sizeof(*sandbox));
    const struct policy *policy = &daemon->policy;

    cpmp__sandbox__init(sandbox);
    sandbox->memory_bytes = one->memory_bytes;
    sandbox->scratch_bytes = policy->scratch_bytes;
    sandbox->cpu_millicores = ceiling_on_cores(daemon) ? one->millicores : 0;
    sandbox->run_time_s = (uint32_t)(policy->run_time_us / 1000000u);
    sandbox->idle = policy->sched_idle;
    sandbox->accepted = accepted_list(policy);
    sandbox->directory = memory_copy_text(one->request->directory);
    sandbox->suspends = true;
    sandbox->n_binds = one->request->n_files;
    sandbox->binds = memory_new(one->request->n_files, sizeof(Cpmp__SandboxBind *));
    for (size_t i = 0; i < one->request->n_files; i++) {
        const Cpmp__JobFile *file = one->request->files[i];
        Cpmp__SandboxBind *bind = memory_new(1, sizeof(*bind));
        struct content_name name;
        struct text path = {0};

        cpmp__sandbox_bind__init(bind);
        content_name_of(file->content, &name);
        content_path(daemon->store, &name, &path);
        bind->host = path.bytes;
        bind->inside = sandbox_place(file->path);
        bind->executable = file->content->executable;
        sandbox->binds[i] = bind;
    }
    return sandbox;
}

static void
spawn(void *arg, struct enlist_one *one, Cpmp__Spawn *spawn_message)
{
    static char *users[] = {(char *)"cpmp", (char *)"nobody"};
    struct daemon *daemon = arg;

    spawn_message->port_first = daemon->options->data_port_first;
    spawn_message->port_last = daemon->options->data_port_last;
    spawn_message->users = users;
    spawn_message->n_users = sizeof(users) / sizeof(users[0]);
    spawn_message->sandbox = sandbox_make(daemon, one);
}

static void
spawn_done(void *arg, Cpmp__Spawn *spawn_message)
{
    (void)arg;
    cpmp__sandbox__free_unpacked(spawn_message->sandbox, NULL);
    spawn_message->sandbox = NULL;
}

/* --- answering --- */

static void
answer(void *arg, const struct enlist_asker *asker, Cpmp__Enlisted *enlisted,
       Cpmp__Refused *refused)
{
    struct daemon *daemon = arg;
    Cpmp__PeerMessage message = CPMP__PEER_MESSAGE__INIT;
    Cpmp__Local local = CPMP__LOCAL__INIT;
    char texts[PEER_ADDRESSES_MAX][ADDRESS_TEXT_MAX], *addresses[PEER_ADDRESSES_MAX];

    if (enlisted != NULL) {
        for (size_t i = 0; i < daemon->address_count; i++) {
            struct address address = daemon->addresses[i];
            address.port = (uint16_t)enlisted->port;
            address_print(&address, texts[i]);
            addresses[i] = texts[i];
        }
        enlisted->addresses = addresses;
        enlisted->n_addresses = daemon->address_count;
        enlisted->cores = daemon->reading.cores;
        message.body_case = CPMP__PEER_MESSAGE__BODY_ENLISTED;
        message.enlisted = enlisted;
        local.body_case = CPMP__LOCAL__BODY_ENLISTED;
        local.enlisted = enlisted;
    } else {
        message.body_case = CPMP__PEER_MESSAGE__BODY_REFUSED;
        message.refused = refused;
        local.body_case = CPMP__LOCAL__BODY_REFUSED;
        local.refused = refused;
    }
    if (asker->session != 0)
        sessions_answer(&daemon->sessions, asker->session, asker->number, &local);
    else
        daemon_net_send(daemon, asker->contact, &message);
}

/* The asker is known by its session, or by its link. */
static bool
progress(void *arg, const struct enlist_one *one, uint64_t had_bytes, uint64_t bytes)
{
    struct daemon *daemon = arg;
    Cpmp__PeerMessage message = CPMP__PEER_MESSAGE__INIT;
    Cpmp__Enlisting enlisting = CPMP__ENLISTING__INIT;
    Cpmp__Local local = CPMP__LOCAL__INIT;

    enlisting.nonce = one->nonce;
    enlisting.had_bytes = had_bytes;
    enlisting.bytes = bytes;
    if (one->asker.session != 0) {
        local.body_case = CPMP__LOCAL__BODY_ENLISTING;
        local.enlisting = &enlisting;
        return sessions_answer(&daemon->sessions, one->asker.session, 0, &local);
    }
    message.body_case = CPMP__PEER_MESSAGE__BODY_ENLISTING;
    message.enlisting = &enlisting;
    daemon_net_send(daemon, one->asker.contact, &message);
    return true;
}

/* --- history --- */

static void
history_row_fill(const struct enlist_one *one, struct history_row *row)
{
    row->job = one->job;
    snprintf(row->program, sizeof(row->program), "%s", one->program);
    snprintf(row->user, sizeof(row->user), "%s", one->user);
    snprintf(row->peer, sizeof(row->peer), "%s", one->asker.name);
    hex_print(one->asker.peer, IDENTITY_ID_BYTES, row->peer_id);
    row->ranks = one->ranks;
    row->millicores = one->millicores;
    row->started_us = one->started_s * 1000000u;
}

static void
began(void *arg, struct enlist_one *one)
{
    struct daemon *daemon = arg;
    struct history_row row = {0};
    struct text why = {0};

    history_row_fill(one, &row);
    if (one->adopted) {
        if (daemon->history != NULL)
            history_find_open(daemon->history, row.job, &one->history, &why);
        daemon_say("a job's agent that went on without cpmpd is taken up again (%u ranks)",
                   one->ranks);
    } else {
        if (daemon->history != NULL &&
            history_begin(daemon->history, &row, &why) == CPMP_OK)
            one->history = row.row;
        daemon_note(daemon, "%s: %u ranks for %s@%s", one->program, one->ranks, one->user,
                    one->asker.name);
    }
    history_trouble(daemon, &why);
    judge(daemon);
}

/* Forgotten since this daemon ends: the next one takes it up, with its row. */
static bool
agent_goes_on(const struct daemon *daemon, const struct enlist_one *one)
{
    return daemon->phase == DAEMON_LEAVING && one->pid > 0 && kill(one->pid, 0) == 0;
}

static void
ended(void *arg, struct enlist_one *one)
{
    struct daemon *daemon = arg;
    struct text why = {0};

    if (one->history != 0 && !agent_goes_on(daemon, one))
        history_end(daemon->history, one->history, clock_wall_us(), one->cpu_us,
                    one->max_rss_bytes, one->ending[0] != '\0' ? one->ending : "ended", &why);
    history_trouble(daemon, &why);
    if (one->began)
        group_sweep();  /* of its sandbox, when it was killed */
    if (daemon->phase == DAEMON_RUNNING)
        judge(daemon);
    else if (daemon->enlist.count == 0 && daemon->leaving.data != NULL &&
             !uv_is_closing((uv_handle_t *)&daemon->leaving))
        uv_timer_start(&daemon->leaving, daemon->leaving.timer_cb, 100, 0);
}

/* One that wasn't there when the owner's word was given, or had another daemon then. */
static void
greeted(void *arg, struct enlist_one *one)
{
    struct daemon *daemon = arg;

    if (daemon->phase == DAEMON_RUNNING)
        enlist_order_one(one, order_of(daemon->verdict.running), daemon->verdict.running_why);
    else
        enlist_order_one(one, CPMP__AGENT_ORDER__WHAT__LEAVE, "the machine is no longer shared");
}

static const struct enlist_hooks enlist_hooks = {
    .admit = admit,
    .inspect = daemon_libraries_inspect,
    .spawn = spawn,
    .spawn_done = spawn_done,
    .answer = answer,
    .progress = progress,
    .greeted = greeted,
    .began = began,
    .ended = ended,
};

/* --- what others answer to our askings --- */

static void
on_spawned(void *arg, const Cpmp__Spawned *spawned)
{
    struct daemon *daemon = arg;

    enlist_spawned(&daemon->enlist, spawned);
}

static void
on_fork_server_trouble(void *arg, const char *why, uint64_t again_ms)
{
    (void)arg;
    daemon_say("no agents can be started for %" PRIu64 " s: %s", again_ms / 1000, why);
}

static const struct spawner_hooks spawner_hooks = {.spawned = on_spawned,
                                                   .trouble = on_fork_server_trouble};

/* --- beginning and end --- */

static bool
has_room(void *arg, uint32_t contact)
{
    struct daemon *daemon = arg;
    const struct book_entry *entry = book_get(&daemon->book, contact);

    return entry != NULL && links_has_room(daemon->links, entry->id.bytes);
}

static int
store_begin(struct daemon *daemon, struct text *error)
{
    static const struct supplies_hooks supplies_hooks = {.send = daemon_net_send};
    static const struct uploads_hooks uploads_hooks = {.send = daemon_net_send,
                                                       .has_room = has_room};
    struct text path = {0}, why = {0};
    int status;

    if (daemon->policy.store_directory[0] != '\0')
        text_add_string(&path, daemon->policy.store_directory);
    else
        text_print(&path, "%s/store", daemon->directory);
    status = content_open(text_string(&path), daemon->policy.store_bytes, &daemon->store, &why);
    if (status != CPMP_OK)
        text_print(error, "the store of executables and files: %s", text_string(&why));
    if (status == CPMP_OK) {
        daemon->supplies = supplies_new(&daemon->loop, daemon->store, &daemon->book,
                                        daemon->overlay, &supplies_hooks, daemon);
        uploads_init(&daemon->uploads, daemon->store, &uploads_hooks, daemon);
    }
    text_release(&path);
    text_release(&why);
    return status == CPMP_OK ? 0 : -1;
}

static void
history_begin_all(struct daemon *daemon)
{
    struct text path = {0}, why = {0};

    text_print(&path, "%s/history.db", daemon->directory);
    if (history_open(text_string(&path), 0, &daemon->history, &why) != CPMP_OK)
        daemon->history = NULL;
    if (why.used > 0)
        daemon_say("history: %s", text_string(&why));
    text_release(&path);
    text_release(&why);
}

/* Known to daemons with this peer's key only. */
static void
secret_key_make(const struct daemon *daemon, unsigned char out[ENLIST_SECRET_BYTES])
{
    static const char label[] = "cpmp agents of this peer";
    unsigned char digest[EVP_MAX_MD_SIZE], raw[64];
    size_t raw_bytes = sizeof(raw);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned length = 0;

    if (context == NULL ||
        !EVP_PKEY_get_raw_private_key(daemon->membership.key, raw, &raw_bytes) ||
        !EVP_DigestInit_ex(context, EVP_sha256(), NULL) ||
        !EVP_DigestUpdate(context, label, sizeof(label)) ||
        !EVP_DigestUpdate(context, raw, raw_bytes) ||
        !EVP_DigestFinal_ex(context, digest, &length))
        memory_none();
    EVP_MD_CTX_free(context);
    memcpy(out, digest, ENLIST_SECRET_BYTES);
}

int
daemon_work_begin(struct daemon *daemon, struct text *error)
{
    unsigned char secret_key[ENLIST_SECRET_BYTES];
    struct text program = {0};
    int result;

    sandbox_probe(&daemon->probe);
    daemon->load = load_new("", NULL);
    if (daemon->load == NULL)
        memory_none();
    warden_init(&daemon->warden);
    history_begin_all(daemon);
    if (store_begin(daemon, error) != 0)
        return -1;
    secret_key_make(daemon, secret_key);
    enlist_init(&daemon->enlist, &daemon->loop, daemon->directory, &daemon->spawner,
                daemon->supplies, &daemon->sessions, secret_key, &enlist_hooks, daemon);
    result = installed_agent(&program, daemon->environment, error);
    if (result == 0)
        result = spawner_init(&daemon->spawner, &daemon->loop, text_string(&program),
                              &spawner_hooks, daemon, error);
    daemon->has_spawner = daemon->spawner.loop != NULL;
    text_release(&program);
    machine_read(daemon);
    judge(daemon);
    return result;
}

void
daemon_work_close(struct daemon *daemon)
{
    if (daemon->load == NULL)
        return;
    enlist_close(&daemon->enlist);
    if (daemon->has_spawner)
        spawner_close(&daemon->spawner);
    if (daemon->supplies != NULL)
        supplies_close(daemon->supplies);
    daemon->supplies = NULL;
}

void
daemon_work_release(struct daemon *daemon)
{
    history_close(daemon->history);
    uploads_release(&daemon->uploads);
    load_free(daemon->load);
    if (daemon->has_spawner)
        spawner_release(&daemon->spawner);
    if (daemon->store != NULL)
        content_close(daemon->store);
}
