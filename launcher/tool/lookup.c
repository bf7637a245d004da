/* SPDX-License-Identifier: BSD-3-Clause */
#include "tool/lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/evp.h>

#include "text/json.h"
#include "text/memory.h"
#include "text/table.h"
#include "text/units.h"
#include "text/visible.h"

static ProtobufCBinaryData
bytes_of(const uint8_t key[TOOL_KEY_BYTES])
{
    return (ProtobufCBinaryData){.len = TOOL_KEY_BYTES, .data = (uint8_t *)key};
}

/* --- one lookup --- */

static void
one_add(struct text *text, const struct tool_lookup *lookup)
{
    text_add_string(text, "key    ");
    tool_hex_add(text, bytes_of(lookup->key), TOOL_ID_DIGITS);
    text_add_string(text, "\npeer   ");
    text_visible_word(text, lookup->name);
    text_add_string(text, "\nid     ");
    tool_hex_add(text, bytes_of(lookup->owner), TOOL_ID_DIGITS);
    text_print(text, "\nhops   %u\ntook   ", lookup->hops);
    units_duration(text, lookup->took_us);
    text_add_string(text, "\n");
}

static void
one_json(struct text *text, const struct tool_lookup *lookup)
{
    json_open(text, NULL, '{');
    tool_json_id(text, "key", bytes_of(lookup->key));
    json_bool(text, "answered", lookup->answered);
    if (lookup->answered) {
        tool_json_id(text, "owner", bytes_of(lookup->owner));
        json_string(text, "owner_name", lookup->name);
        json_number(text, "hops", lookup->hops);
        json_number(text, "took_us", lookup->took_us);
    } else {
        json_string(text, "failure", lookup->failure != NULL ? lookup->failure : "not asked");
    }
    json_close(text, '}');
}

/* --- sums --- */

struct sums {
    size_t answered;
    uint64_t hops, took_us, took_us_max;
    uint32_t hops_max;
};

static struct sums
sums_of(const struct tool_lookup *lookups, size_t count)
{
    struct sums sums = {0};

    for (size_t i = 0; i < count; i++) {
        if (!lookups[i].answered)
            continue;
        sums.answered++;
        sums.hops += lookups[i].hops;
        sums.took_us += lookups[i].took_us;
        if (lookups[i].hops > sums.hops_max)
            sums.hops_max = lookups[i].hops;
        if (lookups[i].took_us > sums.took_us_max)
            sums.took_us_max = lookups[i].took_us;
    }
    return sums;
}

static double
mean(uint64_t sum, size_t count)
{
    return count > 0 ? (double)sum / (double)count : 0;
}

/* Those with answers first, by owner; the others by failure. */
static int
lookups_compare(const void *a, const void *b)
{
    const struct tool_lookup *one = *(const struct tool_lookup *const *)a;
    const struct tool_lookup *two = *(const struct tool_lookup *const *)b;

    if (one->answered != two->answered)
        return one->answered ? -1 : 1;
    if (one->answered)
        return memcmp(one->owner, two->owner, TOOL_KEY_BYTES);
    return strcmp(one->failure != NULL ? one->failure : "",
                  two->failure != NULL ? two->failure : "");
}

static const struct table_column columns[] = {{"ANSWERS", TABLE_RIGHT}, {"PEER", 0}, {"ID", 0}};

/* A row for each peer that answers name, and for each failure. */
static void
groups_add(struct text *text, const struct tool_lookup *lookups, size_t count, size_t width)
{
    const struct tool_lookup **sorted = memory_new(count + 1, sizeof(const struct tool_lookup *));
    struct table table;

    for (size_t i = 0; i < count; i++)
        sorted[i] = &lookups[i];
    qsort(sorted, count, sizeof(const struct tool_lookup *), lookups_compare);
    table_init(&table, columns, 3);
    for (size_t i = 0, end; i < count; i = end) {
        struct text id = {0};

        for (end = i + 1; end < count && lookups_compare(&sorted[i], &sorted[end]) == 0; end++)
            continue;
        table_print(&table, "%zu", end - i);
        if (sorted[i]->answered) {
            table_cell(&table, sorted[i]->name);
            tool_hex_add(&id, bytes_of(sorted[i]->owner), TOOL_ID_DIGITS);
        } else {
            table_print(&table, "none: %s",
                        sorted[i]->failure != NULL ? sorted[i]->failure : "not asked");
        }
        if (!sorted[i]->answered)
            table_cell(&table, "");
        else
            table_text(&table, &id);
    }
    table_write(&table, text, width);
    table_release(&table);
    free(sorted);
}

static void
sums_add(struct tool *tool, const struct tool_lookup *lookups, size_t count,
         const struct sums *sums)
{
    struct text *out = &tool->out;

    text_print(out, "%zu lookups, %zu answered, %zu failed\n", count, sums->answered,
               count - sums->answered);
    if (sums->answered > 0) {
        text_print(out, "hops: %.2f in the mean, %u at most; took ",
                   mean(sums->hops, sums->answered), sums->hops_max);
        units_duration(out, (uint64_t)mean(sums->took_us, sums->answered));
        text_add_string(out, " in the mean, ");
        units_duration(out, sums->took_us_max);
        text_add_string(out, " at most\n");
    }
    text_add_string(out, "\n");
    groups_add(out, lookups, count, tool->columns);
}

static void
sums_json(struct text *out, const struct tool_lookup *lookups, size_t count,
          const struct sums *sums)
{
    json_open(out, NULL, '{');
    json_number(out, "lookups", count);
    json_number(out, "answered", sums->answered);
    json_number(out, "failed", count - sums->answered);
    json_decimal(out, "hops_mean", mean(sums->hops, sums->answered), 3);
    json_number(out, "hops_max", sums->hops_max);
    json_decimal(out, "took_us_mean", mean(sums->took_us, sums->answered), 1);
    json_number(out, "took_us_max", sums->took_us_max);
    json_open(out, "answers", '[');
    for (size_t i = 0; i < count; i++)
        one_json(out, &lookups[i]);
    json_close(out, ']');
    json_close(out, '}');
    text_add_string(out, "\n");
}

int
tool_lookup_show(struct tool *tool, const struct tool_lookup *lookups, size_t count)
{
    struct sums sums = sums_of(lookups, count);
    bool many = tool->options.count > 0;

    if (tool->options.json && many) {
        sums_json(&tool->out, lookups, count, &sums);
    } else if (tool->options.json) {
        one_json(&tool->out, &lookups[0]);
        text_add_string(&tool->out, "\n");
    } else if (many) {
        sums_add(tool, lookups, count, &sums);
    } else if (lookups[0].answered) {
        one_add(&tool->out, &lookups[0]);
    }
    if (sums.answered == count)
        return TOOL_OK;
    if (many)
        text_print(&tool->error, "%zu of %zu lookups failed", count - sums.answered, count);
    else
        text_visible_add(&tool->error, lookups[0].failure != NULL ? lookups[0].failure : "",
                         lookups[0].failure != NULL ? strlen(lookups[0].failure) : 0);
    return TOOL_FAILED;
}

void
tool_lookup_release(struct tool_lookup *lookups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(lookups[i].name);
        free(lookups[i].failure);
    }
    free(lookups);
}

/* --- asking --- */

struct run {
    struct tool_session *session;
    struct tool_lookup *lookups;
    size_t count, asked, done;
};

/* The argument of one request's answer: which lookup it is of. */
struct pending {
    struct run *run;
    struct tool_lookup *lookup;
};

static void lookups_ask(struct run *run);

static void
answer_keep(struct tool_lookup *lookup, const Cpmp__LookupReply *reply)
{
    const Cpmp__RingPeer *owner = reply->owner;

    if (owner == NULL || owner->id.len != TOOL_KEY_BYTES) {
        lookup->failure = memory_copy_text("the answer names no peer");
        return;
    }
    memcpy(lookup->owner, owner->id.data, TOOL_KEY_BYTES);
    lookup->name = memory_copy_text(owner->name);
    lookup->hops = reply->hops;
    lookup->took_us = reply->took_us;
    lookup->answered = true;
}

/* A lookup that failed is a result as any other; the rest goes on. */
static void
on_answer(void *arg, const Cpmp__Local *reply)
{
    struct pending pending = *(struct pending *)arg;
    struct run *run = pending.run;

    free(arg);
    if (reply != NULL && !run->session->ending && reply->body_case == CPMP__LOCAL__BODY_FAILURE) {
        pending.lookup->failure = memory_copy_text(reply->failure->text);
        uv_timer_again(&run->session->silence);
    } else if (tool_session_expect(run->session, reply, CPMP__LOCAL__BODY_LOOKUP_REPLY)) {
        answer_keep(pending.lookup, reply->lookup_reply);
    } else {
        return;
    }
    run->done++;
    lookups_ask(run);
}

static void
lookups_ask(struct run *run)
{
    struct tool *tool = run->session->tool;

    if (run->done == run->count) {
        tool_session_end(run->session, tool_lookup_show(tool, run->lookups, run->count));
        return;
    }
    while (run->asked < run->count && run->asked - run->done < TOOL_LOOKUPS_AHEAD) {
        struct tool_lookup *lookup = &run->lookups[run->asked++];
        struct pending *pending = memory_new(1, sizeof(*pending));
        Cpmp__LookupRequest wanted = CPMP__LOOKUP_REQUEST__INIT;
        Cpmp__Local request = CPMP__LOCAL__INIT;

        *pending = (struct pending){run, lookup};
        wanted.key = bytes_of(lookup->key);
        wanted.sure = tool->options.sure;
        request.body_case = CPMP__LOCAL__BODY_LOOKUP;
        request.lookup = &wanted;
        local_client_ask(&run->session->client, &request, on_answer, pending);
    }
}

static void
on_ready(struct tool_session *session)
{
    struct run *run = session->arg;

    run->session = session;
    lookups_ask(run);
}

/* --- keys --- */

void
tool_lookup_key(uint8_t key[TOOL_KEY_BYTES], const char *text)
{
    uint8_t digest[EVP_MAX_MD_SIZE] = {0};

    EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL);
    memcpy(key, digest, TOOL_KEY_BYTES);
}

static void
key_read(uint8_t key[TOOL_KEY_BYTES], const char *digits)
{
    for (size_t i = 0; i < TOOL_KEY_BYTES; i++) {
        char pair[3] = {digits[2 * i], digits[2 * i + 1], '\0'};
        key[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

static int
keys_choose(struct tool *tool, struct tool_lookup *lookups, size_t count)
{
    if (tool->options.key != NULL)
        key_read(lookups[0].key, tool->options.key);
    else if (tool->options.text != NULL)
        tool_lookup_key(lookups[0].key, tool->options.text);
    else
        for (size_t i = 0; i < count; i++)
            if (getrandom(lookups[i].key, TOOL_KEY_BYTES, 0) != TOOL_KEY_BYTES) {
                text_print(&tool->error, "no random keys can be had: %s", strerror(errno));
                return -1;
            }
    return 0;
}

int
tool_lookup_run(struct tool *tool)
{
    struct run run = {.count = tool->options.count > 0 ? tool->options.count : 1};
    int code = TOOL_FAILED;

    run.lookups = memory_new(run.count, sizeof(*run.lookups));
    if (keys_choose(tool, run.lookups, run.count) == 0)
        code = tool_session_run(tool, on_ready, &run);
    tool_lookup_release(run.lookups, run.count);
    return code;
}
