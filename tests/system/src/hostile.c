/* SPDX-License-Identifier: BSD-3-Clause */

/* hostile ATTEMPT [ARGUMENT]...: see hostile.h. */

#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

int hostile_broken;

/* --- files --- */

static void
read_one(const char *path)
{
    hostile_say(path, open(path, O_RDONLY) >= 0);
}

static void
write_one(const char *path)
{
    hostile_say(path, open(path, O_WRONLY | O_CREAT, 0600) >= 0 || unlink(path) == 0);
}

/* The paths come in the environment: what is an argument the sandbox shows. */
static void
paths_try(void (*try)(const char *path))
{
    char *paths = getenv("HOSTILE_PATHS");
    const char *path;

    while (paths != NULL && (path = strsep(&paths, ":")) != NULL)
        try(path);
}

/* Files of a MiB until no more fits; how many did. */
static void
fill(const char *directory, long most)
{
    static char block[1 << 20];
    char path[4096];
    long files = 0;

    memset(block, 1, sizeof(block));
    for (; files <= most; files++) {
        snprintf(path, sizeof(path), "%s/fill.%ld", directory, files);
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        if (fd < 0 || write(fd, block, sizeof(block)) != sizeof(block))
            break;
        close(fd);
    }
    printf("filled %s with %ld MiB\n", directory, files);
    hostile_say(directory, files > most);
}

static void
open_many(long most)
{
    long count = 0;

    while (count <= most && open("/dev/null", O_RDONLY) >= 0)
        count++;
    printf("opened %ld\n", count);
    hostile_say("open files", count > most);
}

/* --- processes --- */

/* Who is left behind ignores what it can, and moves out of the rank's group and session. */
static void
linger(void)
{
    for (int number = 1; number < 65; number++)
        signal(number, SIG_IGN);
    setsid();
    if (fork() != 0)
        _exit(0);
    for (;;)
        pause();
}

static void
bomb(long most)
{
    long count = 0;
    pid_t pid;

    while (count <= most && (pid = fork()) >= 0) {
        if (pid == 0)
            for (;;)
                pause();
        count++;
    }
    printf("forked %ld\n", count);
    hostile_say("processes", count > most);
}

/* All of them forking without end, and nobody to tell how it went. */
static void
storm(void)
{
    signal(SIGTERM, SIG_IGN);
    for (;;)
        fork();
}

static void
stay(void)
{
    if (fork() == 0)
        linger();
    signal(SIGCHLD, SIG_DFL);
}

static void
outside(char **pids)
{
    for (; *pids != NULL; pids++) {
        pid_t pid = (pid_t)strtol(*pids, NULL, 10);
        hostile_say(*pids, kill(pid, SIGKILL) == 0 || kill(-pid, SIGKILL) == 0);
    }
}

/* --- memory --- */

/* Blocks of 16 MiB, written to; how many there were until one was refused. */
static void
eat(int flags, long most_mib)
{
    long count = 0;

    while (count * 16 <= most_mib) {
        char *block = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED)
            break;
        memset(block, 1, 16 * MIB);
        count++;
    }
    printf("ate %ld MiB\n", count * 16);
    hostile_say("memory", count * 16 > most_mib);
}

/* Memory that belongs to no process. */
static void
eat_files(long most_mib)
{
    static char block[1 << 20];
    long count = 0;
    int fd = (int)syscall(SYS_memfd_create, "x", 0);

    memset(block, 1, sizeof(block));
    while (fd >= 0 && count <= most_mib && write(fd, block, sizeof(block)) == sizeof(block))
        count++;
    printf("ate %ld MiB\n", count);
    hostile_say("a memfd", count > most_mib);
}

/* Memory of the kernel: 2 MiB a set. */
static void
eat_semaphores(long most_mib)
{
    long count = 0;

    while (count * 2 <= most_mib && semget(IPC_PRIVATE, 32000, 0600) >= 0)
        count++;
    printf("ate %ld MiB\n", count * 2);
    hostile_say("semaphores", count * 2 > most_mib);
}

/* --- the rest --- */

static void
dump(void)
{
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &all);
        abort();
    }
    waitpid(pid, &status, 0);
    hostile_say("a core", WCOREDUMP(status));
}

static void
hurry(void)
{
    struct sched_param none = {0};

    hostile_say("not SCHED_IDLE", sched_getscheduler(0) != SCHED_IDLE);
    hostile_say("leaving SCHED_IDLE", sched_setscheduler(0, SCHED_OTHER, &none) == 0);
    hostile_say("a better niceness", setpriority(PRIO_PROCESS, 0, -5) == 0);
}

int
main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    long number = argc > 2 ? strtol(argv[2], NULL, 10) : 0;

    if (strcmp(what, "read") == 0)
        paths_try(read_one);
    else if (strcmp(what, "write") == 0)
        paths_try(write_one);
    else if (strcmp(what, "fill") == 0)
        fill(argv[3], number);
    else if (strcmp(what, "open") == 0)
        open_many(number);
    else if (strcmp(what, "bomb") == 0)
        bomb(number);
    else if (strcmp(what, "storm") == 0)
        storm();
    else if (strcmp(what, "stay") == 0)
        stay();
    else if (strcmp(what, "outside") == 0)
        outside(argv + 2);
    else if (strcmp(what, "eat") == 0)
        eat(MAP_PRIVATE, number);
    else if (strcmp(what, "share") == 0)
        eat(MAP_SHARED, number);
    else if (strcmp(what, "memfd") == 0)
        eat_files(number);
    else if (strcmp(what, "semaphores") == 0)
        eat_semaphores(number);
    else if (strcmp(what, "dump") == 0)
        dump();
    else if (strcmp(what, "hurry") == 0)
        hurry();
    else if (strcmp(what, "calls") == 0)
        hostile_calls();
    else if (strcmp(what, "cage") == 0)
        hostile_cage();
    else if (strcmp(what, "network") == 0)
        hostile_network(argv[2]);
    else
        return 3;
    return hostile_broken != 0;
}
