/* SPDX-License-Identifier: BSD-3-Clause */
#include "content/content.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cpmp.h>

#include "content/state.h"
#include "text/hex.h"
#include "text/memory.h"

/* --- names --- */

void
content_name_text(const struct content_name *name, char text[CONTENT_NAME_TEXT])
{
    hex_print(name->bytes, CONTENT_NAME_BYTES, text);
}

bool
content_name_parse(const char *text, struct content_name *name_p)
{
    /* One file, one name: as content_name_text prints it. */
    return strspn(text, "0123456789abcdef") == CONTENT_NAME_TEXT - 1 &&
           hex_read(text, name_p->bytes, CONTENT_NAME_BYTES);
}

bool
content_name_equal(const struct content_name *one, const struct content_name *other)
{
    return memcmp(one, other, sizeof(*one)) == 0;
}

void
content_relative(const struct content_name *name, bool partial, char path[CONTENT_PATH_BYTES])
{
    char text[CONTENT_NAME_TEXT];

    content_name_text(name, text);
    if (partial)
        snprintf(path, CONTENT_PATH_BYTES, "partial/%s", text);
    else
        snprintf(path, CONTENT_PATH_BYTES, "%.2s/%s", text, text + 2);
}

/* --- errors --- */

int
content_fail(struct content_store *store, int error, const char *format, ...)
{
    char sentence[512];
    va_list list;

    va_start(list, format);
    vsnprintf(sentence, sizeof(sentence), format, list);
    va_end(list);
    text_clear(&store->error);
    text_add_string(&store->error, sentence);
    return error;
}

int
content_failed(struct content_store *store, const char *what)
{
    int number = errno;

    if (number == ENOSPC || number == EDQUOT || number == EFBIG)
        return content_fail(store, CPMP_ENOSPC, "%s: cannot %s: %s; make room on that disk, or "
                            "set a lower quota", store->directory, what,
                            strerror(number));
    return content_fail(store, CPMP_ESYS, "%s: cannot %s: %s", store->directory, what,
                        strerror(number));
}

const char *
content_error(const struct content_store *store)
{
    return text_string(&store->error);
}

/* --- the index --- */

struct content_entry *
content_find(const struct content_store *store, const struct content_name *name, bool partial)
{
    for (uint32_t i = 0; i < store->count; i++)
        if (store->entries[i].partial == partial &&
            content_name_equal(&store->entries[i].name, name))
            return &store->entries[i];
    return NULL;
}

struct content_entry *
content_add(struct content_store *store, const struct content_name *name, uint64_t size_bytes,
            bool partial)
{
    struct content_entry *entry;

    if (store->count == store->capacity) {
        store->capacity = store->capacity ? 2 * store->capacity : 64;
        store->entries = memory_grow(store->entries, store->capacity, sizeof(*entry));
    }
    entry = &store->entries[store->count++];
    *entry = (struct content_entry){.name = *name, .size_bytes = size_bytes, .partial = partial,
                                    .used = ++store->clock};
    store->used_bytes += size_bytes;
    return entry;
}

void
content_drop(struct content_store *store, struct content_entry *entry)
{
    char path[CONTENT_PATH_BYTES];

    content_relative(&entry->name, entry->partial, path);
    unlinkat(store->directory_fd, path, 0);
    assert(store->used_bytes >= entry->size_bytes);
    store->used_bytes -= entry->size_bytes;
    *entry = store->entries[--store->count];
}

/* The time of the last use outlives a restart as the time of the file. From the clock, since what
 * the kernel would write (UTIME_NOW) is the same for all uses within a tick. */
void
content_touch(struct content_store *store, struct content_entry *entry)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
    char path[CONTENT_PATH_BYTES];

    clock_gettime(CLOCK_REALTIME, &times[1]);
    content_relative(&entry->name, entry->partial, path);
    utimensat(store->directory_fd, path, times, 0);
    entry->used = ++store->clock;
    entry->used_s = times[1].tv_sec;
}

static struct content_entry *
entry_oldest(const struct content_store *store)
{
    struct content_entry *oldest = NULL;

    for (uint32_t i = 0; i < store->count; i++) {
        struct content_entry *entry = &store->entries[i];
        if (entry->pins == 0 && (oldest == NULL || entry->used < oldest->used))
            oldest = entry;
    }
    return oldest;
}

int
content_make_room(struct content_store *store, uint64_t bytes, uint64_t beside)
{
    uint64_t pinned = content_usage(store).pinned_bytes;

    /* Known beforehand, so that nothing is evicted in vain. */
    if (bytes > store->quota_bytes || beside > store->quota_bytes - bytes ||
        pinned > store->quota_bytes - bytes - beside)
        return content_fail(store, CPMP_ELIMIT, "%s: %" PRIu64 " bytes do not fit beside the %"
                            PRIu64 " in use; the quota is %" PRIu64 " bytes", store->directory,
                            bytes + beside, pinned, store->quota_bytes);
    while (store->used_bytes + beside + bytes > store->quota_bytes) {
        struct content_entry *oldest = entry_oldest(store);
        assert(oldest != NULL);
        content_drop(store, oldest);
    }
    return CPMP_OK;
}

int
content_make_folder(struct content_store *store, const struct content_name *name)
{
    char folder[3];

    snprintf(folder, sizeof(folder), "%02x", name->bytes[0]);
    if (mkdirat(store->directory_fd, folder, 0755) < 0)
        return errno == EEXIST ? 0 : -1;
    /* Not by the umask: the sandbox's user must get in. */
    return fchmodat(store->directory_fd, folder, 0755, 0);
}

/* --- opening --- */

static void
scan_entry(struct content_store *store, const char *path, const char *hexadecimal, bool partial)
{
    struct content_entry *entry;
    struct content_name name;
    struct stat status;

    if (!content_name_parse(hexadecimal, &name) ||
        fstatat(store->directory_fd, path, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISREG(status.st_mode))
        return;
    entry = content_add(store, &name, (uint64_t)status.st_size, partial);
    entry->executable = (status.st_mode & S_IXUSR) != 0;
    entry->used_s = status.st_mtim.tv_sec;
    /* Until entries_sort: nanoseconds, to be put in order. */
    entry->used = (uint64_t)status.st_mtim.tv_sec * 1000000000u + (uint64_t)status.st_mtim.tv_nsec;
}

/* What lies in one folder; files that aren't the store's are left alone. */
static void
scan_folder(struct content_store *store, const char *folder)
{
    bool partial = strcmp(folder, "partial") == 0;
    int fd = openat(store->directory_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *found;

    if (directory == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((found = readdir(directory)) != NULL) {
        char path[CONTENT_PATH_BYTES], hexadecimal[CONTENT_NAME_TEXT + 2];
        if (strlen(found->d_name) >= CONTENT_NAME_TEXT)
            continue;
        snprintf(path, sizeof(path), "%.7s/%.*s", folder, (int)CONTENT_NAME_TEXT, found->d_name);
        snprintf(hexadecimal, sizeof(hexadecimal), "%.2s%.*s", partial ? "" : folder,
                 (int)CONTENT_NAME_TEXT - 1, found->d_name);
        scan_entry(store, path, hexadecimal, partial);
    }
    closedir(directory);
}

static int
entry_order(const void *one, const void *other)
{
    const struct content_entry *a = one, *b = other;

    if (a->used != b->used)
        return a->used < b->used ? -1 : 1;
    return memcmp(&a->name, &b->name, sizeof(a->name));
}

static void
scan(struct content_store *store, DIR *directory)
{
    struct dirent *found;

    while ((found = readdir(directory)) != NULL) {
        size_t length = strlen(found->d_name);
        if (strncmp(found->d_name, "new.", 4) == 0)
            unlinkat(store->directory_fd, found->d_name, 0);  /* of a killed process */
        else if ((length == 2 && found->d_name[0] != '.') || strcmp(found->d_name, "partial") == 0)
            scan_folder(store, found->d_name);
    }
    if (store->count > 0)
        qsort(store->entries, store->count, sizeof(store->entries[0]), entry_order);
    for (uint32_t i = 0; i < store->count; i++)
        store->entries[i].used = i + 1;
    store->clock = store->count;
}

static int
directory_open(struct content_store *store)
{
    int made = mkdir(store->directory, 0755);
    int fd;

    if (made < 0 && errno != EEXIST)
        return -1;
    store->directory_fd = open(store->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->directory_fd < 0)
        return -1;
    if (made == 0 && fchmod(store->directory_fd, 0755) < 0)
        return -1;
    if (mkdirat(store->directory_fd, "partial", 0700) < 0 && errno != EEXIST)
        return -1;
    fd = openat(store->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd;
}

int
content_open(const char *directory, uint64_t quota_bytes, struct content_store **store_p,
             struct text *why)
{
    struct content_store *store = memory_new(1, sizeof(*store));
    DIR *listing = NULL;
    int fd;

    store->directory = memory_copy_text(directory);
    store->directory_fd = -1;
    store->quota_bytes = quota_bytes;
    fd = directory_open(store);
    if (fd >= 0)
        listing = fdopendir(fd);
    if (listing == NULL) {
        text_print(why, "%s: cannot open the store of contents: %s; name another directory or let "
                   "this user write there", directory, strerror(errno));
        if (fd >= 0)
            close(fd);
        content_close(store);
        return CPMP_ESYS;
    }
    scan(store, listing);
    closedir(listing);
    content_set_quota(store, quota_bytes);
    *store_p = store;
    return CPMP_OK;
}

void
content_close(struct content_store *store)
{
    if (store == NULL)
        return;
    if (store->directory_fd >= 0)
        close(store->directory_fd);
    text_release(&store->error);
    free(store->directory);
    free(store->entries);
    free(store);
}

/* --- looking at it --- */

bool
content_has(const struct content_store *store, const struct content_name *name)
{
    return content_find(store, name, false) != NULL;
}

void
content_path(const struct content_store *store, const struct content_name *name, struct text *path)
{
    char relative[CONTENT_PATH_BYTES];

    content_relative(name, false, relative);
    text_clear(path);
    text_print(path, "%s/%s", store->directory, relative);
}

void
content_set_quota(struct content_store *store, uint64_t quota_bytes)
{
    struct content_entry *oldest;

    store->quota_bytes = quota_bytes;
    while (store->used_bytes > quota_bytes && (oldest = entry_oldest(store)) != NULL)
        content_drop(store, oldest);
}

struct content_usage
content_usage(const struct content_store *store)
{
    struct content_usage usage = {.quota_bytes = store->quota_bytes,
                                  .used_bytes = store->used_bytes, .contents = store->count};

    for (uint32_t i = 0; i < store->count; i++)
        if (store->entries[i].pins > 0)
            usage.pinned_bytes += store->entries[i].size_bytes;
    return usage;
}

bool
content_at(const struct content_store *store, uint32_t index, struct content_info *info_p)
{
    const struct content_entry *entry;

    if (index >= store->count)
        return false;
    entry = &store->entries[index];
    *info_p = (struct content_info){
        .name = entry->name, .size_bytes = entry->size_bytes, .executable = entry->executable,
        .partial = entry->partial, .pins = entry->pins, .used_s = entry->used_s,
    };
    return true;
}
