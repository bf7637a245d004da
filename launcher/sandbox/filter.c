/* SPDX-License-Identifier: BSD-3-Clause */
#include "sandbox/filter.h"

#include <errno.h>
#include <linux/sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <seccomp.h>

#ifndef TIOCLINUX
#define TIOCLINUX 0x541C
#endif

#define CAGE_PID 1u

/* linux/ioprio.h, which isn't everywhere */
#define IOPRIO_WHO_PROCESS 1u
#define IOPRIO_WHO_USER    3u

/* Not here: io_setup. There are 65536 of what it takes on a machine, for all its users, and one
 * call can have them.
 *
 * A word to a name that this libseccomp doesn't know is no harm: it is answered ENOSYS. */
static const char *const known[] = {
    /* files */
    "access", "chdir", "chmod", "chown", "close", "close_range", "copy_file_range", "creat", "dup",
    "dup2", "dup3", "faccessat", "faccessat2", "fadvise64", "fallocate", "fchdir", "fchmod",
    "fchmodat", "fchmodat2", "fchown", "fchownat", "fcntl", "fdatasync", "fgetxattr", "flistxattr",
    "flock", "fremovexattr", "fsetxattr", "fstat", "fstatfs", "fsync", "ftruncate", "futimesat",
    "getcwd", "getdents", "getdents64", "getxattr", "inotify_add_watch", "inotify_init",
    "inotify_init1", "inotify_rm_watch", "ioctl", "lchown", "lgetxattr", "link", "linkat",
    "listxattr", "llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat", "mkdir", "mkdirat",
    "mknod", "mknodat", "newfstatat", "open", "openat", "openat2", "pread64", "preadv", "preadv2",
    "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat", "readv",
    "removexattr", "rename", "renameat", "renameat2", "rmdir", "sendfile", "setxattr", "splice",
    "stat", "statfs", "statx", "symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "tee",
    "truncate", "umask", "unlink", "unlinkat", "utime", "utimensat", "utimes", "vmsplice", "write",
    "writev", "cachestat",
    /* waiting, pipes, events */
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
    "eventfd", "eventfd2", "pipe", "pipe2", "poll", "ppoll", "pselect6", "select", "signalfd",
    "signalfd4", "timerfd_create", "timerfd_gettime", "timerfd_settime",
    /* AF_UNIX; the other filter looks at the family */
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen",
    "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
    "socket", "socketpair",
    /* memory */
    "brk", "get_mempolicy", "madvise", "map_shadow_stack", "mbind", "membarrier", "memfd_create",
    "mincore", "mlock", "mlock2", "mlockall", "mmap", "move_pages", "mprotect", "mremap", "mseal",
    "msync", "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect",
    "process_vm_readv", "process_vm_writev", "remap_file_pages", "set_mempolicy",
    "set_mempolicy_home_node",
    /* processes and threads */
    "arch_prctl", "clone", "execve", "execveat", "exit", "exit_group", "fork", "futex",
    "futex_requeue", "futex_wait", "futex_waitv", "futex_wake", "get_robust_list",
    "get_thread_area", "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getsid", "gettid",
    "kill", "pidfd_open", "pidfd_send_signal", "prctl", "restart_syscall", "rseq",
    "set_robust_list", "set_thread_area", "set_tid_address", "setpgid", "setpriority", "setsid",
    "tgkill", "tkill", "vfork", "wait4", "waitid", "landlock_add_rule", "landlock_create_ruleset",
    "landlock_restrict_self", "seccomp", "riscv_flush_icache", "riscv_hwprobe",
    /* scheduling and limits */
    "getcpu", "getrlimit", "getrusage", "ioprio_get", "ioprio_set", "prlimit64",
    "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getattr",
    "sched_getparam", "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity",
    "sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield", "setrlimit",
    /* signals and time */
    "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "gettimeofday",
    "nanosleep", "pause", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
    "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "setitimer",
    "sigaltstack", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime",
    "timer_settime", "times",
    /* who and where */
    "capget", "capset", "getegid", "geteuid", "getgid", "getgroups", "getrandom", "getresgid",
    "getresuid", "getuid", "setfsgid", "setfsuid", "setgid", "setgroups", "setregid", "setresgid",
    "setresuid", "setreuid", "setuid", "sysinfo", "uname",
    /* System V and POSIX between processes; the ipc namespace is their own */
    "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink",
    "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop", "shmat",
    "shmctl", "shmdt", "shmget",
};

static const char *const refused[] = {
    "acct", "add_key", "adjtimex", "bpf", "chroot", "clock_adjtime", "clock_settime",
    "create_module", "delete_module", "fanotify_init", "fanotify_mark", "finit_module", "fsconfig",
    "fsmount", "fsopen", "fspick", "init_module", "io_uring_enter", "io_uring_register",
    "io_uring_setup", "ioperm", "iopl", "kcmp", "kexec_file_load", "kexec_load", "keyctl",
    "lookup_dcookie", "memfd_secret", "modify_ldt", "mount", "mount_setattr", "move_mount",
    "name_to_handle_at", "open_by_handle_at", "open_tree", "perf_event_open", "pidfd_getfd",
    "pivot_root", "process_madvise", "process_mrelease", "ptrace", "quotactl", "quotactl_fd",
    "reboot", "request_key", "setdomainname", "sethostname", "setns", "settimeofday", "stime",
    "swapoff", "swapon", "syslog", "umount", "umount2", "unshare", "uselib", "userfaultfd",
    "vhangup",
};

/* Memory that no process has: nothing but a control group could count it. */
static const char *const uncountable[] = {"memfd_create", "msgget", "semget", "shmget"};

static const uint32_t namespaces[] = {
    CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS,
    CLONE_NEWCGROUP,
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int
names_add(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        /* Below 0: not of this machine. */
        if (number >= 0 && seccomp_rule_add(filter, action, number, 0) < 0)
            return -1;
    }
    return 0;
}

static int
known_fill(scmp_filter_ctx filter)
{
    /* No other domain, and the question which one it is. */
    if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1,
                         SCMP_A0(SCMP_CMP_EQ, 0)) < 0 ||
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1,
                         SCMP_A0(SCMP_CMP_EQ, UINT32_MAX)) < 0)
        return -1;
    return names_add(filter, SCMP_ACT_ALLOW, known, COUNT(known));
}

/* A call that is given another process's pid (in its first argument) where it may be given 0. */
static int
others_refuse(scmp_filter_ctx filter, int number)
{
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 1, SCMP_A0(SCMP_CMP_NE, 0));
}

/* The cage is of the ranks' own user, so the kernel would let them slow it down: the owner's word
 * to stop goes through it. A whole user can't be named, as the cage is of it. */
static int
cage_refuse(scmp_filter_ctx filter)
{
    static const int schedulers[] = {SCMP_SYS(sched_setaffinity), SCMP_SYS(sched_setattr),
                                     SCMP_SYS(sched_setparam), SCMP_SYS(sched_setscheduler)};
    const uint32_t action = SCMP_ACT_ERRNO(EPERM);
    int error = 0;

    for (size_t i = 0; i < COUNT(schedulers); i++)
        error |= seccomp_rule_add(filter, action, schedulers[i], 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, CAGE_PID));
    error |= seccomp_rule_add(filter, action, SCMP_SYS(setpriority), 2,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, PRIO_PROCESS),
                              SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, CAGE_PID));
    error |= seccomp_rule_add(filter, action, SCMP_SYS(setpriority), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, PRIO_USER));
    error |= seccomp_rule_add(filter, action, SCMP_SYS(ioprio_set), 2,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, IOPRIO_WHO_PROCESS),
                              SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, CAGE_PID));
    error |= seccomp_rule_add(filter, action, SCMP_SYS(ioprio_set), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, IOPRIO_WHO_USER));
    return error;
}

/* The kernel takes 32 bits of these arguments, so no more are compared. */
static int
arguments_refuse(scmp_filter_ctx filter)
{
    static const uint32_t terminal[] = {TIOCSTI, TIOCLINUX};
    int error = 0;

    for (size_t i = 0; i < COUNT(namespaces); i++)
        error |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
    for (size_t i = 0; i < COUNT(terminal); i++)
        error |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                                  SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, terminal[i]));
    error |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                              SCMP_A0(SCMP_CMP_NE, AF_UNIX));
    error |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socketpair), 1,
                              SCMP_A0(SCMP_CMP_NE, AF_UNIX));
    error |= others_refuse(filter, SCMP_SYS(prlimit64));
    error |= others_refuse(filter, SCMP_SYS(move_pages));
    error |= cage_refuse(filter);
    /* Flags in memory that the filter can't see; libc falls back to clone. */
    error |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return error;
}

static int
export(scmp_filter_ctx filter)
{
    int fd = memfd_create("cpmp-filter", MFD_CLOEXEC);

    if (fd < 0)
        return -1;
    int error = seccomp_export_bpf(filter, fd);
    if (error == 0 && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    close(fd);
    errno = error < 0 ? -error : EIO;
    return -1;
}

static int
filter_make(uint32_t otherwise, bool is_known, bool countable)
{
    scmp_filter_ctx filter = seccomp_init(otherwise);
    int error, fd = -1;

    if (filter == NULL) {
        errno = ENOMEM;
        return -1;
    }
    seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (is_known)
        error = known_fill(filter);
    else
        error = names_add(filter, SCMP_ACT_ERRNO(EPERM), refused, COUNT(refused)) |
                arguments_refuse(filter);
    if (error == 0 && !is_known && !countable)
        error = names_add(filter, SCMP_ACT_ERRNO(ENOSYS), uncountable, COUNT(uncountable));
    if (error == 0)
        fd = export(filter);
    else
        errno = EINVAL;
    seccomp_release(filter);
    return fd;
}

int
sandbox_filters_make(struct sandbox_filters *filters, bool countable)
{
    filters->known_fd = filter_make(SCMP_ACT_ERRNO(ENOSYS), true, countable);
    filters->refused_fd = filter_make(SCMP_ACT_ALLOW, false, countable);
    if (filters->known_fd >= 0 && filters->refused_fd >= 0)
        return 0;
    int error = errno;
    sandbox_filters_release(filters);
    errno = error;
    return -1;
}

void
sandbox_filters_release(struct sandbox_filters *filters)
{
    if (filters->known_fd >= 0)
        close(filters->known_fd);
    if (filters->refused_fd >= 0)
        close(filters->refused_fd);
    filters->known_fd = filters->refused_fd = -1;
}
