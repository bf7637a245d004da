/* SPDX-License-Identifier: BSD-3-Clause */
/* What an agent of ours and everything below it has used: by its cgroup, or process by process. */
#include "peer/load_parts.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text/memory.h"

#define LINE_BYTES     1024u
#define CHILDREN_BYTES (64u << 10)
#define DEPTH_MAX      64u

/* --- a cgroup --- */

/* Version 2's cpu.stat has µs; nice_usec is there since Linux 6.12. */
static bool
group_read(const struct load_root *root, struct load_usage *usage)
{
    char text[LINE_BYTES];
    uint64_t nice = 0;
    uint64_t user, system;

    if (load_file_read(root->cgroup, "/cpu.stat", text, sizeof(text)) > 0 &&
        load_line_number(text, "user_usec ", &user) &&
        load_line_number(text, "system_usec ", &system)) {
        if (!load_line_number(text, "nice_usec ", &nice))
            nice = root->niced ? user : 0;
    } else {
        /* Version 1's cpuacct has ns. */
        user = load_file_number(root->cgroup, "/cpuacct.usage_user", UINT64_MAX);
        system = load_file_number(root->cgroup, "/cpuacct.usage_sys", UINT64_MAX);
        if (user == UINT64_MAX || system == UINT64_MAX)
            return false;
        user /= 1000;
        system /= 1000;
        nice = root->niced ? user : 0;
    }
    usage->competing_us = user - (nice < user ? nice : user) + system;
    usage->all_us = user + system;
    usage->resident_bytes = load_file_number(
        root->cgroup, "/memory.current",
        load_file_number(root->cgroup, "/memory.usage_in_bytes", 0));
    return true;
}

/* --- processes --- */

struct walk {
    const char *prefix;
    const struct load_root *root;
    struct load_usage *usage;
    uint64_t tick_us;
    uint64_t page_bytes;
    struct load_table *table;
};

/* The fields behind the name, which may itself hold anything but ends at the last ')'. */
static const char *
stat_fields(const struct walk *walk, pid_t pid, char *text, size_t bytes)
{
    char path[64];
    char *close;

    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    if (load_file_read(walk->prefix, path, text, bytes) <= 0)
        return NULL;
    close = strrchr(text, ')');
    return close != NULL ? close + 1 : NULL;
}

/* Adds one process. Its ended children count too (cutime, cstime): so nothing is lost when a rank
 * ends. Whether those were nice nobody knows but the caller. */
static bool
process_add(struct walk *walk, pid_t pid)
{
    char text[LINE_BYTES];
    char path[64];
    const char *fields = stat_fields(walk, pid, text, sizeof(text));
    unsigned long long user, system, ended_user, ended_system;
    unsigned long long resident = 0, shared = 0;
    uint64_t competing;
    long nice;

    if (fields == NULL ||
        sscanf(fields, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu %*d %ld",
               &user, &system, &ended_user, &ended_system, &nice) != 5)
        return false;
    competing = system + ended_system;
    if (nice <= 0)
        competing += user;
    if (!walk->root->niced)
        competing += ended_user;
    walk->usage->competing_us += competing * walk->tick_us;
    walk->usage->all_us += (user + system + ended_user + ended_system) * walk->tick_us;

    /* What isn't shared: the job segment would count once for each rank. */
    snprintf(path, sizeof(path), "/proc/%ld/statm", (long)pid);
    if (load_file_read(walk->prefix, path, text, sizeof(text)) > 0 &&
        sscanf(text, "%*u %llu %llu", &resident, &shared) == 2 && resident > shared)
        walk->usage->resident_bytes += (resident - shared) * walk->page_bytes;
    return true;
}

static void
table_fill(struct walk *walk)
{
    char path[LOAD_PATH_BYTES];
    char text[LINE_BYTES];
    struct load_table *table = walk->table;
    struct dirent *entry;
    size_t capacity = 0;
    DIR *proc;

    walk->table->filled = true;
    snprintf(path, sizeof(path), "%s/proc", walk->prefix);
    proc = opendir(path);
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        const char *fields = pid > 0 ? stat_fields(walk, pid, text, sizeof(text)) : NULL;
        long parent;

        if (fields == NULL || sscanf(fields, " %*c %ld", &parent) != 1)
            continue;
        if (table->count == capacity) {
            capacity = capacity > 0 ? 2 * capacity : 256;
            table->rows = memory_grow(table->rows, capacity, sizeof(table->rows[0]));
        }
        table->rows[table->count++] = (struct load_process){.pid = pid, .parent = (pid_t)parent};
    }
    if (proc != NULL)
        closedir(proc);
}

static void tree_add(struct walk *walk, pid_t pid, unsigned depth);

static void
children_of_table(struct walk *walk, pid_t pid, unsigned depth)
{
    if (!walk->table->filled)
        table_fill(walk);
    for (size_t i = 0; i < walk->table->count; i++) {
        if (walk->table->rows[i].parent == pid && walk->table->rows[i].pid != pid)
            tree_add(walk, walk->table->rows[i].pid, depth);
    }
}

/* The children of one thread, as the kernel lists them. */
static bool
children_of_thread(struct walk *walk, pid_t pid, const char *thread, unsigned depth)
{
    char *text = memory_new(CHILDREN_BYTES, 1);
    char path[128];
    char *at = text;
    long count;

    snprintf(path, sizeof(path), "/proc/%ld/task/%.32s/children", (long)pid, thread);
    count = load_file_read(walk->prefix, path, text, CHILDREN_BYTES);
    while (count >= 0 && isdigit((unsigned char)*at)) {
        tree_add(walk, (pid_t)strtol(at, &at, 10), depth);
        at += strspn(at, " \n");
    }
    free(text);
    return count >= 0;
}

static void
children_add(struct walk *walk, pid_t pid, unsigned depth)
{
    char path[LOAD_PATH_BYTES];
    struct dirent *entry;
    bool listed = false;
    DIR *tasks;

    if (walk->table->filled) {
        children_of_table(walk, pid, depth);
        return;
    }
    snprintf(path, sizeof(path), "%s/proc/%ld/task", walk->prefix, (long)pid);
    tasks = opendir(path);
    while (tasks != NULL && (entry = readdir(tasks)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0]))
            listed |= children_of_thread(walk, pid, entry->d_name, depth);
    }
    if (tasks != NULL)
        closedir(tasks);
    if (!listed)
        children_of_table(walk, pid, depth);
}

static void
tree_add(struct walk *walk, pid_t pid, unsigned depth)
{
    if (depth < DEPTH_MAX && process_add(walk, pid))
        children_add(walk, pid, depth + 1);
}

static bool
tree_read(const char *prefix, const struct load_root *root, struct load_table *table,
          struct load_usage *usage)
{
    struct walk walk = {.prefix = prefix, .root = root, .table = table, .usage = usage,
                        .tick_us = 1000000u / (uint64_t)sysconf(_SC_CLK_TCK),
                        .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE)};
    bool there = process_add(&walk, root->pid);

    if (there)
        children_add(&walk, root->pid, 1);
    return there;
}

void
load_table_release(struct load_table *table)
{
    free(table->rows);
    *table = (struct load_table){0};
}

bool
load_own_read(const char *prefix, const struct load_root *root, struct load_table *table,
              struct load_usage *usage)
{
    *usage = (struct load_usage){0};
    if (root->cgroup != NULL && group_read(root, usage))
        return true;
    return tree_read(prefix, root, table, usage);
}
