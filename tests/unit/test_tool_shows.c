/* SPDX-License-Identifier: BSD-3-Clause */
/* What cpmp's subcommands make of the daemon's answers: tables for people, JSON for programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text/memory.h"
#include "tool/history.h"
#include "tool/info.h"
#include "tool/jobs.h"
#include "tool/lookup.h"
#include "tool/peers.h"
#include "tool/policy.h"
#include "tool/pool.h"
#include "tool/ring.h"

#define NOW 1795259000u /* 2026-11-21 11:03:20 UTC */

static uint8_t id_bytes[4][20];

static ProtobufCBinaryData
id(int which)
{
    memset(id_bytes[which], 0x11 * (which + 1), 20);
    return (ProtobufCBinaryData){20, id_bytes[which]};
}

#define ID_A "1111111111111111111111111111111111111111"
#define ID_B "2222222222222222222222222222222222222222"

static struct tool tool;

static int
tool_start(void **state)
{
    (void)state;
    setenv("TZ", "UTC", 1);
    tzset();
    memset(&tool, 0, sizeof(tool));
    tool.now_s = NOW;
    return 0;
}

static int
tool_end(void **state)
{
    (void)state;
    tool_release(&tool);
    return 0;
}

static void
out_is(const char *expected)
{
    assert_string_equal(expected, text_string(&tool.out));
    text_clear(&tool.out);
}

static void
out_has(const char *part)
{
    if (strstr(text_string(&tool.out), part) == NULL)
        fail_msg("no \"%s\" in:\n%s", part, text_string(&tool.out));
}

/* --- peers --- */

static Cpmp__PeerRow near_row, far_row, *peer_rows[] = {&far_row, &near_row};
static char *addresses[] = {"10.0.0.5:7711", "[fe80::1]:7711"};
static char *weaknesses[] = {"no-landlock"};

static Cpmp__PeersReply
peers_make(void)
{
    Cpmp__PeersReply peers = CPMP__PEERS_REPLY__INIT;

    cpmp__peer_row__init(&near_row);
    near_row = (Cpmp__PeerRow){.base = near_row.base, .id = id(0), .name = "zoe", .self = true,
        .arch = "x86_64", .os = "Linux", .kernel = "6.1", .version = "0.1.0", .cores = 4,
        .free_millicores = 2500, .memory_bytes = 8ull << 30, .free_memory_bytes = 6ull << 30,
        .scratch_bytes = 1ull << 30, .sharing = true, .reason = ""};
    cpmp__peer_row__init(&far_row);
    far_row = (Cpmp__PeerRow){.base = far_row.base, .id = id(1), .name = "b\x1b[2Job",
        .arch = "aarch64", .os = "Linux", .kernel = "6.9", .version = "0.1.0", .cores = 16,
        .free_millicores = 16000, .memory_bytes = 64ull << 30, .free_memory_bytes = 32ull << 30,
        .reason = "others use the machine", .rtt_us = 350, .addresses = addresses,
        .n_addresses = 2, .weaknesses = weaknesses, .n_weaknesses = 1};
    peers.rows = peer_rows;
    peers.n_rows = 2;
    return peers;
}

static void
peers_show(Cpmp__PeersReply *peers)
{
    Cpmp__Local reply = CPMP__LOCAL__INIT;

    reply.body_case = CPMP__LOCAL__BODY_PEERS_REPLY;
    reply.peers_reply = peers;
    assert_int_equal(TOOL_OK, tool_peers_show(&tool, &reply));
}

static void
peers_are_a_table_with_this_one_first(void **state)
{
    Cpmp__PeersReply peers = peers_make();

    (void)state;
    peers_show(&peers);
    out_is("NAME        STATE          CORES  FREE    MEMORY      FREE  ARCH     DISTANCE  WHY\n"
           "zoe         shares             4   2.5   8.0 GiB   6.0 GiB  x86_64       here\n"
           "b\\x1b[2Job  doesn't share     16    16  64.0 GiB  32.0 GiB  aarch64   0.35 ms  "
           "others use the machine\n"
           "\n2 peers, 1 of them share; free there: 2.5 of all 20 cores, 6.0 GiB of all 72.0 GiB "
           "memory\n");
    peers.unanswered = 2;
    tool.options.detailed = true;
    peers_show(&peers);
    out_has(ID_A "  Linux 6.1");
    out_has(" 10.0.0.5:7711, [fe80::1]:7711  no-landlock ");
    out_has("2 parts of the ring didn't answer");
}

static void
one_peer_alone_is_told_how_to_invite(void **state)
{
    Cpmp__PeersReply peers = peers_make();

    (void)state;
    peers.rows++;
    peers.n_rows = 1;
    peers_show(&peers);
    out_has("\nno other peer is in the pool; invite one: cpmp pool invite\n");
    peers.n_rows = 0;
    peers_show(&peers);
    out_has("invite one");
}

static void
peers_as_json(void **state)
{
    Cpmp__PeersReply peers = peers_make();

    (void)state;
    tool.options.json = true;
    peers_show(&peers);
    out_is("{\"peers\":[{\"id\":\"" ID_A "\",\"name\":\"zoe\",\"self\":true,\"sharing\":true,"
           "\"reason\":null,\"cores\":4,\"free_cores\":2.500,\"memory_bytes\":8589934592,"
           "\"free_memory_bytes\":6442450944,\"scratch_bytes\":1073741824,\"arch\":\"x86_64\","
           "\"os\":\"Linux\",\"kernel\":\"6.1\",\"version\":\"0.1.0\",\"distance_us\":null,"
           "\"addresses\":[],\"weaknesses\":[]},"
           "{\"id\":\"" ID_B "\",\"name\":\"b\\u001b[2Job\",\"self\":false,\"sharing\":false,"
           "\"reason\":\"others use the machine\",\"cores\":16,\"free_cores\":16.000,"
           "\"memory_bytes\":68719476736,\"free_memory_bytes\":34359738368,\"scratch_bytes\":0,"
           "\"arch\":\"aarch64\",\"os\":\"Linux\",\"kernel\":\"6.9\",\"version\":\"0.1.0\","
           "\"distance_us\":350,\"addresses\":[\"10.0.0.5:7711\",\"[fe80::1]:7711\"],"
           "\"weaknesses\":[\"no-landlock\"]}],\"unanswered\":0}\n");
}

/* --- jobs --- */

static uint32_t ranks_zoe[] = {3, 0, 1, 2, 8}, ranks_bob[] = {5};
static Cpmp__JobPeer at_zoe, at_bob, *job_peers[] = {&at_zoe, &at_bob};
static Cpmp__JobRow old_job, new_job, *job_rows[] = {&old_job, &new_job};

static Cpmp__JobsReply
jobs_make(void)
{
    Cpmp__JobsReply jobs = CPMP__JOBS_REPLY__INIT;

    cpmp__job_peer__init(&at_zoe);
    at_zoe = (Cpmp__JobPeer){.base = at_zoe.base, .id = id(0), .name = "zoe", .state = "running",
        .n_ranks = 5, .ranks = ranks_zoe, .millicores = 5000};
    cpmp__job_peer__init(&at_bob);
    at_bob = (Cpmp__JobPeer){.base = at_bob.base, .id = id(1), .name = "bob",
        .state = "suspended", .n_ranks = 1, .ranks = ranks_bob, .millicores = 500};
    cpmp__job_row__init(&old_job);
    old_job = (Cpmp__JobRow){.base = old_job.base, .job = 0xab12, .program = "old", .user = "eve",
        .launcher = "bob", .ranks = 1, .started = NOW - 7200, .state = "running",
        .renewed = NOW};
    cpmp__job_row__init(&new_job);
    new_job = (Cpmp__JobRow){.base = new_job.base, .job = 0xab1200000000cdef, .program = "tsp_ga",
        .user = "ann", .launcher = "zoe", .ranks = 6, .started = NOW - 180, .state = "running",
        .renewed = NOW - 2, .n_peers = 2, .peers = job_peers};
    jobs.rows = job_rows;
    jobs.n_rows = 2;
    return jobs;
}

static int
jobs_show(tool_show *show, Cpmp__JobsReply *jobs)
{
    Cpmp__Local reply = CPMP__LOCAL__INIT;

    reply.body_case = CPMP__LOCAL__BODY_JOBS_REPLY;
    reply.jobs_reply = jobs;
    return show(&tool, &reply);
}

static void
jobs_are_a_table_with_the_latest_first(void **state)
{
    Cpmp__JobsReply jobs = jobs_make();

    (void)state;
    assert_int_equal(TOOL_OK, jobs_show(tool_jobs_show, &jobs));
    out_is("JOB               PROGRAM  USER  FROM  RANKS  STATE      STARTED\n"
           "ab1200000000cdef  tsp_ga   ann   zoe       6  running  3 min ago\n"
           "000000000000ab12  old      eve   bob       1  running    2 h ago\n");
    jobs.n_rows = 0;
    assert_int_equal(TOOL_OK, jobs_show(tool_jobs_show, &jobs));
    out_is("no job runs in the pool; start one: cpexec -np 4 PROGRAM\n");
    tool.options.json = true;
    assert_int_equal(TOOL_OK, jobs_show(tool_jobs_show, &jobs));
    out_is("{\"jobs\":[]}\n");
    jobs.n_rows = 1;
    assert_int_equal(TOOL_OK, jobs_show(tool_jobs_show, &jobs));
    out_is("{\"jobs\":[{\"job\":\"000000000000ab12\",\"program\":\"old\",\"user\":\"eve\","
           "\"launcher\":\"bob\",\"ranks\":1,\"state\":\"running\",\"started\":1795251800,"
           "\"renewed\":1795259000}]}\n");
}

static void
a_job_is_found_by_a_beginning_that_no_other_has(void **state)
{
    Cpmp__JobsReply jobs = jobs_make();
    char *words[] = {"AB12"};

    (void)state;
    tool.operands = words;
    tool.operand_count = 1;
    assert_int_equal(TOOL_OK, jobs_show(tool_job_show, &jobs));
    out_is("job      ab1200000000cdef\nprogram  tsp_ga\nranks    6\nuser     ann\nfrom     zoe\n"
           "state    running\nstarted  3 min ago, 2026-11-21 11:00\nheard of 2 s ago\n\n"
           "PEER  STATE      CORES  RANKS  ID            WHICH\n"
           "zoe   running        5      5  111111111111  0-3,8\n"
           "bob   suspended    0.5      1  222222222222  5\n");
    old_job.job = 0xab12u << 16 | (uint64_t)0xab12 << 48;
    assert_int_equal(TOOL_FAILED, jobs_show(tool_job_show, &jobs));
    assert_non_null(strstr(text_string(&tool.error), "2 jobs begin with ab12"));
    text_clear(&tool.error);
    words[0] = "0";
    assert_int_equal(TOOL_FAILED, jobs_show(tool_job_show, &jobs));
    assert_non_null(strstr(text_string(&tool.error), "no job 0 runs"));
    words[0] = "x";
    assert_int_equal(TOOL_USAGE, tool_job_run(&tool));
    words[0] = "00000000000000000";
    assert_int_equal(TOOL_USAGE, tool_job_run(&tool));
    words[0] = "ab1200000000cdef";
    tool.options.json = true;
    assert_int_equal(TOOL_OK, jobs_show(tool_job_show, &jobs));
    out_is("{\"job\":\"ab1200000000cdef\",\"program\":\"tsp_ga\",\"user\":\"ann\","
           "\"launcher\":\"zoe\",\"ranks\":6,\"state\":\"running\",\"started\":1795258820,"
           "\"renewed\":1795258998,\"peers\":[{\"id\":\"" ID_A "\",\"name\":\"zoe\","
           "\"state\":\"running\",\"cores\":5.000,\"ranks\":[3,0,1,2,8]},"
           "{\"id\":\"" ID_B "\",\"name\":\"bob\",\"state\":\"suspended\",\"cores\":0.500,"
           "\"ranks\":[5]}]}\n");
}

/* --- the ring --- */

static void
the_ring_shows_places_links_and_counters(void **state)
{
    Cpmp__RingPeer self = CPMP__RING_PEER__INIT, next = CPMP__RING_PEER__INIT;
    Cpmp__RingPeer *nexts[] = {&next};
    Cpmp__Counter counter = CPMP__COUNTER__INIT, *counters[] = {&counter};
    Cpmp__RingReply ring = CPMP__RING_REPLY__INIT;
    Cpmp__Local reply = CPMP__LOCAL__INIT;

    (void)state;
    self.id = id(0);
    self.name = "zoe";
    next.id = id(1);
    next.name = "bob";
    next.state = "alive";
    next.rtt_us = 1500;
    next.finger = 159;
    next.addresses = addresses;
    next.n_addresses = 1;
    counter.name = "strangers";
    counter.value = 7;
    ring = (Cpmp__RingReply){.base = ring.base, .self = &self, .joined = true,
        .predecessor = &next, .n_successors = 1, .successors = nexts, .n_fingers = 1,
        .fingers = nexts, .n_links = 1, .links = nexts, .n_counters = 1, .counters = counters,
        .health = "all well"};
    reply.ring_reply = &ring;
    assert_int_equal(TOOL_OK, tool_ring_show(&tool, &reply));
    out_has("all well\n\nPLACE         NAME  STATE  DISTANCE  ID ");
    out_has("\nthis peer     zoe   -             -  " ID_A "\n"
            "predecessor   bob   alive    1.5 ms  " ID_B "  10.0.0.5:7711\n"
            "successor 1   bob ");
    out_has("\nfinger 2^159  bob ");
    out_has("\nlink          bob ");
    out_has("\nCOUNTER    VALUE\nstrangers      7\n");
    text_clear(&tool.out);
    tool.options.json = true;
    assert_int_equal(TOOL_OK, tool_ring_show(&tool, &reply));
#define BOB "{\"id\":\"" ID_B "\",\"name\":\"bob\",\"state\":\"alive\","                           \
            "\"distance_us\":1500,\"addresses\":[\"10.0.0.5:7711\"]}"
    out_is("{\"joined\":true,\"health\":\"all well\",\"self\":{\"id\":\"" ID_A "\","
           "\"name\":\"zoe\",\"state\":null,\"distance_us\":null,\"addresses\":[]},"
           "\"predecessor\":" BOB ",\"successors\":[" BOB "],"
           "\"fingers\":[{\"exponent\":159,\"peer\":" BOB "}],\"links\":[" BOB "],"
           "\"counters\":[{\"name\":\"strangers\",\"value\":7}]}\n");
    ring = (Cpmp__RingReply){.base = ring.base, .self = &self, .health = ""};
    assert_int_equal(TOOL_OK, tool_ring_show(&tool, &reply));
    out_has("\"predecessor\":null,\"successors\":[]");
    tool.options.json = false;
    assert_int_equal(TOOL_OK, tool_ring_show(&tool, &reply));
    out_has("not in the ring yet\n");
    out_has("alone in its ring");
}

static struct tool_lookup
lookup_make(int owner, uint32_t hops, const char *failure)
{
    struct tool_lookup lookup = {.hops = hops, .took_us = hops * 1000, .answered = failure == NULL};

    memcpy(lookup.key, id(3).data, TOOL_KEY_BYTES);
    if (failure == NULL) {
        memcpy(lookup.owner, id(owner).data, TOOL_KEY_BYTES);
        lookup.name = memory_copy_text(owner == 0 ? "zoe" : "bob");
    } else {
        lookup.failure = memory_copy_text(failure);
    }
    return lookup;
}

static void
lookups_are_summed_up_by_who_answered(void **state)
{
    struct tool_lookup *lookups = memory_new(4, sizeof(*lookups));

    (void)state;
    lookups[0] = lookup_make(1, 2, NULL);
    lookups[1] = lookup_make(0, 3, NULL);
    lookups[2] = lookup_make(0, 0, "timed out");
    lookups[3] = lookup_make(1, 1, NULL);
    tool.options.count = 4;
    assert_int_equal(TOOL_FAILED, tool_lookup_show(&tool, lookups, 4));
    out_is("4 lookups, 3 answered, 1 failed\n"
           "hops: 2.00 in the mean, 3 at most; took 2.0 ms in the mean, 3.0 ms at most\n\n"
           "ANSWERS  PEER             ID\n"
           "      1  zoe              " ID_A "\n"
           "      2  bob              " ID_B "\n"
           "      1  none: timed out\n");
    assert_string_equal("1 of 4 lookups failed", text_string(&tool.error));
    tool.options.json = true;
    assert_int_equal(TOOL_FAILED, tool_lookup_show(&tool, lookups, 4));
    out_has("{\"lookups\":4,\"answered\":3,\"failed\":1,\"hops_mean\":2.000,\"hops_max\":3,"
            "\"took_us_mean\":2000.0,\"took_us_max\":3000,\"answers\":[{\"key\":\"44");
    out_has(",\"answered\":true,\"owner\":\"" ID_B "\",\"owner_name\":\"bob\",\"hops\":2,"
            "\"took_us\":2000},");
    out_has("\"answered\":false,\"failure\":\"timed out\"}");
    tool_lookup_release(lookups, 4);
}

static void
one_lookup_is_told_whole(void **state)
{
    struct tool_lookup *lookups = memory_new(1, sizeof(*lookups));

    (void)state;
    lookups[0] = lookup_make(1, 2, NULL);
    assert_int_equal(TOOL_OK, tool_lookup_show(&tool, lookups, 1));
    out_is("key    4444444444444444444444444444444444444444\npeer   bob\nid     " ID_B "\n"
           "hops   2\ntook   2.0 ms\n");
    tool_lookup_release(lookups, 1);
    lookups = memory_new(1, sizeof(*lookups));
    lookups[0] = lookup_make(1, 2, "nobody\x1b answers");
    assert_int_equal(TOOL_FAILED, tool_lookup_show(&tool, lookups, 1));
    out_is("");
    assert_string_equal("nobody\\x1b answers", text_string(&tool.error));
    tool_lookup_release(lookups, 1);
}

/* FIPS 180-2, appendix B.1. */
static void
the_key_of_a_text_is_the_beginning_of_its_sha_256(void **state)
{
    uint8_t key[TOOL_KEY_BYTES];

    (void)state;
    tool_lookup_key(key, "abc");
    assert_int_equal(0xba, key[0]);
    assert_int_equal(0x78, key[1]);
    assert_int_equal(0xa3, key[19]);
}

/* --- policy --- */

static void
changed_keys_of_the_policy_are_marked(void **state)
{
    Cpmp__PolicyRow cpu = CPMP__POLICY_ROW__INIT, share = CPMP__POLICY_ROW__INIT;
    Cpmp__PolicyRow *rows[] = {&share, &cpu};
    Cpmp__PolicyReply policy = CPMP__POLICY_REPLY__INIT;
    Cpmp__Local reply = CPMP__LOCAL__INIT;
    char *words[] = {"cpu=50%"};

    (void)state;
    share = (Cpmp__PolicyRow){.base = share.base, .key = "share", .value = "yes",
        .initial = "yes", .help = "Let others run jobs here."};
    cpu = (Cpmp__PolicyRow){.base = cpu.base, .key = "cpu", .value = "50%", .initial = "100%",
        .help = "So much of all cores.", .changed = true};
    policy.rows = rows;
    policy.n_rows = 2;
    reply.policy_reply = &policy;
    assert_int_equal(TOOL_OK, tool_policy_show(&tool, &reply));
    out_is("   KEY    VALUE  DEFAULT  MEANING\n"
           "   share  yes    yes      Let others run jobs here.\n"
           "*  cpu    50%    100%     So much of all cores.\n\n* is not the default\n");
    tool.operands = words;
    tool.operand_count = 1;
    tool.options.json = true;
    assert_int_equal(TOOL_OK, tool_policy_show(&tool, &reply));
    out_is("{\"policy\":[{\"key\":\"cpu\",\"value\":\"50%\",\"default\":\"100%\","
           "\"changed\":true,\"meaning\":\"So much of all cores.\"}]}\n");
    words[0] = "shar";
    assert_int_equal(TOOL_USAGE, tool_policy_show(&tool, &reply));
    assert_string_equal("there is no key shar; did you mean share? cpmp policy lists them",
                        text_string(&tool.error));
}

/* --- history --- */

static void
history_tells_what_ran_for_whom_how_long(void **state)
{
    Cpmp__HistoryRow done = CPMP__HISTORY_ROW__INIT, runs = CPMP__HISTORY_ROW__INIT;
    Cpmp__HistoryRow *rows[] = {&done, &runs};
    Cpmp__HistoryReply history = CPMP__HISTORY_REPLY__INIT;
    Cpmp__Local reply = CPMP__LOCAL__INIT;

    (void)state;
    done = (Cpmp__HistoryRow){.base = done.base, .job = 1, .program = "tsp_ga", .user = "ann",
        .peer = "bob", .ranks = 4, .millicores = 4000, .started = NOW - 7200, .ended = NOW - 3600,
        .cpu_us = 90500000, .max_rss_bytes = 3ull << 20, .ending = "exited", .earned = -3};
    runs = (Cpmp__HistoryRow){.base = runs.base, .job = 2, .program = "x", .user = "ann",
        .peer = "bob", .ranks = 1, .started = NOW - 60, .ending = ""};
    history.rows = rows;
    history.n_rows = 2;
    reply.history_reply = &history;
    assert_int_equal(TOOL_OK, tool_history_show(&tool, &reply));
    out_is("STARTED            TIME  JOB               PROGRAM  USER  FROM  RANKS  CORE TIME   "
           "MEMORY  ENDED\n"
           "2026-11-21 11:02  1 min  0000000000000002  x        ann   bob       1    0.00 ms   "
           "   0 B  runs\n"
           "2026-11-21 09:03    1 h  0000000000000001  tsp_ga   ann   bob       4      1 min  "
           "3.0 MiB  exited\n");
    tool.options.json = true;
    history.n_rows = 1;
    assert_int_equal(TOOL_OK, tool_history_show(&tool, &reply));
    out_is("{\"history\":[{\"job\":\"0000000000000001\",\"program\":\"tsp_ga\",\"user\":\"ann\","
           "\"peer\":\"bob\",\"ranks\":4,\"cores\":4.000,\"started\":1795251800,"
           "\"ended\":1795255400,\"cpu_s\":90.500000,\"max_rss_bytes\":3145728,"
           "\"ending\":\"exited\",\"earned\":-3}]}\n");
    tool.options.json = false;
    history.n_rows = 0;
    assert_int_equal(TOOL_OK, tool_history_show(&tool, &reply));
    out_has("nothing has run here");
    tool.options.since_s = 1;
    assert_int_equal(TOOL_OK, tool_history_show(&tool, &reply));
    out_has("since then");
}

/* --- info --- */

static void
info_is_grouped(void **state)
{
    Cpmp__InfoItem items[3], *rows[] = {&items[0], &items[1], &items[2]};
    Cpmp__InfoReply info = CPMP__INFO_REPLY__INIT;
    Cpmp__Local reply = CPMP__LOCAL__INIT;

    (void)state;
    for (int i = 0; i < 3; i++)
        cpmp__info_item__init(&items[i]);
    items[0] = (Cpmp__InfoItem){.base = items[0].base, .group = "machine", .name = "cores",
        .value = "4", .note = ""};
    items[1] = (Cpmp__InfoItem){.base = items[0].base, .group = "sandbox", .name = "landlock",
        .value = "missing", .note = "accept it: cpmp policy set accept-weakness=no-landlock"};
    items[2] = (Cpmp__InfoItem){.base = items[0].base, .group = "machine", .name = "arch",
        .value = "x86_64", .note = "note"};
    info.items = rows;
    info.n_items = 3;
    reply.info_reply = &info;
    assert_int_equal(TOOL_OK, tool_info_show(&tool, &reply));
    out_is("machine\n"
           "  cores  4\n"
           "  arch   x86_64 (note)\n"
           "\nsandbox\n"
           "  landlock  missing (accept it: cpmp policy set accept-weakness=no-landlock)\n");
    tool.options.json = true;
    info.n_items = 1;
    assert_int_equal(TOOL_OK, tool_info_show(&tool, &reply));
    out_is("{\"items\":[{\"group\":\"machine\",\"name\":\"cores\",\"value\":\"4\","
           "\"note\":null}]}\n");
}

static void
the_machine_tells_of_itself_without_a_daemon(void **state)
{
    Cpmp__InfoReply *info = tool_info_machine("because");
    bool memory = false;

    (void)state;
    for (size_t i = 0; i < info->n_items; i++) {
        assert_true(*info->items[i]->value != '\0');
        memory = memory || strcmp(info->items[i]->name, "memory") == 0;
    }
    assert_true(memory);
    assert_string_equal("because", info->items[1]->note);
    cpmp__info_reply__free_unpacked(info, NULL);
}

/* --- the pool --- */

static void
a_token_stands_alone_on_a_line(void **state)
{
    Cpmp__InviteReply invited = CPMP__INVITE_REPLY__INIT;
    Cpmp__Local reply = CPMP__LOCAL__INIT;

    (void)state;
    invited.token = "cpmp1-abc";
    invited.expires = NOW + 3600;
    reply.invited = &invited;
    assert_int_equal(TOOL_OK, tool_pool_invited(&tool, &reply));
    out_is("cpmp1-abc\n");
    assert_string_equal("This lets one machine in, once: keep it from others. It is valid until "
                        "2026-11-21 12:03.\nOn that machine: cpmpd --join TOKEN\n",
                        text_string(&tool.notes));
    invited.open = true;
    invited.expires = 0;
    text_clear(&tool.notes);
    assert_int_equal(TOOL_OK, tool_pool_invited(&tool, &reply));
    assert_non_null(strstr(text_string(&tool.notes), "any number of machines.\nOn that"));
    text_clear(&tool.out);
    tool.options.json = true;
    assert_int_equal(TOOL_OK, tool_pool_invited(&tool, &reply));
    out_is("{\"token\":\"cpmp1-abc\",\"expires\":null,\"open\":true}\n");
}

static void
who_was_revoked_is_named(void **state)
{
    Cpmp__RevokeReply revoked = CPMP__REVOKE_REPLY__INIT;
    Cpmp__Local reply = CPMP__LOCAL__INIT;

    (void)state;
    revoked.name = "bob\n";
    revoked.id = id(1);
    revoked.serial = 3;
    reply.revoked = &revoked;
    assert_int_equal(TOOL_OK, tool_pool_revoked(&tool, &reply));
    out_is("bob\\x0a (" ID_B ") is shut out; every peer knows within a minute\n");
    tool.options.json = true;
    assert_int_equal(TOOL_OK, tool_pool_revoked(&tool, &reply));
    out_is("{\"id\":\"" ID_B "\",\"name\":\"bob\\n\",\"serial\":3}\n");
}

static void
the_pool_is_told_by_name_and_fingerprint(void **state)
{
    Cpmp__LocalWelcome welcome = CPMP__LOCAL_WELCOME__INIT;

    (void)state;
    welcome.pool = "lab";
    welcome.name = "zoe";
    welcome.id = id(0);
    welcome.pool_fingerprint = id(1);
    welcome.pid = 12;
    assert_int_equal(TOOL_OK, tool_pool_show(&tool, &welcome));
    out_is("pool         lab\nfingerprint  " ID_B "\nthis peer    zoe\nits id       " ID_A "\n"
           "its cpmpd    process 12\n");
    tool.options.json = true;
    assert_int_equal(TOOL_OK, tool_pool_show(&tool, &welcome));
    out_is("{\"pool\":\"lab\",\"fingerprint\":\"" ID_B "\",\"peer\":\"zoe\",\"id\":\"" ID_A "\","
           "\"pid\":12}\n");
}

#define SHOWS(test) cmocka_unit_test_setup_teardown(test, tool_start, tool_end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SHOWS(peers_are_a_table_with_this_one_first),
        SHOWS(one_peer_alone_is_told_how_to_invite),
        SHOWS(peers_as_json),
        SHOWS(jobs_are_a_table_with_the_latest_first),
        SHOWS(a_job_is_found_by_a_beginning_that_no_other_has),
        SHOWS(the_ring_shows_places_links_and_counters),
        SHOWS(lookups_are_summed_up_by_who_answered),
        SHOWS(one_lookup_is_told_whole),
        SHOWS(the_key_of_a_text_is_the_beginning_of_its_sha_256),
        SHOWS(changed_keys_of_the_policy_are_marked),
        SHOWS(history_tells_what_ran_for_whom_how_long),
        SHOWS(info_is_grouped),
        SHOWS(the_machine_tells_of_itself_without_a_daemon),
        SHOWS(a_token_stands_alone_on_a_line),
        SHOWS(who_was_revoked_is_named),
        SHOWS(the_pool_is_told_by_name_and_fingerprint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
