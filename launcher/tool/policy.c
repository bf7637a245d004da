/* SPDX-License-Identifier: BSD-3-Clause */
#include "tool/policy.h"

#include <string.h>

#include "text/json.h"
#include "text/nearest.h"
#include "text/table.h"

static const struct table_column columns[] = {
    {"", TABLE_OPTIONAL}, {"KEY", 0}, {"VALUE", 0}, {"DEFAULT", 0}, {"MEANING", 0},
};

/* --- which keys --- */

static bool
operand_names(const char *operand, const char *key)
{
    size_t length = strcspn(operand, "=");

    return strlen(key) == length && strncmp(operand, key, length) == 0;
}

static bool
is_wanted(const struct tool *tool, const char *key)
{
    for (size_t i = 0; i < tool->operand_count; i++)
        if (operand_names(tool->operands[i], key))
            return true;
    return tool->operand_count == 0;
}

static const char *
key_at(const void *arg, size_t index)
{
    const Cpmp__PolicyReply *reply = arg;

    return index < reply->n_rows ? reply->rows[index]->key : NULL;
}

static int
keys_check(struct tool *tool, const Cpmp__PolicyReply *reply)
{
    for (size_t i = 0; i < tool->operand_count; i++) {
        struct text nearest = {0};
        bool known = false;

        for (size_t j = 0; j < reply->n_rows; j++)
            known = known || operand_names(tool->operands[i], reply->rows[j]->key);
        if (known)
            continue;
        text_print(&tool->error, "there is no key %s; ", tool->operands[i]);
        nearest_add(&nearest, tool->operands[i], key_at, reply);
        if (nearest.used > 0)
            text_print(&tool->error, "did you mean %s? ", text_string(&nearest));
        text_add_string(&tool->error, "cpmp policy lists them");
        text_release(&nearest);
        return TOOL_USAGE;
    }
    return 0;
}

/* --- showing --- */

static void
table_add(struct tool *tool, const Cpmp__PolicyReply *reply)
{
    struct table table;
    bool changed = false;

    table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    for (size_t i = 0; i < reply->n_rows; i++) {
        const Cpmp__PolicyRow *row = reply->rows[i];

        if (!is_wanted(tool, row->key))
            continue;
        changed = changed || row->changed;
        table_cell(&table, row->changed ? "*" : "");
        table_cell(&table, row->key);
        table_cell(&table, row->value);
        table_cell(&table, row->initial);
        table_cell(&table, row->help);
    }
    table_write(&table, &tool->out, tool->columns);
    table_release(&table);
    if (changed)
        text_add_string(&tool->out, "\n* is not the default\n");
}

static void
rows_json(struct tool *tool, const Cpmp__PolicyReply *reply)
{
    struct text *out = &tool->out;

    json_open(out, NULL, '{');
    json_open(out, "policy", '[');
    for (size_t i = 0; i < reply->n_rows; i++) {
        const Cpmp__PolicyRow *row = reply->rows[i];

        if (!is_wanted(tool, row->key))
            continue;
        json_open(out, NULL, '{');
        json_string(out, "key", row->key);
        json_string(out, "value", row->value);
        json_string(out, "default", row->initial);
        json_bool(out, "changed", row->changed);
        json_string(out, "meaning", row->help);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
    text_add_string(out, "\n");
}

int
tool_policy_show(struct tool *tool, const Cpmp__Local *reply)
{
    int code = keys_check(tool, reply->policy_reply);

    if (code != 0)
        return code;
    if (tool->options.json)
        rows_json(tool, reply->policy_reply);
    else
        table_add(tool, reply->policy_reply);
    return TOOL_OK;
}

/* --- the commands --- */

static int
policy_ask(struct tool *tool, Cpmp__PolicyRequest *policy)
{
    Cpmp__Local request = CPMP__LOCAL__INIT;

    request.body_case = CPMP__LOCAL__BODY_POLICY;
    request.policy = policy;
    return tool_ask(tool, &request, CPMP__LOCAL__BODY_POLICY_REPLY, tool_policy_show);
}

int
tool_policy_run(struct tool *tool)
{
    Cpmp__PolicyRequest policy = CPMP__POLICY_REQUEST__INIT;

    for (size_t i = 0; i < tool->operand_count; i++) {
        if (strchr(tool->operands[i], '=') == NULL)
            continue;
        text_print(&tool->error, "to change a key: cpmp policy set %s", tool->operands[i]);
        return TOOL_USAGE;
    }
    return policy_ask(tool, &policy);
}

int
tool_policy_set_run(struct tool *tool)
{
    Cpmp__PolicyRequest policy = CPMP__POLICY_REQUEST__INIT;

    for (size_t i = 0; i < tool->operand_count; i++) {
        if (strchr(tool->operands[i], '=') != NULL && tool->operands[i][0] != '=')
            continue;
        text_print(&tool->error, "%s: a key and its value are one word with = in it, as in "
                                 "cpmp policy set cpu=50%%", tool->operands[i]);
        return TOOL_USAGE;
    }
    policy.set = tool->operands;
    policy.n_set = tool->operand_count;
    return policy_ask(tool, &policy);
}
