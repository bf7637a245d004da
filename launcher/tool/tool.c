/* SPDX-License-Identifier: BSD-3-Clause */
#include "tool/tool.h"

#include <string.h>

#include "text/nearest.h"

/* --- commands by name --- */

static bool
name_is(const char *name, const char *first, const char *second)
{
    size_t length = strlen(first);

    if (second == NULL)
        return strcmp(name, first) == 0;
    return strncmp(name, first, length) == 0 && name[length] == ' ' &&
           strcmp(name + length + 1, second) == 0;
}

const struct tool_command *
tool_command_find(const char *first, const char *second)
{
    const struct tool_command *command;

    for (size_t i = 0; (command = tool_command_at(i)) != NULL; i++)
        if (name_is(command->name, first, second))
            return command;
    return NULL;
}

static const char *
command_name_at(const void *arg, size_t index)
{
    const struct tool_command *command = tool_command_at(index);
    (void)arg;

    return command != NULL ? command->name : NULL;
}

static int
command_unknown(struct text *error, const char *name)
{
    struct text nearest = {0};

    nearest_add(&nearest, name, command_name_at, NULL);
    text_print(error, "there is no command %s; ", name);
    if (nearest.used > 0)
        text_print(error, "did you mean %s? ", text_string(&nearest));
    text_add_string(error, "cpmp --help lists them");
    text_release(&nearest);
    return TOOL_USAGE;
}

/* The command that words[0] begins, of `count` words; how many it took, or 0. */
static int
command_take(struct tool *tool, int count, char **words)
{
    if (count > 1 && (tool->command = tool_command_find(words[0], words[1])) != NULL)
        return 2;
    tool->command = tool_command_find(words[0], NULL);
    return tool->command != NULL;
}

/* --- the command line --- */

static void
program_name(struct text *text, const struct tool_command *command)
{
    text_add_string(text, "cpmp");
    if (command != NULL)
        text_print(text, " %s", command->name);
}

static int
operands_check(struct tool *tool)
{
    const struct tool_command *command = tool->command;
    const char *wrong = NULL;

    if (tool->operand_count < command->operands_min)
        wrong = "something is missing";
    else if (tool->operand_count > command->operands_max)
        wrong = tool->operands[command->operands_max];
    if (wrong == NULL)
        return 0;
    text_print(&tool->error, "%s%s; usage: cpmp %s%s%s", wrong,
               tool->operand_count > command->operands_max ? ": that is one word too many" : "",
               command->name, *command->operands != '\0' ? " " : "", command->operands);
    return TOOL_USAGE;
}

/* Options may stand before and behind the command and its operands. */
static int
words_take(struct tool *tool, struct options_parse *parse, int count, char **words)
{
    struct text program = {0};
    int at = 0, taken = 1;

    program_name(&program, NULL);
    while (at < count && taken > 0) {
        parse->program = text_string(&program);
        if (words[at][0] == '-' && words[at][1] != '\0') {
            taken = options_take(parse, count - at, words + at);
        } else if (tool->command != NULL) {
            tool->operands[tool->operand_count++] = words[at];
            taken = 1;
        } else if ((taken = command_take(tool, count - at, words + at)) > 0) {
            ((struct options_table *)parse->tables)[1] = tool->command->options;
            parse->table_count = 2;
            text_clear(&program);
            program_name(&program, tool->command);
            if (options_defaults(parse) != 0)
                taken = -1;
        } else {
            command_unknown(&tool->error, words[at]);
        }
        at += taken;
    }
    text_release(&program);
    return taken > 0 ? 0 : TOOL_USAGE;
}

int
tool_parse(struct tool *tool, int count, char **words)
{
    struct options_table tables[2] = {tool_common_options, {NULL, 0}};
    struct options_parse parse = {.tables = tables, .table_count = 1, .target = tool,
                                  .environment = tool->environment, .error = &tool->error};

    tool->operands = words;
    if (words_take(tool, &parse, count, words) != 0)
        return TOOL_USAGE;
    if (tool->options.help || tool->options.version)
        return 0;
    if (tool->command != NULL)
        return operands_check(tool);
    text_add_string(&tool->error, "no command was given; cpmp --help lists them");
    return TOOL_USAGE;
}

void
tool_release(struct tool *tool)
{
    text_release(&tool->out);
    text_release(&tool->error);
    text_release(&tool->notes);
}

/* --- help --- */

static void
help_all(struct text *text)
{
    const struct tool_command *command;

    text_add_string(text, "usage: cpmp [OPTION]... COMMAND [ARGUMENT]...\n"
                          "Looks at and governs this machine's part in a pool. More: man 1 "
                          "cpmp\n\n");
    for (size_t i = 0; (command = tool_command_at(i)) != NULL; i++) {
        struct text left = {0};

        text_print(&left, "%s%s%s", command->name, *command->operands != '\0' ? " " : "",
                   command->operands);
        text_print(text, "  %-23s %s\n", text_string(&left), command->summary);
        text_release(&left);
    }
    text_add_string(text, "\n");
    options_help(text, &tool_common_options);
}

void
tool_help(struct text *text, const struct tool_command *command)
{
    if (command == NULL) {
        help_all(text);
        return;
    }
    text_print(text, "usage: cpmp %s%s%s [OPTION]...\n%s.\n", command->name,
               *command->operands != '\0' ? " " : "", command->operands, command->summary);
    if (command->details != NULL)
        text_print(text, "%s\n", command->details);
    text_add_string(text, "\n");
    options_help(text, &command->options);
    options_help(text, &tool_common_options);
}

int
tool_help_run(struct tool *tool)
{
    const char *second = tool->operand_count > 1 ? tool->operands[1] : NULL;
    const struct tool_command *command = NULL;

    if (tool->operand_count > 0) {
        command = tool_command_find(tool->operands[0], second);
        if (command == NULL)
            return command_unknown(&tool->error, tool->operands[0]);
    }
    tool_help(&tool->out, command);
    return TOOL_OK;
}
