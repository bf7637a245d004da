/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/hosts.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>


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

/* --- on a pool --- */

static int
host_add(struct exec_hosts *hosts, const char *where, const char *word, size_t length,
         struct text *error)
{
    size_t name = name_length(word, length);
    struct computer_host *host;
    char *end = NULL;
    unsigned long ranks = 0;

    if (name < length)
        ranks = strtoul(word + name + 1, &end, 10);
    if (name == 0 || name >= sizeof(host->pattern)) {
        text_print(error, "%s: a host has no name, or one that no peer can have", where);
    } else if (name < length && (end != word + length || ranks == 0 || ranks > EXEC_HOSTS_RANKS)) {
        text_print(error, "%s: %.*s: after the colon comes a number of ranks, 1 to %u", where,
                   (int)length, word, EXEC_HOSTS_RANKS);
    } else if (hosts->count == EXEC_HOSTS_MAX) {
        text_print(error, "%s: more than %u hosts; use a pattern (pc*)", where, EXEC_HOSTS_MAX);
    } else {
        host = &hosts->list[hosts->count++];
        snprintf(host->pattern, sizeof(host->pattern), "%.*s", (int)name, word);
        host->ranks = (uint32_t)ranks;
        return 0;
    }
    return -1;
}

int
exec_hosts_add_list(struct exec_hosts *hosts, const char *list, struct text *error)
{
    for (const char *at = list;; at++) {
        size_t length = strcspn(at, ",");
        if (host_add(hosts, "--host", at, length, error) != 0)
            return -1;
        at += length;
        if (*at == '\0')
            return 0;
    }
}

/* "slots=4" among the words of a line; 0: not said. */
static uint32_t
slots_of(const char *words, size_t length)
{
    static const char key[] = "slots=";

    for (size_t i = 0; i + sizeof(key) <= length + 1; i++)
        if ((i == 0 || words[i - 1] == ' ' || words[i - 1] == '\t') &&
            strncmp(words + i, key, sizeof(key) - 1) == 0)
            return (uint32_t)strtoul(words + i + sizeof(key) - 1, NULL, 10);
    return 0;
}

int
exec_hosts_add_file(struct exec_hosts *hosts, const char *path, const char *content,
                    struct text *error)
{
    for (const char *line = content; *line != '\0';) {
        size_t end = strcspn(line, "\n"), words = strcspn(line, "\n#");
        size_t blank = strspn(line, " \t\r");
        size_t length = strcspn(line + blank, " \t\r\n#");
        uint32_t slots = slots_of(line, words);

        if (length > 0 && host_add(hosts, path, line + blank, length, error) != 0)
            return -1;
        if (length > 0 && slots > 0)
            hosts->list[hosts->count - 1].ranks = slots < EXEC_HOSTS_RANKS ? slots
                                                                           : EXEC_HOSTS_RANKS;
        line += end + (line[end] == '\n');
    }
    return 0;
}

int
exec_hosts_ranks(struct exec_hosts *hosts, uint32_t per_peer, uint64_t *ranks_p,
                 struct text *error)
{
    *ranks_p = 0;
    for (uint32_t i = 0; i < hosts->count; i++) {
        struct computer_host *host = &hosts->list[i];

        if (strpbrk(host->pattern, "*?") != NULL && host->ranks == 0 && per_peer == 0) {
            text_print(error, "-np N is missing: which peers %s names, and so how many ranks there "
                              "are to be, isn't known before", host->pattern);
            return -1;
        }
        if (host->ranks == 0)
            host->ranks = per_peer > 0 ? per_peer : 1;
        *ranks_p += host->ranks;
    }
    return 0;
}

/* --- files --- */

int
exec_hosts_load(const char *path, struct text *content, struct text *error)
{
    FILE *file = fopen(path, "re");
    char piece[4096];
    size_t count;
    int failed;

    if (file == NULL) {
        text_print(error, "--hostfile %s: %s", path, strerror(errno));
        return -1;
    }
    while ((count = fread(piece, 1, sizeof(piece), file)) > 0)
        text_add(content, piece, count);
    failed = ferror(file) ? errno : 0;
    fclose(file);
    if (failed)
        text_print(error, "--hostfile %s: it can't be read: %s", path, strerror(failed));
    return failed ? -1 : 0;
}
