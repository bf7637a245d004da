/* SPDX-License-Identifier: BSD-3-Clause */
#include "process/group.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP_PREFIX "cpmp-"
#define TRIES 200  /* of a millisecond each */

/* --- entering and removing --- */

static int
members_path(char path[PATH_MAX], const char *directory)
{
    if (snprintf(path, PATH_MAX, "%s/cgroup.procs", directory) < PATH_MAX)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

int
group_enter(const char *directory)
{
    char path[PATH_MAX];

    if (members_path(path, directory) != 0)
        return -1;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t written = write(fd, "0", 1);  /* the writer */
    int error = errno;
    close(fd);
    errno = error;
    return written == 1 ? 0 : -1;
}

static void
members_kill(const char *directory)
{
    char path[PATH_MAX], line[32];
    FILE *file = members_path(path, directory) == 0 ? fopen(path, "re") : NULL;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        long pid = strtol(line, NULL, 10);
        if (pid > 1 && pid != getpid())  /* 0: in another pid namespace */
            kill((pid_t)pid, SIGKILL);
    }
    if (file != NULL)
        fclose(file);
}

/* A process that was killed leaves the group a moment later, and nothing tells when. */
int
group_remove(const char *directory)
{
    for (int tries = 0; tries < TRIES; tries++) {
        if (rmdir(directory) == 0 || errno == ENOENT)
            return 0;
        if (errno != EBUSY)
            return -1;
        members_kill(directory);
        usleep(1000);
    }
    errno = EBUSY;
    return -1;
}

/* --- small files --- */

static int
file_read(const char *path, struct text *text)
{
    char piece[4096];
    ssize_t count;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    while ((count = read(fd, piece, sizeof(piece))) > 0)
        text_add(text, piece, (size_t)count);
    close(fd);
    return count < 0 ? -1 : 0;
}

int
group_write(const char *directory, const char *name, const char *value)
{
    struct text path = {0};
    ssize_t written;
    int fd;

    text_print(&path, "%s/%s", directory, name);
    fd = open(text_string(&path), O_WRONLY | O_CLOEXEC);
    text_release(&path);
    if (fd < 0)
        return -1;
    written = write(fd, value, strlen(value));
    close(fd);
    return written < 0 ? -1 : 0;
}

/* Whether the space-separated list in the file `name` has `word`. */
static bool
file_has_word(const char *directory, const char *name, const char *word)
{
    struct text path = {0}, text = {0};
    bool has = false;
    char *rest, *at;

    text_print(&path, "%s/%s", directory, name);
    if (file_read(text_string(&path), &text) == 0 && text.bytes != NULL)
        for (rest = text.bytes; (at = strsep(&rest, " \n")) != NULL;)
            has = has || strcmp(at, word) == 0;
    text_release(&path);
    text_release(&text);
    return has;
}

/* --- where --- */

/* One line of mountinfo (proc(5)): id parent dev ROOT MOUNT options [tags] - TYPE source SUPER. */
struct mount {
    char root[512], point[512], type[32], super[256];
};

static int
mount_parse(const char *line, struct mount *mount)
{
    const char *dash;
    size_t length = strcspn(line, "\n");

    if (sscanf(line, "%*s %*s %*s %511s %511s", mount->root, mount->point) != 2)
        return -1;
    dash = memmem(line, length, " - ", 3);
    if (dash == NULL || sscanf(dash, " - %31s %*s %255s", mount->type, mount->super) != 2)
        return -1;
    return 0;
}

static bool
list_has(const char *list, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = list; *at != '\0'; at += strspn(at, ",")) {
        size_t item = strcspn(at, ",");
        if (item == length && strncmp(at, word, length) == 0)
            return true;
        at += item;
    }
    return false;
}

/* The path in the line "ID:CONTROLLERS:PATH" of /proc/self/cgroup (cgroups(7)) with this
 * controller; "" is version 2. */
static int
own_path(const char *own, const char *controller, char *path, size_t capacity)
{
    for (const char *line = own; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        char controllers[256] = "", found[512] = "";
        bool empty = sscanf(line, "%*d::%511[^\n]", found) == 1;

        if (!empty && sscanf(line, "%*d:%255[^:\n]:%511[^\n]", controllers, found) != 2)
            found[0] = '\0';
        if (found[0] != '\0' && (*controller == '\0' ? empty : list_has(controllers, controller))) {
            snprintf(path, capacity, "%s", found);
            return 0;
        }
        line += length + (line[length] == '\n');
    }
    return -1;
}

/* The mount shows the hierarchy from its root on: so much goes off the front of the own path. */
static char *
directory_make(const struct mount *mount, const char *path)
{
    size_t root = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
    struct text text = {0};

    if (root > 0 && strncmp(path, mount->root, root) == 0)
        path += root;
    else if (root > 0)
        path = "";  /* we are outside what the mount shows: its top is all there is */
    text_print(&text, "%s%s", mount->point, strcmp(path, "/") == 0 ? "" : path);
    return text.bytes;
}

int
group_base_parse(struct group_base *base, const char *mountinfo, const char *own,
                 const char *controller)
{
    struct mount mount;
    char path[512];

    memset(base, 0, sizeof(*base));
    for (const char *line = mountinfo; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        bool valid = mount_parse(line, &mount) == 0;
        int version = !valid                                                             ? 0
                      : strcmp(mount.type, "cgroup") == 0 && list_has(mount.super, controller) ? 1
                      : strcmp(mount.type, "cgroup2") == 0                                ? 2
                                                                                          : 0;
        if ((version == 1 && base->version != 1) || (version == 2 && base->version == 0)) {
            if (own_path(own, version == 1 ? controller : "", path, sizeof(path)) == 0) {
                free(base->directory);
                base->directory = directory_make(&mount, path);
                base->version = version;
            }
        }
        line += length + (line[length] == '\n');
    }
    return base->version > 0 ? 0 : -1;
}

void
group_base_release(struct group_base *base)
{
    free(base->directory);
    free(base->home);
    memset(base, 0, sizeof(*base));
}

/* --- the groups of those that were killed --- */

static void
sweep_one(const char *directory, const char *name)
{
    struct text path = {0};

    text_print(&path, "%s/%s", directory, name);
    int lock_fd = open(text_string(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock_fd >= 0 && flock(lock_fd, LOCK_EX | LOCK_NB) == 0)
        group_remove(text_string(&path));
    if (lock_fd >= 0)
        close(lock_fd);
    text_release(&path);
}

static void
sweep(const char *directory)
{
    DIR *stream = opendir(directory);
    struct dirent *entry;

    if (stream == NULL)
        return;
    while ((entry = readdir(stream)) != NULL)
        if (strncmp(entry->d_name, GROUP_PREFIX, strlen(GROUP_PREFIX)) == 0)
            sweep_one(directory, entry->d_name);
    closedir(stream);
}

/* --- where groups can be made --- */

/* Version 2: children of `directory` have these controllers, or can be given them. */
static bool
children_have(const char *directory, const char *const *controllers)
{
    for (; *controllers != NULL; controllers++) {
        char add[32];

        if (file_has_word(directory, "cgroup.subtree_control", *controllers))
            continue;
        snprintf(add, sizeof(add), "+%s", *controllers);
        if (!file_has_word(directory, "cgroup.controllers", *controllers) ||
            group_write(directory, "cgroup.subtree_control", add) != 0)
            return false;
    }
    return true;
}

static int
base_prepare(struct group_base *base, const char *const *controllers, struct text *why)
{
    char *slash;

    base->home = strdup(base->directory);
    if (base->home == NULL) {
        text_add_string(why, "out of memory");
        return -1;
    }
    if (base->version == 1)
        return 0;
    if (children_have(base->directory, controllers))
        return 0;
    slash = strrchr(base->directory, '/');
    if (slash != NULL && slash != base->directory) {
        *slash = '\0';
        if (access(base->directory, W_OK) == 0 && children_have(base->directory, controllers))
            return 0;
    }
    text_print(why, "this control group has no %s controller to hand on", controllers[0]);
    return -1;
}

int
group_base_init(struct group_base *base, const char *const *controllers, struct text *why)
{
    struct text mounts = {0}, own = {0};
    int error = -1;

    memset(base, 0, sizeof(*base));
    if (file_read("/proc/self/mountinfo", &mounts) == 0 &&
        file_read("/proc/self/cgroup", &own) == 0)
        error = group_base_parse(base, text_string(&mounts), text_string(&own), controllers[0]);
    text_release(&mounts);
    text_release(&own);
    if (error != 0) {
        text_add_string(why, "no control groups are mounted");
        return -1;
    }
    if (base_prepare(base, controllers, why) == 0) {
        sweep(base->directory);
        return 0;
    }
    group_base_release(base);
    return -1;
}

void
group_sweep(void)
{
    static const char *const names[] = {"memory", "pids", "cpu", "freezer"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *const controllers[] = {names[i], NULL};
        struct group_base base = {0};
        struct text why = {0};

        group_base_init(&base, controllers, &why);
        group_base_release(&base);
        text_release(&why);
    }
}

/* --- making --- */

/* Between mkdir and flock one who sweeps may take the group for a dead one's: then it is gone, or
 * about to, and we say so by errno. */
static int
directory_lock(const char *directory, int *lock_fd_p)
{
    *lock_fd_p = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*lock_fd_p < 0 || flock(*lock_fd_p, LOCK_EX | LOCK_NB) != 0)
        return -1;
    return access(directory, F_OK);
}

char *
group_make(const struct group_base *base, const char *name, int *lock_fd_p, struct text *why)
{
    struct text path = {0};
    int lock_fd = -1;

    text_print(&path, "%s/%s%s", base->directory, GROUP_PREFIX, name);
    for (int tries = 0; tries < 10; tries++) {
        if (lock_fd >= 0)
            close(lock_fd);
        lock_fd = -1;
        if (mkdir(path.bytes, 0755) != 0 && errno != EEXIST) {
            text_print(why, "%s can't be made: %s", path.bytes, strerror(errno));
            break;
        }
        if (directory_lock(path.bytes, &lock_fd) == 0) {
            *lock_fd_p = lock_fd;
            return path.bytes;
        }
    }
    if (text_string(why)[0] == '\0')
        text_print(why, "%s is held by others", path.bytes);
    if (lock_fd >= 0)
        close(lock_fd);
    text_release(&path);
    return NULL;
}

int
group_open(const char *directory)
{
    struct text path = {0};
    int fd;

    text_print(&path, "%s/cgroup.procs", directory);
    fd = open(text_string(&path), O_WRONLY | O_CLOEXEC);
    text_release(&path);
    return fd;
}
