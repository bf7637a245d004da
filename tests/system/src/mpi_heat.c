/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Heat in a plate: Jacobi steps on a grid cut into blocks, as programs of this kind are written.
 * Rows of halo go as they lie, columns as a vector datatype; every hundred steps all ranks learn
 * how much still changes; at the end rank 0 collects the plate, block by block as subarrays. Point
 * by point it is the same arithmetic as without ranks, so rank 0 does it again alone, and no bit
 * may differ.
 *
 * usage: mpi_heat [ROWS COLUMNS STEPS]
 */

struct block {
    int row, column;   /* of its first point in the plate */
    int rows, columns; /* without the halo */
    double *now, *next;
};

static int rank, size, grid_rows, grid_columns, my_row, my_column;
static int north, south, west, east;

/* As square as it gets. */
static void
grid_choose(void)
{
    grid_rows = (int)sqrt((double)size);
    while (size % grid_rows != 0)
        grid_rows--;
    grid_columns = size / grid_rows;
    my_row = rank / grid_columns;
    my_column = rank % grid_columns;
    north = my_row > 0 ? rank - grid_columns : MPI_PROC_NULL;
    south = my_row < grid_rows - 1 ? rank + grid_columns : MPI_PROC_NULL;
    west = my_column > 0 ? rank - 1 : MPI_PROC_NULL;
    east = my_column < grid_columns - 1 ? rank + 1 : MPI_PROC_NULL;
}

static int
part_start(int all, int parts, int i)
{
    return (int)((long)all * i / parts);
}

static void
block_place(struct block *b, int row_of_blocks, int column_of_blocks, int rows, int columns)
{
    b->row = part_start(rows, grid_rows, row_of_blocks);
    b->rows = part_start(rows, grid_rows, row_of_blocks + 1) - b->row;
    b->column = part_start(columns, grid_columns, column_of_blocks);
    b->columns = part_start(columns, grid_columns, column_of_blocks + 1) - b->column;
}

static double
at_start(int row, int column, int rows, int columns)
{
    if (row < 0)
        return 100.0; /* the hot edge */
    if (row >= rows || column < 0 || column >= columns)
        return 0.0;
    return sin(0.1 * row) * cos(0.07 * column);
}

static double *
plate_new(const struct block *b, int rows, int columns)
{
    double *plate = malloc(sizeof(double) * (size_t)(b->rows + 2) * (size_t)(b->columns + 2));

    if (plate == NULL)
        MPI_Abort(MPI_COMM_WORLD, 2);
    for (int i = -1; i <= b->rows; i++)
        for (int k = -1; k <= b->columns; k++)
            plate[(i + 1) * (b->columns + 2) + k + 1] =
                at_start(b->row + i, b->column + k, rows, columns);
    return plate;
}

static void
halo_exchange(const struct block *b, MPI_Datatype column)
{
    int width = b->columns + 2;
    double *first = b->now + width + 1, *last_row = b->now + b->rows * width + 1;
    double *last_column = b->now + width + b->columns;
    MPI_Request requests[8];

    MPI_Irecv(b->now + 1, b->columns, MPI_DOUBLE, north, 0, MPI_COMM_WORLD, &requests[0]);
    MPI_Irecv(last_row + width, b->columns, MPI_DOUBLE, south, 1, MPI_COMM_WORLD, &requests[1]);
    MPI_Irecv(first - 1, 1, column, west, 2, MPI_COMM_WORLD, &requests[2]);
    MPI_Irecv(last_column + 1, 1, column, east, 3, MPI_COMM_WORLD, &requests[3]);
    MPI_Isend(first, b->columns, MPI_DOUBLE, north, 1, MPI_COMM_WORLD, &requests[4]);
    MPI_Isend(last_row, b->columns, MPI_DOUBLE, south, 0, MPI_COMM_WORLD, &requests[5]);
    MPI_Isend(first, 1, column, west, 3, MPI_COMM_WORLD, &requests[6]);
    MPI_Isend(last_column, 1, column, east, 2, MPI_COMM_WORLD, &requests[7]);
    MPI_Waitall(8, requests, MPI_STATUSES_IGNORE);
}

/* One step; the largest change of a point. */
static double
step(struct block *b)
{
    int width = b->columns + 2;
    double most = 0, *swap = b->now;

    for (int i = 1; i <= b->rows; i++) {
        for (int k = 1; k <= b->columns; k++) {
            const double *p = b->now + i * width + k;
            double value = 0.25 * (p[-width] + p[width] + p[-1] + p[1]);
            double change = fabs(value - p[0]);
            most = change > most ? change : most;
            b->next[i * width + k] = value;
        }
    }
    b->now = b->next;
    b->next = swap;
    return most;
}

/* The plate without its edges, at rank 0. */
static double *
plate_collect(const struct block *b, int rows, int columns)
{
    double *plate = rank == 0 ? malloc(sizeof(double) * (size_t)rows * (size_t)columns) : NULL;
    int sizes[2] = {b->rows + 2, b->columns + 2}, inner[2] = {b->rows, b->columns};
    int starts[2] = {1, 1}, whole[2] = {rows, columns};
    MPI_Request sent;
    MPI_Datatype mine, theirs;

    MPI_Type_create_subarray(2, sizes, inner, starts, MPI_ORDER_C, MPI_DOUBLE, &mine);
    MPI_Type_commit(&mine);
    MPI_Isend(b->now, 1, mine, 0, 9, MPI_COMM_WORLD, &sent);
    for (int r = 0; rank == 0 && r < size; r++) {
        struct block block;
        block_place(&block, r / grid_columns, r % grid_columns, rows, columns);
        int place[2] = {block.row, block.column}, extent[2] = {block.rows, block.columns};
        MPI_Type_create_subarray(2, whole, extent, place, MPI_ORDER_C, MPI_DOUBLE, &theirs);
        MPI_Type_commit(&theirs);
        MPI_Recv(plate, 1, theirs, r, 9, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        MPI_Type_free(&theirs);
    }
    MPI_Wait(&sent, MPI_STATUS_IGNORE);
    MPI_Type_free(&mine);
    return plate;
}

/* Alone: is `plate` what comes out, and `change` the last one? */
static int
serial_agrees(const double *plate, double change, int rows, int columns, int steps)
{
    struct block all = {.rows = rows, .columns = columns};
    double most = 0;
    int same = 1;

    all.now = plate_new(&all, rows, columns);
    all.next = plate_new(&all, rows, columns);
    for (int i = 0; i < steps; i++)
        most = step(&all);
    for (int i = 0; i < rows; i++)
        same &= memcmp(plate + (size_t)i * (size_t)columns,
                       all.now + (i + 1) * (columns + 2) + 1,
                       sizeof(double) * (size_t)columns) == 0;
    free(all.now);
    free(all.next);
    return same && change == most;
}

int
main(int argc, char **argv)
{
    int rows = argc > 3 ? (int)strtol(argv[1], NULL, 10) : 150;
    int columns = argc > 3 ? (int)strtol(argv[2], NULL, 10) : 230;
    int steps = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 200;
    double change = 0, sum = 0;
    struct block b;
    MPI_Datatype column;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    grid_choose();
    block_place(&b, my_row, my_column, rows, columns);
    b.now = plate_new(&b, rows, columns);
    b.next = plate_new(&b, rows, columns);
    MPI_Type_vector(b.rows, 1, b.columns + 2, MPI_DOUBLE, &column);
    MPI_Type_commit(&column);
    for (int i = 1; i <= steps; i++) {
        halo_exchange(&b, column);
        change = step(&b);
        if (i % 100 != 0 && i != steps)
            continue;
        MPI_Allreduce(MPI_IN_PLACE, &change, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
        if (rank == 0)
            printf("step %d: a point changes by %.17g at most\n", i, change);
    }
    double *plate = plate_collect(&b, rows, columns);
    if (rank == 0) {
        for (int i = 0; i < rows * columns; i++)
            sum += plate[i];
        printf("sum %.17g\n", sum);
        printf("%s\n", serial_agrees(plate, change, rows, columns, steps) ? "as without ranks"
                                                                           : "WRONG");
    }
    free(plate);
    free(b.now);
    free(b.next);
    MPI_Type_free(&column);
    MPI_Finalize();
    return 0;
}
