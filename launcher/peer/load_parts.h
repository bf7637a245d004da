/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_LOAD_PARTS_H
#define CPI_PEER_LOAD_PARTS_H

/* The parts of peer/load.h, for load*.c only. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer/load.h"

#define LOAD_PATH_BYTES 512u

/* Reads the beginning of prefix + path into `text` (0 byte at the end). Its length, or -1. */
long load_file_read(const char *prefix, const char *path, char *text, size_t bytes);

/* A number at the beginning of a small file; `fallback` when there is none. */
uint64_t load_file_number(const char *prefix, const char *path, uint64_t fallback);

/* The number behind `key` at the beginning of a line; false when there is no such line. */
bool load_line_number(const char *text, const char *key, uint64_t *number_p);

/* Of an agent and all below it. */
struct load_usage {
    uint64_t competing_us;  /* processor time that /proc/stat has as user or system */
    uint64_t all_us;
    uint64_t resident_bytes;
};

/* All processes and their parents, for kernels that list nobody's children; filled when it is
 * needed and good for all roots of one reading. Zeroed memory is an empty one. */
struct load_process {
    pid_t pid, parent;
};

struct load_table {
    struct load_process *rows;  /* owned */
    size_t count;
    bool filled;
};

void load_table_release(struct load_table *table);

/* By its cgroup where that keeps account, else process by process. false when it is gone. */
bool load_own_read(const char *prefix, const struct load_root *root, struct load_table *table,
                   struct load_usage *usage);

/* What was seen of people. */
struct load_people {
    bool begun;
    bool devices;         /* there are keyboards or mice */
    uint64_t count;       /* of their interrupts and transfers */
    uint64_t seen_us;     /* when it grew, or the first reading */
};

/* Time since somebody was there, or LOAD_NOBODY. */
uint64_t load_people_idle(struct load_people *people, const char *prefix, uint64_t now_us,
                          uint64_t wall_us);

bool load_on_battery(const char *prefix, uint32_t *percent_p);

#endif
