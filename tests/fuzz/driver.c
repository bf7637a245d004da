/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main() of the fuzzers where no libFuzzer stands behind them: feeds LLVMFuzzerTestOneInput a
 * bounded number of inputs that depend on a seed only, so that `make check` runs the same ones
 * everywhere.
 *
 * Inputs are random bytes and mutations (flipped bits, interesting bytes, cuts, insertions,
 * splices) of the files in $CPMP_SRCDIR/tests/fuzz/seeds/NAME, NAME being the fuzzer's. Without
 * any it fails: hardly a random input gets past the first check. Files given as arguments are run
 * as they are instead, to look at a finding again.
 *
 * $CPMP_FUZZ_RUNS sets the number of inputs, $CPMP_FUZZ_SEED the seed. A finding is a crash; the
 * input that made it is then in crash.NAME in the current directory.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define INPUT_BYTES_MAX 4096  /* longer inputs only slow down: no parser here looks that far */
#define SEEDS_MAX 64
#define RUNS_DEFAULT 20000

struct input {
    size_t bytes;
    uint8_t data[INPUT_BYTES_MAX];
};

static struct input fuzz_seeds[SEEDS_MAX];
static size_t fuzz_seed_count;
static struct input fuzz_current;
static char fuzz_crash_name[256];

/* xorshift64*: small and good enough to pick mutations. */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static size_t random_below(uint64_t *state, size_t limit)
{
    return limit == 0 ? 0 : (size_t)(random_next(state) % limit);
}

/* Async-signal-safe: only open, write and close, then the signal's own end. */
static void crash_save(int number)
{
    int fd = open(fuzz_crash_name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd >= 0) {
        ssize_t written = write(fd, fuzz_current.data, fuzz_current.bytes);
        (void)written;
        close(fd);
    }
    signal(number, SIG_DFL);
    raise(number);
}

static int input_read(const char *path, struct input *input)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        return -1;
    input->bytes = fread(input->data, 1, INPUT_BYTES_MAX, file);
    fclose(file);
    return 0;
}

static int entry_is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* In the order of their names, since runs must be the same on every machine. */
static void seeds_read(const char *name)
{
    const char *srcdir = getenv("CPMP_SRCDIR");
    struct dirent **entries;
    char path[4096];
    int count;

    snprintf(path, sizeof path, "%s/tests/fuzz/seeds/%s", srcdir ? srcdir : ".", name);
    count = scandir(path, &entries, entry_is_file, alphasort);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/tests/fuzz/seeds/%s/%s", srcdir ? srcdir : ".", name,
                 entries[i]->d_name);
        if (fuzz_seed_count < SEEDS_MAX && input_read(path, &fuzz_seeds[fuzz_seed_count]) == 0)
            fuzz_seed_count++;
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

static void input_fill_random(struct input *input, uint64_t *state)
{
    input->bytes = random_below(state, 257);
    for (size_t i = 0; i < input->bytes; i++)
        input->data[i] = (uint8_t)random_next(state);
}

/* Values at which lengths and counts tend to break. */
static void input_put_interesting(struct input *input, uint64_t *state)
{
    static const uint64_t values[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff,
                                       0x80000000, 0xffffffff, INT64_MAX, UINT64_MAX };
    uint64_t value = values[random_below(state, sizeof values / sizeof values[0])];
    size_t width = (size_t)1 << random_below(state, 4);

    if (input->bytes >= width)
        memcpy(&input->data[random_below(state, input->bytes - width + 1)], &value, width);
}

static void input_splice(struct input *input, uint64_t *state)
{
    const struct input *other = &fuzz_seeds[random_below(state, fuzz_seed_count)];
    size_t from = random_below(state, other->bytes);
    size_t at = random_below(state, input->bytes + 1);
    size_t count = other->bytes - from;

    if (count > INPUT_BYTES_MAX - at)
        count = INPUT_BYTES_MAX - at;
    memcpy(&input->data[at], &other->data[from], count);
    input->bytes = at + count;
}

static void input_mutate(struct input *input, uint64_t *state)
{
    size_t at = random_below(state, input->bytes);

    switch (random_below(state, 6)) {
    case 0:
        if (input->bytes > 0)
            input->data[at] ^= (uint8_t)(1u << random_below(state, 8));
        break;
    case 1:
        if (input->bytes > 0)
            input->data[at] = (uint8_t)random_next(state);
        break;
    case 2:
        input_put_interesting(input, state);
        break;
    case 3:
        input->bytes = at;
        break;
    case 4:
        if (input->bytes > 0 && input->bytes < INPUT_BYTES_MAX) {
            memmove(&input->data[at + 1], &input->data[at], input->bytes - at);
            input->bytes++;
        }
        break;
    default:
        input_splice(input, state);
        break;
    }
}

static void input_next(uint64_t *state)
{
    if (fuzz_seed_count == 0 || random_below(state, 16) == 0) {
        input_fill_random(&fuzz_current, state);
        return;
    }
    fuzz_current = fuzz_seeds[random_below(state, fuzz_seed_count)];
    for (size_t i = random_below(state, 8); i > 0; i--)
        input_mutate(&fuzz_current, state);
}

/* A copy of just the right size on the heap lets the address sanitizer see a byte too far. */
static void input_run(void)
{
    uint8_t *copy = malloc(fuzz_current.bytes > 0 ? fuzz_current.bytes : 1);

    if (copy == NULL) {
        fprintf(stderr, "fuzz driver: out of memory\n");
        exit(1);
    }
    memcpy(copy, fuzz_current.data, fuzz_current.bytes);
    LLVMFuzzerTestOneInput(copy, fuzz_current.bytes);
    free(copy);
}

static uint64_t number_from_environment(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 0) : fallback;
}

static int files_run(int count, char **paths)
{
    for (int i = 0; i < count; i++) {
        if (input_read(paths[i], &fuzz_current) != 0) {
            perror(paths[i]);
            return 1;
        }
        input_run();
        printf("%s: survived\n", paths[i]);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
    uint64_t runs = number_from_environment("CPMP_FUZZ_RUNS", RUNS_DEFAULT);
    uint64_t seed = number_from_environment("CPMP_FUZZ_SEED", 1);
    uint64_t state = seed * 2 + 1;  /* never 0, where xorshift would stay */
    const char *name = basename(argv[0]);

    snprintf(fuzz_crash_name, sizeof fuzz_crash_name, "crash.%s", name);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        signal(signals[i], crash_save);
    if (argc > 1)
        return files_run(argc - 1, argv + 1);

    seeds_read(name);
    if (fuzz_seed_count == 0) {
        printf("1..1\nnot ok 1 - tests/fuzz/seeds/%s has nothing to start from\n", name);
        return 1;
    }
    for (size_t i = 0; i < fuzz_seed_count; i++) {
        fuzz_current = fuzz_seeds[i];
        input_run();
    }
    for (uint64_t i = 0; i < runs; i++) {
        input_next(&state);
        input_run();
    }
    printf("1..1\nok 1 - %s survives %" PRIu64 " mutations of %zu seeds, seed %" PRIu64 "\n",
           name, runs, fuzz_seed_count, seed);
    return 0;
}
