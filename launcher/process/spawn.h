/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROCESS_SPAWN_H
#define CPI_PROCESS_SPAWN_H

/*
 * Starting a program in a process group of its own that dies with the process that started it.
 *
 * vfork makes the start cost what execve costs, however large this process is. The child has
 * default signals, no signal blocked, and no descriptor but those named here (all others of this
 * process must be close-on-exec).
 */

#include <sys/resource.h>
#include <sys/types.h>

#define SPAWN_HANDED_MAX 3

struct spawn_request {
    char *const *argv;      /* argv[0]: a path when it holds a slash, else looked up in PATH, then
                             * in `directory` */
    const char *file;       /* what to run instead of argv[0], with a slash in it; NULL: argv[0] */
    char *const *env;       /* NAME=value; PATH in here counts */
    const char *directory;  /* "" or NULL: this process's */
    mode_t umask;
    int stdio[3];           /* become 0, 1, 2; all of them above 2 */
    /* -1: none; handed[i] becomes handed_as[i], without close-on-exec. No number is in both. */
    int handed[SPAWN_HANDED_MAX];
    int handed_as[SPAWN_HANDED_MAX];
    const struct rlimit *files;  /* RLIMIT_NOFILE of the child; NULL: this process's */
    /* Called in the child, which still shares our memory: async-signal-safe calls only. NULL: none.
     * -1 with errno ends the child, with SPAWN_SETUP. */
    int (*prepare)(const void *arg);
    const void *prepare_arg;
};

/* What could not be done, with errno in the function's errno. */
enum spawn_step { SPAWN_FORK, SPAWN_SETUP, SPAWN_DIRECTORY, SPAWN_RUN };

/* Starts it. *pid_p is the child, and its group's number; the caller waits for it. On error -1 with
 * errno and *step_p set, and there is no child. */
int spawn_process(const struct spawn_request *request, pid_t *pid_p, enum spawn_step *step_p);

#endif
