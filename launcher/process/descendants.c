/* SPDX-License-Identifier: BSD-3-Clause */
#include "process/descendants.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STAT_BYTES 512u  /* /proc/PID/stat up to the parent's pid, and more */
#define NAME_BYTES 32u

struct process {
    pid_t pid, parent;
    char state;
    bool below;  /* us */
    uint64_t ticks;  /* of CPU time, with that of its reaped children */
    uint64_t rss_pages;
    char name[NAME_BYTES];
};

struct table {
    struct process *rows;
    size_t count, capacity;
};

/* "PID (name) S PPID …", where the name may hold anything, ") S 1" too: the last ')' ends it. */
static bool
stat_parse(char *text, struct process *process)
{
    char *open = strchr(text, '(');
    char *close = strrchr(text, ')');
    long parent;
    unsigned long user, kernel;
    long child_user, child_kernel, rss;

    if (open == NULL || close == NULL || close < open)
        return false;
    if (sscanf(close + 1, " %c %ld", &process->state, &parent) != 2)
        return false;
    process->parent = (pid_t)parent;
    /* See proc(5): fields 14 to 17, and 24. */
    if (sscanf(close + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld"
               " %*d %*d %*d %*d %*u %*u %ld", &user, &kernel, &child_user, &child_kernel,
               &rss) == 5) {
        process->ticks = user + kernel + (uint64_t)child_user + (uint64_t)child_kernel;
        process->rss_pages = (uint64_t)rss;
    }
    *close = 0;
    snprintf(process->name, sizeof(process->name), "%s", open + 1);
    return true;
}

static bool
process_read(pid_t pid, struct process *process)
{
    char path[64];
    char text[STAT_BYTES];
    ssize_t count;
    int fd;

    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    count = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (count <= 0)
        return false;
    text[count] = 0;
    *process = (struct process){.pid = pid};
    return stat_parse(text, process);
}

static bool
table_add(struct table *table, const struct process *process)
{
    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 256;
        struct process *rows = realloc(table->rows, capacity * sizeof(*rows));
        if (rows == NULL)
            return false;
        table->rows = rows;
        table->capacity = capacity;
    }
    table->rows[table->count++] = *process;
    return true;
}

static void
table_read(struct table *table)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;

    if (proc == NULL)
        return;
    while ((entry = readdir(proc)) != NULL) {
        struct process process;
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        if (process_read((pid_t)strtol(entry->d_name, NULL, 10), &process))
            if (!table_add(table, &process))
                break;
    }
    closedir(proc);
}

static bool
is_below(const struct table *table, pid_t parent, pid_t self)
{
    if (parent == self)
        return true;
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].pid == parent)
            return table->rows[i].below;
    return false;
}

/* Marks generation after generation until none is added. */
static void
table_mark(struct table *table, pid_t spare)
{
    pid_t self = getpid();
    bool more = true;

    while (more) {
        more = false;
        for (size_t i = 0; i < table->count; i++) {
            struct process *row = &table->rows[i];
            if (row->below || row->pid == spare || !is_below(table, row->parent, self))
                continue;
            row->below = true;
            more = true;
        }
    }
}

static bool
row_is_living(const struct process *row)
{
    return row->below && row->state != 'Z' && row->state != 'X';
}

static void
name_append(char *text, size_t text_bytes, const struct process *row)
{
    size_t used;

    if (text == NULL)
        return;
    used = strlen(text);
    snprintf(text + used, text_bytes - used, "%s%s (pid %ld)", used ? ", " : "", row->name,
             (long)row->pid);
}

/* The process may have ended since the table was read, and its number may be another's: with a
 * pidfd in hand, its parent is looked at again, and the signal goes to that very process. */
static int
row_signal(const struct process *row, int signal)
{
    int pidfd = (int)syscall(SYS_pidfd_open, row->pid, 0);
    struct process now;
    int result;

    if (pidfd < 0 && errno != ENOSYS)
        return -1;
    if (!process_read(row->pid, &now) || (now.parent != row->parent && now.parent != getpid())) {
        errno = ESRCH;
        result = -1;
    } else {
        result = pidfd < 0 ? kill(row->pid, signal)
                           : (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
    }
    if (pidfd >= 0) {
        int error = errno;
        close(pidfd);
        errno = error;
    }
    return result;
}

size_t
descendants_signal(int signal, pid_t spare, char *refused, size_t refused_bytes)
{
    struct table table = {0};
    size_t count = 0;

    if (refused)
        refused[0] = 0;
    table_read(&table);
    table_mark(&table, spare);
    for (size_t i = 0; i < table.count; i++) {
        const struct process *row = &table.rows[i];
        if (!row_is_living(row))
            continue;
        if (row_signal(row, signal) == 0)
            count++;
        else if (errno != ESRCH)
            name_append(refused, refused_bytes, row);
    }
    free(table.rows);
    return count;
}

size_t
descendants_list(char *text, size_t text_bytes)
{
    struct table table = {0};
    size_t count = 0;

    text[0] = 0;
    table_read(&table);
    table_mark(&table, 0);
    for (size_t i = 0; i < table.count; i++) {
        if (!row_is_living(&table.rows[i]))
            continue;
        name_append(text, text_bytes, &table.rows[i]);
        count++;
    }
    free(table.rows);
    return count;
}

/* Who is reaped by a descendant counts there, who is reaped by us in RUSAGE_CHILDREN. */
void
descendants_measure(struct descendants_usage *usage)
{
    struct table table = {0};
    struct rusage reaped = {0};
    uint64_t ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK);

    memset(usage, 0, sizeof(*usage));
    getrusage(RUSAGE_CHILDREN, &reaped);
    usage->cpu_us = (uint64_t)(reaped.ru_utime.tv_sec + reaped.ru_stime.tv_sec) * 1000000u +
                    (uint64_t)(reaped.ru_utime.tv_usec + reaped.ru_stime.tv_usec);
    table_read(&table);
    table_mark(&table, 0);
    for (size_t i = 0; i < table.count; i++) {
        const struct process *row = &table.rows[i];
        if (!row_is_living(row))
            continue;
        usage->count++;
        usage->cpu_us += row->ticks * 1000000u / ticks_per_s;
        usage->rss_bytes += row->rss_pages * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    free(table.rows);
}

bool
descendants_have(pid_t pid)
{
    struct process process;

    while (pid > 1 && process_read(pid, &process)) {
        pid = process.parent;
        if (pid == getpid())
            return true;
    }
    return false;
}
