/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pi: partial results. Each rank throws darts at a square; the share that hits the inscribed
 * quarter of a circle tends to pi / 4.
 *
 *     cpcc -o pi pi.c -lm
 *     cpexec -np 8 ./pi 200000000
 *
 * Three ways for ranks to come together, in one short program:
 *
 *   cpmp_var       the tally: a global variable, the same for all ranks. Every rank adds what a
 *                  round of darts gave, by an update that is applied as a whole or not at all, so
 *                  no dart is lost or counted twice. (cpmp_var_fetch_add would do for a single
 *                  number; here hits and darts have to stay together.)
 *   cpmp_emit_text partial results: rank 0 tells after each of its rounds how good pi is by now.
 *                  The launcher prints them while the job runs, or keeps them with --events FILE.
 *   cpmp_reduce    the end: all ranks' own counts are summed up at rank 0. Nothing can be missing
 *                  from it, whereas the tally is read at some moment in the middle.
 *
 * cpmp_progress feeds the status line that a terminal shows below the output.
 */
#include <cpmp.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 10
#define DARTS_DEFAULT 100000000

struct tally {
    int64_t hits, darts;
};

static void must(int error)
{
    if (error != CPMP_OK) {
        cpmp_abort(1, cpmp_strerror(error));
    }
}

/* An update function changes the value it is given and nothing else: it runs again if another rank
 * was faster. */
static int add_tally(void *value, size_t bytes, void *arg)
{
    struct tally *all = value;
    const struct tally *mine = arg;

    (void)bytes;
    all->hits += mine->hits;
    all->darts += mine->darts;
    return 0;
}

/* splitmix64: each rank starts at a place of its own. */
static double random_unit(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static struct tally throw_darts(int64_t darts, uint64_t *state)
{
    struct tally tally = {0, darts};

    for (int64_t i = 0; i < darts; i++) {
        double x = random_unit(state), y = random_unit(state);
        tally.hits += x * x + y * y < 1.0;
    }
    return tally;
}

static double pi_of(struct tally tally)
{
    return 4.0 * (double)tally.hits / (double)tally.darts;
}

/* Play all rounds; returns what this rank alone threw. */
static struct tally play(cpmp_var *var, int64_t darts)
{
    struct tally mine = {0, 0};
    uint64_t state = (uint64_t)cpmp_rank() << 40;

    for (int round = 1; round <= ROUNDS; round++) {
        struct tally thrown = throw_darts(darts, &state), all;

        mine.hits += thrown.hits;
        mine.darts += thrown.darts;
        must(cpmp_var_update(var, add_tally, &thrown, &all, NULL));
        if (cpmp_rank() == 0) {
            must(cpmp_emit_text("pi", "%.6f after %" PRId64 " darts", pi_of(all), all.darts));
        }
        must(cpmp_progress((uint64_t)round, ROUNDS));
    }
    return mine;
}

int main(int argc, char *argv[])
{
    long long wanted = argc > 1 ? strtoll(argv[1], NULL, 10) : DARTS_DEFAULT;
    struct tally all = {0, 0};
    cpmp_var *var;

    must(cpmp_init());
    int64_t darts = wanted / ROUNDS / cpmp_size();
    must(cpmp_var_open("pi.tally", sizeof all, NULL, &var));
    struct tally mine = play(var, darts > 0 ? darts : 1);
    must(cpmp_reduce(&mine, &all, 2, CPMP_INT64, CPMP_SUM, 0));
    if (cpmp_rank() == 0) {
        printf("pi is about %.6f (off by %.6f) after %" PRId64 " darts of %d ranks\n", pi_of(all),
               fabs(pi_of(all) - acos(-1.0)), all.darts, cpmp_size());
    }
    cpmp_var_close(var);
    must(cpmp_end());
    return EXIT_SUCCESS;
}
