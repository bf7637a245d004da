/* SPDX-License-Identifier: BSD-3-Clause */
#include "sandbox/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cpmp.h>

#include "process/libdir.h"
#include "sandbox/filter.h"
#include "sandbox/place.h"
#include "sandbox/user.h"

#define SHM_BYTES (UINT64_C(64) << 20)  /* /dev/shm */
#define NUMBER_INSIDE "1000"            /* user and group */
#define OOM_SCORE "700"                 /* foreign processes go first when memory is short */

/* Read-only from this machine, where it is there. Neither its users nor its hosts. */
static const char *const system_files[] = {
    "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/timezone", "/etc/R",
    "/etc/perl", "/sys/devices/system/cpu", "/sys/devices/system/node",
};

static const char *const system_roots[] = {
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- programs --- */

const char *
sandbox_bwrap_find(void)
{
    const char *named = getenv("CPMP_BWRAP");

    return named != NULL && *named != '\0' ? named : CPMP_BWRAP;
}

char *
sandbox_cage_find(void)
{
    static const char *const places[] = {"%s/cpmp-cage", "%s/../libexec/cpmp/cpmp-cage",
                                         "%s/../cpmp-cage"};
    const char *named = getenv("CPMP_CAGE");
    char own[PATH_MAX], path[PATH_MAX + 64];
    ssize_t bytes = readlink("/proc/self/exe", own, sizeof(own) - 1);
    char *slash;

    own[bytes > 0 ? bytes : 0] = '\0';
    slash = strrchr(own, '/');
    if (slash != NULL)
        *slash = '\0';
    if (named != NULL && *named != '\0')
        return access(named, X_OK) == 0 ? strdup(named) : NULL;
    for (size_t i = 0; i < COUNT(places); i++) {
        snprintf(path, sizeof(path), places[i], own);
        if (access(path, X_OK) == 0)
            return strdup(path);
    }
    return access(CPMP_PKGLIBEXECDIR "/cpmp-cage", X_OK) == 0
               ? strdup(CPMP_PKGLIBEXECDIR "/cpmp-cage")
               : NULL;
}

/* --- the words of the command, put together in the child --- */

struct words {
    char **list;
    size_t count, room;
    int error;
};

static void
word_add(struct words *words, const char *word)
{
    if (words->count + 1 >= words->room) {
        size_t room = words->room ? 2 * words->room : 256;
        char **list = realloc(words->list, room * sizeof(*list));
        if (list == NULL) {
            words->error = ENOMEM;
            return;
        }
        words->list = list;
        words->room = room;
    }
    words->list[words->count++] = (char *)(uintptr_t)word;
    words->list[words->count] = NULL;
}

static void
words_add(struct words *words, const char *first, const char *second, const char *third)
{
    word_add(words, first);
    if (second != NULL)
        word_add(words, second);
    if (third != NULL)
        word_add(words, third);
}

static const char *
number_word(struct words *words, uint64_t number)
{
    char *text = malloc(24);

    if (text == NULL) {
        words->error = ENOMEM;
        return "";
    }
    snprintf(text, 24, "%" PRIu64, number);
    return text;
}

/* An inheritable descriptor as a word. */
static const char *
fd_word(struct words *words, int fd)
{
    if (fd < 0 || fcntl(fd, F_SETFD, 0) < 0) {
        words->error = errno ? errno : EBADF;
        return "";
    }
    return number_word(words, (uint64_t)fd);
}

static void
text_file_add(struct words *words, const char *inside, const char *content)
{
    int fd = sandbox_blob_make(content, strlen(content));

    words_add(words, "--file", fd_word(words, fd), inside);
}

/* --- the system --- */

/* "/bin" is a link to "usr/bin" on most systems; then it is one inside too. */
static void
root_add(struct words *words, const char *root)
{
    char target[PATH_MAX];
    struct stat status;
    ssize_t bytes;

    if (lstat(root, &status) < 0)
        return;
    bytes = S_ISLNK(status.st_mode) ? readlink(root, target, sizeof(target) - 1) : -1;
    if (bytes <= 0) {
        words_add(words, "--ro-bind", root, root);
        return;
    }
    target[bytes] = '\0';
    char *copy = strdup(target);
    if (copy == NULL)
        words->error = ENOMEM;
    else
        words_add(words, "--symlink", copy, root);
}

static void
system_add(struct words *words, const char *scratch)
{
    char passwd[PATH_MAX + 200];

    for (size_t i = 0; i < COUNT(system_roots); i++)
        root_add(words, system_roots[i]);
    words_add(words, "--proc", "/proc", NULL);
    words_add(words, "--dev", "/dev", NULL);
    words_add(words, "--size", number_word(words, SHM_BYTES), NULL);
    words_add(words, "--tmpfs", "/dev/shm", NULL);
    /* No terminal of the launcher. Not --new-session: the scheduler's autogroups would part ranks
     * from their agent, and what yields to the other (short messages to another peer) takes three
     * times as long. */
    words_add(words, "--dev-bind", "/dev/null", "/dev/tty");
    words_add(words, "--remount-ro", "/dev", NULL);
    for (size_t i = 0; i < COUNT(system_files); i++)
        if (access(system_files[i], R_OK) == 0)
            words_add(words, "--ro-bind", system_files[i], system_files[i]);
    snprintf(passwd, sizeof(passwd),
             "root:x:0:0:root:/:/bin/sh\n"
             "cpmp:x:" NUMBER_INSIDE ":" NUMBER_INSIDE ":cpmp:%s:/bin/sh\n"
             "nobody:x:65534:65534:nobody:/:/bin/sh\n", scratch);
    text_file_add(words, "/etc/passwd", passwd);
    text_file_add(words, "/etc/group", "root:x:0:\ncpmp:x:" NUMBER_INSIDE ":\nnogroup:x:65534:\n");
    text_file_add(words, "/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n");
    text_file_add(words, "/etc/hosts", "127.0.0.1 localhost cpmp\n");
}

/* --- files of the job --- */

static bool
is_below_tmp(const struct sandbox_config *config, const char *scratch, const char *tmp)
{
    bool below = sandbox_place_is_below(scratch, tmp);

    for (size_t i = 0; i < config->binds_count; i++)
        below = below || sandbox_place_is_below(config->binds[i].inside, tmp);
    return below;
}

/* Programs that know of no TMPDIR find the scratch; unless what the job brings lies there. */
static void
scratch_add(struct words *words, const struct sandbox_config *config, const char *scratch,
            uint64_t bytes)
{
    static const char *const tmps[] = {"/tmp", "/var/tmp"};

    words_add(words, "--perms", "0755", "--size");
    words_add(words, number_word(words, bytes), "--tmpfs", scratch);
    for (size_t i = 0; i < COUNT(tmps); i++)
        if (!is_below_tmp(config, scratch, tmps[i]))
            words_add(words, "--symlink", scratch, tmps[i]);
}

/* `fd` was opened before this process became another user, who may not get there: then the file is
 * copied. */
static void
bind_add(struct words *words, const char *host, const char *inside, bool executable, int fd)
{
    if (fd >= 0 && access(host, R_OK | (executable ? X_OK : 0)) != 0) {
        words_add(words, "--perms", executable ? "0555" : "0444", "--ro-bind-data");
        words_add(words, fd_word(words, fd), inside, NULL);
        return;
    }
    words_add(words, "--ro-bind", host, inside);
}

/* --- the child --- */

struct child {
    const struct sandbox_config *config;
    const char *scratch, *cage, *bwrap;
    const struct sandbox_groups *groups;
    struct sandbox_user user;
    int fd, errors_fd;
    pid_t parent;
};

static _Noreturn void
child_fail(const char *what)
{
    dprintf(STDERR_FILENO, "%s: %s", what, strerror(errno));
    _exit(1);
}

static void
child_words(const struct child *child, struct words *words, const int *opened, const char *library,
            const struct sandbox_filters *filters)
{
    static const char *const first[] = {
        "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-net", "--unshare-uts",
        "--unshare-cgroup-try", "--uid", NUMBER_INSIDE, "--gid", NUMBER_INSIDE, "--hostname",
        "cpmp", "--die-with-parent", "--as-pid-1", "--clearenv",
    };
    const struct sandbox_config *config = child->config;
    uint64_t quota = config->limits.scratch_bytes;

    word_add(words, child->bwrap);
    for (size_t i = 0; i < COUNT(first); i++)
        word_add(words, first[i]);
    words_add(words, "--add-seccomp-fd", fd_word(words, filters->known_fd), NULL);
    words_add(words, "--add-seccomp-fd", fd_word(words, filters->refused_fd), NULL);
    system_add(words, child->scratch);
    scratch_add(words, config, child->scratch, quota != 0 ? quota : SANDBOX_SCRATCH_BYTES);
    bind_add(words, child->cage, SANDBOX_HOME "/cage", true, opened[0]);
    if (library != NULL)
        bind_add(words, library, SANDBOX_LIBRARY "/libmpi.so.40", true, opened[1]);
    for (size_t i = 0; i < config->binds_count; i++)
        bind_add(words, config->binds[i].host, config->binds[i].inside, config->binds[i].executable,
                 opened[i + 2]);
    words_add(words, "--remount-ro", "/", "--chdir");
    words_add(words, "/", "--", SANDBOX_HOME "/cage");
    word_add(words, fd_word(words, child->fd));
}

/* What is above 2 goes to bwrap by number, so nothing may be there by accident: all that this
 * process has is close-on-exec. */
static void
child_stdio(const struct child *child)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(nothing, 1) < 0 ||
        dup2(child->errors_fd, STDERR_FILENO) < 0)
        _exit(1);
}

static void
child_memory_score(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (write(fd, OOM_SCORE, sizeof(OOM_SCORE) - 1) < 0)
        dprintf(STDERR_FILENO, "oom_score_adj: %s\n", strerror(errno));
    close(fd);
}

static void
child_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        sigaction(number, &action, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void
child_become(const struct child *child)
{
    const struct sandbox_config *config = child->config;
    char library[PATH_MAX + 32], directory[PATH_MAX];
    bool has_library = libdir_find(directory);
    int *opened = calloc(config->binds_count + 2, sizeof(*opened));
    struct sandbox_filters filters;
    struct words words = {0};

    setpgid(0, 0);
    child_stdio(child);
    child_signals();
    child_memory_score();
    umask(022);
    snprintf(library, sizeof(library), "%s/libmpi.so.40", directory);
    if (opened == NULL || sandbox_groups_enter(child->groups) < 0)
        child_fail("its control group");
    for (size_t i = 0; i < config->binds_count + 2; i++) {
        const char *path = i == 0 ? child->cage : i == 1 ? library : config->binds[i - 2].host;
        opened[i] = child->user.wanted ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    }
    if (sandbox_user_become(&child->user) < 0)
        child_fail("becoming an unprivileged user");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != child->parent)
        _exit(1);
    if (sandbox_filters_make(&filters, child->groups->version[SANDBOX_GROUP_MEMORY] != 0) < 0)
        child_fail("seccomp");
    child_words(child, &words, opened, has_library ? library : NULL, &filters);
    errno = words.error;
    if (words.error == 0 && clearenv() == 0)
        execv(words.list[0], words.list);
    child_fail(child->bwrap);
}

/* --- the agent's side --- */

static int
rules_tell(int fd, const struct sandbox_rules *rules, const char *scratch)
{
    struct sandbox_message message = {.type = SANDBOX_CONFIGURE};
    size_t bytes = sizeof(*rules) + strlen(scratch) + 1;
    char *block = malloc(bytes);
    int blob = -1, result = -1;

    if (block != NULL) {
        memcpy(block, rules, sizeof(*rules));
        memcpy(block + sizeof(*rules), scratch, strlen(scratch) + 1);
        blob = sandbox_blob_make(block, bytes);
    }
    if (blob >= 0) {
        result = sandbox_message_send(fd, &message, &blob, 1, true);
        close(blob);
    }
    free(block);
    return result;
}

/* No handler of ours may run in the child: it would write to our loop. */
static pid_t
fork_quiet(void)
{
    sigset_t all, before;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid != 0)
        sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

int
sandbox_launch(const struct sandbox_config *config, const char *scratch,
               const struct sandbox_groups *groups, const struct sandbox_rules *rules,
               struct sandbox_launched *launched, struct text *why)
{
    struct child child = {.config = config, .scratch = scratch, .groups = groups,
                          .parent = getpid(), .bwrap = sandbox_bwrap_find()};
    int pair[2] = {-1, -1}, errors[2] = {-1, -1};
    pid_t pid = -1;

    child.cage = sandbox_cage_find();
    if (child.cage == NULL)
        text_add_string(why, "the program cpmp-cage is missing; install cpmp again");
    if (child.cage == NULL)
        return CPMP_ESYS;
    sandbox_user_find(&child.user);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0 &&
        pipe2(errors, O_CLOEXEC) == 0 && rules_tell(pair[0], rules, scratch) == 0) {
        child.fd = pair[1];
        child.errors_fd = errors[1];
        pid = fork_quiet();
        if (pid == 0)
            child_become(&child);
    }
    if (pid < 0)
        text_add_string(why, strerror(errno));
    sandbox_fds_close(&pair[1], 1);
    sandbox_fds_close(&errors[1], 1);
    free((char *)(uintptr_t)child.cage);
    if (pid > 0) {
        *launched = (struct sandbox_launched){
            .monitor = pid, .fd = pair[0], .errors_fd = errors[0]};
        return CPMP_OK;
    }
    sandbox_fds_close(&pair[0], 1);
    sandbox_fds_close(&errors[0], 1);
    return CPMP_ESYS;
}
