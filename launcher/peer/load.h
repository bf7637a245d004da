/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_LOAD_H
#define CPI_PEER_LOAD_H

/*
 * What goes on on this machine besides our ranks: the load of others, whether people use it, what
 * it runs on, what memory there is. Read from /proc, /sys and /dev about once a second.
 *
 * The load of others is the processor time of all less that of our own agents and ranks, smoothed
 * over some seconds; the load average is too slow, and has ours in it. Only what competes counts:
 * user and system time. The time of programs of lower priority (nice above 0) doesn't, since
 * they don't suffer from ranks that only get what nobody else wants; nor does waiting for a disk.
 * So ranks that are to leave others alone run with SCHED_IDLE *and* nice 19: the kernel's account
 * tells by nice alone, and two daemons on one machine would suspend each other's ranks otherwise.
 *
 * Processors are those that this process may run on.
 *
 * People: terminals tell when they were read from last, as w(1) has it. For keyboards and mice of
 * the machine itself, interrupts of their controllers and the transfers of USB input devices are
 * counted: a number that has grown means that somebody was there. What grew before the first
 * reading is not known, so on a machine that has such devices somebody counts as there at first.
 */

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "text/text.h"

#define LOAD_NOBODY UINT64_MAX

/* An agent of ours: everything below it is ours too. */
struct load_root {
    pid_t pid;
    const char *cgroup;  /* directory that holds it and all below it, nothing else; or NULL */
    bool niced;          /* its ranks run with nice above 0 */
};

struct load_reading {
    uint32_t cores;
    uint32_t others_permille;      /* of all cores together; smoothed */
    uint32_t own_permille;         /* all of our own time, nice or not; smoothed */
    uint64_t own_resident_bytes;
    uint64_t people_idle_us;       /* LOAD_NOBODY: nothing that people use is there */
    bool on_battery;
    uint32_t battery_percent;      /* 100 without one */
    uint64_t memory_bytes, memory_available_bytes;
};

struct load;

/* `prefix` stands before /proc, /sys and /dev ("" for the machine's own), for tests. `cores`: NULL
 * for those that this process may run on. Both are copied. */
struct load *load_new(const char *prefix, const cpu_set_t *cores);
void load_free(struct load *load);

/* Reads now. `now_us` is of a clock that never goes back, `wall_us` the time since 1970. The first
 * reading has no load yet: it says that all is taken by others, so that nothing is started on a
 * guess. CPMP_OK, or CPMP_ESYS with `why` when /proc can't be read (then *reading is unchanged). */
int load_read(struct load *load, const struct load_root *roots, size_t root_count, uint64_t now_us,
              uint64_t wall_us, struct load_reading *reading, struct text *why);

/* Bytes that an ordinary user can still write where `path` is; 0 when that isn't known. */
uint64_t load_disk_free_bytes(const char *path);

#endif
