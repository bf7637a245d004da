/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/pool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/descriptors.h"
#include "exec/options.h"
#include "plat/plat.h"
#include "ring/segment.h"
#include "text/environment.h"
#include "text/memory.h"

#define PREFIX_WORDS_MAX 32

/* Signals that this process ignores but an agent, and a rank, must get as the launcher did. */
static const int ignored_signals[] = {SIGPIPE, SIGTTIN, SIGTTOU, SIGXFSZ};
#define IGNORED_COUNT (sizeof(ignored_signals) / sizeof(ignored_signals[0]))
static struct sigaction ignored_before[IGNORED_COUNT];

/* Children that this process had already when it became cpexec, by exec from a shell: not ours to
 * end. */
static pid_t *inherited;
static size_t inherited_count;

int
exec_pool_make_host_page(uint32_t cores)
{
    int fd = cpi_memfd_make("cpmp-host", sizeof(struct cpi_host_page));
    struct cpi_host_page *page;

    if (fd < 0)
        return -1;
    page = cpi_memfd_map(fd, sizeof(*page));
    if (page == NULL) {
        close(fd);
        return -1;
    }
    page->cores = (int32_t)cores;
    cpi_memory_unmap(page, sizeof(*page));
    return fd;
}

/* --- starting --- */

static const char *
numbered_variable(const char *name, uint32_t index, char **environment)
{
    char full[64];

    snprintf(full, sizeof(full), "%s_%u", name, index);
    return environment_get(environment, full);
}

const char *
exec_agent_address(uint32_t index, char **environment)
{
    const char *address = numbered_variable("CPMP_AGENT_ADDRESS", index, environment);

    return address != NULL ? address : "";
}

/* The rest of a child's life: only async-signal-safe calls, ends with exec. */
static _Noreturn void
child_become(char **words, char **environment, int control_fd, int host_fd, int group_fd)
{
    static const char failed[] = "cpexec: the agent can't be run: ";
    const char *why;
    int nothing;

    setpgid(0, 0);
    exec_descriptors_restore();
    if (group_fd >= 0 && write(group_fd, "0", 1) < 0)
        _exit(1);
    for (size_t i = 0; i < IGNORED_COUNT; i++)
        sigaction(ignored_signals[i], &ignored_before[i], NULL);
    nothing = open("/dev/null", O_RDWR);
    if (nothing >= 0) {
        dup2(nothing, STDIN_FILENO);
        dup2(nothing, STDOUT_FILENO);
        if (nothing > STDERR_FILENO)
            close(nothing);
    }
    fcntl(control_fd, F_SETFD, 0);
    fcntl(host_fd, F_SETFD, 0);
    environ = environment;
    execvp(words[0], words);
    why = strerrordesc_np(errno);
    if (write(STDERR_FILENO, failed, sizeof(failed) - 1) > 0 && why != NULL &&
        write(STDERR_FILENO, why, strlen(why)) > 0 && write(STDERR_FILENO, "\n", 1) > 0)
        _exit(127);
    _exit(127);
}

/* "ip netns exec a" as words; `text` holds them. */
static size_t
prefix_split(char *text, char **words)
{
    size_t count = 0;
    char *word;

    while (text != NULL && count < PREFIX_WORDS_MAX && (word = strsep(&text, " ")) != NULL)
        if (*word != '\0')
            words[count++] = word;
    return count;
}

int
exec_agent_start(struct exec_agent *agent, uint32_t index, const char *path, int host_fd,
                 char **environment, struct text *error)
{
    const char *prefix = numbered_variable("CPMP_AGENT_PREFIX", index, environment);
    char *prefix_text = prefix != NULL ? memory_copy_text(prefix) : NULL;
    char *words[PREFIX_WORDS_MAX + 4], control[16], host[16];
    int pair[2], group_fd = -1;
    size_t count = prefix_split(prefix_text, words);

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        goto fail;
    if (agent->cgroup.directory != NULL)
        group_fd = group_open(agent->cgroup.directory);
    snprintf(control, sizeof(control), "%d", pair[1]);
    snprintf(host, sizeof(host), "%d", host_fd);
    words[count++] = (char *)path;
    words[count++] = control;
    words[count++] = host;
    words[count] = NULL;
    agent->pid = fork();
    if (agent->pid == 0)
        child_become(words, environment, pair[1], host_fd, group_fd);
    close(pair[1]);
    if (group_fd >= 0)
        close(group_fd);
    free(prefix_text);
    if (agent->pid > 0) {
        setpgid(agent->pid, agent->pid);  /* whoever is first: both agree */
        agent->control_fd = pair[0];
        return 0;
    }
    close(pair[0]);
    prefix_text = NULL;

fail:
    text_print(error, "the agent of peer %u can't be started: %s", index, strerror(errno));
    free(prefix_text);
    return -1;
}

void
exec_agent_describe_end(const struct exec_agent *agent, struct text *text)
{
    if (!agent->reaped)
        text_add_string(text, "it closed its control stream");
    else if (WIFSIGNALED(agent->status))
        text_print(text, "it was killed by signal %d (%s)", WTERMSIG(agent->status),
                        strsignal(WTERMSIG(agent->status)));
    else
        text_print(text, "it exited with code %d", WEXITSTATUS(agent->status));
}

/* --- orphans --- */

/* Parent of `pid` by /proc/PID/stat, whose second field is a name in parentheses that may hold
 * anything. */
static pid_t
parent_of(const char *pid)
{
    char path[64], line[512];
    const char *end;
    int parent = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
    file = fopen(path, "re");
    if (file == NULL)
        return -1;
    if (fgets(line, sizeof(line), file) != NULL && (end = strrchr(line, ')')) != NULL &&
        sscanf(end, ") %*c %d", &parent) != 1)
        parent = -1;
    fclose(file);
    return parent;
}

/* Calls `visit` for each child of this process; returns how often it said true. */
static int
children_each(bool (*visit)(pid_t pid, const void *arg), const void *arg)
{
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    pid_t own = getpid();
    int count = 0;

    if (processes == NULL)
        return 0;
    while ((entry = readdir(processes)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && parent_of(entry->d_name) == own)
            count += visit(pid, arg);
    }
    closedir(processes);
    return count;
}

static bool
child_inherit(pid_t pid, const void *arg)
{
    (void)arg;
    inherited = memory_grow(inherited, inherited_count + 1, sizeof(*inherited));
    inherited[inherited_count++] = pid;
    return true;
}

struct agent_list {
    const struct exec_agent *agents;
    uint32_t count;
};

static bool
orphan_kill(pid_t pid, const void *arg)
{
    const struct agent_list *list = arg;

    for (uint32_t i = 0; i < list->count; i++)
        if (!list->agents[i].reaped && list->agents[i].pid == pid)
            return false;
    for (size_t i = 0; i < inherited_count; i++)
        if (inherited[i] == pid)
            return false;
    kill(pid, SIGKILL);
    return true;
}

int
exec_pool_kill_orphans(const struct exec_agent *agents, uint32_t count)
{
    struct agent_list list = {.agents = agents, .count = count};

    return children_each(orphan_kill, &list);
}

void
exec_pool_init(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    siginfo_t child = {0};

    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    for (size_t i = 0; i < IGNORED_COUNT; i++)
        sigaction(ignored_signals[i], &ignore, &ignored_before[i]);
    if (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) == 0)
        children_each(child_inherit, NULL);
}
