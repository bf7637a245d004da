/* SPDX-License-Identifier: BSD-3-Clause */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As the kernel has them (linux/landlock.h); that of the build may be older than its interface. */
#define ACCESS_EXECUTE    (UINT64_C(1) << 0)
#define ACCESS_WRITE_FILE (UINT64_C(1) << 1)
#define ACCESS_READ_FILE  (UINT64_C(1) << 2)
#define ACCESS_READ_DIR   (UINT64_C(1) << 3)
#define ACCESS_FIRST      ((UINT64_C(1) << 13) - 1)  /* version 1: all up to MAKE_SYM */
#define ACCESS_REFER      (UINT64_C(1) << 13)
#define ACCESS_TRUNCATE   (UINT64_C(1) << 14)
#define ACCESS_IOCTL_DEV  (UINT64_C(1) << 15)
#define TCP_BIND_CONNECT  UINT64_C(3)
#define SCOPE_ALL         UINT64_C(3)  /* abstract sockets, signals */

#define RULE_PATH_BENEATH 1
#define CREATE_VERSION    1u

struct ruleset {
    uint64_t files, tcp, scoped;
};

struct path_rule {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

/* Each version of the kernel takes a structure up to the fields that it knows. */
static size_t
ruleset_bytes(int version)
{
    return version >= 6 ? 24 : version >= 4 ? 16 : 8;
}

static uint64_t
files_handled(int version)
{
    return ACCESS_FIRST | (version >= 2 ? ACCESS_REFER : 0) |
           (version >= 3 ? ACCESS_TRUNCATE : 0) | (version >= 5 ? ACCESS_IOCTL_DEV : 0);
}

int
sandbox_landlock_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);

    return version > 0 ? (int)version : 0;
}

/* A path that isn't there needs no rule. */
static int
path_allow(int ruleset, const char *path, uint64_t allowed)
{
    struct path_rule rule = {.allowed = allowed, .fd = open(path, O_PATH | O_CLOEXEC)};

    if (rule.fd < 0)
        return errno == ENOENT ? 0 : -1;
    long result = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0);
    int error = errno;
    close(rule.fd);
    errno = error;
    return (int)result;
}

/* Programs of the job lie wherever they lay at its launcher, so "/" has the right to execute. */
static int
paths_allow(int ruleset, uint64_t all, const char *scratch)
{
    uint64_t reading = ACCESS_READ_FILE | ACCESS_READ_DIR;
    uint64_t writing = (ACCESS_WRITE_FILE | ACCESS_TRUNCATE | ACCESS_IOCTL_DEV) & all;
    int error = path_allow(ruleset, "/", reading | ACCESS_EXECUTE);

    error |= path_allow(ruleset, "/proc", reading | ACCESS_WRITE_FILE);
    error |= path_allow(ruleset, "/dev", reading | writing);
    error |= path_allow(ruleset, "/dev/shm", all);
    error |= path_allow(ruleset, scratch, all);
    return error;
}

int
sandbox_landlock_enter(int version, const char *scratch)
{
    struct ruleset attributes = {
        .files = files_handled(version), .tcp = TCP_BIND_CONNECT, .scoped = SCOPE_ALL};
    long ruleset = syscall(SYS_landlock_create_ruleset, &attributes, ruleset_bytes(version), 0);

    if (ruleset < 0)
        return -1;
    long error = fcntl((int)ruleset, F_SETFD, FD_CLOEXEC);
    if (error == 0)
        error = paths_allow((int)ruleset, attributes.files, scratch);
    if (error == 0)
        error = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (error == 0)
        error = syscall(SYS_landlock_restrict_self, (int)ruleset, 0);
    int number = errno;
    close((int)ruleset);
    errno = number;
    return error == 0 ? 0 : -1;
}
