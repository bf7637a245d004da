/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_SANDBOX_PROBE_H
#define CPI_SANDBOX_PROBE_H

/*
 * What this machine can't give the sandbox. Each weakness has a name, which the owner's policy may
 * accept, and a sentence. Three kinds:
 *
 *   NEEDED    without it there is no sandbox, whatever is accepted
 *   REFUSED   foreign ranks are refused unless the policy accepts it by name
 *   COVERED   something else does it here; told for the curious
 */

#include <stdbool.h>

#include "sandbox/sandbox.h"

enum sandbox_weakness_kind { SANDBOX_NEEDED, SANDBOX_REFUSED, SANDBOX_COVERED };

/* A field of struct sandbox_probe, its name for people, kind, and what lacks. */
#define SANDBOX_WEAKNESS_MAP(X)                                                                    \
    X(BWRAP, "bwrap", SANDBOX_NEEDED, "the program bwrap is missing (package bubblewrap)")         \
    X(CAGE, "cage", SANDBOX_NEEDED, "the program cpmp-cage is missing; install cpmp again")        \
    X(SECCOMP, "seccomp", SANDBOX_NEEDED, "the kernel filters no system calls (seccomp)")          \
    X(PIDFD, "pidfd", SANDBOX_NEEDED, "the kernel has no pidfds (Linux 5.3)")                      \
    X(NAMESPACES, "namespaces", SANDBOX_NEEDED,                                                    \
      "namespaces can't be made, or not /proc in them (user.max_user_namespaces, AppArmor, or a "  \
      "container that hides parts of /proc)")                                                      \
    X(LANDLOCK, "landlock", SANDBOX_REFUSED,                                                       \
      "the kernel has no Landlock (Linux 5.13, lsm=landlock): files are fenced by mounts alone")   \
    X(CPU, "cpu", SANDBOX_REFUSED,                                                                 \
      "no control group for the cpu: a ceiling on cores can't be held")                            \
    X(PROCESSES, "processes", SANDBOX_REFUSED,                                                     \
      "no control group for processes, and before Linux 5.14 the limit counts all of the user's")  \
    X(LANDLOCK_NET, "landlock-net", SANDBOX_COVERED,                                               \
      "Landlock knows no TCP (version 4): the empty network namespace and seccomp do")             \
    X(LANDLOCK_SCOPE, "landlock-scope", SANDBOX_COVERED,                                           \
      "Landlock knows no signals (version 6): the pid namespace does")                             \
    X(MEMORY, "memory", SANDBOX_COVERED,                                                           \
      "no control group for memory: the agent looks ten times a second, memfds, segments and "     \
      "semaphores of System V are refused; what the kernel keeps for sockets and pipes is held "   \
      "by the numbers of files and processes alone")                                               \
    X(PIDS, "pids", SANDBOX_COVERED, "no control group for processes: RLIMIT_NPROC holds them")    \
    X(FREEZER, "freezer", SANDBOX_COVERED,                                                         \
      "no control group to suspend with: SIGSTOP, again and again, does")

enum sandbox_weakness {
#define SANDBOX_WEAKNESS_ENUM(name, word, kind, sentence) SANDBOX_LACKS_##name,
    SANDBOX_WEAKNESS_MAP(SANDBOX_WEAKNESS_ENUM)
#undef SANDBOX_WEAKNESS_ENUM
    SANDBOX_WEAKNESS_COUNT
};

struct sandbox_weakness_info {
    const char *name, *sentence;
    enum sandbox_weakness_kind kind;
};

struct sandbox_probe {
    bool lacks[SANDBOX_WEAKNESS_COUNT];
    char detail[400];  /* of NAMESPACES: what bwrap said */
};

const struct sandbox_weakness_info *sandbox_weakness_info(enum sandbox_weakness weakness);

/* Finds out; with a trial of bwrap and the cage, which takes some milliseconds. */
void sandbox_probe(struct sandbox_probe *probe);

/* Whether `names`, a list with commas or blanks between (NULL: empty), has the weakness's name. */
bool sandbox_accepts(const char *names, enum sandbox_weakness weakness);

/* Whether a machine with these weaknesses refuses foreign ranks: one that is NEEDED, or REFUSED and
 * not in `accepted`. `cpu`: a ceiling on cores is asked for; only then its lack counts. Names and
 * sentences go to `why`, which may be NULL. */
bool sandbox_probe_is_refusal(const struct sandbox_probe *probe, const char *accepted, bool cpu,
                              struct text *why);

/* The same, cheaply, for a sandbox about to be started with these groups. */
bool sandbox_probe_refuses(const struct sandbox_config *config, const struct sandbox_groups *groups,
                           struct text *why);

#endif
