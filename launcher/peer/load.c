/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/load.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cpmp.h>

#include "peer/load_parts.h"
#include "text/memory.h"

#define SMOOTH_US  UINT64_C(3000000)  /* of a step, more than half shows after that */
#define STAT_BYTES (256u << 10)       /* /proc/stat of 4096 processors */
#define MANY_CORES 4096u

/* What a root had used at the last reading. */
struct known {
    pid_t pid;
    struct load_usage usage;
};

struct load {
    char *prefix;               /* owned */
    cpu_set_t *cores;           /* MANY_CORES; owned; NULL: all */
    bool begun;                 /* there was a reading */
    bool rated;                 /* there were two */
    uint64_t last_us;
    uint64_t competing_ticks;   /* of all, at the last reading */
    double others, own;         /* parts of the whole, smoothed */
    struct known *known;        /* owned */
    size_t known_count;
    struct load_people people;
    char *text;                 /* STAT_BYTES; owned */
};

struct load *
load_new(const char *prefix, const cpu_set_t *cores)
{
    struct load *load = memory_new(1, sizeof(*load));
    size_t bytes = CPU_ALLOC_SIZE(MANY_CORES);

    load->prefix = memory_copy_text(prefix);
    load->text = memory_new(STAT_BYTES, 1);
    load->cores = memory_new(1, bytes);
    if (cores != NULL) {
        memcpy(load->cores, cores, sizeof(*cores));
    } else if (sched_getaffinity(0, bytes, load->cores) != 0) {
        free(load->cores);
        load->cores = NULL;
    }
    return load;
}

void
load_free(struct load *load)
{
    if (load == NULL)
        return;
    free(load->known);
    free(load->cores);
    free(load->text);
    free(load->prefix);
    free(load);
}

/* --- small files --- */

long
load_file_read(const char *prefix, const char *path, char *text, size_t bytes)
{
    char whole[LOAD_PATH_BYTES];
    size_t used = 0;
    ssize_t count;
    int fd;

    if (snprintf(whole, sizeof(whole), "%s%s", prefix, path) >= (int)sizeof(whole))
        return -1;
    fd = open(whole, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    while (used < bytes - 1 && (count = read(fd, text + used, bytes - 1 - used)) > 0)
        used += (size_t)count;
    close(fd);
    text[used] = '\0';
    return (long)used;
}

uint64_t
load_file_number(const char *prefix, const char *path, uint64_t fallback)
{
    char text[64];

    if (load_file_read(prefix, path, text, sizeof(text)) <= 0 || !isdigit((unsigned char)*text))
        return fallback;
    return strtoull(text, NULL, 10);
}

bool
load_line_number(const char *text, const char *key, uint64_t *number_p)
{
    size_t length = strlen(key);

    while (text != NULL && *text != '\0') {
        if (strncmp(text, key, length) == 0) {
            *number_p = strtoull(text + length, NULL, 10);
            return true;
        }
        text = strchr(text, '\n');
        if (text != NULL)
            text++;
    }
    return false;
}

/* --- processors --- */

/* "cpu3 user nice system idle iowait irq softirq ...": user, system, irq and softirq compete. */
static uint64_t
line_competing(const char *line)
{
    unsigned long long user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0;

    (void)sscanf(line, "%*s %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle,
                 &wait, &irq, &soft);
    return user + system + irq + soft;
}

static int
processors_read(struct load *load, uint32_t *cores_p, uint64_t *ticks_p, struct text *why)
{
    char *line = load->text;

    *cores_p = 0;
    *ticks_p = 0;
    if (load_file_read(load->prefix, "/proc/stat", load->text, STAT_BYTES) <= 0) {
        text_print(why, "%s/proc/stat can't be read: %s", load->prefix, strerror(errno));
        return CPMP_ESYS;
    }
    while (line != NULL && strncmp(line, "cpu", 3) == 0) {
        if (isdigit((unsigned char)line[3])) {
            unsigned long core = strtoul(line + 3, NULL, 10);

            if (load->cores == NULL || CPU_ISSET_S(core, CPU_ALLOC_SIZE(MANY_CORES), load->cores)) {
                *ticks_p += line_competing(line);
                (*cores_p)++;
            }
        }
        line = strchr(line, '\n');
        if (line != NULL)
            line++;
    }
    if (*cores_p == 0) {
        text_print(why, "%s/proc/stat names no processor that may be used", load->prefix);
        return CPMP_ESYS;
    }
    return CPMP_OK;
}

/* --- our own --- */

static const struct load_usage *
known_find(const struct load *load, pid_t pid)
{
    for (size_t i = 0; i < load->known_count; i++) {
        if (load->known[i].pid == pid)
            return &load->known[i].usage;
    }
    return NULL;
}

static uint64_t
grown(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

/* What all roots used since the last reading; what one of them used before it was known counts too,
 * as it began since. */
static struct load_usage
own_read(struct load *load, const struct load_root *roots, size_t count)
{
    struct load_usage since = {0};
    struct known *now = memory_new(count + 1, sizeof(*now));
    struct load_table table = {0};
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        const struct load_usage *before = known_find(load, roots[i].pid);
        struct load_usage usage;

        if (!load_own_read(load->prefix, &roots[i], &table, &usage))
            continue;
        since.competing_us += grown(usage.competing_us, before ? before->competing_us : 0);
        since.all_us += grown(usage.all_us, before ? before->all_us : 0);
        since.resident_bytes += usage.resident_bytes;
        now[found++] = (struct known){.pid = roots[i].pid, .usage = usage};
    }
    load_table_release(&table);
    free(load->known);
    load->known = now;
    load->known_count = found;
    return since;
}

/* --- all together --- */

static double
part(double time_us, double whole_us)
{
    double value = whole_us > 0 ? time_us / whole_us : 0;

    return value < 0 ? 0 : value > 1 ? 1 : value;
}

static void
rates_step(struct load *load, uint32_t cores, uint64_t ticks, const struct load_usage *own,
           uint64_t now_us)
{
    double tick_us = 1e6 / (double)sysconf(_SC_CLK_TCK);
    double elapsed_us = (double)grown(now_us, load->last_us);
    double whole_us = elapsed_us * cores;
    double competing_us = (double)grown(ticks, load->competing_ticks) * tick_us;
    double others = part(competing_us - (double)own->competing_us, whole_us);
    double mine = part((double)own->all_us, whole_us);
    double weight = load->rated ? elapsed_us / (elapsed_us + (double)SMOOTH_US) : 1;

    if (!load->begun || elapsed_us <= 0)
        return;
    load->others += (others - load->others) * weight;
    load->own += (mine - load->own) * weight;
    load->rated = true;
}

static void
memory_read(const char *prefix, char *text, struct load_reading *reading)
{
    uint64_t kib;

    reading->memory_bytes = 0;
    reading->memory_available_bytes = 0;
    if (load_file_read(prefix, "/proc/meminfo", text, STAT_BYTES) <= 0)
        return;
    if (load_line_number(text, "MemTotal:", &kib))
        reading->memory_bytes = kib << 10;
    if (load_line_number(text, "MemAvailable:", &kib))
        reading->memory_available_bytes = kib << 10;
}

int
load_read(struct load *load, const struct load_root *roots, size_t root_count, uint64_t now_us,
          uint64_t wall_us, struct load_reading *reading, struct text *why)
{
    struct load_usage own;
    uint32_t cores;
    uint64_t ticks;
    int error = processors_read(load, &cores, &ticks, why);

    if (error)
        return error;
    own = own_read(load, roots, root_count);
    if (load->last_us == 0 || now_us > load->last_us) {
        rates_step(load, cores, ticks, &own, now_us);
        load->competing_ticks = ticks;
        load->last_us = now_us;
        load->begun = true;
    }
    reading->cores = cores;
    reading->others_permille = load->rated ? (uint32_t)(load->others * 1000 + 0.5) : 1000;
    reading->own_permille = (uint32_t)(load->own * 1000 + 0.5);
    reading->own_resident_bytes = own.resident_bytes;
    memory_read(load->prefix, load->text, reading);
    reading->people_idle_us = load_people_idle(&load->people, load->prefix, now_us, wall_us);
    reading->on_battery = load_on_battery(load->prefix, &reading->battery_percent);
    assert(reading->others_permille <= 1000 && reading->own_permille <= 1000);
    return CPMP_OK;
}

uint64_t
load_disk_free_bytes(const char *path)
{
    struct statvfs about;

    if (statvfs(path, &about) != 0)
        return 0;
    return (uint64_t)about.f_bavail * about.f_frsize;
}
