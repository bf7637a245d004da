/* SPDX-License-Identifier: BSD-3-Clause */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "native_check.h"

/*
 * Global variables of cpmp.h.
 *
 * native_variables        what each call does, by all ranks at once
 * native_variables die    rank 1 of three is killed inside its update; the job ends with that
 * native_variables limit  more than all variables of one peer may take together
 */

#define TURNS 100

/* A variable of so many bytes that every rank opens; on each peer there are some. */
static cpmp_var *
open_all(const char *name, size_t bytes, const void *initial)
{
    cpmp_var *var = NULL;

    OK(cpmp_var_open(name, bytes, initial, &var));
    CHECK(var != NULL);
    return var;
}

/* --- adding --- */

/* Each rank draws tickets: every number is drawn once. */
static void
tickets(const char *name)
{
    cpmp_var *var = open_all(name, 8, NULL);
    int32_t *drawn = room_new((size_t)(TURNS * size) * sizeof(*drawn));
    uint64_t version = 0;
    int64_t value = -1, before = -1, last = -1;

    for (int i = 0; i < TURNS; i++) {
        OK(cpmp_var_fetch_add(var, 1, &before));
        CHECK(before > last && before < (int64_t)TURNS * size);
        drawn[before]++;
        last = before;
    }
    OK(cpmp_reduce(drawn, drawn, (size_t)(TURNS * size), CPMP_INT32, CPMP_SUM, CPMP_ALL));
    for (int i = 0; i < TURNS * size; i++)
        CHECK(drawn[i] == 1);
    OK(cpmp_var_read(var, &value, &version));
    CHECK(value == (int64_t)TURNS * size && version == 1 + (uint64_t)value);
    OK(cpmp_barrier());
    cpmp_var_close(var);
    free(drawn);
}

static void
sums(void)
{
    int64_t initial = 1000, before = 0, value = 0, expected = initial;
    cpmp_var *var = open_all("sum", 8, &initial);

    for (int i = 0; i < TURNS; i++)
        OK(cpmp_var_fetch_add(var, i % 2 ? rank : -3 * rank, NULL));
    OK(cpmp_barrier());
    for (int of = 0; of < size; of++)
        expected -= (int64_t)TURNS * of;
    OK(cpmp_var_read(var, &value, NULL));
    CHECK(value == expected);
    cpmp_var_close(var);

    initial = INT64_MAX;  /* wraps */
    var = open_all("wrap", 8, &initial);
    if (rank == 0) {
        OK(cpmp_var_fetch_add(var, 1, &before));
        CHECK(before == INT64_MAX);
        OK(cpmp_var_fetch_add(var, -1, &before));
        CHECK(before == INT64_MIN);
    }
    cpmp_var_close(var);
}

/* --- changing by value and by function --- */

struct tally {
    int64_t count;
    char last[24];  /* who, so that it is no number */
};

static void
compare_and_swap(void)
{
    cpmp_var *var = open_all("tally", sizeof(struct tally), NULL);
    struct tally seen = {0}, wanted;
    int swapped = 0;

    OK(cpmp_var_read(var, &seen, NULL));
    for (int i = 0; i < TURNS; i++) {
        do {
            struct tally expected = seen;
            memset(&wanted, 0, sizeof(wanted));
            wanted.count = seen.count + 1;
            snprintf(wanted.last, sizeof(wanted.last), "rank %d, %d", rank, i);
            OK(cpmp_var_compare_swap(var, &expected, &wanted, &seen, &swapped));
            /* What was there before: equal exactly when it was swapped. */
            CHECK((memcmp(&expected, &seen, sizeof(seen)) == 0) == swapped);
        } while (!swapped);
        seen = wanted;
    }
    OK(cpmp_barrier());
    OK(cpmp_var_read(var, &seen, NULL));
    CHECK(seen.count == (int64_t)TURNS * size && strncmp(seen.last, "rank ", 5) == 0);
    wanted.count = -1;
    OK(cpmp_var_compare_swap(var, &wanted, &wanted, NULL, &swapped));
    CHECK(swapped == 0);
    cpmp_var_close(var);
}

struct list {
    uint32_t count, ranks[1023];
};

/* Appends the rank that `arg` points to; *calls counts. */
struct append {
    uint32_t who;
    int calls, refuse;
};

static int
append(void *value, size_t bytes, void *arg)
{
    struct list *list = value;
    struct append *how = arg;

    CHECK(bytes == sizeof(*list) && list->count < 1023);
    how->calls++;
    list->ranks[list->count++] = how->who;
    return how->refuse;
}

static void
updates(void)
{
    enum { MINE = 20 };
    cpmp_var *var = open_all("list", sizeof(struct list), NULL);
    struct append how = {.who = (uint32_t)rank};
    struct list seen;
    uint64_t version = 0, before = 0;
    uint32_t mine = 0;

    for (int i = 0; i < MINE; i++) {
        OK(cpmp_var_update(var, append, &how, &seen, &version));
        /* The value that this very call made, under its version. */
        CHECK(version > before && seen.count + 1 == version);
        CHECK(seen.ranks[seen.count - 1] == (uint32_t)rank);
        before = version;
    }
    CHECK(how.calls >= MINE);
    OK(cpmp_barrier());
    how.refuse = 1;
    OK(cpmp_var_update(var, append, &how, &seen, &version));
    CHECK(seen.count == (uint32_t)(MINE * size) && version == seen.count + 1);
    OK(cpmp_var_update(var, append, &how, NULL, NULL));
    for (uint32_t i = 0; i < seen.count; i++)
        mine += seen.ranks[i] == (uint32_t)rank;
    CHECK(mine == MINE);
    OK(cpmp_barrier());
    OK(cpmp_var_read(var, &seen, NULL));
    CHECK(seen.count == (uint32_t)(MINE * size));  /* refused changes left no trace */
    cpmp_var_close(var);
}

static void
reads_and_writes(void)
{
    char initial[6] = "first", value[6] = "";
    uint64_t version = 0, mine = 0;
    cpmp_var *var = open_all("words", sizeof(initial), initial), *other = NULL;

    OK(cpmp_var_read(var, value, &version));
    CHECK(version == 1 && strcmp(value, "first") == 0);
    OK(cpmp_barrier());
    OK(cpmp_var_write(var, "later", &mine));
    CHECK(mine > 1 && mine <= 1 + (uint64_t)size);
    OK(cpmp_barrier());
    OK(cpmp_var_open("words", sizeof(initial), initial, &other));  /* as it is, not `initial` */
    OK(cpmp_var_read(other, value, &version));
    CHECK(strcmp(value, "later") == 0 && version == 1 + (uint64_t)size);
    OK(cpmp_var_read(other, NULL, &version));
    OK(cpmp_var_read(other, value, NULL));
    OK(cpmp_barrier());
    OK(cpmp_var_write(other, "again", NULL));
    cpmp_var_close(other);
    cpmp_var_close(var);
    cpmp_var_close(NULL);
}

/* --- waiting --- */

/* A letter of /proc/PID/stat; 0 when there is no such process. */
static char
state_of(int pid)
{
    char path[64], line[512] = "";

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fgets(line, sizeof(line), file) == NULL)
        line[0] = '\0';
    fclose(file);
    const char *end = strrchr(line, ')');
    return end == NULL ? '\0' : end[2];
}

/* Returns when a process has been seen asleep many times on end; one that spins never is. */
static void
await_asleep(int pid)
{
    double until = cpmp_time() + 60.0;

    for (int asleep = 0; asleep < 200; sched_yield()) {
        asleep = state_of(pid) == 'S' ? asleep + 1 : 0;
        CHECK(cpmp_time() < until);
    }
}

/* Everybody waits for what rank 0 writes once it has seen them asleep. */
static void
waits(void)
{
    int64_t value = 0, news = 77;
    uint64_t version = 0;
    cpmp_var *var = open_all("news", 8, NULL);
    int pid = (int)getpid();

    if (rank != 0) {
        OK(cpmp_send(&pid, sizeof(pid), 0, 1));
        OK(cpmp_var_wait(var, 1, &value, &version));
        CHECK(value == news && version == 2);
    }
    for (int of = 1; rank == 0 && of < size; of++) {
        OK(cpmp_recv(&pid, sizeof(pid), of, 1, NULL));
        await_asleep(pid);
    }
    if (rank == 0)
        OK(cpmp_var_write(var, &news, NULL));
    /* What is there already isn't waited for. */
    OK(cpmp_barrier());
    OK(cpmp_var_wait(var, 0, NULL, &version));
    OK(cpmp_var_wait(var, 1, &value, NULL));
    CHECK(version == 2 && value == news);
    cpmp_var_close(var);
}

/* A token of a value: each rank waits for its turn. */
static void
turns(void)
{
    cpmp_var *var = open_all("turn", 8, NULL);
    uint64_t version = 1;
    int64_t turn = 0;

    OK(cpmp_var_read(var, &turn, &version));
    for (int round = 0; round < 5; round++) {
        int64_t mine = (int64_t)round * size + rank;
        while (turn != mine) {
            uint64_t before = version;
            CHECK(turn < mine);
            OK(cpmp_var_wait(var, version, &turn, &version));
            CHECK(version > before && (int64_t)version == turn + 1);
        }
        OK(cpmp_var_fetch_add(var, 1, NULL));
    }
    OK(cpmp_barrier());
    cpmp_var_close(var);
}

/* --- sizes, names, errors --- */

static int
add_one_to_all(void *value, size_t bytes, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < bytes; i++)
        ((unsigned char *)value)[i]++;
    return 0;
}

static void
of_size(size_t bytes)
{
    unsigned char *value = room_new(bytes), *other = room_new(bytes);
    char name[32];
    int swapped = 0;

    snprintf(name, sizeof(name), "size %zu", bytes);
    memset(value, 1, bytes);
    cpmp_var *var = open_all(name, bytes, value);
    OK(cpmp_var_update(var, add_one_to_all, NULL, NULL, NULL));
    OK(cpmp_barrier());
    other[bytes] = 0xaa;
    OK(cpmp_var_read(var, other, NULL));
    for (size_t i = 0; i < bytes; i++)
        CHECK(other[i] == 1 + size);
    CHECK(other[bytes] == 0xaa);
    OK(cpmp_barrier());
    memset(value, 0x55, bytes);
    OK(cpmp_var_compare_swap(var, other, value, other, &swapped));
    CHECK(other[bytes] == 0xaa && other[0] == (swapped ? 1 + size : 0x55));
    int32_t count = swapped;
    OK(cpmp_reduce(&count, &count, 1, CPMP_INT32, CPMP_SUM, CPMP_ALL));
    CHECK(count == 1);
    OK(cpmp_var_write(var, value, NULL));
    cpmp_var_close(var);
    free(value);
    free(other);
}

static void
sizes(void)
{
    static const size_t of[] = {1,    7,     8,     9,     4096,  8144, 8192,
                                8193, 65535, 65536, 65537, 300000, CPMP_VAR_BYTES_MAX};
    cpmp_var *var = NULL;

    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
        of_size(of[i]);
    GIVES(CPMP_EINVAL, cpmp_var_open("none", 0, NULL, &var));
    GIVES(CPMP_EINVAL, cpmp_var_open("huge", (size_t)CPMP_VAR_BYTES_MAX + 1, NULL, &var));
    GIVES(CPMP_EINVAL, cpmp_var_open("huge", SIZE_MAX, NULL, &var));
    GIVES(CPMP_ESIZE, cpmp_var_open("size 8", 9, NULL, &var));
    GIVES(CPMP_ESIZE, cpmp_var_open("size 8", 1, NULL, &var));
    CHECK(var == NULL);
}

static void
names(void)
{
    char longest[CPMP_NAME_MAX + 2];
    cpmp_var *var = NULL;
    int64_t value = 0;

    memset(longest, 'n', sizeof(longest));
    longest[CPMP_NAME_MAX + 1] = '\0';
    GIVES(CPMP_EINVAL, cpmp_var_open(longest, 8, NULL, &var));
    GIVES(CPMP_EINVAL, cpmp_var_open("", 8, NULL, &var));
    GIVES(CPMP_EINVAL, cpmp_var_open(NULL, 8, NULL, &var));
    GIVES(CPMP_EINVAL, cpmp_var_open("name", 8, NULL, NULL));
    CHECK(var == NULL);
    longest[CPMP_NAME_MAX] = '\0';
    var = open_all(longest, 8, NULL);
    cpmp_var *shorter = open_all(longest + 1, 8, NULL), *strange = open_all("\377\n\"", 8, NULL);
    OK(cpmp_var_fetch_add(var, 1, NULL));
    OK(cpmp_barrier());
    OK(cpmp_var_read(shorter, &value, NULL));
    CHECK(value == 0);
    OK(cpmp_var_read(var, &value, NULL));
    CHECK(value == size);
    cpmp_var_close(var);
    cpmp_var_close(shorter);
    cpmp_var_close(strange);
}

static void
errors(void)
{
    cpmp_var *var = open_all("twelve", 12, NULL);
    char value[12] = "";
    int swapped = -1;

    GIVES(CPMP_ESIZE, cpmp_var_fetch_add(var, 1, NULL));
    GIVES(CPMP_EINVAL, cpmp_var_write(var, NULL, NULL));
    GIVES(CPMP_EINVAL, cpmp_var_update(var, NULL, NULL, NULL, NULL));
    GIVES(CPMP_EINVAL, cpmp_var_compare_swap(var, NULL, value, NULL, &swapped));
    GIVES(CPMP_EINVAL, cpmp_var_compare_swap(var, value, NULL, NULL, &swapped));
    GIVES(CPMP_EINVAL, cpmp_var_compare_swap(var, value, value, NULL, NULL));
    GIVES(CPMP_EINVAL, cpmp_var_read(NULL, value, NULL));
    GIVES(CPMP_EINVAL, cpmp_var_write(NULL, value, NULL));
    GIVES(CPMP_EINVAL, cpmp_var_fetch_add(NULL, 1, NULL));
    GIVES(CPMP_EINVAL, cpmp_var_wait(NULL, 0, NULL, NULL));
    CHECK(swapped == -1);
    cpmp_var_close(var);
}

/* --- a death --- */

static int
change_and_die(void *value, size_t bytes, void *arg)
{
    (void)arg;
    memset(value, 0x99, bytes);
    return raise(SIGKILL);
}

/* The launcher, the parent of this rank's agent. */
static int
launcher_pid(void)
{
    char path[64], line[512] = "";
    int parent = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)getppid());
    FILE *file = fopen(path, "r");
    CHECK(file != NULL && fgets(line, sizeof(line), file) != NULL);
    fclose(file);
    const char *end = strrchr(line, ')');
    CHECK(end != NULL && strlen(end) > 4);
    parent = (int)strtol(end + 4, NULL, 10);
    CHECK(parent > 1);
    return parent;
}

/* Rank 0 looks at the variable after rank 1 has died in the midst of its change, while the launcher
 * stands still, so that the job goes on. The launcher ends it at once when it runs again: rank 0
 * speaks before that, and checks nothing, as its own end would leave the launcher standing. */
static void
survive(cpmp_var *var)
{
    int64_t value = -1, after = -1, woken = -1;
    uint64_t version = 0, later = 0;
    int pid = 0, launcher = launcher_pid(), errors = 0;

    OK(cpmp_recv(&pid, sizeof(pid), 1, 1, NULL));
    struct pollfd death = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    CHECK(death.fd >= 0 && kill(launcher, SIGSTOP) == 0);
    while (state_of(launcher) != 'T')
        sched_yield();
    errors += cpmp_send("", 0, 1, 2) != CPMP_OK;
    errors += poll(&death, 1, 60000) != 1;
    errors += cpmp_var_read(var, &value, &version) != CPMP_OK;
    errors += cpmp_var_fetch_add(var, 1, NULL) != CPMP_OK;
    errors += cpmp_var_read(var, &after, &later) != CPMP_OK;
    errors += cpmp_recv(&woken, sizeof(woken), 2, 3, NULL) != CPMP_OK;
    errors += value != 41 || version != 1 || after != 42 || later != 2 || woken != 42;
    if (errors == 0)
        printf("the old value, and no lock\n");
    fflush(stdout);
    kill(launcher, SIGCONT);
    CHECK(errors == 0);
}

static void
die(void)
{
    int64_t initial = 41, value = 0;
    int pid = (int)getpid();
    char byte;

    begin();
    CHECK(size == 3);
    cpmp_var *var = open_all("update", 8, &initial);
    OK(cpmp_barrier());
    if (rank == 0)
        survive(var);
    if (rank == 1) {
        OK(cpmp_send(&pid, sizeof(pid), 0, 1));
        OK(cpmp_recv(NULL, 0, 0, 2, NULL));
        cpmp_var_update(var, change_and_die, NULL, NULL, NULL);
    }
    if (rank == 2) {
        OK(cpmp_var_wait(var, 1, &value, NULL));
        OK(cpmp_send(&value, sizeof(value), 0, 3));
    }
    cpmp_recv(&byte, 1, CPMP_ANY_SOURCE, 4711, NULL);
}

/* --- the bound --- */

static void
limit(void)
{
    cpmp_var *var;
    char name[32];
    int error = CPMP_OK, opened = -1;

    while (error == CPMP_OK && opened < 1000) {
        snprintf(name, sizeof(name), "large %d", ++opened);
        error = cpmp_var_open(name, CPMP_VAR_BYTES_MAX, NULL, &var);
        if (error == CPMP_OK)
            cpmp_var_close(var);
    }
    GIVES(CPMP_ELIMIT, error);
    CHECK(opened >= 250 && opened < 256);
    /* What is there is of use still. */
    OK(cpmp_var_open("large 0", CPMP_VAR_BYTES_MAX, NULL, &var));
    OK(cpmp_var_update(var, add_one_to_all, NULL, NULL, NULL));
    cpmp_var_close(var);
}

int
main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "die") == 0) {
        die();
        return 9;
    }
    begin();
    if (strcmp(what, "limit") == 0) {
        limit();
        return end();
    }
    for (const char *name = "a\0b\0c\0d\0"; *name != '\0'; name += 2)
        tickets(name);
    sums();
    compare_and_swap();
    updates();
    reads_and_writes();
    waits();
    turns();
    sizes();
    names();
    errors();
    return end();
}
