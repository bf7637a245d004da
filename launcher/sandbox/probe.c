/* SPDX-License-Identifier: BSD-3-Clause */
#include "sandbox/probe.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cpmp.h>

#include "sandbox/landlock.h"
#include "sandbox/launch.h"

static const struct sandbox_weakness_info infos[SANDBOX_WEAKNESS_COUNT] = {
#define SANDBOX_WEAKNESS_INFO(field, word, how, what)                                              \
    [SANDBOX_LACKS_##field] = {.name = word, .sentence = what, .kind = how},
    SANDBOX_WEAKNESS_MAP(SANDBOX_WEAKNESS_INFO)
#undef SANDBOX_WEAKNESS_INFO
};

const struct sandbox_weakness_info *
sandbox_weakness_info(enum sandbox_weakness weakness)
{
    return &infos[weakness];
}

bool
sandbox_accepts(const char *names, enum sandbox_weakness weakness)
{
    const char *name = infos[weakness].name;

    while (names != NULL && *names != '\0') {
        size_t bytes = strcspn(names, ", ");
        if (bytes == strlen(name) && memcmp(names, name, bytes) == 0)
            return true;
        names += bytes + strspn(names + bytes, ", ");
    }
    return false;
}

/* --- one thing after the other --- */

static bool
has_seccomp(void)
{
    uint32_t action = SECCOMP_RET_ERRNO;

    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 ||
           prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}

static bool
has_pidfd(void)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void
landlock_look(bool lacks[SANDBOX_WEAKNESS_COUNT])
{
    int version = sandbox_landlock_version();

    lacks[SANDBOX_LACKS_LANDLOCK] = version == 0;
    lacks[SANDBOX_LACKS_LANDLOCK_NET] = version > 0 && version < 4;
    lacks[SANDBOX_LACKS_LANDLOCK_SCOPE] = version > 0 && version < 6;
}

/* --- a trial --- */

static bool
trial_answers(int fd)
{
    struct pollfd ask = {.fd = fd, .events = POLLIN};
    struct sandbox_message message;
    int fds[SANDBOX_FDS_MAX];
    size_t count = 0;
    bool good = poll(&ask, 1, SANDBOX_PATIENCE_MS) > 0 &&
                sandbox_message_receive(fd, &message, fds, &count, false) == 1 &&
                message.type == SANDBOX_HELLO;

    sandbox_fds_close(fds, count);
    return good;
}

static bool
trial(char *detail, size_t capacity)
{
    struct sandbox_config config = {.directory = "/"};
    struct sandbox_rules rules = {.landlock = (uint32_t)sandbox_landlock_version()};
    char *scratch = sandbox_scratch(config.directory);
    struct sandbox_groups groups = {0};
    struct sandbox_launched launched;
    struct text why = {0};
    bool good = false;

    if (sandbox_launch(&config, scratch, &groups, &rules, &launched, &why) == CPMP_OK) {
        good = trial_answers(launched.fd);
        close(launched.fd);
        kill(launched.monitor, SIGKILL);
        while (waitpid(launched.monitor, NULL, 0) < 0 && errno == EINTR)
            continue;
        ssize_t count = good ? 0 : read(launched.errors_fd, detail, capacity - 1);
        detail[count > 0 ? count : 0] = '\0';
        detail[strcspn(detail, "\n")] = '\0';
        close(launched.errors_fd);
    } else {
        snprintf(detail, capacity, "%s", text_string(&why));
    }
    text_release(&why);
    free(scratch);
    return good;
}

void
sandbox_probe(struct sandbox_probe *probe)
{
    bool groups[SANDBOX_GROUP_COUNT], *lacks = probe->lacks;
    char *cage = sandbox_cage_find();

    memset(probe, 0, sizeof(*probe));
    lacks[SANDBOX_LACKS_BWRAP] = access(sandbox_bwrap_find(), X_OK) != 0;
    lacks[SANDBOX_LACKS_CAGE] = cage == NULL;
    lacks[SANDBOX_LACKS_SECCOMP] = !has_seccomp();
    lacks[SANDBOX_LACKS_PIDFD] = !has_pidfd();
    if (!lacks[SANDBOX_LACKS_BWRAP] && !lacks[SANDBOX_LACKS_CAGE])
        lacks[SANDBOX_LACKS_NAMESPACES] = !trial(probe->detail, sizeof(probe->detail));
    landlock_look(lacks);
    sandbox_groups_look(groups);
    lacks[SANDBOX_LACKS_MEMORY] = !groups[SANDBOX_GROUP_MEMORY];
    lacks[SANDBOX_LACKS_PIDS] = !groups[SANDBOX_GROUP_PIDS];
    lacks[SANDBOX_LACKS_CPU] = !groups[SANDBOX_GROUP_CPU];
    lacks[SANDBOX_LACKS_FREEZER] = !groups[SANDBOX_GROUP_FREEZER];
    lacks[SANDBOX_LACKS_PROCESSES] = !groups[SANDBOX_GROUP_PIDS] && !sandbox_limits_count_inside();
    free(cage);
}

/* --- refusing --- */

bool
sandbox_probe_is_refusal(const struct sandbox_probe *probe, const char *accepted, bool cpu,
                         struct text *why)
{
    bool refused = false;

    for (enum sandbox_weakness i = 0; i < SANDBOX_WEAKNESS_COUNT; i++) {
        bool counts = probe->lacks[i] && infos[i].kind != SANDBOX_COVERED &&
                      (i != SANDBOX_LACKS_CPU || cpu) &&
                      (infos[i].kind == SANDBOX_NEEDED || !sandbox_accepts(accepted, i));
        if (counts && why != NULL)
            text_print(why, "%s%s: %s", refused ? "; " : "", infos[i].name, infos[i].sentence);
        if (counts && why != NULL && i == SANDBOX_LACKS_NAMESPACES && probe->detail[0] != '\0')
            text_print(why, " (%s)", probe->detail);
        refused = refused || counts;
    }
    return refused;
}

bool
sandbox_probe_refuses(const struct sandbox_config *config, const struct sandbox_groups *groups,
                      struct text *why)
{
    struct sandbox_probe probe = {.lacks = {false}};
    bool cpu = config->limits.cpu_millicores > 0;

    probe.lacks[SANDBOX_LACKS_BWRAP] = access(sandbox_bwrap_find(), X_OK) != 0;
    probe.lacks[SANDBOX_LACKS_PIDFD] = !has_pidfd();
    probe.lacks[SANDBOX_LACKS_SECCOMP] = !has_seccomp();
    landlock_look(probe.lacks);
    probe.lacks[SANDBOX_LACKS_CPU] = groups->version[SANDBOX_GROUP_CPU] == 0;
    probe.lacks[SANDBOX_LACKS_PROCESSES] =
        groups->version[SANDBOX_GROUP_PIDS] == 0 && !sandbox_limits_count_inside();
    if (!sandbox_probe_is_refusal(&probe, config->accepted, cpu, why))
        return false;
    text_add_string(why, "; the owner of this machine can accept what isn't needed, by its name");
    return true;
}
