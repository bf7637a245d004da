/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROCESS_REACH_H
#define CPI_PROCESS_REACH_H

/*
 * The memory of a process below this one, by the kernel's leave (process_vm_readv and _writev).
 *
 * What the process says of itself is foreign: its pid may not be as this process sees it, nor true.
 * So it must descend from this process, and hold a known value (the cookie) at the place it names;
 * a pidfd tells when the pid comes to mean somebody else.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct reach {
    pid_t pid;  /* 0: out of reach */
    int pidfd;
};

/* False, and nothing is held, when the process is not below this one or the kernel refuses. */
bool reach_open(struct reach *reach, pid_t pid, uint64_t cookie_address, uint64_t cookie);

/* Copies `bytes` at `address` there to `here`, or back; all or an error. 0, or an errno: ESRCH when
 * the process is gone, EFAULT when the memory is not the process's. */
int reach_read(const struct reach *reach, uint64_t address, void *here, size_t bytes);
int reach_write(const struct reach *reach, uint64_t address, const void *here, size_t bytes);

/* One that is out of reach is fine. */
void reach_close(struct reach *reach);

#endif
