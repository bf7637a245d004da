/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"

#include <stdint.h>

/* Many nonblocking collectives under way at once in several communicators, ended in an order of
 * its own by each rank, with blocking ones and messages in between. Communicators that overlap, are
 * freed under way, come in greater number than the library has fast ones for, or work at the same
 * time. Any number of ranks. */

enum { KINDS = 13, WINDOW = 10, COMMS = 5 };

struct operation {
    MPI_Comm comm;
    MPI_Request request;
    int kind, root, count, serial, rank, size;
    int *send, *recv;
    int *counts, *places;
};

static uint64_t
mix(uint64_t x)
{
    x ^= x >> 33, x *= 0xff51afd7ed558ccdu;
    x ^= x >> 33, x *= 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

/* Element i of what rank r of a communicator has for its rank s. */
static int
datum(const struct operation *o, int r, int s, int i)
{
    return (int)(mix((uint64_t)o->serial * 1000003 + (uint64_t)r * 4099 + (uint64_t)s * 67 +
                     (uint64_t)i) & 0xffff);
}

static int
sum_to(const struct operation *o, int ranks, int s, int i)
{
    int sum = 0;

    for (int r = 0; r < ranks; r++)
        sum += datum(o, r, s, i);
    return sum;
}

static int
block_of(const struct operation *o, int r)
{
    return (r * 5 + o->serial) % 3 * o->count;
}

static void
operation_fill(struct operation *o)
{
    int all, place = 0;

    MPI_Comm_rank(o->comm, &o->rank);
    MPI_Comm_size(o->comm, &o->size);
    all = o->size * (o->count * 2 + 1);
    o->send = malloc(sizeof(int) * (size_t)all);
    o->recv = malloc(sizeof(int) * (size_t)all);
    o->counts = malloc(sizeof(int) * (size_t)o->size);
    o->places = malloc(sizeof(int) * (size_t)o->size);
    CHECK(o->send && o->recv && o->counts && o->places);
    for (int i = 0; i < all; i++)
        o->recv[i] = -1;
    for (int s = 0; s < o->size; s++) {
        o->counts[s] = block_of(o, s);
        o->places[s] = place;
        place += o->counts[s] + 1;
        for (int i = 0; i < o->count; i++)
            o->send[s * o->count + i] = datum(o, o->rank, s, i);
    }
}

static void
operation_begin(struct operation *o)
{
    MPI_Comm c = o->comm;
    MPI_Request *q = &o->request;
    int n = o->count, mine;

    operation_fill(o);
    mine = o->counts[o->rank];
    switch (o->kind) {
    case 0: MPI_Ibarrier(c, q); break;
    case 1: MPI_Ibcast(o->rank == o->root ? o->send : o->recv, n, MPI_INT, o->root, c, q); break;
    case 2: MPI_Igather(o->send, n, MPI_INT, o->recv, n, MPI_INT, o->root, c, q); break;
    case 3: MPI_Iscatter(o->send, n, MPI_INT, o->recv, n, MPI_INT, o->root, c, q); break;
    case 4: MPI_Iallgather(o->send, n, MPI_INT, o->recv, n, MPI_INT, c, q); break;
    case 5: MPI_Ialltoall(o->send, n, MPI_INT, o->recv, n, MPI_INT, c, q); break;
    case 6: MPI_Ireduce(o->send, o->recv, n, MPI_INT, MPI_SUM, o->root, c, q); break;
    case 7: MPI_Iallreduce(o->send, o->recv, n, MPI_INT, MPI_SUM, c, q); break;
    case 8: MPI_Iscan(o->send, o->recv, n, MPI_INT, MPI_SUM, c, q); break;
    case 9: MPI_Iexscan(o->send, o->recv, n, MPI_INT, MPI_SUM, c, q); break;
    case 10: MPI_Ireduce_scatter_block(o->send, o->recv, n, MPI_INT, MPI_SUM, c, q); break;
    case 11:
        free(o->send); /* each rank's block is what it would be gathered from */
        o->send = malloc(sizeof(int) * (size_t)(mine + 1));
        for (int i = 0; i < mine; i++)
            o->send[i] = datum(o, o->rank, 0, i);
        MPI_Iallgatherv(o->send, mine, MPI_INT, o->recv, o->counts, o->places, MPI_INT, c, q);
        break;
    default:
        free(o->send);
        o->send = malloc(sizeof(int) * (size_t)(mine + 1));
        for (int i = 0; i < mine; i++)
            o->send[i] = datum(o, o->rank, 0, i);
        MPI_Igatherv(o->send, mine, MPI_INT, o->recv, o->counts, o->places, MPI_INT, o->root, c,
                     q);
    }
    /* The arrays are the caller's again. */
    for (int s = 0; s < o->size; s++)
        o->counts[s] = o->places[s] = -1;
}

static void
blocks_check(const struct operation *o, int s)
{
    for (int r = 0; r < o->size; r++)
        for (int i = 0; i < o->count; i++)
            CHECK(o->recv[r * o->count + i] == datum(o, r, s, i));
}

static void
uneven_blocks_check(const struct operation *o)
{
    const int *block = o->recv;

    for (int r = 0; r < o->size; r++) {
        for (int i = 0; i < block_of(o, r); i++)
            CHECK(*block++ == datum(o, r, 0, i));
        CHECK(*block++ == -1);
    }
}

static void
sums_check(const struct operation *o, int ranks, int s)
{
    for (int i = 0; i < o->count; i++)
        CHECK(o->recv[i] == sum_to(o, ranks, s, i));
}

/* Reductions take the vector as it lies in `send`, whose first `count` are those for rank 0. */
static void
operation_check(const struct operation *o)
{
    int at_root = o->rank == o->root;

    switch (o->kind) {
    case 0: break;
    case 1:
        for (int i = 0; i < o->count && !at_root; i++)
            CHECK(o->recv[i] == datum(o, o->root, 0, i));
        break;
    case 2:
        if (at_root)
            blocks_check(o, 0);
        break;
    case 3:
        for (int i = 0; i < o->count; i++)
            CHECK(o->recv[i] == datum(o, o->root, o->rank, i));
        break;
    case 4: blocks_check(o, 0); break;
    case 5: blocks_check(o, o->rank); break;
    case 6:
        if (at_root)
            sums_check(o, o->size, 0);
        break;
    case 7: sums_check(o, o->size, 0); break;
    case 8: sums_check(o, o->rank + 1, 0); break;
    case 9:
        if (o->rank > 0)
            sums_check(o, o->rank, 0);
        break;
    case 10: sums_check(o, o->size, o->rank); break;
    case 11: uneven_blocks_check(o); break;
    default:
        if (at_root)
            uneven_blocks_check(o);
    }
}

static void
operation_end(struct operation *o)
{
    CHECK(o->request == MPI_REQUEST_NULL);
    operation_check(o);
    free(o->send);
    free(o->recv);
    free(o->counts);
    free(o->places);
    memset(o, 0, sizeof(*o));
    o->request = MPI_REQUEST_NULL;
}

static int
is_running(const struct operation *o)
{
    return o->send != NULL;
}

/* Ends one or several, which is this rank's own choice. */
static void
some_end(struct operation *window, uint64_t luck)
{
    MPI_Request requests[WINDOW];
    int which[WINDOW], done[WINDOW], count = 0, index = 0, flag = 0;

    for (int i = 0; i < WINDOW; i++)
        if (is_running(&window[i]))
            which[count++] = i;
    for (int i = 0; i < count; i++) { /* in an order of its own, too */
        int k = i + (int)(mix(luck + (uint64_t)i) % (uint64_t)(count - i)), swap = which[i];
        which[i] = which[k];
        which[k] = swap;
        requests[i] = window[which[i]].request;
    }
    if (count == 0)
        return;
    switch (luck / 256 % 4) {
    case 0:
        MPI_Waitany(count, requests, &index, MPI_STATUS_IGNORE);
        done[0] = index, flag = 1;
        break;
    case 1: MPI_Waitsome(count, requests, &flag, done, MPI_STATUSES_IGNORE); break;
    case 2:
        while (!flag)
            MPI_Test(&requests[0], &flag, MPI_STATUS_IGNORE);
        done[0] = 0;
        break;
    default:
        flag = count < 3 ? count : 3;
        MPI_Waitall(flag, requests, MPI_STATUSES_IGNORE);
        for (int i = 0; i < flag; i++)
            done[i] = i;
    }
    for (int i = 0; i < flag; i++) {
        window[which[done[i]]].request = requests[done[i]];
        operation_end(&window[which[done[i]]]);
    }
}

/* A blocking collective in the middle of it all, and a message. */
static void
interlude(MPI_Comm comm, int serial)
{
    int comm_rank, comm_size, sum, value, last;

    MPI_Comm_rank(comm, &comm_rank);
    MPI_Comm_size(comm, &comm_size);
    value = comm_rank + serial;
    switch (serial % 4) {
    case 0:
        MPI_Allreduce(&value, &sum, 1, MPI_INT, MPI_SUM, comm);
        CHECK(sum == comm_size * (comm_size - 1) / 2 + comm_size * serial);
        break;
    case 1: MPI_Barrier(comm); break;
    case 2:
        last = comm_size - 1;
        MPI_Bcast(&value, 1, MPI_INT, last, comm);
        CHECK(value == last + serial);
        break;
    default:
        MPI_Sendrecv_replace(&value, 1, MPI_INT, (comm_rank + 1) % comm_size, 7,
                             (comm_rank + comm_size - 1) % comm_size, 7, comm, MPI_STATUS_IGNORE);
        CHECK(value == (comm_rank + comm_size - 1) % comm_size + serial);
    }
}

static void
test_window(MPI_Comm *comms, int rounds)
{
    static const int counts[] = {1, 3, 50, 700, 5000};
    struct operation window[WINDOW] = {{0}};

    for (int round = 0; round < rounds; round++) {
        uint64_t common = mix((uint64_t)round + 1);
        int place = -1;

        for (int i = 0; i < WINDOW; i++)
            if (!is_running(&window[i]))
                place = i;
        while (place < 0) {
            some_end(window, mix((uint64_t)round * 64 + (uint64_t)rank));
            for (int i = 0; i < WINDOW; i++)
                if (!is_running(&window[i]))
                    place = i;
        }
        struct operation *o = &window[place];
        o->comm = comms[common % COMMS];
        o->kind = (int)(common / 64 % KINDS);
        o->serial = round;
        o->count = counts[common / 4096 % 5];
        MPI_Comm_size(o->comm, &o->size);
        o->root = (int)(common / 65536 % (uint64_t)o->size);
        operation_begin(o);
        if (common / 1048576 % 3 == 0)
            interlude(comms[common / 16777216 % COMMS], round);
    }
    for (int i = 0; i < 100; i++)
        some_end(window, mix((uint64_t)i * 64 + (uint64_t)rank));
    for (int i = 0; i < WINDOW; i++)
        CHECK(!is_running(&window[i]));
}

/* More than have fast ways of their own, alive at once; ended in another order than made. */
static void
test_many(void)
{
    enum { MANY = 45 };
    MPI_Comm comms[MANY];
    int value, sum, wanted = size * (size - 1) / 2;

    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < MANY; i++)
            MPI_Comm_dup(i % 3 ? comms[i - 1] : MPI_COMM_WORLD, &comms[i]);
        for (int i = MANY - 1; i >= 0; i--) {
            value = rank + i;
            MPI_Allreduce(&value, &sum, 1, MPI_INT, MPI_SUM, comms[i]);
            CHECK(sum == wanted + size * i);
            value = rank == i % size ? 100 + i : -1;
            MPI_Bcast(&value, 1, MPI_INT, i % size, comms[i]);
            CHECK(value == 100 + i);
        }
        for (int i = 0; i < MANY; i++)
            MPI_Comm_free(&comms[i * 7 % MANY]);
    }
}

/* A communicator and an operation given up while the collective is under way. */
static void
product(void *in, void *inout, int *count, MPI_Datatype *type)
{
    (void)type;
    for (int i = 0; i < *count; i++)
        ((int *)inout)[i] *= ((int *)in)[i];
}

static void
test_given_up(void)
{
    int one = 1 + (rank == size - 1), result[3] = {0}, other;
    MPI_Request requests[3];
    MPI_Datatype type;

    for (int i = 0; i < 3; i++) {
        MPI_Comm comm;
        MPI_Op op;
        MPI_Comm_dup(MPI_COMM_WORLD, &comm);
        MPI_Op_create(product, 1, &op);
        MPI_Type_contiguous(1, MPI_INT, &type);
        MPI_Type_commit(&type);
        MPI_Iallreduce(&one, &result[i], 1, type, op, comm, &requests[i]);
        MPI_Op_free(&op);
        MPI_Type_free(&type);
        MPI_Comm_free(&comm);
    }
    MPI_Comm later; /* what is under way keeps its contexts from this one */
    MPI_Comm_dup(MPI_COMM_WORLD, &later);
    MPI_Allreduce(&one, &other, 1, MPI_INT, MPI_MAX, later);
    MPI_Comm_free(&later);
    MPI_Waitall(3, requests, MPI_STATUSES_IGNORE);
    for (int i = 0; i < 3; i++)
        CHECK(result[i] == 2);
    CHECK(other == 2);
}

/* Parts of the world work side by side, of equal and of different sizes, nested. */
static void
test_parts(void)
{
    for (int round = 0; round < 20; round++) {
        MPI_Comm part, inner;
        int color = round % 3 == 0 ? rank % 2 : (int)(mix((uint64_t)(round * 64 + rank)) % 3);
        int part_rank, part_size, sum, key = round % 2 ? -rank : rank, ends[2];

        MPI_Comm_split(MPI_COMM_WORLD, color, key, &part);
        MPI_Comm_rank(part, &part_rank);
        MPI_Comm_size(part, &part_size);
        for (int i = 0; i < 5 + 4 * color; i++)
            MPI_Allreduce(&part_rank, &sum, 1, MPI_INT, MPI_SUM, part);
        CHECK(sum == part_size * (part_size - 1) / 2);
        MPI_Comm_split(part, part_rank < part_size / 2, 0, &inner);
        ends[0] = ends[1] = rank;
        MPI_Allreduce(MPI_IN_PLACE, &ends[0], 1, MPI_INT, MPI_MIN, inner);
        MPI_Allreduce(MPI_IN_PLACE, &ends[1], 1, MPI_INT, MPI_MAX, inner);
        CHECK(ends[0] <= rank && rank <= ends[1]);
        if (round % 4 != 1)
            MPI_Comm_free(&part);
        MPI_Barrier(inner);
        MPI_Comm_free(&inner);
        if (part != MPI_COMM_NULL)
            MPI_Comm_free(&part);
    }
}

int
main(int argc, char **argv)
{
    MPI_Comm comms[COMMS];

    begin(&argc, &argv);
    MPI_Comm_dup(MPI_COMM_WORLD, &comms[0]);
    MPI_Comm_split(MPI_COMM_WORLD, 0, -rank, &comms[1]);
    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &comms[2]);
    MPI_Comm_split(MPI_COMM_WORLD, rank < size / 3, -rank, &comms[3]);
    comms[4] = MPI_COMM_WORLD;
    test_window(comms, 400);
    for (int i = 0; i < 4; i++)
        MPI_Comm_free(&comms[i]);
    test_many();
    test_given_up();
    test_parts();
    return end();
}
