/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What messages cost in memory, against the bounds that ARCHITECTURE.md states: of ranks that have
 * not received yet what others send, of agents between a sender and a receiver that computes, and
 * of the job segment. A limit is the bound and SLACK_KIB for what the measuring itself and the
 * allocator take; without a bound each of these cases would be several times beyond it.
 */
#include <dirent.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "native_check.h"

#define SLACK_KIB    8192u
#define CREDIT_KIB   1024u  /* of one sender at one receiver, up to 64 ranks */
#define SHORT_FACTOR 5u     /* the shortest messages take so many times what they cost */
#define HEADER_BYTES 320u   /* of a message whose data is still at its sender */

enum { TAG_DATA = 1, TAG_LONG = 2, TAG_READY = 3, TAG_END = 4 };

/* The most memory that the process has used so far. */
static size_t
peak_kib(pid_t pid)
{
    char path[64], line[256];
    size_t kib = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    while (fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtoul(line + 6, NULL, 10);
    fclose(file);
    CHECK(kib > 0);
    return kib;
}

static void
grown_check(pid_t pid, const char *who, size_t before_kib, size_t most_kib)
{
    size_t after_kib = peak_kib(pid), grown_kib = after_kib - before_kib;

    if (getenv("MEMORY_SHOW") != NULL)
        fprintf(stderr, "rank %d: %s grew by %zu of %zu KiB\n", rank, who, grown_kib, most_kib);
    if (grown_kib <= most_kib)
        return;
    printf("rank %d: %s grew by %zu KiB, allowed are %zu\n", rank, who, grown_kib, most_kib);
    fflush(stdout);
    cpmp_abort(3, "memory is not bounded");
}

/* --- a rank that receives nothing yet --- */

static void
unread_send(const char *data, size_t bytes, int count)
{
    cpmp_request **requests = calloc((size_t)count + 1, sizeof(cpmp_request *));
    size_t before_kib = peak_kib(getpid());

    for (int i = 0; i < count; i++)
        OK(cpmp_isend(data + i, bytes, 0, TAG_DATA, &requests[i]));
    OK(cpmp_isend(NULL, 0, 0, TAG_END, &requests[count]));
    OK(cpmp_wait_all(count + 1, requests, NULL));
    /* what is not sent yet stays where it is: a request each, no copy */
    grown_check(getpid(), "a sender", before_kib, (size_t)count * HEADER_BYTES / 1024 + SLACK_KIB);
    free(requests);
}

/* The last message of each sender stands behind all others of it: once it is here, so are they, or
 * their headers. */
static void
unread_receive(char *data, size_t bytes, int count)
{
    size_t before_kib = peak_kib(getpid()), headers = (size_t)count * (size_t)(size - 1);
    size_t credit_kib = bytes < 64 ? SHORT_FACTOR * CREDIT_KIB : CREDIT_KIB;
    cpmp_status status;

    for (int i = 1; i < size; i++)
        OK(cpmp_recv(NULL, 0, i, TAG_END, NULL));
    grown_check(getpid(), "a receiver", before_kib,
                (size_t)(size - 1) * credit_kib + headers * HEADER_BYTES / 1024 + SLACK_KIB);
    for (int i = 1; i < size; i++) {
        for (int k = 0; k < count; k++) {
            OK(cpmp_recv(data, bytes, i, TAG_DATA, &status));
            CHECK(status.bytes == bytes && data[0] == (char)(i + k) &&
                  data[bytes - 1] == (char)(i + k + (int)bytes - 1));
        }
    }
}

static void
unread(size_t bytes, int count)
{
    char *data = malloc(bytes + (size_t)count);

    for (size_t i = 0; i < bytes + (size_t)count; i++)
        data[i] = (char)(i + (size_t)rank);
    OK(cpmp_barrier());
    if (rank == 0)
        unread_receive(data, bytes, count);
    else
        unread_send(data, bytes, count);
    free(data);
}

/* --- agents between a sender and a receiver that computes --- */

enum { LONGS = 12, EAGERS = 1500 };
#define LONG_BYTES  ((size_t)2 << 20)
#define EAGER_BYTES ((size_t)32 << 10)

static void
apart_send(int dest)
{
    static cpmp_request *requests[LONGS + EAGERS + 2];
    char *data = calloc(1, LONG_BYTES);

    for (int i = 0; i < LONGS; i++)
        OK(cpmp_isend(data, LONG_BYTES, dest, TAG_LONG, &requests[i]));
    OK(cpmp_isend(NULL, 0, dest, TAG_READY, &requests[LONGS]));
    for (int i = 0; i < EAGERS; i++)
        OK(cpmp_isend(data, EAGER_BYTES, dest, TAG_DATA, &requests[LONGS + 1 + i]));
    OK(cpmp_isend(NULL, 0, dest, TAG_END, &requests[LONGS + 1 + EAGERS]));
    OK(cpmp_wait_all(LONGS + EAGERS + 2, requests, NULL));
    free(data);
}

/* Until the agent has got what it can get while nobody takes it. That it may be too short makes the
 * test weaker, never wrong. */
static void
compute(pid_t agent)
{
    size_t last_kib = 0;

    for (int still = 0; still < 2000; still++) {
        size_t kib = peak_kib(agent);
        if (kib != last_kib)
            still = 0;
        last_kib = kib;
        sched_yield();
    }
}

static void
apart_receive(int source)
{
    cpmp_request *requests[LONGS];
    char *data = malloc(LONGS * LONG_BYTES), *part = malloc(EAGER_BYTES);

    for (int i = 0; i < LONGS; i++)
        OK(cpmp_irecv(data + (size_t)i * LONG_BYTES, LONG_BYTES, source, TAG_LONG, &requests[i]));
    OK(cpmp_recv(NULL, 0, source, TAG_READY, NULL));
    compute(getppid());
    OK(cpmp_wait_all(LONGS, requests, NULL));
    for (int i = 0; i < EAGERS; i++)
        OK(cpmp_recv(part, EAGER_BYTES, source, TAG_DATA, NULL));
    OK(cpmp_recv(NULL, 0, source, TAG_END, NULL));
    free(part);
    free(data);
}

/* The lower half of the ranks, all on peer 0, sends to the upper half. A rank's parent is its
 * agent. */
static void
apart(void)
{
    size_t one_kib = CREDIT_KIB + 8 * 1024, all_kib = one_kib * (size_t)size / 2;

    OK(cpmp_barrier());
    size_t before_kib = peak_kib(getppid());
    OK(cpmp_barrier());
    if (rank < size / 2)
        apart_send(rank + size / 2);
    else
        apart_receive(rank - size / 2);
    OK(cpmp_barrier());
    grown_check(getppid(), "an agent", before_kib,
                (all_kib < 64 * 1024 ? all_kib : 64 * 1024) + SLACK_KIB);
}

/* --- the job segment --- */

/* The segment is a memfd of the agent, which has no other as large. */
static struct stat
segment_stat(void)
{
    struct stat largest = {0}, found;
    char path[300];
    struct dirent *entry;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)getppid());
    DIR *directory = opendir(path);
    CHECK(directory != NULL);
    while ((entry = readdir(directory)) != NULL) {
        snprintf(path, sizeof(path), "/proc/%d/fd/%.20s", (int)getppid(), entry->d_name);
        if (stat(path, &found) == 0 && S_ISREG(found.st_mode) && found.st_nlink == 0 &&
            found.st_size > largest.st_size)
            largest = found;
    }
    closedir(directory);
    CHECK(largest.st_size > 0);
    return largest;
}

static void
segment(void)
{
    size_t pairs = (size_t)size * (size_t)size;
    int partner;

    OK(cpmp_barrier());
    if (rank == 0) {
        struct stat idle = segment_stat();
        size_t idle_kib = (size_t)idle.st_blocks / 2;
        CHECK((size_t)idle.st_size <= (size_t)1 << 30);
        CHECK((size_t)idle.st_size >= pairs * 4096);
        /* each rank has met the others in its slots, and told its agent that it is there */
        CHECK(idle_kib <= (size_t)size * 128);
    }
    OK(cpmp_barrier());
    for (int i = 1; i < size; i++) {
        cpmp_request *request;
        partner = (rank + i) % size;
        OK(cpmp_isend(&i, sizeof(i), partner, TAG_DATA, &request));
        partner = (rank + size - i) % size;
        int got = 0;
        OK(cpmp_recv(&got, sizeof(got), partner, TAG_DATA, NULL));
        OK(cpmp_wait(&request, NULL));
        CHECK(got == i);
    }
    OK(cpmp_barrier());
    if (rank == 0) {
        size_t used_kib = (size_t)segment_stat().st_blocks / 2;
        if (getenv("MEMORY_SHOW") != NULL)
            fprintf(stderr, "the segment takes %zu KiB\n", used_kib);
        /* the head and the first page of each ring that was used */
        CHECK(used_kib <= (size_t)size * 128 + pairs * 12);
    }
    OK(cpmp_barrier());
}

int
main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    begin();
    if (strcmp(what, "unread") == 0)
        unread(strtoul(argv[2], NULL, 10), (int)strtol(argv[3], NULL, 10));
    else if (strcmp(what, "apart") == 0)
        apart();
    else if (strcmp(what, "segment") == 0)
        segment();
    else
        CHECK(!"the case to run was named");
    return end();
}
