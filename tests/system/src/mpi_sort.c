/* SPDX-License-Identifier: BSD-3-Clause */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Sample sort, as programs of this kind are written: each rank sorts its keys and offers samples
 * (Allgather), from which all choose the same splitters; counts (Alltoall) and keys (Alltoallv) are
 * exchanged; each rank merges what it has got. Exscan tells where its part begins. Rank 0 collects
 * the whole (Gatherv) and compares it with what qsort makes of all keys.
 *
 * usage: mpi_sort [KEYS [DIFFERENT]]    (keys in all; so many different ones, 0: any)
 */

static int rank, size;

static void *
room(size_t count, size_t bytes)
{
    void *memory = malloc((count + 1) * bytes);

    if (memory == NULL)
        MPI_Abort(MPI_COMM_WORLD, 2);
    return memory;
}

static uint64_t
key_of(long i, uint64_t different)
{
    uint64_t x = (uint64_t)i * 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    return different ? x % different : x;
}

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* size - 1 keys between which the parts lie. */
static uint64_t *
splitters_choose(const uint64_t *keys, int count)
{
    enum { SAMPLES = 16 };
    uint64_t mine[SAMPLES], *all = room((size_t)(SAMPLES * size), sizeof(*all));
    uint64_t *splitters = room((size_t)size, sizeof(*splitters));

    for (int i = 0; i < SAMPLES; i++)
        mine[i] = count > 0 ? keys[(long)count * i / SAMPLES] : UINT64_MAX;
    MPI_Allgather(mine, SAMPLES, MPI_UINT64_T, all, SAMPLES, MPI_UINT64_T, MPI_COMM_WORLD);
    qsort(all, (size_t)(SAMPLES * size), sizeof(*all), compare);
    for (int i = 1; i < size; i++)
        splitters[i - 1] = all[SAMPLES * i];
    free(all);
    return splitters;
}

/* The first of the sorted keys that is not below `bound`. */
static int
lower_bound(const uint64_t *keys, int count, uint64_t bound)
{
    int low = 0;

    while (low < count) {
        int middle = low + (count - low) / 2;
        if (keys[middle] < bound)
            low = middle + 1;
        else
            count = middle;
    }
    return low;
}

static int
places_of(const int *counts, int *places)
{
    int total = 0;

    for (int r = 0; r < size; r++) {
        places[r] = total;
        total += counts[r];
    }
    return total;
}

/* Sends each rank its part; the keys that came, sorted. */
static uint64_t *
exchange(const uint64_t *keys, int count, const uint64_t *splitters, int *got_p)
{
    int *out = room((size_t)size, sizeof(int)), *in = room((size_t)size, sizeof(int));
    int *out_places = room((size_t)size, sizeof(int)), *in_places = room((size_t)size, sizeof(int));
    int before = 0;

    for (int r = 0; r < size; r++) {
        int end = r < size - 1 ? lower_bound(keys, count, splitters[r]) : count;
        out[r] = end - before;
        before = end;
    }
    MPI_Alltoall(out, 1, MPI_INT, in, 1, MPI_INT, MPI_COMM_WORLD);
    places_of(out, out_places);
    *got_p = places_of(in, in_places);
    uint64_t *mine = room((size_t)*got_p, sizeof(*mine));
    MPI_Alltoallv(keys, out, out_places, MPI_UINT64_T, mine, in, in_places, MPI_UINT64_T,
                  MPI_COMM_WORLD);
    qsort(mine, (size_t)*got_p, sizeof(*mine), compare);
    free(out);
    free(in);
    free(out_places);
    free(in_places);
    return mine;
}

/* At rank 0: is it what sorting alone gives? */
static int
serial_agrees(const uint64_t *sorted, long count, uint64_t different)
{
    uint64_t *keys = room((size_t)count, sizeof(*keys));

    for (long i = 0; i < count; i++)
        keys[i] = key_of(i, different);
    qsort(keys, (size_t)count, sizeof(*keys), compare);
    int same = memcmp(keys, sorted, (size_t)count * sizeof(*keys)) == 0;
    free(keys);
    return same;
}

int
main(int argc, char **argv)
{
    long keys_all = argc > 1 ? strtol(argv[1], NULL, 10) : 200001;
    uint64_t different = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    int got, *counts, *places;
    long begin = 0, mine_count;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    counts = room((size_t)size, sizeof(int));
    places = room((size_t)size, sizeof(int));
    long first = keys_all * rank / size, count = keys_all * (rank + 1) / size - first;
    uint64_t *keys = room((size_t)count, sizeof(*keys));
    for (long i = 0; i < count; i++)
        keys[i] = key_of(first + i, different);
    qsort(keys, (size_t)count, sizeof(*keys), compare);
    uint64_t *splitters = splitters_choose(keys, (int)count);
    uint64_t *mine = exchange(keys, (int)count, splitters, &got);

    mine_count = got;
    MPI_Exscan(&mine_count, &begin, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0)
        begin = 0;
    MPI_Gather(&got, 1, MPI_INT, counts, 1, MPI_INT, 0, MPI_COMM_WORLD);
    long end = begin + mine_count, total = 0;
    MPI_Reduce(&end, &total, 1, MPI_LONG, MPI_MAX, 0, MPI_COMM_WORLD);
    if (rank == 0)
        places_of(counts, places);
    uint64_t *sorted = rank == 0 ? room((size_t)keys_all, sizeof(*sorted)) : NULL;
    MPI_Gatherv(mine, got, MPI_UINT64_T, sorted, counts, places, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    if (rank == 0) {
        printf("%ld keys, parts of", total);
        for (int r = 0; r < size; r++)
            printf(" %d", counts[r]);
        printf("\n%s\n", total == keys_all && serial_agrees(sorted, keys_all, different)
                             ? "as without ranks" : "WRONG");
    }
    free(sorted);
    free(mine);
    free(splitters);
    free(keys);
    free(counts);
    free(places);
    MPI_Finalize();
    return 0;
}
