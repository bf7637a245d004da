/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tsp_ga: the travelling salesman by a genetic algorithm on islands, the job that PPP2P was
 * measured with (section 5). Each rank evolves a population of its own and interbreeds its best
 * tours with the others'. It shows how a real program uses cpmp:
 *
 *   main.c      rank 0 reads the file and broadcasts it: the other ranks may run on machines that
 *               don't have it; progress for the launcher's status line; a Ctrl-C that loses nothing
 *   exchange.c  a global variable that keeps the best tour, or messages around a ring; partial
 *               results
 *   report.c    messages to rank 0 at the end
 *
 * tsplib, instance, tour, crossover and ga are about the salesman and know nothing of ranks.
 */
#include "exchange.h"
#include "ga.h"
#include "instance.h"
#include "must.h"
#include "options.h"
#include "report.h"
#include "tsplib.h"

#include <cpmp.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_FILE = 1, EXIT_USAGE = 2, EXIT_TARGET = 3 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

/* The first signal ends the job in good order, a second one at once. */
static void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART | SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void say_error(const char *error, const char *advice)
{
    if (cpmp_rank() == 0) {
        fprintf(stderr, "tsp_ga: %s%s\n", error, advice);
    }
}

/* Rank 0 reads the file, all parse it: the text is shorter than what becomes of it. When something
 * is wrong all ranks return it alike, and rank 0 says it. */
static int load(const char *path, struct instance *instance_p)
{
    char error[TSPLIB_ERROR_BYTES] = "";
    char *text = NULL;
    int64_t bytes = -1;
    size_t read_bytes;
    int result = -1;

    if (cpmp_rank() == 0 && tsplib_slurp(path, &text, &read_bytes, error) == 0) {
        bytes = (int64_t)read_bytes;
    }
    must(cpmp_bcast(&bytes, sizeof bytes, 0), "broadcast the file");
    if (bytes >= 0) {
        if (text == NULL && (text = malloc((size_t)bytes + 1)) == NULL) {
            cpmp_abort(1, "tsp_ga: out of memory for the file");
        }
        must(cpmp_bcast(text, (size_t)bytes, 0), "broadcast the file");
        result = tsplib_parse(text, (size_t)bytes, path, instance_p, error);
    }
    if (result != 0) {
        say_error(error, "");
    }
    free(text);
    return result;
}

static void tell_progress(const struct options *options, const struct ga *ga, double seconds)
{
    if (options->generations > 0) {
        must(cpmp_progress((uint64_t)ga->generations, (uint64_t)options->generations), "report");
    } else if (options->seconds > 0) {
        must(cpmp_progress((uint64_t)(fmin(seconds, options->seconds) * 1000),
                           (uint64_t)ceil(options->seconds * 1000)), "report");
    } else {
        must(cpmp_progress((uint64_t)ga->generations, 0), "report");
    }
}

static enum exchange_wish wish_now(const struct options *options, const struct ga *ga,
                                   double seconds)
{
    if (interrupted) {
        return WISH_END_ALL;
    }
    if ((options->seconds > 0 && seconds >= options->seconds)
        || (options->generations > 0 && ga->generations >= options->generations)) {
        return WISH_LEAVE;
    }
    return WISH_GO_ON;
}

static void work(const struct options *options, struct exchange *exchange, struct ga *ga)
{
    enum exchange_wish wish;

    do {
        bool generation_over = ga_step(ga);
        double seconds = cpmp_time() - exchange->start;
        if (generation_over) {
            tell_progress(options, ga, seconds);
        }
        wish = wish_now(options, ga, seconds);
    } while (!exchange_step(exchange, ga, wish));
}

/* Returns the exit status, the same on every rank. */
static int run(const struct options *options, const struct instance *instance)
{
    struct ga ga;
    struct exchange exchange;

    if (ga_init(&ga, instance, &options->ga, (uint64_t)cpmp_rank()) != 0) {
        cpmp_abort(1, "tsp_ga: out of memory for the population; try a smaller --population");
    }
    exchange_init(&exchange, instance, &options->exchange);
    work(options, &exchange, &ga);
    double seconds = cpmp_time() - exchange.start;
    exchange_finish(&exchange, &ga);
    report(options, &exchange, &ga, seconds, interrupted);

    bool missed = options->target_given && exchange.record->length > options->exchange.target;
    exchange_release(&exchange);
    ga_release(&ga);
    return missed ? EXIT_TARGET : 0;
}

int main(int argc, char *argv[])
{
    struct options options;
    struct instance instance;
    char error[256];
    int status;

    must(cpmp_init(), "join the job");
    catch_interrupts();
    if (options_parse(&options, argc, argv, error, sizeof error) != 0) {
        say_error(error, " (tsp_ga --help tells how to use it)");
        status = EXIT_USAGE;
    } else if (options.help) {
        if (cpmp_rank() == 0) {
            fputs(options_usage(), stdout);
        }
        status = 0;
    } else if (load(options.path, &instance) != 0) {
        status = EXIT_FILE;
    } else {
        if (options_settle(&options, &instance, error, sizeof error) != 0) {
            say_error(error, "");
            status = EXIT_USAGE;
        } else {
            status = run(&options, &instance);
        }
        instance_release(&instance);
    }
    /* All ranks exit alike, so that none is to blame; but not before rank 0 has said why. */
    must(cpmp_barrier(), "end with the others");
    must(cpmp_end(), "leave the job");
    return status;
}
