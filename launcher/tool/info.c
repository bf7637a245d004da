/* SPDX-License-Identifier: BSD-3-Clause */
#include "tool/info.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "local/state.h"
#include "plat/plat.h"
#include "sandbox/probe.h"
#include "text/json.h"
#include "text/memory.h"
#include "text/table.h"
#include "text/units.h"
#include "text/visible.h"

/* --- showing --- */

static const struct table_column columns[] = {{"", 0}, {"", 0}};

/* The items of one group, which needn't stand together. */
static void
group_add(struct tool *tool, const Cpmp__InfoReply *info, const char *group)
{
    struct table table;
    struct text text = {0};

    table_init(&table, columns, 2);
    for (size_t i = 0; i < info->n_items; i++) {
        const Cpmp__InfoItem *item = info->items[i];

        if (strcmp(item->group, group) != 0)
            continue;
        table_print(&table, "  %s", item->name);
        if (*item->note != '\0')
            table_print(&table, "%s (%s)", item->value, item->note);
        else
            table_cell(&table, item->value);
    }
    table_write(&table, &text, tool->columns);
    table_release(&table);
    text_visible_word(&tool->out, group);
    text_add_string(&tool->out, text_string(&text)); /* its line of titles is empty */
    text_release(&text);
}

static bool
group_is_new(const Cpmp__InfoReply *info, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(info->items[i]->group, info->items[index]->group) == 0)
            return false;
    return true;
}

static void
items_json(struct text *out, const Cpmp__InfoReply *info)
{
    json_open(out, NULL, '{');
    json_open(out, "items", '[');
    for (size_t i = 0; i < info->n_items; i++) {
        const Cpmp__InfoItem *item = info->items[i];

        json_open(out, NULL, '{');
        json_string(out, "group", item->group);
        json_string(out, "name", item->name);
        json_string(out, "value", item->value);
        tool_json_string(out, "note", item->note);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
    text_add_string(out, "\n");
}

static void
items_show(struct tool *tool, const Cpmp__InfoReply *info)
{
    if (tool->options.json) {
        items_json(&tool->out, info);
        return;
    }
    for (size_t i = 0; i < info->n_items; i++) {
        if (!group_is_new(info, i))
            continue;
        if (tool->out.used > 0)
            text_add_string(&tool->out, "\n");
        group_add(tool, info, info->items[i]->group);
    }
}

int
tool_info_show(struct tool *tool, const Cpmp__Local *reply)
{
    items_show(tool, reply->info_reply);
    return TOOL_OK;
}

/* --- without a daemon --- */

static void
item_add(Cpmp__InfoReply *info, const char *group, const char *name, const char *value,
         const char *note)
{
    Cpmp__InfoItem *item = memory_new(1, sizeof(*item));

    cpmp__info_item__init(item);
    item->group = memory_copy_text(group);
    item->name = memory_copy_text(name);
    item->value = memory_copy_text(value);
    item->note = memory_copy_text(note);
    info->items = memory_grow(info->items, info->n_items + 1, sizeof(*info->items));
    info->items[info->n_items++] = item;
}

static void
machine_add(Cpmp__InfoReply *info)
{
    struct utsname system = {0};
    struct text text = {0};

    uname(&system);
    item_add(info, "machine", "name", system.nodename, "");
    text_print(&text, "%s %s, %s", system.sysname, system.release, system.machine);
    item_add(info, "machine", "system", text_string(&text), "");
    text_clear(&text);
    text_print(&text, "%zu", (size_t)cpi_cores_usable());
    item_add(info, "machine", "cores", text_string(&text), "those this program may use");
    text_clear(&text);
    units_bytes(&text, (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
    item_add(info, "machine", "memory", text_string(&text), "");
    text_release(&text);
}

/* Whether the owner has accepted it already, only a daemon knows. */
static void
weakness_add(Cpmp__InfoReply *info, const struct sandbox_probe *probe,
             enum sandbox_weakness weakness)
{
    const struct sandbox_weakness_info *lacks = sandbox_weakness_info(weakness);
    struct text note = {0};

    text_add_string(&note, lacks->sentence);
    if (weakness == SANDBOX_LACKS_NAMESPACES && *probe->detail != '\0')
        text_print(&note, ": %s", probe->detail);
    if (lacks->kind == SANDBOX_NEEDED)
        text_add_string(&note, "; without it no foreign rank runs here");
    else if (lacks->kind == SANDBOX_REFUSED)
        text_print(&note, "; no foreign rank runs here, unless the policy's accept-weakness has "
                          "\"%s\"", lacks->name);
    item_add(info, "sandbox", lacks->name,
             lacks->kind == SANDBOX_COVERED ? "replaced" : "missing", text_string(&note));
    text_release(&note);
}

static void
sandbox_add(Cpmp__InfoReply *info)
{
    struct sandbox_probe probe;
    size_t before = info->n_items;

    sandbox_probe(&probe);
    for (unsigned i = 0; i < SANDBOX_WEAKNESS_COUNT; i++)
        if (probe.lacks[i])
            weakness_add(info, &probe, (enum sandbox_weakness)i);
    if (info->n_items == before)
        item_add(info, "sandbox", "lacks", "nothing", "");
}

Cpmp__InfoReply *
tool_info_machine(const char *why)
{
    Cpmp__InfoReply *info = memory_new(1, sizeof(*info));

    cpmp__info_reply__init(info);
    item_add(info, "cpmp", "version", PACKAGE_VERSION, "");
    item_add(info, "cpmp", "cpmpd", "doesn't run", why);
    machine_add(info);
    sandbox_add(info);
    return info;
}

static int
info_alone(struct tool *tool, const struct text *why)
{
    Cpmp__InfoReply *info = tool_info_machine(text_string(why));

    items_show(tool, info);
    cpmp__info_reply__free_unpacked(info, NULL);
    return TOOL_OK;
}

/* --- the command --- */

int
tool_info_run(struct tool *tool)
{
    Cpmp__InfoRequest info = CPMP__INFO_REQUEST__INIT;
    Cpmp__Local request = CPMP__LOCAL__INIT;
    struct text directory = {0}, why = {0};
    int code;

    if (state_find(&directory, tool->options.state, tool->environment, &why) == 0) {
        request.body_case = CPMP__LOCAL__BODY_INFO;
        request.info = &info;
        code = tool_ask(tool, &request, CPMP__LOCAL__BODY_INFO_REPLY, tool_info_show);
    } else {
        code = info_alone(tool, &why);
    }
    text_release(&directory);
    text_release(&why);
    return code;
}
