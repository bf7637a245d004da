/* SPDX-License-Identifier: BSD-3-Clause */

/* System calls that no rank may make, and what it may not do to the cage. */

#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALL(number, ...) (syscall((number), ##__VA_ARGS__) >= 0)

/* The child of clone with a namespace of its own, if that is given. */
static bool
clones(unsigned long flags)
{
    long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);

    if (pid == 0)
        _exit(0);
    if (pid > 0)
        waitpid((pid_t)pid, NULL, 0);
    return pid > 0;
}

static bool
traces(void)
{
    pid_t pid = fork();
    bool traced = false;

    if (pid == 0) {
        pause();
        _exit(0);
    }
    traced = ptrace(PTRACE_ATTACH, pid, 0, 0) == 0 || ptrace(PTRACE_SEIZE, pid, 0, 0) == 0;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return traced || ptrace(PTRACE_TRACEME, 0, 0, 0) == 0;
}

static bool
has_terminal(void)
{
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY);
    bool has = fd >= 0 && isatty(fd);

    if (fd >= 0)
        close(fd);
    return has;
}

/* A terminal of our own, into which we type. */
static bool
types(unsigned long request)
{
    int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    char letter = 'x';

    if (fd < 0)
        return false;
    bool typed = ioctl(fd, request, &letter) == 0;
    /* The kernel looks at 32 bits of the request only. */
    typed = typed || syscall(SYS_ioctl, fd, request | (UINT64_C(1) << 32), &letter) == 0;
    close(fd);
    return typed;
}

void
hostile_calls(void)
{
    unsigned char zeros[256] = {0};
    unsigned long aio = 0;

    hostile_say("ptrace", traces());
    hostile_say("bpf", CALL(SYS_bpf, 0, zeros, sizeof(zeros)));
    hostile_say("io_setup", CALL(SYS_io_setup, 1, &aio));
    hostile_say("io_uring_setup", CALL(SYS_io_uring_setup, 4, zeros));
    hostile_say("add_key", CALL(SYS_add_key, "user", "x", "y", 1, -3));
    hostile_say("request_key", CALL(SYS_request_key, "user", "x", NULL, -3));
    hostile_say("keyctl", CALL(SYS_keyctl, 0, -3, 1));
    hostile_say("perf_event_open", CALL(SYS_perf_event_open, zeros, 0, -1, -1, 0));
    hostile_say("userfaultfd", CALL(SYS_userfaultfd, 1));
    hostile_say("unshare user", unshare(CLONE_NEWUSER) == 0);
    hostile_say("unshare mount", unshare(CLONE_NEWNS) == 0);
    hostile_say("unshare time", unshare(0x80) == 0);
    hostile_say("clone user", clones(CLONE_NEWUSER));
    hostile_say("clone user and pid", clones(CLONE_NEWUSER | CLONE_NEWPID));
    hostile_say("clone3", CALL(SYS_clone3, zeros, 64) || errno != ENOSYS);
    hostile_say("setns", CALL(SYS_setns, 0, 0));
    hostile_say("mount", CALL(SYS_mount, "none", "/dev/shm", "tmpfs", 0, ""));
    hostile_say("umount", CALL(SYS_umount2, "/proc", 2));
    hostile_say("fsopen", CALL(SYS_fsopen, "tmpfs", 0));
    hostile_say("open_tree", CALL(SYS_open_tree, -100, "/", 1));
    hostile_say("pivot_root", CALL(SYS_pivot_root, ".", "."));
    hostile_say("chroot", chroot(".") == 0);
    hostile_say("open_by_handle_at", CALL(SYS_open_by_handle_at, -100, zeros, 0));
    hostile_say("kexec_load", CALL(SYS_kexec_load, 0, 0, NULL, 0));
    hostile_say("init_module", CALL(SYS_init_module, zeros, 1, ""));
    hostile_say("personality", personality(ADDR_NO_RANDOMIZE) != -1);
    hostile_say("sethostname", sethostname("x", 1) == 0);
    hostile_say("TIOCSTI", types(TIOCSTI));
    hostile_say("the terminal of the launcher", has_terminal());
    hostile_say("a call that doesn't exist", CALL(1000) || errno != ENOSYS);
    hostile_say("setuid", setuid(0) == 0 || seteuid(0) == 0);
    hostile_say("a device", mknod("device", S_IFBLK | 0600, 0x800) == 0);
}

/* --- the cage, which is pid 1 --- */

static bool
opens(const char *path, int flags)
{
    int fd = open(path, flags);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool
reads_memory(pid_t pid)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)(uintptr_t)0x400000, 1};

    /* EFAULT would mean that only the address was wrong. */
    return process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0 || errno == EFAULT ||
           process_vm_writev(pid, &here, 1, &there, 1, 0) >= 0 || errno == EFAULT;
}

/* The descriptors of the cage: its socket is among them. */
static bool
takes_descriptor(void)
{
    int pidfd = (int)syscall(SYS_pidfd_open, 1, 0);
    char path[64];
    bool taken = false;

    for (int fd = 0; fd < 32; fd++) {
        snprintf(path, sizeof(path), "/proc/1/fd/%d", fd);
        taken = taken || opens(path, O_RDONLY) || opens(path, O_WRONLY) || opens(path, O_PATH) ||
                syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0;
    }
    return taken;
}

/* Slower than the ranks, it would stop them late. */
static bool
slows_down(void)
{
    struct sched_param none = {0};
    unsigned long one = 1;

    /* What is above 32 bits of an argument the kernel doesn't see. */
    return setpriority(PRIO_PROCESS, 1, 19) == 0 || setpriority(PRIO_USER, 0, 19) == 0 ||
           setpriority(PRIO_USER, getuid(), 19) == 0 ||
           CALL(SYS_setpriority, PRIO_PROCESS, UINT64_C(1) << 32 | 1, 19) ||
           sched_setscheduler(1, SCHED_IDLE, &none) == 0 || sched_setparam(1, &none) == 0 ||
           CALL(SYS_sched_setscheduler, UINT64_C(1) << 32 | 1, SCHED_IDLE, &none) ||
           CALL(SYS_sched_setaffinity, 1, sizeof(one), &one) ||
           CALL(SYS_ioprio_set, 1, 1, 3 << 13) || CALL(SYS_ioprio_set, 3, 0, 3 << 13) ||
           getpriority(PRIO_PROCESS, 1) > getpriority(PRIO_PROCESS, 0);
}

void
hostile_cage(void)
{
    struct rlimit none = {0, 0};

    for (int number = 1; number < 65; number++)
        kill(1, number);
    hostile_say("memory of the cage", reads_memory(1));
    hostile_say("/proc/1/mem", opens("/proc/1/mem", O_RDONLY) || opens("/proc/1/mem", O_RDWR));
    hostile_say("/proc/1/environ", opens("/proc/1/environ", O_RDONLY));
    hostile_say("/proc/1/maps", opens("/proc/1/maps", O_RDONLY));
    hostile_say("/proc/1/root", opens("/proc/1/root", O_PATH | O_DIRECTORY));
    hostile_say("/proc/1/cwd", opens("/proc/1/cwd", O_PATH | O_DIRECTORY));
    hostile_say("/proc/1/oom_score_adj", opens("/proc/1/oom_score_adj", O_WRONLY));
    hostile_say("descriptors of the cage", takes_descriptor());
    hostile_say("limits of the cage", prlimit(1, RLIMIT_NOFILE, &none, NULL) == 0 ||
                                          prlimit(1, RLIMIT_CPU, &none, NULL) == 0);
    hostile_say("pace of the cage", slows_down());
    hostile_say("tracing the cage", ptrace(PTRACE_SEIZE, 1, 0, 0) == 0);
}

/* --- the network --- */

static bool
makes_socket(int family, int type, int protocol)
{
    int fd = socket(family, type, protocol);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

void
hostile_network(const char *abstract)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(address.sun_path + 1, abstract, strlen(abstract));
    hostile_say("a TCP socket", makes_socket(AF_INET, SOCK_STREAM, 0));
    hostile_say("a UDP socket", makes_socket(AF_INET, SOCK_DGRAM, 0));
    hostile_say("an IPv6 socket", makes_socket(AF_INET6, SOCK_STREAM, 0));
    hostile_say("a raw socket", makes_socket(AF_INET, SOCK_RAW, 1));
    hostile_say("a packet socket", makes_socket(AF_PACKET, SOCK_RAW, 0));
    hostile_say("a netlink socket", makes_socket(AF_NETLINK, SOCK_RAW, 0));
    hostile_say("a vsock", makes_socket(AF_VSOCK, SOCK_STREAM, 0));
    hostile_say("an abstract socket outside",
                connect(fd, (struct sockaddr *)&address,
                        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                                    strlen(abstract))) == 0);
    close(fd);
}
