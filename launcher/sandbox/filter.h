/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_SANDBOX_FILTER_H
#define CPI_SANDBOX_FILTER_H

/*
 * The system calls of caged processes, as two seccomp filters, both of which must agree.
 *
 * `known` lists what programs may call at all; what it doesn't list, today's or a future kernel's,
 * is answered ENOSYS, so that libraries fall back. `refused` looks at arguments of some that are
 * listed, and refuses others by name with EPERM, which says more than ENOSYS.
 *
 * process_vm_readv and _writev are allowed: ranks of one job copy long messages with them, and
 * nobody else is in their pid namespace but the cage, which isn't dumpable.
 */

#include <stdbool.h>

struct sandbox_filters {
    int known_fd, refused_fd;  /* programs for bwrap --add-seccomp-fd, close-on-exec; -1: none */
};

/* `countable`: a control group counts the memory of the cage. Without one, memory that belongs to
 * no process is refused: memfds, and of System V segments, message queues and semaphores (a set
 * takes 2 MiB of the kernel's memory, and there may be 32000). 0, or -1 with errno. */
int sandbox_filters_make(struct sandbox_filters *filters, bool countable);

void sandbox_filters_release(struct sandbox_filters *filters);

#endif
