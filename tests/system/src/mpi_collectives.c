/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"

/* Every collective, blocking and nonblocking, in place or not, against what each rank can work out
 * on its own. Any number of ranks. */

static MPI_Comm comm; /* `rank` and `size` are those in it */
static int nonblocking;

/* MPI_Name, or MPI_Iname and a wait. */
#define RUN(Name, name, ...)                                                                       \
    do {                                                                                           \
        if (nonblocking) {                                                                         \
            MPI_Request run_request;                                                               \
            MPI_I##name(__VA_ARGS__, &run_request);                                                \
            MPI_Wait(&run_request, MPI_STATUS_IGNORE);                                             \
            CHECK(run_request == MPI_REQUEST_NULL);                                                \
        } else {                                                                                   \
            MPI_##Name(__VA_ARGS__);                                                               \
        }                                                                                          \
    } while (0)

/* Element i of what rank r has for rank s. */
static int
datum(int r, int s, int i)
{
    return r * 1000003 + s * 1009 + i;
}

/* One more than asked for, to see writes behind the end. */
static int *
ints_new(int count)
{
    int *ints = malloc(sizeof(int) * (size_t)(count + 1));

    CHECK(ints != NULL);
    for (int i = 0; i <= count; i++)
        ints[i] = -7;
    return ints;
}

static void
ints_free(int *ints, int count)
{
    CHECK(ints[count] == -7);
    free(ints);
}

/* --- moving data --- */

static void
test_barrier_bcast(int count)
{
    int *data = ints_new(count);

    RUN(Barrier, barrier, comm);
    for (int root = 0; root < size; root += 1 + size / 3) {
        for (int i = 0; i < count; i++)
            data[i] = rank == root ? datum(root, 0, i) : -1;
        RUN(Bcast, bcast, data, count, MPI_INT, root, comm);
        for (int i = 0; i < count; i++)
            CHECK(data[i] == datum(root, 0, i));
    }
    ints_free(data, count);
}

static void
test_gather(int count, int in_place)
{
    int *send = ints_new(count), *recv = ints_new(count * size), root = (count + 1) % size;

    for (int i = 0; i < count; i++)
        send[i] = recv[rank * count + i] = datum(rank, 0, i);
    RUN(Gather, gather, in_place && rank == root ? MPI_IN_PLACE : send, count, MPI_INT, recv,
        count, MPI_INT, root, comm);
    for (int i = 0; rank == root && i < count * size; i++)
        CHECK(recv[i] == datum(i / count, 0, i % count));
    ints_free(recv, count * size);
    ints_free(send, count);
}

static void
test_scatter(int count, int in_place)
{
    int *send = ints_new(count * size), *recv = ints_new(count), root = count % size;

    for (int i = 0; rank == root && i < count * size; i++)
        send[i] = datum(root, i / count, i % count);
    RUN(Scatter, scatter, send, count, MPI_INT, in_place && rank == root ? MPI_IN_PLACE : recv,
        count, MPI_INT, root, comm);
    for (int i = 0; i < count && !(in_place && rank == root); i++)
        CHECK(recv[i] == datum(root, rank, i));
    ints_free(recv, count);
    ints_free(send, count * size);
}

static void
test_allgather(int count, int in_place)
{
    int *send = ints_new(count), *recv = ints_new(count * size);

    for (int i = 0; i < count; i++)
        send[i] = recv[rank * count + i] = datum(rank, 0, i);
    RUN(Allgather, allgather, in_place ? MPI_IN_PLACE : send, count, MPI_INT, recv, count, MPI_INT,
        comm);
    for (int i = 0; i < count * size; i++)
        CHECK(recv[i] == datum(i / count, 0, i % count));
    ints_free(recv, count * size);
    ints_free(send, count);
}

static void
test_alltoall(int count, int in_place)
{
    int *send = ints_new(count * size), *recv = ints_new(count * size);

    for (int i = 0; i < count * size; i++)
        send[i] = recv[i] = datum(rank, i / count, i % count);
    RUN(Alltoall, alltoall, in_place ? MPI_IN_PLACE : send, count, MPI_INT, recv, count, MPI_INT,
        comm);
    for (int i = 0; i < count * size; i++)
        CHECK(recv[i] == datum(i / count, rank, i % count));
    ints_free(recv, count * size);
    ints_free(send, count * size);
}

/* --- a count for each rank: r has (r * 7 + 3 + salt) % 5 * unit elements, gaps of 2 between --- */

struct layout {
    int *counts, *places, total;
};

static struct layout
layout_make(int unit, int salt)
{
    struct layout layout = {ints_new(size), ints_new(size), 0};

    for (int r = 0; r < size; r++) {
        layout.counts[r] = (r * 7 + 3 + salt) % 5 * unit;
        layout.places[r] = layout.total;
        layout.total += layout.counts[r] + 2;
    }
    return layout;
}

static void
layout_free(struct layout *layout)
{
    ints_free(layout->counts, size);
    ints_free(layout->places, size);
}

/* Everything of `data` is either rank r's block or untouched. */
static void
layout_check(const struct layout *layout, const int *data, int salt_of_datum, int from_all)
{
    for (int r = 0; r < size; r++) {
        const int *block = data + layout->places[r];
        for (int i = 0; i < layout->counts[r]; i++)
            CHECK(block[i] == datum(r, from_all ? salt_of_datum : 0, i));
        CHECK(block[layout->counts[r]] == -7 && block[layout->counts[r] + 1] == -7);
    }
}

static void
test_gatherv(int unit, int everywhere)
{
    struct layout layout = layout_make(unit, 0);
    int mine = layout.counts[rank], *send = ints_new(mine), *recv = ints_new(layout.total);
    int root = size - 1;

    for (int i = 0; i < mine; i++)
        send[i] = datum(rank, 0, i);
    if (everywhere)
        RUN(Allgatherv, allgatherv, send, mine, MPI_INT, recv, layout.counts, layout.places,
            MPI_INT, comm);
    else
        RUN(Gatherv, gatherv, send, mine, MPI_INT, recv, layout.counts, layout.places, MPI_INT,
            root, comm);
    if (everywhere || rank == root)
        layout_check(&layout, recv, 0, 0);
    ints_free(recv, layout.total);
    ints_free(send, mine);
    layout_free(&layout);
}

static void
test_scatterv(int unit)
{
    struct layout layout = layout_make(unit, 1);
    int mine = layout.counts[rank], *send = ints_new(layout.total), *recv = ints_new(mine);

    for (int r = 0; r < size; r++)
        for (int i = 0; i < layout.counts[r]; i++)
            send[layout.places[r] + i] = datum(0, r, i);
    RUN(Scatterv, scatterv, send, layout.counts, layout.places, MPI_INT, recv, mine, MPI_INT, 0,
        comm);
    for (int i = 0; i < mine; i++)
        CHECK(recv[i] == datum(0, rank, i));
    ints_free(recv, mine);
    ints_free(send, layout.total);
    layout_free(&layout);
}

/* The root's own block, or everybody's, lies where it belongs already. */
static void
test_in_place_v(int unit)
{
    struct layout layout = layout_make(unit, 2);
    int mine = layout.counts[rank], root = size / 2, *all = ints_new(layout.total);
    int *block = ints_new(mine);

    for (int i = 0; i < mine; i++)
        block[i] = all[layout.places[rank] + i] = datum(rank, 0, i);
    RUN(Gatherv, gatherv, rank == root ? MPI_IN_PLACE : block, mine, MPI_INT, all, layout.counts,
        layout.places, MPI_INT, root, comm);
    if (rank == root)
        layout_check(&layout, all, 0, 0);
    for (int i = 0; i < mine; i++)
        block[i] = -7;
    RUN(Scatterv, scatterv, all, layout.counts, layout.places, MPI_INT,
        rank == root ? MPI_IN_PLACE : block, mine, MPI_INT, root, comm);
    for (int i = 0; i < mine && rank != root; i++)
        CHECK(block[i] == datum(rank, 0, i));
    ints_free(all, layout.total);
    all = ints_new(layout.total);
    for (int i = 0; i < mine; i++)
        all[layout.places[rank] + i] = datum(rank, 0, i);
    RUN(Allgatherv, allgatherv, MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, layout.counts,
        layout.places, MPI_INT, comm);
    layout_check(&layout, all, 0, 0);
    ints_free(all, layout.total);
    ints_free(block, mine);
    layout_free(&layout);
}

/* Ranks r and s exchange (r + s) % 4 * unit elements in place; with a datatype for each, too. */
static void
test_alltoallv_in_place(int unit, int typed)
{
    struct layout layout = layout_make(0, 0), bytes = layout_make(0, 0);
    MPI_Datatype *types = malloc(sizeof(*types) * (size_t)size), two;

    MPI_Type_contiguous(2, MPI_INT, &two);
    MPI_Type_commit(&two);
    layout.total = 0;
    for (int r = 0; r < size; r++) {
        int count = (rank + r) % 4 * unit, pairs = typed && count % 2 == 0;
        layout.counts[r] = count;
        layout.places[r] = layout.total;
        types[r] = pairs ? two : MPI_INT;
        bytes.counts[r] = pairs ? count / 2 : count;
        bytes.places[r] = layout.total * (int)sizeof(int);
        layout.total += count + 2;
    }
    int *data = ints_new(layout.total);
    for (int r = 0; r < size; r++)
        for (int i = 0; i < layout.counts[r]; i++)
            data[layout.places[r] + i] = datum(rank, r, i);
    if (typed)
        RUN(Alltoallw, alltoallw, MPI_IN_PLACE, NULL, NULL, NULL, data, bytes.counts, bytes.places,
            types, comm);
    else
        RUN(Alltoallv, alltoallv, MPI_IN_PLACE, NULL, NULL, MPI_DATATYPE_NULL, data, layout.counts,
            layout.places, MPI_INT, comm);
    layout_check(&layout, data, rank, 1);
    ints_free(data, layout.total);
    MPI_Type_free(&two);
    free(types);
    layout_free(&bytes);
    layout_free(&layout);
}

/* Rank r sends (r + s) % 4 * unit elements to rank s. */
static void
test_alltoallv(int unit, int typed)
{
    struct layout out = layout_make(0, 0), in = layout_make(0, 0);
    MPI_Datatype *types = malloc(sizeof(*types) * (size_t)size);

    out.total = in.total = 0;
    for (int r = 0; r < size; r++) {
        types[r] = MPI_INT;
        out.counts[r] = in.counts[r] = (rank + r) % 4 * unit;
        out.places[r] = in.places[r] = out.total;
        out.total = in.total = out.total + out.counts[r] + 2;
    }
    int *send = ints_new(out.total), *recv = ints_new(in.total);
    for (int r = 0; r < size; r++)
        for (int i = 0; i < out.counts[r]; i++)
            send[out.places[r] + i] = datum(rank, r, i);
    struct layout bytes = layout_make(0, 0);
    for (int r = 0; r < size; r++)
        bytes.places[r] = in.places[r] * (int)sizeof(int);
    if (typed)
        RUN(Alltoallw, alltoallw, send, out.counts, bytes.places, types, recv, in.counts,
            bytes.places, types, comm);
    else
        RUN(Alltoallv, alltoallv, send, out.counts, out.places, MPI_INT, recv, in.counts,
            in.places, MPI_INT, comm);
    layout_check(&in, recv, rank, 1);
    ints_free(send, out.total);
    ints_free(recv, in.total);
    free(types);
    layout_free(&bytes);
    layout_free(&out);
    layout_free(&in);
}

/* --- reductions: with affine maps x -> a x + b modulo a prime, which do not commute --- */

#define PRIME 10007

struct map {
    int a, b;
};

static struct map
map_of(int r, int i)
{
    return (struct map){(r * 31 + i * 7) % (PRIME - 1) + 1, (r * 17 + i) % PRIME};
}

/* First `left`, then `right`. */
static struct map
map_join(struct map left, struct map right)
{
    return (struct map){left.a * right.a % PRIME, (left.b * right.a + right.b) % PRIME};
}

static void
map_op(void *in, void *inout, int *count, MPI_Datatype *type)
{
    struct map *left = in, *right = inout;
    int bytes;

    MPI_Type_size(*type, &bytes);
    CHECK(bytes == (int)sizeof(struct map));
    for (int i = 0; i < *count; i++)
        right[i] = map_join(left[i], right[i]);
}

/* Of ranks 0 to last. */
static struct map
map_total(int last, int i)
{
    struct map total = map_of(0, i);

    for (int r = 1; r <= last; r++)
        total = map_join(total, map_of(r, i));
    return total;
}

static int
map_is(const struct map *map, int last, int i)
{
    struct map wanted = map_total(last, i);

    return map->a == wanted.a && map->b == wanted.b;
}

static struct map *
maps_new(int count)
{
    struct map *maps = malloc(sizeof(*maps) * (size_t)(count + 1));

    CHECK(maps != NULL);
    for (int i = 0; i < count; i++)
        maps[i] = map_of(rank, i);
    return maps;
}

static void
test_reduce(int count, int in_place, MPI_Datatype type, MPI_Op op)
{
    struct map *send = maps_new(count), *recv = maps_new(count);
    int root = count % size;

    RUN(Reduce, reduce, in_place && rank == root ? MPI_IN_PLACE : send, recv, count, type, op,
        root, comm);
    for (int i = 0; rank == root && i < count; i++)
        CHECK(map_is(&recv[i], size - 1, i));
    free(recv);
    recv = maps_new(count);
    RUN(Allreduce, allreduce, in_place ? MPI_IN_PLACE : send, recv, count, type, op, comm);
    for (int i = 0; i < count; i++)
        CHECK(map_is(&recv[i], size - 1, i));
    free(recv);
    free(send);
}

static void
test_scan(int count, int in_place, MPI_Datatype type, MPI_Op op)
{
    struct map *send = maps_new(count), *recv = maps_new(count);

    RUN(Scan, scan, in_place ? MPI_IN_PLACE : send, recv, count, type, op, comm);
    for (int i = 0; i < count; i++)
        CHECK(map_is(&recv[i], rank, i));
    free(recv);
    recv = maps_new(count);
    RUN(Exscan, exscan, in_place ? MPI_IN_PLACE : send, recv, count, type, op, comm);
    for (int i = 0; rank > 0 && i < count; i++)
        CHECK(map_is(&recv[i], rank - 1, i));
    free(recv);
    free(send);
}

static void
test_reduce_scatter(int unit, int in_place, MPI_Datatype type, MPI_Op op)
{
    struct layout layout = layout_make(unit, 0);
    int total = 0, before = 0;

    for (int r = 0; r < size; r++) {
        before += r < rank ? layout.counts[r] : 0;
        total += layout.counts[r];
    }
    struct map *send = maps_new(total), *recv = maps_new(total);
    RUN(Reduce_scatter, reduce_scatter, in_place ? MPI_IN_PLACE : send, recv, layout.counts, type,
        op, comm);
    for (int i = 0; i < layout.counts[rank]; i++)
        CHECK(map_is(&recv[i], size - 1, before + i));
    free(send);
    free(recv);
    send = maps_new(unit * size);
    recv = maps_new(unit * size);
    RUN(Reduce_scatter_block, reduce_scatter_block, in_place ? MPI_IN_PLACE : send, recv, unit,
        type, op, comm);
    for (int i = 0; i < unit; i++)
        CHECK(map_is(&recv[i], size - 1, rank * unit + i));
    free(send);
    free(recv);
    layout_free(&layout);
}

static void
test_predefined_ops(void)
{
    struct { double value; int place; } mine = {(rank * 7) % 5, rank}, least;
    double sum = 0, serial = 0, part = 1.0 / (rank + 1);
    int bits = 1 << rank % 20, all, truth = rank != size - 1;

    for (int r = 0; r < size; r++)
        serial += 1.0 / (r + 1);
    RUN(Allreduce, allreduce, &part, &sum, 1, MPI_DOUBLE, MPI_SUM, comm);
    CHECK(memcmp(&sum, &serial, sizeof(sum)) == 0); /* to the bit: in rank order */
    RUN(Allreduce, allreduce, &mine, &least, 1, MPI_DOUBLE_INT, MPI_MINLOC, comm);
    CHECK(least.value == 0 && least.place == 0);
    RUN(Allreduce, allreduce, &bits, &all, 1, MPI_INT, MPI_BOR, comm);
    CHECK(all == (size >= 20 ? (1 << 20) - 1 : (1 << size) - 1));
    RUN(Allreduce, allreduce, &truth, &all, 1, MPI_INT, MPI_LAND, comm);
    CHECK(!all);
    RUN(Allreduce, allreduce, &rank, &all, 1, MPI_INT, MPI_MAX, comm);
    CHECK(all == size - 1);
}

/* --- several at once, and one that outlives its handles --- */

static void
test_overlap(void)
{
    enum { COUNT = 6 };
    int in[COUNT], out[COUNT], more = rank, buf[COUNT];
    MPI_Request requests[2 * COUNT];
    MPI_Comm copy;

    MPI_Comm_dup(comm, &copy);
    for (int i = 0; i < COUNT; i++) {
        in[i] = rank + i;
        buf[i] = rank == i % size ? i : -1;
        MPI_Iallreduce(&in[i], &out[i], 1, MPI_INT, MPI_SUM, i % 2 ? comm : copy, &requests[i]);
        MPI_Ibcast(&buf[i], 1, MPI_INT, i % size, comm, &requests[COUNT + i]);
    }
    MPI_Comm_free(&copy);
    /* Messages in between, on the same communicator. */
    MPI_Sendrecv_replace(&more, 1, MPI_INT, (rank + 1) % size, 0, (rank + size - 1) % size, 0, comm,
                         MPI_STATUS_IGNORE);
    CHECK(more == (rank + size - 1) % size);
    MPI_Waitall(2 * COUNT, requests, MPI_STATUSES_IGNORE);
    for (int i = 0; i < COUNT; i++)
        CHECK(out[i] == size * (size - 1) / 2 + size * i && buf[i] == i);
}

/* Strided columns go in, rows come out. */
static void
test_types(void)
{
    enum { ROWS = 50, COLUMNS = 3 };
    int matrix[ROWS][COLUMNS], *rows = ints_new(ROWS * size);
    MPI_Datatype column;

    MPI_Type_vector(ROWS, 1, COLUMNS, MPI_INT, &column);
    MPI_Type_commit(&column);
    for (int i = 0; i < ROWS; i++)
        matrix[i][1] = datum(rank, 0, i);
    RUN(Allgather, allgather, &matrix[0][1], 1, column, rows, ROWS, MPI_INT, comm);
    for (int i = 0; i < ROWS * size; i++)
        CHECK(rows[i] == datum(i / ROWS, 0, i % ROWS));
    for (int i = 0; i < ROWS; i++)
        matrix[i][2] = rank == 0 ? i : -1;
    RUN(Bcast, bcast, &matrix[0][2], 1, column, 0, comm);
    for (int i = 0; i < ROWS; i++)
        CHECK(matrix[i][2] == i && matrix[i][1] == datum(rank, 0, i));
    MPI_Type_free(&column);
    ints_free(rows, ROWS * size);
}

static void
test_pass(MPI_Datatype map, MPI_Op join)
{
    static const int counts[] = {0, 1, 5, 600, 20000};

    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        test_barrier_bcast(counts[c]);
        test_gatherv(counts[c], 0);
        test_gatherv(counts[c], 1);
        test_scatterv(counts[c]);
        test_alltoallv(counts[c], 0);
        test_alltoallv(counts[c], 1);
        test_in_place_v(counts[c]);
        test_alltoallv_in_place(counts[c], 0);
        test_alltoallv_in_place(counts[c], 1);
        for (int in_place = 0; in_place < 2; in_place++) {
            test_gather(counts[c], in_place);
            test_scatter(counts[c], in_place);
            test_allgather(counts[c], in_place);
            test_alltoall(counts[c], in_place);
            test_reduce(counts[c], in_place, map, join);
            test_scan(counts[c], in_place, map, join);
            test_reduce_scatter(counts[c], in_place, map, join);
        }
    }
    test_predefined_ops();
    test_overlap();
    test_types();
}

int
main(int argc, char **argv)
{
    int commutes;
    MPI_Datatype map;
    MPI_Op join;
    MPI_Comm reversed;

    begin(&argc, &argv);
    MPI_Type_contiguous(2, MPI_INT, &map);
    MPI_Type_commit(&map);
    MPI_Op_create(map_op, 0, &join);
    MPI_Op_commutative(join, &commutes);
    CHECK(!commutes);
    MPI_Comm_split(MPI_COMM_WORLD, 0, -rank, &reversed);
    for (int pass = 0; pass < 4; pass++) {
        nonblocking = pass % 2;
        comm = pass < 2 ? MPI_COMM_WORLD : reversed;
        MPI_Comm_rank(comm, &rank);
        test_pass(map, join);
    }
    MPI_Comm_free(&reversed);
    MPI_Op_free(&join);
    CHECK(join == MPI_OP_NULL);
    MPI_Type_free(&map);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return end();
}
