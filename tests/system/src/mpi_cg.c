/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Conjugate gradients on a sparse symmetric matrix, as programs of this kind are written: each rank
 * has a range of rows, all ranks learn the whole direction before each product (Allgatherv), and
 * scalar products are sums over the ranks (Allreduce). The matrix is that of a random graph; the
 * right hand side is made from a solution that every rank knows, and rank 0 solves it alone too.
 *
 * usage: mpi_cg [ROWS]
 */

enum { NEIGHBOURS = 6, STEPS_MAX = 500 };
#define TOLERANCE 1e-10

/* Rows [first, first + count); each a diagonal and the columns of -1 elements. */
struct matrix {
    int rows, first, count;
    int *starts, *columns;
    double *diagonal;
};

static int rank, size;

/* Neighbour n of row i: some rows further on, or as many back, so that the matrix is symmetric. */
static int
partner(int rows, int i, int n)
{
    unsigned shift = 1u + (unsigned)n * (unsigned)n * 37u;

    return n % 2 == 0 ? (int)(((unsigned)i + shift) % (unsigned)rows)
                      : (int)(((unsigned)i + (unsigned)rows - 1u -
                               (unsigned)(n - 1) * (unsigned)(n - 1) * 37u) % (unsigned)rows);
}

static void *
room(size_t count, size_t bytes)
{
    void *memory = malloc((count + 1) * bytes);

    if (memory == NULL)
        MPI_Abort(MPI_COMM_WORLD, 2);
    return memory;
}

static void
matrix_make(struct matrix *m, int rows, int first, int count)
{
    int used = 0;

    *m = (struct matrix){.rows = rows, .first = first, .count = count};
    m->starts = room((size_t)count + 1, sizeof(int));
    m->columns = room((size_t)count * NEIGHBOURS, sizeof(int));
    m->diagonal = room((size_t)count, sizeof(double));
    for (int i = 0; i < count; i++) {
        m->starts[i] = used;
        for (int n = 0; n < NEIGHBOURS; n++)
            m->columns[used++] = partner(rows, first + i, n);
        m->diagonal[i] = NEIGHBOURS + 0.05 + (first + i) % 3 * 0.01;
    }
    m->starts[count] = used;
}

static void
matrix_free(struct matrix *m)
{
    free(m->starts);
    free(m->columns);
    free(m->diagonal);
}

/* y = A x for this rank's rows. */
static void
matrix_times(const struct matrix *m, const double *x, double *y)
{
    for (int i = 0; i < m->count; i++) {
        double sum = m->diagonal[i] * x[m->first + i];
        for (int k = m->starts[i]; k < m->starts[i + 1]; k++)
            sum -= x[m->columns[k]];
        y[i] = sum;
    }
}

static double
dot(const double *a, const double *b, int count, MPI_Comm comm)
{
    double mine = 0, all;

    for (int i = 0; i < count; i++)
        mine += a[i] * b[i];
    MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE, MPI_SUM, comm);
    return all;
}

/* Where each rank's rows begin. */
static void
rows_share(int rows, int ranks, int *counts, int *places)
{
    for (int r = 0; r < ranks; r++) {
        places[r] = (int)((long)rows * r / ranks);
        counts[r] = (int)((long)rows * (r + 1) / ranks) - places[r];
    }
}

static double
solution(int i)
{
    return sin(i * 0.3) + (i % 7) * 0.25;
}

/* Solves A x = b over `comm`; x has all rows in the end. The steps it took. */
static int
solve(const struct matrix *m, MPI_Comm comm, const int *counts, const int *places, double *x)
{
    double *r = room((size_t)m->count, sizeof(double)), *q = room((size_t)m->count, sizeof(double));
    double *p = room((size_t)m->rows, sizeof(double));
    double *mine = p + m->first, *mine_x = x + m->first; /* this rank's part of both */
    int step;

    for (int i = 0; i < m->rows; i++) {
        x[i] = 0;
        p[i] = solution(i);
    }
    matrix_times(m, p, r); /* b */
    for (int i = 0; i < m->count; i++)
        mine[i] = r[i];
    double rho = dot(r, r, m->count, comm), start = rho;
    for (step = 0; step < STEPS_MAX && rho > TOLERANCE * TOLERANCE * start; step++) {
        MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, p, counts, places, MPI_DOUBLE, comm);
        matrix_times(m, p, q);
        double alpha = rho / dot(mine, q, m->count, comm);
        for (int i = 0; i < m->count; i++) {
            mine_x[i] += alpha * mine[i];
            r[i] -= alpha * q[i];
        }
        double before = rho;
        rho = dot(r, r, m->count, comm);
        for (int i = 0; i < m->count; i++)
            mine[i] = r[i] + rho / before * mine[i];
    }
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, x, counts, places, MPI_DOUBLE, comm);
    free(r);
    free(q);
    free(p);
    return step;
}

/* The largest distance of two vectors. */
static double
distance(const double *a, const double *b, int count)
{
    double most = 0;

    for (int i = 0; i < count; i++)
        most = fabs(a[i] - b[i]) > most ? fabs(a[i] - b[i]) : most;
    return most;
}

int
main(int argc, char **argv)
{
    int rows = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 4001, *counts, *places;
    struct matrix m;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    counts = room((size_t)size, sizeof(int));
    places = room((size_t)size, sizeof(int));
    rows_share(rows, size, counts, places);
    matrix_make(&m, rows, places[rank], counts[rank]);
    double *x = room((size_t)rows, sizeof(double)), *known = room((size_t)rows, sizeof(double));
    double *alone = room((size_t)rows, sizeof(double));
    for (int i = 0; i < rows; i++)
        known[i] = solution(i);
    int steps = solve(&m, MPI_COMM_WORLD, counts, places, x);
    matrix_free(&m);
    if (rank == 0) {
        int all = rows, none = 0;
        printf("%d steps, x[1] = %.17g, x[%d] = %.17g\n", steps, x[1], rows - 1, x[rows - 1]);
        matrix_make(&m, rows, 0, rows);
        int alone_steps = solve(&m, MPI_COMM_SELF, &all, &none, alone);
        matrix_free(&m);
        int right = steps < STEPS_MAX && abs(steps - alone_steps) < 3 &&
                    distance(x, known, rows) < 1e-7 && distance(x, alone, rows) < 1e-7;
        printf("%s\n", right ? "as without ranks" : "WRONG");
    }
    free(alone);
    free(known);
    free(x);
    free(counts);
    free(places);
    MPI_Finalize();
    return 0;
}
