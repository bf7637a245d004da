/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of subcommands and that of their options. */
#include <string.h>

#include "text/units.h"
#include "tool/history.h"
#include "tool/info.h"
#include "tool/jobs.h"
#include "tool/lookup.h"
#include "tool/peers.h"
#include "tool/policy.h"
#include "tool/pool.h"
#include "tool/ring.h"
#include "tool/tool.h"
#include "tool/top.h"

/* --- what options set --- */

static struct tool_options *
options_of(struct options_parse *parse)
{
    return &((struct tool *)parse->target)->options;
}

#define SET_FLAG(member)                                                                           \
    static int set_##member(struct options_parse *parse, const char *value)                        \
    {                                                                                              \
        (void)value;                                                                               \
        options_of(parse)->member = true;                                                          \
        return 0;                                                                                  \
    }
SET_FLAG(json)
SET_FLAG(help)
SET_FLAG(version)
SET_FLAG(detailed)
SET_FLAG(sure)

static int
set_state(struct options_parse *parse, const char *value)
{
    if (*value == '\0')
        return options_refuse(parse, value, "the directory has no name");
    options_of(parse)->state = value;
    return 0;
}

static int
set_key(struct options_parse *parse, const char *value)
{
    if (strlen(value) != 40 || value[strspn(value, "0123456789abcdefABCDEF")] != '\0')
        return options_refuse(parse, value, "a key has 40 hexadecimal digits; for the key of a "
                                            "text there is --text");
    options_of(parse)->key = value;
    return 0;
}

static int
set_text(struct options_parse *parse, const char *value)
{
    options_of(parse)->text = value;
    return 0;
}

static int
set_count(struct options_parse *parse, const char *value)
{
    if (options_number(value, TOOL_LOOKUPS_MAX, &options_of(parse)->count) == 0 &&
        options_of(parse)->count > 0)
        return 0;
    return options_refuse(parse, value, "give a number of lookups from 1 to 100000");
}

static int
set_limit(struct options_parse *parse, const char *value)
{
    if (options_number(value, UINT32_MAX, &options_of(parse)->limit) == 0)
        return 0;
    return options_refuse(parse, value, "give a number of lines; 0: all");
}

static int
set_since(struct options_parse *parse, const char *value)
{
    uint64_t now_s = ((struct tool *)parse->target)->now_s;

    if (units_parse_since(value, now_s, &options_of(parse)->since_s) == 0)
        return 0;
    return options_refuse(parse, value, "give a date, as in 2026-11-21 or \"2026-11-21 08:00\", or "
                                        "how long ago, as in 12h or 3d");
}

static int
set_lifetime(struct options_parse *parse, const char *value)
{
    uint64_t seconds;

    if (units_parse_duration(value, &seconds) != 0 || seconds == 0)
        return options_refuse(parse, value, "give a time, as in 10min, 1h or 2d");
    options_of(parse)->lifetime_s = seconds;
    return 0;
}

/* --- the options --- */

static const struct options_row common_rows[] = {
    {"state", "DIR", NULL, NULL, set_state, "ask the cpmpd of this state directory"},
    {"json", NULL, NULL, NULL, set_json, "write JSON, for programs"},
    {"version V", NULL, NULL, NULL, set_version, "print the version"},
    {"help h", NULL, NULL, NULL, set_help, "print this page"},
};
static const struct options_row peers_rows[] = {
    {"long l", NULL, NULL, NULL, set_detailed, "ids, addresses, systems, weaknesses, too"},
};
static const struct options_row ring_rows[] = {
    {"lookup", "KEY", NULL, NULL, set_key, "find the peer that is responsible for KEY"},
    {"text", "STRING", NULL, NULL, set_text, "find it for the key of a text"},
    {"count", "N", NULL, NULL, set_count, "look N random keys up, and say what came"},
    {"sure", NULL, NULL, NULL, set_sure, "look up by several ways that share no peer"},
};
static const struct options_row history_rows[] = {
    {"limit", "N", "20", NULL, set_limit, "the latest N jobs (default: 20; 0: all)"},
    {"since", "DATE|DURATION", NULL, NULL, set_since, "those that ended since then"},
};
static const struct options_row invite_rows[] = {
    {"lifetime", "TIME", NULL, NULL, set_lifetime, "how long it is valid (default: 1d)"},
};

#define ROWS(array) {array, sizeof(array) / sizeof(array[0])}

const struct options_table tool_common_options = ROWS(common_rows);

/* --- the commands --- */

static const struct tool_command commands[] = {
    {"peers", "", 0, 0, tool_peers_run, "peers of the pool: what they have, what is free", NULL,
     ROWS(peers_rows)},
    {"jobs", "", 0, 0, tool_jobs_run, "jobs that run in the pool", NULL, {0}},
    {"job", "ID", 1, 1, tool_job_run, "one job: where its ranks run",
     "ID is the job's, or a beginning of it that no other job has.", {0}},
    {"top", "", 0, 0, tool_top_run, "peers and jobs, live",
     "Keys: q quits; arrows scroll; n f m d sort peers by name, free cores, free\n"
     "memory, distance. With --json it looks once.",
     {0}},
    {"ring", "", 0, 0, tool_ring_run, "this peer's place in the ring, its links and counters", NULL,
     ROWS(ring_rows)},
    {"policy", "[KEY]...", 0, SIZE_MAX, tool_policy_run, "what others may have of this machine",
     NULL, {0}},
    {"policy set", "KEY=VALUE...", 1, SIZE_MAX, tool_policy_set_run, "change that, from now on",
     "All of them are changed, or none. cpmp-policy(5) tells the keys.", {0}},
    {"history", "", 0, 0, tool_history_run, "what ran here, for whom, how long", NULL,
     ROWS(history_rows)},
    {"info", "", 0, 0, tool_info_run, "this machine, its peer, its pool, its sandbox", NULL, {0}},
    {"pool", "", 0, 0, tool_pool_run, "the pool this machine is in", NULL, {0}},
    {"pool invite", "", 0, 0, tool_pool_invite_run, "print a token that lets one machine in",
     "On that machine: cpmpd --join TOKEN", ROWS(invite_rows)},
    {"pool revoke", "PEER", 1, 1, tool_pool_revoke_run, "shut a peer out, for good",
     "PEER is its name, or the beginning of its id.", {0}},
    {"help", "[COMMAND]", 0, 2, tool_help_run, "tell more of a command", NULL, {0}},
};

const struct tool_command *
tool_command_at(size_t index)
{
    return index < sizeof(commands) / sizeof(commands[0]) ? &commands[index] : NULL;
}
