/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/policy.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>
#include <ini.h>

#include "peer/policy_value.h"
#include "text/memory.h"
#include "text/nearest.h"

#define AT(member)  offsetof(struct policy, member)
#define MINUTES(n)  ((n) * UINT64_C(60000000))
#define SECONDS(n)  ((n) * UINT64_C(1000000))
#define DAYS(n)     ((n) * UINT64_C(86400000000))
#define GIB         (UINT64_C(1) << 30)
#define COLUMNS     100u

/* The table. Whoever adds a row adds it to doc/man/cpmp-policy.5.scd too; a test compares. */
static const struct policy_key keys[] = {
    {"share", POLICY_YES_NO, AT(share), "yes", 0, 0, NULL,
     "Others may run ranks here. With no, those that run are taken away at once."},
    {"cpu", POLICY_PERCENT, AT(cpu_percent), "100%", 1, 100, NULL,
     "The part of this machine's processor time, all cores together, that jobs may have."},
    {"cores", POLICY_COUNT, AT(cores), "all", 1, 65536, "all",
     "The number of cores that jobs may have."},
    {"cpu-others", POLICY_PERCENT, AT(others_percent), "50%", 0, 100, NULL,
     "Ranks are suspended while all else on this machine takes more than this part of its "
     "processor time. With 100% they never are."},
    {"idle", POLICY_DURATION, AT(idle_us), "no", SECONDS(1), DAYS(30), "no",
     "Run ranks only when nobody has used this machine's keyboard, mouse or terminals for so "
     "long. Who comes back finds them suspended."},
    {"hours", POLICY_HOURS, AT(hours), "always", 0, 0, NULL,
     "Run ranks only in these hours of the week, like mon-fri 18:00-08:00, sat-sun."},
    {"hours-grace", POLICY_DURATION, AT(hours_grace_us), "10min", 0, DAYS(7), NULL,
     "When the hours end, ranks may go on for so long, then they are taken away."},
    {"battery", POLICY_YES_NO, AT(battery), "no", 0, 0, NULL,
     "Run ranks also on battery."},
    {"memory", POLICY_AMOUNT, AT(memory), "75%", 1u << 20, UINT64_C(1) << 50, NULL,
     "The memory that all jobs together may have, as a size or as a part of this machine's."},
    {"scratch", POLICY_SIZE, AT(scratch_bytes), "1G", 1u << 20, UINT64_C(1) << 50, NULL,
     "The size of a job's private working directory here. It lies in memory."},
    {"store", POLICY_SIZE, AT(store_bytes), "4G", 0, UINT64_C(1) << 50, NULL,
     "The disk space for executables and files kept for later jobs; those that were used least "
     "recently go first."},
    {"store-directory", POLICY_PATH, AT(store_directory), "", 0, 0, NULL,
     "Where they are kept. Nothing: store in the state directory."},
    {"run-time", POLICY_DURATION, AT(run_time_us), "unlimited", SECONDS(1), DAYS(3650),
     "unlimited", "The longest time that a job may run here; then its ranks are taken away."},
    {"allow", POLICY_PEERS, AT(allow), "all", 0, 0, NULL,
     "The peers whose jobs may run here. * in a name stands for anything."},
    {"deny", POLICY_PEERS, AT(deny), "none", 0, 0, NULL,
     "The peers whose jobs may not run here, even if they are allowed."},
    {"users", POLICY_USERS, AT(users), "all", 0, 0, NULL,
     "The users of this machine who may start jobs with its peer. The superuser always may."},
    {"sandbox", POLICY_YES_NO, AT(sandbox), "yes", 0, 0, NULL,
     "Run ranks in a sandbox only. With no, foreign programs may read and do here what the user "
     "may whom the ranks run as."},
    {"accept-weakness", POLICY_NAMES, AT(accept_weakness), "none", 0, 0, NULL,
     "What the sandbox may lack on this machine, by the names that cpmp info shows. What it "
     "lacks and isn't named here keeps jobs away."},
    {"sched-idle", POLICY_YES_NO, AT(sched_idle), "yes", 0, 0, NULL,
     "Run ranks with the scheduling class SCHED_IDLE, so that they only get processor time that "
     "nobody else wants."},
    {"suspend-after", POLICY_DURATION, AT(suspend_after_us), "10s", 0, DAYS(1), NULL,
     "The load of others must be above cpu-others for so long before ranks are suspended."},
    {"resume-after", POLICY_DURATION, AT(resume_after_us), "1min", 0, DAYS(1), NULL,
     "What had ranks suspended must be over for so long before they go on."},
    {"leave-after", POLICY_DURATION, AT(leave_after_us), "10min", 0, DAYS(30), NULL,
     "Ranks that were suspended for so long are taken away."},
    {"least-price", POLICY_COUNT, AT(least_price), "0", 0, UINT64_C(1000000000000), NULL,
     "The least price for which capacity is sold, in micro-credits for a capacity-second. It is "
     "kept for the market; without one nothing is paid."},
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

static const struct policy_key *
key_find(const char *name)
{
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    }
    return NULL;
}

void
policy_init(struct policy *policy)
{
    struct text why = {0};

    memset(policy, 0, sizeof(*policy));
    for (size_t i = 0; i < KEYS; i++) {
        int error = policy_value_parse(&keys[i], policy, keys[i].initial, &why);

        assert(error == CPMP_OK);
        (void)error;
    }
    text_release(&why);
}

void
policy_release(struct policy *policy)
{
    for (size_t i = 0; i < KEYS; i++)
        policy_value_release(&keys[i], policy);
    memset(policy, 0, sizeof(*policy));
}

void
policy_move(struct policy *to, struct policy *from)
{
    policy_release(to);
    *to = *from;
    memset(from, 0, sizeof(*from));
}

/* --- unknown names --- */

static const char *
key_name(const void *arg, size_t index)
{
    (void)arg;
    return index < KEYS ? keys[index].name : NULL;
}

static int
key_refuse(const char *name, struct text *why)
{
    struct text near = {0};

    nearest_add(&near, name, key_name, NULL);
    text_print(why, "there is no key \"%.64s\"", name);
    if (near.used > 0)
        text_print(why, "; did you mean %s?", text_string(&near));
    text_print(why, "%s `cpmp policy` shows all keys.", near.used > 0 ? "" : ".");
    text_release(&near);
    return CPMP_ENOENT;
}

/* --- one key --- */

int
policy_set(struct policy *policy, const char *key, const char *value, struct text *why)
{
    const struct policy_key *found = key_find(key);

    if (found == NULL)
        return key_refuse(key, why);
    return policy_value_parse(found, policy, value, why);
}

int
policy_set_pair(struct policy *policy, const char *pair, char *name, struct text *why)
{
    const char *equals = strchr(pair, '=');
    const char *end = equals;
    char *key, *value;
    int error;

    if (equals == NULL) {
        text_print(why, "\"%.64s\" has no =; a key is set like cpu=50%%", pair);
        return CPMP_EINVAL;
    }
    pair += strspn(pair, " \t");
    while (end > pair && isspace((unsigned char)end[-1]))
        end--;
    key = memory_copy_text(pair);
    key[end - pair] = '\0';
    value = memory_copy_text(equals + 1 + strspn(equals + 1, " \t"));
    for (size_t length = strlen(value); length > 0 && isspace((unsigned char)value[length - 1]);)
        value[--length] = '\0';
    error = policy_set(policy, key, value, why);
    if (!error && name != NULL)
        snprintf(name, POLICY_KEY_BYTES, "%s", key);
    free(value);
    free(key);
    return error;
}

int
policy_value(const struct policy *policy, const char *key, struct text *out)
{
    const struct policy_key *found = key_find(key);

    if (found == NULL)
        return CPMP_ENOENT;
    policy_value_print(found, policy, out);
    return CPMP_OK;
}

/* --- the file --- */

struct parse {
    struct policy policy;
    const char *name;      /* the file's */
    const char *at;        /* what inih has not read yet */
    unsigned line;         /* the one it read last */
    unsigned error_line;   /* the last line with an error of ours; 0: none */
    const struct policy_key *last;
    unsigned last_line;
    struct text value;     /* of `last`, with its continuation lines */
    struct text *why;
};

static void
parse_error(struct parse *parse, unsigned line, const char *text)
{
    text_print(parse->why, "%s%s:%u: %s", parse->error_line != 0 ? "\n" : "", parse->name, line,
               text);
    parse->error_line = line;
}

/* Sets what was collected for the last key: continuation lines add to lists only. */
static void
parse_finish_key(struct parse *parse)
{
    struct text why = {0};

    if (parse->last != NULL &&
        policy_value_parse(parse->last, &parse->policy, text_string(&parse->value), &why) != 0)
        parse_error(parse, parse->last_line, text_string(&why));
    text_release(&why);
    text_clear(&parse->value);
    parse->last = NULL;
}

/* inih's handler: a key's line, or one that goes on with the key before it (its own line begins
 * with a blank; inih hands out the same name again). */
static int
parse_key(void *arg, const char *section, const char *name, const char *value)
{
    struct parse *parse = arg;
    const struct policy_key *key = key_find(name);
    struct text why = {0};

    if (key != NULL && key == parse->last && parse->line != parse->last_line &&
        key->kind >= POLICY_PEERS) {
        text_print(&parse->value, ", %s", value);
        return 1;
    }
    parse_finish_key(parse);
    (void)section;  /* parse_line said that there are none */
    if (key == NULL) {
        key_refuse(name, &why);
        parse_error(parse, parse->line, text_string(&why));
    } else {
        parse->last = key;
        parse->last_line = parse->line;
        text_add_string(&parse->value, value);
    }
    text_release(&why);
    return 1;
}

/* inih's reader: a line at a time, which counts them, since inih tells its handler no numbers. */
static char *
parse_line(char *buffer, int bytes, void *arg)
{
    struct parse *parse = arg;
    size_t length = strcspn(parse->at, "\n");
    size_t room = (size_t)bytes - 2;

    if (*parse->at == '\0')
        return NULL;
    parse->line++;
    if (length > room) {
        parse_error(parse, parse->line, "the line is too long; go on in the next one, indented");
        buffer[0] = '\0';
    } else if (parse->at[strspn(parse->at, " \t")] == '[') {
        parse_error(parse, parse->line, "this file has no sections; leave this line out");
        buffer[0] = '\0';
    } else {
        memcpy(buffer, parse->at, length);
        buffer[length] = '\0';
    }
    parse->at += length + (parse->at[length] == '\n');
    return buffer;
}

int
policy_parse(struct policy *policy, const char *name, const char *text, struct text *why)
{
    struct parse parse = {.name = name, .at = text, .why = why};
    int line;

    policy_init(&parse.policy);
    line = ini_parse_stream(parse_line, &parse, parse_key, &parse);
    parse_finish_key(&parse);
    if (line > 0 && parse.error_line == 0)
        parse_error(&parse, (unsigned)line, "a line is key = value, or a comment after #");
    else if (line < 0)
        parse_error(&parse, 1, "out of memory");
    text_release(&parse.value);
    if (parse.error_line != 0) {
        policy_release(&parse.policy);
        return CPMP_EINVAL;
    }
    policy_move(policy, &parse.policy);
    return CPMP_OK;
}

/* --- rows --- */

/* Adds `words` in lines, each but the first behind `prefix`. */
static void
wrapped_add(struct text *out, const char *words, size_t column, const char *prefix)
{
    bool first = true;

    while (*words != '\0') {
        size_t length = strcspn(words, " ");

        if (column + !first + length > COLUMNS) {
            text_print(out, "\n%s", prefix);
            column = strlen(prefix);
            first = true;
        }
        if (!first)
            text_add_string(out, " ");
        text_add(out, words, length);
        column += !first + length;
        first = false;
        words += length;
        words += strspn(words, " ");
    }
    text_add_string(out, "\n");
}

bool
policy_row(const struct policy *policy, size_t index, struct policy_row *row, struct text *value,
           struct text *allowed)
{
    struct text now = {0};

    if (index >= KEYS)
        return false;
    policy_value_print(&keys[index], policy, &now);
    *row = (struct policy_row){.key = keys[index].name,
                               .initial = keys[index].initial,
                               .help = keys[index].help,
                               .changed = strcmp(text_string(&now), keys[index].initial) != 0};
    text_add_string(value, text_string(&now));
    text_release(&now);
    if (allowed != NULL)
        policy_value_allowed(&keys[index], allowed);
    return true;
}

void
policy_template(struct text *out)
{
    text_add_string(out, "# What others may have of this machine, and when: cpmp-policy(5).\n"
                         "# Each key has its default until you take the # before it away.\n");
    for (size_t i = 0; i < KEYS; i++) {
        text_add_string(out, "\n# ");
        wrapped_add(out, keys[i].help, 2, "# ");
        text_print(out, "#%s =%s%s\n", keys[i].name, *keys[i].initial ? " " : "", keys[i].initial);
    }
}
