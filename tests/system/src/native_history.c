/* SPDX-License-Identifier: BSD-3-Clause */
#include "native_check.h"

/*
 * Is a global variable linearizable? Every rank does operations of all kinds on one variable and
 * notes what it saw, and when. Rank 0 then finds the one order that there can be: each value is
 * written once, so it stands for a version, also where a call tells no version.
 *
 * What must hold: each version has one writer and none is left out; who read a version read its
 * value; an operation that changes the variable follows right behind the value that it saw; and no
 * operation comes before one that had ended when it began, be it the same rank's or another's.
 */

#define OPERATIONS 120
#define STEP       (1 << 16) /* between written values: room for what is added */

enum kind { READ, WRITE, UPDATE, COMPARE_SWAP, FETCH_ADD, WAIT, KINDS };

struct operation {
    double began, ended;
    int64_t seen, made;     /* the value before, if known; the value after, if it changed it */
    uint64_t version;       /* as the call told it; else 0 until it is found */
    int32_t has_seen, has_made;
};

static int
add_one(void *value, size_t bytes, void *arg)
{
    int64_t number;

    (void)bytes;
    memcpy(&number, value, sizeof(number));
    *(int64_t *)arg = number++;
    memcpy(value, &number, sizeof(number));
    return 0;
}

/* One operation; `last` is the value that this rank saw last, `own` one that nobody ever wrote. */
static struct operation
operation_do(cpmp_var *var, enum kind kind, int64_t last, int64_t own)
{
    struct operation done = {.began = cpmp_time()};

    switch (kind) {
    case READ:
        OK(cpmp_var_read(var, &done.seen, &done.version));
        done.has_seen = 1;
        break;
    case WAIT:
        OK(cpmp_var_wait(var, 0, &done.seen, &done.version));
        done.has_seen = 1;
        break;
    case WRITE:
        done.made = own;
        OK(cpmp_var_write(var, &own, &done.version));
        done.has_made = 1;
        break;
    case UPDATE:
        OK(cpmp_var_update(var, add_one, &done.seen, &done.made, &done.version));
        done.has_made = done.has_seen = 1;
        break;
    case COMPARE_SWAP:
        done.made = own;
        OK(cpmp_var_compare_swap(var, &last, &own, &done.seen, &done.has_made));
        CHECK(done.has_made == (done.seen == last));
        done.has_seen = 1;
        break;
    default:
        OK(cpmp_var_fetch_add(var, 1, &done.seen));
        done.made = done.seen + 1;
        done.has_made = done.has_seen = 1;
    }
    done.ended = cpmp_time();
    return done;
}

/* --- at rank 0 --- */

static struct operation *all;
static int count;
static int64_t *values;     /* [version], where known */
static char *is_known;

/* The version whose value this is; 0 when it isn't known yet. */
static uint64_t
version_of(int64_t value)
{
    for (int version = 1; version <= count + 1; version++)
        if (is_known[version] && values[version] == value)
            return (uint64_t)version;
    return 0;
}

static void
version_note(uint64_t version, int64_t value)
{
    CHECK(version >= 1 && version <= (uint64_t)count + 1 && !is_known[version]);
    values[version] = value;
    is_known[version] = 1;
}

/* A call that told no version: it is that of the value seen, or the next one. */
static int
version_find(struct operation *operation)
{
    if (operation->version != 0)
        return 0;
    uint64_t before = version_of(operation->seen);
    if (before == 0)
        return 0;
    operation->version = before + (operation->has_made != 0);
    if (operation->has_made)
        version_note(operation->version, operation->made);
    return 1;
}

static void
versions_find(void)
{
    int moved = 1;

    version_note(1, 0);
    for (int i = 0; i < count; i++)
        if (all[i].version != 0 && all[i].has_made)
            version_note(all[i].version, all[i].made);
    while (moved) {
        moved = 0;
        for (int i = 0; i < count; i++)
            moved |= version_find(&all[i]);
    }
}

static void
history_check(uint64_t last_version)
{
    uint64_t changes = 1;

    versions_find();
    for (int i = 0; i < count; i++) {
        const struct operation *one = &all[i];
        CHECK(one->version >= 1 && one->version <= last_version);
        uint64_t seen_version = one->version - (one->has_made != 0);
        CHECK(!one->has_seen || values[seen_version] == one->seen);
        changes += one->has_made != 0;
        for (int j = 0; j < count; j++) {
            const struct operation *other = &all[j];
            if (one->ended < other->began)
                CHECK(one->version + (other->has_made != 0) <= other->version);
        }
    }
    CHECK(changes == last_version);
}

static void
history_gather(const struct operation *mine)
{
    count = size * OPERATIONS;
    all = room_new((size_t)count * sizeof(*all));
    values = room_new((size_t)(count + 2) * sizeof(*values));
    is_known = room_new((size_t)count + 2);
    memcpy(all, mine, OPERATIONS * sizeof(*all));
    for (int of = 1; of < size; of++)
        OK(cpmp_recv(all + of * OPERATIONS, OPERATIONS * sizeof(*all), of, 1, NULL));
}

static void
history_make(const char *name)
{
    static struct operation mine[OPERATIONS];
    cpmp_var *var = NULL;
    uint64_t version = 0, dice = 88172645463325252ull + (uint64_t)rank;
    int64_t last = 0;

    OK(cpmp_var_open(name, 8, NULL, &var));
    OK(cpmp_barrier());
    for (int i = 0; i < OPERATIONS; i++) {
        dice = dice * 6364136223846793005ull + 1442695040888963407ull;
        enum kind kind = (enum kind)((dice >> 33) % KINDS);
        int64_t own = ((int64_t)rank * OPERATIONS + i + 1) * STEP;
        mine[i] = operation_do(var, kind, last, own);
        last = mine[i].has_made ? mine[i].made : mine[i].seen;
    }
    OK(cpmp_barrier());
    OK(cpmp_var_read(var, &last, &version));
    if (rank != 0) {
        OK(cpmp_send(mine, sizeof(mine), 0, 1));
    } else {
        history_gather(mine);
        history_check(version);
        CHECK(values[version] == last);
        free(all);
        free(values);
        free(is_known);
    }
    OK(cpmp_barrier());
    cpmp_var_close(var);
}

int
main(void)
{
    begin();
    history_make("one");
    history_make("another");
    history_make("third");
    return end();
}
