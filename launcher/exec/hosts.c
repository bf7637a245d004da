/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/hosts.h"

#include <stdbool.h>
#include <string.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "proto/computer/computer.h"

static bool
is_word(const char *name, size_t length, const char *word)
{
    return strlen(word) == length && strncasecmp(name, word, length) == 0;
}

/* With and without domain: "node1" is "node1.example.org". */
static bool
is_own(const char *name, size_t length, const char *own_name)
{
    size_t own_short = strcspn(own_name, ".");

    return is_word(name, length, own_name) ||
           (length == own_short && strncasecmp(name, own_name, length) == 0);
}

static bool
host_is_here(const char *name, size_t length, const char *own_name)
{
    static const char *const local[] = {"localhost", "localhost.localdomain", "127.0.0.1", "::1",
                                        "[::1]"};

    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
        if (is_word(name, length, local[i]))
            return true;
    return is_own(name, length, own_name);
}

/* The name in "name:4"; an IPv6 address has more than one colon, and no slots. */
static size_t
name_length(const char *word, size_t length)
{
    const char *colon = memchr(word, ':', length);

    if (colon == NULL || memchr(colon + 1, ':', length - (size_t)(colon + 1 - word)) != NULL)
        return length;
    return (size_t)(colon - word);
}

static int
host_check(const char *where, const char *word, size_t length, const char *own_name,
           struct text *error)
{
    size_t name = name_length(word, length);

    if (host_is_here(word, name, own_name))
        return 0;
    text_print(
        error,
        "%s: host %.*s is not this machine, and no cpmpd runs here that could find it as a peer of "
        "a pool (man cpmpd); leave the option out to run here, with --peers K for K agents",
        where, (int)name, word);
    return -1;
}

int
exec_hosts_check_list(const char *option, const char *list, const char *own_name,
                      struct text *error)
{
    for (const char *at = list;; at++) {
        size_t length = strcspn(at, ",");
        if (length == 0) {
            text_print(error, "%s %s: a host has no name", option, list);
            return -1;
        }
        if (host_check(option, at, length, own_name, error) != 0)
            return -1;
        at += length;
        if (*at == '\0')
            return 0;
    }
}

int
exec_hosts_check_file(const char *path, const char *content, const char *own_name,
                      struct text *error)
{
    for (const char *line = content; *line != '\0';) {
        size_t end = strcspn(line, "\n");
        size_t blank = strspn(line, " \t\r");
        size_t length = strcspn(line + blank, " \t\r\n#");

        if (length > 0 && host_check(path, line + blank, length, own_name, error) != 0)
            return -1;
        line += end + (line[end] == '\n');
    }
    return 0;
}

uint32_t
exec_hosts_read(const char *list, struct computer_host *hosts, uint32_t most)
{
    uint32_t count = 0;

    for (const char *at = list; at != NULL && *at != '\0' && count < most;) {
        size_t length = strcspn(at, ","), name = name_length(at, length);
        struct computer_host *host = &hosts[count++];

        snprintf(host->pattern, sizeof(host->pattern), "%.*s", (int)name, at);
        host->ranks = name < length ? (uint32_t)strtoul(at + name + 1, NULL, 10) : 0;
        at += length + (at[length] == ',');
    }
    return count;
}
