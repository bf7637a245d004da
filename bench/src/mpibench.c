/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * mpibench: one MPI-3 program for all measurements, so that one source is built with each MPI.
 *
 *     mpibench latency --bytes 8,65536 --seconds 0.2 --then barrier --seconds 0.1
 *
 * Rank 0 prints one line of key=value for each measurement. Exit status 0, 1 when data arrived
 * wrong, 2 when the command line is wrong.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/src/kernels.h"

struct command {
    const char *name;
    const struct bench_kernel *kernel; /* or else: */
    long (*program)(const struct bench_options *options);
};

static const struct command commands[] = {
    {"latency", &kernel_latency, NULL},     {"rate", &kernel_rate, NULL},
    {"stream", &kernel_stream, NULL},       {"barrier", &kernel_barrier, NULL},
    {"bcast", &kernel_bcast, NULL},         {"allreduce", &kernel_allreduce, NULL},
    {"alltoall", &kernel_alltoall, NULL},   {"idle", NULL, waiting_idle},
    {"compute", NULL, waiting_compute},     {"start", NULL, waiting_start},
};

static int usage(const char *what, const char *value)
{
    fprintf(stderr,
            "mpibench: %s%s%s\n"
            "usage: mpibench COMMAND [OPTIONS] [--then COMMAND [OPTIONS]]...\n"
            "  latency rate stream       between rank r and rank r + size / 2\n"
            "  barrier bcast allreduce alltoall\n"
            "  idle compute start        waiting ranks; a whole job\n"
            "  --bytes N[,N...]   multiples of 8, at most 1 GiB (8)\n"
            "  --seconds S        timed part of each measurement (0.2)\n"
            "  --window N         messages in flight for rate and stream (64)\n"
            "  --steps N          million steps for compute (100)\n",
            what, value ? ": " : "", value ? value : "");
    return 2;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

/* A list of sizes separated by commas; returns 0 when it is one. */
static int parse_bytes(const char *text, struct bench_options *options)
{
    options->sizes = 0;
    for (;;) {
        char *end;
        long bytes = strtol(text, &end, 10);

        if (end == text || bytes < 8 || bytes % 8 != 0 || bytes > 1L << 30 ||
            options->sizes == BENCH_SIZES_MAX)
            return -1;
        options->bytes[options->sizes++] = (size_t)bytes;
        if (*end == '\0')
            return 0;
        if (*end != ',')
            return -1;
        text = end + 1;
    }
}

static int parse_long(const char *text, long max, long *value_p)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (end == text || *end != '\0' || value < 1 || value > max)
        return -1;
    *value_p = value;
    return 0;
}

static int parse_option(const char *name, const char *value, struct bench_options *options)
{
    long number;
    char *end;

    if (strcmp(name, "--bytes") == 0)
        return parse_bytes(value, options);
    if (strcmp(name, "--seconds") == 0) {
        options->seconds = strtod(value, &end);
        return end == value || *end != '\0' || !(options->seconds > 0) ? -1 : 0;
    }
    if (strcmp(name, "--window") == 0 && parse_long(value, BENCH_WINDOW_MAX, &number) == 0) {
        options->window = (int)number;
        return 0;
    }
    if (strcmp(name, "--steps") == 0)
        return parse_long(value, 1000000, &options->steps);
    return -1;
}

/* Reads one command with its options from argv[at]; returns where the next begins, -1 on error. */
static int parse_command(int argc, char **argv, int at, const struct command **command_p,
                         struct bench_options *options)
{
    *options = (struct bench_options){
        .bytes = {8}, .sizes = 1, .seconds = 0.2, .window = 64, .steps = 100};
    *command_p = at < argc ? find_command(argv[at]) : NULL;
    if (!*command_p) {
        usage(at < argc ? "no such command" : "a command is missing", argv[at]);
        return -1;
    }
    for (at++; at < argc; at += 2) {
        if (strcmp(argv[at], "--then") == 0)
            return at + 1;
        if (at + 1 == argc || parse_option(argv[at], argv[at + 1], options) != 0) {
            usage("bad or incomplete option", argv[at]);
            return -1;
        }
    }
    return at;
}

/* All of the command line is looked at before MPI starts: a mistake should cost nothing. */
static int check_arguments(int argc, char **argv)
{
    const struct command *command;
    struct bench_options options;
    int at = 1;

    do {
        at = parse_command(argc, argv, at, &command, &options);
        if (at < 0)
            return -1;
    } while (at < argc || strcmp(argv[argc - 1], "--then") == 0);
    return 0;
}

static long run_command(const struct command *command, const struct bench_options *options)
{
    int rank;
    int size;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (!command->kernel)
        return command->program(options);
    if (command->kernel->by_pairs && size % 2 != 0) {
        if (rank == 0)
            fprintf(stderr, "mpibench: %s needs an even number of ranks, not %d\n",
                    command->name, size);
        return 1;
    }
    return bench_measure(command->kernel, options);
}

int main(int argc, char **argv)
{
    const struct command *command;
    struct bench_options options;
    long wrong = 0;
    int at = 1;

    if (check_arguments(argc, argv) != 0)
        return 2;
    MPI_Init(&argc, &argv);
    while (at < argc) {
        at = parse_command(argc, argv, at, &command, &options);
        if (at < 0)
            break;
        wrong += run_command(command, &options);
    }
    MPI_Finalize();
    return wrong != 0 || at < 0;
}
