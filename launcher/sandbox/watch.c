/* SPDX-License-Identifier: BSD-3-Clause */
#include "sandbox/watch.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define WATCH_MS       100u
#define WATCH_CALM_MS  250u   /* below half of the limit */
#define CLOSELY_PART   50u    /* close looks take at most this part of the time */
#define INODE_BYTES    1024u  /* of a file in memory, beside what is in it */

/* The sum of the lines of a file of /proc whose names are in `keys`, in bytes; -1 when it can't be
 * read. */
static int64_t
lines_sum(int directory, const char *path, const char *const *keys)
{
    char text[4096];
    int64_t sum = 0;
    int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
    ssize_t count = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

    if (fd >= 0)
        close(fd);
    if (count < 0)
        return -1;
    text[count] = 0;
    for (; *keys != NULL; keys++) {
        const char *line = strstr(text, *keys);
        if (line != NULL)
            sum += (int64_t)strtoull(line + strlen(*keys), NULL, 10) * 1024;
    }
    return sum;
}

static uint64_t
process_memory(int procs_fd, const char *pid, bool closely)
{
    static const char *const shares[] = {"\nPss_Anon:", "\nPss_Shmem:", "\nSwapPss:", NULL};
    static const char *const all[] = {"\nRssAnon:", "\nRssShmem:", "\nVmSwap:", NULL};
    char path[64];
    int64_t bytes = -1;

    if (closely) {
        snprintf(path, sizeof(path), "%.20s/smaps_rollup", pid);
        bytes = lines_sum(procs_fd, path, shares);
    }
    if (bytes < 0) {
        snprintf(path, sizeof(path), "%.20s/status", pid);
        bytes = lines_sum(procs_fd, path, all);
    }
    return bytes > 0 ? (uint64_t)bytes : 0;
}

static uint64_t
scratch_memory(int fd)
{
    struct statfs status;

    if (fd < 0 || fstatfs(fd, &status) < 0)
        return 0;
    return (uint64_t)(status.f_blocks - status.f_bfree) * (uint64_t)status.f_bsize +
           (uint64_t)(status.f_files - status.f_ffree) * INODE_BYTES;
}

uint64_t
sandbox_watch_memory(const struct sandbox_watch *watch, bool closely)
{
    uint64_t sum = scratch_memory(watch->scratch_fds[0]) + scratch_memory(watch->scratch_fds[1]);
    int fd = openat(watch->procs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *processes = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (processes == NULL) {
        if (fd >= 0)
            close(fd);
        return sum;
    }
    while ((entry = readdir(processes)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]))
            sum += process_memory(watch->procs_fd, entry->d_name, closely);
    closedir(processes);
    return sum;
}

static void
passed(struct sandbox_watch *watch, const char *why)
{
    uv_timer_stop(&watch->timer);
    watch->on_passed(watch->arg, why);
}

static bool
memory_is_passed(struct sandbox_watch *watch, uint64_t now_ms)
{
    uint64_t used = sandbox_watch_memory(watch, false);

    uv_timer_set_repeat(&watch->timer,
                        used < watch->memory_bytes / 2 ? WATCH_CALM_MS : WATCH_MS);
    if (used <= watch->memory_bytes || now_ms < watch->patience_ms)
        return false;
    used = sandbox_watch_memory(watch, true);
    uv_update_time(watch->timer.loop);
    now_ms = uv_now(watch->timer.loop) - now_ms;  /* how long it took */
    watch->patience_ms = uv_now(watch->timer.loop) + now_ms * CLOSELY_PART;
    return used > watch->memory_bytes;
}

static void
on_time(uv_timer_t *timer)
{
    struct sandbox_watch *watch = timer->data;
    uint64_t now_ms = uv_now(timer->loop);
    char why[200];

    if (watch->run_time_ms > 0 && now_ms - watch->began_ms >= watch->run_time_ms) {
        snprintf(why, sizeof(why),
                 "the job ran for %" PRIu64 " s, the longest that is allowed here",
                 watch->run_time_ms / 1000);
        passed(watch, why);
    } else if (watch->memory_bytes > 0 && memory_is_passed(watch, now_ms)) {
        snprintf(why, sizeof(why),
                 "the job took more than the %" PRIu64 " MiB of memory that it may have here",
                 watch->memory_bytes >> 20);
        passed(watch, why);
    }
}

void
sandbox_watch_init(struct sandbox_watch *watch, uv_loop_t *loop,
                   void (*on_passed)(void *arg, const char *why), void *arg)
{
    memset(watch, 0, sizeof(*watch));
    watch->procs_fd = watch->scratch_fds[0] = watch->scratch_fds[1] = -1;
    watch->on_passed = on_passed;
    watch->arg = arg;
    uv_timer_init(loop, &watch->timer);
    watch->timer.data = watch;
    watch->open = true;
}

void
sandbox_watch_start(struct sandbox_watch *watch, const int fds[3], uint64_t memory_bytes,
                    uint32_t run_time_s)
{
    uint64_t first_ms = memory_bytes > 0 ? WATCH_MS : (uint64_t)run_time_s * 1000;

    watch->procs_fd = fds[0];
    watch->scratch_fds[0] = fds[1];
    watch->scratch_fds[1] = fds[2];
    watch->memory_bytes = memory_bytes;
    watch->run_time_ms = (uint64_t)run_time_s * 1000;
    watch->began_ms = uv_now(watch->timer.loop);
    if (first_ms > 0)
        uv_timer_start(&watch->timer, on_time, first_ms, WATCH_MS);
}

void
sandbox_watch_stop(struct sandbox_watch *watch)
{
    if (watch->open)
        uv_timer_stop(&watch->timer);
    if (watch->procs_fd >= 0)
        close(watch->procs_fd);
    for (int i = 0; i < 2; i++)
        if (watch->scratch_fds[i] >= 0)
            close(watch->scratch_fds[i]);
    watch->procs_fd = watch->scratch_fds[0] = watch->scratch_fds[1] = -1;
}
