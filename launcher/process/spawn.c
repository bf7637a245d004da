/* SPDX-License-Identifier: BSD-3-Clause */
#include "process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_DEFAULT "/bin:/usr/bin"

/* Where the child, which shares our memory until execve, leaves word of its failure. */
struct failure {
    int error;
    enum spawn_step step;
};

static _Noreturn void
child_fail(volatile struct failure *failure, enum spawn_step step)
{
    failure->error = errno ? errno : EINVAL;
    failure->step = step;
    _exit(127);
}

/* A shell would run anything that the kernel doesn't; but a program of another machine, or half of
 * one, is no script. */
static bool
child_file_is_text(const char *path)
{
    char bytes[128];
    ssize_t count = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        count = read(fd, bytes, sizeof(bytes));
        close(fd);
    }
    /* Not readable: the shell says so. */
    return count < 0 || (memchr(bytes, 0, (size_t)count) == NULL &&
                         (count < 4 || memcmp(bytes, "\177ELF", 4) != 0));
}

/* execve, and as a shell does it: a text file without "#!" is a script of /bin/sh. */
static void
child_exec_file(const char *path, const struct spawn_request *request)
{
    size_t count = 0;

    execve(path, request->argv, request->env);
    if (errno != ENOEXEC)
        return;
    if (!child_file_is_text(path)) {
        errno = ENOEXEC;
        return;
    }
    while (request->argv[count])
        count++;
    char *argv[count + 2];
    argv[0] = (char *)"/bin/sh";
    argv[1] = (char *)path;
    for (size_t i = 1; i <= count; i++)
        argv[i + 1] = request->argv[i];
    execve(argv[0], argv, request->env);
}

static const char *
environment_path(char *const *env)
{
    for (; *env; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    return PATH_DEFAULT;
}

/* Tries each directory of PATH, then the current one, as mpirun does; "no permission" somewhere is
 * the better answer than "not there". */
static void
child_exec_search(const struct spawn_request *request)
{
    const char *name = request->argv[0];
    const char *path = environment_path(request->env);
    size_t name_bytes = strlen(name) + 1;
    char file[PATH_MAX];
    int denied = 0;

    errno = ENOENT;
    while (name_bytes > 1) {
        size_t bytes = strcspn(path, ":");
        if (bytes + 1 + name_bytes <= sizeof(file)) {
            memcpy(file, path, bytes);
            memcpy(file + bytes, "/", 1);
            memcpy(file + bytes + (bytes > 0), name, name_bytes);
            child_exec_file(file, request);
            denied |= errno == EACCES;
            if (errno != EACCES && errno != ENOENT && errno != ENOTDIR)
                return;
        }
        if (path[bytes] == 0)
            break;
        path += bytes + 1;
    }
    if (name_bytes > 1) {
        child_exec_file(name, request);
        denied |= errno == EACCES;
        if (errno != EACCES && errno != ENOENT && errno != ENOTDIR)
            return;
    }
    errno = denied ? EACCES : ENOENT;
}

/* Handlers are not inherited but "ignored" and the mask are. */
static void
child_signals_reset(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        sigaction(number, &action, NULL);  /* refused for SIGKILL, SIGSTOP and libc's own */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
child_files_set(const struct spawn_request *request)
{
    for (int i = 0; i < 3; i++)
        if (dup2(request->stdio[i], i) < 0)
            return -1;
    for (int i = 0; i < SPAWN_HANDED_MAX; i++)
        if (request->handed[i] >= 0 && dup2(request->handed[i], request->handed_as[i]) < 0)
            return -1;
    return request->files ? setrlimit(RLIMIT_NOFILE, request->files) : 0;
}

static _Noreturn void
child_run(const struct spawn_request *request, pid_t parent, volatile struct failure *failure)
{
    errno = 0;
    if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        child_fail(failure, SPAWN_SETUP);
    if (getppid() != parent)
        _exit(127);  /* it died before it was our death signal's sender */
    child_signals_reset();
    if (child_files_set(request) < 0)
        child_fail(failure, SPAWN_SETUP);
    if (request->prepare && request->prepare(request->prepare_arg) < 0)
        child_fail(failure, SPAWN_SETUP);
    umask(request->umask);
    if (request->directory && request->directory[0] && chdir(request->directory) < 0)
        child_fail(failure, SPAWN_DIRECTORY);
    if (request->file)
        child_exec_file(request->file, request);
    else if (strchr(request->argv[0], '/'))
        child_exec_file(request->argv[0], request);
    else
        child_exec_search(request);
    child_fail(failure, SPAWN_RUN);
}

int
spawn_process(const struct spawn_request *request, pid_t *pid_p, enum spawn_step *step_p)
{
    volatile struct failure failure = {0};
    pid_t self = getpid();
    sigset_t all, before;
    pid_t pid;

    /* No handler of ours may run in the child: it would run in our memory. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = vfork();
    if (pid == 0)
        child_run(request, self, &failure);
    if (pid < 0) {
        failure.error = errno;
        failure.step = SPAWN_FORK;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (failure.error == 0) {
        *pid_p = pid;
        return 0;
    }
    if (pid > 0)
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    *step_p = failure.step;
    errno = failure.error;
    return -1;
}
